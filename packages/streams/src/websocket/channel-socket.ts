import { Duplex, Readable, Writable } from 'node:stream'
import type { Clock } from '@gantry/runtime'
import type { RawData, WebSocket } from 'ws'
import { pingEveryMs } from '../upgrade/keep-alive.ts'

export interface ChannelProtocol {
  readonly codec: 'binary' | 'base64'
  /** Channel 255 carries the number of a channel the client has finished with (v5). */
  readonly hasHalfClose: boolean
}

const closeSignal = 255
const zero = '0'.charCodeAt(0)
// Larger writes are cut, so that channels take turns.
const messageBytes = 32 << 10
const readableHighWaterBytes = 256 << 10
/** A client that does not answer our closing is cut off after this. */
const closeWithinMs = 5_000

/**
 * Kubernetes' channels over a WebSocket: each message begins with the number of its channel (k8s.io/apimachinery wsstream). A reader that lags by more
 * than its slack stops the reading of the socket.
 */
export class ChannelSocket {
  readonly #webSocket: WebSocket
  readonly #clock: Clock
  readonly #protocol: ChannelProtocol
  readonly #readers = new Map<number, Readable | Duplex>()
  readonly #full = new Set<Readable | Duplex>()
  readonly #closed = Promise.withResolvers<void>()
  #cancelPing: () => void = () => {}

  constructor(webSocket: WebSocket, deps: { readonly clock: Clock }, protocol: ChannelProtocol) {
    this.#webSocket = webSocket
    this.#clock = deps.clock
    this.#protocol = protocol
    webSocket.on('message', (data: RawData) => this.#onMessage(bytesOf(data)))
    webSocket.on('close', () => this.#onClose())
    this.#schedulePing()
  }

  /** Resolves when the connection is over. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** What the client sends on a channel. Ends with the connection, or when the client half-closes. */
  reader(channel: number): Readable {
    const reader: Readable = new Readable({
      highWaterMark: readableHighWaterBytes,
      read: () => this.#wanted(reader),
      destroy: (error, callback) => {
        this.#wanted(reader)
        callback(error)
      },
    })
    this.#readers.set(channel, reader)
    return reader
  }

  /** Sends to a channel. Ending it says nothing to the client: these protocols have no word for it. */
  writer(channel: number): Writable {
    const writer = new Writable({
      highWaterMark: 64 << 10,
      write: (chunk: Buffer, _encoding, callback) => this.send(channel, chunk, callback),
    })
    // The connection's end is told by `closed`; a writer nobody listens to must not end the process.
    writer.on('error', () => {})
    return writer
  }

  /** A channel that is used in both directions. */
  duplex(channel: number): Duplex {
    const duplex: Duplex = new Duplex({
      readableHighWaterMark: readableHighWaterBytes,
      writableHighWaterMark: 64 << 10,
      read: () => this.#wanted(duplex),
      write: (chunk: Buffer, _encoding, callback) => this.send(channel, chunk, callback),
      destroy: (error, callback) => {
        this.#wanted(duplex)
        callback(error)
      },
    })
    duplex.on('error', () => {})
    this.#readers.set(channel, duplex)
    return duplex
  }

  /** Sends bytes, at least one message; `sent` is called when they have left. */
  send(channel: number, bytes: Buffer, sent: (error?: Error | null) => void): void {
    for (let offset = 0; ; offset += messageBytes) {
      const piece = bytes.subarray(offset, offset + messageBytes)
      const isLast = offset + messageBytes >= bytes.length
      this.#webSocket.send(this.#encode(channel, piece), { binary: this.#protocol.codec === 'binary' }, isLast ? sent : undefined)
      if (isLast) return
    }
  }

  /** Closes with code 1000 after what was sent; resolves when the connection is over. */
  async close(): Promise<void> {
    const cancel = this.#clock.schedule(() => this.#webSocket.terminate(), closeWithinMs)
    this.#webSocket.close(1000)
    // The client's closing stands behind what it has sent.
    this.#full.clear()
    this.#webSocket.resume()
    await this.closed
    cancel()
  }

  terminate(): void {
    this.#webSocket.terminate()
  }

  #encode(channel: number, bytes: Buffer): Buffer | string {
    if (this.#protocol.codec === 'base64') return String.fromCharCode(zero + channel) + bytes.toString('base64')
    const message = Buffer.allocUnsafe(1 + bytes.length)
    message.writeUInt8(channel, 0)
    bytes.copy(message, 1)
    return message
  }

  #onMessage(message: Buffer): void {
    const first = message[0]
    if (first === undefined) return
    if (this.#protocol.hasHalfClose && first === closeSignal) {
      if (message.length !== 2) {
        this.#webSocket.close(1002, 'one channel must follow the close signal')
        return
      }
      this.#endReader(message[1]!)
      return
    }
    const isBinary = this.#protocol.codec === 'binary'
    const reader = this.#readers.get(isBinary ? first : first - zero)
    // Upstream ignores channels that are not read.
    if (reader === undefined || reader.readableEnded || reader.destroyed) return
    const bytes = isBinary ? message.subarray(1) : Buffer.from(message.toString('latin1', 1), 'base64')
    if (bytes.length === 0 || reader.push(bytes) || this.#webSocket.readyState !== this.#webSocket.OPEN) return
    this.#full.add(reader)
    this.#webSocket.pause()
  }

  #endReader(channel: number): void {
    const reader = this.#readers.get(channel)
    this.#readers.delete(channel)
    if (reader !== undefined && !reader.destroyed) reader.push(null)
  }

  #wanted(reader: Readable | Duplex): void {
    if (this.#full.delete(reader) && this.#full.size === 0) this.#webSocket.resume()
  }

  #onClose(): void {
    this.#cancelPing()
    for (const channel of this.#readers.keys()) this.#endReader(channel)
    this.#closed.resolve()
  }

  #schedulePing(): void {
    this.#cancelPing = this.#clock.schedule(() => {
      if (this.#webSocket.readyState === this.#webSocket.OPEN && this.#webSocket.bufferedAmount === 0) this.#webSocket.ping()
      this.#schedulePing()
    }, pingEveryMs)
  }
}

export function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
