import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import type { Clock, HttpResponse, UserInfo } from '@gantry/runtime'
import { isMoveOver, projectNamespace, projectNamespaceKind, scopeOf, type NamespaceMove, type ProjectNamespace } from '../api/index.ts'
import type { Quotas } from './quota/index.ts'
import type { TenancyView } from './tenancy-guard.ts'

export interface MoveRoutesDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly quotas: Quotas
  readonly view: TenancyView
  /** Whether a user may do something to an object of this feature on the hub. */
  readonly may: (
    user: UserInfo,
    question: { readonly verb: string; readonly group: string; readonly resource: string; readonly namespace: string; readonly name: string },
  ) => boolean
}

const prefix = '/platform/v1/projectnamespaces/'
const bodyBytes = 16 << 10
const cancelTries = 5
const { ref, group, plural: resource } = projectNamespaceKind

/**
 * `POST /platform/v1/projectnamespaces/<namespace of the hub>/<name>/move {to: "<tenant>/<project>", dryRun?}`: begins the move of a namespace to another project of its tenant, with what
 * runs in it. Answers 202 with a `NamespaceMove`; the controllers do it, and `status.move` says how far it is. For whoever may delete it where it is and make it where it goes.
 * `DELETE` of the same cancels it, as long as the new project does not have the namespace: answers 202 with the same, and `status.move.phase` becomes Cancelled; or it has been too late, and the
 * ProjectNamespace is gone. For whoever may delete it where it is.
 */
export function moveRoutes(deps: MoveRoutesDeps): readonly Route[] {
  return [{ path: prefix, audience: 'platform', serve: (exchange) => serve(deps, exchange) }]
}

async function serve(deps: MoveRoutesDeps, { request, caller }: Exchange): Promise<HttpResponse> {
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  const [namespace = '', name = '', what, ...more] = request.path.slice(prefix.length).split('/')
  if (what !== 'move' || more.length > 0 || name === '') throw new StatusError('NotFound', 'the server could not find the requested resource')
  if (request.method !== 'POST' && request.method !== 'DELETE')
    throw new StatusError('MethodNotAllowed', 'move takes a POST; a DELETE cancels one that is under way')
  const { signal } = request
  const from = scopeOf(namespace)
  const { username } = caller.user
  const mayDelete = deps.may(caller.user, { verb: 'delete', group, resource, namespace, name })
  if (from?.project === undefined || !mayDelete)
    throw new StatusError('Forbidden', `there is no ProjectNamespace ${namespace}/${name} that user "${username}" may delete: it takes that to move it away`)
  if (request.method === 'DELETE') return jsonResponse(202, await cancel(deps, { namespace, name, signal }))
  const { to, dryRun } = fieldsOf(await readJson(request, bodyBytes))
  const goal = { tenant: to.tenant, project: to.project, namespace: projectNamespace(to.tenant, to.project) }
  if (goal.tenant !== from.tenant)
    throw new StatusError(
      'Invalid',
      `${namespace}/${name} is of the tenant ${from.tenant}: it can move to another project of that tenant, not to ${goal.tenant}`,
    )
  if (goal.namespace === namespace) throw new StatusError('Invalid', `${namespace}/${name} is in ${goal.tenant}/${goal.project} already`)
  if (!deps.may(caller.user, { verb: 'create', group, resource, namespace: goal.namespace, name }))
    throw new StatusError('Forbidden', `user "${username}" may not make ProjectNamespaces in the project ${goal.tenant}/${goal.project}`)
  const object = await deps.hub.get<ProjectNamespace>(ref, { namespace, name }, { signal })
  await refuse(deps, { object, goal, signal })
  if (!dryRun) await begin(deps, { object, to: goal.namespace, signal })
  return jsonResponse(dryRun ? 200 : 202, answerOf(object, goal.namespace, dryRun))
}

interface Asked {
  readonly object: ProjectNamespace
  readonly goal: { readonly tenant: string; readonly project: string; readonly namespace: string }
  readonly signal: AbortSignal
}

/** Throws what is in the way. The controllers ask the same when they do it; asked here, nothing has to be undone. */
async function refuse({ hub, quotas, view }: MoveRoutesDeps, { object, goal, signal }: Asked): Promise<void> {
  const { namespace = '', name = '', deletionTimestamp } = object.metadata
  const { cluster } = object.spec
  const what = `${namespace}/${name}`
  for (const place of [namespace, goal.namespace]) {
    const closed = view.closureOf(place)
    if (closed !== undefined) throw new StatusError('Forbidden', closed.message)
  }
  if (deletionTimestamp !== undefined) throw new StatusError('Conflict', `${what} is being deleted`)
  const { clusterUID, move } = object.status ?? {}
  if (move !== undefined && !isMoveOver(move)) throw new StatusError('Conflict', `${what} is moving to ${move.to} already`)
  if (clusterUID === undefined)
    throw new StatusError('Conflict', `${what} has no namespace in the cluster ${cluster} yet that is certainly its own: its Ready condition says why`)
  const project = await quotas.projectOf({ tenant: goal.tenant, name: goal.project }, { signal })
  if (project?.status?.namespace !== goal.namespace)
    throw new StatusError('NotFound', `there is no project ${goal.tenant}/${goal.project}, or it is not ready: its Ready condition says why`)
  const allowed = view.clustersOf(goal.namespace)
  if (allowed?.includes(cluster) === false)
    throw new StatusError(
      'Forbidden',
      `the project ${goal.tenant}/${goal.project} may not use the cluster ${cluster}: name it in spec.clusters of the project and of all it stands in`,
    )
  if ((await unlessGone(hub.get(ref, { namespace: goal.namespace, name }, { signal }))) !== undefined)
    throw new StatusError('AlreadyExists', `${goal.namespace} has a ProjectNamespace ${name} already: it would have to go first`)
  const next: ProjectNamespace = { ...object, metadata: { name, namespace: goal.namespace } }
  const { fits, problems } = await quotas.check(project, next, { signal })
  if (!fits) throw new StatusError('Forbidden', `${what} does not fit there: ${problems.join('; ')}`)
}

/** Over the version that was read: a move that has gone on meanwhile is looked at again. */
async function cancel(
  { hub }: MoveRoutesDeps,
  { namespace, name, signal }: { readonly namespace: string; readonly name: string; readonly signal: AbortSignal },
): Promise<NamespaceMove> {
  for (let tries = 1; ; tries++) {
    const object = await unlessGone(hub.get<ProjectNamespace>(ref, { namespace, name }, { signal }))
    if (object === undefined)
      throw new StatusError(
        'NotFound',
        `there is no ProjectNamespace ${namespace}/${name}: if it has moved, it is in the other project now, and can be moved back`,
      )
    const { move, clusterUID } = object.status ?? {}
    if (move === undefined || isMoveOver(move)) throw new StatusError('Conflict', `${namespace}/${name} is not moving`)
    const answer = answerOf(object, move.to, false)
    if (move.phase === 'Cancelling') return answer
    const next = move.uid === undefined ? undefined : await unlessGone(hub.get<ProjectNamespace>(ref, { namespace: move.to, name }, { signal }))
    if (next?.metadata.uid === move.uid && next?.status?.clusterUID !== undefined && next.status.clusterUID === clusterUID)
      throw new StatusError('Conflict', `${namespace}/${name} has arrived in ${answer.to} already, which has the namespace now: move it back from there`)
    const body = { metadata: { resourceVersion: object.metadata.resourceVersion }, status: { move: { ...move, phase: 'Cancelling' } } }
    try {
      await hub.patch(ref, { namespace, name }, { type: 'merge', subresource: 'status', body, signal })
      return answer
    } catch (error) {
      if (!isReason(error, 'Conflict') || tries === cancelTries) throw error
    }
  }
}

function answerOf({ metadata, spec: { cluster, namespace } }: ProjectNamespace, to: string, dryRun: boolean): NamespaceMove {
  return { cluster, namespace, from: pathOf(metadata.namespace ?? ''), to: pathOf(to), dryRun }
}

function pathOf(namespace: string): string {
  const { tenant, project } = scopeOf(namespace) ?? {}
  return `${tenant}/${project}`
}

/** As it was seen: another move, or a deletion, that has begun in the meantime is a Conflict. */
async function begin(
  { hub, clock }: MoveRoutesDeps,
  { object, to, signal }: { readonly object: ProjectNamespace; readonly to: string; readonly signal: AbortSignal },
): Promise<void> {
  const { namespace = '', name = '', resourceVersion } = object.metadata
  const move = { to, phase: 'Pending', startTime: clock.now().toISOString(), uid: null, message: null }
  const body = { metadata: { resourceVersion }, status: { phase: 'Moving', move } }
  await hub.patch(ref, { namespace, name }, { type: 'merge', subresource: 'status', body, signal })
}

function fieldsOf(body: Readonly<Record<string, unknown>>): { readonly to: { readonly tenant: string; readonly project: string }; readonly dryRun: boolean } {
  const { to, dryRun = false, ...other } = body
  const [unknown] = Object.keys(other)
  if (unknown !== undefined) throw new StatusError('BadRequest', `"${unknown.slice(0, 80)}" is unknown: give "to", and "dryRun" if nothing is to be changed`)
  const [, tenant, project] = typeof to === 'string' ? (/^([a-z0-9-]{1,24})\/([a-z0-9-]{1,24})$/.exec(to) ?? []) : []
  if (tenant === undefined || project === undefined) throw new StatusError('BadRequest', '"to" is no project: write "<tenant>/<project>"')
  if (typeof dryRun !== 'boolean') throw new StatusError('BadRequest', '"dryRun" is neither true nor false')
  return { to: { tenant, project }, dryRun }
}
