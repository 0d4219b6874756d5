import type { Ids } from './ids.ts'

export interface BackoffOptions {
  readonly baseMs: number
  readonly maxMs: number
}

/** Delay of the `failures`-th failure in a row (the first is 1): doubles from `baseMs` up to `maxMs`. */
export function exponentialDelayMs(failures: number, options: BackoffOptions): number {
  return Math.min(options.maxMs, options.baseMs * 2 ** Math.min(failures - 1, 52))
}

/** Spreads a delay over [ms, ms * (1 + factor)), so that many who failed together do not come back together. */
export function jitterMs(ids: Pick<Ids, 'random'>, ms: number, factor: number): number {
  return ms * (1 + ids.random() * factor)
}

/** Counts the failures in a row of one thing and says how long to wait: with jitter, and from the start again after a success. */
export class Backoff {
  readonly #ids: Pick<Ids, 'random'>
  readonly #options: BackoffOptions & { readonly jitter: number }
  #failures = 0

  constructor(deps: { readonly ids: Pick<Ids, 'random'> }, options: BackoffOptions & { readonly jitter: number }) {
    this.#ids = deps.ids
    this.#options = options
  }

  get failures(): number {
    return this.#failures
  }

  nextMs(): number {
    this.#failures++
    return jitterMs(this.#ids, exponentialDelayMs(this.#failures, this.#options), this.#options.jitter)
  }

  reset(): void {
    this.#failures = 0
  }
}
