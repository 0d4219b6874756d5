import { isReason } from '@gantry/apimachinery'
import { WorkQueue } from '@gantry/runtime'
import { runInBackground } from './informer.ts'
import type { KubeObject } from '@gantry/client'
import type { Clock, Logger, Service } from '@gantry/runtime'
import type { Change, Informer } from './informer.ts'

/** What a reconcile ended with. `settled`: nothing left to do until something changes. `blocked`: the same, and why it cannot go on. */
export type Outcome =
  | { readonly kind: 'settled' }
  | { readonly kind: 'retryAfter'; readonly ms: number }
  | { readonly kind: 'blocked'; readonly because: string }

export const settled: Outcome = { kind: 'settled' }

export function retryAfter(ms: number): Outcome {
  return { kind: 'retryAfter', ms }
}

/** An informer and the keys to reconcile when one of its objects changes. */
export interface Trigger {
  readonly informer: { readonly synced: Promise<void> }
  /** Calls `enqueue` with keys from now on; returns a function that ends it. */
  connect(enqueue: (key: string) => void): () => void
}

export function trigger<T extends KubeObject>(informer: Informer<T>, keys: (change: Change<T>) => Iterable<string>): Trigger {
  return {
    informer,
    connect: (enqueue) =>
      informer.onChange((change) => {
        for (const key of keys(change)) enqueue(key)
      }),
  }
}

export interface ControllerDeps {
  readonly clock: Clock
  readonly log: Logger
}

export interface ControllerOptions {
  readonly name: string
  /** What makes keys due. Reconciling starts when all their informers have synced. */
  readonly triggers: readonly Trigger[]
  /** Makes the world as the object of this key wants it. Idempotent; it is told no event. An error is retried with backoff. */
  readonly reconcile: (key: string, context: { readonly signal: AbortSignal }) => Promise<Outcome>
  readonly workers?: number | undefined
  /** A reconcile that takes longer is aborted and retried. */
  readonly reconcileTimeoutMs?: number | undefined
}

const shortestRetryMs = 1

export interface Controller extends Service {
  /** Makes a key due now, or after `afterMs`. */
  enqueue(key: string, afterMs?: number): void
  /** Keys that are due, delayed or being worked on: for tests and metrics. */
  readonly pending: number
}

export function createController(deps: ControllerDeps, options: ControllerOptions): Controller {
  const log = deps.log.with({ controller: options.name })
  const queue = new WorkQueue(deps)
  const timeoutMs = options.reconcileTimeoutMs ?? 60_000

  async function work(key: string, stopping: AbortSignal): Promise<void> {
    const abort = new AbortController()
    const onStop = (): void => abort.abort(stopping.reason)
    stopping.addEventListener('abort', onStop, { once: true })
    const cancel = deps.clock.schedule(() => abort.abort(new Error(`reconciling ${key} took longer than ${timeoutMs} ms`)), timeoutMs)
    try {
      const outcome = await options.reconcile(key, { signal: abort.signal })
      queue.forget(key)
      switch (outcome.kind) {
        case 'settled':
          break
        case 'retryAfter':
          // Never at once: a reconciler that asks for no delay would starve everything else on the event loop.
          queue.addAfter(key, Math.max(shortestRetryMs, outcome.ms))
          break
        case 'blocked':
          log.info('cannot go on until something changes', { object: key, because: outcome.because })
          break
      }
    } catch (error) {
      if (stopping.aborted) return
      queue.addRateLimited(key)
      // A conflict is the normal end of a race: the newer object is on its way to us.
      log[isReason(error, 'Conflict') ? 'debug' : 'warn']('reconciling failed, trying again', { object: key, failures: queue.failures(key), error })
    } finally {
      cancel()
      stopping.removeEventListener('abort', onStop)
      queue.done(key)
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => stopped.resolve(), { once: true })
    if (signal.aborted) stopped.resolve()
    const connections = options.triggers.map((one) => one.connect((key) => queue.add(key)))
    const synced = Promise.all(options.triggers.map((one) => one.informer.synced)).then(() => true)
    const ready = await Promise.race([synced, stopped.promise.then(() => false)])
    async function worker(): Promise<void> {
      for (;;) {
        const key = await queue.take()
        if (key === undefined) return
        await work(key, signal)
      }
    }
    const workers = ready ? Array.from({ length: options.workers ?? 1 }, worker) : []
    await stopped.promise
    for (const disconnect of connections) disconnect()
    queue.shutDown()
    await Promise.all(workers)
  }

  return {
    name: options.name,
    enqueue(key, afterMs = 0) {
      queue.addAfter(key, afterMs)
    },
    get pending() {
      return queue.pending
    },
    start: ({ signal }) => Promise.resolve(runInBackground(run, signal)),
  }
}
