import { STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { readWholeBody } from '@gantry/runtime'
import type { HttpResponse } from '@gantry/runtime'

// An answer to an upgrade is a refusal: a Status, never a listing.
const answerBytes = 1 << 20
const lingerMs = 1_000

/** Answers a request whose socket has already left the HTTP server (an upgrade, or broken HTTP) in plain HTTP/1.1, ends the socket and resolves when it is closed. */
export async function writeUpgradeAnswer(socket: Duplex, response: HttpResponse): Promise<void> {
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  const body = await readWholeBody(response, answerBytes)
  let head = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? 'Unknown'}\r\n`
  for (const name in response.headers) {
    const value = response.headers[name]
    if (value === undefined || name === 'connection' || name === 'content-length' || name === 'transfer-encoding') continue
    for (const one of typeof value === 'string' ? [value] : value) head += `${name}: ${one.replaceAll(/[\r\n]/g, ' ')}\r\n`
  }
  head += `content-length: ${body.length}\r\nconnection: close\r\n\r\n`
  // What the client still sends is thrown away for a moment: closing at once would reset the connection before it has read the answer.
  socket.resume()
  if (socket instanceof Socket) socket.setTimeout(lingerMs, () => socket.destroy())
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once('error', () => resolve())
  socket.once('close', () => resolve())
  socket.end(Buffer.concat([Buffer.from(head, 'latin1'), body]))
  await promise
}
