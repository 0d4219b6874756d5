import { isReason, unlessGone } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ObjectKey, ResourceRef } from './client.ts'

/**
 * The object at a key, made when there is none: of several who do this at once, one makes it and all get that one. Asked for first, as whoever may read it need not be allowed to make
 * it; `make` is only called when it is missing. What there is may be another's, of other content: the caller judges.
 */
export async function getOrCreate<T extends KubeObject>(
  client: Pick<KubeClient, 'get' | 'create'>,
  options: {
    readonly resource: ResourceRef
    readonly key: ObjectKey
    readonly make: () => T | Promise<T>
    readonly signal?: AbortSignal | undefined
  },
): Promise<T> {
  const { resource, key, make, signal } = options
  const found = await unlessGone(client.get<T>(resource, key, { signal }))
  if (found !== undefined) return found
  const wanted = await make()
  try {
    return await client.create<T>(resource, wanted, { signal })
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
    return client.get<T>(resource, key, { signal })
  }
}
