import type { KubeClient } from '@gantry/client'
import { createInformer, runInBackground, type Informer } from '@gantry/controller'
import type { Clock, Ids, Logger, Running } from '@gantry/runtime'
import {
  isMoveOver,
  membershipKind,
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  scopeOf,
  tenantKind,
  tenantNamespace,
  type Membership,
  type Project,
  type ProjectNamespace,
  type Tenant,
} from '../api/index.ts'

export interface TenancyObjectsDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

/** A tenant or project that certainly owns its namespace of the hub. */
export type Owner = { readonly tenant: Tenant; readonly project: Project | undefined; readonly above: readonly Project[] }

const byPlace = 'place'
const byCluster = 'cluster'
const byOwn = 'own namespace'
const byName = 'name'
const byTenant = 'tenant'

/** Tenants, projects, their namespaces and memberships, followed on the hub by one watch a kind: for the permissions and the controllers together. */
export class TenancyObjects {
  readonly tenants: Informer<Tenant>
  readonly projects: Informer<Project>
  readonly namespaces: Informer<ProjectNamespace>
  readonly memberships: Informer<Membership>

  constructor({ hub, clock, ids, log }: TenancyObjectsDeps) {
    const deps = { client: hub, clock, ids, log }
    this.tenants = createInformer<Tenant>(deps, { resource: tenantKind.ref })
    this.projects = createInformer<Project>(deps, {
      resource: projectKind.ref,
      indexers: {
        [byOwn]: ({ status }) => (status?.namespace === undefined ? [] : [status.namespace]),
        [byName]: ({ metadata }) => [metadata.name ?? ''],
        [byTenant]: ({ metadata }) => [scopeOf(metadata.namespace ?? '')?.tenant ?? ''],
      },
    })
    this.namespaces = createInformer<ProjectNamespace>(deps, {
      resource: projectNamespaceKind.ref,
      indexers: { [byPlace]: ({ spec }) => [`${spec.cluster}/${spec.namespace}`], [byCluster]: ({ spec }) => [spec.cluster] },
    })
    this.memberships = createInformer<Membership>(deps, { resource: membershipKind.ref })
  }

  /** Resolves when all of them are here. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    const informers = [this.tenants, this.projects, this.namespaces, this.memberships]
    const running = runInBackground(async (stopping) => void (await Promise.all(informers.map((informer) => informer.run(stopping)))), signal)
    await Promise.race([Promise.all(informers.map(({ synced }) => synced)), running.done])
    return running
  }

  /** The project whose namespace of the hub this is, once that is certain. */
  projectOf(namespace: string): Project | undefined {
    return this.projects.store.byIndex(byOwn, namespace)[0]
  }

  /** Who owns a namespace of the hub, and what that stands in, the nearest first. Undefined while any of it is not there, or not certain. */
  ownerOf(namespace: string): Owner | undefined {
    const above: Project[] = []
    const scope = scopeOf(namespace)
    if (scope === undefined) return undefined
    const tenant = this.tenants.store.get(scope.tenant)
    if (tenant?.status?.namespace !== tenantNamespace(scope.tenant)) return undefined
    if (scope.project === undefined) return { tenant, project: undefined, above }
    for (let at = namespace; at !== tenant.status.namespace;) {
      const project = this.projectOf(at)
      if (project === undefined || above.includes(project)) return undefined
      above.push(project)
      at = project.metadata.namespace ?? ''
    }
    return { tenant, project: above[0], above: above.slice(1) }
  }

  /** Projects that stand in a namespace of the hub. */
  projectsIn(namespace: string): readonly Project[] {
    return this.projects.store.byIndex('namespace', namespace)
  }

  /** All of a tenant, at any depth. */
  projectsOf(tenant: string): readonly Project[] {
    return this.projects.store.byIndex(byTenant, tenant)
  }

  projectsNamed(name: string): readonly Project[] {
    return this.projects.store.byIndex(byName, name)
  }

  namespacesIn(namespace: string): readonly ProjectNamespace[] {
    return this.namespaces.store.byIndex('namespace', namespace)
  }

  /** All that name one namespace of a cluster. */
  claimsOn(cluster: string, namespace: string): readonly ProjectNamespace[] {
    return this.namespaces.store.byIndex(byPlace, `${cluster}/${namespace}`)
  }

  namespacesOn(cluster: string): readonly ProjectNamespace[] {
    return this.namespaces.store.byIndex(byCluster, cluster)
  }
}

/** Where a project's own namespace of the hub has to be; undefined: it stands in no tenant. */
export function ownNamespaceOf(project: Project): { readonly tenant: string; readonly namespace: string } | undefined {
  const scope = scopeOf(project.metadata.namespace ?? '')
  return scope && { tenant: scope.tenant, namespace: projectNamespace(scope.tenant, project.metadata.name ?? '') }
}

/** Clusters that something in a tenant or project may use; undefined: every one. What stands above bounds what is below. */
export function clustersOf({ tenant, project, above }: Owner): readonly string[] | undefined {
  let allowed = tenant.spec.clusters.includes('*') ? undefined : tenant.spec.clusters
  for (const { spec } of project === undefined ? [] : [...above.toReversed(), project]) {
    const own = spec.clusters?.includes('*') === true ? undefined : spec.clusters
    if (own !== undefined) allowed = own.filter((cluster) => allowed?.includes(cluster) !== false)
  }
  return allowed
}

/** Why nothing new may be made in a project; undefined: it may. */
export function closureOf({ tenant, project, above }: Owner): { readonly reason: 'Suspended' | 'Locked'; readonly message: string } | undefined {
  const name = tenant.metadata.name ?? ''
  if (tenant.spec.suspended === true) return { reason: 'Suspended', message: `tenant ${name} is suspended: set spec.suspended of the Tenant to false to go on` }
  for (const one of project === undefined ? [] : [project, ...above])
    if (one.spec.locked === true)
      return { reason: 'Locked', message: `project ${name}/${one.metadata.name} is locked: set spec.locked of the Project to false to change anything in it` }
  return undefined
}

/** Whether it is on its way to another project. Until the namespace bears the mark of the new one it stays as it is, but is no longer looked after by its old project. */
export function isMoving({ status }: ProjectNamespace): boolean {
  return status?.move !== undefined && !isMoveOver(status.move)
}
