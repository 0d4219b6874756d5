import { wireBytes, wireFixed64, wireVarint } from './protobuf-reader.ts'

const firstBytes = 1024

/**
 * Writes messages from their end to their beginning: a message's length is then known when its header is written, and nothing is measured twice.
 * So the last field goes first, and each value before its tag (the methods here do that for one field).
 */
export class ProtobufWriter {
  #buffer = Buffer.allocUnsafe(firstBytes)
  #start = firstBytes

  /** Bytes written so far: the difference of two marks is the length of what was written between them. */
  get mark(): number {
    return this.#buffer.length - this.#start
  }

  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(this.#start))
  }

  /** Closes the message that began at `mark` as the content of `field`. */
  message(field: number, mark: number): void {
    this.varint(this.mark - mark)
    this.#tag(field, wireBytes)
  }

  string(field: number, value: string): void {
    const length = Buffer.byteLength(value)
    const start = this.#reserve(length)
    this.#buffer.write(value, start, length, 'utf8')
    this.varint(length)
    this.#tag(field, wireBytes)
  }

  bytes(field: number, value: Uint8Array): void {
    const start = this.#reserve(value.length)
    this.#buffer.set(value, start)
    this.varint(value.length)
    this.#tag(field, wireBytes)
  }

  bool(field: number, value: boolean): void {
    this.varint(value ? 1 : 0)
    this.#tag(field, wireVarint)
  }

  /** Whole numbers, negative ones as ten bytes. */
  int(field: number, value: number | bigint): void {
    this.varint(value)
    this.#tag(field, wireVarint)
  }

  double(field: number, value: number): void {
    const start = this.#reserve(8)
    this.#buffer.writeDoubleLE(value, start)
    this.#tag(field, wireFixed64)
  }

  varint(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value < 0x80) {
      const start = this.#reserve(1)
      this.#buffer[start] = value
      return
    }
    if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) {
      const length = value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
      let position = this.#reserve(length)
      for (let rest = value; ; rest >>>= 7) {
        this.#buffer[position++] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80
        if (rest < 0x80) return
      }
    }
    const digits: number[] = []
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      digits.push(rest < 0x80n ? Number(rest) : Number(rest & 0x7fn) | 0x80)
      if (rest < 0x80n) break
    }
    const start = this.#reserve(digits.length)
    this.#buffer.set(digits, start)
  }

  #tag(field: number, wire: number): void {
    this.varint((field << 3) | wire)
  }

  #reserve(length: number): number {
    if (length > this.#start) {
      const used = this.mark
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + length + firstBytes))
      this.#buffer.copy(larger, larger.length - used, this.#start)
      this.#start = larger.length - used
      this.#buffer = larger
    }
    this.#start -= length
    return this.#start
  }
}
