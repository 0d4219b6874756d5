import { StatusError } from '@gantry/apimachinery'
import type { Clock, Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { Bulkhead, deadline } from './bulkhead.ts'
import { writeUpgradeAnswer } from './edge/upgrade-answer.ts'
import { asksToImpersonate, headersForMember, headersFromMember } from './member-headers.ts'
import { statusResponse } from './status-response.ts'

/** A connection to a cluster's API that carries the cluster's own stored credential. */
export interface MemberTransport {
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
}

export interface MemberConnectionOptions {
  /** The cluster's name, for messages. */
  readonly name: string
  /** From here to the answer's headers, waiting in the queue included. Streams have no deadline after that. */
  readonly headersTimeoutMs?: number | undefined
  readonly maxActive?: number | undefined
  readonly maxQueued?: number | undefined
  readonly maxUpgrades?: number | undefined
}

/**
 * One member cluster as the gateway reaches it: nothing of the caller's identity goes there, and however dead it is, it holds no more than its own places and
 * no longer than its deadline. Failures are answers: 503 with the cluster and the cause, 504 past the deadline, 429 with a full queue.
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
  const bulkhead = new Bulkhead({ name: subject, maxActive: options.maxActive ?? 128, maxQueued: options.maxQueued ?? 256 })
  let upgrades = 0

  async function handle(request: HttpRequest): Promise<HttpResponse> {
    if (asksToImpersonate(request.headers)) return impersonationRefused(subject)
    using limit = deadline(deps.clock, headersTimeoutMs, request.signal)
    const outbound: HttpRequest = {
      method: request.method,
      path: request.path,
      query: request.query,
      headers: headersForMember(request.headers, { isUpgrade: false }),
      body: request.body,
      signal: limit.signal,
    }
    try {
      const response = await bulkhead.run(() => orAborted(deps.transport.handle(outbound), limit.signal), limit.signal)
      return { status: response.status, headers: headersFromMember(response.headers), body: response.body }
    } catch (error) {
      if (request.signal.aborted) throw error // the caller has gone: nobody reads an answer
      if (limit.passed) {
        // 503, not 504: the cluster is to blame, not the request, and clients may try again.
        return statusResponse('ServiceUnavailable', `${subject} did not answer within ${Math.round(headersTimeoutMs / 1_000)} s`)
      }
      return unavailable(subject, error)
    }
  }

  async function upgrade(request: HttpRequest, ...[socket, head]: UpgradeArguments): Promise<void> {
    const refusal = asksToImpersonate(request.headers)
      ? impersonationRefused(subject)
      : upgrades >= maxUpgrades
        ? statusResponse('TooManyRequests', `${subject}: ${upgrades} connections are open already`, { retryAfterSeconds: 1 })
        : undefined
    if (refusal !== undefined) return writeUpgradeAnswer(socket, refusal)
    upgrades++
    const before = bytesWritten(socket)
    try {
      await deps.transport.upgrade(
        {
          method: request.method,
          path: request.path,
          query: request.query,
          headers: headersForMember(request.headers, { isUpgrade: true }),
          signal: request.signal,
        },
        socket,
        head,
      )
    } catch (error) {
      // Once the member has answered, an HTTP answer of ours would be noise inside its conversation: the socket just ends.
      if (bytesWritten(socket) === before && !socket.destroyed) await writeUpgradeAnswer(socket, unavailable(subject, error))
      else socket.destroy()
    } finally {
      upgrades--
    }
  }

  return { handle, upgrade }
}

type UpgradeArguments = Parameters<UpgradeHandler> extends [unknown, ...infer Rest] ? Rest : never

function bytesWritten(socket: UpgradeArguments[0]): number {
  const written: unknown = Reflect.get(socket, 'bytesWritten')
  return (typeof written === 'number' ? written : 0) + socket.writableLength
}

/** Does not wait for a transport that ignores its signal. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort))
}

function unavailable(subject: string, error: unknown): HttpResponse {
  if (error instanceof StatusError && error.reason === 'TooManyRequests') return statusResponse('TooManyRequests', error.message, { retryAfterSeconds: 1 })
  return statusResponse('ServiceUnavailable', `${subject} cannot be reached: ${causeOf(error)}`)
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return causeOf(error.errors[0])
  return error.message
}

function impersonationRefused(subject: string): HttpResponse {
  return statusResponse('Forbidden', `impersonation is not possible through the gateway: requests to ${subject} run with the cluster's stored credential`)
}
