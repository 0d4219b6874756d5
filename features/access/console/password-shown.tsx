import { Button, CopyButton, Dialog } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'

/** A password that was made just now, for whoever hands it on. */
export function PasswordShown({ user, password, onClose }: { readonly user: string; readonly password: string; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  return (
    <Dialog
      title={t('users.passwordOf', { name: user })}
      description={t('users.passwordOnce')}
      onClose={onClose}
      footer={<Button onClick={onClose}>{t('close')}</Button>}
    >
      <p className="flex items-start gap-1">
        <code className="min-w-0 flex-1 rounded-md border border-line bg-canvas p-2 font-mono text-sm break-all">{password}</code>
        <CopyButton text={password} label={t('users.copyPassword')} />
      </p>
    </Dialog>
  )
}
