import { applyMergePatch, jsonEqual, parseFieldSelector, parseLabelSelector, StatusError } from '@gantry/apimachinery'
import { keyOf, objectKey } from '../object-key.ts'
import { timestamp } from '../conditions.ts'
import type {
  CallOptions,
  DeleteCallOptions,
  KubeClient,
  KubeList,
  KubeObject,
  ListOptions,
  ObjectKey,
  ResourceRef,
  WatchEvent,
  WriteOptions,
} from '@gantry/client'
import type { Clock } from '@gantry/runtime'

interface Logged {
  readonly revision: number
  readonly resource: string
  readonly event: WatchEvent<KubeObject>
}

/** A write as it arrived, for tests that count what a controller asks for. */
export interface FakeWrite {
  readonly verb: 'create' | 'update' | 'patch' | 'delete'
  readonly resource: string
  readonly name: string
  readonly subresource?: string | undefined
  readonly body?: unknown
}

/**
 * A Kubernetes API in memory, for tests of controllers: revisions, conflicts, status split, finalizers, graceful pod deletion, selectors, list and watch with history.
 * It knows no schema: no defaulting, no validation, strategic patches are merged like JSON merge patches.
 */
export class FakeApi implements KubeClient {
  readonly writes: FakeWrite[] = []
  readonly #clock: Clock
  readonly #collections = new Map<string, Map<string, KubeObject>>()
  readonly #history: Logged[] = []
  readonly #wakes = new Set<() => void>()
  #revision = 0
  #ids = 0
  /** Called before each request; throw to make it fail. */
  intercept: ((verb: string, resource: ResourceRef, object: KubeObject | ObjectKey | undefined) => void) | undefined
  /** Serves what `request` is asked; 404 when absent. */
  serve: KubeClient['request'] = () => Promise.resolve({ status: 404, headers: {}, body: '404 page not found' })
  /** Subresources with a meaning of their own: return the object to store. */
  readonly subresources = new Map<string, (object: KubeObject, body: KubeObject) => KubeObject>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Objects as they are now. */
  all<T extends KubeObject>(resource: ResourceRef): T[] {
    return [...this.#collection(resource).values()].map((object) => structuredClone(object) as T)
  }

  find<T extends KubeObject>(resource: ResourceRef, name: string, namespace?: string): T | undefined {
    const object = this.#collection(resource).get(objectKey(namespace, name))
    return object === undefined ? undefined : (structuredClone(object) as T)
  }

  async get<T extends KubeObject>(resource: ResourceRef, key: ObjectKey): Promise<T> {
    this.intercept?.('get', resource, key)
    return structuredClone(this.#must(resource, key)) as T
  }

  async list<T extends KubeObject>(resource: ResourceRef, options: ListOptions = {}): Promise<KubeList<T>> {
    this.intercept?.('list', resource, undefined)
    options.signal?.throwIfAborted()
    const matches = matcher(options)
    const items = [...this.#collection(resource).values()].filter(matches).map((object) => structuredClone(object) as T)
    return { apiVersion: 'v1', kind: `${resource.kind}List`, metadata: { resourceVersion: String(this.#revision) }, items }
  }

  async create<T extends KubeObject>(resource: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    this.intercept?.('create', resource, object)
    if (options.subresource !== undefined) {
      this.#log('create', resource, { name: object.metadata.name ?? '', subresource: options.subresource, body: object })
      const act = this.subresources.get(`${resource.resource}/${options.subresource}`)
      if (act === undefined) throw new StatusError('NotFound', `no subresource ${options.subresource}`)
      this.#store(resource, act(structuredClone(this.#must(resource, object.metadata as ObjectKey)), object))
      return object
    }
    const made = structuredClone(object)
    const { metadata } = made
    if (metadata.name === undefined && metadata.generateName !== undefined)
      metadata.name = `${metadata.generateName}${(++this.#ids).toString(36).padStart(5, '0')}`
    this.#log('create', resource, { name: metadata.name ?? '', body: object })
    const collection = this.#collection(resource)
    if (collection.has(keyOf(made))) throw new StatusError('AlreadyExists', `${resource.resource} "${metadata.name}" already exists`)
    metadata.uid = `uid-${++this.#ids}`
    metadata.creationTimestamp = timestamp(this.#clock.now())
    metadata.generation = 1
    return this.#store(resource, made) as T
  }

  async update<T extends KubeObject>(resource: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    this.intercept?.('update', resource, object)
    const { name = '', namespace } = object.metadata
    this.#log('update', resource, { name, subresource: options.subresource, body: object })
    const current = this.#must(resource, { name, namespace })
    if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== current.metadata.resourceVersion) throw conflict(resource, name)
    if (object.metadata.uid !== undefined && object.metadata.uid !== current.metadata.uid) throw conflict(resource, name)
    return this.#write(resource, current, structuredClone(object), options.subresource) as T
  }

  async patch<T extends KubeObject>(
    resource: ResourceRef,
    key: ObjectKey,
    patch: { readonly type: string; readonly body: unknown; readonly force?: boolean | undefined } & WriteOptions,
  ): Promise<T> {
    this.intercept?.('patch', resource, key)
    this.#log('patch', resource, { name: key.name, subresource: patch.subresource, body: patch.body })
    const current = this.#must(resource, key)
    const asked: unknown = (patch.body as { metadata?: { uid?: string; resourceVersion?: string } }).metadata?.uid
    if (asked !== undefined && asked !== current.metadata.uid) throw conflict(resource, key.name)
    const next = applyMergePatch(structuredClone(current) as never, patch.body as never) as unknown as T
    return this.#write(resource, current, next, patch.subresource) as T
  }

  async delete(resource: ResourceRef, key: ObjectKey, options: DeleteCallOptions = {}): Promise<void> {
    this.intercept?.('delete', resource, key)
    this.#log('delete', resource, { name: key.name, body: options })
    const current = this.#must(resource, key)
    if (options.preconditions?.uid !== undefined && options.preconditions.uid !== current.metadata.uid) throw conflict(resource, key.name)
    if (options.preconditions?.resourceVersion !== undefined && options.preconditions.resourceVersion !== current.metadata.resourceVersion) {
      throw conflict(resource, key.name)
    }
    const next = structuredClone(current)
    const finalizers = new Set(next.metadata.finalizers)
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion')
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan')
    if (finalizers.size > 0) next.metadata.finalizers = [...finalizers]
    const scheduled = (next as { spec?: { nodeName?: string } }).spec?.nodeName !== undefined && resource.resource === 'pods'
    const graceSeconds = scheduled ? (options.gracePeriodSeconds ?? 30) : 0
    if (finalizers.size === 0 && graceSeconds === 0) {
      this.#remove(resource, current)
      return
    }
    if (next.metadata.deletionTimestamp === undefined) {
      next.metadata.deletionTimestamp = timestamp(new Date(this.#clock.now().getTime() + graceSeconds * 1000))
      next.metadata.deletionGracePeriodSeconds = graceSeconds
    }
    if (!jsonEqual(next, current)) this.#store(resource, next)
  }

  async *watch<T extends KubeObject>(resource: ResourceRef, options: ListOptions): AsyncGenerator<WatchEvent<T>, void> {
    this.intercept?.('watch', resource, undefined)
    const matches = matcher(options)
    let at = Number(options.resourceVersion ?? 0)
    let index = this.#history.findIndex((entry) => entry.revision > at)
    if (index === -1) index = this.#history.length
    const { signal } = options
    for (;;) {
      signal?.throwIfAborted()
      const entry = this.#history[index]
      if (entry !== undefined) {
        index++
        at = entry.revision
        if (entry.resource !== idOf(resource) || entry.event.type === 'BOOKMARK' || !matches(entry.event.object)) continue
        yield structuredClone(entry.event) as WatchEvent<T>
        continue
      }
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wakes.add(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
      await promise
      this.#wakes.delete(resolve)
    }
  }

  request(request: Parameters<KubeClient['request']>[0] & CallOptions): ReturnType<KubeClient['request']> {
    return this.serve(request)
  }

  #collection(resource: ResourceRef): Map<string, KubeObject> {
    const id = idOf(resource)
    let collection = this.#collections.get(id)
    if (collection === undefined) {
      collection = new Map()
      this.#collections.set(id, collection)
    }
    return collection
  }

  #must(resource: ResourceRef, key: ObjectKey): KubeObject {
    const object = this.#collection(resource).get(objectKey(key.namespace, key.name))
    if (object === undefined) throw new StatusError('NotFound', `${resource.resource} "${key.name}" not found`)
    return object
  }

  #write(resource: ResourceRef, current: KubeObject, next: KubeObject, subresource: string | undefined): KubeObject {
    const { uid, creationTimestamp, resourceVersion } = current.metadata
    const before = current as { status?: unknown; spec?: unknown }
    const after = next as { status?: unknown; spec?: unknown }
    let merged: KubeObject
    if (subresource === 'status') merged = { ...current, ...('status' in after ? { status: after.status } : {}) } as KubeObject
    else merged = { ...next, ...('status' in before ? { status: before.status } : {}) } as KubeObject
    if (!('status' in before) && subresource !== 'status') delete (merged as { status?: unknown }).status
    merged.metadata = { ...merged.metadata, ...(uid === undefined ? {} : { uid }), ...(creationTimestamp === undefined ? {} : { creationTimestamp }) }
    if (resourceVersion !== undefined) merged.metadata.resourceVersion = resourceVersion
    if (subresource === undefined && !jsonEqual(before.spec, after.spec)) merged.metadata.generation = (current.metadata.generation ?? 1) + 1
    if (jsonEqual(merged, current)) return structuredClone(current)
    if (merged.metadata.deletionTimestamp !== undefined && (merged.metadata.finalizers ?? []).length === 0 && resource.resource !== 'pods') {
      this.#remove(resource, merged)
      return structuredClone(merged)
    }
    return this.#store(resource, merged)
  }

  #store(resource: ResourceRef, object: KubeObject): KubeObject {
    const collection = this.#collection(resource)
    const type = collection.has(keyOf(object)) ? 'MODIFIED' : 'ADDED'
    object.metadata.resourceVersion = String(++this.#revision)
    collection.set(keyOf(object), object)
    this.#publish(resource, { type, object: structuredClone(object) })
    return structuredClone(object)
  }

  #remove(resource: ResourceRef, object: KubeObject): void {
    this.#collection(resource).delete(keyOf(object))
    const last = structuredClone(object)
    last.metadata.resourceVersion = String(++this.#revision)
    this.#publish(resource, { type: 'DELETED', object: last })
  }

  #publish(resource: ResourceRef, event: WatchEvent<KubeObject>): void {
    this.#history.push({ revision: this.#revision, resource: idOf(resource), event })
    for (const wake of this.#wakes) wake()
  }

  #log(verb: FakeWrite['verb'], resource: ResourceRef, rest: Omit<FakeWrite, 'verb' | 'resource'>): void {
    this.writes.push({ verb, resource: resource.resource, ...structuredClone(rest) })
  }
}

function idOf(resource: ResourceRef): string {
  return `${resource.resource}.${resource.group}`
}

function conflict(resource: ResourceRef, name: string): StatusError {
  return new StatusError(
    'Conflict',
    `Operation cannot be fulfilled on ${resource.resource} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
  )
}

function matcher(options: ListOptions): (object: KubeObject) => boolean {
  const labels = options.labelSelector === undefined ? undefined : parseLabelSelector(options.labelSelector)
  const fields = options.fieldSelector === undefined ? undefined : parseFieldSelector(options.fieldSelector)
  return (object) =>
    (options.namespace === undefined || object.metadata.namespace === options.namespace) &&
    (labels === undefined || labels.matches(object.metadata.labels)) &&
    (fields === undefined || fields.matches((field) => fieldOf(object, field)))
}

function fieldOf(object: KubeObject, path: string): string {
  let value: unknown = object
  for (const part of path.split('.')) value = typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
  return typeof value === 'string' ? value : ''
}
