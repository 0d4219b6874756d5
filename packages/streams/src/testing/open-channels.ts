import { openMessages } from './open-messages.ts'
import type { WebSocketMessage } from './open-messages.ts'

export interface ChannelMessage {
  readonly channel: number
  readonly data: Buffer
}

/** A conversation over the channels of a WebSocket, as exec, attach and port-forward speak it. */
export interface Channels {
  /** The subprotocol that the server chose. */
  readonly protocol: string
  send(channel: number, data: string | Buffer): void
  /** The next message; fails when the server closes first. */
  next(): Promise<ChannelMessage>
  /** What went over each channel until the server closed, joined, and the code it closed with. */
  transcript(): Promise<{ readonly text: Readonly<Record<number, string>>; readonly code: number }>
  close(): void
}

/** Opens a WebSocket of channels; rejects with `Refused` when the server does not want it. */
export async function openChannels(url: string, protocols: readonly string[]): Promise<Channels> {
  const socket = await openMessages(url, protocols)
  const isBase64 = socket.protocol.includes('base64')
  const channelMessage = ({ data }: WebSocketMessage): ChannelMessage =>
    isBase64
      ? { channel: Number(data.toString().slice(0, 1)), data: Buffer.from(data.toString().slice(1), 'base64') }
      : { channel: data[0] ?? -1, data: data.subarray(1) }
  return {
    protocol: socket.protocol,
    send(channel, data) {
      const bytes = Buffer.from(data)
      socket.send(isBase64 ? `${channel}${bytes.toString('base64')}` : Buffer.concat([Buffer.of(channel), bytes]))
    },
    next: async () => channelMessage(await socket.next()),
    async transcript() {
      const { messages, code } = await socket.rest()
      const text: Record<number, string> = {}
      for (const { channel, data } of messages.map(channelMessage)) if (data.length > 0) text[channel] = (text[channel] ?? '') + data.toString()
      return { text, code }
    },
    close: () => socket.close(),
  }
}
