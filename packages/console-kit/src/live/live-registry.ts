import { LiveCollection, type LiveDeps, type LiveOptions } from './live-collection.ts'
import type { LiveSource } from './live-source.ts'

/** Going back to a table within this time shows it at once, still live. */
const lingerMs = 20_000
/** Collections kept running without a reader. */
const maxLingering = 8

interface Entry {
  // oxlint-disable-next-line typescript/no-explicit-any -- entries of different rows share one map; `acquire` is where the type is known
  readonly collection: LiveCollection<any>
  readers: number
  cancelLinger: (() => void) | undefined
}

/** Shares live collections between components by key, and stops them a while after the last reader left. */
export class LiveRegistry {
  readonly #entries = new Map<string, Entry>()
  readonly #deps: LiveDeps

  constructor(deps: LiveDeps) {
    this.#deps = deps
  }

  get deps(): LiveDeps {
    return this.#deps
  }

  /** The running collection of a key. The caller owes one `release(key)`. */
  acquire<Row>(key: string, source: () => LiveSource<Row>, options: LiveOptions = {}): LiveCollection<Row> {
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { collection: new LiveCollection<Row>(source(), this.#deps, options), readers: 0, cancelLinger: undefined }
      this.#entries.set(key, entry)
      entry.collection.start()
    }
    entry.cancelLinger?.()
    entry.cancelLinger = undefined
    entry.readers++
    return entry.collection
  }

  release(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.readers--
    if (entry.readers > 0) return
    entry.cancelLinger = this.#deps.clock.schedule(() => this.#drop(key), lingerMs)
    const idle = [...this.#entries].filter(([, other]) => other.readers === 0)
    for (const [oldKey] of idle.slice(0, Math.max(0, idle.length - maxLingering))) this.#drop(oldKey)
  }

  /** Stops everything: the session has ended. */
  clear(): void {
    for (const key of this.#entries.keys()) this.#drop(key)
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.cancelLinger?.()
    entry.collection.stop()
    this.#entries.delete(key)
  }
}
