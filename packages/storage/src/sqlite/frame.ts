import type { Row, Write } from '../driver.ts'

// Rows and writes cross the thread boundary as one block of bytes: count u32, then for each: revision f64, previous revision f64, key length u32, value
// length u32 (or `noValue`), key in UTF-8, value.
const headerBytes = 4
const recordBytes = 24
const noValue = 0xffffffff

/** Room for these writes in a frame (an upper bound: a UTF-16 unit takes at most three bytes). */
export function frameBound(writes: readonly Write[]): number {
  let bytes = headerBytes
  for (const { key, value } of writes) bytes += recordBytes + key.length * 3 + (value?.length ?? 0)
  return bytes
}

/** Writes the frame at the start of `target` and returns its length. */
export function encodeFrame(target: Buffer, writes: readonly Write[]): number {
  target.writeUInt32LE(writes.length, 0)
  let offset = headerBytes
  for (const write of writes) offset = encodeWrite(target, offset, write)
  return offset
}

function encodeWrite(target: Buffer, offset: number, { key, revision, previous, value }: Write): number {
  const keyLength = target.write(key, offset + recordBytes)
  target.writeDoubleLE(revision, offset)
  target.writeDoubleLE(previous, offset + 8)
  target.writeUInt32LE(keyLength, offset + 16)
  target.writeUInt32LE(value?.length ?? noValue, offset + 20)
  const end = offset + recordBytes + keyLength
  return value === undefined ? end : end + value.copy(target, end)
}

/** Fills frames of one size with rows as they come, each copied once: at 100,000 rows a second copy shows in how long a start takes. */
export class FrameWriter {
  readonly #frameBytes: number
  readonly #send: (frame: ArrayBuffer) => void
  #frame: Buffer | undefined
  #offset = headerBytes
  #count = 0

  /** `send` takes the frame away. A row that is longer than `frameBytes` gets a frame of its own. */
  constructor(frameBytes: number, send: (frame: ArrayBuffer) => void) {
    this.#frameBytes = frameBytes
    this.#send = send
  }

  add({ key, revision, value }: Row): void {
    const write = { key, revision, previous: 0, value }
    const bytes = recordBytes + key.length * 3 + value.length
    if (this.#frame !== undefined && this.#offset + bytes > this.#frame.length) this.flush()
    this.#frame ??= Buffer.allocUnsafeSlow(Math.max(this.#frameBytes, headerBytes + bytes))
    this.#offset = encodeWrite(this.#frame, this.#offset, write)
    this.#count++
  }

  flush(): void {
    if (this.#frame === undefined) return
    this.#frame.writeUInt32LE(this.#count, 0)
    this.#send(this.#frame.buffer as ArrayBuffer)
    this.#frame = undefined
    this.#offset = headerBytes
    this.#count = 0
  }
}

/** Calls `onWrite` for each write of a frame. The values are views of `frame`. */
export function decodeFrame(frame: Buffer, onWrite: (write: Write) => void): void {
  const count = frame.readUInt32LE(0)
  let offset = headerBytes
  for (let i = 0; i < count; i++) {
    const revision = frame.readDoubleLE(offset)
    const previous = frame.readDoubleLE(offset + 8)
    const keyLength = frame.readUInt32LE(offset + 16)
    const valueLength = frame.readUInt32LE(offset + 20)
    offset += recordBytes
    const key = frame.toString('utf8', offset, offset + keyLength)
    offset += keyLength
    if (valueLength === noValue) {
      onWrite({ key, revision, previous, value: undefined })
      continue
    }
    onWrite({ key, revision, previous, value: frame.subarray(offset, offset + valueLength) })
    offset += valueLength
  }
}

export function decodeRows(frame: Buffer, onRow: (row: Row) => void): void {
  decodeFrame(frame, ({ key, revision, value }) => {
    if (value !== undefined) onRow({ key, revision, value })
  })
}
