import type { Clock } from '@gantry/runtime'

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
