import type { KubeClient } from '@gantry/client'
import type { Project, ProjectNamespace, Tenant } from './kinds.ts'

type Hard = Readonly<Record<string, string>>

const aliases: Readonly<Record<string, string>> = {
  cpu: 'requests.cpu',
  memory: 'requests.memory',
  'ephemeral-storage': 'requests.ephemeral-storage',
}

/** The one name of a resource that a ResourceQuota may call by two: `requests.cpu` rather than `cpu`. */
export const canonicalResource = (resource: string): string => aliases[resource] ?? resource

/** What came of asking for a namespace's quota. */
export type QuotaOutcome =
  /** The ResourceQuota that its cluster is to have; without keys: none is needed. `generation` grows with every change of it and stands in its annotation. */
  | { readonly kind: 'Given'; readonly hard: Hard; readonly generation: number }
  /** It does not fit, and the namespace has nothing yet: nothing is to be made. `message` names project, cluster, resource, what is wanted and what is free. */
  | { readonly kind: 'Refused'; readonly message: string }
  /** What is newly wanted does not fit: what was given before holds. */
  | { readonly kind: 'Kept'; readonly hard: Hard; readonly generation: number; readonly message: string }

/**
 * What the controller of namespaces asks of the quotas. Namespaces are given `withProjectDefaults`. Every call may throw a StatusError: the hub cannot be reached, or others were quicker every time (Conflict); ask again then.
 */
export interface NamespaceQuotas {
  /** Reserves what the object asks for and says what its ResourceQuota is to be. Nothing is written when that is so already. */
  hardFor(namespace: ProjectNamespace, options: { readonly signal: AbortSignal }): Promise<QuotaOutcome>
  /**
   * Makes the ResourceQuota in the cluster what `hardFor` says, and takes back what has been lowered there. To be called whenever the namespace is there and belongs to the
   * project; nobody else writes that ResourceQuota.
   */
  enforce(member: KubeClient, namespace: ProjectNamespace, options: { readonly signal: AbortSignal }): Promise<QuotaOutcome>
  /** Gives everything back: once the namespace in the cluster is gone, or no longer the project's. */
  release(namespace: ProjectNamespace, options: { readonly signal: AbortSignal }): Promise<void>
}

/** What the controller of tenants and projects asks of the quotas. */
export interface ScopeQuotas {
  /** Puts the quota of a tenant or project into force. Undefined: it is; otherwise why it is not: the former one holds until it fits. */
  settle(scope: Tenant | Project, options: { readonly signal: AbortSignal }): Promise<string | undefined>
  /**
   * What environments that are to be made have of the quota of their project where neither they nor its `namespaceDefaultQuota` name it: an even share of what is free, by name of the
   * environment. A text says why there is none. Nothing is reserved.
   */
  environmentShares(
    project: Project,
    environments: readonly Environment[],
    options: { readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<string, Hard | string>>
  /** Gives back what was reserved for a project: once the object is gone. */
  releaseProject(project: Project, options: { readonly signal: AbortSignal }): Promise<void>
}

export interface Environment {
  readonly name: string
  readonly cluster: string
  readonly quota?: ProjectNamespace['spec']['quota']
}

/** One limit on the way from a project up to its tenant. Amounts are quantities. */
export interface QuotaLine {
  /** `project <tenant>/<name>` or `tenant <name>`. */
  readonly scope: string
  /** Absent: in all clusters together. */
  readonly cluster?: string
  /** A key of a ResourceQuota; `namespaces` for how many there are. */
  readonly resource: string
  readonly limit: string
  /** Reserved or leased out, as the mode of the scope counts. */
  readonly taken: string
  readonly free: string
}

/** `GET /platform/v1/projects/<tenant>/<project>/quota`. */
export interface QuotaView {
  readonly project: string
  readonly mode: 'Allocation' | 'Consumption'
  /** Why nothing can be made in it at present. */
  readonly closed?: string
  readonly limits: readonly QuotaLine[]
  /** Its own; at most a thousand. */
  readonly namespaces: readonly { readonly cluster: string; readonly namespace: string; readonly reserved: Hard }[]
}

/** `POST /platform/v1/projects/<tenant>/<project>/quota:check`: what would be. */
export interface QuotaCheck {
  readonly fits: boolean
  /** Why not. */
  readonly problems: readonly string[]
  /** As they would be; as they are when it does not fit. */
  readonly limits: readonly QuotaLine[]
  /** What a namespace would get. */
  readonly hard?: Hard
}

/** `POST /platform/v1/projectnamespaces/<namespace of the hub>/<name>/move`: what has been begun, or with `dryRun` would be. Projects as `<tenant>/<project>`. */
export interface NamespaceMove {
  readonly cluster: string
  readonly namespace: string
  readonly from: string
  readonly to: string
  readonly dryRun: boolean
}

/** What of a scope's quota is taken, and what is used. */
export interface ScopeUse {
  readonly namespaces: number
  /** In all clusters together, as its mode counts. */
  readonly reserved: Hard
  readonly used: Hard
  readonly clusters: readonly { readonly cluster: string; readonly namespaces: number; readonly reserved: Hard; readonly used: Hard }[]
}

/** The ResourceQuota of a project's namespace in its cluster; `tenancyLabels` mark it as the platform's. */
export const quotaName = 'project-quota'
