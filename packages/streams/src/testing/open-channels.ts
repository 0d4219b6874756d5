import { once } from 'node:events'
import { WebSocket } from 'ws'

export interface Message {
  readonly channel: number
  readonly data: Buffer
}

/** A conversation over the channels of a WebSocket, as exec, attach and port-forward speak it. */
export interface Channels {
  /** The subprotocol that the server chose. */
  readonly protocol: string
  send(channel: number, data: string | Buffer): void
  /** The next message; fails when the server closes first. */
  next(): Promise<Message>
  /** All messages until the server closes, and the code it closes with. */
  rest(): Promise<{ readonly messages: readonly Message[]; readonly code: number }>
  /** What went over each channel until the server closed, joined, without the messages that are empty. */
  transcript(): Promise<{ readonly text: Readonly<Record<number, string>>; readonly code: number }>
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
export async function openChannels(url: string, protocols: readonly string[]): Promise<Channels> {
  const socket = new WebSocket(url, [...protocols])
  const arrived: Message[] = []
  const closed = once(socket, 'close') as Promise<[number]>
  closed.catch(() => {}) // `opened` tells what failed
  let wake: () => void = () => {}
  const isText = protocols.some((protocol) => protocol.includes('base64'))
  socket.on('message', (message: Buffer) => {
    arrived.push(
      isText
        ? { channel: Number(message.toString().slice(0, 1)), data: Buffer.from(message.toString().slice(1), 'base64') }
        : { channel: message[0] ?? -1, data: message.subarray(1) },
    )
    wake()
  })
  const opened = Promise.withResolvers<void>()
  socket.on('open', () => opened.resolve())
  socket.on('error', (error) => opened.reject(error))
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    response.on('data', (chunk: Buffer) => (body += chunk.toString()))
    response.on('end', () => {
      opened.reject(new Refused(response.statusCode ?? 0, body))
      socket.terminate()
    })
  })
  await opened.promise
  const rest: Channels['rest'] = async () => {
    const [code] = await closed
    return { messages: arrived.splice(0), code }
  }
  return {
    protocol: socket.protocol,
    send: (channel, data) => {
      const bytes = Buffer.from(data)
      socket.send(isText ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.of(channel), bytes]))
    },
    async next() {
      for (;;) {
        const message = arrived.shift()
        if (message !== undefined) return message
        const more = new Promise<void>((resolve) => (wake = resolve))
        const code = await Promise.race([more, closed.then(([value]) => value)])
        if (code !== undefined && arrived.length === 0) throw new Error(`the server closed with ${code}`)
      }
    },
    rest,
    async transcript() {
      const { messages, code } = await rest()
      const text: Record<number, string> = {}
      for (const { channel, data } of messages) if (data.length > 0) text[channel] = (text[channel] ?? '') + data.toString()
      return { text, code }
    },
    close: () => socket.close(1000),
  }
}
