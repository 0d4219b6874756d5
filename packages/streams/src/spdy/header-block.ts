import { createInflate } from 'node:zlib'
import type { Inflate } from 'node:zlib'
import { headerDictionary } from './dictionary.ts'
import { SpdyProtocolError } from './protocol-error.ts'

/** Names in lower case. */
export type SpdyHeaders = Readonly<Record<string, string>>

/** The longest header block that is unpacked: a hostile one grows a thousandfold. */
const blockLimitBytes = 64 << 10
const headerLimit = 100

// zlib head with preset dictionary (RFC 1950): method 8, window 32 KiB, FDICT, check bits; then the Adler-32 of the dictionary.
const zlibHead = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2])
// An empty stored block: what a sync flush leaves. Go's reader hands over what it has when it meets one.
const flushMark = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff])

/**
 * Packs the header blocks of one connection, in order. As stored blocks: a valid zlib stream whose reader needs nothing special, without an
 * asynchronous compressor for the 60 bytes a stream of Kubernetes begins with.
 */
export class HeaderPacker {
  #isFirst = true

  pack(headers: SpdyHeaders): Buffer {
    const plain = encodeHeaders(headers)
    if (plain.length > 0xffff) throw new RangeError(`a header block of ${plain.length} bytes, the limit is 65535`)
    const stored = Buffer.alloc(5)
    stored.writeUInt16LE(plain.length, 1)
    stored.writeUInt16LE(~plain.length & 0xffff, 3)
    const block = Buffer.concat([this.#isFirst ? zlibHead : Buffer.alloc(0), stored, plain, flushMark])
    this.#isFirst = false
    return block
  }
}

/** Unpacks the header blocks of one connection. One at a time, in order: each builds on those before. */
export class HeaderUnpacker {
  readonly #inflate: Inflate = createInflate({ dictionary: headerDictionary })
  #chunks: Buffer[] = []
  #length = 0
  #reject: (error: Error) => void = () => {}

  constructor() {
    this.#inflate.on('data', (chunk: Buffer) => {
      this.#length += chunk.length
      if (this.#length > blockLimitBytes) {
        this.#fail(new SpdyProtocolError(`a header block of more than ${blockLimitBytes} bytes`))
        return
      }
      this.#chunks.push(chunk)
    })
    this.#inflate.on('error', (error) => this.#fail(new SpdyProtocolError(`a header block cannot be unpacked: ${error.message}`)))
    this.#inflate.on('close', () => this.#reject(new SpdyProtocolError('the connection has ended')))
  }

  unpack(block: Buffer): Promise<SpdyHeaders> {
    const { promise, resolve, reject } = Promise.withResolvers<SpdyHeaders>()
    this.#chunks = []
    this.#length = 0
    this.#reject = reject
    this.#inflate.write(block, (error) => {
      if (error !== null && error !== undefined) return
      try {
        resolve(decodeHeaders(Buffer.concat(this.#chunks)))
      } catch (failure) {
        reject(failure)
      }
    })
    return promise
  }

  /** Gives the memory of the decompressor back. */
  close(): void {
    this.#inflate.destroy()
  }

  #fail(error: SpdyProtocolError): void {
    this.#reject(error)
    this.#inflate.destroy()
  }
}

export function encodeHeaders(headers: SpdyHeaders): Buffer {
  const parts = [uint32(Object.keys(headers).length)]
  for (const [name, value] of Object.entries(headers)) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text)
      parts.push(uint32(bytes.length), bytes)
    }
  }
  return Buffer.concat(parts)
}

export function decodeHeaders(block: Buffer): SpdyHeaders {
  let offset = 0
  function number(): number {
    if (offset + 4 > block.length) throw new SpdyProtocolError('a header block ends early')
    const value = block.readUInt32BE(offset)
    offset += 4
    return value
  }
  function text(): string {
    const length = number()
    if (length > block.length - offset) throw new SpdyProtocolError('a header block ends early')
    offset += length
    return block.toString('utf8', offset - length, offset)
  }
  const count = number()
  if (count > headerLimit) throw new SpdyProtocolError(`${count} headers, the limit is ${headerLimit}`)
  const headers = new Map<string, string>()
  for (let i = 0; i < count; i++) {
    const name = text()
    if (name === '' || name !== name.toLowerCase()) throw new SpdyProtocolError('a header name that is empty or not in lower case')
    if (headers.has(name)) throw new SpdyProtocolError(`the header ${name} stands twice`)
    headers.set(name, text())
  }
  if (offset !== block.length) throw new SpdyProtocolError('a header block goes on after its last header')
  return Object.fromEntries(headers)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
