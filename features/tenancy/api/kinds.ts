import { conditions, defineKind, s, type Infer, type ObjectOf } from '@gantry/clusters/api'

const group = 'tenancy.gantry.dev'
const version = 'v1alpha1'

// Two names joined by "--" name a namespace of the hub, so neither holds one, and both together fit.
const shortName = { pattern: '^[a-z0-9]([a-z0-9]|-[a-z0-9])*$', maxLength: 24 }

const clusterName = s.string({ description: 'Name of a cluster.', minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' })
const anyCluster = s.string({ description: 'Name of a cluster, or *.', minLength: 1, maxLength: 63, pattern: '^([*]|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$' })
const displayName = s.optional(s.string({ description: 'The name people read; the object name when absent.', maxLength: 100 }))
const description = s.optional(s.string({ description: 'What it is for.', maxLength: 1000 }))
const nameRule = { rule: `self.metadata.name.size() <= ${shortName.maxLength} && self.metadata.name.matches('${shortName.pattern}')` }

const mode = s.optional(
  s.oneOf(['Allocation', 'Consumption'], {
    description:
      'Allocation: the quotas that namespaces and projects below are given count. Consumption: what is really used counts; shares follow the use. That of what it stands in when absent, Allocation at the top.',
  }),
)

/** What a tenant or project may have: of everything together, and in single clusters. What it does not name it does not limit. */
const quota = s.object(
  {
    total: s.optional(s.resourceList({ description: 'In all clusters together: any key that a ResourceQuota takes.' })),
    clusters: s.optional(
      s.listMap(s.object({ cluster: clusterName, hard: s.resourceList({ description: 'In this cluster: any key that a ResourceQuota takes.' }) }), {
        description: 'In single clusters.',
        keys: ['cluster'],
        maxItems: 500,
      }),
    ),
    namespaces: s.optional(s.integer({ description: 'How many namespaces.', minimum: 0, maximum: 10_000 })),
  },
  { description: 'What it may have; what is not named is not limited.' },
)

const containerLimits = s.object(
  {
    default: s.optional(s.resourceList({ description: 'Limits of containers that say none.' })),
    defaultRequest: s.optional(s.resourceList({ description: 'Requests of containers that say none.' })),
    max: s.optional(s.resourceList({ description: 'What a container may have at most.' })),
  },
  { description: 'For its LimitRange. That of its project, spec.namespaceDefaultLimits, when absent.' },
)

/** What of a quota is taken. */
const quotaUse = s.optional(
  s.object(
    {
      namespaces: s.integer({ description: 'How many namespaces there are.' }),
      total: s.optional(s.resourceList({ description: 'Reserved in all clusters together.' })),
      used: s.optional(s.resourceList({ description: 'Used in all clusters together, as far as they can be reached.' })),
      clusters: s.optional(
        s.listMap(
          s.object({
            cluster: clusterName,
            reserved: s.resourceList({ description: 'What its namespaces may use at most.' }),
            used: s.optional(s.resourceList({ description: 'What they use, as their ResourceQuotas say.' })),
            message: s.optional(s.string({ description: 'Why this may be out of date: the cluster cannot be reached, or is gone.', maxLength: 1000 })),
          }),
          { description: 'By cluster.', keys: ['cluster'], maxItems: 500 },
        ),
      ),
    },
    { description: 'What of the quota is taken.' },
  ),
)

/** A customer, department or subsidiary: has projects, in clusters it may use, within a quota. Its objects are in the namespace `tenant-<name>` of the hub. */
export const tenantKind = defineKind({
  group,
  version,
  kind: 'Tenant',
  plural: 'tenants',
  description: 'A customer, department or subsidiary: has projects, in clusters it may use, within a quota.',
  nameRule: { ...nameRule, message: `a tenant's name has at most ${shortName.maxLength} lower-case letters, digits and single "-"` },
  spec: s.object({
    displayName,
    description,
    clusters: s.set(anyCluster, { description: 'Clusters in which its projects may have namespaces; * is every one.', maxItems: 500 }),
    mode,
    quota: s.optional(quota),
    suspended: s.optional(s.boolean({ description: 'Nobody has anything through its memberships or those of its projects, and nothing of it can be made.' })),
  }),
  status: s.object({
    conditions,
    namespace: s.optional(
      s.string({ description: 'The namespace of the hub that holds its projects, once that is certainly its own; before, nobody is a member.', maxLength: 63 }),
    ),
    projects: s.optional(s.integer({ description: 'How many projects it has, those below others included.' })),
    quota: quotaUse,
  }),
  columns: [
    { name: 'Projects', type: 'integer', jsonPath: '.status.projects' },
    { name: 'Namespaces', type: 'integer', jsonPath: '.status.quota.namespaces' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/**
 * Namespaces in clusters that belong together, and who works in them. Stands in the namespace of its tenant, or of the project above it; its own objects are in the namespace
 * `project-<tenant>--<name>` of the hub, so whoever may do something there may do it in this project and no other. Names are one per tenant.
 */
export const projectKind = defineKind({
  group,
  version,
  kind: 'Project',
  plural: 'projects',
  namespaced: true,
  description: 'Namespaces in clusters that belong together, and who works in them.',
  nameRule: { ...nameRule, message: `a project's name has at most ${shortName.maxLength} lower-case letters, digits and single "-"` },
  spec: s.object({
    displayName,
    description,
    clusters: s.optional(
      s.set(anyCluster, {
        description: 'Clusters in which it may have namespaces, of those that what it stands in may use; all of these when absent.',
        maxItems: 500,
      }),
    ),
    environments: s.optional(
      s.listMap(
        s.object({
          name: s.string({ description: 'test, production, staging, or any other.', minLength: 1, maxLength: 24, pattern: shortName.pattern }),
          cluster: s.optional(clusterName),
          quota: s.optional(
            s.resourceList({
              description:
                "For the ResourceQuota of its namespace. What it does not name of the project's quota, nor namespaceDefaultQuota, is an even share of what is free when it is made.",
            }),
          ),
        }),
        {
          description:
            'Each is made as a namespace `<tenant>-<project>-<environment>`; test and production, in the first cluster, when absent; none when empty.',
          keys: ['name'],
          maxItems: 16,
        },
      ),
    ),
    mode,
    quota: s.optional(quota),
    namespaceDefaultQuota: s.optional(
      s.resourceList({ description: 'What its namespaces have of what their own spec.quota does not name. In the mode Consumption an upper bound.' }),
    ),
    namespaceDefaultLimits: s.optional(containerLimits),
    locked: s.optional(s.boolean({ description: 'Namespaces, quotas and projects below it cannot be made or changed. What runs goes on.' })),
  }),
  status: s.object({
    conditions,
    namespace: s.optional(
      s.string({ description: 'The namespace of the hub that holds its objects, once that is certainly its own; before, nobody is a member.', maxLength: 63 }),
    ),
    environments: s.optional(
      s.set(s.string({ description: 'Name of an environment.', maxLength: 24 }), {
        description: 'Environments that have been made. Each is made once: one that is deleted or moved away is not made again.',
        maxItems: 16,
      }),
    ),
    tenant: s.optional(s.string({ description: 'Name of its tenant.', maxLength: 63 })),
    quota: quotaUse,
  }),
  columns: [
    { name: 'Tenant', type: 'string', jsonPath: '.status.tenant' },
    { name: 'Namespaces', type: 'integer', jsonPath: '.status.quota.namespaces' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** A namespace in a cluster that belongs to a project: stands in the project's namespace of the hub. */
export const projectNamespaceKind = defineKind({
  group,
  version,
  kind: 'ProjectNamespace',
  plural: 'projectnamespaces',
  shortNames: ['pns'],
  namespaced: true,
  description: 'A namespace in a cluster that belongs to a project.',
  spec: s.object(
    {
      cluster: clusterName,
      namespace: s.string({
        description: 'Its name there.',
        minLength: 1,
        maxLength: 63,
        pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
      }),
      environment: s.optional(s.string({ description: 'test, production, staging, or any other.', maxLength: 24 })),
      adopt: s.optional(s.boolean({ description: 'Take a namespace that is there already and belongs to no project; what runs in it stays.' })),
      reclaimPolicy: s.optional(
        s.oneOf(['Retain', 'Delete'], {
          description:
            'What becomes of the namespace when this object is deleted. Retain: it stays with what is in it, and belongs to no project. Delete: it goes with everything in it, unless it was adopted. When absent it goes if nothing runs in it and no volumes are claimed; otherwise the deletion waits.',
        }),
      ),
      quota: s.optional(
        s.resourceList({
          description:
            'For its ResourceQuota; what it does not name is as spec.namespaceDefaultQuota of its project says. In the mode Consumption an upper bound.',
        }),
      ),
      headroom: s.optional(
        s.resourceList({
          description: 'In the mode Consumption: what is to be free beside what is used, for pods that are larger than the share leaves free by itself.',
        }),
      ),
      limits: s.optional(containerLimits),
    },
    {
      rules: [
        { rule: 'self.cluster == oldSelf.cluster && self.__namespace__ == oldSelf.__namespace__', message: 'the namespace that it stands for cannot change' },
        {
          rule: "!self.__namespace__.startsWith('kube-') && !(self.__namespace__ in ['default', 'gantry-system']) && !self.__namespace__.startsWith('tenant-') && !self.__namespace__.startsWith('project-')",
          message: 'this namespace belongs to the cluster itself, or to the platform',
        },
      ],
    },
  ),
  status: s.object({
    conditions,
    phase: s.optional(s.oneOf(['Pending', 'Active', 'Moving', 'Terminating'], { description: 'Pending: not made yet, the conditions say why.' })),
    clusterUID: s.optional(
      s.string({
        description: "Of the Cluster in which the namespace is certainly the project's: its members have it. Absent while that is not certain.",
        maxLength: 64,
      }),
    ),
    move: s.optional(
      s.object(
        {
          to: s.string({ description: 'The namespace of the hub of the project that it goes to.', maxLength: 63 }),
          phase: s.oneOf(['Pending', 'NewCreated', 'Cancelling', 'Cancelled', 'Failed'], {
            description:
              'NewCreated: the ProjectNamespace in the new project is there, and may take the namespace over. Cancelling: it is undone, unless the new project has the namespace already. Cancelled, Failed: it is not done, and nothing has changed.',
          }),
          uid: s.optional(s.string({ description: 'Of the ProjectNamespace in the new project.', maxLength: 64 })),
          message: s.optional(s.string({ description: 'Why it failed, or waits.', maxLength: 1000 })),
          startTime: s.time({ description: 'When it began.' }),
        },
        { description: 'A move to another project.' },
      ),
    ),
    reserved: s.optional(s.resourceList({ description: 'What of the quotas above is kept for it.' })),
    used: s.optional(s.resourceList({ description: 'What its ResourceQuota says is used.' })),
  }),
  columns: [
    { name: 'Cluster', type: 'string', jsonPath: '.spec.cluster' },
    { name: 'Namespace', type: 'string', jsonPath: '.spec.namespace' },
    { name: 'Environment', type: 'string', jsonPath: '.spec.environment' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/** Gives an AccessRole to people in the tenant or project whose namespace it stands in, and in all projects below. */
export const membershipKind = defineKind({
  group,
  version,
  kind: 'Membership',
  plural: 'memberships',
  namespaced: true,
  description: 'Gives an AccessRole to people in the tenant or project whose namespace it stands in, and in all projects below.',
  spec: s.object({
    role: s.string({
      description: 'Name of the AccessRole: project-owner, project-editor, project-viewer, tenant-admin, or any other.',
      minLength: 1,
      maxLength: 253,
    }),
    subjects: s.list(
      s.object({
        kind: s.oneOf(['User', 'Group'], { description: 'A User or a Group of the platform.' }),
        name: s.string({ description: 'Its name.', minLength: 1, maxLength: 253 }),
      }),
      { description: 'Who gets the role.', maxItems: 500 },
    ),
    expirationTime: s.optional(s.time({ description: 'From when on it gives nothing; never when absent.' })),
    reason: s.optional(s.string({ description: 'Why it was given.', maxLength: 1000 })),
  }),
  status: s.object({}),
  columns: [
    { name: 'Role', type: 'string', jsonPath: '.spec.role' },
    { name: 'Subjects', type: 'string', jsonPath: '.spec.subjects[*].name' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expirationTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
})

/**
 * What of a tenant's quotas is taken. Stands in the tenant's namespace under the tenant's name; every change is one write of this one object, so that the hub's own check of resource versions
 * lets only one of two writers have the last of it. Its pages never change: which ones count, it says. Written by the platform alone; one that has been deleted is made anew from the objects of the
 * tenant.
 */
export const quotaLedgerKind = defineKind({
  group,
  version,
  kind: 'QuotaLedger',
  plural: 'quotaledgers',
  namespaced: true,
  description: "What of a tenant's quotas is taken. Written by the platform alone.",
  spec: s.object({
    entries: s.optional(
      s.list(s.string({ description: 'What one namespace, project or write under way has reserved, as one line of text.' }), {
        description: 'What has been changed since the pages were written.',
        maxItems: 20_000,
      }),
    ),
    pages: s.optional(
      s.map(s.string({ description: 'Name of the QuotaLedger.', maxLength: 253 }), {
        description: 'Where the other entries stand: in more objects of this kind, which never change.',
        maxProperties: 64,
      }),
    ),
    lines: s.optional(s.string({ description: 'Of a page: its entries, packed (deflate, base64).' })),
  }),
  status: s.object({}),
  columns: [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }],
})

/** Some time of the usage of a tenant's quotas: samples of five minutes, of an hour, or of a day. Written by the platform alone; stands in the tenant's namespace. */
export const usageHistoryKind = defineKind({
  group,
  version,
  kind: 'UsageHistory',
  plural: 'usagehistories',
  namespaced: true,
  description: 'Who of a tenant had and used how much, and when. Written by the platform alone.',
  spec: s.object({
    step: s.oneOf(['5m', '1h', '1d'], { description: 'How much time a sample stands for.' }),
    start: s.time({ description: 'Of the first sample.' }),
    samples: s.string({ description: 'By project, cluster and resource: what was reserved and used; packed (deflate, base64).' }),
  }),
  status: s.object({}),
  columns: [
    { name: 'Step', type: 'string', jsonPath: '.spec.step' },
    { name: 'Start', type: 'date', jsonPath: '.spec.start' },
  ],
})

/** What the hub has to serve for this feature. */
export const tenancyKinds = [tenantKind, projectKind, projectNamespaceKind, membershipKind, quotaLedgerKind, usageHistoryKind] as const

export type Tenant = ObjectOf<typeof tenantKind>
export type Project = ObjectOf<typeof projectKind>
export type ProjectNamespace = ObjectOf<typeof projectNamespaceKind>
export type Membership = ObjectOf<typeof membershipKind>
export type QuotaLedger = ObjectOf<typeof quotaLedgerKind>
export type UsageHistory = ObjectOf<typeof usageHistoryKind>
export type UsageStep = UsageHistory['spec']['step']
export type Quota = Infer<typeof quota>
export type QuotaUse = NonNullable<Infer<typeof quotaUse>>

/** The namespace of the hub that holds a tenant's projects, memberships and ledger. */
export const tenantNamespace = (tenant: string): string => `tenant-${tenant}`

/** The namespace of the hub that holds a project's namespaces, memberships and the projects below it. */
export const projectNamespace = (tenant: string, project: string): string => `project-${tenant}--${project}`

/** What a namespace of the hub stands for; undefined: neither tenant nor project. */
export function scopeOf(namespace: string): { readonly tenant: string; readonly project: string | undefined } | undefined {
  if (namespace.startsWith('tenant-')) return { tenant: namespace.slice('tenant-'.length), project: undefined }
  const [, tenant, project] = /^project-(.+?)--(.+)$/.exec(namespace) ?? []
  return tenant === undefined || project === undefined ? undefined : { tenant, project }
}

/** Whether a move has been undone. One that is done is gone with its ProjectNamespace. */
export function isMoveOver({ phase }: NonNullable<NonNullable<ProjectNamespace['status']>['move']>): boolean {
  return phase === 'Failed' || phase === 'Cancelled'
}

/** On namespaces of clusters, and on what stands in them by the platform: whose they are. */
export const tenancyLabels = {
  tenant: 'tenancy.gantry.dev/tenant',
  project: 'tenancy.gantry.dev/project',
  /** Of the ProjectNamespace that owns it; on namespaces of the hub, of the Tenant or Project. */
  uid: 'tenancy.gantry.dev/uid',
  managedBy: 'app.kubernetes.io/managed-by',
} as const

/** On a namespace that was there before it belonged to a project: it is never deleted. */
export const adoptedAnnotation = 'tenancy.gantry.dev/adopted'
/** On the ProjectNamespace that takes over from another one: the uid of that. What may be taken the other one's status says. */
export const movedFromAnnotation = 'tenancy.gantry.dev/moved-from'
/** On a ProjectNamespace that has been made with a share of what was free of its project's quota: the resources. */
export const sharedQuotaAnnotation = 'tenancy.gantry.dev/even-share-of'
/** On a namespace whose move has been undone: the uid of the ProjectNamespace that may not have it, however late its last write comes. */
export const moveUndoneAnnotation = 'tenancy.gantry.dev/move-undone'
export const tenancyFinalizer = 'tenancy.gantry.dev/release'
