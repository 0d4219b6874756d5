import { toApiError, type ApiError } from '../api/api-error.ts'
import type { ClusterGap } from '../api/fleet-api.ts'
import type { TableColumn } from '../api/kube-object.ts'
import { type LiveClock, pause } from './live-clock.ts'
import type { LiveSource } from './live-source.ts'
import type { StreamBudget } from './stream-budget.ts'

/** What a reader sees. A new object on every change; `rows` is the same map until the next relist, so compare by snapshot. */
export interface LiveSnapshot<Row> {
  /** `loading`: nothing to show yet. `ready`: rows are true as of now. `error`: rows, if any, are the last ones known. */
  readonly phase: 'loading' | 'ready' | 'error'
  readonly rows: ReadonlyMap<string, Row>
  readonly error: ApiError | undefined
  /** True while pages of the list are still arriving. */
  readonly isPaging: boolean
  /** Objects the server holds beyond `rows`: more are arriving, or the limit was reached. */
  readonly remaining: number
  readonly isTruncated: boolean
  readonly isPolling: boolean
  readonly tableColumns: readonly TableColumn[] | undefined
  /** Of a list over all clusters: those whose part is not whole. */
  readonly gaps: readonly ClusterGap[]
}

export interface LiveOptions {
  readonly pageSize?: number | undefined
  /** Rows kept at most: the bound of this collection's memory. */
  readonly maxRows?: number | undefined
  readonly flushEveryMs?: number | undefined
  readonly pollEveryMs?: number | undefined
}

export interface LiveDeps {
  readonly clock: LiveClock
  readonly budget: StreamBudget
}

const defaults = { pageSize: 500, maxRows: 50_000, flushEveryMs: 150, pollEveryMs: 5_000 }
const firstRetryMs = 1_000
const longestRetryMs = 30_000
/** A watch that ends sooner than this counts as a failure: a server that closes at once must not be asked in a loop. */
const shortWatchMs = 1_000
/** Broken connections in a row that are no news: a browser cuts every stream when a network interface comes or goes, and a next try mends it. */
const quietBreaks = 2

/** One resource of one cluster or of all, listed and then followed. Runs from the first `start` until `stop`. */
export class LiveCollection<Row> {
  readonly #source: LiveSource<Row>
  readonly #deps: LiveDeps
  readonly #options: Required<{ [Key in keyof LiveOptions]-?: number }>
  readonly #listeners = new Set<() => void>()
  #snapshot: LiveSnapshot<Row>
  #rows = new Map<string, Row>()
  #cancelFlush: (() => void) | undefined
  #abort: AbortController | undefined
  #resourceVersion: string | undefined
  #wake: (() => void) | undefined

  constructor(source: LiveSource<Row>, deps: LiveDeps, options: LiveOptions = {}) {
    this.#source = source
    this.#deps = deps
    this.#options = {
      pageSize: options.pageSize ?? defaults.pageSize,
      maxRows: options.maxRows ?? defaults.maxRows,
      flushEveryMs: options.flushEveryMs ?? defaults.flushEveryMs,
      pollEveryMs: options.pollEveryMs ?? defaults.pollEveryMs,
    }
    this.#snapshot = {
      phase: 'loading',
      rows: this.#rows,
      error: undefined,
      isPaging: true,
      remaining: 0,
      isTruncated: false,
      isPolling: false,
      tableColumns: undefined,
      gaps: [],
    }
  }

  get snapshot(): LiveSnapshot<Row> {
    return this.#snapshot
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  start(): void {
    if (this.#abort !== undefined) return
    this.#abort = new AbortController()
    void this.#run(this.#abort.signal)
  }

  stop(): void {
    this.#abort?.abort()
    this.#abort = undefined
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
  }

  /** Ends the wait after a failure: the user asked to try again now. */
  retryNow(): void {
    this.#wake?.()
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      let followedFromMs: number | undefined
      const hasFollowed = (): boolean => followedFromMs !== undefined && this.#deps.clock.nowMs() - followedFromMs >= shortWatchMs
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal)
        followedFromMs = this.#deps.clock.nowMs()
        await this.#follow(signal)
        failures = hasFollowed() ? 0 : failures + 1
      } catch (thrown) {
        if (signal.aborted) return
        const error = toApiError(thrown)
        failures = hasFollowed() ? 1 : failures + 1
        if (error.code === 410) {
          // The server forgot our place. The rows stay on screen until the new list is whole.
          this.#resourceVersion = undefined
        } else if (!(failures <= quietBreaks && error.code === 0 && this.#resourceVersion !== undefined)) {
          // A failed list starts over; a broken watch resumes where it was.
          this.#publishNow({ phase: 'error', error, isPaging: false })
        }
        await this.#waitToRetry(retryDelayMs(failures, error.retryAfterMs, this.#deps.clock), signal)
        continue
      }
      if (failures > 0) await this.#waitToRetry(retryDelayMs(failures, undefined, this.#deps.clock), signal)
    }
  }

  async #waitToRetry(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await pause(this.#deps.clock, ms, AbortSignal.any([signal, woken.signal]))
    this.#wake = undefined
  }

  async #list(signal: AbortSignal): Promise<void> {
    const isFirst = this.#snapshot.phase !== 'ready' && this.#rows.size === 0
    const rows = isFirst ? this.#rows : new Map<string, Row>()
    let continueToken: string | undefined
    let resourceVersion = ''
    let remaining = 0
    this.#snapshot = { ...this.#snapshot, isPaging: true }
    do {
      // oxlint-disable-next-line no-await-in-loop -- a page names the next one
      const page = await this.#source.listPage({ limit: this.#options.pageSize, continueToken, signal })
      for (const row of page.rows) rows.set(this.#source.keyOf(row), row)
      continueToken = page.continueToken === '' ? undefined : page.continueToken
      resourceVersion = page.resourceVersion
      if (page.gaps !== undefined) this.#snapshot = { ...this.#snapshot, gaps: page.gaps }
      remaining = continueToken === undefined ? 0 : (page.remaining ?? 0)
      if (page.tableColumns !== undefined && page.tableColumns.length > 0) this.#snapshot = { ...this.#snapshot, tableColumns: page.tableColumns }
      // The first rows are shown while the rest arrives; a relist replaces all rows at once.
      if (isFirst && continueToken !== undefined) this.#publishSoon({ phase: 'ready', error: undefined, remaining })
    } while (continueToken !== undefined && rows.size < this.#options.maxRows)
    this.#rows = rows
    this.#resourceVersion = resourceVersion
    this.#publishNow({ phase: 'ready', error: undefined, isPaging: false, remaining, isTruncated: continueToken !== undefined })
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const release = this.#deps.budget.tryAcquire()
    if (release === undefined) {
      this.#publishSoon({ isPolling: true })
      await pause(this.#deps.clock, this.#options.pollEveryMs * (1 + this.#deps.clock.random() * 0.2), signal)
      this.#resourceVersion = undefined
      return
    }
    try {
      const resourceVersion = this.#resourceVersion ?? ''
      for await (const events of this.#source.watch({ resourceVersion, signal })) {
        for (const event of events) {
          this.#resourceVersion = event.resourceVersion
          if (event.type === 'put') this.#put(event.row)
          if (event.type === 'remove') this.#rows.delete(event.key)
          if (event.type === 'bookmark' && event.gaps !== undefined) this.#snapshot = { ...this.#snapshot, gaps: event.gaps }
        }
        if (events.length > 0 || this.#snapshot.phase !== 'ready' || this.#snapshot.isPolling) {
          this.#publishSoon({ phase: 'ready', error: undefined, isPolling: false })
        }
      }
    } finally {
      release()
    }
  }

  #put(row: Row): void {
    const key = this.#source.keyOf(row)
    if (this.#rows.size >= this.#options.maxRows && !this.#rows.has(key)) {
      this.#snapshot = { ...this.#snapshot, isTruncated: true }
      return
    }
    this.#rows.set(key, row)
  }

  #publishNow(change: Partial<LiveSnapshot<Row>>): void {
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    this.#snapshot = { ...this.#snapshot, ...change, rows: this.#rows }
    for (const listener of this.#listeners) listener()
  }

  /** Many events make one update: a table of 10,000 rows cannot be drawn per event. */
  #publishSoon(change: Partial<LiveSnapshot<Row>>): void {
    this.#snapshot = { ...this.#snapshot, ...change }
    this.#cancelFlush ??= this.#deps.clock.schedule(() => {
      this.#cancelFlush = undefined
      this.#publishNow({})
    }, this.#options.flushEveryMs)
  }
}

function retryDelayMs(failures: number, askedMs: number | undefined, clock: LiveClock): number {
  const backoffMs = Math.min(firstRetryMs * 2 ** (failures - 1), longestRetryMs)
  return Math.max(backoffMs * (0.8 + clock.random() * 0.4), Math.min(askedMs ?? 0, longestRetryMs))
}
