import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'

/** What a check found; `message` says why, in upstream's words. */
export type CheckOutcome = { readonly kind: 'success'; readonly message: string } | { readonly kind: 'failure'; readonly message: string }

export interface HttpCheck {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly path: string
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly timeoutMs: number
}

/** The network side of probes and hooks. */
export interface ProbeIo {
  http(check: HttpCheck): Promise<CheckOutcome>
  tcp(check: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<CheckOutcome>
  grpc(check: { readonly host: string; readonly port: number; readonly service: string; readonly timeoutMs: number }): Promise<CheckOutcome>
}

const maxBodyBytes = 10 << 10
const maxRedirects = 10

export const machineProbeIo: ProbeIo = {
  http: (check) => httpCheck(check, 0),

  tcp({ host, port, timeoutMs }) {
    const { promise, resolve } = Promise.withResolvers<CheckOutcome>()
    const socket = connect({ host, port, timeout: timeoutMs })
    const end = (outcome: CheckOutcome): void => {
      socket.destroy()
      resolve(outcome)
    }
    socket.once('connect', () => end({ kind: 'success', message: '' }))
    socket.once('timeout', () => end({ kind: 'failure', message: `dial tcp ${host}:${port}: i/o timeout` }))
    socket.once('error', (error) => end({ kind: 'failure', message: dialMessage(error, { host, port }) }))
    return promise
  },

  async grpc({ host, port, service, timeoutMs }) {
    const { Client, credentials } = await import('@grpc/grpc-js')
    const { promise, resolve } = Promise.withResolvers<CheckOutcome>()
    const client = new Client(`${host}:${port}`, credentials.createInsecure(), { 'grpc.default_authority': `${host}:${port}` })
    client.makeUnaryRequest<string, number>(
      '/grpc.health.v1.Health/Check',
      encodeHealthRequest,
      decodeHealthStatus,
      service,
      { deadline: new Date(new Date().getTime() + timeoutMs) },
      (error, status) => {
        client.close()
        if (error !== null) resolve({ kind: 'failure', message: `error: health rpc failed: ${error.message}` })
        else if (status === healthServing) resolve({ kind: 'success', message: 'service healthy' })
        else resolve({ kind: 'failure', message: `service unhealthy (responded with "${healthNames[status ?? 0] ?? String(status)}")` })
      },
    )
    return promise
  },
}

function httpCheck(check: HttpCheck, redirects: number): Promise<CheckOutcome> {
  const { promise, resolve } = Promise.withResolvers<CheckOutcome>()
  const { scheme, host, port, path, headers, timeoutMs } = check
  const request = (scheme === 'https' ? httpsRequest : httpRequest)({
    host,
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: headersOf(headers),
    agent: false,
    // A probe asks whether the server answers, not who it is; upstream does not verify either.
    rejectUnauthorized: false,
    signal: AbortSignal.timeout(timeoutMs),
  })
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
  request.once('error', (error) => {
    const late = error.name === 'AbortError' || error.name === 'TimeoutError'
    const why = late ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)' : dialMessage(error, { host, port })
    resolve({ kind: 'failure', message: `Get "${url}": ${why}` })
  })
  request.once('response', (response) => {
    const status = response.statusCode ?? 0
    const next = redirectOf(response.headers, { status, url, host })
    if (next === 'elsewhere' || (next !== undefined && redirects >= maxRedirects)) {
      response.destroy()
      resolve({ kind: 'success', message: `Probe terminated redirects, Response body: ` })
      return
    }
    if (next !== undefined) {
      response.resume()
      resolve(
        httpCheck({ ...check, scheme: next.protocol === 'https:' ? 'https' : 'http', port: portOf(next), path: next.pathname + next.search }, redirects + 1),
      )
      return
    }
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      if (size < maxBodyBytes) chunks.push(chunk)
      size += chunk.length
      if (size >= maxBodyBytes) response.destroy()
    })
    response.once('error', () => {})
    response.once('close', () => {
      const body = Buffer.concat(chunks).toString('utf8', 0, maxBodyBytes)
      if (status >= 200 && status < 400) resolve({ kind: 'success', message: body })
      else resolve({ kind: 'failure', message: `HTTP probe failed with statuscode: ${status}` })
    })
  })
  request.end()
  return promise
}

function redirectOf(
  headers: IncomingHttpHeaders,
  answer: { readonly status: number; readonly url: string; readonly host: string },
): URL | 'elsewhere' | undefined {
  if (answer.status < 300 || answer.status >= 400 || headers.location === undefined) return undefined
  const next = URL.parse(headers.location, answer.url)
  if (next === null) return undefined
  return next.hostname.replace(/^\[|\]$/g, '') === answer.host ? next : 'elsewhere'
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}

function headersOf(headers: HttpCheck['headers']): Record<string, string> {
  const defaults = { 'user-agent': 'kube-probe/1', accept: '*/*', connection: 'close' }
  const own = Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value]))
  return { ...defaults, ...own }
}

function dialMessage(error: Error, at: { readonly host: string; readonly port: number }): string {
  const code: unknown = Reflect.get(error, 'code')
  const where = `dial tcp ${at.host}:${at.port}: connect`
  if (code === 'ECONNREFUSED') return `${where}: connection refused`
  if (code === 'EHOSTUNREACH') return `${where}: no route to host`
  return error.message
}

const healthServing = 1
const healthNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const

/** `message HealthCheckRequest { string service = 1; }` (grpc/health/v1). */
function encodeHealthRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0)
  const name = Buffer.from(service)
  return Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name])
}

/** `message HealthCheckResponse { ServingStatus status = 1; }` */
function decodeHealthStatus(bytes: Buffer): number {
  return bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}
