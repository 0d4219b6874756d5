import { Duplex } from 'node:stream'
import { systemClock } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import type { SpdyStream } from '../spdy/spdy-stream.ts'
import { dialSpdy } from '../upgrade/dial-spdy.ts'
import type { SpdyDialed } from '../upgrade/dial-spdy.ts'

const protocol = 'portforward.k8s.io'
const errorLimitBytes = 16 << 10

/**
 * A connection to a port inside a pod through a CRI streaming server. The Duplex is destroyed with the server's words when the server reports an error
 * (it does so after the connection was opened), or when the signal aborts.
 */
export async function dialPortForward(
  url: string | URL,
  port: number,
  signal: AbortSignal,
  deps: { readonly clock: Clock } = { clock: systemClock },
): Promise<Duplex> {
  const { connection } = await dialSpdy(url, deps, { protocols: [protocol], signal })
  try {
    const error = await connection.open({ streamtype: 'error', port: String(port), requestid: '0' })
    const data = await connection.open({ streamtype: 'data', port: String(port), requestid: '0' })
    return new ForwardedPort(data, error, connection)
  } catch (error) {
    connection.close()
    throw error
  }
}

/** The data stream, together with what is said on the error stream. */
class ForwardedPort extends Duplex {
  readonly #data: SpdyStream
  readonly #connection: SpdyDialed['connection']

  constructor(data: SpdyStream, error: SpdyStream, connection: SpdyDialed['connection']) {
    super({ allowHalfOpen: true })
    this.#data = data
    this.#connection = connection
    data.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) data.pause()
    })
    data.on('error', (cause) => this.destroy(cause))
    const dataEnd = new Promise<void>((resolve) => data.once('end', resolve))
    const verdict = readError(error)
    // The server closes the error stream first: only after it is it known whether the end of the data is a proper one.
    void Promise.all([dataEnd, verdict]).then(([, words]) => {
      if (words === '') this.push(null)
    })
    void verdict.then((words) => {
      if (words !== '') this.destroy(new Error(words))
    })
    error.end()
  }

  override _read(): void {
    this.#data.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#data.write(chunk, callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#data.end(() => callback())
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#data.destroy()
    this.#connection.close()
    callback(error)
  }
}

/** The text of the error stream, empty when the server had nothing to say. */
function readError(error: SpdyStream): Promise<string> {
  return new Promise((resolve) => {
    let words = ''
    error.on('data', (chunk: Buffer) => {
      if (words.length < errorLimitBytes) words += chunk.toString()
    })
    error.once('end', () => resolve(words))
    error.once('error', () => resolve(words))
  })
}
