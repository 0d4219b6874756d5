import { randomUUID } from 'node:crypto'

/** A Kubernetes object as far as the fake looks at it. */
export interface FakeObject {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    uid?: string
    resourceVersion?: string
    generation?: number
    creationTimestamp?: string
    deletionTimestamp?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    ownerReferences?: unknown[]
    managedFields?: unknown[]
  }
  [field: string]: unknown
}

export interface FakeColumn {
  readonly name: string
  readonly type: string
  readonly value: (object: FakeObject) => unknown
  readonly priority?: number
}

export interface FakeResource {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  readonly shortNames?: readonly string[]
  readonly subresources?: readonly string[]
  readonly columns?: readonly FakeColumn[]
}

export class FakeStatus extends Error {
  readonly code: number
  readonly reason: string
  readonly causes: readonly { readonly field: string; readonly message: string }[]

  constructor(code: number, reason: string, message: string, causes: FakeStatus['causes'] = []) {
    super(message)
    this.code = code
    this.reason = reason
    this.causes = causes
  }

  toJSON(): unknown {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      code: this.code,
      details: { causes: this.causes },
    }
  }
}

export interface FakeEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: FakeObject
}

/** Events kept for watches that start a little behind. */
const maxHistory = 2_000

type Listener = (event: FakeEvent) => void

/** An in-memory cluster: enough of the Kubernetes API for the console's tests, and nothing a test of the API may rely on. */
export class FakeCluster {
  readonly #resources = new Map<string, FakeResource>()
  readonly #objects = new Map<string, Map<string, FakeObject>>()
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #history: { readonly key: string; readonly event: FakeEvent }[] = []
  #revision = 1_000

  addResource(resource: FakeResource): void {
    const key = resourceKey(resource)
    this.#resources.set(key, resource)
    if (!this.#objects.has(key)) this.#objects.set(key, new Map())
  }

  get resources(): readonly FakeResource[] {
    return [...this.#resources.values()]
  }

  get revision(): string {
    return String(this.#revision)
  }

  find(group: string, version: string, plural: string): FakeResource {
    const resource = this.#resources.get(`${group}/${version}/${plural}`)
    if (resource === undefined) throw new FakeStatus(404, 'NotFound', 'the server could not find the requested resource')
    return resource
  }

  list(resource: FakeResource, namespace: string | undefined): readonly FakeObject[] {
    const all = [...this.#map(resource).values()]
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace)
  }

  get(resource: FakeResource, namespace: string | undefined, name: string): FakeObject {
    const object = this.#map(resource).get(`${namespace ?? ''}/${name}`)
    if (object === undefined) throw new FakeStatus(404, 'NotFound', `${resourceName(resource)} "${name}" not found`)
    return object
  }

  /** Stores an object that is there already as far as readers can tell: nobody is told. */
  seed(resource: FakeResource, object: FakeObject): FakeObject {
    const stored = this.#stamp(object)
    this.#map(resource).set(objectKey(stored), stored)
    return stored
  }

  create(resource: FakeResource, object: FakeObject, dryRun: boolean): FakeObject {
    validate(resource, object)
    if (this.#map(resource).has(objectKey(object)))
      throw new FakeStatus(409, 'AlreadyExists', `${resourceName(resource)} "${object.metadata.name}" already exists`)
    const stored = this.#stamp(object)
    return dryRun ? stored : this.#commit(resource, 'ADDED', stored)
  }

  replace(resource: FakeResource, object: FakeObject, dryRun: boolean): FakeObject {
    const current = this.get(resource, object.metadata.namespace, object.metadata.name)
    const asked = object.metadata.resourceVersion
    if (asked !== undefined && asked !== current.metadata.resourceVersion) {
      throw new FakeStatus(
        409,
        'Conflict',
        `Operation cannot be fulfilled on ${resourceName(resource)} "${object.metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
      )
    }
    validate(resource, object)
    const next: FakeObject = {
      ...object,
      metadata: {
        ...object.metadata,
        ...(current.metadata.uid === undefined ? {} : { uid: current.metadata.uid }),
        ...(current.metadata.creationTimestamp === undefined ? {} : { creationTimestamp: current.metadata.creationTimestamp }),
        generation: (current.metadata.generation ?? 1) + 1,
      },
      ...(current['status'] === undefined ? {} : { status: object['status'] ?? current['status'] }),
    }
    return dryRun ? next : this.#commit(resource, 'MODIFIED', next)
  }

  /** Changes what a controller would. */
  patch(resource: FakeResource, namespace: string | undefined, name: string, patch: unknown): FakeObject {
    const current = this.get(resource, namespace, name)
    const { resourceVersion: _old, ...metadata } = current.metadata
    return this.replace(resource, mergePatch({ ...current, metadata }, patch) as FakeObject, false)
  }

  delete(resource: FakeResource, namespace: string | undefined, name: string): FakeObject {
    const object = this.get(resource, namespace, name)
    this.#map(resource).delete(objectKey(object))
    return this.#commit(resource, 'DELETED', object)
  }

  /** Tells everything after a revision, then what comes. */
  watch(resource: FakeResource, after: number, listener: Listener): () => void {
    const key = resourceKey(resource)
    for (const past of this.#history) if (past.key === key && Number(past.event.object.metadata.resourceVersion) > after) listener(past.event)
    const listeners = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  #commit(resource: FakeResource, type: FakeEvent['type'], object: FakeObject): FakeObject {
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } }
    if (type !== 'DELETED') this.#map(resource).set(objectKey(next), next)
    const key = resourceKey(resource)
    this.#history.push({ key, event: { type, object: next } })
    if (this.#history.length > maxHistory) this.#history.shift()
    for (const listener of this.#listeners.get(key) ?? []) listener({ type, object: next })
    return next
  }

  #stamp(object: FakeObject): FakeObject {
    return {
      ...object,
      metadata: {
        generation: 1,
        uid: randomUUID(),
        creationTimestamp: new Date().toISOString(),
        ...object.metadata,
        resourceVersion: String(++this.#revision),
      },
    }
  }

  #map(resource: FakeResource): Map<string, FakeObject> {
    const map = this.#objects.get(resourceKey(resource))
    if (map === undefined) throw new FakeStatus(404, 'NotFound', 'the server could not find the requested resource')
    return map
  }
}

export function resourceKey(resource: Pick<FakeResource, 'group' | 'version' | 'plural'>): string {
  return `${resource.group}/${resource.version}/${resource.plural}`
}

function resourceName(resource: FakeResource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

function objectKey(object: FakeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

/** One rule of upstream's validation, so that the console has a real field error to show. */
function validate(resource: FakeResource, object: FakeObject): void {
  const replicas = (object['spec'] as { replicas?: unknown } | undefined)?.replicas
  if (typeof replicas === 'number' && replicas < 0) {
    const cause = { field: 'spec.replicas', message: `Invalid value: ${replicas}: must be greater than or equal to 0` }
    throw new FakeStatus(422, 'Invalid', `${resource.kind}.${resource.group} "${object.metadata.name}" is invalid: ${cause.field}: ${cause.message}`, [cause])
  }
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}
