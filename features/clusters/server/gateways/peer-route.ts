import { StatusError } from '@gantry/apimachinery'
import { isTransportFailure, transportError, transportFailureOf, type HttpTransport, type HttpTransportOptions, type TransportFailure } from '@gantry/client'
import { failureHeader } from '@gantry/gateway/tunnel'
import { header, readWholeBody } from '@gantry/runtime'
import type { Clock, HttpRequest, HttpResponse } from '@gantry/runtime'
import type { PeerGateway } from './gateway-lease.ts'

/** PEM. */
export interface PeerTls {
  /** Signs what gateways show on their ports. */
  readonly ca: string
  /** By which a gateway proves to another one that it is one. */
  readonly cert: string
  readonly key: string
}

/** Users and probes have connections of their own at every gateway on the way. */
export interface MemberLane {
  readonly name: 'users' | 'probes'
  readonly connections: number
  readonly streams: number
  readonly maxQueued: number
  readonly headersTimeoutMs: number
}

/** Below it, for gateways alone: `<lane>/<cluster>/<uid>/…`. */
export const peerPrefix = '/peer/v1/'
/** On every answer that another gateway has passed on: whatever else answers at its address has not. */
export const peerHeader = 'gantry-peer'

export interface PeerRouteDeps {
  readonly clock: Clock
  readonly openTransport: (options: HttpTransportOptions) => HttpTransport
  readonly tls: () => PeerTls
  /** The gateways that the agent is connected to, the best one first. */
  readonly holders: () => readonly PeerGateway[]
  readonly onClose: () => void
}

interface Opened {
  readonly peer: PeerGateway
  readonly tls: PeerTls
  readonly transport: HttpTransport
}

// One that is there accepts within milliseconds.
const connectTimeoutMs = 2_000
/** Not asked again for so long, after it could not be reached. */
const awayMs = 1_000
const failureBytes = 8 << 10
/** Nothing has been sent yet when one of these happens. */
const unreached: ReadonlySet<TransportFailure | undefined> = new Set([
  'NameNotResolved',
  'ConnectionRefused',
  'Unreachable',
  'ConnectTimeout',
  'CertificateUntrusted',
  'CertificateExpired',
  'CertificateNotYetValid',
  'CertificateHostMismatch',
  'ClientCertificateRefused',
  'TlsFailed',
  'NotTls',
])

/** The way to one cluster through other gateways. What they are sent is what the member is to get: who asks has been judged here, and they pass it on to the agent and nowhere else. */
export class PeerRoute {
  readonly #deps: PeerRouteDeps
  readonly #cluster: { readonly name: string; readonly uid: string }
  readonly #lane: MemberLane
  /** By name of the peer. */
  readonly #opened = new Map<string, Opened>()
  readonly #awayUntilMs = new Map<string, number>()

  constructor(deps: PeerRouteDeps, options: { readonly cluster: { readonly name: string; readonly uid: string }; readonly lane: MemberLane }) {
    this.#deps = deps
    this.#cluster = options.cluster
    this.#lane = options.lane
  }

  /** Whether some other gateway says that the agent is connected to it. */
  get isThere(): boolean {
    return this.#deps.holders().length > 0
  }

  async handle(request: HttpRequest): Promise<HttpResponse> {
    const holders = this.#holders()
    const isRead = (request.method === 'GET' || request.method === 'HEAD') && request.body === undefined
    for (const [at, peer] of holders.entries()) {
      try {
        return await this.#ask(peer, request)
      } catch (error) {
        const failure = transportFailureOf(error)
        // It could not be asked, or the agent has left it a moment ago: for one of the others, perhaps.
        if (!isRead || !(unreached.has(failure) || failure === 'AgentAbsent') || at === holders.length - 1 || request.signal.aborted) throw error
      }
    }
    throw this.#nowhere()
  }

  upgrade(request: HttpRequest, socket: Parameters<HttpTransport['upgrade']>[1], head: Buffer): Promise<void> {
    const [peer] = this.#holders()
    if (peer === undefined) throw this.#nowhere()
    return this.#transportTo(peer).upgrade(request, socket, head)
  }

  /** Ends what runs through a gateway that has gone. */
  end(name: string): void {
    const opened = this.#opened.get(name)
    this.#opened.delete(name)
    this.#awayUntilMs.delete(name)
    void opened?.transport.close()
  }

  async close(): Promise<void> {
    this.#deps.onClose()
    await Promise.all([...this.#opened.values()].map(({ transport }) => transport.close()))
    this.#opened.clear()
  }

  /** Those that could be reached the last time come first. */
  #holders(): readonly PeerGateway[] {
    const holders = this.#deps.holders()
    if (holders.length < 2) return holders
    return [...holders.filter(({ name }) => !this.#isAway(name)), ...holders.filter(({ name }) => this.#isAway(name))]
  }

  #nowhere(): StatusError {
    return transportError('AgentAbsent', `the agent of cluster "${this.#cluster.name}" is not connected to any gateway`)
  }

  #isAway(name: string): boolean {
    return (this.#awayUntilMs.get(name) ?? 0) > this.#deps.clock.monotonicMs()
  }

  async #ask(peer: PeerGateway, request: HttpRequest): Promise<HttpResponse> {
    if (this.#isAway(peer.name)) throw transportError('Unreachable', `${this.#inWords(peer)} could not be reached a moment ago; try again in a second`)
    let response: HttpResponse
    try {
      response = await this.#transportTo(peer).handle(request)
    } catch (error) {
      const failure = transportFailureOf(error)
      if (unreached.has(failure)) this.#awayUntilMs.set(peer.name, this.#deps.clock.monotonicMs() + awayMs)
      if (failure === undefined || !(error instanceof StatusError)) throw error
      throw transportError(failure, `${this.#inWords(peer)} does not answer: ${error.message}`, error)
    }
    const word = header(response.headers, failureHeader)
    if (word !== undefined) throw transportError(isTransportFailure(word) ? word : 'ConnectionLost', await textOf(response))
    if (header(response.headers, peerHeader) === undefined) {
      await textOf(response)
      throw transportError('NotHttp', `${this.#inWords(peer)} does not take this one for a gateway of its platform (HTTP ${response.status})`)
    }
    return { ...response, headers: { ...response.headers, [peerHeader]: undefined } }
  }

  #inWords({ name, address }: PeerGateway): string {
    return `the gateway ${name} at ${address}, which its agent is connected to,`
  }

  #transportTo(peer: PeerGateway): HttpTransport {
    const tls = this.#deps.tls()
    const opened = this.#opened.get(peer.name)
    if (opened !== undefined && opened.peer.address === peer.address && opened.tls.cert === tls.cert && opened.tls.ca === tls.ca) return opened.transport
    this.end(peer.name)
    const { name, uid } = this.#cluster
    const { name: lane, ...lanes } = this.#lane
    const { ca, cert, key } = tls
    const transport = this.#deps.openTransport({
      server: `https://${peer.address}${peerPrefix}${lane}/${name}/${uid}`,
      ca,
      cert,
      key,
      connectTimeoutMs,
      ...lanes,
    })
    this.#opened.set(peer.name, { peer, tls, transport })
    return transport
  }
}

async function textOf(response: HttpResponse): Promise<string> {
  return (await readWholeBody(response, failureBytes)).toString('utf8').replaceAll(/\p{Cc}/gu, ' ')
}

/** A member with an agent: through a connection of the agent here, where there is one, or else through the gateway that has one. */
export function hereOrThroughPeers(local: HttpTransport, isHere: () => boolean, route: PeerRoute): HttpTransport {
  const close = async (): Promise<void> => {
    await Promise.all([local.close(), route.close()])
  }
  return {
    handle: (request) => (!isHere() && route.isThere ? route.handle(request) : local.handle(request)),
    upgrade: (request, socket, head) => (!isHere() && route.isThere ? route.upgrade(request, socket, head) : local.upgrade(request, socket, head)),
    close,
    [Symbol.asyncDispose]: close,
  }
}
