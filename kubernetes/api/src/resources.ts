import type { ResourceRef } from '@gantry/client'

/** Addresses of the built-in resources, for clients of the API. */
export const resources = {
  namespaces: ref('', 'v1', 'namespaces', 'Namespace', false),
  configMaps: ref('', 'v1', 'configmaps', 'ConfigMap', true),
  secrets: ref('', 'v1', 'secrets', 'Secret', true),
  serviceAccounts: ref('', 'v1', 'serviceaccounts', 'ServiceAccount', true),
  nodes: ref('', 'v1', 'nodes', 'Node', false),
  pods: ref('', 'v1', 'pods', 'Pod', true),
  events: ref('', 'v1', 'events', 'Event', true),
  services: ref('', 'v1', 'services', 'Service', true),
  deployments: ref('apps', 'v1', 'deployments', 'Deployment', true),
  replicaSets: ref('apps', 'v1', 'replicasets', 'ReplicaSet', true),
  leases: ref('coordination.k8s.io', 'v1', 'leases', 'Lease', true),
  customResourceDefinitions: ref('apiextensions.k8s.io', 'v1', 'customresourcedefinitions', 'CustomResourceDefinition', false),
  roles: ref('rbac.authorization.k8s.io', 'v1', 'roles', 'Role', true),
  roleBindings: ref('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding', true),
  clusterRoles: ref('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole', false),
  clusterRoleBindings: ref('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings', 'ClusterRoleBinding', false),
} as const satisfies Readonly<Record<string, ResourceRef>>

function ref(group: string, version: string, resource: string, kind: string, namespaced: boolean): ResourceRef {
  return { group, version, resource, kind, namespaced }
}
