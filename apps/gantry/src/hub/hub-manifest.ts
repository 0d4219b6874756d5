import type { KubeObject } from '@gantry/client'
import { platformNamespace, type Kind } from '@gantry/clusters/api'

export interface HubManifestOptions {
  /** What the platform installs. */
  readonly kinds: readonly Kind<unknown, unknown>[]
  /** Of the platform itself; undefined: only the permissions of one that runs elsewhere. */
  readonly deployment?: { readonly image: string; readonly replicas: number; readonly serverNames: readonly string[]; readonly storage: string } | undefined
}

type Manifest = KubeObject & Readonly<Record<string, unknown>>

const rbac = 'rbac.authorization.k8s.io'
const name = 'gantry'
const port = 7443
const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'gantry' }

/**
 * What a Kubernetes cluster needs to be a hub: the platform's namespace, its ServiceAccount and the least permissions that it works with; and, when asked for, the platform itself. What
 * users may do on this cluster through the platform ends where these permissions end.
 */
export function hubManifest({ kinds, deployment }: HubManifestOptions): readonly Manifest[] {
  const meta = { name, labels }
  const inside = { name, namespace: platformNamespace, labels }
  const subjects = [{ kind: 'ServiceAccount', name, namespace: platformNamespace }]
  const roleRef = (kind: string): unknown => ({ apiGroup: rbac, kind, name })
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: platformNamespace, labels } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inside },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: meta, rules: clusterRules(kinds) },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: meta, roleRef: roleRef('ClusterRole'), subjects },
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: inside, rules: namespaceRules },
    { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: inside, roleRef: roleRef('Role'), subjects },
    ...(deployment === undefined ? [] : platformObjects(deployment)),
  ]
}

function clusterRules(kinds: readonly Kind<unknown, unknown>[]): readonly object[] {
  const definitions = kinds.map(({ plural, group }) => `${plural}.${group}`).toSorted()
  const reads = ['get', 'list', 'watch']
  return [
    // To install its kinds and keep them up to date. What is created cannot be limited by name.
    { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: ['create'] },
    { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], resourceNames: definitions, verbs: ['get', 'update'] },
    // Their objects.
    { apiGroups: [...new Set(kinds.map(({ group }) => group))].toSorted(), resources: ['*'], verbs: ['*'] },
    // What the platform shows of every cluster, this one too.
    { apiGroups: [''], resources: ['events', 'namespaces', 'nodes', 'pods'], verbs: reads },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: reads },
    // Namespaces of tenants and projects, and on this cluster those that projects ask for, with their limits. What is created cannot be limited by name.
    { apiGroups: [''], resources: ['namespaces'], verbs: ['create', 'patch', 'delete'] },
    { apiGroups: [''], resources: ['limitranges', 'resourcequotas'], verbs: [...reads, 'create', 'update', 'delete'] },
    // No namespace goes with something that still runs in it, or holds data.
    { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['list'] },
    { apiGroups: ['apps'], resources: ['daemonsets', 'statefulsets'], verbs: ['list'] },
    { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'], verbs: ['list'] },
  ]
}

const namespaceRules: readonly object[] = [
  // Password hashes, credentials of members, the authority of its certificates.
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'] },
  // Which of several processes does what only one may do.
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: ['gantry'], verbs: ['get', 'update'] },
  // By which they find each other; they come and go, so that they cannot be named. What is created cannot be either.
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'list', 'watch', 'patch', 'delete'] },
]

function platformObjects({ image, replicas, serverNames, storage }: NonNullable<HubManifestOptions['deployment']>): readonly Manifest[] {
  const inside = { name, namespace: platformNamespace, labels }
  const selector = { matchLabels: { 'app.kubernetes.io/name': name } }
  const names = [name, `${name}.${platformNamespace}`, `${name}.${platformNamespace}.svc`, ...serverNames]
  const probe = (path: string, more: object): object => ({ httpGet: { path, port: 'https', scheme: 'HTTPS' }, ...more })
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: inside,
      // One gateway for one client: what it has just made there, the others know a moment later.
      spec: { selector: selector.matchLabels, sessionAffinity: 'ClientIP', ports: [{ name: 'https', port: 443, targetPort: 'https' }] },
    },
    { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: inside, spec: { maxUnavailable: 1, selector } },
    // Stateful, because audit log and recordings are files of each gateway: with its pod's volume they outlive the pod.
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: inside,
      spec: {
        serviceName: name,
        replicas,
        podManagementPolicy: 'Parallel',
        selector,
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: name,
            terminationGracePeriodSeconds: 30,
            securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } },
            affinity: {
              podAntiAffinity: {
                preferredDuringSchedulingIgnoredDuringExecution: [
                  { weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: selector } },
                ],
              },
            },
            containers: [
              {
                name: 'gantry',
                image,
                args: [
                  'up',
                  '--data',
                  '/data',
                  '--listen',
                  `:${port}`,
                  '--hub-kubeconfig',
                  'in-cluster',
                  '--server-names',
                  names.join(','),
                  '--peer-advertise-address',
                  '$(POD_IP)',
                ],
                env: [{ name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
                ports: [{ name: 'https', containerPort: port }],
                livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 6 }),
                readinessProbe: probe('/readyz', { periodSeconds: 5 }),
                resources: { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '2Gi' } },
                securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
                volumeMounts: [
                  { name: 'data', mountPath: '/data' },
                  { name: 'tmp', mountPath: '/tmp' },
                ],
              },
            ],
            volumes: [{ name: 'tmp', emptyDir: {} }],
          },
        },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } }],
      },
    },
  ]
}
