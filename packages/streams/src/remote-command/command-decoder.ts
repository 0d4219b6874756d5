import { constants, inflateSync } from 'node:zlib'
import type { CommandStatus, TerminalSize } from '../contract.ts'
import { headerDictionary } from '../spdy/dictionary.ts'
import { FrameReader } from '../spdy/frame.ts'
import type { Frame } from '../spdy/frame.ts'
import { decodeHeaders } from '../spdy/header-block.ts'
import { WebSocketFrameReader } from '../websocket/frame-reader.ts'
import type { MessageReader } from '../websocket/frame-reader.ts'
import { decodeStatus } from './command-status.ts'
import { parseSizes } from './terminal-sizes.ts'

/** What passes in an exec or attach, as somebody sees it who only listens. The bytes are views of what was given. */
export interface CommandListener {
  onOutput(stream: 'stdout' | 'stderr', bytes: Buffer): void
  /** Absent: standard input is passed over, unread. */
  readonly onInput?: ((bytes: Buffer) => void) | undefined
  onResize(size: TerminalSize): void
  onStatus(status: CommandStatus): void
}

/** Reads both directions of an upgraded exec or attach. Throws an Error when they are not what the protocol says; nothing can be read after that. */
export interface CommandDecoder {
  fromClient(bytes: Buffer): void
  fromServer(bytes: Buffer): void
}

type StreamType = 'stdin' | 'stdout' | 'stderr' | 'error' | 'resize'

const channelTypes: readonly StreamType[] = ['stdin', 'stdout', 'stderr', 'error', 'resize']
const zero = '0'.charCodeAt(0)
const channelProtocol = /^(?:(?:v[2-5]|v[34]\.base64|v2\.base64|base64)\.)?channel\.k8s\.io$/
/** Five streams, and a header block of each. */
const mostStreams = 16
const headerBlocksBytes = 16 << 10
const headersBytes = 64 << 10
const statusBytes = 64 << 10

/** A decoder for what the headers of the answer 101 agree on; undefined where that is none of Kubernetes' protocols for commands, or compressed. */
export function createCommandDecoder(answer: ReadonlyMap<string, string>, listener: CommandListener): CommandDecoder | undefined {
  const upgrade = answer.get('upgrade')?.toLowerCase()
  if (upgrade === 'spdy/3.1') return new SpdyCommandDecoder(answer.get('x-stream-protocol-version') ?? '', listener)
  const protocol = answer.get('sec-websocket-protocol') ?? ''
  if (upgrade !== 'websocket' || answer.has('sec-websocket-extensions') || (protocol !== '' && !channelProtocol.test(protocol))) return undefined
  return new WebSocketCommandDecoder(protocol, listener)
}

/** Hands the bytes of each stream to whom they are for. */
class Demultiplexer {
  readonly #listener: CommandListener
  readonly #hasStatusObject: boolean
  readonly #status: Buffer[] = []
  #statusLength = 0
  #sizes = ''

  constructor(protocol: string, listener: CommandListener) {
    this.#listener = listener
    this.#hasStatusObject = /^v[45]/.test(protocol)
  }

  push(type: StreamType, bytes: Buffer): void {
    switch (type) {
      case 'stdout':
      case 'stderr':
        if (bytes.length > 0) this.#listener.onOutput(type, bytes)
        break
      case 'stdin':
        if (bytes.length > 0) this.#listener.onInput?.(bytes)
        break
      case 'resize': {
        const { sizes, rest, isBroken } = parseSizes(this.#sizes + bytes.toString('latin1'))
        if (isBroken) throw new Error('a terminal size that is none')
        this.#sizes = rest
        for (const size of sizes) this.#listener.onResize(size)
        break
      }
      case 'error':
        this.#statusLength += bytes.length
        if (this.#statusLength > statusBytes) throw new Error(`a status of more than ${statusBytes} bytes`)
        this.#status.push(bytes)
    }
  }

  /** The error stream has said all it will. */
  endStatus(): void {
    if (this.#statusLength > 0 || !this.#hasStatusObject)
      this.#listener.onStatus(decodeStatus(Buffer.concat(this.#status), this.#hasStatusObject ? 'json' : 'text'))
  }
}

class WebSocketCommandDecoder implements CommandDecoder {
  readonly #streams: Demultiplexer
  readonly #isBase64: boolean
  readonly #readsInput: boolean
  readonly #client: WebSocketFrameReader
  readonly #server: WebSocketFrameReader

  constructor(protocol: string, listener: CommandListener) {
    this.#streams = new Demultiplexer(protocol, listener)
    this.#isBase64 = protocol.includes('base64')
    this.#readsInput = listener.onInput !== undefined
    this.#client = new WebSocketFrameReader((first) => this.#message(first))
    this.#server = new WebSocketFrameReader((first) => this.#message(first))
  }

  fromClient(bytes: Buffer): void {
    this.#client.push(bytes)
  }

  fromServer(bytes: Buffer): void {
    this.#server.push(bytes)
  }

  #message(first: number): MessageReader | undefined {
    // 255 says that a channel is half closed.
    const type = channelTypes[this.#isBase64 ? first - zero : first]
    if (type === undefined || (type === 'stdin' && !this.#readsInput)) return undefined
    let digits = ''
    return (piece, isLast) => {
      let bytes = piece
      if (this.#isBase64) {
        digits += piece.toString('latin1')
        const whole = isLast ? digits.length : digits.length - (digits.length % 4)
        bytes = Buffer.from(digits.slice(0, whole), 'base64')
        digits = digits.slice(whole)
      }
      this.#streams.push(type, bytes)
      if (isLast && type === 'error') this.#streams.endStatus()
    }
  }
}

class SpdyCommandDecoder implements CommandDecoder {
  readonly #streams: Demultiplexer
  readonly #client = new FrameReader()
  readonly #server = new FrameReader()
  readonly #types = new Map<number, StreamType | 'none'>()
  #headerBlocks: Buffer = Buffer.alloc(0)
  #headersRead = 0

  constructor(protocol: string, listener: CommandListener) {
    this.#streams = new Demultiplexer(protocol, listener)
  }

  fromClient(bytes: Buffer): void {
    this.#client.push(bytes)
    for (let frame = this.#client.next(); frame !== undefined; frame = this.#client.next()) {
      if (frame.type === 'synStream') this.#open(frame.streamId, frame.headerBlock)
      else if (frame.type === 'headers') this.#unpack(frame.headerBlock)
      else this.#data(frame)
    }
  }

  fromServer(bytes: Buffer): void {
    this.#server.push(bytes)
    for (let frame = this.#server.next(); frame !== undefined; frame = this.#server.next()) this.#data(frame)
  }

  #data(frame: Frame): void {
    if (frame.type !== 'data') return
    const type = this.#types.get(frame.streamId)
    if (type === undefined || type === 'none') return
    this.#streams.push(type, frame.bytes)
    if (frame.isFin && type === 'error') this.#streams.endStatus()
  }

  #open(streamId: number, headerBlock: Buffer): void {
    if (this.#types.size === mostStreams) throw new Error(`more than ${mostStreams} streams`)
    const type = decodeHeaders(this.#unpack(headerBlock))['streamtype']
    this.#types.set(streamId, channelTypes.find((known) => known === type) ?? 'none')
  }

  /** Blocks build on those before: all of them are unpacked anew, which for the few of a command costs less than a decompressor that answers later. */
  #unpack(block: Buffer): Buffer {
    if (this.#headerBlocks.length + block.length > headerBlocksBytes) throw new Error(`header blocks of more than ${headerBlocksBytes} bytes`)
    this.#headerBlocks = Buffer.concat([this.#headerBlocks, block])
    const all = inflateSync(this.#headerBlocks, { dictionary: headerDictionary, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: headersBytes })
    const fresh = all.subarray(this.#headersRead)
    this.#headersRead = all.length
    return fresh
  }
}
