import {
  Age,
  baseRow,
  Empty,
  ErrorNotice,
  Loading,
  objectSource,
  queryKey,
  StatusText,
  useLiveRows,
  useServices,
  type DetailProps,
  type KubeObject,
  type ResourceQuery,
} from '@gantry/console-kit'
import { EventsIcon } from '@gantry/console-kit/icons'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { eventRow, type EventRow } from './event.ts'
import { eventType } from './resource-types.ts'

/** Events of objects without a namespace are kept here. */
const clusterScopedNamespace = 'default'
const maxEvents = 1_000

/** What happened to an object, newest first, live. */
export function EventsTab({ target, object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const { api } = useServices()
  const { uid } = object.metadata
  const query: ResourceQuery = {
    cluster: target.cluster,
    type: eventType,
    namespace: target.namespace ?? clusterScopedNamespace,
    fieldSelector: `involvedObject.name=${target.name}`,
  }
  const live = useLiveRows<EventRow>([
    {
      name: 'events',
      key: queryKey(query, 'events'),
      source: () =>
        objectSource<EventRow>(api, query, { project: (event: KubeObject) => eventRow(event, baseRow(target.cluster ?? '', event)), keyOf: (row) => row.key }),
      options: { maxRows: maxEvents },
    },
  ])
  const member = live.members.get('events')
  const rows = useMemo(
    () =>
      [...(live.members.get('events')?.rows.values() ?? [])]
        .filter((row) => row.involved.uid === undefined || row.involved.uid === uid || row.involved.uid === target.name)
        .sort((left, right) => (right.lastSeenMs ?? 0) - (left.lastSeenMs ?? 0)),
    [live, uid, target.name],
  )
  return (
    <div className="px-4 py-4 md:px-5">
      {member?.phase === 'error' && member.error !== undefined && <ErrorNotice error={member.error} title={t('events.failed')} />}
      {(member === undefined || member.phase === 'loading') && <Loading label={t('events.loading')} />}
      {member?.phase === 'ready' && rows.length === 0 && (
        <Empty icon={EventsIcon} title={t('events.none')}>
          {t('events.noneHelp')}
        </Empty>
      )}
      {rows.length > 0 && (
        <div className="overflow-x-auto rounded-lg border border-line bg-panel">
          <table className="w-full min-w-2xl text-sm" aria-label={t('events.title')}>
            <thead>
              <tr className="border-b border-line text-left text-xs text-muted">
                <th className="px-4 py-1.5 font-semibold">{t('events.type')}</th>
                <th className="px-2 py-1.5 font-semibold">{t('events.reason')}</th>
                <th className="px-2 py-1.5 font-semibold">{t('events.message')}</th>
                <th className="px-2 py-1.5 font-semibold">{t('events.source')}</th>
                <th className="px-2 py-1.5 text-right font-semibold">{t('events.count')}</th>
                <th className="px-4 py-1.5 text-right font-semibold">{t('events.lastSeen')}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.key} className="border-b border-line/60 align-top last:border-0">
                  <td className="px-4 py-1.5 whitespace-nowrap">
                    <StatusText status={{ text: row.type, tone: row.type === 'Warning' ? 'warn' : 'neutral' }} />
                  </td>
                  <td className="px-2 py-1.5 font-medium whitespace-nowrap">{row.reason}</td>
                  <td className="min-w-64 px-2 py-1.5 break-words">{row.message}</td>
                  <td className="px-2 py-1.5 whitespace-nowrap text-muted">{row.source}</td>
                  <td className="px-2 py-1.5 text-right tabular-nums">{row.count}</td>
                  <td className="px-4 py-1.5 text-right whitespace-nowrap">
                    <Age sinceMs={row.lastSeenMs} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}
