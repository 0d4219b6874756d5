import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'wouter'
import type { AnyObject } from '../api/kube-object.ts'
import { useConsole, useKind } from '../console-context.tsx'
import type { DetailProps, DetailTab, ObjectAction } from '../definitions.ts'
import { scopeQuery, useQueryState } from '../frame/scope.ts'
import { PageHeader } from '../frame/page-header.tsx'
import { useLiveObject } from '../live/use-live.ts'
import { useMay } from '../live/use-may.ts'
import { useServedResource } from '../live/use-served.ts'
import { listHref, objectTarget } from '../model/console-path.ts'
import { Button } from '../ui/button.tsx'
import { classNames } from '../ui/class-names.ts'
import { Empty, Loading } from '../ui/empty.tsx'
import { ChevronRightIcon, HelpIcon } from '../ui/icons.ts'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { StatusPill } from '../ui/status.tsx'
import { ConditionsSection, MetadataSection } from './detail-sections.tsx'
import { deleteAction } from './delete-dialog.tsx'
import { offered } from './row-menu.tsx'
import { YamlTab } from './lazy-pages.tsx'

type RouteParams = Readonly<Record<'cluster' | 'group' | 'version' | 'plural' | 'namespace' | 'name', string>>

/** Any object of any kind: what it is, what its owner links are, its conditions, its YAML, and what its kind adds. */
export function ObjectDetail() {
  const params = useParams() as RouteParams
  // A new address is a new page: nothing of the last object may be left in an editor or a dialog.
  return <ObjectPage key={Object.values(params).join('/')} params={params} />
}

function ObjectPage({ params }: { readonly params: RouteParams }) {
  const { t } = useTranslation('kit')
  const { features } = useConsole()
  const cluster = params.cluster
  const routed = useMemo(() => objectTarget(params), [params])
  const served = useServedResource(cluster, routed.type)
  const live = useLiveObject<AnyObject>(routed)
  const kind = useKind(routed.type)
  const query = useQueryState()
  const kindName = served?.kind ?? live.object?.kind ?? kind?.type.kind ?? routed.type.plural
  const target = useMemo(() => ({ ...routed, type: { ...routed.type, kind: kindName } }), [routed, kindName])
  const [action, setAction] = useState<ObjectAction>()

  const tabs = useMemo<readonly DetailTab[]>(
    () => [overviewTab, ...(kind?.tabs ?? []), yamlTab, ...features.flatMap((feature) => feature.tabs ?? [])],
    [kind, features],
  )
  const asked = query.get('tab')
  const tab = tabs.find((candidate) => candidate.id === asked) ?? overviewTab
  const fixed = live.object === undefined ? undefined : kind?.readOnly?.(live.object)
  const [mayUpdate, mayDelete] = useMay([
    { ...target, verb: 'update' },
    { ...target, verb: 'delete' },
  ])
  const canUpdate = fixed === undefined && mayUpdate === true
  const isOffered = ({ verb, fits }: ObjectAction): boolean =>
    (verb !== 'update' || canUpdate) &&
    (verb !== 'delete' || (fixed === undefined && mayDelete === true)) &&
    (live.object === undefined || fits?.(live.object) !== false)
  const actions = offered([...(kind?.actions ?? []), deleteAction], served?.verbs).filter(isOffered)
  const DialogOfAction = action?.dialog
  const TabContent = tab.component
  const status = live.object === undefined ? undefined : kind?.status?.(live.object)
  const listPath = kind?.listPath ?? listHref(routed.type)

  return (
    <div className="flex h-full min-h-0 flex-col">
      <nav aria-label={t('detail.breadcrumb')} className="flex items-center gap-1 overflow-hidden px-4 pt-3 text-xs whitespace-nowrap text-muted md:px-5">
        <Link href={`/clusters/${encodeURIComponent(cluster)}`} className="hover:text-ink hover:underline">
          {cluster}
        </Link>
        <ChevronRightIcon aria-hidden className="size-3 shrink-0" />
        {routed.namespace !== undefined && (
          <>
            <Link href={`${listPath}?cluster=${cluster}&namespace=${routed.namespace}`} className="hover:text-ink hover:underline">
              {routed.namespace}
            </Link>
            <ChevronRightIcon aria-hidden className="size-3 shrink-0" />
          </>
        )}
        <Link href={`${listPath}${scopeQuery()}`} className="hover:text-ink hover:underline">
          {kind === undefined ? kindName : t(kind.title)}
        </Link>
      </nav>
      <div className="-mt-1.5">
        <PageHeader
          title={routed.name}
          note={
            <>
              <span className="rounded border border-line px-1.5 py-0.5 text-xs text-muted">{kindName}</span>
              {status !== undefined && <StatusPill status={status} />}
            </>
          }
        >
          {actions.map((offer) => (
            <Button
              key={offer.id}
              icon={offer.icon}
              disabled={live.isGone || live.object === undefined}
              onClick={() => setAction(offer)}
              className={offer.tone === 'error' ? 'text-error' : undefined}
            >
              {t(offer.title)}
            </Button>
          ))}
        </PageHeader>
      </div>
      {/* oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the focus is on the tabs, as ARIA's tabs pattern says */}
      <div role="tablist" aria-label={routed.name} className="flex gap-1 overflow-x-auto border-b border-line px-4 md:px-5" onKeyDown={moveTab}>
        {tabs.map((candidate) => (
          <button
            key={candidate.id}
            id={`tab-${candidate.id}`}
            role="tab"
            type="button"
            aria-selected={candidate === tab}
            aria-controls="tabpanel"
            tabIndex={candidate === tab ? 0 : -1}
            onClick={() => query.set({ tab: candidate === overviewTab ? undefined : candidate.id })}
            className={classNames(
              '-mb-px cursor-pointer border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap',
              candidate === tab ? 'border-accent text-ink' : 'border-transparent text-muted hover:text-ink',
            )}
          >
            {t(candidate.title)}
          </button>
        ))}
      </div>
      <div
        id="tabpanel"
        role="tabpanel"
        aria-labelledby={`tab-${tab.id}`}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
        tabIndex={0}
        className={classNames('flex min-h-0 flex-1 flex-col outline-none', tab.isTall === true ? 'overflow-hidden' : 'overflow-auto')}
      >
        {live.isGone && (
          <div className="px-4 pt-3 md:px-5">
            <Notice tone="warn" title={live.object === undefined ? t('detail.notFound', { name: routed.name }) : t('detail.deleted')} />
          </div>
        )}
        {live.phase === 'error' && live.error !== undefined && (
          <div className="px-4 pt-3 md:px-5">
            <ErrorNotice error={live.error} title={t('detail.failed', { name: routed.name, cluster })} />
          </div>
        )}
        {fixed !== undefined && (
          <div className="px-4 pt-3 md:px-5">
            <Notice tone="neutral" title={t('detail.readOnly')}>
              {t(fixed)}
            </Notice>
          </div>
        )}
        {live.object !== undefined && <TabContent target={target} object={live.object} isGone={live.isGone} isReadOnly={!canUpdate} served={served} />}
        {live.object === undefined && live.phase === 'loading' && <Loading label={t('detail.loading', { name: routed.name })} />}
        {live.object === undefined && live.isGone && (
          <Empty icon={HelpIcon} title={t('detail.notFoundTitle')}>
            {t('detail.notFoundHelp', { cluster })}
          </Empty>
        )}
      </div>
      {DialogOfAction !== undefined && <DialogOfAction targets={[target]} onClose={() => setAction(undefined)} />}
    </div>
  )
}

function Overview(props: DetailProps) {
  const kind = useKind(props.target.type)
  return (
    <div className="flex flex-col gap-4 px-4 py-4 md:px-5">
      {kind?.sections?.map(({ id, component: Section }) => (
        <Section key={id} {...props} />
      ))}
      <MetadataSection {...props} />
      <ConditionsSection {...props} />
    </div>
  )
}

const overviewTab: DetailTab = { id: 'overview', title: 'kit:detail.overview', component: Overview }
const yamlTab: DetailTab = { id: 'yaml', title: 'kit:detail.yaml', component: YamlTab, isTall: true }

/** Arrow keys move between tabs, as ARIA's tabs pattern says. */
function moveTab(event: React.KeyboardEvent<HTMLElement>): void {
  const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
  if (step === 0) return
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')]
  const next = all[(all.indexOf(event.target as HTMLElement) + step + all.length) % all.length]
  next?.focus()
  next?.click()
}
