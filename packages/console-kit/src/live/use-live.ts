import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { ApiError } from '../api/api-error.ts'
import type { ObjectRef } from '../api/kube-client.ts'
import type { KubeObject } from '../api/kube-object.ts'
import { useServices } from '../services.tsx'
import type { LiveOptions } from './live-collection.ts'
import type { LiveSource } from './live-source.ts'
import { LiveUnion, type LiveUnionSnapshot } from './live-union.ts'
import { objectSource, queryKey } from './resource-source.ts'

export interface WantedCollection<Row> {
  /** The member's name in the result, usually the cluster's. */
  readonly name: string
  /** Equal keys share one list and watch. */
  readonly key: string
  readonly source: () => LiveSource<Row>
  readonly options?: LiveOptions | undefined
}

export interface LiveRows<Row> extends LiveUnionSnapshot<Row> {
  readonly retry: (name: string) => void
}

const noMembers: LiveUnionSnapshot<never> = { members: new Map() }
const subscribeToNothing = () => () => undefined
const retryNothing = (): void => undefined

/** Several live collections in parallel, each with its own state. They run while a component uses them. */
export function useLiveRows<Row>(wanted: readonly WantedCollection<Row>[]): LiveRows<Row> {
  const { registry } = useServices()
  const [union, setUnion] = useState<LiveUnion<Row>>()
  const id = wanted.map((collection) => collection.key).join('\n')
  useEffect(() => {
    const members = wanted.map((collection) => ({ name: collection.name, collection: registry.acquire(collection.key, collection.source, collection.options) }))
    setUnion(new LiveUnion(members, registry.deps.clock))
    return () => {
      for (const collection of wanted) registry.release(collection.key)
    }
    // oxlint-disable-next-line react/exhaustive-deps -- `id` is `wanted` by value; the array itself is new on every render
  }, [id, registry])
  const snapshot = useSyncExternalStore(union?.subscribe ?? subscribeToNothing, () => union?.snapshot ?? (noMembers as LiveUnionSnapshot<Row>))
  return useMemo(() => ({ members: snapshot.members, retry: union === undefined ? retryNothing : (name: string) => union.retry(name) }), [snapshot, union])
}

export interface LiveObject<T> {
  readonly phase: 'loading' | 'ready' | 'error'
  /** The last state known; stays after a deletion, for reading. */
  readonly object: T | undefined
  readonly isGone: boolean
  readonly error: ApiError | undefined
}

/** One object, followed live. */
export function useLiveObject<T extends KubeObject>(ref: ObjectRef): LiveObject<T> {
  const { api } = useServices()
  const query = { cluster: ref.cluster, type: ref.type, namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` }
  const key = queryKey(query, 'object')
  const live = useLiveRows<T>([
    {
      name: 'object',
      key,
      source: () => objectSource<T>(api, query, { project: (object) => object as T, keyOf: (object) => object.metadata.name ?? '' }),
    },
  ])
  const snapshot = live.members.get('object')
  const current = snapshot?.rows.get(ref.name)
  const [last, setLast] = useState<{ readonly key: string; readonly object: T }>()
  if (current !== undefined && (last?.object !== current || last.key !== key)) setLast({ key, object: current })
  const known = current ?? (last?.key === key ? last.object : undefined)
  return {
    phase: snapshot?.phase ?? 'loading',
    object: known,
    isGone: snapshot?.phase === 'ready' && !snapshot.isPaging && current === undefined,
    error: snapshot?.error,
  }
}
