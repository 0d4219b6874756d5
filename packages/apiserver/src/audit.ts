import type { Status } from '@gantry/apimachinery'
import { header } from '@gantry/runtime'
import type { HttpRequest, HttpResponse, StreamBody, UserInfo } from '@gantry/runtime'
import type { Duplex } from 'node:stream'
import type { Attributes, Decision } from './access.ts'

/** Decides what is recorded of a request; the machinery reports to the trail that it gets (G2). */
export interface Auditor {
  /** Called when the caller is known, before anything else is decided; undefined: nothing of this request is recorded. */
  begin(request: HttpRequest, attributes: Attributes, auditID: string): AuditTrail | undefined
  /** A request whose credential was refused. */
  unauthenticated(request: HttpRequest, attributes: Attributes, refusal: { readonly auditID: string; readonly status: Status }): void
}

/** The record of one request as it goes on. */
export interface AuditTrail {
  readonly wantsRequest: boolean
  readonly wantsResponse: boolean
  impersonated(user: UserInfo, constraint: string): void
  decided(decision: Decision): void
  /** What admission has to say of the request, under a key of its own. */
  annotate(key: string, value: string): void
  /** The decoded object of a write, before admission. */
  requestObject(object: RequestObject): void
  /** The body of a patch, as it came. */
  requestPatch(text: string): void
  /** The head of a long-running answer has left. */
  started(outcome: AuditOutcome): void
  completed(outcome: AuditOutcome): void
}

export interface AuditOutcome {
  readonly code: number
  /** The answer, when that is a Status. */
  readonly status?: Partial<Status> | undefined
  /** The answer's object, when it is wanted and was not too large. */
  readonly body?: unknown
  readonly isTruncated?: boolean | undefined
}

export interface RequestObject {
  readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly uid?: string; readonly resourceVersion?: string } | undefined
}

/** Longest body of an answer that an audit event takes; what is longer is left out and said so. */
const maxBodyBytes = 3 * 1024 * 1024
/** How an answer begins that is a Status, compact or indented; as much of it as that takes. */
const statusHead = /^\{\s*"kind":\s*"Status"/
const statusHeadBytes = 32

/** The request as the rest of the pipeline has to see it: the patch is copied for the trail, and an answer that is recorded is not compressed. */
export function auditedRequest(request: HttpRequest, trail: AuditTrail, verb: string): HttpRequest {
  const { body, headers } = request
  const isPatch = verb === 'patch' && trail.wantsRequest && body !== undefined
  if (!isPatch && !trail.wantsResponse) return request
  const { 'accept-encoding': _encoding, ...plain } = headers
  return {
    ...request,
    headers: trail.wantsResponse ? plain : headers,
    ...(isPatch && {
      body: {
        async bytes(limitBytes: number) {
          const bytes = await body.bytes(limitBytes)
          trail.requestPatch(bytes.toString())
          return bytes
        },
        stream: () => body.stream(),
      },
    }),
  }
}

/** Reports the answer to the trail, at its end when it is streamed. `decode` reads a whole body that is no JSON. */
export function auditedResponse(
  response: HttpResponse,
  trail: AuditTrail,
  options: { readonly isLongRunning: boolean; readonly decode: (bytes: Buffer) => unknown },
): HttpResponse {
  const { body, status: code, headers } = response
  if (typeof body !== 'function') {
    const outcome = outcomeOf(response, trail, options.decode)
    if (options.isLongRunning) trail.started(outcome)
    trail.completed(outcome)
    return response
  }
  if (options.isLongRunning) trail.started({ code })
  const streamed: StreamBody = async (sink) => {
    const collected: Buffer[] = []
    let size = 0
    const isCollected = trail.wantsResponse && !options.isLongRunning
    try {
      await (isCollected
        ? body({
            write(chunk) {
              size += chunk.length
              if (size <= maxBodyBytes) collected.push(Buffer.from(chunk))
              return sink.write(chunk)
            },
            drained: () => sink.drained(),
            get bufferedBytes() {
              return sink.bufferedBytes
            },
            signal: sink.signal,
          })
        : body(sink))
    } finally {
      const isTruncated = size > maxBodyBytes
      trail.completed({
        code,
        isTruncated,
        ...(isCollected && !isTruncated && { body: parse(Buffer.concat(collected), header(headers, 'content-type'), options.decode) }),
      })
    }
  }
  return { ...response, body: streamed }
}

/** What an answer that is whole says to the trail. */
export function outcomeOf({ status: code, headers, body }: HttpResponse, trail: AuditTrail, decode: (bytes: Buffer) => unknown): AuditOutcome {
  if (body === undefined || typeof body === 'function') return { code }
  const bytes = Buffer.from(body)
  const isStatus = statusHead.test(bytes.toString('latin1', 0, statusHeadBytes))
  if (!isStatus && !trail.wantsResponse) return { code }
  const value = parse(bytes, header(headers, 'content-type'), decode)
  return { code, ...(isStatus && { status: value as Status | undefined }), body: value }
}

/** Tells of the first byte that is written to a socket: with it an upgrade has been accepted. */
export function onFirstWrite(socket: Duplex, tell: () => void): void {
  const write = socket.write.bind(socket)
  socket.write = (...args: unknown[]) => {
    socket.write = write
    tell()
    return Reflect.apply(write, socket, args) as boolean
  }
}

function parse(bytes: Buffer, contentType: string | undefined, decode: (bytes: Buffer) => unknown): unknown {
  if (bytes.length === 0 || bytes.length > maxBodyBytes) return undefined
  if (contentType === 'application/vnd.kubernetes.protobuf') return decode(bytes)
  if (contentType?.startsWith('application/json') !== true) return undefined
  try {
    return JSON.parse(bytes.toString())
  } catch {
    // An answer that broke off: the event goes without it.
    return undefined
  }
}
