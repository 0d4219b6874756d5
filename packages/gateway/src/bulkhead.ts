import { StatusError } from '@gantry/apimachinery'
import type { Clock } from '@gantry/runtime'

export interface BulkheadOptions {
  /** In messages: `cluster "prod"`. */
  readonly name: string
  readonly maxActive: number
  /** Requests that may wait for a place; the next one is refused at once. */
  readonly maxQueued: number
}

/**
 * A bounded number of requests at once and a bounded queue before it: what one slow peer can hold of this process. A place is held until the answer's headers
 * are here.
 */
export class Bulkhead {
  readonly #options: BulkheadOptions
  readonly #queue: { readonly enter: () => void }[] = []
  #active = 0

  constructor(options: BulkheadOptions) {
    this.#options = options
  }

  get active(): number {
    return this.#active
  }

  get queued(): number {
    return this.#queue.length
  }

  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#enter(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  #enter(signal: AbortSignal): Promise<void> {
    if (this.#active < this.#options.maxActive) {
      this.#active++
      return Promise.resolve()
    }
    if (this.#queue.length >= this.#options.maxQueued) {
      return Promise.reject(
        new StatusError('TooManyRequests', `${this.#options.name} is busy: ${this.#active} requests are on their way and ${this.#queue.length} wait`, {
          details: { retryAfterSeconds: 1 },
        }),
      )
    }
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter = {
      enter: () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      },
    }
    const onAbort = (): void => {
      const at = this.#queue.indexOf(waiter)
      if (at !== -1) this.#queue.splice(at, 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#queue.push(waiter)
    return promise
  }

  #leave(): void {
    const next = this.#queue.shift()
    if (next === undefined) this.#active--
    else next.enter() // the place goes on to the next in line
  }
}

/** Aborts after `ms`, or with the given signal. Dispose it when the answer is here, so that a stream that follows has no deadline. */
export function deadline(clock: Clock, ms: number, signal: AbortSignal): { readonly signal: AbortSignal; readonly passed: boolean } & Disposable {
  const controller = new AbortController()
  let passed = false
  const cancel = clock.schedule(() => {
    passed = true
    controller.abort(new Error(`no answer within ${ms} ms`))
  }, ms)
  const onAbort = (): void => controller.abort(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    get passed() {
      return passed
    },
    // The caller's own abort stays connected: it ends the stream that may follow.
    [Symbol.dispose]: cancel,
  }
}
