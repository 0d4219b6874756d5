import type { LiveClock } from './live-clock.ts'
import type { LiveCollection, LiveSnapshot } from './live-collection.ts'

export interface LiveMember<Row> {
  readonly name: string
  readonly collection: LiveCollection<Row>
}

export interface LiveUnionSnapshot<Row> {
  readonly members: ReadonlyMap<string, LiveSnapshot<Row>>
}

/** Several collections as one: readers are told at most every `everyMs`, however many members change. */
export class LiveUnion<Row> {
  readonly #members: readonly LiveMember<Row>[]
  readonly #clock: LiveClock
  readonly #everyMs: number
  #snapshot: LiveUnionSnapshot<Row>
  #toldMs = Number.NEGATIVE_INFINITY
  #cancel: (() => void) | undefined

  constructor(members: readonly LiveMember<Row>[], clock: LiveClock, everyMs = 120) {
    this.#members = members
    this.#clock = clock
    this.#everyMs = everyMs
    this.#snapshot = this.#collect()
  }

  get snapshot(): LiveUnionSnapshot<Row> {
    return this.#snapshot
  }

  /** Tries a member again now instead of after its wait. */
  retry(name: string): void {
    this.#members.find((member) => member.name === name)?.collection.retryNow()
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const tell = (): void => {
      this.#cancel = undefined
      this.#toldMs = this.#clock.nowMs()
      this.#snapshot = this.#collect()
      listener()
    }
    const changed = (): void => {
      const waitMs = this.#toldMs + this.#everyMs - this.#clock.nowMs()
      if (waitMs <= 0 && this.#cancel === undefined) tell()
      else this.#cancel ??= this.#clock.schedule(tell, Math.max(waitMs, 0))
    }
    const leave = this.#members.map((member) => member.collection.subscribe(changed))
    // A member may have moved between construction and subscription.
    this.#snapshot = this.#collect()
    return () => {
      for (const end of leave) end()
      this.#cancel?.()
      this.#cancel = undefined
    }
  }

  #collect(): LiveUnionSnapshot<Row> {
    return { members: new Map(this.#members.map((member) => [member.name, member.collection.snapshot])) }
  }
}
