import { Worker } from 'node:worker_threads'
import type { Clock, Logger } from '@gantry/runtime'
import type { Row, StoreDriver, WriteBatch } from '../driver.ts'
import type { StoreEncryption } from '../encryption/value-encryption.ts'
import { StoreUnavailable } from '../store.ts'
import { commitFailureMessage, openFailureMessage } from './failure-message.ts'
import { decodeRows, encodeFrame, frameBound } from './frame.ts'
import type { Answer, Maintained, Reencrypted, SqliteFailure, WorkerOptions } from './protocol.ts'

const upkeepAnswers: ReadonlySet<Answer['type']> = new Set(['maintained', 'repaired', 'reencrypted', 'encryptedWith'])
const closeWithinMs = 5_000
const slowCommitMs = 1_000
// The frame's memory travels there and back; one grown by a huge batch is not kept.
const keepFrameBytes = 1 << 20

/** The store's side of the thread that owns the SQLite file. */
export class SqliteDriver implements StoreDriver {
  readonly #options: WorkerOptions
  readonly #deps: { readonly clock: Clock; readonly log: Logger }
  #worker: Worker | undefined
  #frame: ArrayBuffer = new ArrayBuffer(64 << 10)
  #onAnswer: (answer: Answer) => void = () => {}
  #onLost: (error: StoreUnavailable) => void = () => {}
  #lost: StoreUnavailable | undefined
  #failure: StoreUnavailable | undefined
  /** The step of upkeep that is under way: commits may be answered before it and after it. */
  #upkeep: PromiseWithResolvers<Answer> | undefined

  constructor(options: WorkerOptions, deps: { readonly clock: Clock; readonly log: Logger }) {
    this.#options = options
    this.#deps = deps
  }

  /** Why the newest batch was not saved; undefined when it was. */
  get failure(): StoreUnavailable | undefined {
    return this.#lost ?? this.#failure
  }

  load(onRow: (row: Row) => void): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const worker = new Worker(new URL('./sqlite-thread.ts', import.meta.url), { workerData: this.#options, name: 'store' })
    this.#worker = worker
    worker.on('message', (answer: Answer) => (upkeepAnswers.has(answer.type) ? this.#upkeep?.resolve(answer) : this.#onAnswer(answer)))
    worker.on('error', (error) => this.#lose(error))
    worker.on('exit', () => this.#lose(undefined))
    this.#onLost = reject
    this.#onAnswer = (answer) => {
      if (answer.type === 'rows') decodeRows(Buffer.from(answer.frame), onRow)
      else if (answer.type === 'open') resolve(answer.revision)
      else if (answer.type === 'failed') reject(new StoreUnavailable(openFailureMessage(this.#options.file, answer.failure)))
    }
    return promise.finally(() => {
      this.#onLost = () => {}
    })
  }

  async commit(batch: WriteBatch): Promise<void> {
    const startMs = this.#deps.clock.monotonicMs()
    const answer = await this.#ask((worker) => {
      const bound = frameBound(batch)
      if (this.#frame.byteLength < bound) this.#frame = new ArrayBuffer(bound)
      const frame = this.#frame
      const length = encodeFrame(Buffer.from(frame), batch)
      worker.postMessage({ type: 'commit', frame, length }, [frame])
    })
    if (answer.type === 'committed' || answer.type === 'refused') {
      this.#frame = answer.frame.byteLength > keepFrameBytes ? new ArrayBuffer(64 << 10) : answer.frame
    }
    this.#failure = answer.type === 'refused' ? new StoreUnavailable(commitFailureMessage(this.#options.file, answer.failure)) : undefined
    if (this.#failure !== undefined) throw this.#failure
    const tookMs = this.#deps.clock.monotonicMs() - startMs
    if (tookMs > slowCommitMs) this.#deps.log.warn('a commit was slow', { file: this.#options.file, tookMs, writes: batch.length })
  }

  /** One small step of upkeep (protocol.ts); one at a time. */
  async maintain(scrubAfter: number | undefined): Promise<Maintained> {
    const answer = await this.#askUpkeep((worker) => worker.postMessage({ type: 'maintain', scrubAfter }))
    if (answer.type !== 'maintained') throw new Error(`a step of upkeep was answered with ${answer.type}`)
    return answer
  }

  /** Writes rows again that are damaged on the disk. */
  async repair(rows: readonly Row[]): Promise<SqliteFailure | undefined> {
    const writes = rows.map((row) => ({ ...row, previous: row.revision }))
    const frame = new ArrayBuffer(frameBound(writes))
    encodeFrame(Buffer.from(frame), writes)
    const answer = await this.#askUpkeep((worker) => worker.postMessage({ type: 'repair', frame }, [frame]))
    return answer.type === 'repaired' ? answer.failure : undefined
  }

  /** One small step (protocol.ts); one step of upkeep at a time. */
  async reencrypt(after: string, other?: StoreEncryption): Promise<Reencrypted> {
    const answer = await this.#askUpkeep((worker) => worker.postMessage({ type: 'reencrypt', after, other }))
    if (answer.type !== 'reencrypted') throw new Error(`a step of upkeep was answered with ${answer.type}`)
    return answer
  }

  async encryptWith(encryption: StoreEncryption): Promise<SqliteFailure | undefined> {
    const answer = await this.#askUpkeep((worker) => worker.postMessage({ type: 'encryptWith', encryption }))
    return answer.type === 'encryptedWith' ? answer.failure : undefined
  }

  /** Gives the thread `closeWithinMs` to finish; ends it after that. Nothing acknowledged is lost either way. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined || this.#lost !== undefined) return
    const exited = Promise.withResolvers<void>()
    worker.once('exit', () => exited.resolve())
    const cancel = this.#deps.clock.schedule(() => {
      this.#deps.log.warn('the thread of the store did not end in time', { file: this.#options.file, closeWithinMs })
      void worker.terminate()
    }, closeWithinMs)
    try {
      const answer = await this.#ask(() => worker.postMessage({ type: 'close' }))
      if (answer.type === 'failed') this.#deps.log.warn('the store was not closed cleanly', { file: this.#options.file, ...answer.failure })
      await exited.promise
    } finally {
      cancel()
    }
  }

  async #askUpkeep(send: (worker: Worker) => void): Promise<Answer> {
    if (this.#lost !== undefined || this.#worker === undefined) throw this.#lost ?? new StoreUnavailable(`${this.#options.file} is not open`)
    this.#upkeep = Promise.withResolvers()
    send(this.#worker)
    return this.#upkeep.promise
  }

  #ask(send: (worker: Worker) => void): Promise<Answer> {
    const worker = this.#worker
    if (this.#lost !== undefined || worker === undefined) return Promise.reject(this.#lost ?? new StoreUnavailable(`${this.#options.file} is not open`))
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    this.#onAnswer = resolve
    this.#onLost = reject
    send(worker)
    return promise
  }

  /** Whether a batch that was on its way reached the disk is unknown now, so nothing may be written on top of it. */
  #lose(cause: Error | undefined): void {
    if (this.#lost !== undefined) return
    const reason = cause === undefined ? 'ended' : `failed (${cause.message})`
    this.#lost = new StoreUnavailable(`the thread that writes ${this.#options.file} ${reason}: restart Gantry, it goes on with what is on the disk`, { cause })
    this.#onLost(this.#lost)
    this.#upkeep?.reject(this.#lost)
  }
}
