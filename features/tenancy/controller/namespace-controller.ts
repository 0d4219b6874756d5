import { jsonEqual, StatusError, unlessGone } from '@gantry/apimachinery'
import { getOrCreate, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { conditionOf, type Cluster } from '@gantry/clusters/api'
import { createController, keyOf, retryAfter, runInBackground, settled, type Controller, type Outcome } from '@gantry/controller'
import { deadline } from '@gantry/gateway'
import type { Running, Service } from '@gantry/runtime'
import {
  adoptedAnnotation,
  movedFromAnnotation,
  moveUndoneAnnotation,
  projectNamespaceKind,
  tenancyLabels,
  withProjectDefaults,
  type ProjectNamespace,
} from '../api/index.ts'
import { followDrift } from './drift.ts'
import { cancelEarly, endMove, moveOn, sourceOf } from './move.ts'
import { marksOf, namespaces, type NamespaceControllerDeps, type Reached, type Work } from './namespace-work.ts'
import { addFinalizer, ready, removeFinalizer, writeStatus, type Finding } from './status.ts'
import { closureOf, clustersOf, isMoving, type Owner } from './tenancy-objects.ts'

type Options = { readonly signal: AbortSignal }
type Status = NonNullable<ProjectNamespace['status']>

/** At one cluster at a time: a dead one keeps nobody but these. */
const workersPerCluster = 2
const clusterTimeoutMs = 15_000
const refusals: ReadonlySet<string> = new Set(['Forbidden', 'Unauthorized', 'Invalid'])
const unreachableAgainMs = 15_000
const waitingAgainMs = 5_000
export const limitRanges: ResourceRef = { group: '', version: 'v1', resource: 'limitranges', kind: 'LimitRange', namespaced: true }
const limitRangeName = 'project-limits'
/** What keeps a namespace from being deleted unasked: what runs, and what holds data. */
const workloads = (
  [
    ['', 'pods'],
    ['', 'persistentvolumeclaims'],
    ['apps', 'deployments'],
    ['apps', 'statefulsets'],
    ['apps', 'daemonsets'],
    ['batch', 'jobs'],
    ['batch', 'cronjobs'],
  ] as const
).map(([group, resource]): ResourceRef => ({ group, version: 'v1', resource, kind: '', namespaced: true }))

interface ClusterWork {
  readonly controller: Controller
  readonly running: Promise<Running>
  readonly drift: Running
}

/**
 * Makes ProjectNamespaces what they say in their clusters, and keeps them so. Each cluster has a queue, two workers and three watches of its own, from its first ProjectNamespace to
 * its last; a cluster with none is not asked for anything.
 */
export function createNamespaceController(deps: NamespaceControllerDeps): Service {
  const byCluster = new Map<string, ClusterWork>()
  const { objects, clusters } = deps

  function workOf(cluster: string, signal: AbortSignal): ClusterWork {
    let work = byCluster.get(cluster)
    if (work !== undefined) return work
    const controller = createController(deps, {
      name: `project-namespaces of ${cluster}`,
      triggers: [],
      workers: workersPerCluster,
      reconcile: (key, options) => reconcile(deps, key, options),
    })
    const drift = followDrift(deps, { cluster, enqueue: (key, afterMs) => controller.enqueue(key, afterMs), signal })
    work = { controller, running: controller.start({ signal }), drift }
    byCluster.set(cluster, work)
    return work
  }

  async function endWork(cluster: string, { running, drift }: ClusterWork): Promise<void> {
    byCluster.delete(cluster)
    await Promise.all([running.then((one) => one[Symbol.asyncDispose]()), drift[Symbol.asyncDispose]()])
  }

  async function run(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => stopped.resolve(), { once: true })
    if (signal.aborted) stopped.resolve()
    const ending = new Set<Promise<void>>()
    const enqueue = (object: ProjectNamespace): void => workOf(object.spec.cluster, signal).controller.enqueue(keyOf(object))
    const ends = [
      objects.namespaces.onChange(({ type, object }) => {
        const { cluster, namespace } = object.spec
        if (type !== 'deleted') enqueue(object)
        // Another one may have waited for this namespace, or is on its way to the other project.
        const isMove = isMoving(object) || object.metadata.annotations?.[movedFromAnnotation] !== undefined
        if (type !== 'deleted' && !isMove) return
        for (const rival of objects.claimsOn(cluster, namespace)) if (rival.metadata.uid !== object.metadata.uid) enqueue(rival)
        if (type !== 'deleted') return
        const work = byCluster.get(cluster)
        if (work === undefined || objects.namespacesOn(cluster).length > 0) return
        const end = endWork(cluster, work).catch((error: unknown) => deps.log.warn('what followed a cluster did not end', { cluster, error }))
        ending.add(end)
        void end.finally(() => ending.delete(end))
      }),
      objects.projects.onChange(({ type, object, ...change }) => {
        const own = object.status?.namespace
        if (own === undefined) return
        const old = 'old' in change ? change.old : undefined
        if (type === 'updated' && jsonEqual(old?.spec, object.spec) && old?.status?.namespace === own) return
        for (const one of objects.namespacesIn(own)) enqueue(one)
      }),
      objects.tenants.onChange(({ object, ...change }) => {
        const old = 'old' in change ? change.old : undefined
        if (old !== undefined && jsonEqual(old.spec, object.spec) && old.status?.namespace === object.status?.namespace) return
        for (const project of objects.projectsOf(object.metadata.name ?? ''))
          for (const one of objects.namespacesIn(project.status?.namespace ?? '')) enqueue(one)
      }),
      clusters.onChange(({ name, before, after }) => {
        const isSame = before?.metadata.uid === after?.metadata.uid && stateOf(before) === stateOf(after)
        if (!isSame) for (const one of objects.namespacesOn(name)) enqueue(one)
      }),
    ]
    await stopped.promise
    for (const end of ends) end()
    await Promise.all([...[...byCluster].map(([cluster, work]) => endWork(cluster, work)), ...ending])
  }

  return {
    name: 'project-namespaces',
    start: ({ signal }) => Promise.resolve(runInBackground(run, signal)),
  }
}

function stateOf(cluster: Cluster | undefined): string | undefined {
  return cluster && conditionOf(cluster, 'Ready')?.status
}

async function reconcile(deps: NamespaceControllerDeps, key: string, { signal }: Options): Promise<Outcome> {
  const { hub, objects } = deps
  const seen = objects.namespaces.store.get(key)
  if (seen === undefined) return settled
  if (seen.metadata.deletionTimestamp !== undefined) return release({ deps, object: seen, signal })
  const object = await addFinalizer(hub, projectNamespaceKind.ref, { object: seen, signal })
  if (object === undefined) return settled
  if (await cancelEarly({ deps, object, signal })) return settled
  const cluster = clusterOf(deps, object)
  if ('finding' in cluster) return hold({ deps, object, signal }, cluster.finding)
  return inTime({ deps, object, signal }, (work) => (isMoving(object) ? moveOn(work, cluster) : make(work, cluster)))
}

/** What a cluster is asked for has a deadline; why it could not be done stands in the status. */
async function inTime(work: Work, ask: (limited: Work) => Promise<Outcome>): Promise<Outcome> {
  const { deps, object, signal } = work
  using limit = deadline(deps.clock, clusterTimeoutMs, signal)
  try {
    return await ask({ ...work, signal: limit.signal })
  } catch (error) {
    const finding = signal.aborted ? undefined : unreachable(error, object.spec.cluster, limit.passed)
    if (finding === undefined) throw error
    await hold(work, finding)
    return retryAfter(unreachableAgainMs)
  }
}

function clusterOf(deps: NamespaceControllerDeps, object: ProjectNamespace): Reached | { readonly finding: Finding } {
  const name = object.spec.cluster
  const cluster = deps.clusters.get(name)
  const member = cluster === undefined ? undefined : deps.memberOf(name)
  if (cluster === undefined || member === undefined)
    return { finding: ready('False', 'ClusterNotFound', `the platform has no cluster ${name}: import it, or delete this ProjectNamespace`) }
  const state = conditionOf(cluster, 'Ready')
  // What it says is known already; it is looked at by its prober, and asked again once it answers.
  if (state !== undefined && state.status !== 'True')
    return { finding: ready('Unknown', 'ClusterUnreachable', `cluster ${name} cannot be reached: ${state.message}`) }
  return { member, uid: cluster.metadata.uid ?? '' }
}

/** A failure of the cluster; undefined for any other. */
function unreachable(error: unknown, cluster: string, hasPassed: boolean): Finding | undefined {
  if (hasPassed) return ready('Unknown', 'ClusterUnreachable', `cluster ${cluster} has not answered in ${clusterTimeoutMs / 1_000} s`)
  if (!(error instanceof StatusError) || error.reason === 'Conflict') return undefined
  const isRefusal = refusals.has(error.reason)
  return ready(isRefusal ? 'False' : 'Unknown', isRefusal ? 'ClusterRefuses' : 'ClusterUnreachable', `cluster ${cluster}: ${error.message}`)
}

/** Says why it cannot go on. What was certain before stays so. */
async function hold({ deps, object, signal }: Work, finding: Finding, set: Partial<Status> = {}): Promise<Outcome> {
  const isOwned = (set.clusterUID ?? ('clusterUID' in set ? undefined : object.status?.clusterUID)) !== undefined
  const phase = object.metadata.deletionTimestamp !== undefined ? 'Terminating' : isOwned ? (object.status?.phase ?? 'Active') : 'Pending'
  await writeStatus(deps, projectNamespaceKind.ref, { object, set: { phase, ...set }, findings: [finding], signal })
  return settled
}

async function make(work: Work, { member, uid }: Reached): Promise<Outcome> {
  const { deps, object, signal } = work
  const { objects, quotas } = deps
  const isOwned = object.status?.clusterUID === uid
  const owner = objects.ownerOf(object.metadata.namespace ?? '')
  const source = isOwned ? undefined : await sourceOf(work)
  const refusal = refusalOf(work, owner, { isOwned, source: source?.object })
  const why = source?.ends ?? refusal?.message
  if (why !== undefined && (await endMove(work, { member, source, why }))) return settled
  if (owner?.project === undefined || refusal !== undefined) return hold(work, refusal ?? notInProject(object), { clusterUID: undefined })
  const complete = withProjectDefaults(object, owner.project)
  const outcome = await quotas.hardFor(complete, { signal })
  if (outcome.kind === 'Refused')
    return (await endMove(work, { member, source, why: outcome.message })) ? settled : hold(work, ready('False', 'QuotaExceeded', outcome.message))
  const taken = await take(work, { member, owner, source: source?.object })
  if (taken !== undefined) {
    await hold(work, taken, { clusterUID: undefined })
    return retryAfter(waitingAgainMs)
  }
  await keepLimits({ ...work, object: complete }, member)
  const enforced = await quotas.enforce(member, complete, { signal })
  const quota: Finding =
    enforced.kind === 'Given'
      ? { type: 'QuotaInForce', status: 'True', reason: 'InForce', message: '' }
      : { type: 'QuotaInForce', status: 'False', reason: 'DoesNotFit', message: enforced.message }
  const state = enforced.kind === 'Refused' ? ready('False', 'QuotaExceeded', enforced.message) : ready('True', 'Ready')
  await writeStatus(deps, projectNamespaceKind.ref, { object, set: { phase: 'Active', clusterUID: uid }, findings: [state, quota], signal })
  return settled
}

/** Why a namespace may not be made, or not yet; one that is its own already only, when it is in no project any more. */
function refusalOf(
  { deps, object }: Work,
  owner: Owner | undefined,
  { isOwned, source }: { readonly isOwned: boolean; readonly source: ProjectNamespace | undefined },
): Finding | undefined {
  if (owner?.project === undefined) return notInProject(object)
  if (isOwned) return undefined
  const { cluster, namespace } = object.spec
  const closed = closureOf(owner)
  if (closed !== undefined) return ready('False', closed.reason, closed.message)
  if (clustersOf(owner)?.includes(cluster) === false)
    return ready(
      'False',
      'ClusterNotAllowed',
      `the project may not use the cluster ${cluster}: name it in spec.clusters of the project and of all it stands in`,
    )
  const rival = deps.objects
    .claimsOn(cluster, namespace)
    .find(({ metadata, status }) => metadata.uid !== object.metadata.uid && metadata.uid !== source?.metadata.uid && status?.clusterUID !== undefined)
  return rival && conflict(object, `it belongs to ${rival.metadata.namespace} already, by its ProjectNamespace ${rival.metadata.name}`)
}

function notInProject({ metadata: { namespace } }: ProjectNamespace): Finding {
  return ready('False', 'NotInProject', `${namespace} is not the namespace of a project that is ready`)
}

function conflict({ spec: { cluster, namespace } }: ProjectNamespace, why: string): Finding {
  return ready('False', 'Conflict', `the namespace ${namespace} of cluster ${cluster} is not touched: ${why}`)
}

/** Makes the namespace in the cluster, or sees that it is its own. Undefined: it certainly is. */
async function take(
  { object, signal }: Work,
  { member, owner, source }: { readonly member: KubeClient; readonly owner: Owner; readonly source: ProjectNamespace | undefined },
): Promise<Finding | undefined> {
  const name = object.spec.namespace
  const marks = marksOf(object, owner)
  const there = await getOrCreate<KubeObject>(member, {
    resource: namespaces,
    key: { name },
    make: () => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { ...marks, [tenancyLabels.managedBy]: 'gantry' } } }),
    signal,
  })
  const { labels, annotations, resourceVersion, deletionTimestamp } = there.metadata
  const mark = labels?.[tenancyLabels.uid]
  if (mark === marks[tenancyLabels.uid]) {
    if (deletionTimestamp !== undefined)
      return ready('False', 'NamespaceTerminating', `cluster ${object.spec.cluster} is deleting the namespace ${name}; it is made again after that`)
    if (Object.entries(marks).some(([label, value]) => labels?.[label] !== value))
      await member.patch(namespaces, { name }, { type: 'merge', body: { metadata: { resourceVersion, labels: marks } }, signal })
    return undefined
  }
  if (mark !== undefined && mark === source?.metadata.uid && deletionTimestamp === undefined) {
    if (annotations?.[moveUndoneAnnotation] === marks[tenancyLabels.uid]) return conflict(object, 'its move has been undone')
    const body = { metadata: { resourceVersion, labels: marks, annotations: { [moveUndoneAnnotation]: null } } }
    await member.patch(namespaces, { name }, { type: 'merge', body, signal })
    return undefined
  }
  if (mark !== undefined) {
    const whose = `${labels?.[tenancyLabels.tenant] ?? '?'}/${labels?.[tenancyLabels.project] ?? '?'}`
    return conflict(object, `it bears the mark of the project ${whose}`)
  }
  if (object.spec.adopt !== true)
    return conflict(object, 'it is there and belongs to no project; set spec.adopt to take it with what runs in it, or take another name')
  if (deletionTimestamp !== undefined) return ready('False', 'NamespaceTerminating', `cluster ${object.spec.cluster} is deleting the namespace ${name}`)
  const body = { metadata: { resourceVersion, labels: marks, annotations: { ...annotations, [adoptedAnnotation]: 'true' } } }
  await member.patch(namespaces, { name }, { type: 'merge', body, signal })
  return undefined
}

interface LimitRange extends KubeObject {
  spec?: { limits?: readonly object[] }
}

/** The LimitRange that the object asks for, and no other by its name. */
async function keepLimits({ object, signal }: Work, member: KubeClient): Promise<void> {
  const { namespace, limits } = object.spec
  const key = { namespace, name: limitRangeName }
  const there = await unlessGone(member.get<LimitRange>(limitRanges, key, { signal }))
  if (limits === undefined) {
    if (there?.metadata.labels?.[tenancyLabels.managedBy] === 'gantry') await unlessGone(member.delete(limitRanges, key, { signal }))
    return
  }
  const labels = { [tenancyLabels.managedBy]: 'gantry', [tenancyLabels.uid]: object.metadata.uid ?? '' }
  const spec = { limits: [{ type: 'Container', ...limits }] }
  const wanted: LimitRange = { apiVersion: 'v1', kind: 'LimitRange', metadata: { ...key, labels }, spec }
  if (there === undefined) {
    await member.create(limitRanges, wanted, { signal })
    return
  }
  // The server completes what is written (defaults from max): what is written counts, as a dry run shows it.
  const next = { ...there, metadata: { ...there.metadata, labels: { ...there.metadata.labels, ...labels } }, spec }
  const result = await member.update<LimitRange>(limitRanges, next, { signal, dryRun: true })
  if (!jsonEqual(result.spec, there.spec) || !jsonEqual(result.metadata.labels, there.metadata.labels)) await member.update(limitRanges, next, { signal })
}

/** The object is to go: what it has made goes too, unless that would take work or data with it unasked. */
async function release(work: Work): Promise<Outcome> {
  const { deps, object, signal } = work
  const { hub, clusters, quotas } = deps
  const { cluster } = object.spec
  const finish = async (): Promise<Outcome> => {
    await quotas.release(object, { signal })
    await removeFinalizer(hub, projectNamespaceKind.ref, { object, signal })
    return settled
  }
  // A cluster that has left the platform is nobody's to clean here; what is left there is its owner's.
  if (clusters.get(cluster) === undefined) return finish()
  const reached = clusterOf(deps, object)
  if ('finding' in reached) return hold(work, reached.finding)
  return inTime(work, (limited) => clean(limited, reached, finish))
}

async function clean(work: Work, { member }: Reached, finish: () => Promise<Outcome>): Promise<Outcome> {
  const { object, signal } = work
  const { cluster, namespace } = object.spec
  const there = await unlessGone(member.get<KubeObject>(namespaces, { name: namespace }, { signal }))
  if (there === undefined || there.metadata.labels?.[tenancyLabels.uid] !== object.metadata.uid) return await finish()
  if (there.metadata.deletionTimestamp !== undefined) {
    await hold(work, ready('False', 'NamespaceTerminating', `cluster ${cluster} is deleting the namespace ${namespace}`))
    return retryAfter(waitingAgainMs)
  }
  const policy = object.spec.reclaimPolicy
  if (policy === 'Retain' || there.metadata.annotations?.[adoptedAnnotation] === 'true') {
    await letGo(work, member, there)
    return await finish()
  }
  const held = policy === 'Delete' ? [] : await heldIn(member, namespace, signal)
  if (held.length > 0) {
    const message = `the namespace ${namespace} of cluster ${cluster} holds ${held.join(', ')}: remove them, or set spec.reclaimPolicy to Retain (it stays, without a project) or Delete (it goes with everything)`
    await hold(work, ready('False', 'HoldsWorkloads', message))
    return retryAfter(waitingAgainMs * 3)
  }
  const { uid = '', resourceVersion = '' } = there.metadata
  await unlessGone(member.delete(namespaces, { name: namespace }, { preconditions: { uid, resourceVersion }, signal }))
  await hold(work, ready('False', 'NamespaceTerminating', `cluster ${cluster} is deleting the namespace ${namespace}`))
  return retryAfter(waitingAgainMs)
}

/** Takes the platform's marks and limits off a namespace; nothing else in it changes. */
async function letGo({ object, signal }: Work, member: KubeClient, { metadata }: KubeObject): Promise<void> {
  const namespace = object.spec.namespace
  const selector = `${tenancyLabels.uid}=${object.metadata.uid}`
  for (const resource of [limitRanges, { ...limitRanges, resource: 'resourcequotas', kind: 'ResourceQuota' }]) {
    const { items } = await member.list<KubeObject>(resource, { namespace, labelSelector: selector, signal })
    for (const item of items) await unlessGone(member.delete(resource, { namespace, name: item.metadata.name ?? '' }, { signal }))
  }
  const gone = [tenancyLabels.tenant, tenancyLabels.project, tenancyLabels.uid, tenancyLabels.managedBy].filter(
    (label) => metadata.labels?.[label] !== undefined,
  )
  const labels = Object.fromEntries(gone.map((label) => [label, null]))
  const body = { metadata: { resourceVersion: metadata.resourceVersion, labels, annotations: { [adoptedAnnotation]: null, [moveUndoneAnnotation]: null } } }
  await member.patch(namespaces, { name: namespace }, { type: 'merge', body, signal })
}

/** Kinds of which something is left: "2 pods", or "deployments.apps" when there are more than fit one page. */
async function heldIn(member: KubeClient, namespace: string, signal: AbortSignal): Promise<readonly string[]> {
  const held: string[] = []
  for (const resource of workloads) {
    const found = await unlessGone(member.list<KubeObject>(resource, { namespace, limit: 1, metadataOnly: true, signal }))
    const [first] = found?.items ?? []
    if (first === undefined) continue
    const more = found?.metadata.remainingItemCount ?? (found?.metadata.continue ? undefined : 0)
    const kind = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
    held.push(`${kind} (${first.metadata.name}${more === 0 ? '' : more === undefined ? ' and others' : ` and ${more} more`})`)
  }
  return held
}
