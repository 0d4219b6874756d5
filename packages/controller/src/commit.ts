import { isReason, jsonEqual } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'

export interface CommitOptions<T extends KubeObject> {
  readonly resource: ResourceRef
  /** The object as it was read: its resourceVersion guards the write. */
  readonly object: T
  /** The object as it should be, made from the newest state. Returns its argument, or an equal object, when nothing is to be written. */
  readonly next: (current: T) => T
  readonly signal?: AbortSignal | undefined
  /** Attempts after conflicts; then the Conflict is thrown. */
  readonly attempts?: number | undefined
}

type Writer = Pick<KubeClient, 'get' | 'update'>

/**
 * Writes the status: nothing when it is already so, and again on the newest object after a conflict. Returns the object as it now is, `undefined` when it is gone
 * (or was replaced by another of the same name).
 */
export function commitStatus<T extends KubeObject>(client: Writer, options: CommitOptions<T>): Promise<T | undefined> {
  return commit(client, options, 'status')
}

/** As commitStatus, for spec and metadata. */
export function commitObject<T extends KubeObject>(client: Writer, options: CommitOptions<T>): Promise<T | undefined> {
  return commit(client, options, undefined)
}

async function commit<T extends KubeObject>(client: Writer, options: CommitOptions<T>, subresource: 'status' | undefined): Promise<T | undefined> {
  const { resource, signal, attempts = 5 } = options
  const { uid, namespace, name = '' } = options.object.metadata
  let current = options.object
  for (let attempt = 1; ; attempt++) {
    const next = options.next(current)
    if (next === current || jsonEqual(next, current)) return current
    try {
      return await client.update(resource, next, { subresource, signal })
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      if (!isReason(error, 'Conflict') || attempt >= attempts) throw error
    }
    try {
      current = await client.get<T>(resource, { namespace, name }, { signal })
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
    if (current.metadata.uid !== uid) return undefined
  }
}
