import type { KubeClient } from '@gantry/client'
import type { Ids, Logger } from '@gantry/runtime'
import { platformAdminRole, userKind } from '../api/index.ts'
import type { Identities } from './identities.ts'
import type { Permissions } from './permissions/permissions.ts'
import { initialPasswordFile, type PrivateFiles } from './platform-files.ts'

export const adminName = 'admin'
const passwordBytes = 12

/**
 * Makes the first user when there is none: `admin` with a random password, which is written to the data folder, returned once, and to be changed at the first sign-in. Later calls do nothing.
 * A crash half way through is mended by the next start.
 */
export async function ensureAdmin(deps: {
  readonly identities: Identities
  readonly ids: Ids
  readonly files: PrivateFiles
  readonly log: Logger
}): Promise<string | undefined> {
  const { identities, files } = deps
  if (identities.users.size > 0) {
    const admin = identities.users.get(adminName)
    // The user was made, the password was not: the process died in between.
    if (admin === undefined || (await identities.hasPassword(adminName))) return undefined
    const password = deps.ids.secret(passwordBytes)
    await files.write(initialPasswordFile, `${password}\n`)
    await identities.setPassword(adminName, password, { mustChange: true })
    return password
  }
  const password = deps.ids.secret(passwordBytes)
  await files.write(initialPasswordFile, `${password}\n`)
  await identities.createUser({ name: adminName, role: platformAdminRole, displayName: 'Administrator', password, mustChangePassword: true })
  deps.log.info('the first user was made', { user: adminName })
  return password
}

const rolesBefore = { admin: platformAdminRole, viewer: 'platform-viewer' } as const

/** Users of a platform before AccessRoleBindings had one of two roles: they keep what these gave. */
export async function takeOverRoles(deps: { readonly hub: KubeClient; readonly identities: Identities; readonly permissions: Permissions }): Promise<void> {
  for (const user of deps.identities.users.values()) {
    const { name = '' } = user.metadata
    const before = user.spec.role
    if (before === undefined) continue
    await deps.identities.bindToPlatform(name, rolesBefore[before])
    deps.identities.users.accept(await deps.hub.patch(userKind.ref, { name }, { type: 'merge', body: { spec: { role: null } } }))
  }
}
