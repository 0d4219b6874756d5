import { isReason } from '@gantry/apimachinery'
import { listPages, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { isReady, type Cluster } from '@gantry/clusters/api'
import {
  commitStatus,
  createController,
  createInformer,
  keyOf,
  retryAfter,
  runInBackground,
  settled,
  trigger,
  type Controller,
  type Informer,
  type Outcome,
} from '@gantry/controller'
import type { Clock, Ids, Logger, Running, Service } from '@gantry/runtime'
import {
  projectKind,
  projectNamespaceKind,
  tenancyLabels,
  quotaName,
  scopeOf,
  tenantKind,
  withProjectDefaults,
  type NamespaceQuotas,
  type Project,
  type ProjectNamespace,
  type QuotaUse,
  type ScopeUse,
  type Tenant,
} from '../../api/index.ts'

export interface QuotaUsageDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly objects: {
    readonly tenants: Informer<Tenant>
    readonly projects: Informer<Project>
    readonly namespaces: Informer<ProjectNamespace>
    projectOf(namespace: string): Project | undefined
  }
  readonly clusters: { get(name: string): Cluster | undefined }
  readonly quotas: Pick<NamespaceQuotas, 'enforce'> & {
    /** What of a tenant's quotas is taken, by project; the tenant's own under the empty name. */
    usageOf(tenant: string, usedBy: (uid: string) => Amounts | undefined, options: Options): Promise<ReadonlyMap<string, ScopeUse>>
    /** Takes out of a ledger what belongs to nothing any more. */
    sweep(tenant: string, isThere: (record: Swept, options: Options) => Promise<boolean>, options: Options): Promise<number>
  }
  /** Reaches a cluster with the platform's own rights there; undefined: the hub knows none of that name. */
  readonly memberOf: (cluster: string) => KubeClient | undefined
}

interface Swept {
  readonly kind: 'scope' | 'namespace'
  readonly project: string
  readonly uid: string
}

type Options = { readonly signal: AbortSignal }
type Amounts = Readonly<Record<string, string | number>>

interface ResourceQuota extends KubeObject {
  spec?: { hard?: Record<string, string> }
  status?: { hard?: Record<string, string>; used?: Record<string, string> }
}

const resourceQuotas: ResourceRef = { group: '', version: 'v1', resource: 'resourcequotas', kind: 'ResourceQuota', namespaced: true }
const ours = `${tenancyLabels.managedBy}=gantry,${tenancyLabels.uid}`
/** At one cluster at a time: a dead one keeps nobody but these. */
const workersPerCluster = 2
const clusterTimeoutMs = 15_000
/** What is used is written this often at most: it changes with every pod. */
const usedEveryMs = 15_000
/** What a whole tenant has is added up this often at most, and at least; its ledger is swept this often. */
const tenantEveryMs = 5_000
const tenantAgainMs = 5 * 60_000
const sweepEveryMs = 60_000
export const uidIndex = 'uid'

interface Watched {
  readonly running: Promise<readonly Running[]>
  readonly forget: () => void
}

/**
 * Follows the ResourceQuotas of projects in the clusters that have some, and in no others: one watch a cluster, each on its own. What is used there is written into the objects, shares follow it, and what
 * clusters have confirmed to be lowered is given back. Once in a while ledgers are swept.
 */
export function createQuotaUsage(deps: QuotaUsageDeps): Service {
  return {
    name: 'quota usage',
    async start({ signal }) {
      const watched = new Map<string, Watched>()
      const namespacesIn = new Map<string, number>()
      const stopped = new AbortController()
      const tenants = createTenantController(deps)
      deps.objects.namespaces.addIndex(uidIndex, byUid)

      const count = (cluster: string, change: 1 | -1): void => {
        const now = (namespacesIn.get(cluster) ?? 0) + change
        namespacesIn.set(cluster, now)
        if (now > 0 && !watched.has(cluster)) watched.set(cluster, watch(deps, cluster, stopped.signal))
        if (now > 0) return
        namespacesIn.delete(cluster)
        const last = watched.get(cluster)
        watched.delete(cluster)
        if (last !== undefined) void end(last)
      }
      const end = async ({ running, forget }: Watched): Promise<void> => {
        forget()
        await Promise.all((await running).map((one) => one[Symbol.asyncDispose]()))
      }
      const running = await tenants.start({ signal })
      const deaf = deps.objects.namespaces.onChange(({ type, object }) => {
        if (type === 'added') count(object.spec.cluster, 1)
        else if (type === 'deleted') count(object.spec.cluster, -1)
      })
      return {
        done: running.done,
        async [Symbol.asyncDispose]() {
          deaf()
          stopped.abort(new Error('the quota usage is stopping'))
          await Promise.all([running[Symbol.asyncDispose](), ...[...watched.values()].map(end)])
        },
      }
    },
  }
}

export const byUid = ({ metadata }: ProjectNamespace): string[] => [metadata.uid ?? '']

function watch(deps: QuotaUsageDeps, cluster: string, signal: AbortSignal): Watched {
  const { objects } = deps
  // The Cluster may be taken away and come back under the same name: it is looked up for each request.
  const client: Pick<KubeClient, 'list' | 'watch'> = {
    list: (...asked) => memberOf(deps, cluster).list(...asked),
    watch: (...asked) => memberOf(deps, cluster).watch(...asked),
  }
  const quotas = createInformer<ResourceQuota>({ ...deps, client, log: deps.log.with({ cluster }) }, { resource: resourceQuotas, labelSelector: ours })
  const writtenMs = new Map<string, number>()
  const controller: Controller = createController(deps, {
    name: `quota-usage-${cluster}`,
    workers: workersPerCluster,
    reconcileTimeoutMs: clusterTimeoutMs,
    triggers: [trigger(quotas, ({ object }) => [keyOf(object)])],
    reconcile: (key, options) => follow(deps, { quotas, key, cluster, writtenMs }, options),
  })
  const forget = objects.namespaces.onChange(({ type, object }) => {
    if (type === 'deleted') writtenMs.delete(object.metadata.uid ?? '')
  })
  return { forget, running: Promise.all([controller.start({ signal }), Promise.resolve(runInBackground((stopping) => quotas.run(stopping), signal))]) }
}

function memberOf(deps: QuotaUsageDeps, cluster: string): KubeClient {
  const member = deps.memberOf(cluster)
  if (member === undefined) throw new Error(`there is no cluster "${cluster}"`)
  return member
}

interface Following {
  readonly quotas: Informer<ResourceQuota>
  readonly key: string
  readonly cluster: string
  readonly writtenMs: Map<string, number>
}

async function follow(deps: QuotaUsageDeps, { quotas, key, cluster, writtenMs }: Following, { signal }: Options): Promise<Outcome> {
  const { hub, clock, objects } = deps
  const quota = quotas.store.get(key)
  const uid = quota?.metadata.labels?.[tenancyLabels.uid]
  const [object] = uid === undefined ? [] : objects.namespaces.store.byIndex(uidIndex, uid)
  if (quota === undefined || object === undefined || object.metadata.deletionTimestamp !== undefined) return settled
  // Whoever may write ResourceQuotas there could name any object.
  if (object.spec.cluster !== cluster || object.spec.namespace !== quota.metadata.namespace || quota.metadata.name !== quotaName) return settled
  const member = deps.memberOf(cluster)
  if (member === undefined) return settled
  const project = objects.projectOf(object.metadata.namespace ?? '')
  if (project === undefined) return settled
  const outcome = await deps.quotas.enforce(member, withProjectDefaults(object, project), { signal })
  if (outcome.kind === 'Refused' || uid === undefined) return settled
  const waitMs = (writtenMs.get(uid) ?? Number.NEGATIVE_INFINITY) + usedEveryMs - clock.monotonicMs()
  const isNews = !isSame(object.status?.reserved, outcome.hard)
  if (waitMs > 0 && !isNews) return isSame(object.status?.used, quota.status?.used) ? settled : retryAfter(waitMs)
  await commitStatus<ProjectNamespace>(hub, {
    resource: projectNamespaceKind.ref,
    object,
    signal,
    next: (current) => ({
      ...current,
      status: { ...current.status, reserved: outcome.hard, ...(quota.status?.used === undefined ? {} : { used: quota.status.used }) },
    }),
  })
  writtenMs.set(uid, clock.monotonicMs())
  return settled
}

function createTenantController(deps: QuotaUsageDeps): Controller {
  const { clock, objects } = deps
  const [doneMs, sweptMs] = [new Map<string, number>(), new Map<string, number>()]
  const tenantOf = ({ metadata }: KubeObject): string[] => {
    const tenant = scopeOf(metadata.namespace ?? '')?.tenant
    return tenant === undefined ? [] : [tenant]
  }
  return createController(deps, {
    name: 'quota-status',
    workers: 2,
    triggers: [
      trigger(objects.tenants, ({ object, type }) => (type === 'deleted' ? [] : [object.metadata.name ?? ''])),
      trigger(objects.projects, ({ object }) => tenantOf(object)),
      trigger(objects.namespaces, ({ object }) => tenantOf(object)),
    ],
    async reconcile(name, options) {
      const tenant = objects.tenants.store.get(name)
      if (tenant?.status?.namespace === undefined) {
        doneMs.delete(name)
        sweptMs.delete(name)
        return settled
      }
      const waitMs = (doneMs.get(name) ?? Number.NEGATIVE_INFINITY) + tenantEveryMs - clock.monotonicMs()
      if (waitMs > 0) return retryAfter(waitMs)
      doneMs.set(name, clock.monotonicMs())
      if ((sweptMs.get(name) ?? Number.NEGATIVE_INFINITY) + sweepEveryMs <= clock.monotonicMs()) {
        sweptMs.set(name, clock.monotonicMs())
        await deps.quotas.sweep(name, (record, sweep) => isThere(deps, { tenant: name, record }, sweep), options)
      }
      const usage = await deps.quotas.usageOf(name, (uid) => objects.namespaces.store.byIndex(uidIndex, uid)[0]?.status?.used, options)
      await writeUse(deps, tenant, { use: usage.get(''), ref: tenantKind.ref }, options)
      for (const project of objects.projects.store.values())
        if (scopeOf(project.metadata.namespace ?? '')?.tenant === name)
          await writeUse(deps, project, { use: usage.get(project.metadata.name ?? ''), ref: projectKind.ref }, options)
      return retryAfter(tenantAgainMs)
    },
  })
}

/** Asks the hub itself: what is known here may be older than the record. */
async function isThere(
  { hub, objects }: QuotaUsageDeps,
  { tenant, record }: { readonly tenant: string; readonly record: Swept },
  { signal }: Options,
): Promise<boolean> {
  const informer: Informer<Project | ProjectNamespace> =
    record.kind === 'scope' ? (objects.projects as Informer<Project | ProjectNamespace>) : (objects.namespaces as Informer<Project | ProjectNamespace>)
  for (const { metadata } of informer.store.values()) if (metadata.uid === record.uid) return true
  const { ref } = record.kind === 'scope' ? projectKind : projectNamespaceKind
  for await (const { items } of listPages(hub, ref, { limit: 500, metadataOnly: true, signal }))
    if (items.some(({ metadata }) => metadata.uid === record.uid && scopeOf(metadata.namespace ?? '')?.tenant === tenant)) return true
  return false
}

async function writeUse<T extends Tenant | Project>(
  deps: QuotaUsageDeps,
  object: T,
  { use, ref }: { readonly use: ScopeUse | undefined; readonly ref: ResourceRef },
  { signal }: Options,
): Promise<void> {
  if (use === undefined) return
  const quota: QuotaUse = {
    namespaces: use.namespaces,
    total: { ...use.reserved },
    used: { ...use.used },
    clusters: use.clusters.map(({ cluster, namespaces, reserved, used }) => {
      const message = messageOf(deps, { cluster, namespaces })
      return { cluster, reserved: { ...reserved }, used: { ...used }, ...(message === undefined ? {} : { message }) }
    }),
  }
  try {
    await commitStatus<T>(deps.hub, { resource: ref, object, signal, next: (current) => ({ ...current, status: { ...current.status, quota } }) })
  } catch (error) {
    if (!isReason(error, 'Conflict')) throw error
  }
}

function messageOf({ clusters }: QuotaUsageDeps, { cluster, namespaces }: { readonly cluster: string; readonly namespaces: number }): string | undefined {
  const known = clusters.get(cluster)
  const what = namespaces === 1 ? 'its namespace' : `its ${namespaces} namespaces`
  if (known === undefined)
    return `Cluster "${cluster}" is no longer part of the platform: what ${what} had stays reserved. Delete the ProjectNamespaces in it to give that back, or import the cluster again.`
  if (isReady(known)) return undefined
  return `Cluster "${cluster}" cannot be reached: what ${what} may use stays reserved, and what is used may be out of date. When it does not come back, remove it from the platform and delete its ProjectNamespaces.`
}

function isSame(a: Amounts | undefined, b: Amounts | undefined): boolean {
  const [left, right] = [Object.entries(a ?? {}), b ?? {}]
  return left.length === Object.keys(right).length && left.every(([resource, amount]) => String(right[resource]) === String(amount))
}
