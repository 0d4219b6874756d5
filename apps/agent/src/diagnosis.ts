import { isReason } from '@gantry/apimachinery'
import { transportFailureOf, type TransportFailure } from '@gantry/client'

/** Where on the way to the platform something is wrong, in the order of the way. */
export const areas = ['DNS', 'TCP', 'proxy', 'TLS', 'clock', 'authentication', 'platform'] as const
export type Area = (typeof areas)[number]

export interface Diagnosis {
  readonly area: Area
  /** What is wrong, and what mends it. */
  readonly message: string
}

const areaOf: Readonly<Record<TransportFailure, Area>> = {
  NameNotResolved: 'DNS',
  ConnectionRefused: 'TCP',
  Unreachable: 'TCP',
  ConnectTimeout: 'TCP',
  ProxyFailed: 'proxy',
  CertificateUntrusted: 'TLS',
  CertificateHostMismatch: 'TLS',
  CertificateExpired: 'TLS',
  CertificateNotYetValid: 'clock',
  ClientCertificateRefused: 'TLS',
  TlsFailed: 'TLS',
  NotTls: 'TLS',
  NotHttp: 'platform',
  ResponseTimeout: 'platform',
  ConnectionLost: 'platform',
  AgentAbsent: 'platform',
  QueueFull: 'platform',
  Closed: 'platform',
  BadRequest: 'platform',
}

/** More than this between two clocks breaks tokens and certificates sooner or later. */
const largestSkewMs = 5 * 60_000

export function diagnose(error: unknown): Diagnosis {
  const message = error instanceof Error ? error.message : String(error)
  const failure = transportFailureOf(error)
  if (failure === 'CertificateUntrusted') {
    return {
      area: 'TLS',
      message: `${message}. The agent trusts the authority in its manifest alone: what answers there is another server, a proxy that opens TLS, or a platform with a new authority (make another manifest)`,
    }
  }
  if (failure === 'CertificateExpired')
    return { area: 'TLS', message: `${message}. If the platform's certificate is fresh, the clock of this machine is ahead` }
  if (failure !== undefined) return { area: areaOf[failure], message }
  if (isReason(error, 'Unauthorized')) return { area: 'authentication', message }
  return { area: 'platform', message }
}

/** A problem of the clock, which the platform's answers have shown. */
export function clockProblem(aheadMs: number | undefined): Diagnosis | undefined {
  if (aheadMs === undefined || Math.abs(aheadMs) < largestSkewMs) return undefined
  const minutes = Math.round(Math.abs(aheadMs) / 60_000)
  return { area: 'clock', message: `the clock of this machine is ${minutes} min ${aheadMs > 0 ? 'ahead of' : 'behind'} the platform's: set it (NTP)` }
}

const remembered = 3
const shortestMs = 5_000
const tolerance = 0.1

/** Finds the idle timer of something in between: connections that end without a goodbye, each at the same age. */
export class CutOffs {
  readonly #lives: number[] = []

  /** What several such ends have in common, if they have. */
  add(lifeMs: number): string | undefined {
    this.#lives.push(lifeMs)
    if (this.#lives.length > remembered) this.#lives.shift()
    if (this.#lives.length < remembered) return undefined
    const [shortest, longest] = [Math.min(...this.#lives), Math.max(...this.#lives)]
    if (shortest < shortestMs || longest - shortest > longest * tolerance) return undefined
    return `the last ${remembered} connections were cut after ${Math.round(shortest / 1_000)} s each: something in between (a proxy, a load balancer) ends connections of that age; raise its timeout`
  }

  reset(): void {
    this.#lives.length = 0
  }
}
