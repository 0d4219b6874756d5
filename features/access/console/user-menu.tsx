import { Button, Dialog, ErrorNotice, IconButton, lazily, Menu, MenuItem, typeOf, useServices, useToast, useWork } from '@gantry/console-kit'
import { BanIcon, GrantIcon, HelpIcon, MoreIcon, RestartIcon, SecretIcon, SystemThemeIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { userKind, type CreatedUser, type User } from '../api/index.ts'
import { bindingsHref } from './permissions/parts.tsx'
import { PasswordShown } from './password-shown.tsx'

const CredentialsDialog = lazily(async () => (await import('./credentials-dialog.tsx')).CredentialsDialog)

type Change = 'password' | 'resetFactor' | 'unlock' | 'disable' | 'enable'

/** What administrators do about a user. */
export function UserMenu({ user, isLocked }: { readonly user: User; readonly isLocked: boolean }) {
  const { t } = useTranslation('access')
  const [open, setOpen] = useState<Change | 'credentials'>()
  const { name = '' } = user.metadata
  const [, navigate] = useLocation()
  const close = (): void => setOpen(undefined)
  return (
    <>
      <Menu trigger={<IconButton icon={MoreIcon} label={t('users.actionsOf', { name })} />}>
        <MenuItem icon={SystemThemeIcon} onSelect={() => setOpen('credentials')}>
          {t('users.credentials')}
        </MenuItem>
        <MenuItem icon={GrantIcon} onSelect={() => navigate(bindingsHref({ kind: 'User', name }))}>
          {t('grants.ofUser')}
        </MenuItem>
        <MenuItem icon={HelpIcon} onSelect={() => navigate(`/explain?user=${encodeURIComponent(name)}`)}>
          {t('explain.open')}
        </MenuItem>
        {user.spec.identity === undefined && (
          <MenuItem icon={SecretIcon} onSelect={() => setOpen('password')}>
            {t('users.password.title')}
          </MenuItem>
        )}
        {user.status?.secondFactor !== undefined && (
          <MenuItem icon={RestartIcon} onSelect={() => setOpen('resetFactor')}>
            {t('users.resetFactor.title')}
          </MenuItem>
        )}
        {isLocked && (
          <MenuItem icon={RestartIcon} onSelect={() => setOpen('unlock')}>
            {t('users.unlock.title')}
          </MenuItem>
        )}
        <MenuItem icon={BanIcon} onSelect={() => setOpen(user.spec.disabled === true ? 'enable' : 'disable')}>
          {t(user.spec.disabled === true ? 'users.enable.title' : 'users.disable.title')}
        </MenuItem>
      </Menu>
      {open === 'credentials' && <CredentialsDialog user={name} onClose={close} />}
      {open !== undefined && open !== 'credentials' && <ChangeDialog user={name} change={open} onClose={close} />}
    </>
  )
}

function ChangeDialog({ user, change, onClose }: { readonly user: string; readonly change: Change; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api, client } = useServices()
  const toast = useToast()
  const [password, setPassword] = useState<string>()
  const { isBusy, error, run } = useWork()
  const path = `/platform/v1/users/${encodeURIComponent(user)}`

  async function work(): Promise<void> {
    if (change === 'password') return setPassword((await api.json<CreatedUser>(`${path}/password`, { method: 'POST', body: {} })).password)
    if (change === 'resetFactor') await api.json(`${path}/reset-second-factor`, { method: 'POST', body: {} })
    else if (change === 'unlock') await api.json(`${path}/unlock`, { method: 'POST', body: {} })
    else await client.mergePatch({ cluster: undefined, type: typeOf(userKind), name: user }, { spec: { disabled: change === 'disable' ? true : null } })
    toast('ok', t(`users.${change}.done`, { name: user }))
    onClose()
  }

  if (password !== undefined) return <PasswordShown user={user} password={password} onClose={onClose} />
  return (
    <Dialog
      title={t(`users.${change}.title`)}
      description={t(`users.${change}.help`, { name: user })}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button look={change === 'unlock' || change === 'enable' ? 'primary' : 'danger'} isBusy={isBusy} onClick={() => void run(work)}>
            {t(`users.${change}.title`)}
          </Button>
        </>
      }
    >
      {error !== undefined && <ErrorNotice error={error} title={t('users.changeFailed')} />}
    </Dialog>
  )
}
