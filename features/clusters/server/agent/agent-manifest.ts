import { dump } from 'js-yaml'
import { StatusError } from '@gantry/apimachinery'
import type { KubeObject } from '@gantry/client'
import { agentLabel, agentName, agentNamespace, impersonationRules } from '../../api/index.ts'

export interface AgentManifestOptions {
  readonly cluster: string
  /** https://host:port */
  readonly hub: string
  /** PEM of the only authority that the agent trusts. */
  readonly ca: string
  /** Name that the platform's certificate carries, where it is not the host of `hub`. */
  readonly tlsServerName: string | undefined
  readonly token: string
  /** What everybody may do through the agent; undefined: the cluster is told who asks, and decides. */
  readonly access: string | undefined
  readonly image: string
  readonly proxyUrl: string | undefined
}

const rbac = 'rbac.authorization.k8s.io'
const clusterRoleName = /^[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?$/i
const accessName = `${agentName}-access`
const leaveName = `${agentName}-leave`

/** Everything that is written into a member, in the order in which it is applied. Throws BadRequest for an access that names no role. */
export function agentObjects(options: AgentManifestOptions): readonly (KubeObject & Readonly<Record<string, unknown>>)[] {
  const { cluster, access } = options
  if (access !== undefined && !clusterRoleName.test(access))
    throw new StatusError('BadRequest', `"${access}" is no access: it is viewer, admin or the name of a ClusterRole of the cluster`)
  const labels = { 'app.kubernetes.io/name': agentName, 'app.kubernetes.io/managed-by': 'gantry', [agentLabel]: cluster }
  const meta = (name: string): KubeObject['metadata'] => ({ name, labels })
  const inside = (name: string): KubeObject['metadata'] => ({ name, namespace: agentNamespace, labels })
  const subjects = [{ kind: 'ServiceAccount', name: agentName, namespace: agentNamespace }]
  const role = (kind: string, name: string): unknown => ({ apiGroup: rbac, kind, name })
  const accessRole = access === 'admin' ? 'cluster-admin' : access
  const bindings = accessRole === undefined ? [accessName] : accessRole === 'viewer' ? ['view', accessName] : [accessRole]
  const ownRules = accessRole === undefined ? impersonationRules : accessRole === 'viewer' ? viewerRules : undefined
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: meta(agentNamespace) },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inside(agentName) },
    // Its own Secret, and its own namespace: to leave.
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: inside(agentName),
      rules: [
        { apiGroups: [''], resources: ['secrets'], resourceNames: [agentName], verbs: ['get', 'patch'] },
        { apiGroups: [''], resources: ['namespaces'], resourceNames: [agentNamespace], verbs: ['get', 'delete'] },
      ],
    },
    { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: inside(agentName), roleRef: role('Role', agentName), subjects },
    // To find what of ours is left, and to hand it to the namespace so that it goes with it.
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRole',
      metadata: meta(leaveName),
      rules: [
        { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list'] },
        { apiGroups: [rbac], resources: ['clusterroles', 'clusterrolebindings'], verbs: ['get', 'list'] },
        {
          apiGroups: [rbac],
          resources: ['clusterroles', 'clusterrolebindings'],
          resourceNames: [leaveName, accessName, ...bindings.map((name) => bindingName(name))].filter((name, at, all) => all.indexOf(name) === at),
          verbs: ['patch', 'delete'],
        },
      ],
    },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: meta(leaveName), roleRef: role('ClusterRole', leaveName), subjects },
    ...(ownRules === undefined ? [] : [{ apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: meta(accessName), rules: ownRules }]),
    ...bindings.map((name) => ({
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: meta(bindingName(name)),
      roleRef: role('ClusterRole', name),
      subjects,
    })),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: inside(agentName),
      type: 'Opaque',
      stringData: {
        cluster,
        hub: options.hub,
        'ca.crt': options.ca,
        token: options.token,
        ...(options.tlsServerName === undefined ? {} : { 'tls-server-name': options.tlsServerName }),
        ...(options.proxyUrl === undefined ? {} : { proxy: options.proxyUrl }),
      },
    },
    deployment(options.image, { metadata: inside(agentName), labels }),
  ]
}

/** What `view` leaves out of what the console reads. Nothing of it shows a Secret. */
const viewerRules = [
  { apiGroups: [''], resources: ['nodes', 'persistentvolumes', 'namespaces', 'events'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['storage.k8s.io', 'apiextensions.k8s.io', 'scheduling.k8s.io', rbac], resources: ['*'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['metrics.k8s.io'], resources: ['*'], verbs: ['get', 'list'] },
]

function bindingName(role: string): string {
  return role === accessName ? accessName : `${accessName}-${role.replaceAll(/[^a-z0-9.-]/gi, '-').toLowerCase()}`.slice(0, 253)
}

function deployment(
  image: string,
  about: { readonly metadata: KubeObject['metadata']; readonly labels: Readonly<Record<string, string>> },
): KubeObject & Readonly<Record<string, unknown>> {
  const selector = { 'app.kubernetes.io/name': agentName }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: about.metadata,
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' }, // one writer of the credential
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: about.labels },
        spec: {
          serviceAccountName: agentName,
          containers: [
            {
              name: 'agent',
              image,
              args: ['agent'],
              resources: { requests: { cpu: '10m', memory: '96Mi' }, limits: { memory: '512Mi' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                runAsNonRoot: true,
                runAsUser: 65_532,
                capabilities: { drop: ['ALL'] },
                seccompProfile: { type: 'RuntimeDefault' },
              },
            },
          ],
          tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
        },
      },
    },
  }
}

/** One YAML text of all of them. */
export function formatManifest(objects: readonly unknown[]): string {
  return objects.map((object) => dump(object, { lineWidth: -1, noRefs: true })).join('---\n')
}

/** `Namespace gantry-agent`: for people. */
export function writesOf(objects: readonly (KubeObject & Readonly<Record<string, unknown>>)[]): readonly string[] {
  return objects.map(({ kind, metadata }) => `${String(kind)} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`)
}
