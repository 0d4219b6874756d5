/** Reasons of Kubernetes' Status object and the HTTP code each one has. Upstream: apimachinery pkg/apis/meta/v1/types.go. */
export const httpCodeOfReason = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServerTimeout: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const satisfies Readonly<Record<string, number>>

export type StatusReason = keyof typeof httpCodeOfReason

export interface StatusCause {
  readonly reason?: string | undefined
  readonly message?: string | undefined
  readonly field?: string | undefined
}

export interface StatusDetails {
  readonly name?: string | undefined
  readonly group?: string | undefined
  /** The plural resource for lookups, the Kind for validation: as upstream does. */
  readonly kind?: string | undefined
  readonly uid?: string | undefined
  readonly causes?: readonly StatusCause[] | undefined
  readonly retryAfterSeconds?: number | undefined
}

export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: { readonly continue?: string | undefined }
  readonly status: 'Success' | 'Failure'
  readonly message?: string | undefined
  readonly reason?: string | undefined
  readonly details?: StatusDetails | undefined
  readonly code?: number | undefined
}

/** The only error that crosses a package boundary: a Kubernetes Status, thrown. Compare by `reason`. */
export class StatusError extends Error {
  /** A StatusReason, or the reason another server gave, or '' where upstream gives none. */
  readonly reason: string
  readonly code: number
  readonly details: StatusDetails | undefined
  /** A continue token that an Expired answer carries. */
  readonly continueToken: string | undefined

  constructor(
    reason: StatusReason | (string & {}),
    message: string,
    options: {
      readonly code?: number | undefined
      readonly details?: StatusDetails | undefined
      readonly cause?: unknown
      readonly continueToken?: string | undefined
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.code = options.code ?? (reason in httpCodeOfReason ? httpCodeOfReason[reason as StatusReason] : 500)
    this.details = options.details
    this.continueToken = options.continueToken
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    }
  }
}

/** Whether an error is a StatusError with this reason. */
export function isReason(error: unknown, reason: StatusReason): error is StatusError {
  return error instanceof StatusError && error.reason === reason
}

/** What was asked for, or undefined when the server says that there is none. */
export function unlessGone<T>(asked: Promise<T>): Promise<T | undefined> {
  return unless('NotFound', asked)
}

/** What was made, or undefined when the server says that there is one already. */
export function unlessThere<T>(made: Promise<T>): Promise<T | undefined> {
  return unless('AlreadyExists', made)
}

async function unless<T>(reason: StatusReason, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isReason(error, reason)) return undefined
    throw error
  }
}
