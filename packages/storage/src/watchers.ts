import type { Logger } from '@gantry/runtime'
import type { StoreEvent } from './store.ts'

interface Watcher {
  /** Only events after this revision are for it. */
  readonly after: number
  readonly onEvents: (events: readonly StoreEvent[]) => void
}

/** All watchers of one prefix: they get the same array. */
interface Topic {
  readonly prefix: string
  readonly watchers: Set<Watcher>
  events: StoreEvent[]
}

/**
 * Watchers by prefix. An event looks up the folders of its key (`/`, `/pods/`, `/pods/default/` …) and, for prefixes that do not end with a slash,
 * one start of the key for each length in use: never every watcher.
 */
export class Watchers {
  readonly #log: Logger
  readonly #folders = new Map<string, Topic>()
  readonly #otherByLength = new Map<number, Map<string, Topic>>()
  #touched: Topic[] = []

  constructor(log: Logger) {
    this.#log = log
  }

  /** Registers a watcher for events after `after`; the returned function ends it. */
  add(prefix: string, watcher: Watcher): () => void {
    const topics = this.#topicsFor(prefix)
    let topic = topics.get(prefix)
    if (topic === undefined) {
      topic = { prefix, watchers: new Set(), events: [] }
      topics.set(prefix, topic)
    }
    topic.watchers.add(watcher)
    const joined = topic
    return () => {
      if (!joined.watchers.delete(watcher) || joined.watchers.size > 0) return
      topics.delete(prefix)
      if (topics !== this.#folders && topics.size === 0) this.#otherByLength.delete(prefix.length)
    }
  }

  /** Notes an event for `dispatch`. */
  collect(event: StoreEvent): void {
    const { key } = event.entry
    if (this.#folders.size > 0) {
      for (let slash = key.indexOf('/'); slash !== -1; slash = key.indexOf('/', slash + 1)) {
        this.#note(this.#folders.get(key.slice(0, slash + 1)), event)
      }
    }
    for (const [length, topics] of this.#otherByLength) if (length <= key.length) this.#note(topics.get(key.slice(0, length)), event)
  }

  /** Calls every watcher that has events, once, in order of revision. Watchers may come and go while it runs. */
  dispatch(): void {
    const topics = this.#touched
    this.#touched = []
    for (const topic of topics) {
      const { events } = topic
      topic.events = []
      for (const watcher of topic.watchers) this.#tell(watcher, events)
    }
  }

  clear(): void {
    for (const topic of this.#folders.values()) topic.watchers.clear()
    for (const topics of this.#otherByLength.values()) for (const topic of topics.values()) topic.watchers.clear()
    this.#folders.clear()
    this.#otherByLength.clear()
  }

  #topicsFor(prefix: string): Map<string, Topic> {
    if (prefix.endsWith('/')) return this.#folders
    let topics = this.#otherByLength.get(prefix.length)
    if (topics === undefined) {
      topics = new Map()
      this.#otherByLength.set(prefix.length, topics)
    }
    return topics
  }

  #note(topic: Topic | undefined, event: StoreEvent): void {
    if (topic === undefined) return
    if (topic.events.length === 0) this.#touched.push(topic)
    topic.events.push(event)
  }

  #tell(watcher: Watcher, events: readonly StoreEvent[]): void {
    if (events[events.length - 1]!.revision <= watcher.after) return
    const news = events[0]!.revision > watcher.after ? events : events.filter((event) => event.revision > watcher.after)
    try {
      watcher.onEvents(news)
    } catch (error) {
      // One watcher's bug must not keep the others from their events or the write from its answer.
      this.#log.error('a watcher of the store failed', { revision: events[0]!.revision, error })
    }
  }
}
