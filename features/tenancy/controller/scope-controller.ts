import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import { getOrCreate, type KubeClient, type KubeObject } from '@gantry/client'
import { isReady, localClusterName } from '@gantry/clusters/api'
import { createController, keyOf, retryAfter, settled, trigger, type Outcome } from '@gantry/controller'
import type { Clock, Logger, Service } from '@gantry/runtime'
import {
  projectKind,
  projectNamespaceKind,
  tenancyLabels,
  tenantKind,
  tenantNamespace,
  scopeOf,
  sharedQuotaAnnotation,
  type Project,
  type ProjectNamespace,
  type ScopeQuotas,
  type Tenant,
} from '../api/index.ts'
import { namespaces } from './namespace-work.ts'
import type { Clusters } from './scope-feed.ts'
import { addFinalizer, ready, removeFinalizer, writeStatus, type Finding } from './status.ts'
import { closureOf, clustersOf, ownNamespaceOf, type Owner, type TenancyObjects } from './tenancy-objects.ts'

export interface ScopeControllerDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly log: Logger
  readonly objects: TenancyObjects
  readonly clusters: Clusters
  readonly quotas: ScopeQuotas
}

type Options = { readonly signal: AbortSignal }

/** Made when a Project does not say which it has. */
const defaultEnvironments = [{ name: 'test' }, { name: 'production' }] as const
const longestNamespace = 63
const goingMs = 2_000
const quotaAgainMs = 60_000

/** Gives tenants and projects their namespaces of the hub and projects their environments, and lets them go when nothing is left in them. It may be started again after it has ended. */
export function createScopeController(deps: ScopeControllerDeps): Service {
  const { objects, clusters } = deps
  const upwards = ({ metadata: { namespace = '' } }: KubeObject): string[] => {
    const project = objects.projectOf(namespace)
    const tenant = scopeOf(namespace)?.tenant
    return [...(tenant === undefined ? [] : [tenant]), ...(project === undefined ? [] : [keyOf(project)])]
  }
  const downwards = (namespace: string | undefined): string[] => (namespace === undefined ? [] : objects.projectsIn(namespace).map(keyOf))
  return {
    name: 'tenants and projects',
    async start(options) {
      const controller = createController(deps, {
        name: 'tenants-and-projects',
        workers: 4,
        triggers: [
          trigger(objects.tenants, ({ object }) => [keyOf(object), ...downwards(tenantNamespace(object.metadata.name ?? ''))]),
          trigger(objects.projects, ({ object }) => {
            // Another one of the same name may have waited for this one's namespace.
            const rivals = objects.projectsNamed(object.metadata.name ?? '').map(keyOf)
            return [keyOf(object), ...upwards(object), ...downwards(ownNamespaceOf(object)?.namespace), ...rivals]
          }),
          trigger(objects.namespaces, ({ object, type }) => (type === 'updated' ? [] : upwards(object))),
        ],
        reconcile: (key, how) => (key.includes('/') ? reconcileProject(deps, key, how) : reconcileTenant(deps, key, how)),
      })
      const running = await controller.start(options)
      // An environment may have waited for a cluster.
      const deaf = clusters.onChange(({ before, after }) => {
        if (after === undefined || !isReady(after) || (before !== undefined && isReady(before))) return
        for (const project of objects.projects.store.values()) if (missingOf(project).length > 0) controller.enqueue(keyOf(project))
      })
      return {
        done: running.done,
        async [Symbol.asyncDispose]() {
          deaf()
          await running[Symbol.asyncDispose]()
        },
      }
    },
  }
}

async function reconcileTenant(deps: ScopeControllerDeps, name: string, { signal }: Options): Promise<Outcome> {
  const { hub, objects } = deps
  const tenant = objects.tenants.store.get(name)
  if (tenant === undefined) return settled
  const namespace = tenantNamespace(name)
  const projects = objects.projectsOf(name).length
  if (tenant.metadata.deletionTimestamp !== undefined) {
    if (projects > 0) {
      const message = `it still has ${projects} projects: delete them first`
      await writeStatus(deps, tenantKind.ref, { object: tenant, set: { projects }, findings: [ready('False', 'HasProjects', message)], signal })
      return settled
    }
    if (!(await letNamespaceGo(hub, { namespace, uid: tenant.metadata.uid ?? '', signal }))) return retryAfter(goingMs)
    await removeFinalizer(hub, tenantKind.ref, { object: tenant, signal })
    return settled
  }
  const kept = await addFinalizer(hub, tenantKind.ref, { object: tenant, signal })
  if (kept === undefined) return settled
  const problem = await ensureNamespace(hub, { namespace, owner: kept, labels: { [tenancyLabels.tenant]: name }, signal })
  const unsettled = problem === undefined ? await deps.quotas.settle(kept, { signal }) : undefined
  const findings = [problem ?? ready('True', 'Ready'), quotaFinding(unsettled)]
  await writeStatus(deps, tenantKind.ref, { object: kept, set: { namespace: problem === undefined ? namespace : undefined, projects }, findings, signal })
  return again(problem, unsettled)
}

async function reconcileProject(deps: ScopeControllerDeps, key: string, { signal }: Options): Promise<Outcome> {
  const { hub, objects } = deps
  const project = objects.projects.store.get(key)
  if (project === undefined) return settled
  const own = ownNamespaceOf(project)
  const say = (finding: Finding, set: Partial<NonNullable<Project['status']>> = {}) =>
    writeStatus(deps, projectKind.ref, { object: project, set, findings: [finding], signal })
  if (project.metadata.deletionTimestamp !== undefined) return finishProject(deps, project, { own, signal })
  const stands = objects.ownerOf(project.metadata.namespace ?? '')
  if (own === undefined || stands === undefined) {
    const { namespace = '' } = project.metadata
    await say(
      ready(
        'False',
        'NotInTenant',
        `its namespace ${namespace} is not that of a tenant or project that is ready: make it in tenant-<tenant>, or in project-<tenant>--<project> of the project above it`,
      ),
      { namespace: undefined },
    )
    return settled
  }
  const rival = objects.projectOf(own.namespace)
  if (rival !== undefined && rival.metadata.uid !== project.metadata.uid) {
    await say(
      ready(
        'False',
        'Conflict',
        `tenant ${own.tenant} has a project of this name already, in ${rival.metadata.namespace}: names are one per tenant, take another`,
      ),
      { namespace: undefined },
    )
    return settled
  }
  const kept = await addFinalizer(hub, projectKind.ref, { object: project, signal })
  if (kept === undefined) return settled
  const labels = { [tenancyLabels.tenant]: own.tenant, [tenancyLabels.project]: project.metadata.name ?? '' }
  const problem = await ensureNamespace(hub, { namespace: own.namespace, owner: kept, labels, signal })
  const set = { namespace: problem === undefined ? own.namespace : undefined, tenant: own.tenant }
  const unsettled = problem === undefined ? await deps.quotas.settle(kept, { signal }) : undefined
  const known = await writeStatus(deps, projectKind.ref, { object: kept, set, findings: [problem ?? ready('True', 'Ready'), quotaFinding(unsettled)], signal })
  if (problem === undefined && known !== undefined) {
    const owner: Owner = { tenant: stands.tenant, project: known, above: stands.project === undefined ? [] : [stands.project, ...stands.above] }
    await makeEnvironments(deps, { owner, project: known, namespace: own.namespace, tenant: own.tenant, signal })
  }
  return again(problem, unsettled)
}

function again(problem: Finding | undefined, unsettled: string | undefined): Outcome {
  // A namespace that is going, or somebody else's, tells nobody when it is gone.
  return problem !== undefined ? retryAfter(goingMs * 5) : unsettled !== undefined ? retryAfter(quotaAgainMs) : settled
}

function quotaFinding(unsettled: string | undefined): Finding {
  return unsettled === undefined
    ? { type: 'QuotaInForce', status: 'True', reason: 'InForce', message: '' }
    : { type: 'QuotaInForce', status: 'False', reason: 'DoesNotFit', message: unsettled }
}

/** Everything in it goes first, each by its own rule: nothing that holds workloads goes unasked. */
async function finishProject(
  deps: ScopeControllerDeps,
  project: Project,
  { own, signal }: { readonly own: { readonly tenant: string; readonly namespace: string } | undefined } & Options,
): Promise<Outcome> {
  const { hub, objects } = deps
  const isOwner = own !== undefined && project.status?.namespace === own.namespace
  if (isOwner) {
    const below = objects.projectsIn(own.namespace)
    if (below.length > 0) {
      const names = below.map(({ metadata }) => metadata.name).join(', ')
      await writeStatus(deps, projectKind.ref, {
        object: project,
        set: {},
        findings: [ready('False', 'HasProjects', `projects stand in it: ${names}; delete them first`)],
        signal,
      })
      return settled
    }
    const inIt = objects.namespacesIn(own.namespace)
    for (const one of inIt) {
      const { namespace, name = '', uid = '', deletionTimestamp } = one.metadata
      if (deletionTimestamp === undefined) await unlessGone(hub.delete(projectNamespaceKind.ref, { namespace, name }, { preconditions: { uid }, signal }))
    }
    if (inIt.length > 0) {
      const names = inIt.map(({ spec }) => `${spec.namespace} in ${spec.cluster}`).join(', ')
      const message = `its namespaces have to go first: ${names}. What each waits for stands in its ProjectNamespace`
      await writeStatus(deps, projectKind.ref, { object: project, set: {}, findings: [ready('False', 'HasNamespaces', message)], signal })
      return settled
    }
    if (!(await letNamespaceGo(hub, { namespace: own.namespace, uid: project.metadata.uid ?? '', signal }))) return retryAfter(goingMs)
    await deps.quotas.releaseProject(project, { signal })
  }
  await removeFinalizer(hub, projectKind.ref, { object: project, signal })
  return settled
}

/** Environments that have not been made. */
function missingOf({
  spec,
  status,
}: Project): readonly { readonly name: string; readonly cluster?: string | undefined; readonly quota?: ProjectNamespace['spec']['quota'] }[] {
  return (spec.environments ?? defaultEnvironments).filter(({ name }) => status?.environments?.includes(name) !== true)
}

async function makeEnvironments(
  deps: ScopeControllerDeps,
  {
    owner,
    project,
    namespace,
    tenant,
    signal,
  }: { readonly owner: Owner; readonly project: Project; readonly namespace: string; readonly tenant: string } & Options,
): Promise<void> {
  const wanted = new Set((project.spec.environments ?? defaultEnvironments).map(({ name }) => name))
  const made = (project.status?.environments ?? []).filter((name) => wanted.has(name))
  const problems: string[] = []
  const sharing = new Set(
    deps.objects
      .namespacesIn(namespace)
      .filter(hasShare)
      .map(({ metadata }) => metadata.name ?? ''),
  )
  const closed = closureOf(owner)
  const missing = missingOf(project).map((environment) => ({ ...environment, cluster: environment.cluster ?? firstUsable(deps.clusters, owner) }))
  const placed = missing.flatMap(({ cluster, ...one }) => (cluster === undefined ? [] : [{ ...one, cluster }]))
  const shares = closed !== undefined || placed.length === 0 ? new Map<string, string>() : await deps.quotas.environmentShares(project, placed, { signal })
  for (const environment of missing) {
    const name = `${tenant}-${project.metadata.name}-${environment.name}`
    const { cluster } = environment
    const share = shares.get(environment.name) ?? {}
    if (closed !== undefined) problems.push(`${environment.name}: ${closed.message}`)
    else if (cluster === undefined) problems.push(`${environment.name}: none of the clusters that it may use is ready`)
    else if (typeof share === 'string') problems.push(`${environment.name}: ${share}`)
    else if (name.length > longestNamespace)
      problems.push(
        `${environment.name}: the name ${name} is longer than ${longestNamespace} characters; make a ProjectNamespace with a shorter one, and name it in no environment`,
      )
    else
      try {
        const { apiVersion, kind, ref } = projectNamespaceKind
        const quota = { ...environment.quota, ...share }
        const shared = Object.keys(share)
        await deps.hub.create<ProjectNamespace>(
          ref,
          {
            apiVersion,
            kind,
            metadata: {
              name: environment.name,
              namespace,
              labels: { [tenancyLabels.managedBy]: 'gantry' },
              ...(shared.length === 0 ? {} : { annotations: { [sharedQuotaAnnotation]: shared.join(',') } }),
            },
            spec: { cluster, namespace: name, environment: environment.name, ...(Object.keys(quota).length === 0 ? {} : { quota }) },
          },
          { signal },
        )
        made.push(environment.name)
        if (shared.length > 0) sharing.add(environment.name)
      } catch (error) {
        if (isReason(error, 'AlreadyExists')) made.push(environment.name)
        else if (error instanceof StatusError && (isReason(error, 'Invalid') || isReason(error, 'Forbidden')))
          problems.push(`${environment.name}: ${error.message}`)
        else throw error
      }
  }
  const finding: Finding =
    problems.length === 0
      ? { type: 'EnvironmentsMade', status: 'True', reason: 'Made', message: sharingInWords(sharing) }
      : { type: 'EnvironmentsMade', status: 'False', reason: 'Waiting', message: problems.join('; ') }
  await writeStatus(deps, projectKind.ref, { object: project, set: { environments: made.length === 0 ? undefined : made }, findings: [finding], signal })
}

const hasShare = ({ metadata }: ProjectNamespace): boolean => metadata.annotations?.[sharedQuotaAnnotation] !== undefined

function sharingInWords(environments: ReadonlySet<string>): string {
  return environments.size === 0
    ? ''
    : `${[...environments].toSorted().join(', ')}: given an even share of what was free of the project's quota, as neither quota in spec.environments nor spec.namespaceDefaultQuota says what they are to have; change spec.quota of the ProjectNamespace to give them more or less`
}

/** Of the clusters that a project may use the first that answers; of every one, the platform's own before others by name. */
function firstUsable(clusters: Clusters, owner: Owner): string | undefined {
  const all = [...clusters.values()]
    .map(({ metadata }) => metadata.name ?? '')
    .toSorted((a, b) => Number(b === localClusterName) - Number(a === localClusterName) || a.localeCompare(b))
  return (clustersOf(owner) ?? all).find((name) => {
    const cluster = clusters.get(name)
    return cluster !== undefined && isReady(cluster)
  })
}

/** Makes a namespace of the hub an owner's. A namespace that is there already is only taken when it bears the owner's mark: otherwise whoever was first would share it. */
async function ensureNamespace(
  hub: KubeClient,
  { namespace, owner, labels, signal }: { readonly namespace: string; readonly owner: Tenant | Project; readonly labels: Record<string, string> } & Options,
): Promise<Finding | undefined> {
  const { uid = '' } = owner.metadata
  const wanted = { ...labels, [tenancyLabels.uid]: uid, [tenancyLabels.managedBy]: 'gantry' }
  const there = await getOrCreate<KubeObject>(hub, {
    resource: namespaces,
    key: { name: namespace },
    make: () => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: wanted } }),
    signal,
  })
  if (there.metadata.labels?.[tenancyLabels.uid] !== uid)
    return ready('False', 'Conflict', `the namespace ${namespace} of the hub is there and is not its own: remove it, or take another name`)
  if (there.metadata.deletionTimestamp !== undefined) return ready('False', 'NamespaceTerminating', `the namespace ${namespace} of the hub is being deleted`)
  if (Object.entries(wanted).some(([label, value]) => there.metadata.labels?.[label] !== value))
    await hub.patch(namespaces, { name: namespace }, { type: 'merge', body: { metadata: { labels: wanted } }, signal })
  return undefined
}

/** Whether an owner's namespace of the hub is gone; begins to delete it. */
async function letNamespaceGo(hub: KubeClient, { namespace, uid, signal }: { readonly namespace: string; readonly uid: string } & Options): Promise<boolean> {
  const there = await unlessGone(hub.get<KubeObject>(namespaces, { name: namespace }, { signal }))
  if (there === undefined || there.metadata.labels?.[tenancyLabels.uid] !== uid) return true
  if (there.metadata.deletionTimestamp === undefined)
    await unlessGone(hub.delete(namespaces, { name: namespace }, { preconditions: { uid: there.metadata.uid ?? '' }, signal }))
  return false
}
