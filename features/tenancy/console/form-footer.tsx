import { Button, ErrorNotice, type ApiError } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'

/** Ends a form of a dialog: what went wrong, and its two buttons. */
export function FormFooter({
  submit,
  failed,
  error,
  isBusy,
  isReady = true,
  onClose,
}: {
  readonly submit: string
  /** Over what the platform says. */
  readonly failed: string
  readonly error: ApiError | undefined
  readonly isBusy: boolean
  readonly isReady?: boolean
  readonly onClose: () => void
}) {
  const { t } = useTranslation('tenancy')
  return (
    <div ref={error === undefined ? undefined : (element) => element?.scrollIntoView({ block: 'nearest' })} className="flex flex-col gap-3">
      {error !== undefined && <ErrorNotice error={error} title={failed} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t('cancel')}</Button>
        <Button look="primary" type="submit" isBusy={isBusy} disabled={!isReady}>
          {submit}
        </Button>
      </div>
    </div>
  )
}
