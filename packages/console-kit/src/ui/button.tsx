import type { ButtonHTMLAttributes, Ref } from 'react'
import { classNames } from './class-names.ts'
import { SpinnerIcon, type Icon } from './icons.ts'
import { Tip } from './tip.tsx'

export type ButtonLook = 'primary' | 'plain' | 'quiet' | 'danger'

const looks: Readonly<Record<ButtonLook, string>> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-strong border-transparent',
  plain: 'bg-panel text-ink border-line-strong hover:bg-hover',
  quiet: 'bg-transparent text-muted border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-danger text-on-danger border-transparent hover:bg-danger-strong',
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: ButtonLook
  readonly icon?: Icon | undefined
  /** Shows that the click is at work, and takes no second one. */
  readonly isBusy?: boolean
  readonly ref?: Ref<HTMLButtonElement>
}

export function Button({ look = 'plain', icon: Glyph, isBusy = false, className, children, disabled, type = 'button', ...rest }: ButtonProps) {
  const Shown = isBusy ? SpinnerIcon : Glyph
  return (
    <button
      {...rest}
      // oxlint-disable-next-line react/button-has-type -- the default is `button`
      type={type}
      disabled={disabled === true || isBusy}
      className={classNames(
        'inline-flex h-8 shrink-0 cursor-pointer items-center justify-center gap-1.5 rounded-md border px-3 text-sm font-medium whitespace-nowrap transition-colors',
        'disabled:cursor-not-allowed disabled:opacity-55',
        looks[look],
        className,
      )}
    >
      {Shown !== undefined && <Shown aria-hidden className={classNames('size-4 shrink-0', isBusy && 'animate-spin')} />}
      {children}
    </button>
  )
}

export interface IconButtonProps extends Omit<ButtonProps, 'children' | 'icon' | 'look'> {
  readonly icon: Icon
  /** Its accessible name, shown on hover and focus. */
  readonly label: string
  readonly isPressed?: boolean | undefined
}

export function IconButton({ icon: Glyph, label, className, isBusy = false, isPressed, type = 'button', ...rest }: IconButtonProps) {
  const Shown = isBusy ? SpinnerIcon : Glyph
  return (
    <Tip text={label}>
      <button
        {...rest}
        // oxlint-disable-next-line react/button-has-type -- the default is `button`
        type={type}
        aria-label={label}
        aria-pressed={isPressed}
        className={classNames(
          'inline-flex size-8 shrink-0 cursor-pointer items-center justify-center rounded-md text-muted transition-colors hover:bg-hover hover:text-ink',
          'disabled:cursor-not-allowed disabled:opacity-55 aria-pressed:bg-accent-soft aria-pressed:text-accent-ink',
          className,
        )}
      >
        <Shown aria-hidden className={classNames('size-4', isBusy && 'animate-spin')} />
      </button>
    </Tip>
  )
}
