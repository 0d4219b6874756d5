import type { Clock } from '@gantry/runtime'

export interface Deadline extends Disposable {
  /** Aborts when the time is over, or with the signal that was given. */
  readonly signal: AbortSignal
  readonly passed: boolean
  /** What `work` comes to, or the reason of `signal` as soon as that aborts: work that does not heed it is not waited for. Once a deadline. */
  orAborted<T>(work: Promise<T>): Promise<T>
}

/** Aborts after `ms`, or with the given signal. Dispose it when the answer is here, so that a stream that follows has no deadline. */
export function deadline(clock: Clock, ms: number, signal: AbortSignal): Deadline {
  const controller = new AbortController()
  let passed = false
  let giveUp: ((reason: unknown) => void) | undefined
  function abort(reason: unknown): void {
    controller.abort(reason)
    giveUp?.(reason)
  }
  const cancel = clock.schedule(() => {
    passed = true
    abort(new Error(`no answer within ${ms} ms`))
  }, ms)
  const onAbort = (): void => abort(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return {
    signal: controller.signal,
    get passed() {
      return passed
    },
    orAborted: (work) =>
      new Promise((resolve, reject) => {
        giveUp = reject
        if (controller.signal.aborted) reject(controller.signal.reason)
        work.then(resolve, reject)
      }),
    // The caller's own abort stays connected: it ends the stream that may follow.
    [Symbol.dispose]: cancel,
  }
}
