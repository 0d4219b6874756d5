import { useLiveObjects } from '@gantry/console-kit'
import { useMemo } from 'react'
import { groupKind, identityProviderKind, userKind, type Group, type IdentityProvider, type User } from '../../api/index.ts'
import { hubQuery } from '../kind-type.ts'
import { subjectsAs, type GrantSubject } from './grant.ts'
import { groupsOf, type GroupView } from './group.ts'

const usersQuery = hubQuery(userKind)
const groupsQuery = hubQuery(groupKind)
const providersQuery = hubQuery(identityProviderKind)

/** Users by name and every group, as far as the caller may see them. */
export function useSubjects(): { readonly users: readonly User[]; readonly groups: readonly GroupView[] } {
  const users = useLiveObjects<User>(usersQuery)
  const groups = useLiveObjects<Group>(groupsQuery)
  const providers = useLiveObjects<IdentityProvider>(providersQuery)
  return useMemo(
    () => ({ users: users.objects, groups: groupsOf({ groups: groups.objects, users: users.objects, providers: providers.objects }) }),
    [users, groups, providers],
  )
}

/** Keys of a subject and, of a user, of every group it is in. */
export function useSubjectsAs(subject: GrantSubject | undefined): ReadonlySet<string> {
  const { groups } = useSubjects()
  const [kind, name] = [subject?.kind, subject?.name]
  return useMemo(() => subjectsAs(kind === undefined || name === undefined ? undefined : { kind, name }, groups), [kind, name, groups])
}
