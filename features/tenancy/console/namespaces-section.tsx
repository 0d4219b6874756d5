import { Button, classNames, ErrorNotice, IconButton, Loading, Menu, MenuItem, Section, StatusText, TableLink, useMay } from '@gantry/console-kit'
import { CheckIcon, DeleteIcon, MoreIcon, PlusIcon, PodIcon, RestartIcon, ScaleIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'
import { withProjectDefaults, type Project, type ProjectNamespace, type QuotaView } from '../api/index.ts'
import { amountsText } from './amounts.ts'
import { namespaceType } from './kinds.ts'
import { goalOf, isOnItsWay, moveSteps } from './move-steps.ts'
import { MoveDialog, NamespaceQuotaDialog, NewNamespaceDialog, RemoveNamespaceDialog } from './namespace-dialogs.tsx'
import { placeOf, type Scope } from './scope.ts'
import { problemsOf, stateOf } from './state.ts'
import type { ApiError } from '@gantry/console-kit'

export interface NamespacesSectionProps {
  readonly scope: Scope
  readonly phase: 'loading' | 'ready' | 'error'
  readonly error: ApiError | undefined
  readonly namespaces: readonly ProjectNamespace[]
  readonly project: Project
  readonly projects: readonly Project[]
  readonly view: QuotaView | undefined
  readonly allowed: readonly string[] | undefined
  /** Nothing can be made or changed in it. */
  readonly isClosed: boolean
}

/** A grid and no table: what a namespace waits for stands across its whole row, however many columns there is room for. */
const tracks =
  'grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)_2rem] items-start gap-x-4 pr-2 pl-4 sm:grid-cols-[minmax(0,2fr)_minmax(0,1fr)_minmax(0,2fr)_2rem] lg:grid-cols-[minmax(0,3fr)_minmax(0,1fr)_minmax(0,3fr)_minmax(0,3fr)_2rem]'
const wide = 'hidden lg:block'
const medium = 'hidden sm:block'

type Open = 'new' | { readonly what: 'quota' | 'move' | 'remove'; readonly object: ProjectNamespace }

/** The environments and other namespaces of a project: where they are, how they are, what they may have. */
export function NamespacesSection({ scope, phase, error, namespaces, project, projects, view, allowed, isClosed }: NamespacesSectionProps) {
  const { t } = useTranslation('tenancy')
  const [open, setOpen] = useState<Open>()
  const close = (): void => setOpen(undefined)
  const [mayCreate = false, mayChange = false, mayDelete = false] = useMay(
    ['create', 'patch', 'delete'].map((verb) => ({ verb, type: namespaceType, namespace: placeOf(scope) })),
  )
  const defaults = project.spec.namespaceDefaultQuota ?? {}
  const usedClusters = [...new Set(namespaces.map(({ spec }) => spec.cluster))]
  return (
    <Section
      title={t('namespaces.title')}
      note={
        mayCreate &&
        !isClosed && (
          <Button icon={PlusIcon} className="ml-auto" onClick={() => setOpen('new')}>
            {t('namespaces.create')}
          </Button>
        )
      }
    >
      {error !== undefined && <ErrorNotice error={error} title={t('namespaces.failed')} />}
      {phase === 'loading' && <Loading label={t('namespaces.loading')} />}
      {phase === 'ready' && namespaces.length === 0 && <p className="px-4 py-3 text-sm text-muted">{t('namespaces.none')}</p>}
      {namespaces.length > 0 && (
        <div role="table" aria-label={t('namespaces.title')} className="text-sm">
          <div role="rowgroup">
            <div role="row" className={classNames(tracks, 'border-b border-line py-2 text-xs font-semibold text-muted')}>
              <span role="columnheader">{t('column.namespace')}</span>
              <span role="columnheader" className={medium}>
                {t('column.cluster')}
              </span>
              <span role="columnheader">{t('column.state')}</span>
              <span role="columnheader" className={wide}>
                {t('namespaces.quota')}
              </span>
              <span role="columnheader">
                <span className="sr-only">{t('column.actions')}</span>
              </span>
            </div>
          </div>
          <div role="rowgroup">
            {namespaces.map((object) => (
              <Row
                key={object.metadata.uid}
                object={object}
                project={project}
                may={{ change: mayChange && !isClosed, remove: mayDelete && !isClosed }}
                onOpen={(what) => setOpen({ what, object })}
              />
            ))}
          </div>
        </div>
      )}
      {open === 'new' && <NewNamespaceDialog scope={scope} view={view} allowed={allowed} usedClusters={usedClusters} defaults={defaults} onClose={close} />}
      {typeof open === 'object' && open.what === 'quota' && <NamespaceQuotaDialog object={open.object} view={view} defaults={defaults} onClose={close} />}
      {typeof open === 'object' && open.what === 'remove' && <RemoveNamespaceDialog scope={scope} object={open.object} onClose={close} />}
      {typeof open === 'object' && open.what === 'move' && <MoveDialog scope={scope} object={open.object} projects={projects} onClose={close} />}
    </Section>
  )
}

function Row({
  object,
  project,
  may,
  onOpen,
}: {
  readonly object: ProjectNamespace
  readonly project: Project
  readonly may: { readonly change: boolean; readonly remove: boolean }
  readonly onOpen: (what: 'quota' | 'move' | 'remove') => void
}) {
  const { t } = useTranslation('tenancy')
  const [, navigate] = useLocation()
  const { metadata, spec, status } = object
  const state = stateOf(object)
  const isGoing = metadata.deletionTimestamp !== undefined
  const isThere = status?.clusterUID !== undefined
  const isMoving = isOnItsWay(status?.move)
  const pods = `/pods?cluster=${encodeURIComponent(spec.cluster)}&namespace=${encodeURIComponent(spec.namespace)}`
  const quota = withProjectDefaults(object, project).spec.quota ?? status?.reserved
  const problems = problemsOf(object)
  return (
    <div role="row" className={classNames(tracks, 'border-b border-line/60 py-2 last:border-0 hover:bg-hover')}>
      <div role="cell" className="py-0.5">
        <span className="block font-medium break-words">{isThere ? <TableLink href={pods}>{spec.namespace}</TableLink> : spec.namespace}</span>
        <span className="block text-xs break-words text-muted">
          {spec.environment ?? metadata.name}
          <span className="sm:hidden"> · {spec.cluster}</span>
        </span>
      </div>
      <div role="cell" className={classNames(medium, 'py-0.5 break-words')}>
        {spec.cluster}
      </div>
      <div role="cell" className="py-0.5">
        <StatusText status={state} />
        <MoveProgress object={object} />
      </div>
      <div role="cell" className={classNames(wide, 'py-0.5 text-xs break-words')}>
        {quota === undefined ? <span className="text-faint">–</span> : amountsText(quota).replaceAll(',', ', ')}
        {status?.used !== undefined && Object.keys(status.used).length > 0 && (
          <span className="block text-muted">{t('quota.used', { amounts: amountsText(status.used).replaceAll(',', ', ') })}</span>
        )}
      </div>
      <div role="cell" className="-my-0.5">
        {(isThere || may.change || may.remove) && (
          <Menu trigger={<IconButton icon={MoreIcon} label={t('actionsOf', { name: spec.namespace })} />}>
            {isThere && (
              <MenuItem icon={PodIcon} onSelect={() => navigate(pods)}>
                {t('namespaces.pods')}
              </MenuItem>
            )}
            {may.change && !isGoing && !isMoving && (
              <MenuItem icon={ScaleIcon} onSelect={() => onOpen('quota')}>
                {t('namespaces.changeQuota')}
              </MenuItem>
            )}
            {may.remove && isThere && !isGoing && !isMoving && (
              <MenuItem icon={RestartIcon} onSelect={() => onOpen('move')}>
                {t('move.open')}
              </MenuItem>
            )}
            {may.remove && may.change && !isMoving && (
              <MenuItem icon={DeleteIcon} tone="error" onSelect={() => onOpen('remove')}>
                {t('namespaces.remove')}
              </MenuItem>
            )}
          </Menu>
        )}
      </div>
      {problems.length > 0 && (
        <div role="cell" className="col-span-full mt-1 mr-2 border-l-2 border-line-strong pl-2 text-xs break-words">
          {problems.map(({ type, known, message }) => (
            <p key={type}>
              <span className="text-muted">{message}</span>
              {known !== undefined && <span className="block">{t(`remedy.${known}`)}</span>}
            </p>
          ))}
        </div>
      )}
    </div>
  )
}

/** The steps of a move, as they are taken. */
function MoveProgress({ object }: { readonly object: ProjectNamespace }) {
  const { t } = useTranslation('tenancy')
  const { move } = object.status ?? {}
  const steps = moveSteps(move)
  if (move === undefined || steps.length === 0) return undefined
  return (
    <ol aria-label={t('move.progress', { to: goalOf(move) })} className="mt-1 flex flex-col gap-0.5 text-xs">
      {steps.map(({ word, state }) => (
        <li
          key={word}
          aria-current={state === 'now' ? 'step' : undefined}
          className={classNames('flex items-center gap-1.5', state === 'todo' && 'text-muted', state === 'now' && 'font-medium')}
        >
          {state === 'done' ? (
            <CheckIcon aria-label={t('move.done')} className="size-3.5 shrink-0 text-ok" />
          ) : (
            <span
              aria-hidden
              className={classNames('mx-0.5 size-2 shrink-0 rounded-full', state === 'now' ? 'animate-pulse bg-progress-dot' : 'bg-neutral-dot')}
            />
          )}
          {t(`move.step.${word}`, { to: goalOf(move) })}
        </li>
      ))}
    </ol>
  )
}
