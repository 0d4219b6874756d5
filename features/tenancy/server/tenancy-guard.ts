import { requestInfo, StatusError, type RequestInfo } from '@gantry/apimachinery'
import { responseOf, writeAsTried, type ClusterTarget } from '@gantry/gateway'
import type { HttpRequest, HttpResponse, UserInfo } from '@gantry/runtime'
import { projectKind, projectNamespaceKind, type Project, type ProjectNamespace } from '../api/index.ts'

/** What the guard knows of tenants and projects, by their namespace of the hub. */
export interface TenancyView {
  /** Why nothing may be made there; undefined: it may, or it is not known to be a tenant's or project's. */
  closureOf(namespace: string): { readonly reason: string; readonly message: string } | undefined
  /** Clusters that may be used there; undefined: every one. */
  clustersOf(namespace: string): readonly string[] | undefined
}

export interface TenancyGuardDeps {
  readonly view: TenancyView
  /** Whether somebody may change a namespace of a cluster itself; undefined: an identity that is not the platform's, which is the hub's own business. */
  readonly mayTake: (user: UserInfo, place: { readonly cluster: string; readonly namespace: string }) => boolean | undefined
}

const guardedPrefix = `/apis/${projectKind.group}/`
const writes: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])

/**
 * The hub, with what holds for writes of projects and their namespaces: nothing changes in what is locked, nothing is made for a cluster that may not be used, and a namespace that is
 * there already is only adopted by who may change it without the project. The hub is asked first what a write would make of the object (a dry run). What comes to the hub by another
 * way the controllers hold back, but for the last: whoever reaches the hub beside this gateway is its administrator.
 */
export function guardTenancy(deps: TenancyGuardDeps, target: ClusterTarget): ClusterTarget {
  return {
    ...target,
    async handle(request) {
      if (request.method === 'GET' || !request.path.startsWith(guardedPrefix)) return target.handle(request)
      try {
        const info = requestInfo(request.method, request.path, request.query)
        const isGuarded = info.resource === projectKind.plural || info.resource === projectNamespaceKind.plural
        if (!isGuarded || info.subresource !== '' || !writes.has(info.verb)) return await target.handle(request)
        return await write(deps, target, { request, info })
      } catch (error) {
        if (error instanceof StatusError) return responseOf(error)
        throw error
      }
    },
  }
}

async function write(
  { view, mayTake }: TenancyGuardDeps,
  target: ClusterTarget,
  { request, info }: { readonly request: HttpRequest; readonly info: RequestInfo },
): Promise<HttpResponse> {
  const { namespace = '', verb } = info
  const closed = view.closureOf(namespace)
  const isDeletion = verb === 'delete' || verb === 'deletecollection'
  // What is suspended can be cleared away.
  if (closed !== undefined && (closed.reason === 'Locked' || !isDeletion)) throw new StatusError('Forbidden', closed.message)
  if (isDeletion) return target.handle(request)
  const allowed = view.clustersOf(namespace)
  return writeAsTried(target, request, async (trial) => {
    const object = trial.object as Project | ProjectNamespace
    if (info.resource === projectKind.plural) {
      for (const cluster of (object as Project).spec.clusters ?? []) mayUse(allowed, cluster, `project ${object.metadata.name}`)
    } else {
      const { spec, metadata, status } = object as ProjectNamespace
      const inWords = `namespace ${spec.namespace} of cluster ${spec.cluster}`
      // One that is there already stays when its cluster is taken away: it may still be changed.
      if (status?.clusterUID === undefined) mayUse(allowed, spec.cluster, inWords)
      if (spec.adopt === true && status?.clusterUID === undefined && request.user !== undefined && mayTake(request.user, spec) === false)
        throw new StatusError(
          'Forbidden',
          `${metadata.namespace}/${metadata.name} would adopt the ${inWords}, if it is there: that takes the permission to update this namespace there, without the project`,
        )
    }
    return trial.send()
  })
}

function mayUse(allowed: readonly string[] | undefined, cluster: string, what: string): void {
  if (cluster !== '*' && allowed?.includes(cluster) === false)
    throw new StatusError(
      'Forbidden',
      `${what} may not use the cluster ${cluster}; those above it may use ${allowed.length === 0 ? 'none' : allowed.join(', ')}`,
    )
}
