import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { StatusError } from '@gantry/apimachinery'
import type { CommandSession, SessionRecorder, SessionRecording } from '@gantry/gateway'
import type { Clock, HttpResponse, Logger } from '@gantry/runtime'
import type { AsciicastEvent, AsciicastHeader } from '../api/index.ts'

/** `terminals`: sessions with one; `all`: those that only run a command and print what it says as well. */
export type RecordingMode = 'all' | 'terminals' | 'none'

export interface RecordingsDeps {
  readonly clock: Clock
  readonly log: Logger
}

export interface RecordingsOptions {
  readonly dir: string
  readonly mode: RecordingMode
  /** What is typed, passwords included. */
  readonly input: boolean
  /** A recording that has reached this size ends there. */
  readonly maxSessionBytes?: number | undefined
  /** The oldest leave when all together are larger. */
  readonly maxBytes: number
  readonly maxAgeMs: number
}

const extension = '.cast'
/** A file is named by the audit id that the gateway chose. */
const idPattern = /^[0-9a-f-]{36}$/
/** What may wait for the disk, of one recording. */
const waitingBytesLimit = 4 << 20
const retainEveryMs = 3_600_000
const defaultSize = { width: 80, height: 24 }

/** Recordings of exec and attach as asciicast v2 files, for the owner of the process alone. Nothing is touched before the first session. */
export class Recordings implements SessionRecorder, AsyncDisposable {
  readonly #deps: RecordingsDeps
  readonly #options: RecordingsOptions & { readonly maxSessionBytes: number }
  readonly #open = new Set<Recording>()
  #cancelRetention = (): void => {}
  #retaining: Promise<void> | undefined
  #isClosed = false

  constructor(deps: RecordingsDeps, options: RecordingsOptions) {
    this.#deps = deps
    this.#options = { ...options, maxSessionBytes: options.maxSessionBytes ?? 16 << 20 }
    this.#retainLater(60_000)
  }

  begin(session: CommandSession): SessionRecording | undefined {
    const { mode, dir, input, maxSessionBytes } = this.#options
    const isTerminal = session.target.info.query.get('tty') === 'true'
    if (mode === 'none' || (mode === 'terminals' && !isTerminal) || this.#isClosed) return undefined
    const recording = new Recording(this.#deps, {
      file: join(dir, `${session.auditId}${extension}`),
      session,
      input,
      maxBytes: maxSessionBytes,
      onClosed: () => {
        this.#open.delete(recording)
        this.#retaining ??= this.#retain().finally(() => {
          this.#retaining = undefined
        })
      },
    })
    this.#open.add(recording)
    return recording
  }

  /** The asciicast of a recording. Throws NotFound when there is none. */
  async serve(id: string): Promise<HttpResponse> {
    const file = join(this.#options.dir, `${id}${extension}`)
    const size = idPattern.test(id)
      ? await stat(file).then(
          (found) => found.size,
          () => undefined,
        )
      : undefined
    if (size === undefined) throw new StatusError('NotFound', `there is no recording "${id}": it never was, or retention has removed it`)
    return {
      status: 200,
      headers: { 'content-type': 'application/x-asciicast', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
      async body(sink) {
        // As long as it is now: a session that goes on is not followed.
        if (size === 0) return
        for await (const chunk of createReadStream(file, { highWaterMark: 64 << 10, end: size - 1 })) {
          if (sink.signal.aborted) return
          if (!sink.write(chunk as Buffer)) await sink.drained()
        }
      },
    }
  }

  /** Resolves when every recording that has ended is on the disk. */
  async settled(): Promise<void> {
    await Promise.all([...this.#open].filter((recording) => recording.hasEnded).map((recording) => recording.closed))
    await this.#retaining
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#cancelRetention()
    for (const recording of this.#open) recording.stop('Gantry was stopped')
    await this.settled()
  }

  #retainLater(afterMs: number): void {
    this.#cancelRetention = this.#deps.clock.schedule(() => {
      void this.#retain().finally(() => {
        if (!this.#isClosed) this.#retainLater(retainEveryMs)
      })
    }, afterMs)
  }

  async #retain(): Promise<void> {
    const { dir, maxBytes, maxAgeMs } = this.#options
    try {
      const names = (await readdir(dir)).filter((name) => name.endsWith(extension))
      const files = await Promise.all(
        names.map(async (name) => {
          const { size, mtimeMs } = await stat(join(dir, name))
          return { file: join(dir, name), size, mtimeMs }
        }),
      )
      files.sort((a, b) => a.mtimeMs - b.mtimeMs)
      const oldestMs = this.#deps.clock.now().getTime() - maxAgeMs
      const running = new Set([...this.#open].map(({ file }) => file))
      let bytes = files.reduce((sum, { size }) => sum + size, 0)
      for (const { file, size, mtimeMs } of files) {
        if (mtimeMs >= oldestMs && bytes <= maxBytes) break
        if (running.has(file)) continue
        await rm(file, { force: true })
        bytes -= size
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return // nothing was ever recorded
      this.#deps.log.error('old recordings could not be removed', { dir, error })
    }
  }
}

interface RecordingOptions {
  readonly file: string
  readonly session: CommandSession
  readonly input: boolean
  readonly maxBytes: number
  readonly onClosed: () => void
}

class Recording implements SessionRecording {
  readonly id: string
  readonly file: string
  readonly input: SessionRecording['input']
  readonly #deps: RecordingsDeps
  readonly #options: RecordingOptions
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8'), stdin: new StringDecoder('utf8') }
  readonly #closed = Promise.withResolvers<void>()
  #isBegun = false
  #hasEnded = false
  #waiting = ''
  #bytes = 0
  #cut: string | undefined
  #lastMs = 0
  #handle: FileHandle | undefined
  #isWriting = false

  constructor(deps: RecordingsDeps, options: RecordingOptions) {
    this.#deps = deps
    this.#options = options
    this.id = options.session.auditId
    this.file = options.file
    this.input = options.input ? (atMs, bytes) => this.#text(atMs, 'i', this.#decoders.stdin.write(bytes)) : undefined
  }

  get cut(): string | undefined {
    return this.#cut
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get closed(): Promise<void> {
    return this.#closed.promise
  }

  output(atMs: number, stream: 'stdout' | 'stderr', bytes: Buffer): void {
    this.#text(atMs, 'o', this.#decoders[stream].write(bytes))
  }

  resize(atMs: number, { width, height }: { readonly width: number; readonly height: number }): void {
    // A terminal tells its size first of all: that is the one it began with.
    if (!this.#isBegun) this.#begin({ width, height })
    else this.#event([seconds(atMs), 'r', `${width}x${height}`])
  }

  status({ status, exitCode }: { readonly status: string; readonly exitCode?: number | undefined }): void {
    if (status !== 'Success') this.#event([seconds(this.#lastMs), 'm', exitCode === undefined ? 'failed' : `exit code ${exitCode}`])
  }

  end(atMs: number, cut: string | undefined): void {
    if (cut !== undefined) this.stop(cut)
    this.#lastMs = Math.max(this.#lastMs, atMs)
    this.#finish()
  }

  /** Takes nothing more, and says in the file why. */
  stop(cut: string): void {
    if (this.#hasEnded || this.#cut !== undefined) return
    if (!this.#isBegun) this.#begin(defaultSize)
    this.#put([seconds(this.#lastMs), 'm', `recording cut: ${cut}`])
    this.#cut = cut
    this.#finish()
  }

  #finish(): void {
    if (this.#hasEnded) return
    if (!this.#isBegun) this.#begin(defaultSize)
    this.#hasEnded = true
    this.#writeSoon()
  }

  #text(atMs: number, code: 'o' | 'i', text: string): void {
    this.#lastMs = Math.max(this.#lastMs, atMs)
    if (text !== '') this.#event([seconds(atMs), code, text])
  }

  #event(event: AsciicastEvent): void {
    if (this.#cut !== undefined || this.#hasEnded) return
    if (!this.#isBegun) this.#begin(defaultSize)
    if (this.#bytes > this.#options.maxBytes) this.stop(`it is longer than ${this.#options.maxBytes} bytes`)
    else if (this.#waiting.length > waitingBytesLimit) this.stop('the disk is too slow')
    else this.#put(event)
  }

  #begin(size: { readonly width: number; readonly height: number }): void {
    this.#isBegun = true
    const { target, startedAt } = this.#options.session
    const { info, cluster } = target
    const header: AsciicastHeader = {
      version: 2,
      ...size,
      timestamp: Math.floor(startedAt.getTime() / 1_000),
      title: [cluster, info.namespace, info.name, info.query.get('container')].filter((part) => part !== undefined && part !== null && part !== '').join('/'),
      env: { TERM: 'xterm-256color' },
    }
    this.#put(header)
  }

  #put(value: AsciicastHeader | AsciicastEvent): void {
    const line = `${JSON.stringify(value)}\n`
    this.#waiting += line
    this.#bytes += line.length
    this.#writeSoon()
  }

  #writeSoon(): void {
    if (this.#isWriting) return
    this.#isWriting = true
    void this.#write()
  }

  async #write(): Promise<void> {
    try {
      // What comes together leaves together.
      await new Promise<void>((resolve) => setImmediate(resolve))
      this.#handle ??= await this.#create()
      while (this.#waiting !== '') {
        const text = this.#waiting
        this.#waiting = ''
        await this.#handle.appendFile(text)
      }
      if (!this.#hasEnded) {
        this.#isWriting = false
        return
      }
      await this.#handle.close()
    } catch (error) {
      this.#deps.log.error('a session could not be recorded to its end', { file: this.file, error })
      this.#cut ??= 'the disk refuses it'
      this.#hasEnded = true
      this.#waiting = ''
      await this.#handle?.close().catch(() => {}) // the failure above is the one that counts
    }
    this.#closed.resolve()
    this.#options.onClosed()
  }

  /** Exclusively: a recording is never written over. */
  async #create(): Promise<FileHandle> {
    try {
      return await open(this.file, 'wx', 0o600)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(join(this.file, '..'), { recursive: true, mode: 0o700 })
      return open(this.file, 'wx', 0o600)
    }
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000
}
