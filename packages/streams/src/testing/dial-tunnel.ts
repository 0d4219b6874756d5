import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex } from 'node:stream'
import type { Clock } from '@gantry/runtime'
import { createWebSocketStream, WebSocket } from 'ws'
import { SpdyConnection } from '../spdy/spdy-connection.ts'

/**
 * SPDY in a WebSocket, as kubectl port-forward opens it on a plain HTTP server on this machine. ws refuses the name of this subprotocol as no token, and an answer with it: the header
 * is written and read past it.
 */
export async function dialTunnel(target: { readonly port: number; readonly path: string }, deps: { readonly clock: Clock }): Promise<SpdyConnection> {
  const line = 'Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n'
  const raw = connect(target.port, '127.0.0.1')
  let answer = ''
  const filtered = new Duplex({
    read: () => raw.resume(),
    write: (chunk: Buffer, _encoding, callback) =>
      raw.write(chunk.toString('latin1').replace('Connection: Upgrade', `${line}Connection: Upgrade`), 'latin1', callback),
    final: (callback) => raw.end(callback),
  })
  raw.on('data', (chunk: Buffer) => {
    if (answer === '') answer = chunk.toString('latin1')
    filtered.push(Buffer.from(chunk.toString('latin1').replace(new RegExp(line.replace('+', '\\+'), 'i'), ''), 'latin1'))
  })
  raw.on('end', () => filtered.push(null))
  raw.on('error', (error) => filtered.destroy(error))
  const socket = new WebSocket(`ws://127.0.0.1:${target.port}${target.path}`, { createConnection: () => filtered })
  await once(socket, 'open')
  if (!new RegExp(line.replace('+', '\\+'), 'i').test(answer)) throw new Error(`the server did not choose the tunnel: ${answer}`)
  return new SpdyConnection(createWebSocketStream(socket), deps, { role: 'client' })
}
