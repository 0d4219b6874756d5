import { StatusError } from './status.ts'

export const wireVarint = 0
export const wireFixed64 = 1
export const wireBytes = 2
const wireStartGroup = 3
const wireEndGroup = 4
const wireFixed32 = 5

/** Nested messages deeper than this are refused: decoding recurses. */
const maxDepth = 500

/** Reads one message's fields out of a buffer. Every length is checked against the message it stands in. */
export class ProtobufReader {
  readonly #bytes: Buffer
  readonly #end: number
  readonly #depth: number
  #position: number
  /** Of the field that `next` has stepped onto. */
  field = 0
  wire = 0

  constructor(bytes: Buffer, range: { readonly start: number; readonly end: number; readonly depth: number }) {
    if (range.depth > maxDepth) throw malformed(`proto: messages nest deeper than ${maxDepth}`)
    this.#bytes = bytes
    this.#position = range.start
    this.#end = range.end
    this.#depth = range.depth
  }

  /** Steps onto the next field; false at the end of the message. */
  next(): boolean {
    if (this.#position >= this.#end) return false
    const tag = this.uint32()
    this.field = tag >>> 3
    this.wire = tag & 7
    if (this.field === 0) throw malformed(`proto: illegal tag ${this.field} (wire type ${tag})`)
    return true
  }

  get atEnd(): boolean {
    return this.#position >= this.#end
  }

  /** A varint cut to 32 bits, unsigned. */
  uint32(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte()
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw malformed('proto: integer overflow')
  }

  /** A signed 64-bit varint; precise up to 2^53. */
  int64(): number {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte()
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high |= bits >>> 4
      } else if (shift < 67) high |= bits << (shift - 32)
      if (byte < 0x80) return high * 0x1_0000_0000 + (low >>> 0)
    }
    throw malformed('proto: integer overflow')
  }

  bigint64(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asIntN(64, value)
    }
    throw malformed('proto: integer overflow')
  }

  double(): number {
    const start = this.#take(8)
    return this.#bytes.readDoubleLE(start)
  }

  string(): string {
    const length = this.#length()
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  bytes(): Buffer {
    const length = this.#length()
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** The message the current field holds. */
  message(): ProtobufReader {
    const length = this.#length()
    const start = this.#take(length)
    return new ProtobufReader(this.#bytes, { start, end: start + length, depth: this.#depth + 1 })
  }

  /** Steps over the current field. */
  skip(): void {
    let openGroups = 0
    do {
      switch (this.wire) {
        case wireVarint:
          this.uint32()
          break
        case wireFixed64:
          this.#take(8)
          break
        case wireBytes:
          this.#take(this.#length())
          break
        case wireStartGroup:
          openGroups++
          break
        case wireEndGroup:
          if (openGroups === 0) throw malformed('proto: unexpected end of group')
          openGroups--
          break
        case wireFixed32:
          this.#take(4)
          break
        default:
          throw malformed(`proto: illegal wireType ${this.wire}`)
      }
      if (openGroups > 0 && !this.next()) throw malformed('unexpected EOF')
    } while (openGroups > 0)
  }

  expect(wire: number, name: string): void {
    if (this.wire !== wire) throw malformed(`proto: wrong wireType = ${this.wire} for field ${name}`)
  }

  #length(): number {
    return this.uint32()
  }

  #byte(): number {
    if (this.#position >= this.#end) throw malformed('unexpected EOF')
    return this.#bytes[this.#position++] ?? 0
  }

  #take(length: number): number {
    const start = this.#position
    if (length > this.#end - start) throw malformed('unexpected EOF')
    this.#position = start + length
    return start
  }
}

export function malformed(message: string): StatusError {
  return new StatusError('BadRequest', message)
}
