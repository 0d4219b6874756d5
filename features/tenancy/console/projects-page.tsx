import { Button, Empty, ErrorNotice, lazily, Loading, PageHeader, useMay } from '@gantry/console-kit'
import { PlusIcon, ProjectIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Project, Tenant } from '../api/index.ts'
import { projectType } from './kinds.ts'
import { ProjectTable } from './project-table.tsx'
import { projectTree } from './project-tree.ts'
import { chainOf, placeOf, scopeOfProject, scopeOfTenant, textOf, type Scope } from './scope.ts'
import { useTenancy } from './use-tenancy.ts'

const ProjectDialog = lazily(async () => (await import('./project-dialog.tsx')).ProjectDialog)

/** The projects that the caller sees, of all tenants. */
export function ProjectsPage() {
  const { t } = useTranslation('tenancy')
  const tenancy = useTenancy()
  const { phase, projects, error } = tenancy
  const places = usePlaces(tenancy)
  const [isCreating, setCreating] = useState(false)
  return (
    <div className="flex h-full flex-col overflow-auto">
      <PageHeader title={t('projects.title')} note={<span className="text-sm text-muted">{t('projects.count', { count: projects.length })}</span>}>
        {places.length > 0 && (
          <Button look="primary" icon={PlusIcon} onClick={() => setCreating(true)}>
            {t('project.create')}
          </Button>
        )}
      </PageHeader>
      <div className="flex flex-col gap-3 px-4 pb-6 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('projects.failed')} />}
        {phase === 'loading' && <Loading label={t('projects.loading')} />}
        {phase === 'ready' && projects.length === 0 && (
          <Empty icon={ProjectIcon} title={t('projects.none')}>
            {t(places.length > 0 ? 'projects.noneHelp' : 'projects.notYours')}
          </Empty>
        )}
        {projects.length > 0 && <ProjectTable projects={projects} />}
      </div>
      {isCreating && <ProjectDialog places={places} tenancy={tenancy} onClose={() => setCreating(false)} />}
    </div>
  )
}

/** Asked about at most: in others projects are made on their own pages. */
const mostAsked = 20

/** Where the caller may make projects: what may be done in a tenant or project may be done in all below it, so only those at the top are asked about. */
function usePlaces({ tenants, projects }: { readonly tenants: readonly Tenant[]; readonly projects: readonly Project[] }): readonly Scope[] {
  const seen = new Set(tenants.map((tenant) => textOf(scopeOfTenant(tenant))))
  const roots = projectTree(projects)
    .filter(({ project, depth }) => depth === 0 && !seen.has(scopeOfProject(project).tenant))
    .map(({ project }) => scopeOfProject(project))
  const asked = [...tenants.map(scopeOfTenant), ...roots].slice(0, mostAsked)
  const answers = useMay(asked.map((scope) => ({ verb: 'create', type: projectType, namespace: placeOf(scope) })))
  const tops = new Set(asked.filter((_, index) => answers[index] === true).map(textOf))
  const below = projects.map(scopeOfProject).filter((scope) => [...chainOf(scope, projects), scope].some((one) => tops.has(textOf(one))))
  return [...asked.filter((scope) => scope.project === undefined && tops.has(textOf(scope))), ...below]
}
