import {
  Age,
  Button,
  ErrorNotice,
  Fact,
  Facts,
  Loading,
  PageHeader,
  Section,
  StatusText,
  timestampMs,
  useAnswer,
  useServices,
  useToast,
} from '@gantry/console-kit'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { OwnAccount } from '../api/index.ts'
import { OwnKeys } from './own-keys.tsx'
import { OwnSessions } from './own-sessions.tsx'
import { PasswordDialog } from './password-dialog.tsx'
import { EnrolDialog, ProveDialog } from './second-factor-dialogs.tsx'

export const mePath = '/platform/v1/me'

/** One's own account: how one signs in, where one is signed in, and the keys of one's programs. */
export function AccountPage() {
  const { t } = useTranslation('access')
  const { value: account, error, reload } = useAnswer<OwnAccount>(mePath)
  // A new password ends the other sessions.
  const [changes, setChanges] = useState(0)
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('account.title')} />
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('account.failed')} />}
        {account === undefined && error === undefined && <Loading label={t('account.loading')} />}
        {account !== undefined && (
          <>
            <SignInSection
              account={account}
              onChanged={() => {
                reload()
                setChanges(changes + 1)
              }}
            />
            <OwnSessions key={changes} />
            <OwnKeys />
          </>
        )}
      </div>
    </div>
  )
}

type Open = 'password' | 'enrol' | 'remove' | 'codes'

function SignInSection({ account, onChanged }: { readonly account: OwnAccount; readonly onChanged: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const toast = useToast()
  const [open, setOpen] = useState<Open>()
  const { secondFactor } = account
  const isEnrolled = secondFactor.enrolledTime !== undefined
  const isElsewhere = account.identityProvider !== undefined
  const close = (): void => {
    setOpen(undefined)
    onChanged()
  }
  const factor = isEnrolled
    ? ({ tone: 'ok', text: t('factor.on') } as const)
    : secondFactor.isRequired
      ? ({ tone: 'warn', text: t('factor.required') } as const)
      : ({ tone: 'neutral', text: t('factor.off') } as const)
  return (
    <Section title={t('account.signIn')}>
      <Facts>
        <Fact name={t('account.name')}>{account.displayName === account.name ? account.name : `${account.displayName} (${account.name})`}</Fact>
        <Fact name={t('account.roles')}>{account.roles.length === 0 ? t('account.noRoles') : account.roles.join(', ')}</Fact>
        <Fact name={t('account.groups')}>{account.groups.join(', ')}</Fact>
        {account.identityProvider === undefined ? (
          <Fact name={t('account.passwordChanged')}>
            {account.passwordChangedTime === undefined ? t('account.never') : <Age sinceMs={timestampMs(account.passwordChangedTime)} />}
          </Fact>
        ) : (
          <Fact name={t('account.identityProvider')}>{account.identityProvider}</Fact>
        )}
        <Fact name={t('factor.title')}>
          <StatusText status={factor} />
        </Fact>
        {isEnrolled && <Fact name={t('factor.codesLeft')}>{secondFactor.recoveryCodesLeft}</Fact>}
      </Facts>
      {(account.hasPassword || isElsewhere) && (
        <div className="flex flex-wrap gap-2 border-t border-line px-4 py-3">
          {account.hasPassword && <Button onClick={() => setOpen('password')}>{t('password.change')}</Button>}
          {isEnrolled ? (
            <>
              <Button onClick={() => setOpen('codes')}>{t('factor.newCodes')}</Button>
              <Button onClick={() => setOpen('remove')}>{t('factor.remove')}</Button>
            </>
          ) : (
            <Button look="primary" onClick={() => setOpen('enrol')}>
              {t('factor.setUp')}
            </Button>
          )}
        </div>
      )}
      {open === 'password' && <PasswordDialog shortest={account.shortestPassword} onClose={close} />}
      {open === 'enrol' && <EnrolDialog hasPassword={!isElsewhere} onClose={close} />}
      {(open === 'remove' || open === 'codes') && (
        <ProveDialog
          key={open}
          hasPassword={!isElsewhere}
          title={t(open === 'remove' ? 'factor.remove' : 'factor.newCodes')}
          description={t(open === 'codes' ? 'factor.newCodesHelp' : isElsewhere ? 'factor.removeElsewhereHelp' : 'factor.removeHelp')}
          onProved={async (proof) => {
            if (open === 'codes')
              return (await api.json<{ recoveryCodes: string[] }>(`${mePath}/second-factor/recovery-codes`, { method: 'POST', body: proof })).recoveryCodes
            await api.json(`${mePath}/second-factor/remove`, { method: 'POST', body: proof })
            toast('ok', t('factor.removed'))
            return undefined
          }}
          onClose={close}
        />
      )}
    </Section>
  )
}
