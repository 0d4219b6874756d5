import { useMemo } from 'react'
import type { ApiError } from '../api/api-error.ts'
import type { KubeObject } from '../api/kube-object.ts'
import { useServices } from '../services.tsx'
import { objectSource, queryKey, type ResourceQuery } from './resource-source.ts'
import { useLiveRows } from './use-live.ts'

export interface LiveObjects<T> {
  /** `error`: the objects, if any, are the last ones known. */
  readonly phase: 'loading' | 'ready' | 'error'
  /** By namespace and name. */
  readonly objects: readonly T[]
  readonly error: ApiError | undefined
}

/** Every object of a kind that the caller may see, whole and live; for kinds of which there are few. Nothing is asked for without a query: ready, and empty. */
export function useLiveObjects<T extends Pick<KubeObject, 'metadata'>>(query: ResourceQuery | undefined): LiveObjects<T> {
  const { api } = useServices()
  const isAsked = query !== undefined
  const live = useLiveRows<T>(
    query === undefined
      ? []
      : [
          {
            name: 'objects',
            key: queryKey(query, 'whole'),
            source: () => objectSource<T>(api, query, { project: (object) => object as unknown as T, keyOf }),
          },
        ],
  )
  return useMemo(() => {
    if (!isAsked) return { phase: 'ready', objects: [], error: undefined }
    const found = live.members.get('objects')
    const objects = [...(found?.rows.values() ?? [])].sort((left, right) => keyOf(left).localeCompare(keyOf(right)))
    return { phase: found?.phase ?? 'loading', objects, error: found?.phase === 'error' ? found.error : undefined }
  }, [live, isAsked])
}

function keyOf({ metadata: { namespace, name = '' } }: Pick<KubeObject, 'metadata'>): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}
