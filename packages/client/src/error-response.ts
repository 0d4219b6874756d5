import { header } from '@gantry/runtime'
import { StatusError } from '@gantry/apimachinery'
import type { HttpHeaders } from '@gantry/runtime'
import type { Status, StatusDetails } from '@gantry/apimachinery'

/** What was asked, for the words of an error that the server did not put into a Status. */
export interface Asked {
  readonly verb: string
  /** `pods`, `deployments.apps`, or the path of a request that addresses no resource. */
  readonly what: string
  readonly name?: string | undefined
}

const longestQuote = 1024

/** The error of an answer that is not a success: the server's Status where there is one, else what client-go makes of the code (errors.NewGenericServerResponse). */
export function errorOfResponse(code: number, headers: HttpHeaders, body: Buffer, asked: Asked): StatusError {
  const status = parseStatus(body)
  if (status !== undefined) return errorOfStatus(status, code, headers)
  const quoted = body.toString('utf8', 0, longestQuote).trim()
  const { reason, message } = genericWords(code, quoted, asked.verb)
  const object = asked.name === undefined ? asked.what : `${asked.what} ${asked.name}`
  return new StatusError(reason, `${message} (${asked.verb} ${object})`, {
    code,
    details: withRetryAfter({ causes: [{ reason: 'UnexpectedServerResponse', message: quoted === '' ? 'unknown' : quoted }] }, headers),
  })
}

/** The error of a Status object, as it comes in a body or in an ERROR event of a watch. */
export function errorOfStatus(status: Partial<Status>, code = status.code ?? 500, headers: HttpHeaders = {}): StatusError {
  return new StatusError(status.reason ?? '', status.message ?? `the server answered ${code} without a message`, {
    code: status.code ?? code,
    details: withRetryAfter(status.details, headers),
    continueToken: status.metadata?.continue,
  })
}

function withRetryAfter(details: StatusDetails | undefined, headers: HttpHeaders): StatusDetails | undefined {
  const seconds = Number(header(headers, 'retry-after'))
  if (details?.retryAfterSeconds !== undefined || !Number.isSafeInteger(seconds) || seconds <= 0) return details
  return { ...details, retryAfterSeconds: seconds }
}

function parseStatus(body: Buffer): Partial<Status> | undefined {
  if (body[0] !== 0x7b /* { */) return undefined
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && Reflect.get(value, 'kind') === 'Status' ? (value as Partial<Status>) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function genericWords(code: number, quoted: string, verb: string): { readonly reason: string; readonly message: string } {
  switch (code) {
    case 400:
      return { reason: 'BadRequest', message: 'the server rejected our request for an unknown reason' }
    case 401:
      return { reason: 'Unauthorized', message: 'the server has asked for the client to provide credentials' }
    case 403:
      return { reason: 'Forbidden', message: quoted === '' ? 'the server does not allow access to the requested resource' : quoted }
    case 404:
      return { reason: 'NotFound', message: 'the server could not find the requested resource' }
    case 405:
      return { reason: 'MethodNotAllowed', message: 'the server does not allow this method on the requested resource' }
    case 406:
      return { reason: 'NotAcceptable', message: quoted === '' ? 'the server was unable to respond with a content type that the client supports' : quoted }
    case 409:
      return {
        reason: verb === 'create' ? 'AlreadyExists' : 'Conflict',
        message: verb === 'create' ? 'the server reported a conflict: the object already exists' : 'the server reported a conflict',
      }
    case 410:
      return { reason: 'Gone', message: 'the server no longer has the requested resource' }
    case 413:
      return { reason: 'RequestEntityTooLarge', message: 'the request is larger than the server takes' }
    case 415:
      return { reason: 'UnsupportedMediaType', message: quoted === '' ? 'the server does not take this content type' : quoted }
    case 422:
      return { reason: 'Invalid', message: 'the server rejected our request due to an error in our request' }
    case 429:
      return { reason: 'TooManyRequests', message: 'the server has received too many requests and has asked us to try again later' }
    case 503:
      return { reason: 'ServiceUnavailable', message: 'the server is currently unable to handle the request' }
    case 504:
      return {
        reason: 'Timeout',
        message: 'the server was unable to return a response in the time allotted, but may still be processing the request',
      }
    default:
      return code >= 500
        ? { reason: 'InternalError', message: `an error on the server (${JSON.stringify(quoted)}) has prevented the request from succeeding` }
        : { reason: '', message: `the server responded with the status code ${code} but did not return more information` }
  }
}
