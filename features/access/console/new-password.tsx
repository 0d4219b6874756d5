import { Field, TextInput } from '@gantry/console-kit'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

export interface NewPasswordProps {
  /** Undefined while the two are not the same. */
  readonly onChosen: (password: string | undefined) => void
  /** Characters. */
  readonly shortest: number
  readonly className?: string
}

/** A new password, typed twice. */
export function NewPassword({ onChosen, shortest, className = '' }: NewPasswordProps) {
  const { t } = useTranslation('access')
  const [[first, second], setTyped] = useState<readonly [string, string]>(['', ''])
  function type(typed: readonly [string, string]): void {
    setTyped(typed)
    onChosen(typed[0] !== '' && typed[0] === typed[1] ? typed[0] : undefined)
  }
  return (
    <>
      <Field label={t('password.new')} hint={t('password.rules', { shortest })}>
        <TextInput
          required
          type="password"
          name="new-password"
          autoComplete="new-password"
          value={first}
          onChange={(event) => type([event.target.value, second])}
          className={className}
        />
      </Field>
      <Field label={t('password.repeat')} error={second !== '' && first !== second ? t('password.differs') : undefined}>
        <TextInput
          required
          type="password"
          name="repeated-password"
          autoComplete="new-password"
          value={second}
          onChange={(event) => type([first, event.target.value])}
          className={className}
        />
      </Field>
    </>
  )
}
