import { Button, Checkbox, classNames, Empty, ErrorNotice, Loading, PageHeader, Select, StatusText, TextInput, type StatusLabel } from '@gantry/console-kit'
import { AuditIcon, CloseIcon, DownloadIcon, PlayIcon } from '@gantry/console-kit/icons'
import { useDeferredValue, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { auditPath, filterQuery, type AuditFilter, type AuditRecord, type RequestRecord } from '../api/index.ts'
import { RecordDialog } from './record-dialog.tsx'
import { useAudit } from './use-audit.ts'

const textFields = ['user', 'cluster', 'namespace', 'resource', 'name', 'status', 'text'] as const
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const
const decisions = ['allow', 'deny', 'pass'] as const
const rangeHours = { all: undefined, h1: 1, d1: 24, d7: 168, d30: 720 } as const
type Range = keyof typeof rangeHours

/** What was asked of the platform and its clusters: search, newest first, live. */
export function AuditPage() {
  const { t } = useTranslation('audit')
  const [fields, setFields] = useState<AuditFilter>({})
  const [range, setRange] = useState<{ readonly name: Range; readonly since: string | undefined }>({ name: 'all', since: undefined })
  const [isLive, setLive] = useState(true)
  const [chosen, setChosen] = useState<AuditRecord>()
  const asked = useMemo(() => ({ ...fields, since: range.since, status: isStatus(fields.status) ? fields.status : undefined }), [fields, range])
  const filter = useDeferredValue(asked)
  const { phase, records, hasMore, error, more } = useAudit(filter, isLive)
  const isFiltered = filterQuery({ ...fields, since: range.since }).toString() !== ''

  function change(field: keyof AuditFilter, value: string | boolean | undefined): void {
    setFields({ ...fields, [field]: value })
  }

  function chooseRange(name: Range): void {
    const hours = rangeHours[name]
    setRange({ name, since: hours === undefined ? undefined : new Date(Date.now() - hours * 3_600_000).toISOString() })
  }

  function show(only: AuditFilter): void {
    setFields(only)
    setChosen(undefined)
  }

  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('title')}>
        {(['csv', 'jsonl'] as const).map((format) => (
          <a
            key={format}
            href={`${auditPath}/export?${filterQuery(filter).toString()}&format=${format}`}
            download={`audit.${format}`}
            className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-panel px-3 text-sm font-medium hover:bg-hover"
          >
            <DownloadIcon aria-hidden className="size-4" />
            {t(format === 'csv' ? 'exportCsv' : 'exportJsonl')}
          </a>
        ))}
      </PageHeader>
      <div role="search" aria-label={t('filter.label')} className="flex flex-wrap items-center gap-2 px-4 pb-3 md:px-5">
        {textFields.map((field) => (
          <TextInput
            key={field}
            aria-label={t(`filter.${field}`)}
            placeholder={t(`filter.${field}`)}
            value={fields[field] ?? ''}
            maxLength={200}
            onChange={(event) => change(field, event.target.value)}
            className={classNames(field === 'text' ? 'w-52!' : field === 'status' ? 'w-24!' : 'w-32!')}
          />
        ))}
        <Select aria-label={t('filter.verb')} value={fields.verb ?? ''} onChange={(event) => change('verb', event.target.value)} className="w-auto!">
          <option value="">{t('filter.verb')}</option>
          {verbs.map((verb) => (
            <option key={verb}>{verb}</option>
          ))}
        </Select>
        <Select
          aria-label={t('filter.decision')}
          value={fields.decision ?? ''}
          onChange={(event) => change('decision', event.target.value)}
          className="w-auto!"
        >
          <option value="">{t('filter.decision')}</option>
          {decisions.map((decision) => (
            <option key={decision} value={decision}>
              {t(`decision.${decision}`)}
            </option>
          ))}
        </Select>
        <Select aria-label={t('filter.since')} value={range.name} onChange={(event) => chooseRange(event.target.value as Range)} className="w-auto!">
          {(Object.keys(rangeHours) as Range[]).map((one) => (
            <option key={one} value={one}>
              {t(`filter.range.${one}`)}
            </option>
          ))}
        </Select>
        <Checkbox label={t('filter.recorded')} checked={fields.recorded === true} onChange={(event) => change('recorded', event.target.checked || undefined)} />
        <Checkbox label={t('live')} checked={isLive} onChange={(event) => setLive(event.target.checked)} />
        {isFiltered && (
          <Button
            icon={CloseIcon}
            onClick={() => {
              setFields({})
              chooseRange('all')
            }}
          >
            {t('filter.clear')}
          </Button>
        )}
      </div>
      <div className="flex flex-col gap-3 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('failed')} />}
        {phase === 'loading' && <Loading label={t('loading')} />}
        {phase === 'ready' && records.length === 0 && error === undefined && (
          <Empty icon={AuditIcon} title={t('none')}>
            {t('noneHelp')}
          </Empty>
        )}
        {records.length > 0 && <RecordTable records={records} onChoose={setChosen} />}
        {phase === 'searching' && <Loading label={t('searching')} />}
        {phase === 'ready' && records.length > 0 && (
          <div className="text-center text-sm text-muted">{hasMore ? <Button onClick={more}>{t('more')}</Button> : t('end')}</div>
        )}
      </div>
      {chosen !== undefined && <RecordDialog record={chosen} onClose={() => setChosen(undefined)} onShow={show} />}
    </div>
  )
}

const head = 'px-3 py-2 text-left text-xs font-semibold text-muted'
const cell = 'px-3 py-1.5 align-top'
const wide = 'hidden lg:table-cell'

function RecordTable({ records, onChoose }: { readonly records: readonly AuditRecord[]; readonly onChoose: (record: AuditRecord) => void }) {
  const { t } = useTranslation('audit')
  return (
    <div className="rounded-lg border border-line bg-panel">
      <table className="w-full table-fixed text-sm" aria-label={t('title')}>
        <thead>
          <tr className="border-b border-line">
            <th className={classNames(head, 'w-48 pl-4')}>{t('column.time')}</th>
            <th className={classNames(head, 'w-40')}>{t('column.user')}</th>
            <th className={classNames(head, 'w-28')}>{t('column.action')}</th>
            <th className={head}>{t('column.what')}</th>
            <th className={classNames(head, wide, 'w-48')}>{t('column.where')}</th>
            <th className={classNames(head, 'w-36')}>{t('column.outcome')}</th>
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <tr key={record.seq} className="border-b border-line/60 last:border-0 hover:bg-hover">
              <td className={classNames(cell, 'pl-4')}>
                <button
                  type="button"
                  onClick={() => onChoose(record)}
                  className="block max-w-full cursor-pointer truncate text-left text-ink tabular-nums hover:text-accent-ink hover:underline"
                >
                  {new Date(record.time).toLocaleString()}
                </button>
              </td>
              {record.note === undefined ? <RequestCells record={record} /> : <NoteCell record={record} />}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function NoteCell({ record }: { readonly record: Exclude<AuditRecord, RequestRecord> }) {
  const { t } = useTranslation('audit')
  return (
    <td colSpan={5} className={classNames(cell, 'text-muted italic')}>
      {record.note === 'loss' ? t('note.loss', { count: record.lost }) : t(`note.${record.note}`)}
    </td>
  )
}

function RequestCells({ record }: { readonly record: RequestRecord }) {
  const { t } = useTranslation('audit')
  const who = record.user ?? record.certificate
  const what = whatOf(record)
  return (
    <>
      <td className={classNames(cell, 'truncate')} title={who}>
        {who ?? <span className="text-muted">{t('nobody')}</span>}
      </td>
      <td className={classNames(cell, 'truncate')}>
        {record.verb ?? record.method}
        {record.stage !== 'complete' && <span className="block text-xs text-muted">{t(`stage.${record.stage}`)}</span>}
      </td>
      <td className={cell}>
        <span className="block truncate" title={what}>
          {what}
        </span>
        {record.recording !== undefined && (
          <span className="inline-flex items-center gap-1 text-xs text-accent-ink">
            <PlayIcon aria-hidden className="size-3" />
            {t('replay.title')}
          </span>
        )}
      </td>
      <td className={classNames(cell, wide, 'truncate')}>{[record.cluster, record.namespace].filter((part) => part !== undefined).join(' / ')}</td>
      <td className={cell}>
        <StatusText status={outcomeOf(record, t(`decision.${record.decision}`))} />
      </td>
    </>
  )
}

function whatOf({ resource, subresource, name, path }: RequestRecord): string {
  if (resource === undefined) return path ?? ''
  return [subresource === undefined ? resource : `${resource}/${subresource}`, name].filter((part) => part !== undefined).join(' ')
}

function outcomeOf({ status, decision }: RequestRecord, word: string): StatusLabel {
  const text = decision === 'deny' ? `${status} ${word}` : String(status)
  return { text, tone: status >= 500 ? 'error' : status >= 400 ? 'warn' : 'ok' }
}

/** What is half typed is none yet. */
function isStatus(status: string | undefined): boolean {
  return status !== undefined && /^[1-5](?:\d\d|xx)$/.test(status)
}
