import { isReason } from '@gantry/apimachinery'
import { listPages, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import type { Clock, Ids, Logger, Running } from '@gantry/runtime'

export interface ObjectMirrorOptions {
  readonly resource: ResourceRef
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
}

/** `before` is undefined for a new object, `after` for a deleted one. */
export type MirrorListener<T> = (change: { readonly name: string; readonly before: T | undefined; readonly after: T | undefined }) => void

const pageSize = 500
const firstRetryMs = 500
const longestRetryMs = 30_000
// Deleted here before the server says so: a late event must not bring one of these back.
const maxTombstones = 1_000

/**
 * A live copy of a small collection: what the request path needs to know without asking anybody. Lists, watches, and lists again when the watch has lost its
 * place; while the server cannot be reached it keeps what it last knew.
 */
export class ObjectMirror<T extends KubeObject> {
  readonly #deps: { readonly client: KubeClient; readonly clock: Clock; readonly ids: Ids; readonly log: Logger }
  readonly #options: ObjectMirrorOptions
  readonly #objects = new Map<string, T>()
  readonly #listeners = new Set<MirrorListener<T>>()
  readonly #tombstones = new Set<string>()

  constructor(deps: { readonly client: KubeClient; readonly clock: Clock; readonly ids: Ids; readonly log: Logger }, options: ObjectMirrorOptions) {
    this.#deps = deps
    this.#options = options
  }

  get(name: string): T | undefined {
    return this.#objects.get(name)
  }

  values(): IterableIterator<T> {
    return this.#objects.values()
  }

  get size(): number {
    return this.#objects.size
  }

  /** Called with every change from now on, in order. A listener must not throw. */
  onChange(listener: MirrorListener<T>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes over an object this process has just written, before the watch brings it. */
  accept(object: T): void {
    this.#set(object)
  }

  /** Forgets an object this process has just deleted, before the watch says so. */
  forget(name: string): void {
    const object = this.#objects.get(name)
    if (object?.metadata.uid !== undefined) this.#bury(object.metadata.uid)
    this.#remove(name)
  }

  /** Resolves when the first list is here; the copy is then kept live until it is disposed. Rejects when the first list fails. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    const stop = new AbortController()
    const stopSignal = AbortSignal.any([signal, stop.signal])
    const resourceVersion = await this.#list(stopSignal)
    const done = this.#follow(resourceVersion, stopSignal)
    return {
      done,
      async [Symbol.asyncDispose]() {
        stop.abort(new Error('the mirror is stopping'))
        await done
      },
    }
  }

  async #follow(from: string, signal: AbortSignal): Promise<void> {
    let resourceVersion: string | undefined = from
    let failures = 0
    while (!signal.aborted) {
      try {
        resourceVersion ??= await this.#list(signal)
        resourceVersion = await this.#watch(resourceVersion, signal, () => (failures = 0))
      } catch (error) {
        if (signal.aborted) return
        if (isReason(error, 'Expired') || isReason(error, 'Gone')) {
          resourceVersion = undefined
          continue
        }
        const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures++) * (0.75 + this.#deps.ids.random() / 2)
        this.#deps.log.warn('a mirror lost its watch', { resource: this.#options.resource.resource, retryInMs: Math.round(waitMs), error })
        try {
          await this.#deps.clock.sleep(waitMs, { signal })
        } catch {
          return // stopping
        }
        resourceVersion = undefined
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { resource, namespace, labelSelector } = this.#options
    const seen = new Set<string>()
    let resourceVersion = ''
    for await (const { items, metadata } of listPages<T>(this.#deps.client, resource, { namespace, labelSelector, limit: pageSize, signal })) {
      for (const object of items) {
        seen.add(object.metadata.name ?? '')
        this.#set(object)
      }
      resourceVersion = metadata.resourceVersion
    }
    for (const name of this.#objects.keys()) if (!seen.has(name)) this.#remove(name)
    return resourceVersion
  }

  async #watch(from: string, signal: AbortSignal, alive: () => void): Promise<string> {
    const { resource, namespace, labelSelector } = this.#options
    let resourceVersion = from
    for await (const event of this.#deps.client.watch<T>(resource, { namespace, labelSelector, resourceVersion, allowBookmarks: true, signal })) {
      alive()
      resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion
      if (event.type === 'BOOKMARK') continue
      if (event.type === 'DELETED') this.#remove(event.object.metadata.name ?? '')
      else this.#set(event.object)
    }
    return resourceVersion
  }

  #set(object: T): void {
    const { name = '', uid } = object.metadata
    if (uid !== undefined && this.#tombstones.has(uid)) return
    const before = this.#objects.get(name)
    if (before !== undefined && before.metadata.uid === uid && !isNewer(object, before)) return
    this.#objects.set(name, object)
    for (const listener of this.#listeners) listener({ name, before, after: object })
  }

  #remove(name: string): void {
    const before = this.#objects.get(name)
    if (before === undefined) return
    this.#objects.delete(name)
    for (const listener of this.#listeners) listener({ name, before, after: undefined })
  }

  #bury(uid: string): void {
    this.#tombstones.add(uid)
    for (const oldest of this.#tombstones) {
      if (this.#tombstones.size <= maxTombstones) return
      this.#tombstones.delete(oldest)
    }
  }
}

/** Versions of one object can be compared as numbers on every Kubernetes there is (KEP-5504); anything else counts as news. */
function isNewer(object: KubeObject, than: KubeObject): boolean {
  const [a, b] = [object.metadata.resourceVersion, than.metadata.resourceVersion]
  if (a === undefined || b === undefined || !/^\d+$/.test(a) || !/^\d+$/.test(b)) return a !== b
  return a.length === b.length ? a > b : a.length > b.length
}
