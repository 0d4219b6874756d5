import {
  useId,
  type InputHTMLAttributes,
  type ReactElement,
  type ReactNode,
  type Ref,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  cloneElement,
} from 'react'
import { classNames } from './class-names.ts'

export const controlLook =
  'w-full rounded-md border border-line-strong bg-panel px-2.5 text-sm text-ink placeholder:text-faint aria-[invalid=true]:border-error-dot disabled:opacity-60'

interface ControlProps {
  readonly id?: string
  readonly 'aria-describedby'?: string
  readonly 'aria-invalid'?: boolean
}

/** A label, a control, its hint and its error, tied together for screen readers. */
export function Field({
  label,
  hint,
  error,
  children,
}: {
  readonly label: string
  readonly hint?: ReactNode
  readonly error?: string | undefined
  readonly children: ReactElement<ControlProps>
}) {
  const id = useId()
  const noteId = `${id}-note`
  const hasNote = error !== undefined || hint !== undefined
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {cloneElement(children, { id, 'aria-invalid': error !== undefined, ...(hasNote ? { 'aria-describedby': noteId } : {}) })}
      {hasNote && (
        <div id={noteId} className={classNames('text-xs', error === undefined ? 'text-muted' : 'text-error')}>
          {error ?? hint}
        </div>
      )}
    </div>
  )
}

export function TextInput({ className, ...rest }: InputHTMLAttributes<HTMLInputElement> & { readonly ref?: Ref<HTMLInputElement> }) {
  return <input {...rest} className={classNames(controlLook, 'h-8', className)} />
}

export function TextArea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement> & { readonly ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea {...rest} spellCheck={false} className={classNames(controlLook, 'py-1.5 font-mono text-xs leading-relaxed', className)} />
}

export function Select({ className, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & { readonly ref?: Ref<HTMLSelectElement> }) {
  return <select {...rest} className={classNames(controlLook, 'h-8 cursor-pointer pr-1', className)} />
}

export function Checkbox({
  label,
  className,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { readonly label: ReactNode; readonly ref?: Ref<HTMLInputElement> }) {
  return (
    <label className={classNames('inline-flex cursor-pointer items-center gap-2 text-sm', className)}>
      <input {...rest} type="checkbox" className="size-4 cursor-pointer accent-(--accent)" />
      {label}
    </label>
  )
}
