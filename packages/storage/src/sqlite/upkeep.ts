import type { Clock, Logger } from '@gantry/runtime'
import type { Row } from '../driver.ts'
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

/** What a file needs beside writes: its checksums compared now and then, and pages that hold nothing given back. All of it in small steps between commits. */
export class Upkeep {
  readonly #deps: UpkeepDeps
  readonly #scrubEveryMs: number
  readonly #stop = new AbortController()
  #cancels: (() => void)[] = []
  #running: Promise<unknown> = Promise.resolve()
  #lastScrub: ScrubReport | undefined
  #freeBytes: number | undefined

  constructor(deps: UpkeepDeps, options: { readonly scrubEveryMs: number | undefined }) {
    this.#deps = deps
    this.#scrubEveryMs = options.scrubEveryMs ?? defaultScrubEveryMs
  }

  get lastScrub(): ScrubReport | undefined {
    return this.#lastScrub
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
