import { projectNamespace, tenantNamespace } from '@gantry/tenancy/api'
import type { ScopeReference } from '../../api/index.ts'

/** The namespace of the hub by which the permissions know a tenant or project. */
export function scopeNamespace({ tenant, project }: ScopeReference): string {
  return project === undefined ? tenantNamespace(tenant) : projectNamespace(tenant, project)
}

/** For people. */
export function scopeInWords({ tenant, project }: ScopeReference): string {
  return project === undefined ? `tenant ${tenant}` : `project ${tenant}/${project}`
}
