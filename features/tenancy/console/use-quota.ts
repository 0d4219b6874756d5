import { useAnswer, type ApiError } from '@gantry/console-kit'
import { useEffect } from 'react'
import type { Project, ProjectNamespace, QuotaLine, QuotaView, Tenant } from '../api/index.ts'
import { linesOfTenant, scopeWords } from './quota-bars.ts'
import { scopeOfProject, scopeOfTenant, type Scope } from './scope.ts'

/** Where what limits a project, and what of that is taken, is answered. */
const quotaPath = ({ tenant, project = '' }: Scope): string => `/platform/v1/projects/${encodeURIComponent(tenant)}/${encodeURIComponent(project)}/quota`

export interface ProjectQuota {
  readonly view: QuotaView | undefined
  readonly error: ApiError | undefined
}

/** What limits a project and what of that is taken; read again when one of its objects says something new. */
export function useProjectQuota(project: Project | undefined, namespaces: readonly ProjectNamespace[]): ProjectQuota {
  const said = namespaces.map(({ spec, status }) => [spec.quota, status?.reserved, status?.phase])
  return useView(project === undefined ? undefined : scopeOfProject(project), JSON.stringify([project?.spec, project?.status?.quota, said]))
}

/** What limits a tenant and what of that is taken. The same is said of each of its projects, so one of them is asked. */
export function useTenantQuota(
  tenant: Tenant | undefined,
  projects: readonly Project[],
): { readonly lines: readonly QuotaLine[]; readonly error: ApiError | undefined } {
  const one = projects.find((project) => project.status?.namespace !== undefined && scopeOfProject(project).tenant === tenant?.metadata.name)
  const seen = JSON.stringify([tenant?.spec, tenant?.status?.quota, projects.map(({ spec }) => spec.quota)])
  const { view, error } = useView(tenant === undefined || one === undefined ? undefined : scopeOfProject(one), seen)
  if (tenant === undefined) return { lines: [], error: undefined }
  const words = scopeWords(scopeOfTenant(tenant))
  return { lines: view?.limits.filter(({ scope }) => scope === words) ?? linesOfTenant(tenant), error }
}

function useView(scope: Scope | undefined, seen: string): ProjectQuota {
  const { value, error, reload } = useAnswer<QuotaView>(scope === undefined ? undefined : quotaPath(scope))
  useEffect(() => reload(), [reload, seen])
  return { view: value, error }
}
