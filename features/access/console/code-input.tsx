import { TextInput } from '@gantry/console-kit'

export interface CodeInputProps {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly className?: string
  /** Handed in by the field around it. */
  readonly id?: string
}

/** For the code of an app, or a recovery code. */
export function CodeInput({ value, onChange, className = '', ...rest }: CodeInputProps) {
  return (
    <TextInput
      {...rest}
      required
      name="code"
      autoComplete="one-time-code"
      autoCapitalize="none"
      spellCheck={false}
      maxLength={40}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      className={`font-mono tracking-wider ${className}`}
    />
  )
}
