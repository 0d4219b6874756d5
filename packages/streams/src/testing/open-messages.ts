import { once } from 'node:events'
import { WebSocket } from 'ws'

export interface WebSocketMessage {
  readonly data: Buffer
  readonly isBinary: boolean
}

/** The client's side of a WebSocket, message by message. */
export interface Messages {
  /** The subprotocol that the server chose. */
  readonly protocol: string
  send(data: string | Buffer): void
  /** The next message; fails when the server closes first. */
  next(): Promise<WebSocketMessage>
  /** All messages until the server closes, and the code it closes with. */
  rest(): Promise<{ readonly messages: readonly WebSocketMessage[]; readonly code: number }>
  close(): void
}

/** What a server says instead of `101`. */
export class Refused extends Error {
  readonly code: number
  readonly body: string

  constructor(code: number, body: string) {
    super(`the server answered ${code}: ${body}`)
    this.code = code
    this.body = body
  }
}

/** Opens a WebSocket; rejects with `Refused` when the server does not want it. */
export async function openMessages(url: string, protocols: readonly string[] = [], headers: Readonly<Record<string, string>> = {}): Promise<Messages> {
  const socket = new WebSocket(url, [...protocols], { origin: new URL(url.replace(/^ws/, 'http')).origin, headers })
  const arrived: WebSocketMessage[] = []
  const closed = Promise.withResolvers<number>()
  let wake: () => void = () => {}
  socket.on('message', (data: Buffer, isBinary) => {
    arrived.push({ data, isBinary })
    wake()
  })
  socket.on('error', () => {}) // the first one rejects below, any other is followed by 'close'
  socket.on('close', (code) => closed.resolve(code))
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    response.on('data', (chunk: Buffer) => (body += chunk.toString()))
    response.on('end', () => {
      socket.emit('error', new Refused(response.statusCode ?? 0, body))
      socket.terminate()
    })
  })
  await once(socket, 'open')
  return {
    protocol: socket.protocol,
    send: (data) => socket.send(data),
    async next() {
      for (;;) {
        const message = arrived.shift()
        if (message !== undefined) return message
        const more = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))
        const code = await Promise.race([more, closed.promise])
        if (code !== undefined && arrived.length === 0) throw new Error(`the server closed with ${code}`)
      }
    },
    async rest() {
      const code = await closed.promise
      return { messages: arrived.splice(0), code }
    },
    close: () => socket.close(1000),
  }
}
