import { keyOf } from './object-key.ts'
import type { KubeObject } from '@gantry/client'

/** Values of an object in an index: what it is found by. */
export type Indexer<T> = (object: T) => readonly string[]

/** Read access to an informer's objects. They are frozen and shared: what you change is a copy. */
export interface Store<T extends KubeObject> {
  /** By `namespace/name`, or `name`. */
  get(key: string): T | undefined
  values(): IterableIterator<T>
  readonly size: number
  /** Objects that `index` files under `value`. Throws on an index that was not declared. */
  byIndex(index: string, value: string): readonly T[]
}

/** The index every informer has: by namespace, '' for cluster-scoped objects. */
export const namespaceIndex = 'namespace'

export class IndexedStore<T extends KubeObject> implements Store<T> {
  readonly #objects = new Map<string, T>()
  readonly #indexers = new Map<string, Indexer<T>>()
  readonly #indices = new Map<string, Map<string, Map<string, T>>>()

  constructor() {
    this.addIndex(namespaceIndex, (object) => [object.metadata.namespace ?? ''])
  }

  get size(): number {
    return this.#objects.size
  }

  /** Declares an index; declaring the same function again does nothing. Objects that are already here are filed. */
  addIndex(name: string, indexer: Indexer<T>): void {
    const known = this.#indexers.get(name)
    if (known === indexer) return
    if (known !== undefined) throw new Error(`the index ${name} exists with another function`)
    this.#indexers.set(name, indexer)
    const index = new Map<string, Map<string, T>>()
    this.#indices.set(name, index)
    for (const [key, object] of this.#objects) file(index, { values: indexer(object), key, object })
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  values(): IterableIterator<T> {
    return this.#objects.values()
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys()
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indices.get(name)
    if (index === undefined) throw new Error(`there is no index ${name}`)
    const found = index.get(value)
    return found === undefined ? [] : [...found.values()]
  }

  /** Puts an object and returns the one it replaces. */
  set(object: T): T | undefined {
    const key = keyOf(object)
    const old = this.#objects.get(key)
    if (old !== undefined) this.#unfile(key, old)
    this.#objects.set(key, object)
    for (const [name, indexer] of this.#indexers) {
      const index = this.#indices.get(name)
      if (index !== undefined) file(index, { values: indexer(object), key, object })
    }
    return old
  }

  delete(key: string): T | undefined {
    const old = this.#objects.get(key)
    if (old === undefined) return undefined
    this.#objects.delete(key)
    this.#unfile(key, old)
    return old
  }

  #unfile(key: string, object: T): void {
    for (const [name, indexer] of this.#indexers) {
      const index = this.#indices.get(name)
      for (const value of indexer(object)) {
        const filed = index?.get(value)
        if (filed?.delete(key) === true && filed.size === 0) index?.delete(value)
      }
    }
  }
}

function file<T>(index: Map<string, Map<string, T>>, entry: { readonly values: readonly string[]; readonly key: string; readonly object: T }): void {
  for (const value of entry.values) {
    let filed = index.get(value)
    if (filed === undefined) {
      filed = new Map()
      index.set(value, filed)
    }
    filed.set(entry.key, entry.object)
  }
}
