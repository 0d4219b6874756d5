import { useTranslation } from 'react-i18next'
import { toApiError } from '../api/api-error.ts'
import { Button } from '../ui/button.tsx'
import { RetryIcon } from '../ui/icons.ts'
import { ErrorNotice } from '../ui/notice.tsx'

/** The console cannot even ask who is signed in. */
export function StartFailure({ error }: { readonly error: unknown }) {
  const { t } = useTranslation('kit')
  return (
    <main className="mx-auto max-w-xl p-6">
      <h1 className="mb-3 text-lg font-semibold">Gantry</h1>
      <ErrorNotice
        error={toApiError(error)}
        actions={
          <Button icon={RetryIcon} onClick={() => location.reload()}>
            {t('common.retry')}
          </Button>
        }
      />
    </main>
  )
}
