import type { Project, ProjectNamespace } from './kinds.ts'
import { canonicalResource } from './quota.ts'

/** The namespace with what it does not say itself as its project says: by resource of its quota, and its limits as a whole. Not to be written. */
export function withProjectDefaults(namespace: ProjectNamespace, project: Project | undefined): ProjectNamespace {
  const { namespaceDefaultQuota, namespaceDefaultLimits } = project?.spec ?? {}
  const { quota, limits } = namespace.spec
  if (
    (namespaceDefaultQuota === undefined || Object.keys(namespaceDefaultQuota).length === 0) &&
    (namespaceDefaultLimits === undefined || limits !== undefined)
  )
    return namespace
  const named = new Set(Object.keys(quota ?? {}).map(canonicalResource))
  const missing = Object.entries(namespaceDefaultQuota ?? {}).filter(([resource]) => !named.has(canonicalResource(resource)))
  return {
    ...namespace,
    spec: {
      ...namespace.spec,
      ...(missing.length === 0 ? {} : { quota: { ...quota, ...Object.fromEntries(missing) } }),
      ...(limits !== undefined || namespaceDefaultLimits === undefined ? {} : { limits: namespaceDefaultLimits }),
    },
  }
}
