import { isReason, unlessGone } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { retryAfter, settled, type Outcome } from '@gantry/controller'
import { movedFromAnnotation, projectNamespaceKind, tenancyLabels, type ProjectNamespace } from '../api/index.ts'
import { namespaces, type Reached, type Work } from './namespace-work.ts'
import { writeStatus } from './status.ts'

type Move = NonNullable<NonNullable<ProjectNamespace['status']>['move']>

const lookAgainMs = 5_000
const { ref } = projectNamespaceKind

/**
 * The old one's part of a move, from wherever it was left: makes the new one, lets it take the namespace (see `sourceOf`), and goes when that has been done. The mark on the namespace
 * decides: as long as it is the old one's a failure leaves everything as it was; from when it is the new one's the old one can only go.
 */
export async function moveOn(work: Work, { member, uid }: Reached): Promise<Outcome> {
  const { deps, object, signal } = work
  const { move } = object.status ?? {}
  if (move === undefined) return settled
  const there = await unlessGone(member.get<KubeObject>(namespaces, { name: object.spec.namespace }, { signal }))
  const isOwn = there?.metadata.labels?.[tenancyLabels.uid] === object.metadata.uid
  if (move.phase === 'Pending') {
    if (!isOwn) return fail(work, move, `the namespace ${object.spec.namespace} of cluster ${object.spec.cluster} is no longer its own`)
    const made = await makeNew(work, move)
    if (made.metadata.annotations?.[movedFromAnnotation] !== object.metadata.uid)
      return fail(
        work,
        move,
        `${move.to} has a ProjectNamespace ${object.metadata.name} already: rename one of them by making it anew, or take another project`,
      )
    await setMove(work, { ...move, phase: 'NewCreated', uid: made.metadata.uid })
    return settled
  }
  const next = await unlessGone(deps.hub.get<ProjectNamespace>(ref, { namespace: move.to, name: object.metadata.name ?? '' }, { signal }))
  const isNext = next !== undefined && next.metadata.uid === move.uid
  if (isOwn) return isNext ? retryAfter(lookAgainMs) : fail(work, move, `the ProjectNamespace that it was to become in ${move.to} has been deleted`)
  if (isNext && next.status?.clusterUID !== uid) return retryAfter(lookAgainMs)
  // The mark is not its own: what it leaves behind is the new one's, and is not touched.
  const preconditions = { uid: object.metadata.uid ?? '' }
  await unlessGone(deps.hub.delete(ref, { namespace: object.metadata.namespace ?? '', name: object.metadata.name ?? '' }, { preconditions, signal }))
  return settled
}

async function makeNew({ deps: { hub }, object, signal }: Work, { to }: Move): Promise<ProjectNamespace> {
  const { apiVersion, kind } = projectNamespaceKind
  const { name = '', uid = '' } = object.metadata
  try {
    const metadata = { name, namespace: to, annotations: { [movedFromAnnotation]: uid } }
    return await hub.create<ProjectNamespace>(ref, { apiVersion, kind, metadata, spec: object.spec }, { signal })
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
    return hub.get<ProjectNamespace>(ref, { namespace: to, name }, { signal })
  }
}

/** From whom a new one may take its namespace, as the hub has it now; undefined: from nobody. Its own annotation says whom to ask, the other one's status decides. */
export async function sourceOf({ deps: { hub, objects }, object, signal }: Work): Promise<ProjectNamespace | undefined> {
  const from = object.metadata.annotations?.[movedFromAnnotation]
  if (from === undefined) return undefined
  const seen = objects.claimsOn(object.spec.cluster, object.spec.namespace).find(({ metadata }) => metadata.uid === from)
  if (seen === undefined) return undefined
  const source = await unlessGone(hub.get<ProjectNamespace>(ref, { namespace: seen.metadata.namespace ?? '', name: seen.metadata.name ?? '' }, { signal }))
  const move = source?.status?.move
  const isItsMove = source?.metadata.uid === from && move?.uid === object.metadata.uid && move?.phase === 'NewCreated'
  return isItsMove ? source : undefined
}

/** The new one cannot have the namespace: undoes the move, unless the namespace is its own already. True: it has been undone, the new one goes. */
export async function endMove(
  { deps, object, signal }: Work,
  { member, source, why }: { readonly member: KubeClient; readonly source: ProjectNamespace | undefined; readonly why: string },
): Promise<boolean> {
  const move = source?.status?.move
  if (source === undefined || move === undefined) return false
  const there = await unlessGone(member.get<KubeObject>(namespaces, { name: object.spec.namespace }, { signal }))
  if (there?.metadata.labels?.[tenancyLabels.uid] !== source.metadata.uid) return false
  const { namespace = '', name = '', uid = '' } = object.metadata
  // This one goes first: from then on it takes nothing, and the old one, which finds it gone, is as it was.
  await unlessGone(deps.hub.delete(ref, { namespace, name }, { preconditions: { uid }, signal }))
  await fail({ deps, object: source, signal }, move, why)
  return true
}

async function fail(work: Work, move: Move, why: string): Promise<Outcome> {
  await setMove(work, { ...move, phase: 'Failed', message: why.slice(0, 1_000) })
  return settled
}

async function setMove({ deps, object, signal }: Work, move: Move): Promise<void> {
  const phase = move.phase === 'Failed' ? 'Active' : 'Moving'
  await writeStatus(deps, ref, { object, set: { move, phase }, findings: [], signal })
}
