import { useTranslation } from 'react-i18next'
import type { ApiError } from '../api/api-error.ts'
import { Button } from '../ui/button.tsx'
import { RetryIcon } from '../ui/icons.ts'
import { Notice } from '../ui/notice.tsx'

export interface ClusterFailuresProps {
  readonly failures: readonly { readonly cluster: string; readonly error: ApiError; readonly hasRows: boolean }[]
  readonly truncated: readonly { readonly cluster: string; readonly kept: number }[]
  readonly onRetry: (cluster: string) => void
}

/** Names every cluster whose part is missing or stale, and why. The other clusters' rows stay. */
export function ClusterFailures({ failures, truncated, onRetry }: ClusterFailuresProps) {
  const { t } = useTranslation('kit')
  if (failures.length === 0 && truncated.length === 0) return undefined
  return (
    <div className="flex max-h-40 flex-col gap-1.5 overflow-auto px-4 pb-2 md:px-5">
      {failures.map(({ cluster, error, hasRows }) => (
        <Notice
          key={cluster}
          tone="warn"
          title={t(hasRows ? 'list.clusterStale' : 'list.clusterMissing', { cluster })}
          actions={
            <Button look="quiet" icon={RetryIcon} onClick={() => onRetry(cluster)} className="h-6 px-2">
              {t('common.retry')}
            </Button>
          }
        >
          {error.message}
        </Notice>
      ))}
      {truncated.map(({ cluster, kept }) => (
        <Notice key={cluster} tone="warn" title={t('list.truncated', { cluster, count: kept })}>
          {t('list.truncatedHelp')}
        </Notice>
      ))}
    </div>
  )
}
