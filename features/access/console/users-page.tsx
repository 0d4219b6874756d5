import {
  Age,
  Button,
  classNames,
  Empty,
  ErrorNotice,
  lazily,
  Loading,
  PageHeader,
  StatusText,
  TableLink,
  timestampMs,
  useLiveObjects,
  useNow,
} from '@gantry/console-kit'
import { PlusIcon, UsersIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { userKind, type User } from '../api/index.ts'
import { hubHref, hubQuery } from './kind-type.ts'
import { UserMenu } from './user-menu.tsx'
import { userState } from './user-state.ts'

const CreateUserDialog = lazily(async () => (await import('./create-user-dialog.tsx')).CreateUserDialog)

const usersQuery = hubQuery(userKind)

/** Everybody who may sign in, and what there is to be done about them. */
export function UsersPage() {
  const { t } = useTranslation('access')
  const { phase, objects: users, error } = useLiveObjects<User>(usersQuery)
  const [isCreating, setCreating] = useState(false)
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('users.title')} note={<span className="text-sm text-muted">{t('users.count', { count: users.length })}</span>}>
        <Button look="primary" icon={PlusIcon} onClick={() => setCreating(true)}>
          {t('users.create')}
        </Button>
      </PageHeader>
      <div className="flex flex-col gap-3 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('users.failed')} />}
        {phase === 'loading' && <Loading label={t('users.loading')} />}
        {phase === 'ready' && users.length === 0 && <Empty icon={UsersIcon} title={t('users.none')} />}
        {users.length > 0 && <UserTable users={users} />}
      </div>
      {isCreating && <CreateUserDialog onClose={() => setCreating(false)} />}
    </div>
  )
}

const head = 'px-3 py-2 text-left text-xs font-semibold text-muted'
const cell = 'px-3 py-2 align-top'
const wide = 'hidden lg:table-cell'
const medium = 'hidden sm:table-cell'

function UserTable({ users }: { readonly users: readonly User[] }) {
  const { t } = useTranslation('access')
  return (
    <div className="rounded-lg border border-line bg-panel">
      <table className="w-full table-fixed text-sm" aria-label={t('users.title')}>
        <thead>
          <tr className="border-b border-line">
            <th className={classNames(head, 'w-2/5 pl-4 lg:w-1/4')}>{t('users.name')}</th>
            <th className={classNames(head, 'lg:w-60')}>{t('users.state')}</th>
            <th className={classNames(head, medium)}>{t('factor.title')}</th>
            <th className={classNames(head, wide)}>{t('users.account')}</th>
            <th className={classNames(head, wide, 'w-32')}>{t('users.lastLogin')}</th>
            <th className="w-12 pr-2">
              <span className="sr-only">{t('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <UserRow key={user.metadata.name} user={user} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function UserRow({ user }: { readonly user: User }) {
  const { t } = useTranslation('access')
  const { name = '' } = user.metadata
  const { displayName, identity } = user.spec
  const nowMs = useNow()
  const { tone, word } = userState(user, nowMs)
  const lastLogin = user.status?.lastLoginTime
  const text =
    word === 'locked' ? t('users.states.locked', { until: new Date(user.status?.lockedUntilTime ?? '').toLocaleTimeString() }) : t(`users.states.${word}`)
  return (
    <tr className="border-b border-line/60 last:border-0 hover:bg-hover">
      <td className={classNames(cell, 'pl-4')}>
        <TableLink href={hubHref(userKind, name)}>{displayName ?? name}</TableLink>
        {displayName !== undefined && <span className="block truncate text-xs text-muted">{name}</span>}
      </td>
      <td className={cell}>
        <StatusText status={{ tone, text }} />
      </td>
      <td className={classNames(cell, medium)}>{t(user.status?.secondFactor === undefined ? 'factor.off' : 'factor.on')}</td>
      <td className={classNames(cell, wide, 'truncate')}>{identity === undefined ? t('users.local') : identity.provider}</td>
      <td className={classNames(cell, wide)}>{lastLogin === undefined ? t('account.never') : <Age sinceMs={timestampMs(lastLogin)} />}</td>
      <td className="py-1 pr-2 text-right align-top">
        <UserMenu user={user} isLocked={word === 'locked'} />
      </td>
    </tr>
  )
}
