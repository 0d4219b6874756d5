/** Reads what follows the first byte of a message, piece by piece. */
export type MessageReader = (piece: Buffer, isLast: boolean) => void

// RFC 6455, section 5.2.
const finBit = 0x80
const reservedBits = 0x70
const maskBit = 0x80
const continuation = 0x0
const binary = 0x2
const firstControl = 0x8
const longestHeadBytes = 14

interface ArrivingFrame {
  readonly isData: boolean
  readonly isFin: boolean
  readonly mask: Buffer | undefined
  left: number
  read: number
}

/**
 * Cuts one direction of a WebSocket without extensions into messages, for somebody who only listens: it holds a frame's head at most, and hands payloads on as they arrive. Throws
 * an Error where the bytes are no WebSocket.
 */
export class WebSocketFrameReader {
  readonly #onMessage: (first: number) => MessageReader | undefined
  #head: Buffer = Buffer.alloc(0)
  #frame: ArrivingFrame | undefined
  #isInMessage = false
  #hasFirst = false
  #message: MessageReader | undefined

  /** `onMessage` is told the first byte of each message, and gives who reads the rest, if anybody does. */
  constructor(onMessage: (first: number) => MessageReader | undefined) {
    this.#onMessage = onMessage
  }

  push(chunk: Buffer): void {
    let bytes = chunk
    for (;;) {
      if (this.#frame === undefined) {
        const head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes.subarray(0, longestHeadBytes)])
        const length = headLength(head)
        if (length === undefined || head.length < length) {
          this.#head = Buffer.from(head)
          return
        }
        bytes = bytes.subarray(length - this.#head.length)
        this.#head = Buffer.alloc(0)
        this.#frame = this.#begin(head, length)
      }
      const frame = this.#frame
      if (frame.left > 0 && bytes.length === 0) return
      const piece = bytes.subarray(0, Math.min(frame.left, bytes.length))
      bytes = bytes.subarray(piece.length)
      frame.left -= piece.length
      if (frame.isData) this.#payload(piece, frame)
      frame.read += piece.length
      if (frame.left > 0) return
      this.#frame = undefined
      if (bytes.length === 0) return
    }
  }

  #payload(piece: Buffer, frame: ArrivingFrame): void {
    const isLast = frame.left === 0 && frame.isFin
    let skipped = 0
    if (!this.#hasFirst && piece.length > 0) {
      this.#hasFirst = true
      this.#message = this.#onMessage(unmasked(piece.subarray(0, 1), frame.mask, frame.read).readUInt8(0))
      skipped = 1
    }
    // What nobody reads is not unmasked: that is work by the byte.
    this.#message?.(unmasked(piece.subarray(skipped), frame.mask, frame.read + skipped), isLast)
    if (!isLast) return
    this.#isInMessage = false
    this.#hasFirst = false
    this.#message = undefined
  }

  #begin(head: Buffer, length: number): ArrivingFrame {
    const first = head.readUInt8(0)
    if ((first & reservedBits) !== 0) throw new Error('a frame with reserved bits, which only extensions use')
    const opcode = first & 0x0f
    if (opcode > binary && opcode < firstControl) throw new Error(`a frame of the unknown type ${opcode}`)
    const isData = opcode < firstControl
    if (isData) {
      if ((opcode === continuation) !== this.#isInMessage) throw new Error('a message inside another one')
      this.#isInMessage = true
    }
    const isMasked = (head.readUInt8(1) & maskBit) !== 0
    return {
      isData,
      isFin: (first & finBit) !== 0,
      mask: isMasked ? Buffer.from(head.subarray(length - 4, length)) : undefined,
      left: payloadLength(head),
      read: 0,
    }
  }
}

/** Undefined until enough of it is there. */
function headLength(head: Buffer): number | undefined {
  if (head.length < 2) return undefined
  const second = head.readUInt8(1)
  const size = second & 0x7f
  return 2 + (size === 126 ? 2 : size === 127 ? 8 : 0) + ((second & maskBit) === 0 ? 0 : 4)
}

function payloadLength(head: Buffer): number {
  const size = head.readUInt8(1) & 0x7f
  if (size < 126) return size
  if (size === 126) return head.readUInt16BE(2)
  const length = head.readBigUInt64BE(2)
  if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error('a frame that is too long')
  return Number(length)
}

/** `at`: where in the frame's payload the piece begins. */
function unmasked(piece: Buffer, mask: Buffer | undefined, at: number): Buffer {
  if (mask === undefined) return piece
  const plain = Buffer.from(piece)
  for (let i = 0; i < plain.length; i++) plain[i] = (plain[i] ?? 0) ^ (mask[(at + i) & 3] ?? 0)
  return plain
}
