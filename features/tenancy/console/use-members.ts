import { objectSource, queryKey, useLiveRows, useServices, type ApiError } from '@gantry/console-kit'
import { useMemo } from 'react'
import type { Membership } from '../api/index.ts'
import { membershipType } from './kinds.ts'

export interface Members {
  readonly phase: 'loading' | 'ready' | 'error'
  readonly memberships: readonly Membership[]
  readonly error: ApiError | undefined
}

const forbidden = 403

/** The memberships that stand in namespaces of the hub, live, by namespace. Where the caller may see none there are none. */
export function useMembers(namespaces: readonly string[]): ReadonlyMap<string, Members> {
  const { api } = useServices()
  const live = useLiveRows<Membership>(
    namespaces.map((namespace) => {
      const query = { cluster: undefined, type: membershipType, namespace }
      return {
        name: namespace,
        key: queryKey(query, 'membership'),
        source: () =>
          objectSource<Membership>(api, query, { project: (object) => object as unknown as Membership, keyOf: ({ metadata }) => metadata.name ?? '' }),
      }
    }),
  )
  return useMemo(
    () =>
      new Map(
        [...live.members].map(([namespace, { phase, rows, error }]): [string, Members] => {
          if (error?.code === forbidden) return [namespace, { phase: 'ready', memberships: [], error: undefined }]
          return [namespace, { phase, memberships: [...rows.values()], error: phase === 'error' ? error : undefined }]
        }),
      ),
    [live],
  )
}
