import { Button, CopyButton, Dialog, lazily, objectHref, TableLink } from '@gantry/console-kit'
import { PlayIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AuditFilter, AuditRecord, RequestRecord } from '../api/index.ts'

// With it comes the terminal: only who plays a recording loads it.
const TerminalPlayer = lazily(async () => (await import('./terminal-player.tsx')).TerminalPlayer)

export interface RecordDialogProps {
  readonly record: AuditRecord
  readonly onClose: () => void
  readonly onShow: (filter: AuditFilter) => void
}

/** Everything that is on record of one request. */
export function RecordDialog({ record, onClose, onShow }: RecordDialogProps) {
  const { t } = useTranslation('audit')
  const [isPlaying, setPlaying] = useState(false)
  const recording = record.note === undefined ? record.recording : undefined
  const title = isPlaying ? t('replay.title') : t('detail.title', { seq: record.seq })
  return (
    <Dialog title={title} size="large" onClose={onClose}>
      {isPlaying && recording !== undefined ? (
        <TerminalPlayer id={recording} />
      ) : (
        <>
          {record.note === undefined && (
            <div className="mb-3 flex flex-wrap items-center gap-2 text-sm">
              {recording !== undefined && (
                <Button look="primary" icon={PlayIcon} onClick={() => setPlaying(true)}>
                  {t('detail.play')}
                </Button>
              )}
              {record.user !== undefined && <Button onClick={() => onShow({ user: record.user })}>{t('detail.sameUser')}</Button>}
              {record.name !== undefined && (
                <Button onClick={() => onShow({ cluster: record.cluster, namespace: record.namespace, resource: record.resource, name: record.name })}>
                  {t('detail.sameObject')}
                </Button>
              )}
              <ObjectLink record={record} />
            </div>
          )}
          <dl className="grid grid-cols-[10rem_1fr] gap-x-4 gap-y-1 text-sm">
            {Object.entries(record).map(([field, value]) => (
              <div key={field} className="contents">
                <dt className="truncate text-muted">{field}</dt>
                <dd className="font-mono text-xs leading-5 break-all">{Array.isArray(value) ? value.join(', ') : String(value)}</dd>
              </div>
            ))}
          </dl>
          <div className="pt-2 pb-3">
            <CopyButton text={JSON.stringify(record, undefined, 2)} label={t('detail.copy')} />
          </div>
        </>
      )}
    </Dialog>
  )
}

function ObjectLink({ record: { cluster, apiGroup, version, resource, namespace, name } }: { readonly record: RequestRecord }) {
  const { t } = useTranslation('audit')
  const isWhole = apiGroup !== undefined && version !== undefined && resource !== undefined && name !== undefined
  if (!isWhole || cluster === undefined || cluster === '*') return undefined
  const where = namespace === undefined ? {} : { namespace }
  return <TableLink href={objectHref({ cluster, type: { group: apiGroup, version, plural: resource }, ...where, name })}>{t('detail.object')}</TableLink>
}
