import { performance } from 'node:perf_hooks'
import type { Clock } from './clock.ts'

/** How long those who share a budget may hold the event loop at a stretch, in milliseconds: with the piece that is being worked on when it runs out, below 5. */
const turnMs = 2.5
/** Callbacks of one turn that may let somebody in. */
const maxPasses = 64

/** Asked between pieces of work that takes long. Undefined: go on; otherwise wait for it, while others have their turn. */
export type Pause = () => Promise<void> | undefined

export interface TurnBudgetDeps {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** The event loop: by default the one of this thread. */
  readonly loop?: EventLoop | undefined
}

export interface EventLoop {
  /** Which turn this is: a number that is another one after timers have had theirs. */
  turn(): number
  /** Calls back in this turn or the next, and after each callback lets what it has set off run. */
  soon(callback: () => void): void
}

const ownLoop: EventLoop = { turn: () => performance.nodeTiming.uvMetricsInfo.loopCount, soon: setImmediate }

/**
 * Shares each turn of the event loop among those who ask. Work that is short by itself adds up: 32 requests that arrive together are all handled in one turn, and whatever else
 * is due waits for the last of them. Whoever asks goes on at once while the turn has time left, otherwise in a later turn, first come first served. One is let in each turn
 * whatever else holds it up.
 */
export class TurnBudget {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #loop: EventLoop
  /** The turn in which somebody last asked, and when that was first. */
  #turn: number | undefined
  #begunMs = 0
  #isSomeoneIn = false
  readonly #waiting: (() => void)[] = []
  #passes = 0
  readonly #pass = (): void => {
    this.#passes--
    if (!this.isSpent() || !this.#isSomeoneIn) {
      this.#isSomeoneIn = true
      this.#waiting.shift()?.()
    }
    if (this.#passes === 0) this.#arm()
  }

  constructor(deps: TurnBudgetDeps) {
    this.#clock = deps.clock
    this.#loop = deps.loop ?? ownLoop
  }

  /** Whether this turn has been long enough. */
  isSpent(): boolean {
    const turn = this.#loop.turn()
    const now = this.#clock.monotonicMs()
    if (turn === this.#turn) return now - this.#begunMs >= turnMs
    this.#turn = turn
    this.#begunMs = now
    this.#isSomeoneIn = false
    return false
  }

  /** For work that has begun and asks between its pieces. Undefined: go on, also where others wait to begin. Otherwise wait for it. */
  pause(): Promise<void> | undefined {
    return this.isSpent() ? this.#later() : undefined
  }

  /** For work that begins. Undefined: go on. Otherwise wait for it: those who came before go first. */
  enter(): Promise<void> | undefined {
    return this.#waiting.length === 0 && !this.isSpent() ? undefined : this.#later()
  }

  #later(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    this.#arm()
    return promise
  }

  /** Each callback lets one in, so that what he does counts before the next one asks. */
  #arm(): void {
    const wanted = Math.min(this.#waiting.length, maxPasses)
    for (; this.#passes < wanted; this.#passes++) this.#loop.soon(this.#pass)
  }
}

const budgets = new WeakMap<TurnBudgetDeps['clock'], TurnBudget>()

/** The budget of all that runs on this clock: the event loop is one, so is its budget. */
export function turnBudgetOn(clock: TurnBudgetDeps['clock']): TurnBudget {
  let budget = budgets.get(clock)
  if (budget === undefined) budgets.set(clock, (budget = new TurnBudget({ clock })))
  return budget
}
