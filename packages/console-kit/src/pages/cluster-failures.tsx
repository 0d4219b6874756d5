import { useTranslation } from 'react-i18next'
import { Button } from '../ui/button.tsx'
import { RetryIcon } from '../ui/icons.ts'
import { Notice } from '../ui/notice.tsx'
import type { ClusterFailure, ResourceRows } from './use-resource-rows.ts'

export interface ClusterFailuresProps {
  readonly failures: readonly ClusterFailure[]
  readonly truncated: ResourceRows<unknown>['truncated']
}

/** Names every cluster whose part is missing or stale, and why. The other clusters' rows stay. */
export function ClusterFailures({ failures, truncated }: ClusterFailuresProps) {
  const { t } = useTranslation('kit')
  if (failures.length === 0 && truncated.length === 0) return undefined
  return (
    <div className="flex max-h-40 flex-col gap-1.5 overflow-auto px-4 pb-2 md:px-5">
      {failures.map(({ cluster, message, hasRows, retry }) => (
        <Notice
          key={cluster ?? ''}
          tone="warn"
          title={
            cluster === undefined ? t(hasRows ? 'list.allStale' : 'list.allMissing') : t(hasRows ? 'list.clusterStale' : 'list.clusterMissing', { cluster })
          }
          actions={
            retry !== undefined && (
              <Button look="quiet" icon={RetryIcon} onClick={retry} className="h-6 px-2">
                {t('common.retry')}
              </Button>
            )
          }
        >
          {message ?? t('list.clusterSilent')}
        </Notice>
      ))}
      {truncated.map(({ cluster, kept }) => (
        <Notice
          key={cluster ?? ''}
          tone="warn"
          title={cluster === undefined ? t('list.truncatedAll', { count: kept }) : t('list.truncated', { cluster, count: kept })}
        >
          {t('list.truncatedHelp')}
        </Notice>
      ))}
    </div>
  )
}
