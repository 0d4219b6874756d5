import type { Condition, KubeObject, ResourceType } from '@gantry/console-kit'
import type { StatusLabel, Tone } from '@gantry/console-kit/model'

/** A cluster as the hub's API shows it. */
export interface ClusterObject extends KubeObject {
  readonly spec?: {
    readonly displayName?: string
    readonly provider?: string
    readonly connection?: { readonly kind?: string; readonly server?: string }
  }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly kubernetesVersion?: string
    readonly nodes?: { readonly total?: number; readonly ready?: number; readonly simulated?: number }
    readonly capacity?: { readonly cpu?: string; readonly memory?: string; readonly pods?: number }
    readonly agent?: { readonly connections?: number; readonly version?: string; readonly lastSeen?: string }
    readonly lastProbeTime?: string
    readonly uid?: string
  }
}

export const clusterType: ResourceType = { group: 'fleet.gantry.dev', version: 'v1alpha1', plural: 'clusters', kind: 'Cluster', namespaced: false }

/** The order in which a connection is made: the first that fails is the cause of all after it. */
const steps = ['Reachable', 'Authenticated', 'Authorized', 'VersionSupported'] as const

const words = {
  Reachable: 'Unreachable',
  Authenticated: 'Unauthenticated',
  Authorized: 'Unauthorized',
  VersionSupported: 'UnsupportedVersion',
} as const satisfies Readonly<Record<(typeof steps)[number], string>>

/** i18next keys of `clusters:health.*`. */
export interface ClusterHealth {
  readonly word: 'Ready' | 'NotReady' | 'Connecting' | 'Removing' | (typeof words)[keyof typeof words]
  readonly tone: Tone
  /** Exactly what the server says. */
  readonly message: string | undefined
}

/** A cluster's health from its conditions: the first failing step names it, with its message. */
export function clusterHealth(cluster: ClusterObject): ClusterHealth {
  if (cluster.metadata.deletionTimestamp !== undefined) return { word: 'Removing', tone: 'progress', message: undefined }
  const conditions = new Map((cluster.status?.conditions ?? []).map((condition) => [condition.type, condition]))
  for (const step of steps) {
    const condition = conditions.get(step)
    if (condition?.status === 'False') return { word: words[step], tone: 'error', message: condition.message ?? condition.reason }
  }
  const ready = conditions.get('Ready')
  if (ready?.status === 'True') return { word: 'Ready', tone: 'ok', message: ready.message }
  if (ready?.status === 'False') return { word: 'NotReady', tone: 'error', message: ready.message ?? ready.reason }
  return { word: 'Connecting', tone: 'progress', message: ready?.message }
}

/** Said of a local cluster whose containers are not real: the message names what is missing. */
export function simulatedNodeMessage(cluster: ClusterObject): string | undefined {
  const condition = cluster.status?.conditions?.find((candidate) => candidate.type === 'NodeRuntime')
  return condition?.status === 'False' ? (condition.message ?? condition.reason ?? '') : undefined
}

/** Said of a cluster whose connection needs something that runs out soon. */
export function expiryMessage(cluster: ClusterObject): string | undefined {
  const condition = cluster.status?.conditions?.find((candidate) => candidate.type === 'CertificatesCurrent')
  return condition?.status === 'False' ? (condition.message ?? condition.reason ?? '') : undefined
}

/** Whether it is the cluster in which the platform keeps its objects: embedded, or a real one. */
export function isHub(cluster: ClusterObject): boolean {
  return cluster.spec?.provider === 'Local' || cluster.spec?.provider === 'Hub'
}

/** The key of the text that says where the cluster comes from. */
export function providerText({ spec }: ClusterObject): 'provider.Local' | 'provider.Hub' | 'provider.Imported' {
  return spec?.provider === 'Local' ? 'provider.Local' : spec?.provider === 'Hub' ? 'provider.Hub' : 'provider.Imported'
}

export function hasAgent(cluster: ClusterObject): boolean {
  return cluster.spec?.connection?.kind === 'Agent'
}

/** Where the cluster's API answers: its own address, or for the embedded one the way through this gateway. */
export function apiServerOf(cluster: ClusterObject, origin: string): string {
  return cluster.spec?.connection?.server ?? `${origin}/clusters/${cluster.metadata.name ?? ''}`
}

export function displayNameOf(cluster: ClusterObject): string {
  return cluster.spec?.displayName ?? cluster.metadata.name ?? ''
}

export function healthLabel(health: ClusterHealth): StatusLabel {
  return { text: health.word, textKey: `clusters:health.${health.word}`, tone: health.tone, detail: health.message }
}
