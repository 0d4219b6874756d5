import { Button, Dialog, ErrorNotice, Field, TextInput, useServices, useWork } from '@gantry/console-kit'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { RecoveryCodes, SecondFactorEnrolment } from '../api/index.ts'
import { CodeInput } from './code-input.tsx'
import { EnrolmentView } from './enrolment-view.tsx'
import { RecoveryCodesView } from './recovery-codes-view.tsx'

const path = '/platform/v1/me/second-factor'

/** Password (not of who has none here), picture, code, recovery codes. */
export function EnrolDialog({ hasPassword, onClose }: { readonly hasPassword: boolean; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  const { api } = useServices()
  const [enrolment, setEnrolment] = useState<SecondFactorEnrolment>()
  const [codes, setCodes] = useState<readonly string[]>()
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const { isBusy, error, run } = useWork()

  function submit(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      if (enrolment === undefined) setEnrolment(await api.json<SecondFactorEnrolment>(path, { method: 'POST', body: hasPassword ? { password } : {} }))
      else setCodes((await api.json<RecoveryCodes>(`${path}/confirm`, { method: 'POST', body: { code: code.trim() } })).recoveryCodes)
    })
  }

  if (codes !== undefined) return <CodesDialog codes={codes} onClose={onClose} />
  return (
    <Dialog
      title={t('factor.setUp')}
      description={t(enrolment !== undefined ? 'factor.scan' : hasPassword ? 'factor.setUpHelp' : 'factor.setUpElsewhereHelp')}
      onClose={onClose}
    >
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        {enrolment === undefined ? (
          hasPassword && <PasswordField value={password} onChange={setPassword} />
        ) : (
          <>
            <EnrolmentView enrolment={enrolment} />
            <Field label={t('code.label')}>
              <CodeInput value={code} onChange={setCode} />
            </Field>
          </>
        )}
        {error !== undefined && <ErrorNotice error={error} title={t('factor.failed')} />}
        <Buttons onClose={onClose}>
          <Button look="primary" type="submit" isBusy={isBusy}>
            {t('step.next')}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  )
}

export interface ProveDialogProps {
  readonly title: string
  readonly description: string
  readonly hasPassword: boolean
  /** Resolves with recovery codes to show, or with nothing. */
  readonly onProved: (proof: { readonly password?: string; readonly code: string }) => Promise<readonly string[] | undefined>
  readonly onClose: () => void
}

/** For what takes the password, of who has one here, and the second factor. */
export function ProveDialog({ title, description, hasPassword, onProved, onClose }: ProveDialogProps) {
  const { t } = useTranslation('access')
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const [codes, setCodes] = useState<readonly string[]>()
  const { isBusy, error, run } = useWork()

  function submit(event: FormEvent): void {
    event.preventDefault()
    void run(async () => {
      const shown = await onProved({ ...(hasPassword ? { password } : {}), code: code.trim() })
      if (shown === undefined) onClose()
      else setCodes(shown)
    })
  }

  if (codes !== undefined) return <CodesDialog codes={codes} onClose={onClose} />
  return (
    <Dialog title={title} description={description} onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-4 pb-3">
        {hasPassword && <PasswordField value={password} onChange={setPassword} />}
        <Field label={t('code.label')} hint={t('code.orRecovery')}>
          <CodeInput value={code} onChange={setCode} />
        </Field>
        {error !== undefined && <ErrorNotice error={error} title={t('factor.failed')} />}
        <Buttons onClose={onClose}>
          <Button look="primary" type="submit" isBusy={isBusy}>
            {title}
          </Button>
        </Buttons>
      </form>
    </Dialog>
  )
}

function CodesDialog({ codes, onClose }: { readonly codes: readonly string[]; readonly onClose: () => void }) {
  const { t } = useTranslation('access')
  return (
    <Dialog
      title={t('factor.title')}
      onClose={onClose}
      footer={
        <Button look="primary" onClick={onClose}>
          {t('recovery.kept')}
        </Button>
      }
    >
      <RecoveryCodesView codes={codes} />
    </Dialog>
  )
}

function PasswordField({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }) {
  const { t } = useTranslation('access')
  return (
    <Field label={t('password.current')}>
      <TextInput required type="password" name="password" autoComplete="current-password" value={value} onChange={(event) => onChange(event.target.value)} />
    </Field>
  )
}

function Buttons({ onClose, children }: { readonly onClose: () => void; readonly children: ReactNode }) {
  const { t } = useTranslation('access')
  return (
    <div className="flex justify-end gap-2">
      <Button onClick={onClose}>{t('cancel')}</Button>
      {children}
    </div>
  )
}
