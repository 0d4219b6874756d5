import type { Clock } from '@gantry/runtime'

export interface FairQueueOptions {
  /** Seats: requests that may run at once. */
  readonly seats: number
  /** Absent: who finds no seat is refused. */
  readonly queuing: { readonly queues: number; readonly handSize: number; readonly lengthLimit: number } | undefined
  readonly waitLimitMs: number
}

interface Waiter {
  readonly start: () => void
  readonly refuse: () => void
  isGone: boolean
}

/**
 * Seats for the requests of one priority level. When all are taken, the requests of a flow wait in one of a few queues chosen by the flow's hash, the shortest of its hand, so that one
 * busy flow never fills the queues of the others; free seats go to the queues in turn. Bounded by queues × lengthLimit. Upstream: apiserver pkg/util/flowcontrol/fairqueuing (its requests
 * differ in width and are served by estimated work; here each takes one seat).
 */
export class FairQueue {
  readonly #clock: Clock
  /** Asked for a seat beyond its own: true when another level has one to lend. */
  readonly #borrow: () => boolean
  #options: FairQueueOptions
  #queues: Waiter[][] = []
  #next = 0
  #waiting = 0
  #running = 0

  constructor(deps: { readonly clock: Clock; readonly borrow: () => boolean }, options: FairQueueOptions) {
    this.#clock = deps.clock
    this.#borrow = deps.borrow
    this.#options = options
    this.configure(options)
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting
  }

  get seats(): number {
    return this.#options.seats
  }

  /** Takes new settings; those who wait keep their place, or find a new queue when there are fewer. */
  configure(options: FairQueueOptions): void {
    this.#options = options
    const wanted = options.queuing?.queues ?? 0
    const homeless = this.#queues.slice(wanted).flat()
    this.#queues = Array.from({ length: wanted }, (_, index) => this.#queues[index] ?? [])
    for (const [index, waiter] of homeless.entries()) {
      const queue = this.#queues[index % Math.max(1, wanted)]
      if (queue === undefined) {
        this.#leave(waiter)
        waiter.refuse()
      } else queue.push(waiter)
    }
    this.#dispatch()
  }

  /** True: runs at once, and `leave` has to follow. */
  tryEnter(): boolean {
    if (this.#waiting > 0 || !this.#hasSeat()) return false
    this.#running++
    return true
  }

  /** Resolves true when a seat was found, false when the request is refused or has gone. */
  wait(flow: number, signal: AbortSignal): Promise<boolean> {
    const queue = this.#queueOf(flow)
    if (queue === undefined || queue.length >= (this.#options.queuing?.lengthLimit ?? 0)) return Promise.resolve(false)
    return new Promise((resolve) => {
      const done = (ran: boolean): void => {
        cancel()
        signal.removeEventListener('abort', giveUp)
        resolve(ran)
      }
      const giveUp = (): void => {
        this.#leave(waiter)
        done(false)
      }
      const waiter: Waiter = { start: () => done(true), refuse: () => done(false), isGone: false }
      const cancel = this.#clock.schedule(giveUp, this.#options.waitLimitMs)
      signal.addEventListener('abort', giveUp, { once: true })
      queue.push(waiter)
      this.#waiting++
      if (signal.aborted) giveUp()
    })
  }

  leave(): void {
    this.#running--
    this.#dispatch()
  }

  #hasSeat(): boolean {
    // A level without seats still serves one request at a time.
    return this.#running < Math.max(1, this.#options.seats) || this.#borrow()
  }

  #leave(waiter: Waiter): void {
    if (waiter.isGone) return
    waiter.isGone = true
    this.#waiting--
    for (const queue of this.#queues) {
      const at = queue.indexOf(waiter)
      if (at >= 0) queue.splice(at, 1)
    }
  }

  #dispatch(): void {
    while (this.#waiting > 0 && this.#hasSeat()) {
      const waiter = this.#takeNext()
      if (waiter === undefined) return
      waiter.isGone = true
      this.#waiting--
      this.#running++
      waiter.start()
    }
  }

  #takeNext(): Waiter | undefined {
    for (let tried = 0; tried < this.#queues.length; tried++) {
      const queue = this.#queues[this.#next]
      this.#next = (this.#next + 1) % this.#queues.length
      const waiter = queue?.shift()
      if (waiter !== undefined) return waiter
    }
    return undefined
  }

  /** The shortest queue of the flow's hand: `handSize` different queues dealt by its hash. */
  #queueOf(flow: number): Waiter[] | undefined {
    const { queuing } = this.#options
    if (queuing === undefined) return undefined
    const dealt: number[] = []
    let hash = flow >>> 0
    let best: Waiter[] | undefined
    for (let card = 0; card < Math.min(queuing.handSize, queuing.queues); card++) {
      const left = queuing.queues - card
      let at = hash % left
      // xorshift: the next card of the same flow.
      hash ^= hash << 13
      hash ^= hash >>> 17
      hash = (hash ^ (hash << 5)) >>> 0
      for (const taken of dealt) if (at >= taken) at++
      dealt.push(at)
      dealt.sort((a, b) => a - b)
      const queue = this.#queues[at]
      if (queue !== undefined && (best === undefined || queue.length < best.length)) best = queue
    }
    return best
  }
}

/** FNV-1a over the parts of a flow's name. */
export function flowHash(...parts: readonly string[]): number {
  let hash = 0x811c9dc5
  for (const part of parts) {
    for (let index = 0; index < part.length; index++) hash = Math.imul(hash ^ part.charCodeAt(index), 0x01000193)
    hash = Math.imul(hash ^ 0xff, 0x01000193)
  }
  return hash >>> 0
}
