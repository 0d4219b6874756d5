import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** The request was no upgrade this side takes; it has been answered and its socket ended. */
export class UpgradeRefused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Answers an upgrade request with an ordinary response, ends the socket and returns what to throw. */
export function refuseUpgrade(socket: Duplex, status: number, answer: { readonly message: string; readonly headers?: readonly string[] }): UpgradeRefused {
  const body = `${answer.message}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: text/plain; charset=utf-8',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...(answer.headers ?? []),
  ]
  socket.on('error', () => {}) // the client may have gone; there is nothing left to tell it
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
  return new UpgradeRefused(status, answer.message)
}

export function switchProtocols(socket: Duplex, headers: readonly string[]): void {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`)
}
