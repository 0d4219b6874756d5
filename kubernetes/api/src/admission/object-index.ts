import type { ApiObject } from '@gantry/apiserver'
import { as } from '../kind.ts'

const none: readonly never[] = []

/** The objects of one kind as the store has them, decoded once when they change: what plug-ins read for every request. Cluster-scoped kinds are in namespace ''. */
export class ObjectIndex<T> {
  readonly #namespaces = new Map<string, Map<string, T>>()
  /** Lists by namespace, made when they are asked for. */
  readonly #lists = new Map<string, readonly T[]>()

  set(object: ApiObject): void {
    const { namespace = '', name } = object.metadata
    let objects = this.#namespaces.get(namespace)
    if (objects === undefined) this.#namespaces.set(namespace, (objects = new Map()))
    objects.set(name, as<T>(object))
    this.#lists.delete(namespace)
  }

  remove(object: ApiObject): void {
    const { namespace = '', name } = object.metadata
    const objects = this.#namespaces.get(namespace)
    if (objects === undefined) return
    objects.delete(name)
    if (objects.size === 0) this.#namespaces.delete(namespace)
    this.#lists.delete(namespace)
  }

  get(namespace: string, name: string): T | undefined {
    return this.#namespaces.get(namespace)?.get(name)
  }

  /** Sorted by name. */
  in(namespace: string): readonly T[] {
    const objects = this.#namespaces.get(namespace)
    if (objects === undefined) return none
    let list = this.#lists.get(namespace)
    if (list === undefined) {
      list = [...objects.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
      this.#lists.set(namespace, list)
    }
    return list
  }
}
