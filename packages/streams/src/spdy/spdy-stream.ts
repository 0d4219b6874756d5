import { Duplex } from 'node:stream'
import type { SpdyHeaders } from './header-block.ts'

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Sends a piece of data; `sent` is called when the connection can take more. */
  sendData(streamId: number, bytes: Buffer, how: { readonly isFin: boolean; readonly sent: (error?: Error) => void }): void
  /** The stream's reader has taken what had piled up. */
  wanted(stream: SpdyStream): void
  /** The stream is over on both sides, or was dropped by this side before that. */
  released(stream: SpdyStream, wasDropped: boolean): void
}

// Without flow control a reader that lags stops the whole connection: this much of slack each has before that.
const readableHighWaterBytes = 256 << 10

/**
 * One stream of an SPDY connection. Its readable side ends when the peer closes or resets it (as Go's peer reads it), or when the connection ends in order;
 * a connection that breaks destroys it with an error, unless the peer had finished before.
 */
export class SpdyStream extends Duplex {
  readonly id: number
  readonly headers: SpdyHeaders
  readonly #host: StreamHost
  #isRemoteDone = false
  #wasReset = false

  constructor(host: StreamHost, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, readableHighWaterMark: readableHighWaterBytes, writableHighWaterMark: 64 << 10, emitClose: true })
    this.#host = host
    this.id = id
    this.headers = headers
    // A broken connection is told to every stream; one nobody listens to must not end the process.
    this.on('error', () => {})
  }

  /** The peer has reset the stream: nothing that is written arrives any more. */
  get wasReset(): boolean {
    return this.#wasReset
  }

  /** Bytes from the peer; false when too many are waiting. */
  receive(bytes: Buffer): boolean {
    if (this.#isRemoteDone || this.destroyed) return true
    return this.push(bytes)
  }

  receiveEnd(): void {
    if (this.#isRemoteDone) return
    this.#isRemoteDone = true
    if (!this.destroyed) this.push(null)
  }

  receiveReset(): void {
    this.#wasReset = true
    this.receiveEnd()
    this.emit('reset')
  }

  /** The connection is gone. */
  lose(error: Error | undefined): void {
    this.#wasReset = true
    if (error === undefined || this.#isRemoteDone) {
      this.receiveEnd()
      this.emit('reset')
    } else this.destroy(error)
  }

  override _read(): void {
    this.#host.wanted(this)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    if (this.#wasReset) callback(new Error('the peer has closed the stream'))
    else this.#host.sendData(this.id, chunk, { isFin: false, sent: callback })
  }

  override _final(callback: (error?: Error) => void): void {
    if (this.#wasReset) callback()
    else this.#host.sendData(this.id, Buffer.alloc(0), { isFin: true, sent: callback })
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const wasDropped = !this.#wasReset && !(this.#isRemoteDone && this.writableFinished)
    this.#wasReset = true
    this.#host.released(this, wasDropped)
    callback(error)
  }
}
