import {
  Button,
  ConditionTable,
  Empty,
  ErrorNotice,
  Fact,
  Facts,
  lazily,
  Loading,
  PageHeader,
  Section,
  StatusPill,
  TableLink,
  useMay,
} from '@gantry/console-kit'
import { PauseIcon, PlayIcon, PlusIcon, TenantIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation, useParams } from 'wouter'
import { projectType, tenantType } from './kinds.ts'
import { MembersSection } from './members-section.tsx'
import { ProblemNotices } from './problem-notices.tsx'
import { ProjectTable } from './project-table.tsx'
import { barsOf } from './quota-bars.ts'
import { QuotaSection } from './quota-section.tsx'
import { nameOf, placeOf, scopeOfProject, type Scope } from './scope.ts'
import { RemoveScopeDialog, SwitchDialog } from './scope-dialogs.tsx'
import { ScopeMenu } from './scope-menu.tsx'
import { stateOf } from './state.ts'
import { useTenantQuota } from './use-quota.ts'
import { useTenancy } from './use-tenancy.ts'

const TenantDialog = lazily(async () => (await import('./tenant-dialog.tsx')).TenantDialog)
const ProjectDialog = lazily(async () => (await import('./project-dialog.tsx')).ProjectDialog)

/** One tenant: its projects, its members, what it may have and what of that is taken. */
export function TenantPage() {
  const { t } = useTranslation('tenancy')
  const { tenant: name = '' } = useParams() as { readonly tenant?: string }
  const [, navigate] = useLocation()
  const tenancy = useTenancy()
  const scope: Scope = { tenant: name, project: undefined }
  const [mayEdit, mayDelete, mayCreate] = useMay([
    { verb: 'patch', type: tenantType, name },
    { verb: 'delete', type: tenantType, name },
    { verb: 'create', type: projectType, namespace: placeOf(scope) },
  ])
  const [dialog, setDialog] = useState<'project' | 'edit' | 'switch' | 'remove'>()
  const close = (): void => setDialog(undefined)
  const tenant = tenancy.tenants.find(({ metadata }) => metadata.name === name)
  const projects = tenancy.projects.filter((project) => scopeOfProject(project).tenant === name)
  const quota = useTenantQuota(tenant, projects)
  if (tenant === undefined) {
    if (tenancy.phase === 'loading') return <Loading label={t('tenants.loading')} />
    if (tenancy.error !== undefined) return <ErrorNotice error={tenancy.error} title={t('tenants.failed')} />
    return (
      <Empty icon={TenantIcon} title={t('tenant.notFound', { name })}>
        <TableLink href="/tenants">{t('tenants.title')}</TableLink>
      </Empty>
    )
  }

  const { spec, status } = tenant
  const isSuspended = spec.suspended === true
  return (
    <div className="flex h-full flex-col overflow-auto">
      <nav aria-label={t('breadcrumb')} className="px-4 pt-3 text-xs text-muted md:px-5">
        <Link href="/tenants" className="hover:text-ink hover:underline">
          {t('tenants.title')}
        </Link>
      </nav>
      <div className="-mt-1.5">
        <PageHeader title={nameOf(tenant)} note={<StatusPill status={stateOf(tenant)} />}>
          {mayCreate === true && (
            <Button look="primary" icon={PlusIcon} onClick={() => setDialog('project')}>
              {t('project.create')}
            </Button>
          )}
          <ScopeMenu
            name={nameOf(tenant)}
            mayEdit={mayEdit === true}
            mayDelete={mayDelete === true}
            switchTo={{ icon: isSuspended ? PlayIcon : PauseIcon, label: t(isSuspended ? 'switch.resume.do' : 'switch.suspend.do') }}
            onSelect={setDialog}
          />
        </PageHeader>
      </div>
      <div className="flex flex-col gap-4 px-4 pb-6 md:px-5">
        <ProblemNotices object={tenant} />
        <Section title={t('facts')}>
          <Facts>
            <Fact name={t('column.name')}>{name}</Fact>
            <Fact name={t('column.clusters')}>{spec.clusters.includes('*') ? t('everyCluster') : spec.clusters.join(', ') || '–'}</Fact>
            <Fact name={t('column.projects')}>{projects.length}</Fact>
            <Fact name={t('column.namespaces')}>{status?.quota?.namespaces ?? 0}</Fact>
            {spec.description !== undefined && (
              <Fact name={t('form.description')} isWide>
                {spec.description}
              </Fact>
            )}
          </Facts>
        </Section>
        <Section title={t('projects.title')}>
          {projects.length === 0 ? <p className="px-4 py-3 text-sm text-muted">{t('projects.noneIn')}</p> : <ProjectTable projects={projects} isInTenant />}
        </Section>
        {quota.error !== undefined && <ErrorNotice error={quota.error} title={t('quota.failed')} />}
        <QuotaSection mode={spec.mode ?? 'Allocation'} bars={barsOf(scope, quota.lines, status?.quota)} use={status?.quota} />
        <MembersSection scope={scope} above={[]} />
        {(status?.conditions ?? []).length > 0 && (
          <Section title={t('conditions')}>
            <ConditionTable conditions={status?.conditions ?? []} />
          </Section>
        )}
      </div>
      {dialog === 'project' && <ProjectDialog places={[scope, ...projects.map(scopeOfProject)]} within={scope} tenancy={tenancy} onClose={close} />}
      {dialog === 'edit' && <TenantDialog tenant={tenant} onClose={close} />}
      {dialog === 'switch' && <SwitchDialog object={{ tenant }} onClose={close} />}
      {dialog === 'remove' && (
        <RemoveScopeDialog
          object={{ tenant }}
          projects={projects.length}
          onClose={(isRemoved) => {
            close()
            if (isRemoved && projects.length === 0) navigate('/tenants')
          }}
        />
      )}
    </div>
  )
}
