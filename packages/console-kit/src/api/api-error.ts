import type { Status, StatusCause } from './kube-object.ts'

/** A request that failed, with the server's own words. `code` is 0 when no answer came at all. */
export class ApiError extends Error {
  readonly code: number
  /** Kubernetes' Status reason; `Unreachable` and `Timeout` when no answer came. */
  readonly reason: string
  readonly causes: readonly StatusCause[]
  readonly retryAfterMs: number | undefined

  constructor(failure: {
    readonly code: number
    readonly reason: string
    readonly message: string
    readonly causes?: readonly StatusCause[] | undefined
    readonly retryAfterMs?: number | undefined
  }) {
    super(failure.message)
    this.name = 'ApiError'
    this.code = failure.code
    this.reason = failure.reason
    this.causes = failure.causes ?? []
    this.retryAfterMs = failure.retryAfterMs
  }
}

export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'Status'
}

export function errorFromStatus(status: Status, code: number): ApiError {
  const retryAfterSeconds = status.details?.retryAfterSeconds
  return new ApiError({
    code: status.code ?? code,
    reason: status.reason ?? '',
    message: status.message ?? `HTTP ${code}`,
    causes: status.details?.causes,
    retryAfterMs: retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000,
  })
}

/** Long answers that are no Status (a proxy's HTML page) are cut: the start names the culprit. */
const rawMessageLimit = 300

/** Reads the failure out of an answer that was not 2xx. */
export async function errorFromResponse(response: Response): Promise<ApiError> {
  const text = await response.text()
  if (text.startsWith('{')) {
    try {
      const body: unknown = JSON.parse(text)
      if (isStatus(body)) return errorFromStatus(body, response.status)
    } catch {
      // Not JSON after all: the text itself is shown below.
    }
  }
  const detail = text.trim().slice(0, rawMessageLimit)
  return new ApiError({
    code: response.status,
    reason: '',
    message: detail === '' ? `HTTP ${response.status} ${response.statusText}`.trim() : `HTTP ${response.status}: ${detail}`,
  })
}

/** Any thrown value as an ApiError, so that every failure on screen has a reason and a message. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new ApiError({ code: 0, reason: 'Timeout', message: 'no answer within the time limit' })
  }
  if (error instanceof TypeError) return new ApiError({ code: 0, reason: 'Unreachable', message: `cannot reach the Gantry server (${error.message})` })
  return new ApiError({ code: 0, reason: '', message: error instanceof Error ? error.message : String(error) })
}
