import { ApiError, errorFromResponse, toApiError } from './api-error.ts'
import { decodeLineBatches } from './line-decoder.ts'

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined
  readonly body?: unknown
  /** Given, the body is sent as this text type instead of JSON. */
  readonly contentType?: string | undefined
  readonly accept?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with the head of an answer that is no error, before its body is read. */
  readonly onHeaders?: ((headers: Headers) => void) | undefined
  /** How long the whole answer may take. Streams have no limit. */
  readonly timeoutMs?: number | undefined
}

/** The one door to the gateway: same origin, cookie session, CSRF header, Status errors. */
export interface ConsoleApi {
  json<T>(path: string, options?: RequestOptions): Promise<T>
  text(path: string, options?: RequestOptions): Promise<string>
  /** Lines as they arrive, batched by packet, after an empty batch once the server has agreed. Ends when the server ends; throws what broke it. */
  lines(path: string, options?: RequestOptions): AsyncGenerator<string[], void, void>
}

export interface ConsoleApiDeps {
  readonly fetch: typeof fetch
  readonly sleep: (ms: number) => Promise<void>
  /** Called on every 401, except of the sign-in itself. The session may be over; a cluster that refuses Gantry's credentials answers 401 too. */
  readonly onUnauthorized?: (() => void) | undefined
}

const defaultTimeoutMs = 30_000
/** Pauses before reading again after the connection broke: a browser cuts every request when a network interface comes or goes. */
const rereadAfterMs = [150, 600] as const

export function createConsoleApi(deps: ConsoleApiDeps): ConsoleApi {
  /** Reads again when no answer came at all. Writes are never repeated: the first one may have arrived. */
  async function sendReading(path: string, options: RequestOptions, signal: AbortSignal): Promise<Response> {
    for (const waitMs of rereadAfterMs) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one try after another
        return await send(path, options, signal)
      } catch (error) {
        if (!(error instanceof TypeError) || signal.aborted) throw error
        // oxlint-disable-next-line no-await-in-loop -- one try after another
        await deps.sleep(waitMs)
      }
    }
    return send(path, options, signal)
  }

  async function send(path: string, options: RequestOptions, signal: AbortSignal | undefined): Promise<Response> {
    const method = options.method ?? 'GET'
    const headers: Record<string, string> = { Accept: options.accept ?? 'application/json' }
    if (method !== 'GET') headers['X-Gantry-Request'] = 'console'
    let body: string | undefined
    if (options.body !== undefined) {
      body = typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
      headers['Content-Type'] = options.contentType ?? 'application/json'
    }
    const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' }
    if (body !== undefined) init.body = body
    if (signal !== undefined) init.signal = signal
    const response = await deps.fetch(path, init)
    if (response.ok) return response
    const error = await errorFromResponse(response)
    if (response.status === 401 && !path.startsWith('/auth/')) deps.onUnauthorized?.()
    throw error
  }

  async function whole<T>(path: string, options: RequestOptions, read: (response: Response) => Promise<T>): Promise<T> {
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
    try {
      const response = await ((options.method ?? 'GET') === 'GET' ? sendReading : send)(path, options, signal)
      options.onHeaders?.(response.headers)
      return await read(response)
    } catch (error) {
      if (options.signal?.aborted === true) throw options.signal.reason
      if (timeout.aborted) throw new ApiError({ code: 0, reason: 'Timeout', message: `no answer within ${Math.round(timeoutMs / 1000)} s` })
      throw toApiError(error)
    }
  }

  return {
    json: <T>(path: string, options: RequestOptions = {}) => whole(path, options, async (response) => (await response.json()) as T),
    text: (path, options = {}) => whole(path, options, (response) => response.text()),
    async *lines(path, options = {}) {
      try {
        const response = await send(path, options, options.signal)
        // An empty batch first: the caller learns that the server has agreed, however long the first line takes.
        yield []
        if (response.body !== null) yield* decodeLineBatches(response.body)
      } catch (error) {
        if (options.signal?.aborted === true) throw options.signal.reason
        throw toApiError(error)
      }
    },
  }
}
