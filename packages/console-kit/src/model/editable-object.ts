import type { KubeObject } from '../api/kube-object.ts'

/** Field ownership is the server's book-keeping and longer than the object itself: shown only on request. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _managed, ...metadata } = object.metadata as T['metadata'] & { readonly managedFields?: unknown }
  return { ...object, metadata }
}

/** For comparing two states of an object: without what changes on every write. */
export function forDiff(object: KubeObject): KubeObject {
  const { resourceVersion: _resourceVersion, generation: _generation, ...metadata } = withoutManagedFields(object).metadata
  return { ...withoutManagedFields(object), metadata }
}
