import type { Duplex } from 'node:stream'
import type { Clock } from '@gantry/runtime'
import { encodeDataHead, encodeGoAway, encodePing, encodeReset, encodeSynReply, encodeSynStream, FrameReader, goAwayStatus, resetStatus } from './frame.ts'
import type { Frame } from './frame.ts'
import { HeaderPacker, HeaderUnpacker } from './header-block.ts'
import type { SpdyHeaders } from './header-block.ts'
import { SpdyProtocolError } from './protocol-error.ts'
import { SpdyStream } from './spdy-stream.ts'
import type { StreamHost } from './spdy-stream.ts'

export interface SpdyOptions {
  readonly role: 'client' | 'server'
  /** Asked for each stream the peer wants to open: `undefined` refuses it, else the function gets the stream once it is open. */
  readonly onStream?: ((headers: SpdyHeaders, streamId: number) => ((stream: SpdyStream) => void) | undefined) | undefined
  /** Sends a ping this often, so that load balancers keep an idle connection. */
  readonly pingEveryMs?: number | undefined
  /** Streams that may be open at once; more are refused. */
  readonly streamLimit?: number | undefined
}

const defaultStreamLimit = 1_000
const replyWithinMs = 30_000
/** A peer that does not close its side after ours is cut off after this. */
const closeWithinMs = 5_000
// Larger writes are cut, so that streams take turns.
const dataFrameBytes = 32 << 10
/** Answers to pings and refusals may pile up to this; then nothing more is read until the peer has taken them. */
const unsentAnswersLimitBytes = 1 << 20

interface Opening {
  readonly resolve: (stream: SpdyStream) => void
  readonly reject: (error: Error) => void
  readonly stopWaiting: () => void
}

/**
 * An SPDY/3.1 connection as Kubernetes uses it: streams over one transport, no flow control (Go's peer has none), so a reader that lags behind by more
 * than a stream's slack stops the reading of the whole connection. Errors of the peer end it; they never throw.
 */
export class SpdyConnection implements StreamHost {
  readonly #transport: Duplex
  readonly #clock: Clock
  readonly #options: SpdyOptions
  readonly #reader = new FrameReader()
  readonly #packer = new HeaderPacker()
  readonly #unpacker = new HeaderUnpacker()
  readonly #streams = new Map<number, SpdyStream>()
  readonly #openings = new Map<number, Opening>()
  /** Streams whose readers lag. */
  readonly #full = new Set<SpdyStream>()
  /** Writes that wait for the transport, first come first served. */
  #waitingWrites: { readonly send: () => void; readonly fail: (error: Error) => void }[] = []
  readonly #closed = Promise.withResolvers<Error | undefined>()
  #nextId: number
  #nextPingId: number
  #lastPeerId = 0
  #unsentAnswerBytes = 0
  #isHandling = false
  /** The peer has closed its side; frames may still wait to be handled. */
  #isInputOver = false
  #hasPeerGoneAway = false
  #isClosing = false
  #isOver = false
  #error: Error | undefined
  #cancelPing: () => void = () => {}
  #cancelClose: () => void = () => {}

  constructor(transport: Duplex, deps: { readonly clock: Clock }, options: SpdyOptions) {
    this.#transport = transport
    this.#clock = deps.clock
    this.#options = options
    this.#nextId = options.role === 'client' ? 1 : 2
    this.#nextPingId = this.#nextId
    transport.on('data', (chunk: Buffer) => {
      if (this.#isClosing || this.#isOver) return
      this.#reader.push(chunk)
      void this.#handle()
    })
    transport.on('drain', () => this.#onDrain())
    transport.on('end', () => {
      this.#isInputOver = true
      void this.#handle()
    })
    transport.on('error', (error) => this.#end(error))
    transport.on('close', () => {
      if (!this.#isInputOver) this.#end(this.#isClosing ? undefined : new Error('the connection was cut'))
    })
    // Whoever had the socket before may have paused it.
    transport.resume()
    this.#schedulePing()
  }

  /** Resolves when the connection is over, with the error that ended it. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise
  }

  /** Opens a stream; resolves when the peer has accepted it. */
  open(headers: SpdyHeaders): Promise<SpdyStream> {
    if (this.#isOver || this.#isClosing) return Promise.reject(this.#error ?? new Error('the connection has ended'))
    if (this.#hasPeerGoneAway) return Promise.reject(new Error('the peer takes no more streams'))
    const id = this.#nextId
    this.#nextId += 2
    const stream = new SpdyStream(this, id, headers)
    const opened = Promise.withResolvers<SpdyStream>()
    const stopWaiting = this.#clock.schedule(() => {
      this.#settleOpening(id, new Error(`the peer did not accept a stream within ${replyWithinMs / 1000} s`))
      stream.destroy()
    }, replyWithinMs)
    this.#streams.set(id, stream)
    this.#openings.set(id, { resolve: opened.resolve, reject: opened.reject, stopWaiting })
    this.#transport.write(encodeSynStream(id, this.#packer.pack(headers)))
    return opened.promise
  }

  /** Says goodbye after what was written and closes. Streams that are still open end; what the peer still sends is dropped. */
  close(): void {
    if (this.#isOver || this.#isClosing) return
    this.#isClosing = true
    this.#transport.end(encodeGoAway(this.#lastPeerId, goAwayStatus.ok))
    this.#cancelClose = this.#clock.schedule(() => {
      this.#transport.destroy()
      this.#end(undefined)
    }, closeWithinMs)
    for (const stream of this.#streams.values()) stream.lose(undefined)
    // A transport that is not read never sees the peer's end.
    this.#transport.resume()
  }

  destroy(error?: Error): void {
    this.#end(error)
  }

  sendData(streamId: number, bytes: Buffer, { isFin, sent }: Parameters<StreamHost['sendData']>[2]): void {
    if (this.#isOver || this.#isClosing) {
      sent(this.#error ?? new Error('the connection has ended'))
      return
    }
    if (this.#transport.writableNeedDrain) {
      this.#waitingWrites.push({ send: () => this.sendData(streamId, bytes, { isFin, sent }), fail: sent })
      return
    }
    const piece = bytes.subarray(0, dataFrameBytes)
    const isLast = piece.length === bytes.length
    this.#transport.cork()
    this.#transport.write(encodeDataHead(streamId, piece.length, isFin && isLast))
    if (piece.length > 0) this.#transport.write(piece)
    this.#transport.uncork()
    if (isLast) sent()
    else this.sendData(streamId, bytes.subarray(dataFrameBytes), { isFin, sent })
  }

  wanted(stream: SpdyStream): void {
    if (this.#full.delete(stream)) void this.#handle()
  }

  released(stream: SpdyStream, wasDropped: boolean): void {
    const isKnown = this.#streams.delete(stream.id)
    if (this.#isOver) return
    if (isKnown && wasDropped) this.#transport.write(encodeReset(stream.id, resetStatus.cancel))
    if (this.#hasPeerGoneAway && this.#streams.size === 0) this.close()
    this.wanted(stream)
  }

  /** Sends an answer to what the peer sent; the peer decides how many, so they are counted. */
  #answer(frame: Buffer): void {
    this.#unsentAnswerBytes += frame.length
    this.#transport.write(frame, () => {
      this.#unsentAnswerBytes -= frame.length
      if (this.#unsentAnswerBytes === 0) void this.#handle()
    })
  }

  #onDrain(): void {
    while (!this.#transport.writableNeedDrain) {
      const write = this.#waitingWrites.shift()
      if (write === undefined) break
      write.send()
    }
  }

  /** Handles frames until none is whole, a reader lags or too many answers are unsent. Header blocks are unpacked on the way, so it must not run twice. */
  async #handle(): Promise<void> {
    if (this.#isHandling) return
    this.#isHandling = true
    try {
      while (!this.#isOver && !this.#mustWait()) {
        const frame = this.#reader.next()
        if (frame === undefined) {
          if (this.#isInputOver) this.#end(undefined)
          break
        }
        if ('headerBlock' in frame) {
          this.#transport.pause()
          await this.#onHeaderFrame(frame)
        } else this.#onFrame(frame)
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.#isHandling = false
    }
    if (this.#isOver) return
    if (this.#mustWait() && !this.#isClosing) this.#transport.pause()
    else this.#transport.resume()
  }

  #mustWait(): boolean {
    return this.#full.size > 0 || this.#unsentAnswerBytes > unsentAnswersLimitBytes
  }

  async #onHeaderFrame(frame: Extract<Frame, { headerBlock: Buffer }>): Promise<void> {
    const headers = await this.#unpacker.unpack(frame.headerBlock)
    if (this.#isOver || this.#isClosing) return
    const { streamId, isFin } = frame
    if (frame.type === 'synStream') this.#onSynStream(streamId, headers)
    else if (frame.type === 'synReply') this.#settleOpening(streamId)
    if (isFin) this.#streams.get(streamId)?.receiveEnd()
  }

  #onSynStream(streamId: number, headers: SpdyHeaders): void {
    const isPeers = streamId % 2 !== this.#nextId % 2
    if (!isPeers || streamId <= this.#lastPeerId) {
      this.#answer(encodeReset(streamId, resetStatus.protocolError))
      return
    }
    this.#lastPeerId = streamId
    const isTooMany = this.#streams.size >= (this.#options.streamLimit ?? defaultStreamLimit)
    const accept = isTooMany || this.#hasPeerGoneAway ? undefined : this.#options.onStream?.(headers, streamId)
    if (accept === undefined) {
      this.#answer(encodeReset(streamId, resetStatus.refusedStream))
      return
    }
    const stream = new SpdyStream(this, streamId, headers)
    this.#streams.set(streamId, stream)
    this.#answer(encodeSynReply(streamId, this.#packer.pack({})))
    accept(stream)
  }

  #onFrame(frame: Exclude<Frame, { headerBlock: Buffer }>): void {
    switch (frame.type) {
      case 'data': {
        const stream = this.#streams.get(frame.streamId)
        if (stream === undefined) return // gone already: its last frames may still be under way
        if (frame.bytes.length > 0 && !stream.receive(frame.bytes)) this.#full.add(stream)
        if (frame.isFin) stream.receiveEnd()
        return
      }
      case 'reset': {
        const stream = this.#streams.get(frame.streamId)
        this.#settleOpening(frame.streamId, new Error(`the peer refused the stream (status ${frame.status})`))
        this.#streams.delete(frame.streamId)
        stream?.receiveReset()
        return
      }
      case 'ping':
        if (frame.id % 2 !== this.#nextPingId % 2) this.#answer(encodePing(frame.id))
        return
      case 'goAway':
        this.#hasPeerGoneAway = true
        if (this.#streams.size === 0) this.close()
        return
    }
  }

  #settleOpening(streamId: number, error?: Error): void {
    const opening = this.#openings.get(streamId)
    const stream = this.#streams.get(streamId)
    if (opening === undefined || stream === undefined) return
    this.#openings.delete(streamId)
    opening.stopWaiting()
    if (error === undefined) opening.resolve(stream)
    else opening.reject(error)
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    if (error instanceof SpdyProtocolError && !this.#isClosing) this.#transport.end(encodeGoAway(this.#lastPeerId, goAwayStatus.protocolError))
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#error = error
    this.#cancelPing()
    this.#cancelClose()
    this.#unpacker.close()
    const reason = error ?? new Error('the connection has ended')
    for (const streamId of this.#openings.keys()) this.#settleOpening(streamId, reason)
    for (const write of this.#waitingWrites) write.fail(reason)
    this.#waitingWrites = []
    for (const stream of this.#streams.values()) stream.lose(error)
    this.#streams.clear()
    this.#full.clear()
    // A goodbye that is on its way gets one turn of the transport; nobody waits for more.
    if (this.#transport.writableEnded && !this.#transport.writableFinished && !this.#transport.destroyed) {
      const cancel = this.#clock.schedule(() => this.#transport.destroy(), closeWithinMs)
      this.#transport.once('finish', () => this.#transport.destroy())
      this.#transport.once('close', cancel)
    } else this.#transport.destroy()
    this.#closed.resolve(error)
  }

  #schedulePing(): void {
    const { pingEveryMs } = this.#options
    if (pingEveryMs === undefined) return
    this.#cancelPing = this.#clock.schedule(() => {
      // One that has not left yet is enough.
      if (!this.#isClosing && !this.#transport.writableNeedDrain) {
        this.#transport.write(encodePing(this.#nextPingId))
        this.#nextPingId = (this.#nextPingId + 2) % 0x7ffffffe
      }
      this.#schedulePing()
    }, pingEveryMs)
  }
}
