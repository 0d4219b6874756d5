import type { AccessRoleBinding, ElevationRequest } from '../api/index.ts'

/** Where a role is given, or asked for: in words. */
export function placeOf({
  cluster,
  namespaces,
  scope,
}: Pick<AccessRoleBinding['spec'], 'cluster' | 'namespaces'> & Pick<ElevationRequest['spec'], 'scope'>): string {
  if (scope !== undefined) return scope.project === undefined ? `tenant ${scope.tenant}` : `project ${scope.tenant}/${scope.project}`
  if (cluster === undefined) return 'the whole platform'
  return namespaces === undefined ? `cluster ${cluster}` : `cluster ${cluster}, namespaces ${namespaces.join(', ')}`
}
