import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Clock } from '@gantry/runtime'
import { SpdyConnection } from '../spdy/spdy-connection.ts'
import { keepAlive } from './keep-alive.ts'
import { listOf } from './spdy-upgrade.ts'

const answerWithinMs = 30_000
const refusalLimitBytes = 4 << 10

export interface SpdyDialed {
  readonly connection: SpdyConnection
  /** The stream protocol the server chose; `undefined` when it named none. */
  readonly protocol: string | undefined
}

/** Opens an SPDY/3.1 connection by an HTTP upgrade. Rejects with the server's words when it refuses, and when the signal aborts. */
export async function dialSpdy(
  url: string | URL,
  deps: { readonly clock: Clock },
  options: { readonly protocols: readonly string[]; readonly signal: AbortSignal },
): Promise<SpdyDialed> {
  const { protocols, signal } = options
  signal.throwIfAborted()
  const target = new URL(url)
  const answered = Promise.withResolvers<{ readonly socket: Duplex; readonly protocol: string | undefined }>()
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest
  const request = send(target, {
    method: 'POST',
    agent: false,
    // One header line for each protocol: servers before Kubernetes 1.27 do not split lists.
    headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': [...protocols], 'Content-Length': '0' },
  })
  request.on('upgrade', (response, socket, head) => {
    if (head.length > 0) socket.unshift(head)
    const upgrade = String(response.headers.upgrade).toLowerCase()
    if (upgrade === 'spdy/3.1') answered.resolve({ socket, protocol: listOf(response.headers['x-stream-protocol-version'])[0] })
    else {
      socket.destroy()
      answered.reject(new Error(`${target.origin} switched to "${upgrade}" instead of SPDY/3.1`))
    }
  })
  let isRefused = false
  request.on('response', (response) => {
    isRefused = true
    void refusalOf(response, target).then(answered.reject, answered.reject)
  })
  request.on('error', (error) => answered.reject(new Error(`${target.origin} cannot be reached: ${error.message}`, { cause: error })))
  request.on('close', () => {
    if (!isRefused) answered.reject(new Error(`${target.origin} closed the connection before it answered`))
  })
  const onAbort = (): void => answered.reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  const cancel = deps.clock.schedule(() => answered.reject(new Error(`${target.origin} did not answer within ${answerWithinMs / 1000} s`)), answerWithinMs)
  request.end()
  try {
    const { socket, protocol } = await answered.promise
    keepAlive(socket)
    const connection = new SpdyConnection(socket, deps, { role: 'client' })
    const destroy = (): void => connection.destroy(signal.reason instanceof Error ? signal.reason : new Error('called off'))
    signal.addEventListener('abort', destroy)
    void connection.closed.then(() => signal.removeEventListener('abort', destroy))
    return { connection, protocol }
  } catch (error) {
    request.destroy()
    throw error
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

async function refusalOf(response: IncomingMessage, target: URL): Promise<Error> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue
    chunks.push(chunk)
    size += chunk.length
    if (size > refusalLimitBytes) break
  }
  const words = Buffer.concat(chunks).toString().trim().slice(0, refusalLimitBytes)
  return new Error(`${target.origin} refused the connection with ${response.statusCode}: ${words}`)
}
