import type { StoreEvent } from './store.ts'

/** The objects of an event and its place in the ring, without the bytes of its values: a measured round figure. */
const eventOverheadBytes = 256

/**
 * The newest changes in order of revision, as a ring bounded by number and by bytes. An event is charged with the bytes only it keeps alive: the
 * state before and, for a deletion, the last state.
 */
export class History {
  readonly #limitEvents: number
  readonly #limitBytes: number
  #ring: (StoreEvent | undefined)[] = Array.from({ length: 64 })
  #head = 0
  #length = 0
  #bytes = 0
  #compactedRevision: number
  /** The last answer of `statesAt`, up to the revision it has seen: whoever reads a long list page by page asks for the same again. */
  #past: { readonly revision: number; readonly prefix: string; seen: number; readonly states: Map<string, StoreEvent['previous']> } | undefined

  constructor(compactedRevision: number, limits: { readonly limitEvents: number; readonly limitBytes: number }) {
    this.#compactedRevision = compactedRevision
    this.#limitEvents = limits.limitEvents
    this.#limitBytes = limits.limitBytes
  }

  /** The revision of the newest change that is no longer here. */
  get compactedRevision(): number {
    return this.#compactedRevision
  }

  get length(): number {
    return this.#length
  }

  get bytes(): number {
    return this.#bytes
  }

  push(event: StoreEvent): void {
    if (this.#length === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = event
    this.#length++
    this.#bytes += costOf(event)
  }

  /** Drops the oldest events until the limits hold. */
  trim(): void {
    while (this.#length > this.#limitEvents || (this.#bytes > this.#limitBytes && this.#length > 0)) {
      const event = this.#ring[this.#head]!
      this.#ring[this.#head] = undefined
      this.#head = (this.#head + 1) & (this.#ring.length - 1)
      this.#length--
      this.#bytes -= costOf(event)
      this.#compactedRevision = event.revision
    }
    // It would keep alive what has just been dropped.
    if (this.#past !== undefined && this.#past.revision < this.#compactedRevision) this.#past = undefined
  }

  /** Events after `revision` whose keys start with `prefix`, oldest first. */
  since(revision: number, prefix: string): StoreEvent[] {
    const events: StoreEvent[] = []
    for (let i = this.#positionAfter(revision); i < this.#length; i++) {
      const event = this.#at(i)
      if (event.entry.key.startsWith(prefix)) events.push(event)
    }
    return events
  }

  /** What the keys under `prefix` that changed after `revision` held at `revision`: `undefined` where there was no such key. Good until the next event comes. */
  statesAt(revision: number, prefix: string): ReadonlyMap<string, StoreEvent['previous']> {
    if (this.#past?.revision !== revision || this.#past.prefix !== prefix) this.#past = { revision, prefix, seen: revision, states: new Map() }
    const { states, seen } = this.#past
    for (let i = this.#positionAfter(seen); i < this.#length; i++) {
      const { entry, previous } = this.#at(i)
      if (entry.key.startsWith(prefix) && !states.has(entry.key)) states.set(entry.key, previous)
    }
    if (this.#length > 0) this.#past.seen = Math.max(seen, this.#at(this.#length - 1).revision)
    return states
  }

  #at(position: number): StoreEvent {
    return this.#ring[(this.#head + position) & (this.#ring.length - 1)]!
  }

  #positionAfter(revision: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#at(middle).revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }

  #grow(): void {
    const grown: (StoreEvent | undefined)[] = Array.from({ length: this.#ring.length * 2 })
    for (let i = 0; i < this.#length; i++) grown[i] = this.#at(i)
    this.#ring = grown
    this.#head = 0
  }
}

function costOf(event: StoreEvent): number {
  return eventOverheadBytes + (event.previous?.value.length ?? 0) + (event.type === 'delete' ? event.entry.value.length : 0)
}
