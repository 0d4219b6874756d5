import { Button, Field } from '@gantry/console-kit'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { shortestPassword, type LoginAnswer, type LoginStepRequest } from '../api/index.ts'
import { CodeInput } from './code-input.tsx'
import { EnrolmentView } from './enrolment-view.tsx'
import { NewPassword } from './new-password.tsx'

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
  const [given, setGiven] = useState<string | undefined>()
  const isPassword = step.next === 'changePassword'

  function submit(event: FormEvent): void {
    event.preventDefault()
    onSubmit(isPassword ? { newPassword: given } : { code: given?.trim() })
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-5">
      <div>
        <h2 className="text-base font-semibold">{t(`step.${step.next}.title`)}</h2>
        <p className="mt-1 text-sm text-muted">{t(`step.${step.next}.help`)}</p>
      </div>
      {step.enrolment !== undefined && <EnrolmentView enrolment={step.enrolment} />}
      {isPassword ? (
        <NewPassword shortest={step.shortestPassword ?? shortestPassword} onChosen={setGiven} className="h-10" />
      ) : (
        <Field label={t('code.label')} hint={step.next === 'secondFactor' ? t('code.orRecovery') : undefined}>
          <CodeInput value={given ?? ''} onChange={setGiven} className="h-10" />
        </Field>
      )}
      {children}
      <Button look="primary" type="submit" isBusy={isBusy} disabled={isPassword && given === undefined} className="h-10">
        {t('step.next')}
      </Button>
      <Button look="quiet" onClick={onBeginAgain}>
        {t('step.beginAgain')}
      </Button>
    </form>
  )
}
