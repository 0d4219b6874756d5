import {
  Age,
  Button,
  classNames,
  Empty,
  ErrorNotice,
  lazily,
  Loading,
  Notice,
  PageHeader,
  Section,
  SmallTable,
  StatusText,
  useConsole,
  useNow,
  type Tone,
} from '@gantry/console-kit'
import { ElevationIcon, PlusIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ElevationPhase, ElevationRequest } from '../../api/index.ts'
import { choicesFor, createdMs, durationText, overMs, phaseAt, scopeOfElevation, sortElevations, untilMs } from './elevation.ts'
import { Until, useScopeWords } from './parts.tsx'
import { useElevations } from './use-elevations.ts'

const AskElevationDialog = lazily(async () => (await import('./elevation-dialogs.tsx')).AskElevationDialog)
const DecideDialog = lazily(async () => (await import('./elevation-dialogs.tsx')).DecideDialog)

type Choice = ReturnType<typeof choicesFor>[number]
const mostOver = 50

const tones: Readonly<Record<ElevationPhase, Tone>> = {
  Pending: 'progress',
  Approved: 'ok',
  Denied: 'error',
  Withdrawn: 'neutral',
  Expired: 'warn',
  Ended: 'neutral',
}

/** Roles for a while: who asks for one, who has one, and who has had one. */
export function ElevationsPage() {
  const { t } = useTranslation('access')
  const { phase, items, hasMore, error, reload } = useElevations()
  const nowMs = useNow()
  const { waiting, running, over } = sortElevations(items, nowMs)
  const [isAsking, setAsking] = useState(false)
  const [open, setOpen] = useState<{ readonly request: ElevationRequest; readonly choice: Choice }>()
  const choose = (request: ElevationRequest, choice: Choice): void => setOpen({ request, choice })
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('elevations.title')}>
        <Button look="primary" icon={PlusIcon} onClick={() => setAsking(true)}>
          {t('elevations.ask.action')}
        </Button>
      </PageHeader>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('elevations.failed')} />}
        {phase === 'loading' && <Loading label={t('elevations.loading')} />}
        {phase === 'ready' && items.length === 0 && error === undefined && (
          <Empty icon={ElevationIcon} title={t('elevations.none')}>
            {t('elevations.noneHelp')}
          </Empty>
        )}
        {items.length > 0 && (
          <>
            <Section title={t('elevations.waiting')} note={<Count of={waiting.length} isLoud />}>
              <RequestTable label={t('elevations.waiting')} none={t('elevations.noneWaiting')} requests={waiting} onChoose={choose} />
            </Section>
            <Section title={t('elevations.running')} note={<Count of={running.length} />}>
              <RequestTable label={t('elevations.running')} none={t('elevations.noneRunning')} requests={running} onChoose={choose} />
            </Section>
            <Section title={t('elevations.over')} note={<Count of={over.length} />}>
              <RequestTable label={t('elevations.over')} none={t('elevations.noneOver')} requests={over.slice(0, mostOver)} onChoose={choose} />
              {over.length > mostOver && <p className="px-4 py-2 text-sm text-muted">{t('grants.more', { count: over.length - mostOver })}</p>}
            </Section>
          </>
        )}
        {hasMore && <Notice tone="warn" title={t('elevations.hasMore', { count: items.length })} />}
      </div>
      {isAsking && (
        <AskElevationDialog
          onClose={() => {
            setAsking(false)
            reload()
          }}
        />
      )}
      {open !== undefined && (
        <DecideDialog
          key={`${open.request.metadata.name}/${open.choice}`}
          request={open.request}
          choice={open.choice}
          onClose={() => {
            setOpen(undefined)
            reload()
          }}
        />
      )}
    </div>
  )
}

function Count({ of, isLoud = false }: { readonly of: number; readonly isLoud?: boolean }) {
  return (
    <span
      className={classNames('text-xs tabular-nums', isLoud && of > 0 ? 'rounded-full bg-accent-soft px-2 py-0.5 font-semibold text-accent-ink' : 'text-muted')}
    >
      {of}
    </span>
  )
}

function RequestTable({
  label,
  none,
  requests,
  onChoose,
}: {
  readonly label: string
  readonly none: string
  readonly requests: readonly ElevationRequest[]
  readonly onChoose: (request: ElevationRequest, choice: Choice) => void
}) {
  const { t } = useTranslation('access')
  const { user } = useConsole()
  const wordsOf = useScopeWords()
  const nowMs = useNow()
  return (
    <SmallTable
      label={label}
      none={none}
      rows={requests}
      keyOf={({ metadata }) => metadata.uid ?? ''}
      columns={[
        {
          title: t('elevations.who'),
          cell: ({ spec }) => (
            <>
              <span className="font-medium">{spec.user === user.username ? t('elevations.you', { user: spec.user }) : spec.user}</span>
              <span className="block text-xs text-muted md:hidden">{wordsOf(scopeOfElevation(spec))}</span>
            </>
          ),
        },
        { title: t('grants.role'), cell: ({ spec }) => spec.role },
        { title: t('grants.where'), isWide: true, cell: ({ spec }) => wordsOf(scopeOfElevation(spec)) },
        { title: t('grants.reason'), isWide: true, cell: ({ spec }) => spec.reason },
        { title: t('elevations.state'), cell: (request) => <State request={request} nowMs={nowMs} /> },
        {
          title: t('actions'),
          isSilent: true,
          cell: (request) => (
            <span className="inline-flex flex-wrap justify-end gap-1.5">
              {choicesFor(request, user.username, nowMs).map((choice) => (
                <Button key={choice} look={choice === 'approve' ? 'primary' : 'plain'} onClick={() => onChoose(request, choice)}>
                  {t(`elevations.${choice}.action`)}
                </Button>
              ))}
            </span>
          ),
        },
      ]}
    />
  )
}

function State({ request, nowMs }: { readonly request: ElevationRequest; readonly nowMs: number }) {
  const { t } = useTranslation('access')
  const phase = phaseAt(request, nowMs)
  const { status, spec } = request
  if (phase === 'Pending')
    return (
      <>
        {t('elevations.for', { time: t(...durationText(spec.durationSeconds)) })}
        <span className="block text-xs text-muted">
          {t('elevations.since')} <Age sinceMs={createdMs(request)} />
        </span>
      </>
    )
  return (
    <>
      {phase === 'Approved' ? <Until untilMs={untilMs(request)} /> : <StatusText status={{ tone: tones[phase], text: t(`elevations.phase.${phase}`) }} />}
      <span className="block text-xs text-muted">
        {status?.decidedBy !== undefined && phase !== 'Withdrawn' && t('elevations.by', { user: status.decidedBy })}
        {phase !== 'Approved' && (
          <>
            {' '}
            <Age sinceMs={overMs(request)} />
          </>
        )}
        {status?.message !== undefined && <span className="block">{status.message}</span>}
      </span>
    </>
  )
}
