import type { Clock, Logger } from '@gantry/runtime'
import type { Row } from '../driver.ts'
import type { StoreEncryption } from '../encryption/value-encryption.ts'
import type { Store } from '../store.ts'
import { StoreUnavailable } from '../store.ts'
import type { SqliteDriver } from './sqlite-driver.ts'

export interface ScrubReport {
  /** When it ended: RFC 3339. */
  readonly time: string
  readonly rows: number
  /** Keys of rows that did not match their checksums, at most `namedKeys`, and how many there were. */
  readonly damagedKeys: readonly string[]
  readonly damaged: number
  /** What is still wrong with the file: it has to be replaced before the next start. Undefined when it is sound, or was mended. */
  readonly problem: string | undefined
}

const defaultScrubEveryMs = 6 * 60 * 60_000
// A step takes about a millisecond of the thread that commits.
const scrubPauseMs = 50
const reencryptPauseMs = 5
const vacuumEveryMs = 10_000
const vacuumPauseMs = 20
const namedKeys = 20

export interface UpkeepDeps {
  readonly driver: SqliteDriver
  readonly store: Store
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}

export interface ReencryptionReport {
  /** When it ended: RFC 3339. */
  readonly time: string
  /** How many values were written again. */
  readonly rows: number
}

/** What a file needs beside writes: its checksums compared now and then, and pages that hold nothing given back. All of it in small steps between commits. */
export class Upkeep {
  readonly #deps: UpkeepDeps
  readonly #scrubEveryMs: number
  readonly #stop = new AbortController()
  #cancels: (() => void)[] = []
  #running: Promise<unknown> = Promise.resolve()
  #lastScrub: ScrubReport | undefined
  #lastReencryption: ReencryptionReport | undefined
  #freeBytes: number | undefined

  constructor(deps: UpkeepDeps, options: { readonly scrubEveryMs: number | undefined }) {
    this.#deps = deps
    this.#scrubEveryMs = options.scrubEveryMs ?? defaultScrubEveryMs
  }

  get lastScrub(): ScrubReport | undefined {
    return this.#lastScrub
  }

  get lastReencryption(): ReencryptionReport | undefined {
    return this.#lastReencryption
  }

  get freeBytes(): number | undefined {
    return this.#freeBytes
  }

  start(): void {
    this.#repeat(() => this.scrub(), this.#scrubEveryMs)
    this.#repeat(() => this.vacuum(), vacuumEveryMs)
  }

  /** Ends after the step that is under way. */
  async stop(): Promise<void> {
    this.#stop.abort(new StoreUnavailable('the store is closed: the platform is stopping'))
    for (const cancel of this.#cancels) cancel()
    this.#cancels = []
    await this.#running.catch(() => {})
  }

  /** One round over the whole file. */
  scrub(): Promise<ScrubReport> {
    return this.#next(async () => {
      const report = await this.#scrubAll()
      this.#lastScrub = report
      const { log, file } = this.#deps
      if (report.problem !== undefined) log.error('the data file is damaged: make a backup now, from what is in memory, and restore it', { file, ...report })
      else if (report.damaged > 0) log.warn('damaged rows of the data file were written again: check the disk', { file, ...report })
      return report
    })
  }

  /**
   * Writes every value again that the first key of its rule has not written, in steps between commits; the rest after a crash is left to the next call. With `next`
   * these keys are taken first, once they have been found to open everything that is there.
   */
  reencrypt(next: StoreEncryption | undefined, taken: (encryption: StoreEncryption) => void): Promise<ReencryptionReport> {
    return this.#next(async () => {
      const { driver, clock } = this.#deps
      if (next !== undefined) {
        await this.#reencryptSteps(next)
        const failure = await driver.encryptWith(next)
        if (failure !== undefined) throw new StoreUnavailable(`the keys of ${next.source} were not taken: ${failure.message}`)
        taken(next)
      }
      const report = { time: clock.now().toISOString(), rows: await this.#reencryptSteps(undefined) }
      this.#lastReencryption = report
      return report
    })
  }

  async #reencryptSteps(other: StoreEncryption | undefined): Promise<number> {
    const { driver, clock, file } = this.#deps
    let rows = 0
    for (let after: string | undefined = ''; after !== undefined;) {
      const step = await driver.reencrypt(after, other)
      if (step.failure !== undefined)
        throw new StoreUnavailable(
          other === undefined
            ? `not every value of ${file} could be encrypted again: ${step.failure.message}`
            : `the keys of ${other.source} were not taken: ${step.failure.message}`,
        )
      rows += step.rows
      after = step.to
      if (after !== undefined) await clock.sleep(reencryptPauseMs, { signal: this.#stop.signal })
    }
    return rows
  }

  /** Gives pages back until the file has no more of them than it may keep. */
  vacuum(): Promise<void> {
    return this.#next(async () => {
      const { driver, clock } = this.#deps
      for (let free = Infinity; ;) {
        const { pages, failure } = await driver.maintain(undefined)
        this.#freeBytes = pages.freePages * pages.pageBytes
        if (failure !== undefined || pages.freePages >= free) return
        const isFirst = free === Infinity
        free = pages.freePages
        // The first step only tells whether one is needed.
        if (!isFirst) await clock.sleep(vacuumPauseMs, { signal: this.#stop.signal })
      }
    })
  }

  async #scrubAll(): Promise<ScrubReport> {
    const { driver, clock } = this.#deps
    const damagedKeys: string[] = []
    let damaged = 0
    let rows = 0
    let problem: string | undefined
    for (let after: number | undefined = 0; after !== undefined;) {
      const step = await driver.maintain(after)
      rows += step.scrubbedRows
      damaged += step.damaged.length
      damagedKeys.push(...step.damaged.slice(0, namedKeys - damagedKeys.length))
      problem ??= step.failure?.message ?? (await this.#repair(step.damaged))
      after = step.scrubbedTo
      if (after !== undefined) await clock.sleep(scrubPauseMs, { signal: this.#stop.signal })
    }
    return { time: clock.now().toISOString(), rows, damaged, damagedKeys, problem }
  }

  /** What is in memory was whole when it was read, or is newer: it takes the place of what the disk has made of it. */
  async #repair(keys: readonly string[]): Promise<string | undefined> {
    const { driver, store } = this.#deps
    const rows: Row[] = []
    for (const key of keys) {
      const entry = store.get(key)
      if (entry === undefined) return `${key}: a row that should not be there`
      rows.push(entry)
    }
    if (rows.length === 0) return undefined
    return (await driver.repair(rows))?.message
  }

  /** One after the other: the thread answers one step at a time. */
  #next<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#running
      .catch(() => {})
      .then(() => {
        this.#stop.signal.throwIfAborted()
        return run()
      })
    this.#running = next
    return next
  }

  #repeat(run: () => Promise<unknown>, everyMs: number): void {
    const at = this.#cancels.length
    const again = (): void => {
      this.#cancels[at] = this.#deps.clock.schedule(() => {
        run()
          .catch((error: unknown) => {
            if (!this.#stop.signal.aborted) this.#deps.log.warn('the upkeep of the data file failed', { file: this.#deps.file, error })
          })
          .finally(() => {
            if (!this.#stop.signal.aborted) again()
          })
      }, everyMs)
    }
    again()
  }
}
