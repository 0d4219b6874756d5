import { localClusterName } from '@gantry/clusters/api'
import { useLiveObjects, type ApiError } from '@gantry/console-kit'
import { baseRow } from '@gantry/console-kit/model'
import { membershipKind, type Membership } from '@gantry/tenancy/api'
import { useMemo } from 'react'
import { accessRoleBindingKind, type AccessRoleBinding } from '../../api/index.ts'
import { hubQuery } from '../kind-type.ts'
import { grantOfBinding, grantOfMembership, type Grant } from './grant.ts'

const bindingsQuery = hubQuery(accessRoleBindingKind)
const membershipsQuery = hubQuery(membershipKind)

export interface Grants {
  readonly phase: 'loading' | 'ready'
  readonly grants: readonly Grant[]
  /** Of what could not be read. */
  readonly errors: readonly ApiError[]
}

/** Every role that is given to somebody, as far as the caller may see it, live. */
export function useGrants(): Grants {
  const bindings = useLiveObjects<AccessRoleBinding>(bindingsQuery)
  const memberships = useLiveObjects<Membership>(membershipsQuery)
  return useMemo(() => {
    const grants = [
      ...bindings.objects.map((object) => grantOfBinding(object, baseRow(`${localClusterName}/${accessRoleBindingKind.plural}`, object))),
      ...memberships.objects.flatMap((object) => grantOfMembership(object, baseRow(`${localClusterName}/${membershipKind.plural}`, object)) ?? []),
    ]
    const isLoading = bindings.phase === 'loading' || memberships.phase === 'loading'
    return { phase: isLoading ? 'loading' : 'ready', grants, errors: [bindings.error, memberships.error].filter((error) => error !== undefined) }
  }, [bindings, memberships])
}
