import { isReason, unlessGone } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { retryAfter, settled, type Outcome } from '@gantry/controller'
import { movedFromAnnotation, moveUndoneAnnotation, projectNamespaceKind, tenancyLabels, type ProjectNamespace } from '../api/index.ts'
import { marksOf, namespaces, type Reached, type Work } from './namespace-work.ts'
import { writeStatus } from './status.ts'

type Status = NonNullable<ProjectNamespace['status']>
type Move = NonNullable<Status['move']>

const lookAgainMs = 5_000
/** What has not arrived by then stays where it is: nobody is to be surprised by a move of yesterday when a cluster comes back. */
const deadlineMs = 60 * 60_000
const { ref } = projectNamespaceKind

/**
 * The old one's part of a move, from wherever it was left: makes the new one, lets it take the namespace (see `sourceOf`), and goes when that has been done. The mark on the namespace
 * decides: as long as it is the old one's a failure or a cancellation leaves everything as it was; from when it is the new one's the old one can only go.
 */
export async function moveOn(work: Work, { member, uid }: Reached): Promise<Outcome> {
  const { deps, object, signal } = work
  const { move } = object.status ?? {}
  if (move === undefined) return settled
  const { name = '', namespace = '' } = object.metadata
  const there = await unlessGone(member.get<KubeObject>(namespaces, { name: object.spec.namespace }, { signal }))
  const mark = there?.metadata.labels?.[tenancyLabels.uid]
  const isOwn = mark === object.metadata.uid
  if (move.phase === 'Pending') {
    if (!isOwn) return undo(work, move, `the namespace ${object.spec.namespace} of cluster ${object.spec.cluster} is no longer its own`)
    if (isLate(work, move)) return undo(work, move, tooLong)
    const made = await makeNew(work, move)
    if (made.metadata.annotations?.[movedFromAnnotation] !== object.metadata.uid)
      return undo(
        work,
        move,
        `${move.to} has a ProjectNamespace ${object.metadata.name} already: rename one of them by making it anew, or take another project`,
      )
    await setMove(work, move, { phase: 'NewCreated', uid: made.metadata.uid })
    return settled
  }
  const next = await unlessGone(deps.hub.get<ProjectNamespace>(ref, { namespace: move.to, name }, { signal }))
  const isNext = next !== undefined && next.metadata.uid === move.uid
  if (isOwn) return isNext ? retryAfter(lookAgainMs) : undo(work, move, `the ProjectNamespace that it was to become in ${move.to} has been deleted`)
  if (isNext && next.status?.clusterUID !== uid) return retryAfter(lookAgainMs)
  // A write that the cluster has done after its time, for one that is gone by now.
  if (!isNext && there !== undefined && mark === move.uid) return takeBack(work, { member, there, move })
  // The mark is not its own: what it leaves behind is the new one's, and is not touched.
  const preconditions = { uid: object.metadata.uid ?? '' }
  await unlessGone(deps.hub.delete(ref, { namespace, name }, { preconditions, signal }))
  return settled
}

/**
 * Undoes a move that is to be cancelled, as far as that can be done without the cluster: when the new one cannot have been allowed to take the namespace. True: it has been done. Any other the new
 * one undoes itself, which alone knows whether it is just about to take it.
 */
export async function cancelEarly({ deps, object, signal }: Work): Promise<boolean> {
  const { move } = object.status ?? {}
  if (move?.phase !== 'Cancelling' || move.uid !== undefined) return false
  const { name = '', uid = '' } = object.metadata
  const made = await unlessGone(deps.hub.get<ProjectNamespace>(ref, { namespace: move.to, name }, { signal }))
  if (made?.metadata.annotations?.[movedFromAnnotation] === uid) await remove({ deps, object: made, signal })
  await undo({ deps, object, signal }, move, '')
  return true
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

/** Whose namespace a new one may take, as the hub has it now; undefined: nobody's. Its own annotation says whom to ask, the other one's status decides. */
interface Source {
  readonly object: ProjectNamespace
  readonly move: Move
  /** Why it may no longer, though the move is not over; undefined: it may. */
  readonly ends: string | undefined
}

export async function sourceOf(work: Work): Promise<Source | undefined> {
  const { object, signal } = work
  const { hub, objects } = work.deps
  const from = object.metadata.annotations?.[movedFromAnnotation]
  if (from === undefined) return undefined
  const seen = objects.claimsOn(object.spec.cluster, object.spec.namespace).find(({ metadata }) => metadata.uid === from)
  if (seen === undefined) return undefined
  const source = await unlessGone(hub.get<ProjectNamespace>(ref, { namespace: seen.metadata.namespace ?? '', name: seen.metadata.name ?? '' }, { signal }))
  const move = source?.status?.move
  if (source?.metadata.uid !== from || move === undefined || move.uid !== object.metadata.uid) return undefined
  if (move.phase === 'Cancelling') return { object: source, move, ends: 'it has been cancelled' }
  return move.phase === 'NewCreated' ? { object: source, move, ends: isLate(work, move) ? tooLong : undefined } : undefined
}

/** The new one is not to have the namespace: undoes the move, unless the namespace is its own already. True: it has been undone, the new one goes. */
export async function endMove(
  { deps, object, signal }: Work,
  { member, source, why }: { readonly member: KubeClient; readonly source: Source | undefined; readonly why: string },
): Promise<boolean> {
  if (source === undefined) return false
  const { uid = '' } = object.metadata
  const there = await unlessGone(member.get<KubeObject>(namespaces, { name: object.spec.namespace }, { signal }))
  const { labels, annotations, resourceVersion } = there?.metadata ?? {}
  if (labels?.[tenancyLabels.uid] === uid) return false
  // A write of an earlier try, given up when its time was over, may still be on its way: it is over a version that is no more.
  if (labels?.[tenancyLabels.uid] === source.object.metadata.uid && annotations?.[moveUndoneAnnotation] !== uid) {
    const body = { metadata: { resourceVersion, annotations: { [moveUndoneAnnotation]: uid } } }
    await member.patch(namespaces, { name: object.spec.namespace }, { type: 'merge', body, signal })
  }
  // This one goes first: from then on it takes nothing, and the old one, which finds it gone, is as it was.
  await remove({ deps, object, signal })
  await undo({ deps, object: source.object, signal }, source.move, why)
  return true
}

async function remove({ deps: { hub }, object, signal }: Work): Promise<void> {
  const { namespace = '', name = '', uid = '' } = object.metadata
  await unlessGone(hub.delete(ref, { namespace, name }, { preconditions: { uid }, signal }))
}

async function takeBack(
  work: Work,
  { member, there, move }: { readonly member: KubeClient; readonly there: KubeObject; readonly move: Move },
): Promise<Outcome> {
  const { deps, object, signal } = work
  const owner = deps.objects.ownerOf(object.metadata.namespace ?? '')
  if (owner === undefined) return retryAfter(lookAgainMs)
  const body = { metadata: { resourceVersion: there.metadata.resourceVersion, labels: marksOf(object, owner) } }
  await member.patch(namespaces, { name: object.spec.namespace }, { type: 'merge', body, signal })
  return undo(work, move, `the ProjectNamespace that it was to become in ${move.to} has been deleted`)
}

const tooLong = `it has not arrived in ${deadlineMs / 60_000} minutes: move it again when the cluster and the new project are ready`

function isLate({ deps: { clock } }: Work, { startTime }: Move): boolean {
  return clock.now().getTime() >= Date.parse(startTime) + deadlineMs
}

async function undo(work: Work, move: Move, why: string): Promise<Outcome> {
  const isCancelled = move.phase === 'Cancelling'
  await setMove(work, move, isCancelled ? { phase: 'Cancelled', message: undefined } : { phase: 'Failed', message: why.slice(0, 1_000) })
  return settled
}

/** Nothing when the move is no longer what it was seen to be: somebody has cancelled it meanwhile, and the next look shows what that means. */
async function setMove({ deps, object, signal }: Work, seen: Move, change: Partial<Move>): Promise<void> {
  const phase = change.phase === 'NewCreated' ? 'Moving' : 'Active'
  await writeStatus(deps, ref, {
    object,
    set: ({ move }): Partial<Status> => (move?.phase === seen.phase && move.startTime === seen.startTime ? { move: { ...move, ...change }, phase } : {}),
    findings: [],
    signal,
  })
}
