import { StatusError, type StatusDetails, type StatusReason } from '@gantry/apimachinery'
import type { HttpResponse } from '@gantry/runtime'

/** A Kubernetes Status as an answer: what kubectl and the console know how to show. */
export function statusResponse(
  reason: StatusReason,
  message: string,
  options: { readonly code?: number; readonly retryAfterSeconds?: number } = {},
): HttpResponse {
  const details: StatusDetails | undefined = options.retryAfterSeconds === undefined ? undefined : { retryAfterSeconds: options.retryAfterSeconds }
  return responseOf(new StatusError(reason, message, { code: options.code, details }))
}

/** A thrown StatusError as an answer. */
export function responseOf(error: StatusError): HttpResponse {
  const retryAfter = error.details?.retryAfterSeconds
  return {
    status: error.code,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
      'x-content-type-options': 'nosniff',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    },
    body: `${JSON.stringify(error.toStatus())}\n`,
  }
}
