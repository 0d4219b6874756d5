import { objectSource, queryKey, useLiveRows, useServices, type ApiError } from '@gantry/console-kit'
import { useMemo } from 'react'
import { userKind, type User } from '../api/index.ts'
import { typeOf } from './kind-type.ts'

const query = { cluster: undefined, type: typeOf(userKind) }

/** Every user, live, by name. */
export function useUsers(): { readonly phase: 'loading' | 'ready' | 'error'; readonly users: readonly User[]; readonly error: ApiError | undefined } {
  const { api } = useServices()
  const live = useLiveRows<User>([
    {
      name: 'hub',
      key: queryKey(query, 'user'),
      source: () => objectSource<User>(api, query, { project: (object) => object as User, keyOf: ({ metadata }) => metadata.name ?? '' }),
    },
  ])
  return useMemo(() => {
    const hub = live.members.get('hub')
    const users = [...(hub?.rows.values() ?? [])].sort((left, right) => (left.metadata.name ?? '').localeCompare(right.metadata.name ?? ''))
    return { phase: hub?.phase ?? 'loading', users, error: hub?.phase === 'error' ? hub.error : undefined }
  }, [live])
}
