import type { SecuredCall } from '../identity-config/secured-cluster.ts'

/** One request; its events are found by its name, which it carries as its Audit-ID. */
export interface AuditedRequest extends Omit<SecuredCall, 'token'> {
  readonly method: string
  readonly path: string
  /** Bearer token: one of the control plane's, or nobody's. Default: the administrator's certificate. */
  readonly token?: 'admin' | 'restricted' | 'unknown'
  /** Without any credential. */
  readonly anonymous?: boolean
}

/** What a payload carries that no event at Metadata may show. */
export const payload = 'cGF5bG9hZA=='

/** Policy of audit.k8s.io/v1: a namespace per level, and a rule for every way to choose requests. */
export const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['Panic'],
  rules: [
    { level: 'None', users: ['system:apiserver'] },
    { level: 'None', resources: [{ group: '', resources: ['endpoints'] }] },
    { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'serviceaccounts/token'] }, { group: 'authentication.k8s.io' }] },
    { level: 'Request', resources: [{ group: '', resources: ['configmaps'], resourceNames: ['named'] }], omitStages: ['RequestReceived'] },
    {
      level: 'Request',
      resources: [
        { group: 'apps', resources: ['*/scale'] },
        { group: '', resources: ['pods/*'] },
      ],
      omitStages: ['RequestReceived'],
    },
    { level: 'None', nonResourceURLs: ['/healthz*', '/version'] },
    { level: 'RequestResponse', nonResourceURLs: ['/apis/batch', '/livez'], omitStages: ['RequestReceived'] },
    { level: 'RequestResponse', namespaces: ['audit-trimmed'], omitManagedFields: true, omitStages: ['RequestReceived', 'ResponseStarted'] },
    { level: 'RequestResponse', namespaces: ['audit-deep'] },
    { level: 'Request', namespaces: ['audit-asked'], verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'Metadata', users: ['token-restricted'], omitStages: ['RequestReceived'] },
    { level: 'Metadata', userGroups: ['system:unauthenticated'], omitStages: ['ResponseComplete'] },
    { level: 'None', verbs: ['list'], resources: [{ group: '*', resources: ['*'] }] },
    { level: 'Metadata' },
  ],
}

const deep = '/api/v1/namespaces/audit-deep'
const trimmed = '/api/v1/namespaces/audit-trimmed'
const asked = '/api/v1/namespaces/audit-asked'
const plain = '/api/v1/namespaces/audit-plain'
const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 } }
const deployment = {
  metadata: { name: 'd' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { a: 'b' } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
}
const configMap = (name: string): object => ({ metadata: { name }, data: { a: 'b' } })
const podSecurity = { 'pod-security.kubernetes.io/audit': 'restricted', 'pod-security.kubernetes.io/enforce': 'baseline' }
const apply = { 'content-type': 'application/apply-patch+yaml' }
const upgrade = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' }
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }

/** What is created before the requests, by path. */
export const preparations: Readonly<Record<string, object>> = {
  '/api/v1/namespaces': { metadata: { name: 'audit-deep' } },
  [`${deep}/serviceaccounts`]: { metadata: { name: 'default' } },
}

/** In order: a request may rest upon those before it. */
export const auditedRequests: Readonly<Record<string, AuditedRequest>> = {
  'namespace-label': { method: 'PATCH', path: '/api/v1/namespaces/audit-deep', body: { metadata: { labels: podSecurity } } },
  'namespace-trimmed': { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'audit-trimmed' } } },
  'namespace-asked': { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'audit-asked' } } },
  'namespace-plain': { method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: 'audit-plain' } } },
  account: { method: 'POST', path: `${deep}/serviceaccounts`, body: { metadata: { name: 'robot' } } },
  // RequestResponse
  'deep-create': { method: 'POST', path: `${deep}/configmaps`, body: configMap('a') },
  'deep-create-generated': { method: 'POST', path: `${deep}/configmaps?dryRun=All`, body: { metadata: { generateName: 'g-' } } },
  'deep-create-again': { method: 'POST', path: `${deep}/configmaps`, body: configMap('a') },
  'deep-invalid': { method: 'POST', path: `${deep}/configmaps`, body: { metadata: { name: 'A_' }, data: { ' ': '' } } },
  'deep-no-json': { method: 'POST', path: `${deep}/configmaps`, body: '{' },
  'deep-media': { method: 'POST', path: `${deep}/configmaps`, body: 'x', headers: { 'content-type': 'text/plain' } },
  'deep-strict': { method: 'POST', path: `${deep}/configmaps?fieldValidation=Strict`, body: { metadata: { name: 's' }, unknown: 1 } },
  'deep-get': { method: 'GET', path: `${deep}/configmaps/a` },
  'deep-get-compressed': { method: 'GET', path: `${deep}/configmaps/a`, headers: { 'accept-encoding': 'gzip' } },
  'deep-get-missing': { method: 'GET', path: `${deep}/configmaps/missing` },
  'deep-update': { method: 'PUT', path: `${deep}/configmaps/a`, body: { ...configMap('a'), data: { a: 'c' } } },
  'deep-conflict': { method: 'PUT', path: `${deep}/configmaps/a`, body: { metadata: { name: 'a', resourceVersion: '1' } } },
  'deep-merge': { method: 'PATCH', path: `${deep}/configmaps/a`, body: { data: { b: 'd' } } },
  'deep-json-patch': {
    method: 'PATCH',
    path: `${deep}/configmaps/a`,
    body: [{ op: 'add', path: '/data/c', value: 'e' }],
    headers: { 'content-type': 'application/json-patch+json' },
  },
  'deep-apply': {
    method: 'PATCH',
    path: `${deep}/configmaps/applied?fieldManager=m`,
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: 'b' } },
    headers: apply,
  },
  'deep-apply-conflict': {
    method: 'PATCH',
    path: `${deep}/configmaps/applied?fieldManager=other`,
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: 'c' } },
    headers: apply,
  },
  'deep-patch-missing': { method: 'PATCH', path: `${deep}/configmaps/missing`, body: {} },
  'deep-list': { method: 'GET', path: `${deep}/configmaps?limit=1&labelSelector=a%3Db` },
  'deep-table': { method: 'GET', path: `${deep}/configmaps?fieldSelector=metadata.name%3Da`, headers: table },
  'deep-protobuf': { method: 'GET', path: `${deep}/configmaps/a`, headers: { accept: 'application/vnd.kubernetes.protobuf' } },
  'deep-watch': { method: 'GET', path: `${deep}/configmaps?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Da` },
  'deep-watch-expired': { method: 'GET', path: `${deep}/configmaps?watch=1&timeoutSeconds=1&resourceVersion=x` },
  'deep-old-watch': { method: 'GET', path: `/api/v1/watch/namespaces/audit-deep/configmaps/a?timeoutSeconds=1` },
  'deep-deployment': { method: 'POST', path: '/apis/apps/v1/namespaces/audit-deep/deployments', body: deployment },
  'deep-status-patch': { method: 'PATCH', path: '/apis/apps/v1/namespaces/audit-deep/deployments/d/status', body: { status: { replicas: 3 } } },
  'deep-scale-read': { method: 'GET', path: '/apis/apps/v1/namespaces/audit-deep/deployments/d/scale' },
  'deep-scale-update': {
    method: 'PUT',
    path: '/apis/apps/v1/namespaces/audit-deep/deployments/d/scale',
    body: { metadata: { name: 'd', namespace: 'audit-deep' }, spec: { replicas: 2 } },
  },
  'deep-scale-patch': { method: 'PATCH', path: '/apis/apps/v1/namespaces/audit-deep/deployments/d/scale', body: { spec: { replicas: 3 } } },
  'deep-pod': { method: 'POST', path: `${deep}/pods`, body: pod },
  'deep-pod-refused': {
    method: 'POST',
    path: `${deep}/pods`,
    body: { metadata: { name: 'host' }, spec: { hostNetwork: true, containers: [{ name: 'c', image: 'i' }] } },
  },
  'pod-log': { method: 'GET', path: `${deep}/pods/p/log` },
  'pod-exec': { method: 'POST', path: `${deep}/pods/p/exec?command=true&stdout=1`, headers: upgrade },
  'pod-exec-without-upgrade': { method: 'POST', path: `${deep}/pods/p/exec?command=true&stdout=1` },
  'pod-attach-missing': { method: 'GET', path: `${deep}/pods/missing/attach?stdout=1`, headers: upgrade },
  'pod-portforward': { method: 'POST', path: `${deep}/pods/p/portforward?ports=80`, headers: upgrade },
  'pod-binding': { method: 'POST', path: `${deep}/pods/p/binding`, body: { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n' } } },
  'pod-eviction': { method: 'POST', path: `${deep}/pods/p/eviction`, body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } } },
  'deep-delete': { method: 'DELETE', path: `${deep}/configmaps/a`, body: { propagationPolicy: 'Background', gracePeriodSeconds: 0 } },
  'deep-delete-missing': { method: 'DELETE', path: `${deep}/configmaps/a` },
  'deep-delete-collection': { method: 'DELETE', path: `${deep}/configmaps?labelSelector=a%3Db`, body: { propagationPolicy: 'Background' } },
  'deep-unknown-resource': { method: 'GET', path: `${deep}/nothings/a` },
  'deep-unknown-group': { method: 'GET', path: '/apis/nobody.example.com/v1/namespaces/audit-deep/nothings' },
  'deep-not-allowed': { method: 'POST', path: `${deep}/configmaps/a`, body: configMap('a') },
  'deep-binding': { method: 'POST', path: `${deep}/bindings`, body: { metadata: { name: 'missing' }, target: { kind: 'Node', name: 'n' } } },
  'deep-access-review': {
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/namespaces/audit-deep/localsubjectaccessreviews',
    body: {
      metadata: { namespace: 'audit-deep' },
      spec: { user: 'jane', resourceAttributes: { namespace: 'audit-deep', verb: 'get', resource: 'pods' } },
    },
  },
  // RequestResponse without managedFields
  'trimmed-create': { method: 'POST', path: `${trimmed}/configmaps`, body: configMap('a') },
  'trimmed-update': { method: 'PUT', path: `${trimmed}/configmaps/a`, body: { metadata: { name: 'a', managedFields: [] }, data: { a: 'c' } } },
  'trimmed-list': { method: 'GET', path: `${trimmed}/configmaps` },
  'trimmed-table': { method: 'GET', path: `${trimmed}/configmaps?includeObject=Object`, headers: table },
  'trimmed-get': { method: 'GET', path: `${trimmed}/configmaps/a` },
  'trimmed-watch': { method: 'GET', path: `${trimmed}/configmaps?watch=1&timeoutSeconds=1` },
  'trimmed-delete-collection': { method: 'DELETE', path: `${trimmed}/configmaps` },
  // Request
  'asked-create': { method: 'POST', path: `${asked}/configmaps`, body: configMap('a') },
  'asked-patch': { method: 'PATCH', path: `${asked}/configmaps/a`, body: { data: null } },
  'asked-patch-broken': { method: 'PATCH', path: `${asked}/configmaps/a`, body: { data: { ' ': 'x' } } },
  'asked-apply-yaml': {
    method: 'PATCH',
    path: `${asked}/configmaps/yes-yaml?fieldManager=m`,
    body: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yes-yaml}\n',
    headers: apply,
  },
  'asked-delete': { method: 'DELETE', path: `${asked}/configmaps/a`, body: { preconditions: { uid: 'x' } } },
  'asked-delete-query': { method: 'DELETE', path: `${asked}/configmaps/a?propagationPolicy=Background` },
  'asked-get': { method: 'GET', path: `${asked}/configmaps/a` },
  // Metadata
  'secret-create': { method: 'POST', path: `${deep}/secrets`, body: { metadata: { name: 's' }, data: { s: payload } } },
  'secret-get': { method: 'GET', path: `${deep}/secrets/s` },
  'secret-list': { method: 'GET', path: `${deep}/secrets` },
  'secret-patch': { method: 'PATCH', path: `${deep}/secrets/s`, body: { data: { t: payload } } },
  'secret-delete': { method: 'DELETE', path: `${deep}/secrets/s` },
  token: { method: 'POST', path: `${deep}/serviceaccounts/robot/token`, body: { spec: { expirationSeconds: 3600 } } },
  review: { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', body: {} },
  'named-update': { method: 'PUT', path: `${plain}/configmaps/named`, body: { metadata: { name: 'named' } } },
  'named-get': { method: 'GET', path: `${plain}/configmaps/named` },
  'none-by-resource': { method: 'GET', path: `${plain}/endpoints/a` },
  'none-by-verb': { method: 'GET', path: `${plain}/configmaps` },
  'watch-by-verb': { method: 'GET', path: `${plain}/configmaps?watch=true&timeoutSeconds=1` },
  // Paths
  'none-by-path': { method: 'GET', path: '/version' },
  'none-by-path-prefix': { method: 'GET', path: '/healthz/ping' },
  'path-group': { method: 'GET', path: '/apis/batch' },
  'path-livez': { method: 'GET', path: '/livez?verbose=x&exclude=etcd' },
  'path-missing': { method: 'GET', path: '/nowhere' },
  'path-openapi': { method: 'GET', path: '/openapi/v3' },
  'path-post': { method: 'POST', path: '/apis', body: {} },
  'path-head': { method: 'HEAD', path: '/apis/apps' },
  'path-options': { method: 'OPTIONS', path: '/api/v1/pods' },
  // Who asks
  refused: { method: 'GET', path: `${plain}/configmaps/a`, token: 'restricted' },
  'refused-create': { method: 'POST', path: `${plain}/configmaps`, token: 'restricted', body: configMap('x') },
  'refused-deep': { method: 'POST', path: `${deep}/configmaps`, token: 'restricted', body: configMap('x') },
  'refused-watch': { method: 'GET', path: `${plain}/configmaps?watch=1`, token: 'restricted' },
  'refused-exec': { method: 'POST', path: `${plain}/pods/p/exec?command=true`, token: 'restricted', headers: upgrade },
  allowed: { method: 'GET', path: '/apis', token: 'restricted' },
  'unknown-token': { method: 'GET', path: `${plain}/configmaps/a`, token: 'unknown' },
  'unknown-token-deep': { method: 'POST', path: `${deep}/configmaps`, token: 'unknown', body: configMap('x') },
  basic: { method: 'GET', path: `${plain}/configmaps/a`, anonymous: true, headers: { authorization: 'Basic YTpi' } },
  anonymous: { method: 'GET', path: `${plain}/configmaps/a`, anonymous: true },
  'anonymous-path': { method: 'GET', path: '/readyz', anonymous: true },
  impersonated: {
    method: 'GET',
    path: '/apis/apps',
    token: 'admin',
    headers: { 'impersonate-user': 'jane', 'impersonate-group': ['dev', 'ops'], 'impersonate-uid': 'u', 'impersonate-extra-scopes': 'view' },
  },
  'impersonated-refused': { method: 'GET', path: `${deep}/configmaps/a`, headers: { 'impersonate-user': 'jane' } },
  'impersonation-refused': { method: 'GET', path: `${deep}/configmaps/a`, token: 'restricted', headers: { 'impersonate-user': 'jane' } },
  'impersonated-account': { method: 'GET', path: '/apis/apps', headers: { 'impersonate-user': 'system:serviceaccount:audit-deep:default' } },
  'agent-long': { method: 'GET', path: '/apis/apps/v1', headers: { 'user-agent': 'x'.repeat(1100) } },
  'agent-none': { method: 'GET', path: '/apis/apps/v1', headers: { 'user-agent': '' } },
  forwarded: { method: 'GET', path: '/apis/apps/v1', headers: { 'x-forwarded-for': '192.0.2.7, 192.0.2.8', 'x-real-ip': '192.0.2.9' } },
  'query-strange': { method: 'GET', path: '/apis/apps/v1?a=%20b&pretty=true&c' },
  'path-escaped': { method: 'GET', path: `${plain}/configmaps/a%20b` },
}
