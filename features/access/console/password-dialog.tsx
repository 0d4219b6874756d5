import { Dialog, ErrorNotice, Field, TextInput, useServices, useToast, useWork, FormActions } from '@gantry/console-kit'
import { useState, type FormEvent } from 'react'
import { useTranslation } from 'react-i18next'
import { NewPassword } from './new-password.tsx'

/** One's own password, for the one there is. */
export function PasswordDialog({ shortest, onClose }: { readonly shortest: number; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const toast = useToast()
  const [password, setPassword] = useState('')
  const [chosen, setChosen] = useState<string>()
  const { isBusy, error, run } = useWork()

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    const isDone = await run(async () => void (await api.json('/platform/v1/me/password', { method: 'POST', body: { password, newPassword: chosen } })))
    if (!isDone) return
    toast('ok', t('password.changed'))
    onClose()
  }

  return (
    <Dialog title={t('password.change')} description={t('password.changeHelp')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4 pb-3">
        <Field label={t('password.current')}>
          <TextInput
            required
            type="password"
            name="password"
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <NewPassword shortest={shortest} onChosen={setChosen} />
        {error !== undefined && <ErrorNotice error={error} title={t('password.failed')} />}
        <FormActions cancel={t('cancel')} submit={t('password.change')} isBusy={isBusy} disabled={chosen === undefined} onCancel={onClose} />
      </form>
    </Dialog>
  )
}
