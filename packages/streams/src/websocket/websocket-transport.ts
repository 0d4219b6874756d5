import { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { bytesOf } from './channel-socket.ts'

/** The byte stream inside the binary messages of a WebSocket: what kubectl tunnels SPDY through. */
export class WebSocketTransport extends Duplex {
  readonly #webSocket: WebSocket

  constructor(webSocket: WebSocket) {
    super({ allowHalfOpen: false, readableHighWaterMark: 64 << 10, writableHighWaterMark: 64 << 10 })
    this.#webSocket = webSocket
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      if (!isBinary) this.destroy(new Error('a text message inside a tunnel of bytes'))
      else if (!this.destroyed && !this.push(bytesOf(data)) && webSocket.readyState === webSocket.OPEN) webSocket.pause()
    })
    webSocket.on('close', () => {
      if (!this.destroyed) this.push(null)
    })
  }

  override _read(): void {
    if (this.#webSocket.isPaused) this.#webSocket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#webSocket.send(chunk, { binary: true }, callback)
  }

  override _writev(chunks: { readonly chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#webSocket.send(Buffer.concat(chunks.map(({ chunk }) => chunk)), { binary: true }, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#webSocket.once('close', () => callback())
    this.#webSocket.close(1000)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#webSocket.terminate()
    callback(error)
  }
}
