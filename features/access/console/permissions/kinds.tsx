import { lazily, typeOf, type DetailProps, type KindDefinition } from '@gantry/console-kit'
import { EditIcon, DeleteIcon, CopyIcon, GroupIcon, GrantIcon, RoleIcon, UsersIcon } from '@gantry/console-kit/icons'
import { membershipKind } from '@gantry/tenancy/api'
import { accessRoleBindingKind, accessRoleKind, groupKind, userKind } from '../../api/index.ts'
import { isBuiltin } from './grant.ts'

const RoleSections = lazily<DetailProps>(async () => (await import('./detail-sections.tsx')).RoleSections)
const GrantSection = lazily<DetailProps>(async () => (await import('./detail-sections.tsx')).GrantSection)
const UserGrantsSection = lazily<DetailProps>(async () => (await import('./detail-sections.tsx')).UserGrantsSection)
const EditRoleDialog = lazily(async () => (await import('./role-dialogs.tsx')).EditRoleDialog)
const CopyRoleDialog = lazily(async () => (await import('./role-dialogs.tsx')).CopyRoleDialog)
const RemoveRoleDialog = lazily(async () => (await import('./role-dialogs.tsx')).RemoveRoleDialog)
const RemoveGrantDialog = lazily(async () => (await import('./remove-grant-dialog.tsx')).RemoveGrantDialog)

const removeGrant = { id: 'delete', title: 'access:grants.remove.action', icon: DeleteIcon, tone: 'error', verb: 'delete', dialog: RemoveGrantDialog } as const
const grantSection = { id: 'grant', component: GrantSection }

/** What the pages of objects show of permissions, and do about them. */
export const permissionKinds: readonly KindDefinition[] = [
  {
    type: typeOf(accessRoleKind),
    title: 'access:roles.title',
    icon: RoleIcon,
    listPath: '/roles',
    sections: [{ id: 'role', component: RoleSections }],
    actions: [
      { id: 'edit', title: 'access:roles.edit', icon: EditIcon, verb: 'update', dialog: EditRoleDialog },
      { id: 'copy', title: 'access:roles.copy', icon: CopyIcon, verb: 'create', dialog: CopyRoleDialog },
      { id: 'delete', title: 'access:roles.remove.action', icon: DeleteIcon, tone: 'error', verb: 'delete', dialog: RemoveRoleDialog },
    ],
    readOnly: (object) => (isBuiltin(object) ? 'access:roles.builtinHelp' : undefined),
  },
  {
    type: typeOf(accessRoleBindingKind),
    title: 'access:grants.title',
    icon: GrantIcon,
    listPath: '/bindings',
    sections: [grantSection],
    actions: [removeGrant],
  },
  { type: typeOf(membershipKind), title: 'access:grants.title', icon: GrantIcon, listPath: '/bindings', sections: [grantSection], actions: [removeGrant] },
  { type: typeOf(groupKind), title: 'access:groups.title', icon: GroupIcon, listPath: '/groups' },
  { type: typeOf(userKind), title: 'access:users.title', icon: UsersIcon, listPath: '/users', sections: [{ id: 'grants', component: UserGrantsSection }] },
]
