import { lazily, type ConsoleFeature } from '@gantry/console-kit'
import { ProjectIcon, TenantIcon } from '@gantry/console-kit/icons'
import { tenantType } from './kinds.ts'
import { tenancyStrings } from './strings.ts'

export { useProjectFleet } from './use-tenancy.ts'

const TenantsPage = lazily(async () => (await import('./tenants-page.tsx')).TenantsPage)
const TenantPage = lazily(async () => (await import('./tenant-page.tsx')).TenantPage)
const ProjectsPage = lazily(async () => (await import('./projects-page.tsx')).ProjectsPage)
const ProjectPage = lazily(async () => (await import('./project-page.tsx')).ProjectPage)

export const tenancyConsole: ConsoleFeature = {
  name: 'tenancy',
  strings: tenancyStrings,
  pages: [
    {
      path: '/tenants',
      title: 'tenancy:tenants.title',
      nav: { section: 'fleet', order: 30, icon: TenantIcon },
      may: { verb: 'list', type: tenantType },
      component: TenantsPage,
    },
    { path: '/tenants/:tenant', title: 'tenancy:tenants.title', component: TenantPage },
    { path: '/projects', title: 'tenancy:projects.title', nav: { section: 'fleet', order: 40, icon: ProjectIcon }, component: ProjectsPage },
    { path: '/projects/:tenant/:project', title: 'tenancy:projects.title', component: ProjectPage },
  ],
}
