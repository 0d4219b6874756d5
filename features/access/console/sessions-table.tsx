import { Age, Button, SmallTable, StatusText, timestampMs } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import type { Session } from '../api/index.ts'
import { browserName } from './browser-name.ts'

const isCurrent = ({ metadata }: Session): boolean => metadata.annotations?.['access.gantry.dev/current'] === 'true'
const local = (time: string | null | undefined): string => (time === undefined || time === null ? '–' : new Date(time).toLocaleString())

/** What is signed in as somebody: browsers, command lines, applications; what was used last on top. */
export function SessionsTable({ sessions, onEnd }: { readonly sessions: readonly Session[]; readonly onEnd: (session: Session) => void }) {
  const { t } = useTranslation('access')
  const lastOf = ({ metadata, status }: Session): string => status?.lastActiveTime ?? metadata.creationTimestamp ?? ''
  return (
    <SmallTable
      label={t('sessions.title')}
      rows={[...sessions].sort((left, right) => lastOf(right).localeCompare(lastOf(left)))}
      keyOf={({ metadata }) => metadata.name ?? ''}
      none={t('sessions.none')}
      columns={[
        {
          title: t('sessions.what'),
          cell: (session) => (
            <span className="flex flex-wrap items-center gap-x-2">
              <span title={session.spec.userAgent}>{session.spec.client ?? browserName(session.spec.userAgent) ?? t('sessions.unknown')}</span>
              {isCurrent(session) && <StatusText status={{ tone: 'ok', text: t('sessions.current') }} />}
            </span>
          ),
        },
        { title: t('sessions.address'), cell: ({ spec }) => spec.address ?? '–' },
        { title: t('sessions.lastActive'), cell: (session) => <Age sinceMs={timestampMs(lastOf(session))} /> },
        { title: t('sessions.created'), isWide: true, cell: ({ metadata }) => local(metadata.creationTimestamp) },
        { title: t('sessions.expires'), isWide: true, cell: ({ spec }) => local(spec.expirationTime) },
        {
          title: t('actions'),
          isSilent: true,
          cell: (session) => !isCurrent(session) && <Button onClick={() => onEnd(session)}>{t('sessions.end')}</Button>,
        },
      ]}
    />
  )
}
