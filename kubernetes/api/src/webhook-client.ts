import { goQuote, StatusError } from '@gantry/apimachinery'
import { openHttpTransport, transportFailureOf } from '@gantry/client'
import type { HttpTransport, HttpTransportOptions } from '@gantry/client'
import { bodyOf, header, readBody } from '@gantry/runtime'
import type { Clock, HttpResponse } from '@gantry/runtime'

/** Where a webhook listens, as every configuration states it: a `url`, or a service of this cluster. */
export interface WebhookClientConfig {
  readonly url?: string | undefined
  readonly service?: { readonly namespace: string; readonly name: string; readonly path?: string | undefined; readonly port?: number | undefined } | undefined
  /** Base64 of the PEM bundle that must have signed the webhook's certificate; absent: the authorities of this machine. */
  readonly caBundle?: string | undefined
}

export interface ServiceAddress {
  readonly host: string
  readonly port: number
}

/** The address behind a port of a service, now. Throws a StatusError in upstream's words: it becomes part of the caller's message. */
export type ServiceResolver = (service: { readonly namespace: string; readonly name: string; readonly port: number }) => ServiceAddress

export interface WebhookClientDeps {
  readonly clock: Clock
  readonly resolve: ServiceResolver
  /** The network; another one in tests. */
  readonly open?: ((options: HttpTransportOptions, deps: { readonly clock: Clock }) => HttpTransport) | undefined
}

export interface WebhookCall {
  /** Sent as JSON. */
  readonly body: unknown
  /** The webhook is told, in whole seconds, and given up on when it has passed. */
  readonly timeoutMs: number
  /** Aborts when the caller has gone. */
  readonly signal?: AbortSignal | undefined
  /** Default 8 MiB. */
  readonly maxAnswerBytes?: number | undefined
}

export interface WebhookClient extends AsyncDisposable {
  /**
   * POSTs and returns the answer's JSON. Redirects are never followed: an answer that redirects is a failed call. Every failure is a StatusError whose message is what upstream
   * says after `failed to call webhook: `; its cause is the error of the network or the Status that the webhook answered.
   */
  post(config: WebhookClientConfig, call: WebhookCall): Promise<unknown>
}

const maxAnswerBytes = 8 * 1024 * 1024
const maxTransports = 32
// One webhook takes part in every write that it matches, and a slow one holds each of them up for its timeout.
const connectionsPerWebhook = 64
const queuedPerWebhook = 1024
const longestTimeoutMs = 30_000
const longestExcerpt = 2048

interface Kept {
  readonly transport: HttpTransport
  /** Calls that run: a transport that is no longer wanted is closed after the last. */
  running: number
  dropped: boolean
}

/** Calls webhooks over HTTPS, keeping the connections of those that were called last. Nothing is opened before the first call. */
export function createWebhookClient(deps: WebhookClientDeps): WebhookClient {
  const open = deps.open ?? openHttpTransport
  const kept = new Map<string, Kept>()

  function transportOf(config: WebhookClientConfig, target: URL): Kept {
    const { service } = config
    const key = JSON.stringify([target.host, config.caBundle ?? '', service?.namespace, service?.name])
    const found = kept.get(key)
    if (found !== undefined) {
      kept.delete(key)
      kept.set(key, found)
      return found
    }
    const made: Kept = {
      running: 0,
      dropped: false,
      transport: open(
        {
          server: `https://${target.host}`,
          ...((config.caBundle ?? '') === '' ? {} : { ca: Buffer.from(config.caBundle ?? '', 'base64') }),
          ...(service === undefined ? {} : { connectTo: () => deps.resolve({ namespace: service.namespace, name: service.name, port: service.port ?? 443 }) }),
          connections: connectionsPerWebhook,
          maxQueued: queuedPerWebhook,
          connectTimeoutMs: longestTimeoutMs,
          headersTimeoutMs: longestTimeoutMs,
        },
        { clock: deps.clock },
      ),
    }
    kept.set(key, made)
    for (const [oldest, entry] of kept) {
      if (kept.size <= maxTransports) break
      kept.delete(oldest)
      drop(entry)
    }
    return made
  }

  function drop(entry: Kept): void {
    entry.dropped = true
    // Closing breaks what runs; a failure to close has nobody to tell and leaves nothing behind.
    if (entry.running === 0) entry.transport.close().catch(() => {})
  }

  async function post(config: WebhookClientConfig, call: WebhookCall): Promise<unknown> {
    const { target, address } = targetOf(config)
    const query = `timeout=${Math.ceil(call.timeoutMs / 1000)}s`
    const stop = new AbortController()
    const cancel = deps.clock.schedule(() => stop.abort(deadlineExceeded), call.timeoutMs)
    const onAbort = (): void => stop.abort(call.signal?.reason)
    if (call.signal?.aborted === true) onAbort()
    call.signal?.addEventListener('abort', onAbort, { once: true })
    const entry = transportOf(config, target)
    entry.running++
    try {
      const content = JSON.stringify(call.body)
      const response = await entry.transport.handle({
        method: 'POST',
        path: target.pathname,
        query,
        headers: {
          accept: 'application/json, */*',
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(content)),
          'user-agent': 'kube-apiserver-admission',
        },
        body: bodyOf(content),
        signal: stop.signal,
      })
      const bytes = await readUpTo(response, call.maxAnswerBytes ?? maxAnswerBytes)
      return answerOf(response, bytes)
    } catch (error) {
      if (call.signal?.aborted === true) throw call.signal.reason
      throw explain(error, { shown: `${address}${target.pathname}?${query}`, target })
    } finally {
      entry.running--
      cancel()
      call.signal?.removeEventListener('abort', onAbort)
      // Whatever is left of an answer that was too long is not wanted.
      stop.abort(new Error('the call is over'))
      if (entry.dropped) drop(entry)
    }
  }

  return {
    post,
    async [Symbol.asyncDispose]() {
      const open = [...kept.values()]
      kept.clear()
      await Promise.all(open.map(({ transport }) => transport.close()))
    },
  }
}

const deadlineExceeded = new Error('context deadline exceeded')

/** An answer that the webhook gave, as opposed to none: its text stands for itself. */
class AnswerError extends Error {}

/** The address to call, and how messages write it: with the port as it was given, which a URL leaves out where it is the usual one. */
function targetOf(config: WebhookClientConfig): { readonly target: URL; readonly address: string } {
  const { service, url } = config
  if (service !== undefined) {
    const path = service.path ?? ''
    const address = `https://${service.name}.${service.namespace}.svc:${service.port ?? 443}`
    return { target: new URL(`${address}${path.startsWith('/') ? path : `/${path}`}`), address }
  }
  if (url === undefined || url === '') throw new StatusError('InternalError', 'webhook configuration must have either service or URL')
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  // Validation has refused these already, where there is one; a request must not go anywhere else for want of it.
  if (parsed === undefined || parsed.protocol !== 'https:' || parsed.username !== '' || parsed.password !== '') {
    throw new StatusError('InternalError', `Unparsable URL: ${JSON.stringify(url)} is not an https address`)
  }
  return { target: parsed, address: /^[^/]+\/\/[^/?#]*/.exec(url)?.[0] ?? parsed.origin }
}

async function readUpTo(response: HttpResponse, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of readBody(response)) {
    length += chunk.length
    if (length > limit) throw new AnswerError(`the answer is longer than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The JSON of an answer; throws in the words of client-go's request (rest/request.go transformResponse) for one that is no success or no JSON. */
function answerOf(response: HttpResponse, bytes: Buffer): unknown {
  const { status } = response
  const value = parse(bytes)
  if (isStatus(value) && value.status !== 'Success') {
    throw new StatusError(value.reason ?? '', value.message ?? 'unknown', { code: value.code ?? status, cause: value })
  }
  if (status < 200 || status > 206) throw new AnswerError(textOfCode(status, bytes))
  if (bytes.length === 0) {
    throw new AnswerError(`0-length response with status code: ${status} and content type: ${header(response.headers, 'content-type') ?? ''}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  const found = value === undefined ? undefined : Array.isArray(value) ? 'array' : typeof value
  const why =
    found === undefined
      ? `invalid character ${goQuote(bytes.subarray(0, 1).toString()).replaceAll('"', "'")} looking for beginning of value`
      : `json: cannot unmarshal ${found === 'boolean' ? 'bool' : found} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`
  throw new AnswerError(`couldn't get version/kind; json parse error: ${why}`)
}

interface AnsweredStatus {
  readonly kind: 'Status'
  readonly status?: string
  readonly message?: string
  readonly reason?: string
  readonly code?: number
}

function isStatus(value: unknown): value is AnsweredStatus {
  if (typeof value !== 'object' || value === null) return false
  const { kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown }
  return kind === 'Status' && apiVersion === 'v1'
}

/** undefined: no JSON. */
function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

/** What client-go says of a code alone. Upstream: apimachinery pkg/api/errors NewGenericServerResponse. */
function textOfCode(status: number, bytes: Buffer): string {
  const excerpt = bytes.length > 0 && bytes.length <= longestExcerpt ? bytes.toString().trim() : ''
  const said = excerpt === '' ? 'unknown' : excerpt
  switch (status) {
    case 400:
      return 'the server rejected our request for an unknown reason'
    case 401:
      return 'the server has asked for the client to provide credentials'
    case 403:
      return said
    case 404:
      return 'the server could not find the requested resource'
    case 405:
      return 'the server does not allow this method on the requested resource'
    case 406:
      return 'the server was unable to respond with a content type that the client supports'
    case 409:
      return 'the server reported a conflict'
    case 410:
      return 'the server no longer has the requested resource'
    case 415:
      return 'the server responded with the status code 415 but did not return more information'
    case 422:
      return 'the server rejected our request due to an error in our request'
    case 429:
      return 'the server has received too many requests and has asked us to try again later'
    case 503:
      return 'the server is currently unable to handle the request'
    case 504:
      return 'the server was unable to return a response in the time allotted, but may still be processing the request'
    default:
      return status >= 500
        ? `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`
        : `the server responded with the status code ${status} but did not return more information`
  }
}

/** A failure as Go's HTTP client tells it: kubectl users search for these texts. */
function explain(error: unknown, { shown, target }: { readonly shown: string; readonly target: URL }): StatusError {
  if (error instanceof AnswerError) return new StatusError('ServiceUnavailable', error.message, { cause: error })
  const failure = transportFailureOf(error)
  // Answered with a Status, or the service could not be resolved.
  if (error instanceof StatusError && failure === undefined) {
    return error.cause !== undefined && isStatus(error.cause)
      ? error
      : new StatusError('ServiceUnavailable', `Post ${goQuote(shown)}: ${error.message}`, { cause: error })
  }
  return new StatusError('ServiceUnavailable', `Post ${goQuote(shown)}: ${networkText(error, target)}`, { cause: error })
}

/** A failed call in the words of Go's HTTP client, without method and address. */
export function networkText(error: unknown, target: URL): string {
  const failure = transportFailureOf(error)
  const cause: unknown = error instanceof StatusError ? error.cause : undefined
  const address = dialed(cause) ?? `${target.hostname}:${target.port === '' ? '443' : target.port}`
  const texts: Partial<Record<NonNullable<typeof failure>, string>> = {
    ConnectionRefused: `dial tcp ${address}: connect: connection refused`,
    NameNotResolved: `dial tcp: lookup ${target.hostname}: no such host`,
    Unreachable: `dial tcp ${address}: connect: no route to host`,
    ConnectTimeout: 'context deadline exceeded',
    ResponseTimeout: 'context deadline exceeded',
    CertificateUntrusted: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    CertificateExpired: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
    CertificateNotYetValid: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
    CertificateHostMismatch: `tls: failed to verify certificate: x509: ${wrongHost(cause)}`,
    NotTls: 'http: server gave HTTP response to HTTPS client',
    ConnectionLost: 'EOF',
  }
  return (failure === undefined ? undefined : texts[failure]) ?? (error instanceof Error ? error.message : String(error))
}

/** The address that Node tried, which is not the one of the URL where a service was resolved. */
function dialed(cause: unknown): string | undefined {
  const inner = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause
  const { address, port } = (inner ?? {}) as { address?: unknown; port?: unknown }
  if (typeof address !== 'string' || typeof port !== 'number') return undefined
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function wrongHost(cause: unknown): string {
  const { host, cert } = (cause ?? {}) as { host?: unknown; cert?: { subjectaltname?: unknown } }
  const asked = typeof host === 'string' ? host : ''
  const names = typeof cert?.subjectaltname === 'string' ? cert.subjectaltname.split(', ') : []
  const isAddress = /^[\d.]+$|:/.test(asked)
  const fitting = names.filter((name) => name.startsWith(isAddress ? 'IP Address:' : 'DNS:')).map((name) => name.slice(name.indexOf(':') + 1))
  if (isAddress && fitting.length === 0) return `cannot validate certificate for ${asked} because it doesn't contain any IP SANs`
  if (names.length === 0) return 'certificate relies on legacy Common Name field, use SANs instead'
  return fitting.length === 0
    ? `certificate is not valid for any names, but wanted to match ${asked}`
    : `certificate is valid for ${fitting.join(', ')}, not ${asked}`
}
