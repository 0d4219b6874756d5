import { Age, Button, SmallTable, timestampMs } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import type { APIKey } from '../api/index.ts'

/** API keys of somebody. */
export function KeysTable({ keys, onRevoke }: { readonly keys: readonly APIKey[]; readonly onRevoke: (key: APIKey) => void }) {
  const { t } = useTranslation('access')
  return (
    <SmallTable
      label={t('keys.title')}
      rows={keys}
      keyOf={({ metadata }) => metadata.name ?? ''}
      none={t('keys.none')}
      columns={[
        { title: t('keys.name'), cell: ({ metadata }) => <code className="font-mono text-xs">{metadata.name}</code> },
        { title: t('keys.description'), cell: ({ spec }) => spec.description ?? '–' },
        {
          title: t('keys.lastUsed'),
          cell: ({ status }) => (status?.lastUsedTime === undefined ? t('account.never') : <Age sinceMs={timestampMs(status.lastUsedTime)} />),
        },
        {
          title: t('keys.expires'),
          isWide: true,
          cell: ({ spec }) => (spec.expirationTime === undefined ? t('account.never') : new Date(spec.expirationTime).toLocaleString()),
        },
        { title: t('actions'), isSilent: true, cell: (key) => <Button onClick={() => onRevoke(key)}>{t('keys.revoke')}</Button> },
      ]}
    />
  )
}
