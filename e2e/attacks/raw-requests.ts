import { connect as connectH2 } from 'node:http2'
import { connect } from 'node:tls'

/** Sends bytes as they are over TLS; resolves with all that came back, when the other side closes or `until` is seen. */
export function sendRaw(port: number, text: string, options: { readonly until?: RegExp; readonly withinMs?: number } = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  // The attacker does not care whom it speaks to.
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }, () => socket.write(text, 'latin1'))
  const timer = setTimeout(() => socket.destroy(), options.withinMs ?? 10_000)
  let received = ''
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
    if (options.until?.test(received) === true) socket.destroy()
  })
  socket.on('error', () => {}) // the close that follows ends it
  socket.once('close', () => {
    clearTimeout(timer)
    resolve(received)
  })
  return promise
}

export interface Got {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** One request with exactly these header lines, and the answer to it. */
export async function ask(
  port: number,
  request: { readonly method?: string; readonly target: string; readonly headers?: readonly string[]; readonly body?: string },
): Promise<Got> {
  const { method = 'GET', target, headers = [], body = '' } = request
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`])]
  if (!headers.some((line) => /^connection:/i.test(line))) lines.push('Connection: close')
  // Where the caller says how the connection goes on, the head is all there is to wait for.
  const isOwn = headers.some((line) => /^connection:/i.test(line))
  const text = await sendRaw(port, `${lines.join('\r\n')}\r\n\r\n${body}`, isOwn ? { until: /\r\n\r\n/ } : {})
  const [head = '', ...rest] = text.split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), head, body: rest.join('\r\n\r\n') }
}

/** The same over HTTP/2, where names are lower case and nothing is hop by hop. */
export async function askH2(
  port: number,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Promise<{ readonly status: number; readonly body: string }> {
  const session = connectH2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  try {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
    session.once('error', reject)
    const stream = session.request(headers as Record<string, string | string[]>)
    let status = 0
    let body = ''
    stream.on('response', (fields) => (status = Number(fields[':status'])))
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
    stream.once('end', () => resolve({ status, body })).once('error', () => resolve({ status, body }))
    return await promise
  } finally {
    session.destroy()
  }
}
