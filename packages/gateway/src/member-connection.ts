import { StatusError } from '@gantry/apimachinery'
import type { Clock, Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { deadline } from './deadline.ts'
import { writeUpgradeAnswer } from './edge/upgrade-answer.ts'
import { impersonationHeaders } from './impersonation.ts'
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
  /** The member is told who asks (`HttpRequest.user`), and refuses by its own rules too; a request without a user does not go there. */
  readonly impersonates?: boolean | undefined
}

/**
 * One member cluster as the gateway reaches it: nothing that the caller says of an identity goes there, and a dead one answers within its deadline. Failures are answers:
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
  const impersonates = options.impersonates === true
  let upgrades = 0

  /** Throws a StatusError for a caller who cannot be told. */
  function requestFor(request: HttpRequest, how: { readonly signal: AbortSignal; readonly isUpgrade: boolean }): HttpRequest {
    const { method, path, query, body, user } = request
    const headers = headersForMember(request.headers, how)
    if (!impersonates) return { method, path, query, headers, body, signal: how.signal }
    if (user === undefined) throw new StatusError('Forbidden', `${subject} is told who asks: nobody in particular gets nothing from it`)
    return { method, path, query, headers: { ...headers, ...impersonationHeaders(user) }, body, signal: how.signal }
  }

  async function handle(request: HttpRequest): Promise<HttpResponse> {
    if (asksToImpersonate(request.headers)) return impersonationRefused(subject, impersonates)
    using limit = deadline(deps.clock, headersTimeoutMs, request.signal)
    try {
      const response = await limit.orAborted(deps.transport.handle(requestFor(request, { signal: limit.signal, isUpgrade: false })))
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
      if (error instanceof StatusError && (error.reason === 'BadRequest' || error.reason === 'Forbidden')) return statusResponse(error.reason, error.message)
      return statusResponse('ServiceUnavailable', `${subject} is unavailable: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  const upgrade: UpgradeHandler = async (request, socket, head) => {
    if (asksToImpersonate(request.headers)) return writeUpgradeAnswer(socket, impersonationRefused(subject, impersonates))
    if (upgrades >= maxUpgrades) {
      return writeUpgradeAnswer(socket, statusResponse('TooManyRequests', `${subject}: ${upgrades} connections are open already`, { retryAfterSeconds: 1 }))
    }
    let forMember: HttpRequest
    try {
      forMember = requestFor(request, { signal: request.signal, isUpgrade: true })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      return writeUpgradeAnswer(socket, statusResponse('Forbidden', error.message))
    }
    upgrades++
    try {
      await deps.transport.upgrade(forMember, socket, head)
    } finally {
      upgrades--
    }
  }

  return { handle, upgrade }
}

function impersonationRefused(subject: string, impersonates: boolean): HttpResponse {
  const whose = impersonates ? 'run as who sends them' : "run with the cluster's stored credential"
  return statusResponse('Forbidden', `impersonation is not possible through the gateway: requests to ${subject} ${whose}`)
}
