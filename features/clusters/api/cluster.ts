import { conditions, defineKind, s, type Condition, type ObjectOf } from './kind.ts'

/** A Kubernetes cluster the platform manages. Credentials are never in it: `spec.connection.credentialsSecret` names the Secret that holds them. */
export const clusterKind = defineKind({
  group: 'fleet.gantry.dev',
  version: 'v1alpha1',
  kind: 'Cluster',
  plural: 'clusters',
  shortNames: ['kc'],
  description: 'A Kubernetes cluster that the platform manages.',
  spec: s.object(
    {
      displayName: s.optional(s.string({ description: 'The name people read; the object name when absent.', maxLength: 100 })),
      provider: s.oneOf(['Local', 'Hub', 'Imported'], {
        description: 'Where the cluster comes from. Local: the embedded one. Hub: the one in which the platform keeps its objects, when it is not embedded.',
      }),
      connection: s.optional(
        s.object(
          {
            kind: s.optional(
              s.oneOf(['Direct', 'Agent'], {
                description: 'Direct: the platform dials the API server. Agent: an agent in the cluster dials the platform. Direct when absent.',
              }),
            ),
            identity: s.optional(
              s.oneOf(['Stored', 'Impersonate'], {
                description:
                  'As whom requests reach the cluster. Stored: as the stored credential, after the platform has decided. Impersonate: as gantry:USER with groups gantry:GROUP, so that the RBAC and the audit of the cluster decide as well. Stored when absent.',
              }),
            ),
            server: s.optional(
              s.string({
                description: 'Address of the API server: https://host:port, with a path prefix if there is one. Not of a cluster with an agent.',
                pattern: '^https?://',
                minLength: 8,
                maxLength: 2048,
              }),
            ),
            caData: s.optional(
              s.string({ description: 'Base64 of the PEM certificates that sign the API server. Public.', format: 'byte', maxLength: 1 << 20 }),
            ),
            insecureSkipTLSVerify: s.optional(
              s.boolean({ description: 'Trust any certificate. Only for tests: whoever is on the network path can take the credentials.' }),
            ),
            tlsServerName: s.optional(s.string({ description: 'Name the certificate must carry, when it is not the host of the address.', maxLength: 253 })),
            proxyURL: s.optional(
              s.string({
                description: 'Proxy to reach the API server through: http:// or https:// (CONNECT), or socks5://. Without a password: that is in the Secret.',
                pattern: '^(https?|socks5h?)://',
                maxLength: 2048,
              }),
            ),
            credentialsSecret: s.object(
              {
                namespace: s.string({ description: 'Namespace of the Secret: gantry-system.', minLength: 1, maxLength: 63 }),
                name: s.string({
                  description: 'Name of the Secret. Keys: token, or client-certificate and client-key; proxy-user and proxy-password.',
                  minLength: 1,
                  maxLength: 253,
                }),
              },
              { description: 'Where the credentials are.' },
            ),
          },
          {
            description: 'How an imported cluster is reached.',
            rules: [{ rule: "(has(self.kind) && self.kind == 'Agent') != has(self.server)", message: 'give server, or kind Agent without one' }],
          },
        ),
      ),
    },
    { rules: [{ rule: "self.provider != 'Imported' || has(self.connection)", message: 'an imported cluster needs spec.connection' }] },
  ),
  status: s.object({
    conditions,
    kubernetesVersion: s.optional(s.string({ description: 'As the cluster itself says: v1.36.3.', maxLength: 100 })),
    uid: s.optional(s.string({ description: 'The uid of its kube-system namespace: tells a cluster from its copies under other addresses.', maxLength: 64 })),
    nodes: s.optional(
      s.object(
        {
          total: s.integer({ description: 'All nodes.' }),
          ready: s.integer({ description: 'Nodes whose condition Ready is True.' }),
          simulated: s.optional(s.integer({ description: 'Nodes that run no real containers.' })),
        },
        { description: 'Nodes, as of the last probe.' },
      ),
    ),
    capacity: s.optional(
      s.object(
        {
          cpu: s.string({ description: 'Processors that pods may use, of all nodes: 3920m.', maxLength: 40 }),
          memory: s.string({ description: 'Memory that pods may use, of all nodes: 15988Mi.', maxLength: 40 }),
          pods: s.integer({ description: 'Pods that fit, of all nodes.' }),
        },
        { description: 'Allocatable of the nodes together, as of the last probe.' },
      ),
    ),
    agent: s.optional(
      s.object(
        {
          connections: s.integer({ description: 'Connections of the agent now.' }),
          version: s.optional(s.string({ description: 'As the agent says.', maxLength: 64 })),
          lastSeen: s.optional(s.time({ description: 'When the agent was last connected; some minutes old at most while it is.' })),
        },
        { description: 'The agent, where one connects the cluster.' },
      ),
    ),
    lastProbeTime: s.optional(s.time({ description: 'When the state above was last confirmed; at most some minutes old while the cluster is watched.' })),
    certificateExpires: s.optional(s.time({ description: 'When the client certificate Gantry uses runs out.' })),
    tokenExpires: s.optional(s.time({ description: 'When the token Gantry uses runs out, where it says so.' })),
    serverCertificateExpires: s.optional(s.time({ description: 'When the certificate of the API server runs out.' })),
  }),
  columns: [
    { name: 'Version', type: 'string', jsonPath: '.status.kubernetesVersion' },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes.total' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
    { name: 'Server', type: 'string', jsonPath: '.spec.connection.server', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

export type Cluster = ObjectOf<typeof clusterKind>
export type ClusterStatus = NonNullable<Cluster['status']>
export type ClusterConnection = NonNullable<Cluster['spec']['connection']>

/**
 * Conditions of a Cluster. `Ready` sums the first four up; the first one that is not True gives its reason. `CertificatesCurrent` warns before something that the connection
 * needs runs out.
 */
export const clusterConditionTypes = ['Reachable', 'Authenticated', 'Authorized', 'VersionSupported', 'NodeRuntime', 'CertificatesCurrent'] as const
export type ClusterConditionType = (typeof clusterConditionTypes)[number]

/** Where the platform keeps credentials and other things of its own. */
export const platformNamespace = 'gantry-system'

/** The name of the hub as a cluster, embedded or not; no import may take it. */
export const localClusterName = 'local'

// DNS-1123 label: the name stands in URLs and object names.
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Why a name cannot be an imported cluster's; undefined when it can. */
export function clusterNameProblem(name: string): string | undefined {
  if (name === localClusterName) return `the name "${localClusterName}" is reserved for the cluster in which the platform keeps its objects`
  if (label.test(name)) return undefined
  return `"${name}" is no cluster name: it takes at most 63 lower-case letters, digits and "-", and starts and ends with a letter or digit`
}

export function conditionOf(cluster: Cluster, type: ClusterConditionType | 'Ready'): Condition | undefined {
  return cluster.status?.conditions?.find((condition) => condition.type === type)
}

/** Whether it is the cluster in which the platform keeps its objects: there by itself, and never removed. */
export function isHub(cluster: { readonly spec?: { readonly provider?: string | undefined } | undefined }): boolean {
  return cluster.spec?.provider === 'Local' || cluster.spec?.provider === 'Hub'
}

/** Whether requests reach the cluster as their callers, whom it judges by its own rules too. */
export function impersonates(cluster: Pick<Cluster, 'spec'>): boolean {
  return cluster.spec.connection?.identity === 'Impersonate'
}

export function hasAgent(cluster: Pick<Cluster, 'spec'>): boolean {
  return cluster.spec.connection?.kind === 'Agent'
}

export function isReady(cluster: Cluster): boolean {
  return conditionOf(cluster, 'Ready')?.status === 'True'
}
