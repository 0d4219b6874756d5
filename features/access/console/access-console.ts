import { lazily, type ConsoleFeature } from '@gantry/console-kit'
import { UserIcon, UsersIcon } from '@gantry/console-kit/icons'
import { accessStrings } from './strings.ts'

const AccountPage = lazily(async () => (await import('./account-page.tsx')).AccountPage)
const UsersPage = lazily(async () => (await import('./users-page.tsx')).UsersPage)

export const accessConsole: ConsoleFeature = {
  name: 'access',
  strings: accessStrings,
  pages: [
    { path: '/users', title: 'access:users.title', nav: { section: 'access', order: 60, icon: UsersIcon }, component: UsersPage },
    { path: '/account', title: 'access:account.title', userMenu: UserIcon, component: AccountPage },
  ],
}
