import type { KubeObject } from '../api/kube-object.ts'

/** As people write it: type, metadata, then the rest. Servers differ in which of the first two leads. */
export function inReadingOrder<T extends KubeObject>(object: T): T {
  const { apiVersion, kind, metadata, ...rest } = object
  // The same fields in another order.
  return { ...(apiVersion === undefined ? {} : { apiVersion }), ...(kind === undefined ? {} : { kind }), metadata, ...rest } as unknown as T
}

/** Field ownership is the server's book-keeping and longer than the object itself: shown only on request. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _managed, ...metadata } = object.metadata as T['metadata'] & { readonly managedFields?: unknown }
  return { ...object, metadata }
}

/** For comparing two states of an object: without what changes on every write, and in the order of the first. */
export function forDiff(object: KubeObject, orderedAs: KubeObject = object): unknown {
  const { resourceVersion: _resourceVersion, generation: _generation, ...metadata } = withoutManagedFields(object).metadata
  return inOrderOf({ ...object, metadata }, inReadingOrder(orderedAs))
}

/** The same value with the keys of its maps in another value's order: an order that changed is no difference. */
function inOrderOf(value: unknown, model: unknown): unknown {
  if (Array.isArray(value)) return value.map((item, index) => inOrderOf(item, Array.isArray(model) ? model[index] : undefined))
  if (!isMap(value)) return value
  const known = isMap(model) ? Object.keys(model).filter((key) => Object.hasOwn(value, key)) : []
  const keys = [...known, ...Object.keys(value).filter((key) => !known.includes(key))]
  return Object.fromEntries(keys.map((key) => [key, inOrderOf(value[key], isMap(model) ? model[key] : undefined)]))
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
