import { lazily, type ConsoleFeature } from '@gantry/console-kit'
import { ElevationIcon, GrantIcon, GroupIcon, HelpIcon, RoleIcon, UserIcon, UsersIcon } from '@gantry/console-kit/icons'
import { accessRoleBindingKind, accessRoleKind, groupKind, userKind } from '../api/index.ts'
import { permissionKinds } from './permissions/kinds.tsx'
import { accessStrings } from './strings.ts'

const AccountPage = lazily(async () => (await import('./account-page.tsx')).AccountPage)
const UsersPage = lazily(async () => (await import('./users-page.tsx')).UsersPage)
const GroupsPage = lazily(async () => (await import('./permissions/groups-page.tsx')).GroupsPage)
const GroupPage = lazily(async () => (await import('./permissions/group-page.tsx')).GroupPage)
const RolesPage = lazily(async () => (await import('./permissions/roles-page.tsx')).RolesPage)
const BindingsPage = lazily(async () => (await import('./permissions/bindings-page.tsx')).BindingsPage)
const ElevationsPage = lazily(async () => (await import('./permissions/elevations-page.tsx')).ElevationsPage)
const ExplainPage = lazily(async () => (await import('./permissions/explain-page.tsx')).ExplainPage)

export const accessConsole: ConsoleFeature = {
  name: 'access',
  strings: accessStrings,
  pages: [
    {
      path: '/users',
      title: 'access:users.title',
      nav: { section: 'access', order: 60, icon: UsersIcon },
      may: { verb: 'list', type: userKind },
      component: UsersPage,
    },
    {
      path: '/groups',
      title: 'access:groups.title',
      nav: { section: 'access', order: 62, icon: GroupIcon },
      may: { verb: 'list', type: groupKind },
      component: GroupsPage,
    },
    { path: '/groups/:name', title: 'access:groups.title', component: GroupPage },
    {
      path: '/roles',
      title: 'access:roles.title',
      nav: { section: 'access', order: 64, icon: RoleIcon },
      may: { verb: 'list', type: accessRoleKind },
      component: RolesPage,
    },
    {
      path: '/bindings',
      title: 'access:grants.title',
      nav: { section: 'access', order: 66, icon: GrantIcon },
      may: { verb: 'list', type: accessRoleBindingKind },
      component: BindingsPage,
    },
    { path: '/elevations', title: 'access:elevations.title', nav: { section: 'access', order: 68, icon: ElevationIcon }, component: ElevationsPage },
    { path: '/explain', title: 'access:explain.page', nav: { section: 'access', order: 70, icon: HelpIcon }, component: ExplainPage },
    { path: '/account', title: 'access:account.title', userMenu: UserIcon, component: AccountPage },
  ],
  kinds: permissionKinds,
}
