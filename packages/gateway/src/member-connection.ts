import { StatusError } from '@gantry/apimachinery'
import type { Clock, Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { deadline } from './deadline.ts'
import { writeUpgradeAnswer } from './edge/upgrade-answer.ts'
import { asksToImpersonate, headersForMember, headersFromMember } from './member-headers.ts'
import { statusResponse } from './status-response.ts'

/** A connection to a cluster's API that carries the cluster's own stored credential, with connections and a queue of its own. */
export interface MemberTransport {
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
}

export interface MemberConnectionOptions {
  /** The cluster's name, for messages. */
  readonly name: string
  /** From here to the answer's headers, connecting and waiting in the queue included. Streams have no deadline after that. */
  readonly headersTimeoutMs?: number | undefined
  readonly maxUpgrades?: number | undefined
}

/**
 * One member cluster as the gateway reaches it: nothing of the caller's identity goes there, and a dead one answers within its deadline. Failures are answers:
 * 503 with the cluster and the cause.
 */
export interface MemberConnection {
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
}

export function createMemberConnection(
  deps: { readonly clock: Clock; readonly transport: MemberTransport },
  options: MemberConnectionOptions,
): MemberConnection {
  const subject = `cluster "${options.name}"`
  const headersTimeoutMs = options.headersTimeoutMs ?? 30_000
  const maxUpgrades = options.maxUpgrades ?? 500
  let upgrades = 0

  async function handle(request: HttpRequest): Promise<HttpResponse> {
    if (asksToImpersonate(request.headers)) return impersonationRefused(subject)
    using limit = deadline(deps.clock, headersTimeoutMs, request.signal)
    try {
      const response = await orAborted(deps.transport.handle(requestFor(request, { signal: limit.signal, isUpgrade: false })), limit.signal)
      if (response.status === 401) {
        // The caller's own identity is fine: a 401 would make clients drop it, and browsers sign out.
        return statusResponse(
          'ServiceUnavailable',
          `${subject} is unavailable: it refuses the credential that is stored for it (Unauthorized); import it again or renew its Secret`,
        )
      }
      return { status: response.status, headers: headersFromMember(response.headers), body: response.body }
    } catch (error) {
      if (request.signal.aborted) throw error // the caller has gone: nobody reads an answer
      if (limit.passed) return statusResponse('ServiceUnavailable', `${subject} did not answer within ${Math.round(headersTimeoutMs / 1_000)} s`)
      if (error instanceof StatusError && error.reason === 'BadRequest') return statusResponse('BadRequest', error.message)
      return statusResponse('ServiceUnavailable', `${subject} is unavailable: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  const upgrade: UpgradeHandler = async (request, socket, head) => {
    if (asksToImpersonate(request.headers)) return writeUpgradeAnswer(socket, impersonationRefused(subject))
    if (upgrades >= maxUpgrades) {
      return writeUpgradeAnswer(socket, statusResponse('TooManyRequests', `${subject}: ${upgrades} connections are open already`, { retryAfterSeconds: 1 }))
    }
    upgrades++
    try {
      await deps.transport.upgrade(requestFor(request, { signal: request.signal, isUpgrade: true }), socket, head)
    } finally {
      upgrades--
    }
  }

  return { handle, upgrade }
}

function requestFor(request: HttpRequest, how: { readonly signal: AbortSignal; readonly isUpgrade: boolean }): HttpRequest {
  return {
    method: request.method,
    path: request.path,
    query: request.query,
    headers: headersForMember(request.headers, how),
    body: request.body,
    signal: how.signal,
  }
}

/** Does not wait for a transport that ignores its signal. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort))
}

function impersonationRefused(subject: string): HttpResponse {
  return statusResponse('Forbidden', `impersonation is not possible through the gateway: requests to ${subject} run with the cluster's stored credential`)
}
