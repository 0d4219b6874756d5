import type { ResourceRef } from '@gantry/client'

const admission = 'admissionregistration.k8s.io/v1'

/** Addresses of the built-in resources, for clients of the API. */
export const resources = {
  namespaces: ref('v1', 'namespaces', 'Namespace', { namespaced: false }),
  configMaps: ref('v1', 'configmaps', 'ConfigMap'),
  secrets: ref('v1', 'secrets', 'Secret'),
  serviceAccounts: ref('v1', 'serviceaccounts', 'ServiceAccount'),
  nodes: ref('v1', 'nodes', 'Node', { namespaced: false }),
  pods: ref('v1', 'pods', 'Pod'),
  events: ref('v1', 'events', 'Event'),
  services: ref('v1', 'services', 'Service'),
  deployments: ref('apps/v1', 'deployments', 'Deployment'),
  replicaSets: ref('apps/v1', 'replicasets', 'ReplicaSet'),
  podDisruptionBudgets: ref('policy/v1', 'poddisruptionbudgets', 'PodDisruptionBudget'),
  leases: ref('coordination.k8s.io/v1', 'leases', 'Lease'),
  customResourceDefinitions: ref('apiextensions.k8s.io/v1', 'customresourcedefinitions', 'CustomResourceDefinition', { namespaced: false }),
  roles: ref('rbac.authorization.k8s.io/v1', 'roles', 'Role'),
  roleBindings: ref('rbac.authorization.k8s.io/v1', 'rolebindings', 'RoleBinding'),
  clusterRoles: ref('rbac.authorization.k8s.io/v1', 'clusterroles', 'ClusterRole', { namespaced: false }),
  clusterRoleBindings: ref('rbac.authorization.k8s.io/v1', 'clusterrolebindings', 'ClusterRoleBinding', { namespaced: false }),
  limitRanges: ref('v1', 'limitranges', 'LimitRange'),
  resourceQuotas: ref('v1', 'resourcequotas', 'ResourceQuota'),
  persistentVolumeClaims: ref('v1', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  persistentVolumes: ref('v1', 'persistentvolumes', 'PersistentVolume', { namespaced: false }),
  priorityClasses: ref('scheduling.k8s.io/v1', 'priorityclasses', 'PriorityClass', { namespaced: false }),
  runtimeClasses: ref('node.k8s.io/v1', 'runtimeclasses', 'RuntimeClass', { namespaced: false }),
  storageClasses: ref('storage.k8s.io/v1', 'storageclasses', 'StorageClass', { namespaced: false }),
  csiDrivers: ref('storage.k8s.io/v1', 'csidrivers', 'CSIDriver', { namespaced: false }),
  ingressClasses: ref('networking.k8s.io/v1', 'ingressclasses', 'IngressClass', { namespaced: false }),
  mutatingWebhookConfigurations: ref(admission, 'mutatingwebhookconfigurations', 'MutatingWebhookConfiguration', { namespaced: false }),
  validatingWebhookConfigurations: ref(admission, 'validatingwebhookconfigurations', 'ValidatingWebhookConfiguration', { namespaced: false }),
  validatingAdmissionPolicies: ref(admission, 'validatingadmissionpolicies', 'ValidatingAdmissionPolicy', { namespaced: false }),
  validatingAdmissionPolicyBindings: ref(admission, 'validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding', { namespaced: false }),
  mutatingAdmissionPolicies: ref(admission, 'mutatingadmissionpolicies', 'MutatingAdmissionPolicy', { namespaced: false }),
  mutatingAdmissionPolicyBindings: ref(admission, 'mutatingadmissionpolicybindings', 'MutatingAdmissionPolicyBinding', { namespaced: false }),
  endpoints: ref('v1', 'endpoints', 'Endpoints'),
  endpointSlices: ref('discovery.k8s.io/v1', 'endpointslices', 'EndpointSlice'),
  apiServices: ref('apiregistration.k8s.io/v1', 'apiservices', 'APIService', { namespaced: false }),
} as const satisfies Readonly<Record<string, ResourceRef>>

function ref(apiVersion: string, resource: string, kind: string, scope: { readonly namespaced: boolean } = { namespaced: true }): ResourceRef {
  const slash = apiVersion.indexOf('/')
  return { group: slash < 0 ? '' : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), resource, kind, namespaced: scope.namespaced }
}
