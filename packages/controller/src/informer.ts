import { isReason, StatusError } from '@gantry/apimachinery'
import { Backoff, turnBudgetOn } from '@gantry/runtime'
import { deepFreeze } from './deep-freeze.ts'
import { keyOf } from './object-key.ts'
import { IndexedStore } from './store.ts'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Clock, Ids, Logger, Running, Service } from '@gantry/runtime'
import type { Indexer, Store } from './store.ts'

export interface InformerDeps {
  readonly client: Pick<KubeClient, 'list' | 'watch'>
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

export interface InformerOptions<T extends KubeObject> {
  readonly resource: ResourceRef
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  /** Keeps only apiVersion, kind and metadata, on the wire too. */
  readonly metadataOnly?: boolean | undefined
  readonly indexers?: Readonly<Record<string, Indexer<T>>> | undefined
  /** Drops what nobody reads, before the object is kept: for memory. */
  readonly trim?: ((object: T) => T) | undefined
}

/** What has happened to one object. A missed deletion (found by listing again) carries the last state that was seen. */
export type Change<T> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'updated'; readonly object: T; readonly old: T }
  | { readonly type: 'deleted'; readonly object: T }

/** A local, indexed copy of a collection that follows the server, without `managedFields`. It survives every failure of the server; `onChange` handlers are called in order. */
export interface Informer<T extends KubeObject> extends Service {
  readonly store: Store<T>
  /** Resolves after the first complete list. */
  readonly synced: Promise<void>
  readonly hasSynced: boolean
  /** Calls `handler` for every change from now on, and with 'added' for every object that is already here. Returns a function that ends it. */
  onChange(handler: (change: Change<T>) => void): () => void
  addIndex(name: string, indexer: Indexer<T>): void
  /** Runs until the signal aborts. Most callers use `start`. */
  run(signal: AbortSignal): Promise<void>
}

// A page is parsed in one slice: 200 pods of 3 KB take 2 ms.
const pageSize = 200
// As upstream's Reflector: 5 to 10 minutes, random, so that watches do not all end together.
const shortestWatchSeconds = 300
// How long after its own deadline a watch may still be silent before it counts as dead.
const watchGraceMs = 30_000

export function createInformer<T extends KubeObject>(deps: InformerDeps, options: InformerOptions<T>): Informer<T> {
  const { resource } = options
  const name = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
  const log = deps.log.with({ informer: name })
  const store = new IndexedStore<T>()
  for (const [index, indexer] of Object.entries(options.indexers ?? {})) store.addIndex(index, indexer)
  const handlers = new Set<(change: Change<T>) => void>()
  const synced = Promise.withResolvers<void>()
  let hasSynced = false
  const scope = {
    namespace: options.namespace,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    metadataOnly: options.metadataOnly,
  }

  function tell(change: Change<T>): void {
    for (const handler of handlers) {
      try {
        handler(change)
      } catch (error) {
        // One reader's bug must not stop the others' view of the world.
        log.error('a change handler failed', { change: change.type, object: keyOf(change.object), error })
      }
    }
  }
  function put(raw: T): void {
    const object = deepFreeze(options.trim === undefined ? withoutManagers(raw) : options.trim(raw))
    const old = store.set(object)
    if (old === undefined) tell({ type: 'added', object })
    else if (old.metadata.uid !== object.metadata.uid) {
      // Deleted and made anew between two looks: for a reader these are two objects.
      tell({ type: 'deleted', object: old })
      tell({ type: 'added', object })
    } else if (old.metadata.resourceVersion !== object.metadata.resourceVersion) tell({ type: 'updated', object, old })
  }
  function drop(key: string, last?: T): void {
    const old = store.delete(key)
    if (old !== undefined) tell({ type: 'deleted', object: last === undefined ? old : deepFreeze(last) })
  }

  /** A list of 10,000 objects, or as many events at once, must not stall every request. */
  const turns = turnBudgetOn(deps.clock)

  /** Brings the store up to the server's state and returns the revision to watch from. */
  async function list(signal: AbortSignal): Promise<string> {
    const gone = new Set(store.keys())
    let next: string | undefined
    for (;;) {
      const page = await deps.client.list<T>(resource, { ...scope, limit: pageSize, continue: next, signal })
      for (const item of page.items) {
        gone.delete(keyOf(item))
        put(item)
        await turns.pause()
      }
      next = page.metadata.continue
      if (next === undefined || next === '') {
        for (const key of gone) drop(key)
        return page.metadata.resourceVersion
      }
    }
  }

  /** Follows the server from a revision until the watch ends; returns the last revision it has seen. */
  async function follow(from: string, signal: AbortSignal, seen: (revision: string) => void): Promise<void> {
    const timeoutSeconds = Math.floor(shortestWatchSeconds * (1 + deps.ids.random()))
    const deadline = new AbortController()
    const stop = (): void => deadline.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const cancel = deps.clock.schedule(
      () => deadline.abort(new StatusError('Timeout', `the watch of ${name} did not end at its deadline`)),
      timeoutSeconds * 1000 + watchGraceMs,
    )
    try {
      const events = deps.client.watch<T>(resource, {
        ...scope,
        resourceVersion: from,
        allowBookmarks: true,
        timeoutSeconds,
        signal: deadline.signal,
      })
      for await (const event of events) {
        if (event.type === 'DELETED') drop(keyOf(event.object), event.object)
        else if (event.type !== 'BOOKMARK') put(event.object)
        const { resourceVersion } = event.object.metadata
        if (resourceVersion !== undefined) seen(resourceVersion)
        await turns.pause()
      }
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(deps, { baseMs: 800, maxMs: 30_000, jitter: 1 })
    let revision: string | undefined
    while (!signal.aborted) {
      const startedMs = deps.clock.monotonicMs()
      let progress = false
      try {
        if (revision === undefined) {
          revision = await list(signal)
          progress = true
          if (!hasSynced) {
            hasSynced = true
            synced.resolve()
          }
        }
        await follow(revision, signal, (next) => {
          revision = next
          progress = true
        })
        // A watch that ends at once, again and again, must not become a hot loop.
        if (progress || deps.clock.monotonicMs() - startedMs > 1000) {
          backoff.reset()
          continue
        }
      } catch (error) {
        if (signal.aborted) return
        if (isReason(error, 'Expired') || isReason(error, 'Gone')) {
          revision = undefined
          log.debug('the revision is too old, listing again')
          if (progress) continue
        } else {
          if (progress) backoff.reset()
          // A member that is down says so every time: the first failure is worth a line, the rest are for debugging.
          log[backoff.failures === 0 ? 'warn' : 'debug']('list or watch failed, trying again', { error })
        }
      }
      try {
        await deps.clock.sleep(backoff.nextMs(), { signal })
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  return {
    name: `informer ${name}`,
    store,
    synced: synced.promise,
    get hasSynced() {
      return hasSynced
    },
    onChange(handler) {
      handlers.add(handler)
      for (const object of store.values()) handler({ type: 'added', object })
      return () => handlers.delete(handler)
    },
    addIndex: (index, indexer) => store.addIndex(index, indexer),
    run,
    start: ({ signal }) => Promise.resolve(runInBackground(run, signal)),
  }
}

/** Who manages which field is the server's business and half of a pod in memory: a write without it changes nothing about it. */
function withoutManagers<T extends KubeObject>(object: T): T {
  const { managedFields, ...metadata } = object.metadata
  return managedFields === undefined ? object : { ...object, metadata }
}

/** A Running over a loop that ends when its signal aborts. */
export function runInBackground(run: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Running {
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  const done = run(stop.signal).finally(() => signal.removeEventListener('abort', onAbort))
  done.catch(() => {}) // whoever supervises awaits `done` itself
  return {
    done,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('stopped'))
      await done
    },
  }
}
