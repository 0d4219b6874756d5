import { Button, Field, TextInput } from '@gantry/console-kit'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { LoginAnswer, LoginStepRequest } from '../api/index.ts'
import { EnrolmentView } from './enrolment-view.tsx'

export interface SignInStepProps {
  readonly step: Extract<LoginAnswer, { readonly next: string }>
  readonly isBusy: boolean
  readonly onSubmit: (given: Omit<LoginStepRequest, 'ticket'>) => void
  readonly onBeginAgain: () => void
  /** What went wrong. */
  readonly children: ReactNode
}

/** What is asked for after the password. */
export function SignInStep({ step, isBusy, onSubmit, onBeginAgain, children }: SignInStepProps) {
  const { t } = useTranslation('access')
  const [given, setGiven] = useState('')
  const [repeated, setRepeated] = useState('')
  const isPassword = step.next === 'changePassword'
  const differs = isPassword && repeated !== '' && repeated !== given

  function submit(event: FormEvent): void {
    event.preventDefault()
    onSubmit(isPassword ? { newPassword: given } : { code: given.trim() })
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-5">
      <div>
        <h2 className="text-base font-semibold">{t(`step.${step.next}.title`)}</h2>
        <p className="mt-1 text-sm text-muted">{t(`step.${step.next}.help`)}</p>
      </div>
      {step.enrolment !== undefined && <EnrolmentView enrolment={step.enrolment} />}
      {isPassword ? (
        <>
          <Field label={t('password.new')} hint={t('password.rules')}>
            <TextInput
              // oxlint-disable-next-line jsx-a11y/no-autofocus -- the step has one field
              autoFocus
              required
              type="password"
              name="new-password"
              autoComplete="new-password"
              value={given}
              onChange={(event) => setGiven(event.target.value)}
              className="h-10"
            />
          </Field>
          <Field label={t('password.repeat')} error={differs ? t('password.differs') : undefined}>
            <TextInput
              required
              type="password"
              name="repeated-password"
              autoComplete="new-password"
              value={repeated}
              onChange={(event) => setRepeated(event.target.value)}
              className="h-10"
            />
          </Field>
        </>
      ) : (
        <Field label={t('code.label')} hint={step.next === 'secondFactor' ? t('code.orRecovery') : undefined}>
          <CodeInput value={given} onChange={setGiven} className="h-10" />
        </Field>
      )}
      {children}
      <Button look="primary" type="submit" isBusy={isBusy} disabled={isPassword && given !== repeated} className="h-10">
        {t('step.next')}
      </Button>
      <Button look="quiet" onClick={onBeginAgain}>
        {t('step.beginAgain')}
      </Button>
    </form>
  )
}

/** For the code of an app, or a recovery code. */
export function CodeInput({
  value,
  onChange,
  className,
  ...rest
}: {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly className?: string
  readonly id?: string
}) {
  return (
    <TextInput
      {...rest}
      // oxlint-disable-next-line jsx-a11y/no-autofocus -- the step has one field
      autoFocus
      required
      name="code"
      autoComplete="one-time-code"
      autoCapitalize="none"
      spellCheck={false}
      maxLength={40}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      className={`font-mono tracking-wider ${className ?? ''}`}
    />
  )
}
