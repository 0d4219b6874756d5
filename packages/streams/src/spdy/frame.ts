import { SpdyProtocolError } from './protocol-error.ts'

// SPDY/3.1 draft, section 2.2.
const controlBit = 0x80000000
const version = 3
const headBytes = 8
const synStreamType = 1
const synReplyType = 2
const resetType = 3
const settingsType = 4
const pingType = 6
const goAwayType = 7
const headersType = 8
const windowUpdateType = 9
const finFlag = 1

/** The longest control frame that is read. Kubernetes sends some hundred bytes. */
const controlFrameLimitBytes = 16 << 10

export const resetStatus = { protocolError: 1, invalidStream: 2, refusedStream: 3, cancel: 5 } as const
export const goAwayStatus = { ok: 0, protocolError: 1 } as const

export type Frame =
  | { readonly type: 'synStream'; readonly streamId: number; readonly isFin: boolean; readonly headerBlock: Buffer }
  | { readonly type: 'synReply'; readonly streamId: number; readonly isFin: boolean; readonly headerBlock: Buffer }
  | { readonly type: 'headers'; readonly streamId: number; readonly isFin: boolean; readonly headerBlock: Buffer }
  | { readonly type: 'reset'; readonly streamId: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'goAway'; readonly lastStreamId: number; readonly status: number }
  /** A piece of a data frame, as much as has arrived; `isFin` on the last one. */
  | { readonly type: 'data'; readonly streamId: number; readonly isFin: boolean; readonly bytes: Buffer }

interface ArrivingData {
  readonly streamId: number
  readonly isFin: boolean
  left: number
}

/** Cuts a byte stream into frames. It never holds more than one control frame and the chunk it was last given. */
export class FrameReader {
  #buffer: Buffer = Buffer.alloc(0)
  /** The data frame whose payload is arriving. */
  #data: ArrivingData | undefined

  push(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
  }

  /** The next frame, `undefined` when more bytes are needed. Throws `SpdyProtocolError`. */
  next(): Frame | undefined {
    for (;;) {
      if (this.#data !== undefined) return this.#nextData(this.#data)
      if (this.#buffer.length < headBytes) return undefined
      const first = this.#buffer.readUInt32BE(0)
      const flags = this.#buffer.readUInt8(4)
      const length = this.#buffer.readUIntBE(5, 3)
      if (first < controlBit) {
        if (first === 0) throw new SpdyProtocolError('a data frame for stream 0')
        this.#take(headBytes)
        this.#data = { streamId: first, isFin: (flags & finFlag) !== 0, left: length }
        continue
      }
      if (length > controlFrameLimitBytes) throw new SpdyProtocolError(`a control frame of ${length} bytes, the limit is ${controlFrameLimitBytes}`)
      if (((first >>> 16) & 0x7fff) !== version) throw new SpdyProtocolError(`a control frame of version ${(first >>> 16) & 0x7fff}, expected ${version}`)
      if (this.#buffer.length < headBytes + length) return undefined
      this.#take(headBytes)
      const frame = parseControl(first & 0xffff, flags, this.#take(length))
      if (frame !== undefined) return frame
    }
  }

  #nextData(data: ArrivingData): Frame | undefined {
    const { streamId, isFin, left } = data
    if (left > 0 && this.#buffer.length === 0) return undefined
    const bytes = this.#take(Math.min(left, this.#buffer.length))
    data.left -= bytes.length
    if (data.left > 0) return { type: 'data', streamId, isFin: false, bytes }
    this.#data = undefined
    return { type: 'data', streamId, isFin, bytes }
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length)
    this.#buffer = this.#buffer.subarray(length)
    return taken
  }
}

/** A control frame; `undefined` for those that may be skipped: there is no flow control in Kubernetes' SPDY, and no setting matters to us. */
function parseControl(type: number, flags: number, payload: Buffer): Frame | undefined {
  const isFin = (flags & finFlag) !== 0
  switch (type) {
    case synStreamType:
      return { type: 'synStream', streamId: streamIdOf(payload, 10), isFin, headerBlock: payload.subarray(10) }
    case synReplyType:
      return { type: 'synReply', streamId: streamIdOf(payload, 4), isFin, headerBlock: payload.subarray(4) }
    case headersType:
      return { type: 'headers', streamId: streamIdOf(payload, 4), isFin, headerBlock: payload.subarray(4) }
    case resetType:
      return { type: 'reset', streamId: streamIdOf(payload, 8), status: payload.readUInt32BE(4) }
    case pingType:
      requireLength(payload, 4)
      return { type: 'ping', id: payload.readUInt32BE(0) }
    case goAwayType:
      requireLength(payload, 8)
      return { type: 'goAway', lastStreamId: payload.readUInt32BE(0) & 0x7fffffff, status: payload.readUInt32BE(4) }
    case settingsType:
    case windowUpdateType:
      return undefined
    default:
      throw new SpdyProtocolError(`a control frame of the unknown type ${type}`)
  }
}

function streamIdOf(payload: Buffer, atLeastBytes: number): number {
  requireLength(payload, atLeastBytes)
  const streamId = payload.readUInt32BE(0) & 0x7fffffff
  if (streamId === 0) throw new SpdyProtocolError('a frame for stream 0')
  return streamId
}

function requireLength(payload: Buffer, atLeastBytes: number): void {
  if (payload.length < atLeastBytes) throw new SpdyProtocolError(`a control frame of ${payload.length} bytes, too short for its type`)
}

export function encodeSynStream(streamId: number, headerBlock: Buffer): Buffer {
  const frame = control(synStreamType, 10 + headerBlock.length)
  frame.writeUInt32BE(streamId, headBytes)
  headerBlock.copy(frame, headBytes + 10)
  return frame
}

export function encodeSynReply(streamId: number, headerBlock: Buffer): Buffer {
  const frame = control(synReplyType, 4 + headerBlock.length)
  frame.writeUInt32BE(streamId, headBytes)
  headerBlock.copy(frame, headBytes + 4)
  return frame
}

export function encodeReset(streamId: number, status: number): Buffer {
  const frame = control(resetType, 8)
  frame.writeUInt32BE(streamId, headBytes)
  frame.writeUInt32BE(status, headBytes + 4)
  return frame
}

export function encodePing(id: number): Buffer {
  const frame = control(pingType, 4)
  frame.writeUInt32BE(id, headBytes)
  return frame
}

export function encodeGoAway(lastStreamId: number, status: number): Buffer {
  const frame = control(goAwayType, 8)
  frame.writeUInt32BE(lastStreamId, headBytes)
  frame.writeUInt32BE(status, headBytes + 4)
  return frame
}

/** The head of a data frame; its payload follows. */
export function encodeDataHead(streamId: number, length: number, isFin: boolean): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt32BE(streamId, 0)
  head.writeUInt8(isFin ? finFlag : 0, 4)
  head.writeUIntBE(length, 5, 3)
  return head
}

function control(type: number, length: number): Buffer {
  const frame = Buffer.alloc(headBytes + length)
  frame.writeUInt16BE(0x8000 | version, 0)
  frame.writeUInt16BE(type, 2)
  frame.writeUInt32BE(length, 4)
  return frame
}
