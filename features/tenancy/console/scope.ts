import { projectNamespace, scopeOf, tenantNamespace, type Project, type Tenant } from '../api/index.ts'

/** A tenant or a project: what may have projects, members and a quota. */
export interface Scope {
  readonly tenant: string
  /** undefined: the tenant itself. */
  readonly project: string | undefined
}

/** `acme`, or `acme/shop`, as the command line writes it. */
export const textOf = ({ tenant, project }: Scope): string => (project === undefined ? tenant : `${tenant}/${project}`)

/** The namespace of the hub that holds what is in it. */
export const placeOf = ({ tenant, project }: Scope): string => (project === undefined ? tenantNamespace(tenant) : projectNamespace(tenant, project))

export const scopeOfProject = ({ metadata }: Project): Scope => ({ tenant: scopeOf(metadata.namespace ?? '')?.tenant ?? '', project: metadata.name ?? '' })

export const scopeOfTenant = ({ metadata }: Tenant): Scope => ({ tenant: metadata.name ?? '', project: undefined })

/** What a project stands in. */
export function aboveOf({ metadata }: Project): Scope {
  return scopeOf(metadata.namespace ?? '') ?? { tenant: '', project: undefined }
}

export function hrefOf({ tenant, project }: Scope): string {
  return project === undefined ? `/tenants/${encodeURIComponent(tenant)}` : `/projects/${encodeURIComponent(tenant)}/${encodeURIComponent(project)}`
}

export const nameOf = ({ metadata, spec }: Project | Tenant): string => spec.displayName ?? metadata.name ?? ''

/** What everything that a project stands in is, the tenant first, as far as the caller sees it. Ends where a chain goes round. */
export function chainOf(scope: Scope, projects: readonly Project[]): readonly Scope[] {
  const chain: Scope[] = []
  const seen = new Set<string>()
  for (let at = scope; at.project !== undefined && !seen.has(at.project);) {
    seen.add(at.project)
    const { project } = at
    const found = projects.find((one) => one.metadata.name === project && scopeOfProject(one).tenant === scope.tenant)
    if (found === undefined) break
    at = aboveOf(found)
    chain.unshift(at)
  }
  return chain
}

/** Clusters that a scope may use; undefined: every one. What is not seen of those above bounds nothing here: the platform has the last word. */
export function clustersOf(
  scope: Scope,
  { tenants, projects }: { readonly tenants: readonly Tenant[]; readonly projects: readonly Project[] },
): readonly string[] | undefined {
  let allowed: readonly string[] | undefined
  for (const { tenant, project } of [...chainOf(scope, projects), scope]) {
    const named =
      project === undefined
        ? tenants.find(({ metadata }) => metadata.name === tenant)?.spec.clusters
        : projects.find((one) => one.metadata.name === project && scopeOfProject(one).tenant === tenant)?.spec.clusters
    if (named === undefined || named.includes('*')) continue
    allowed = named.filter((cluster) => allowed?.includes(cluster) !== false)
  }
  return allowed
}

const longestName = 24
const namePattern = /^[a-z0-9]([a-z0-9]|-[a-z0-9])*$/

/** Whether a tenant, project or environment may be called so. */
export const isName = (name: string): boolean => name.length <= longestName && namePattern.test(name)
