import { Button, type ButtonProps } from './button.tsx'

export interface FormActionsProps extends Pick<ButtonProps, 'look' | 'isBusy' | 'disabled'> {
  /** The words on the two. */
  readonly cancel: string
  readonly submit: string
  readonly onCancel: () => void
}

/** The end of a form in a dialog: leave it, or send it. */
export function FormActions({ cancel, submit, onCancel, look = 'primary', ...state }: FormActionsProps) {
  return (
    <div className="flex justify-end gap-2">
      <Button onClick={onCancel}>{cancel}</Button>
      <Button look={look} type="submit" {...state}>
        {submit}
      </Button>
    </div>
  )
}
