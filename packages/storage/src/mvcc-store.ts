import type { Logger } from '@gantry/runtime'
import type { StoreDriver, WriteBatch } from './driver.ts'
import { History } from './history.ts'
import { SortedIndex } from './sorted-index.ts'
import type { Encode, Entry, ListRange, Listing, Store, StoreEvent } from './store.ts'
import { Compacted, FutureRevision, RevisionConflict, StoreUnavailable } from './store.ts'
import { Watchers } from './watchers.ts'

export interface StoreOptions {
  /** How many changes are kept for watches that resume and lists at an older revision. */
  readonly historyLimitEvents?: number | undefined
  /** How many bytes the history may keep alive. */
  readonly historyLimitBytes?: number | undefined
  /** One commit carries at most this many writes … */
  readonly batchLimitWrites?: number | undefined
  /** … and this many bytes (but at least one write). */
  readonly batchLimitBytes?: number | undefined
  /** How many writes may be on their way to the disk; further ones are rejected with `StoreUnavailable`. */
  readonly queueLimitWrites?: number | undefined
  readonly queueLimitBytes?: number | undefined
}

const defaults = {
  historyLimitEvents: 100_000,
  historyLimitBytes: 64 << 20,
  // Promotion is one synchronous slice: 500 writes stay below 5 ms, and SQLite gains nothing from larger batches.
  batchLimitWrites: 500,
  batchLimitBytes: 8 << 20,
  queueLimitWrites: 20_000,
  queueLimitBytes: 128 << 20,
} satisfies StoreOptions

type Limits = typeof defaults

/** A key that exists, will exist or is about to go. */
interface Slot {
  readonly key: string
  durable: Entry | undefined
  /** The newest write that is not durable yet. */
  pending: PendingWrite | undefined
}

/** What a store starts with. */
export interface StoreState {
  readonly slots: Map<string, Slot>
  readonly revision: number
}

export async function loadState(driver: StoreDriver): Promise<StoreState> {
  const slots = new Map<string, Slot>()
  const revision = await driver.load(({ key, revision: written, value }) => {
    slots.set(key, { key, durable: { key, revision: written, value, derived: undefined }, pending: undefined })
  })
  return { slots, revision }
}

interface PendingWrite {
  readonly slot: Slot
  readonly type: StoreEvent['type']
  readonly entry: Entry
  /** The revision it builds on, 0 for none. */
  readonly previous: number
  readonly promise: Promise<Entry>
  readonly resolve: (entry: Entry) => void
  readonly reject: (error: StoreUnavailable) => void
}

/**
 * The store: current state, history and watchers in memory over a driver that makes batches durable. Writes that arrive while a batch is on its way
 * form the next one (group commit).
 */
export class MvccStore implements Store {
  readonly #driver: StoreDriver
  readonly #limits: Limits
  readonly #slots: Map<string, Slot>
  /** The slots that have a durable state. */
  readonly #index: SortedIndex<Slot>
  readonly #history: History
  readonly #watchers: Watchers
  readonly #waiters = new Set<{ readonly revision: number; readonly resolve: () => void; readonly reject: (error: unknown) => void }>()
  #revision: number
  /** The newest revision given to a write. */
  #assigned: number
  #queue: PendingWrite[] = []
  /** Writes and bytes that are queued or being committed. */
  #waitingWrites = 0
  #waitingBytes = 0
  #isCommitting = false
  #isEncoding = false
  #idle = Promise.withResolvers<void>()
  #closing: Promise<void> | undefined

  static async open(driver: StoreDriver, deps: { readonly log: Logger }, options: StoreOptions = {}): Promise<MvccStore> {
    return new MvccStore({ driver, log: deps.log }, await loadState(driver), options)
  }

  constructor(deps: { readonly driver: StoreDriver; readonly log: Logger }, state: StoreState, options: StoreOptions) {
    this.#driver = deps.driver
    this.#limits = {
      historyLimitEvents: options.historyLimitEvents ?? defaults.historyLimitEvents,
      historyLimitBytes: options.historyLimitBytes ?? defaults.historyLimitBytes,
      batchLimitWrites: options.batchLimitWrites ?? defaults.batchLimitWrites,
      batchLimitBytes: options.batchLimitBytes ?? defaults.batchLimitBytes,
      queueLimitWrites: options.queueLimitWrites ?? defaults.queueLimitWrites,
      queueLimitBytes: options.queueLimitBytes ?? defaults.queueLimitBytes,
    }
    this.#slots = state.slots
    this.#index = SortedIndex.from([...state.slots.values()])
    this.#history = new History(state.revision, { limitEvents: this.#limits.historyLimitEvents, limitBytes: this.#limits.historyLimitBytes })
    this.#watchers = new Watchers(deps.log)
    this.#revision = state.revision
    this.#assigned = state.revision
    this.#idle.resolve()
  }

  get revision(): number {
    return this.#revision
  }

  get compactedRevision(): number {
    return this.#history.compactedRevision
  }

  get(key: string): Entry | undefined {
    return this.#slots.get(key)?.durable
  }

  latest(key: string): Entry | undefined {
    return newestOf(this.#slots.get(key))
  }

  async settled(key: string): Promise<void> {
    const pending = this.#slots.get(key)?.pending
    // A failure is told to who wrote it.
    await pending?.promise.catch(() => {})
  }

  count(prefix: string): number {
    return this.#index.rankAfterPrefix(prefix) - this.#index.rank(prefix)
  }

  list(range: ListRange): Listing {
    const { prefix, after, limit = Infinity, revision = this.#revision } = range
    if (revision > this.#revision) throw new FutureRevision(revision, this.#revision)
    if (revision < this.#history.compactedRevision) throw new Compacted(revision, this.#history.compactedRevision)
    const end = this.#index.rankAfterPrefix(prefix)
    const start = after === undefined || after < prefix ? this.#index.rank(prefix) : Math.min(end, this.#rankAfter(after))
    if (revision < this.#revision) {
      const changed = this.#history.statesAt(revision, prefix)
      if (changed.size > 0) return this.#listBefore(changed, { start, end, after, limit, revision })
    }
    const entries: Entry[] = []
    this.#index.visit(start, Math.min(end, start + limit), (slot) => void entries.push(slot.durable!))
    return { entries, revision, remaining: end - start - entries.length }
  }

  put(key: string, expected: number, encode: Encode): Promise<Entry> {
    return this.#write('put', { key, expected, encode })
  }

  delete(key: string, expected: number, encode: Encode): Promise<Entry> {
    return this.#write('delete', { key, expected, encode })
  }

  watch(range: { readonly prefix: string; readonly after: number }, onEvents: (events: readonly StoreEvent[]) => void): () => void {
    if (this.#closing !== undefined) throw closed()
    const { prefix, after } = range
    if (after < this.#history.compactedRevision) throw new Compacted(after, this.#history.compactedRevision)
    if (after < this.#revision) {
      const missed = this.#history.since(after, prefix)
      if (missed.length > 0) onEvents(missed)
    }
    return this.#watchers.add(prefix, { after: Math.max(after, this.#revision), onEvents })
  }

  reached(revision: number, signal: AbortSignal): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve()
    if (signal.aborted) return Promise.reject(signal.reason)
    if (this.#closing !== undefined) return Promise.reject(closed())
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter = { revision, resolve: settleWith(resolve), reject: settleWith(reject) }
    const waiters = this.#waiters
    function onAbort(): void {
      waiter.reject(signal.reason)
    }
    function settleWith<Args extends unknown[]>(settle: (...args: Args) => void): (...args: Args) => void {
      return (...args) => {
        signal.removeEventListener('abort', onAbort)
        waiters.delete(waiter)
        settle(...args)
      }
    }
    signal.addEventListener('abort', onAbort)
    waiters.add(waiter)
    return promise
  }

  /** Finishes the writes that were accepted, then closes the driver. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    await this.#idle.promise
    this.#watchers.clear()
    for (const waiter of this.#waiters) waiter.reject(closed())
    await this.#driver.close()
  }

  #rankAfter(key: string): number {
    const rank = this.#index.rank(key)
    return this.#slots.get(key)?.durable === undefined ? rank : rank + 1
  }

  /** A listing of the ranks [start, end) with the states in `changed` put back. */
  #listBefore(
    changed: ReadonlyMap<string, Entry | undefined>,
    range: { readonly start: number; readonly end: number; readonly after: string | undefined; readonly limit: number; readonly revision: number },
  ): Listing {
    const { start, end, after, limit, revision } = range
    const unchanged: Entry[] = []
    this.#index.visit(start, end, (slot) => {
      if (!changed.has(slot.key)) unchanged.push(slot.durable!)
      return unchanged.length >= limit
    })
    // Nothing behind `limit` others can be among the first `limit` of all: of a long history the most need not be sorted.
    let last = unchanged.length >= limit ? unchanged[unchanged.length - 1]?.key : undefined
    let total = end - start
    const restored: Entry[] = []
    for (const [key, state] of changed) {
      if (after !== undefined && key <= after) continue
      if (this.get(key) !== undefined) total--
      if (state === undefined) continue
      total++
      if (last !== undefined && key > last) continue
      restored.push(state)
      if (restored.length < 2 * limit) continue
      restored.sort(byKey).length = limit
      last = restored[limit - 1]?.key
    }
    const entries = [...unchanged, ...restored].sort(byKey).slice(0, limit)
    return { entries, revision, remaining: total - entries.length }
  }

  #write(type: StoreEvent['type'], write: { readonly key: string; readonly expected: number; readonly encode: Encode }): Promise<Entry> {
    const { key, expected, encode } = write
    if (this.#isEncoding) throw new Error(`${key}: an encode callback must not write to the store`)
    let slot = this.#slots.get(key)
    const newest = newestOf(slot)
    if ((newest?.revision ?? 0) !== expected || (type === 'delete' && newest === undefined)) throw new RevisionConflict(key, expected, newest)
    if (slot === undefined && hasSurrogate(key)) throw new TypeError(`${JSON.stringify(key)}: a key must not contain characters beyond U+FFFF`)
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)

    const revision = ++this.#assigned
    // One string for all states of a key: less memory, and found in a map without comparing characters.
    const entry = this.#encode(encode, slot?.key ?? key, revision)
    const { promise, resolve, reject } = Promise.withResolvers<Entry>()
    if (slot === undefined) {
      slot = { key, durable: undefined, pending: undefined }
      this.#slots.set(key, slot)
    }
    const pending: PendingWrite = { slot, type, entry, previous: expected, promise, resolve, reject }
    slot.pending = pending
    this.#queue.push(pending)
    this.#waitingWrites++
    this.#waitingBytes += entry.value.length
    if (!this.#isCommitting) {
      this.#isCommitting = true
      this.#idle = Promise.withResolvers()
      // After this turn's other writes.
      queueMicrotask(() => void this.#commitAll())
    }
    return promise
  }

  #refusal(): StoreUnavailable | undefined {
    if (this.#closing !== undefined) return closed()
    if (this.#waitingWrites < this.#limits.queueLimitWrites && this.#waitingBytes < this.#limits.queueLimitBytes) return undefined
    return new StoreUnavailable(
      `${this.#waitingWrites} writes (${this.#waitingBytes} bytes) are waiting for the disk, more are not accepted: the disk is too slow for the load, try again later`,
    )
  }

  #encode(encode: Encode, key: string, revision: number): Entry {
    this.#isEncoding = true
    let derived: unknown
    try {
      const value = encode(revision, (kept) => (derived = kept))
      return { key, revision, value, derived }
    } finally {
      this.#isEncoding = false
    }
  }

  async #commitAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch()
      try {
        await this.#driver.commit(writesOf(batch))
      } catch (error) {
        this.#rollBack(batch, error)
        continue
      }
      this.#promote(batch)
    }
    this.#isCommitting = false
    this.#idle.resolve()
  }

  #takeBatch(): PendingWrite[] {
    const { batchLimitWrites, batchLimitBytes } = this.#limits
    let bytes = this.#queue[0]!.entry.value.length
    let count = 1
    for (; count < this.#queue.length && count < batchLimitWrites; count++) {
      bytes += this.#queue[count]!.entry.value.length
      if (bytes > batchLimitBytes) break
    }
    if (count < this.#queue.length) return this.#queue.splice(0, count)
    const whole = this.#queue
    this.#queue = []
    return whole
  }

  /** The batch is durable: shows it to readers and watchers at once, then answers the writers. */
  #promote(batch: readonly PendingWrite[]): void {
    for (const write of batch) {
      const { slot, type, entry } = write
      const previous = slot.durable
      slot.durable = type === 'put' ? entry : undefined
      if (type === 'delete') this.#index.remove(slot.key)
      else if (previous === undefined) this.#index.insert(slot)
      if (slot.pending === write) this.#settle(slot)
      const event: StoreEvent = { type, revision: entry.revision, entry, previous }
      this.#history.push(event)
      this.#watchers.collect(event)
      this.#leaveQueue(write)
    }
    this.#revision = batch[batch.length - 1]!.entry.revision
    this.#history.trim()
    this.#watchers.dispatch()
    for (const waiter of this.#waiters) if (waiter.revision <= this.#revision) waiter.resolve()
    for (const { entry, resolve } of batch) resolve(entry)
  }

  /** The batch is not durable: every write of it fails, and every queued one that builds on one of them. */
  #rollBack(batch: readonly PendingWrite[], cause: unknown): void {
    const error = cause instanceof StoreUnavailable ? cause : new StoreUnavailable(`the write could not be made durable: ${String(cause)}`, { cause })
    const broken = new Set(batch.map((write) => write.slot))
    const failed = [...batch]
    const kept: PendingWrite[] = []
    for (const write of this.#queue) (broken.has(write.slot) ? failed : kept).push(write)
    this.#queue = kept
    for (const slot of broken) this.#settle(slot)
    for (const write of failed) {
      this.#leaveQueue(write)
      write.reject(error)
    }
  }

  #settle(slot: Slot): void {
    slot.pending = undefined
    if (slot.durable === undefined) this.#slots.delete(slot.key)
  }

  #leaveQueue(write: PendingWrite): void {
    this.#waitingWrites--
    this.#waitingBytes -= write.entry.value.length
  }
}

function newestOf(slot: Slot | undefined): Entry | undefined {
  if (slot?.pending === undefined) return slot?.durable
  return slot.pending.type === 'put' ? slot.pending.entry : undefined
}

function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : 1
}

function writesOf(batch: readonly PendingWrite[]): WriteBatch {
  return batch.map(({ type, entry, previous }) => ({ key: entry.key, revision: entry.revision, previous, value: type === 'put' ? entry.value : undefined }))
}

function closed(): StoreUnavailable {
  return new StoreUnavailable('the store is closed: the platform is stopping')
}

function hasSurrogate(key: string): boolean {
  return /[\ud800-\udfff]/.test(key)
}
