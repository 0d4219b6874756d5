import type { UserInfo } from '@gantry/runtime'
import type { AccessQuestion } from './permission-index.ts'
import type { Permissions } from './permissions.ts'

/** What an API server in this process asks its authorizers. */
export interface Attributes extends Omit<AccessQuestion, 'cluster'> {
  readonly user: UserInfo
}

/**
 * The permissions as an authorizer of an API server in this process (the hub): for identities that this platform has proved, and for nobody who is only called like one of them. A
 * list that may be seen in part is allowed: it leaves through the gateway, which filters it. The permissions are there later than the server.
 */
export function platformAuthorizer(cluster: string): {
  permissions: Permissions | undefined
  readonly authorize: (attributes: Attributes) => { readonly allowed: boolean; readonly reason: string }
} {
  const authorizer = {
    permissions: undefined as Permissions | undefined,
    authorize: ({ user, ...asked }: Attributes) => {
      const subject = authorizer.permissions?.subjectOfInfo(user)
      if (authorizer.permissions === undefined || subject === undefined) return { allowed: false, reason: '' }
      const { allowed, reason } = authorizer.permissions.index.decide(subject, { ...asked, cluster })
      return { allowed, reason: allowed ? reason : '' }
    },
  }
  return authorizer
}
