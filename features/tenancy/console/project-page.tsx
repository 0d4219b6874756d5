import {
  Button,
  ConditionTable,
  Empty,
  ErrorNotice,
  Fact,
  Facts,
  lazily,
  Loading,
  Notice,
  PageHeader,
  Section,
  StatusPill,
  TableLink,
  useLiveObjects,
  useMay,
} from '@gantry/console-kit'
import { BanIcon, ChevronRightIcon, DownloadIcon, PlayIcon, PlusIcon, ProjectIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useParams } from 'wouter'
import type { Project, ProjectNamespace } from '../api/index.ts'
import { namespaceType, projectType } from './kinds.ts'
import { MembersSection } from './members-section.tsx'
import { ShareOutDialog } from './namespace-dialogs.tsx'
import { waitingForQuota } from './namespace-form.ts'
import { NamespacesSection } from './namespaces-section.tsx'
import { ProblemNotices } from './problem-notices.tsx'
import { ProjectKubeconfigDialog } from './project-kubeconfig-dialog.tsx'
import { ProjectTable } from './project-table.tsx'
import { barsOf } from './quota-bars.ts'
import { QuotaSection } from './quota-section.tsx'
import { EditProjectDialog, RemoveScopeDialog, SwitchDialog } from './scope-dialogs.tsx'
import { ScopeMenu } from './scope-menu.tsx'
import { aboveOf, chainOf, clustersOf, hrefOf, nameOf, placeOf, scopeOfProject, textOf, type Scope } from './scope.ts'
import { stateOf } from './state.ts'
import { useProjectQuota } from './use-quota.ts'
import { useTenancy, visible, type Tenancy } from './use-tenancy.ts'

const ProjectDialog = lazily(async () => (await import('./project-dialog.tsx')).ProjectDialog)

/** One project: its environments and namespaces, who works there, what it may have. */
export function ProjectPage() {
  const { t } = useTranslation('tenancy')
  const { tenant = '', project: name = '' } = useParams() as { readonly tenant?: string; readonly project?: string }
  const tenancy = useTenancy()
  const project = tenancy.projects.find((one) => one.metadata.name === name && scopeOfProject(one).tenant === tenant)
  if (project !== undefined) return <ProjectView key={`${tenant}/${name}`} project={project} tenancy={tenancy} />
  if (tenancy.phase === 'loading') return <Loading label={t('projects.loading')} />
  if (tenancy.error !== undefined) return <ErrorNotice error={tenancy.error} title={t('projects.failed')} />
  return (
    <Empty icon={ProjectIcon} title={t('project.notFound', { name: `${tenant}/${name}` })}>
      <TableLink href="/projects">{t('projects.title')}</TableLink>
    </Empty>
  )
}

type Dialog = 'kubeconfig' | 'project' | 'edit' | 'switch' | 'remove' | 'share'

function ProjectView({ project, tenancy }: { readonly project: Project; readonly tenancy: Tenancy }) {
  const { t } = useTranslation('tenancy')
  const [, navigate] = useLocation()
  const [dialog, setDialog] = useState<Dialog>()
  const close = (): void => setDialog(undefined)
  const scope = scopeOfProject(project)
  const place = placeOf(scope)
  const { metadata, spec, status } = project
  const ref = { type: projectType, namespace: metadata.namespace, name: metadata.name }
  const [mayEdit, mayDelete, mayCreate, mayChangeNamespaces] = useMay([
    { verb: 'patch', ...ref },
    { verb: 'delete', ...ref },
    { verb: 'create', type: projectType, namespace: place },
    { verb: 'patch', type: namespaceType, namespace: place },
  ])
  const live = visible(useLiveObjects<ProjectNamespace>({ cluster: undefined, type: namespaceType, namespace: place }))
  const namespaces = live.objects
  const quota = useProjectQuota(project, namespaces)
  const { view } = quota
  const chain = chainOf(scope, tenancy.projects)
  const below = tenancy.projects.filter(
    (one) => scopeOfProject(one).tenant === scope.tenant && chainOf(scopeOfProject(one), tenancy.projects).some((up) => textOf(up) === textOf(scope)),
  )
  const inIt = below.filter((one) => textOf(aboveOf(one)) === textOf(scope))
  const waiting = waitingForQuota(namespaces)
  const isClosed = view?.closed !== undefined
  const isActive = namespaces.some((one) => one.status?.clusterUID !== undefined)
  return (
    <div className="flex h-full flex-col overflow-auto">
      <Breadcrumb chain={chain} tenants={new Set(tenancy.tenants.map((one) => one.metadata.name ?? ''))} projects={tenancy.projects} />
      <div className="-mt-1.5">
        <PageHeader title={nameOf(project)} note={<StatusPill status={stateOf(project)} />}>
          {isActive && (
            <Button icon={DownloadIcon} onClick={() => setDialog('kubeconfig')}>
              {t('kubeconfig.open')}
            </Button>
          )}
          {mayCreate === true && !isClosed && (
            <Button icon={PlusIcon} onClick={() => setDialog('project')}>
              {t('project.createIn')}
            </Button>
          )}
          <ScopeMenu
            name={nameOf(project)}
            mayEdit={mayEdit === true}
            mayDelete={mayDelete === true}
            switchTo={{ icon: spec.locked === true ? PlayIcon : BanIcon, label: t(spec.locked === true ? 'switch.unlock.do' : 'switch.lock.do') }}
            onSelect={setDialog}
          />
        </PageHeader>
      </div>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        <ProblemNotices object={project} />
        {view?.closed !== undefined && (
          <Notice tone="neutral" title={t('project.closed')}>
            {view.closed}
          </Notice>
        )}
        {waiting.length > 0 && view !== undefined && (
          <Notice
            tone="warn"
            title={t('share.waiting', { count: waiting.length })}
            actions={
              mayChangeNamespaces === true &&
              !isClosed &&
              view.limits.length > 0 && (
                <Button look="primary" onClick={() => setDialog('share')}>
                  {t('share.open')}
                </Button>
              )
            }
          >
            {t('share.why')}
          </Notice>
        )}
        <NamespacesSection
          scope={scope}
          phase={live.phase}
          error={live.error}
          namespaces={namespaces}
          project={project}
          projects={tenancy.projects}
          view={view}
          allowed={clustersOf(scope, tenancy)}
          isClosed={isClosed}
        />
        {below.length > 0 && (
          <Section title={t('projects.below')}>
            <ProjectTable projects={below} isInTenant />
          </Section>
        )}
        {quota.error !== undefined && <ErrorNotice error={quota.error} title={t('quota.failed')} />}
        {view !== undefined && <QuotaSection mode={view.mode} bars={barsOf(scope, view.limits, status?.quota)} use={status?.quota} />}
        <MembersSection scope={scope} above={chain} />
        <Section title={t('facts')}>
          <Facts>
            <Fact name={t('column.name')}>{textOf(scope)}</Fact>
            <Fact name={t('project.in')}>{textOf(aboveOf(project))}</Fact>
            <Fact name={t('column.clusters')}>
              {spec.clusters === undefined || spec.clusters.includes('*') ? t('clustersOfAbove') : spec.clusters.join(', ') || '–'}
            </Fact>
            {spec.description !== undefined && (
              <Fact name={t('form.description')} isWide>
                {spec.description}
              </Fact>
            )}
          </Facts>
        </Section>
        {(status?.conditions ?? []).length > 0 && (
          <Section title={t('conditions')}>
            <ConditionTable conditions={status?.conditions ?? []} />
          </Section>
        )}
      </div>
      {dialog === 'kubeconfig' && <ProjectKubeconfigDialog scope={scope} onClose={close} />}
      {dialog === 'project' && <ProjectDialog places={[scope, ...below.map(scopeOfProject)]} within={scope} tenancy={tenancy} onClose={close} />}
      {dialog === 'edit' && <EditProjectDialog project={project} tenancy={tenancy} onClose={close} />}
      {dialog === 'switch' && <SwitchDialog object={{ project }} onClose={close} />}
      {dialog === 'share' && view !== undefined && <ShareOutDialog waiting={waiting} view={view} onClose={close} />}
      {dialog === 'remove' && (
        <RemoveScopeDialog
          object={{ project }}
          projects={inIt.length}
          onClose={(isRemoved) => {
            close()
            if (isRemoved && namespaces.length === 0 && inIt.length === 0) navigate('/projects')
          }}
        />
      )}
    </div>
  )
}

/** What it stands in; linked as far as the caller sees it. */
function Breadcrumb({
  chain,
  tenants,
  projects,
}: {
  readonly chain: readonly Scope[]
  readonly tenants: ReadonlySet<string>
  readonly projects: readonly Project[]
}) {
  const { t } = useTranslation('tenancy')
  const isSeen = (scope: Scope): boolean =>
    scope.project === undefined ? tenants.has(scope.tenant) : projects.some((one) => textOf(scopeOfProject(one)) === textOf(scope))
  return (
    <nav aria-label={t('breadcrumb')} className="flex flex-wrap items-center gap-1 px-4 pt-3 text-xs text-muted md:px-5">
      <Link href="/projects" className="hover:text-ink hover:underline">
        {t('projects.title')}
      </Link>
      {chain.map((scope) => (
        <span key={textOf(scope)} className="flex items-center gap-1">
          <ChevronRightIcon aria-hidden className="size-3 shrink-0" />
          {isSeen(scope) ? (
            <Link href={hrefOf(scope)} className="hover:text-ink hover:underline">
              {scope.project ?? scope.tenant}
            </Link>
          ) : (
            <span>{scope.project ?? scope.tenant}</span>
          )}
        </span>
      ))}
    </nav>
  )
}
