import type { PolicyRule } from '@gantry/kube-api'

// The roles and bindings that every cluster has. Upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy.

interface RoleManifest {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly rules: readonly PolicyRule[]
}

interface BindingManifest {
  readonly name: string
  readonly role: string
  readonly groups?: readonly string[]
  readonly users?: readonly string[]
}

const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'deletecollection', 'patch', 'update']
const healthUrls = ['/healthz', '/livez', '/readyz', '/version', '/version/']

const viewRules: readonly PolicyRule[] = [
  {
    verbs: read,
    apiGroups: [''],
    resources: ['configmaps', 'endpoints', 'events', 'namespaces', 'pods', 'pods/log', 'pods/status', 'serviceaccounts', 'services', 'services/status'],
  },
  {
    verbs: read,
    apiGroups: ['apps'],
    resources: ['deployments', 'deployments/scale', 'deployments/status', 'replicasets', 'replicasets/scale', 'replicasets/status'],
  },
]

const editRules: readonly PolicyRule[] = [
  { verbs: read, apiGroups: [''], resources: ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'] },
  { verbs: ['impersonate'], apiGroups: [''], resources: ['serviceaccounts'] },
  {
    verbs: write,
    apiGroups: [''],
    resources: [
      'configmaps',
      'events',
      'pods',
      'pods/attach',
      'pods/exec',
      'pods/portforward',
      'pods/proxy',
      'secrets',
      'serviceaccounts',
      'services',
      'services/proxy',
    ],
  },
  { verbs: ['create'], apiGroups: [''], resources: ['pods/eviction', 'serviceaccounts/token'] },
  { verbs: write, apiGroups: ['apps'], resources: ['deployments', 'deployments/rollback', 'deployments/scale', 'replicasets', 'replicasets/scale'] },
  { verbs: [...read, ...write], apiGroups: ['coordination.k8s.io'], resources: ['leases'] },
]

const adminRules: readonly PolicyRule[] = [
  { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews'] },
  { verbs: [...read, ...write], apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings', 'roles'] },
]

export const clusterRoles: readonly RoleManifest[] = [
  {
    name: 'cluster-admin',
    rules: [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ],
  },
  { name: 'admin', rules: [...adminRules, ...editRules, ...viewRules] },
  { name: 'edit', labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' }, rules: [...editRules, ...viewRules] },
  { name: 'view', labels: { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' }, rules: viewRules },
  { name: 'system:discovery', rules: [{ verbs: ['get'], nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', ...healthUrls, '/openapi', '/openapi/*'] }] },
  {
    name: 'system:basic-user',
    rules: [
      { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'] },
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
    ],
  },
  { name: 'system:public-info-viewer', rules: [{ verbs: ['get'], nonResourceURLs: healthUrls }] },
  {
    name: 'system:monitoring',
    rules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/metrics/slis', '/readyz', '/readyz/*'] }],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
      { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
    ],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      { verbs: ['get'], nonResourceURLs: ['/.well-known/openid-configuration', '/.well-known/openid-configuration/', '/openid/v1/jwks', '/openid/v1/jwks/'] },
    ],
  },
  {
    name: 'system:node',
    rules: [
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
      { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews', 'subjectaccessreviews'] },
      { verbs: read, apiGroups: [''], resources: ['services'] },
      { verbs: ['create', ...read, 'delete', 'patch', 'update'], apiGroups: [''], resources: ['nodes', 'nodes/status'] },
      { verbs: ['create', 'patch', 'update'], apiGroups: [''], resources: ['events'] },
      { verbs: [...read, 'create', 'delete'], apiGroups: [''], resources: ['pods'] },
      { verbs: ['patch', 'update'], apiGroups: [''], resources: ['pods/status'] },
      { verbs: ['create'], apiGroups: [''], resources: ['pods/eviction', 'serviceaccounts/token'] },
      { verbs: read, apiGroups: [''], resources: ['configmaps', 'secrets'] },
      { verbs: ['create', 'delete', 'get', 'patch', 'update'], apiGroups: ['coordination.k8s.io'], resources: ['leases'] },
    ],
  },
]

export const clusterRoleBindings: readonly BindingManifest[] = [
  { name: 'cluster-admin', role: 'cluster-admin', groups: ['system:masters'] },
  { name: 'system:discovery', role: 'system:discovery', groups: ['system:authenticated'] },
  { name: 'system:basic-user', role: 'system:basic-user', groups: ['system:authenticated'] },
  { name: 'system:public-info-viewer', role: 'system:public-info-viewer', groups: ['system:authenticated', 'system:unauthenticated'] },
  { name: 'system:monitoring', role: 'system:monitoring', groups: ['system:monitoring'] },
  { name: 'system:service-account-issuer-discovery', role: 'system:service-account-issuer-discovery', groups: ['system:serviceaccounts'] },
]

const rbac = 'rbac.authorization.k8s.io'
const marks = { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' } }
const bootstrapLabel = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }

/** The manifests as objects ready to be created. */
export function bootstrapObjects(): Record<string, unknown>[] {
  return [
    ...clusterRoles.map(({ name, labels, rules }) => ({
      kind: 'ClusterRole',
      apiVersion: `${rbac}/v1`,
      metadata: { name, labels: { ...bootstrapLabel, ...labels }, ...marks },
      rules,
    })),
    ...clusterRoleBindings.map(({ name, role, groups = [], users = [] }) => ({
      kind: 'ClusterRoleBinding',
      apiVersion: `${rbac}/v1`,
      metadata: { name, labels: bootstrapLabel, ...marks },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: role },
      subjects: [
        ...groups.map((group) => ({ kind: 'Group', apiGroup: rbac, name: group })),
        ...users.map((user) => ({ kind: 'User', apiGroup: rbac, name: user })),
      ],
    })),
  ]
}
