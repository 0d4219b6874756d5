import { isReason, jsonEqual, labelSelectorFromObject } from '@gantry/apimachinery'
import {
  controllerOf,
  controllerReference,
  createController,
  createEventRecorder,
  findCondition,
  keyOf,
  namespaceIndex,
  objectKey,
  retryAfter,
  settled,
  subjectOf,
  trigger,
} from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import { claim, orphansOf, ownership, ownershipIndex } from '../claim.ts'
import { isTerminatingNamespace } from '../replica-set/replica-set-controller.ts'
import { newReplicaSetAnnotations, replicasAnnotations, revisionAnnotation, revisionOf } from './annotations.ts'
import { countedStatus, hasProgressDeadline, isComplete, progressCheckAfterMs, reasons, rolloutStatus, setCondition } from './deployment-status.ts'
import { podTemplateHash, podTemplateHashLabel, sameTemplate } from './pod-template-hash.ts'
import { byCreation, isActive, isScalingEvent, newReplicaSetSize, replicasOf, scaleAll, shrinkOld, wantedOf } from './replica-counts.ts'
import { isRollingUpdate } from './rollout-limits.ts'
import type { Change, Outcome } from '@gantry/controller'
import type { Deployment, DeploymentCondition, DeploymentStatus, Pod, ReplicaSet } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import type { Resize } from './replica-counts.ts'

const keepAllRevisions = 2_147_483_647

/** Rolls ReplicaSets so that all pods of a Deployment become what its template says. */
export function createDeploymentController(deps: ControllerDeps, options: { readonly workers?: number | undefined } = {}): readonly Service[] {
  const { client, clock } = deps
  const deployments = deps.informers.of<Deployment>(resources.deployments)
  const replicaSets = deps.informers.of<ReplicaSet>(resources.replicaSets)
  const pods = deps.informers.of<Pod>(resources.pods)
  replicaSets.addIndex(ownership, ownershipIndex)
  pods.addIndex(ownership, ownershipIndex)
  const recorder = createEventRecorder(deps, { component: 'deployment-controller' })

  function ownerKey(object: ReplicaSet): string | undefined {
    const controller = controllerOf(object)
    if (controller?.kind !== 'Deployment') return undefined
    const key = objectKey(object.metadata.namespace, controller.name)
    return deployments.store.get(key)?.metadata.uid === controller.uid ? key : undefined
  }

  function suitors(replicaSet: ReplicaSet): string[] {
    return deployments.store
      .byIndex(namespaceIndex, replicaSet.metadata.namespace ?? '')
      .filter((deployment) => labelSelectorFromObject(deployment.spec.selector).matches(replicaSet.metadata.labels))
      .map(keyOf)
  }

  function keysOfReplicaSetChange(change: Change<ReplicaSet>): readonly string[] {
    const keys = new Set<string>()
    for (const object of change.type === 'updated' ? [change.old, change.object] : [change.object]) {
      const key = ownerKey(object)
      if (key !== undefined) keys.add(key)
    }
    if (controllerOf(change.object) === undefined && change.type !== 'deleted') for (const key of suitors(change.object)) keys.add(key)
    return [...keys]
  }

  /** Recreate waits for the last old pod to go; no ReplicaSet may change at that moment. */
  function keysOfPodChange(change: Change<Pod>): readonly string[] {
    if (change.type !== 'deleted') return []
    const controller = controllerOf(change.object)
    if (controller?.kind !== 'ReplicaSet') return []
    const replicaSet = replicaSets.store.get(objectKey(change.object.metadata.namespace, controller.name))
    const key = replicaSet === undefined ? undefined : ownerKey(replicaSet)
    const deployment = key === undefined ? undefined : deployments.store.get(key)
    return key === undefined || deployment === undefined || isRollingUpdate(deployment) ? [] : [key]
  }

  function say(deployment: Deployment, type: 'Normal' | 'Warning', reason: string, message: string): void {
    recorder.record(subjectOf(deployment, resources.deployments), { type, reason, message })
  }

  async function writeStatus(deployment: Deployment, status: DeploymentStatus, signal: AbortSignal): Promise<Deployment> {
    if (jsonEqual(status, deployment.status)) return deployment
    return client.update(resources.deployments, { ...deployment, status }, { subresource: 'status', signal })
  }

  async function writeCondition(
    deployment: Deployment,
    condition: Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>,
    signal: AbortSignal,
  ): Promise<Deployment> {
    const conditions = setCondition(deployment.status?.conditions, condition, clock.now())
    return writeStatus(deployment, { ...deployment.status, conditions }, signal)
  }

  async function resize(deployment: Deployment, changes: readonly Resize[], signal: AbortSignal): Promise<boolean> {
    let resized = false
    for (const { replicaSet, replicas } of changes) {
      const before = replicasOf(replicaSet)
      const annotations = { ...replicaSet.metadata.annotations, ...replicasAnnotations(deployment) }
      if (before === replicas && jsonEqual(annotations, replicaSet.metadata.annotations)) continue
      await client.update(
        resources.replicaSets,
        { ...replicaSet, metadata: { ...replicaSet.metadata, annotations }, spec: { ...replicaSet.spec, replicas } },
        { signal },
      )
      if (before === replicas) continue
      resized = true
      say(
        deployment,
        'Normal',
        'ScalingReplicaSet',
        `Scaled ${replicas > before ? 'up' : 'down'} replica set ${replicaSet.metadata.name} from ${before} to ${replicas}`,
      )
    }
    return resized
  }

  /** The Deployment carries the revision of its newest ReplicaSet, for kubectl rollout history. */
  async function carryRevision(deployment: Deployment, revision: string, signal: AbortSignal): Promise<Deployment> {
    if (deployment.metadata.annotations?.[revisionAnnotation] === revision) return deployment
    const { namespace, name = '', resourceVersion } = deployment.metadata
    const write = (version: string | undefined, subresource: 'status' | undefined): Promise<Deployment> =>
      client.patch<Deployment>(
        resources.deployments,
        { namespace, name },
        { type: 'merge', subresource, body: { metadata: { resourceVersion: version, annotations: { [revisionAnnotation]: revision } } }, signal },
      )
    // As upstream through the status: there it raises no generation. A server that takes no annotations there gets it the other way.
    const written = await write(resourceVersion, 'status')
    return written.metadata.annotations?.[revisionAnnotation] === revision ? written : write(written.metadata.resourceVersion, undefined)
  }

  interface World {
    readonly deployment: Deployment
    readonly newest: ReplicaSet | undefined
    readonly old: readonly ReplicaSet[]
  }

  /** Finds the ReplicaSet of the current template, brings its revision up to date, and makes it when `create` says so. Upstream: sync.go getNewReplicaSet. */
  async function lookAround(
    deployment: Deployment,
    all: readonly ReplicaSet[],
    how: { readonly create: boolean; readonly signal: AbortSignal },
  ): Promise<World> {
    const { create, signal } = how
    const existing = all.toSorted(byCreation).find((replicaSet) => sameTemplate(replicaSet.spec.template, deployment.spec.template))
    const old = all.filter((replicaSet) => replicaSet !== existing)
    const revision = Math.max(0, ...old.map(revisionOf)) + 1
    if (existing !== undefined) return { ...(await refresh(deployment, existing, { revision, signal })), old }
    if (!create) return { deployment, newest: undefined, old }
    return { ...(await createNewest(deployment, old, { revision, signal })), old }
  }

  async function refresh(
    deployment: Deployment,
    existing: ReplicaSet,
    how: { readonly revision: number; readonly signal: AbortSignal },
  ): Promise<Pick<World, 'deployment' | 'newest'>> {
    const annotations = newReplicaSetAnnotations(deployment, existing.metadata.annotations, how.revision)
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0
    let newest = existing
    if (!jsonEqual(annotations, existing.metadata.annotations ?? {}) || (existing.spec.minReadySeconds ?? 0) !== minReadySeconds) {
      newest = await client.update(
        resources.replicaSets,
        { ...existing, metadata: { ...existing.metadata, annotations }, spec: { ...existing.spec, minReadySeconds } },
        { signal: how.signal },
      )
    }
    let current = await carryRevision(deployment, annotations[revisionAnnotation] ?? String(how.revision), how.signal)
    if (hasProgressDeadline(current) && findCondition(current.status?.conditions, 'Progressing') === undefined) {
      const message = `Found new replica set "${existing.metadata.name}"`
      current = await writeCondition(current, { type: 'Progressing', status: 'True', reason: reasons.found, message }, how.signal)
    }
    return { deployment: current, newest }
  }

  async function createNewest(
    deployment: Deployment,
    old: readonly ReplicaSet[],
    how: { readonly revision: number; readonly signal: AbortSignal },
  ): Promise<Pick<World, 'deployment' | 'newest'>> {
    const { signal } = how
    const { namespace } = deployment.metadata
    const hash = podTemplateHash(deployment.spec.template, deployment.status?.collisionCount)
    const labels = { ...deployment.spec.template.metadata?.labels, [podTemplateHashLabel]: hash }
    const replicas = newReplicaSetSize(deployment, old, 0)
    const wanted: ReplicaSet = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        annotations: { ...newReplicaSetAnnotations(deployment, undefined, how.revision), ...replicasAnnotations(deployment) },
        ownerReferences: [controllerReference(deployment, resources.deployments)],
      },
      spec: {
        replicas,
        ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
        selector: { ...deployment.spec.selector, matchLabels: { ...deployment.spec.selector?.matchLabels, [podTemplateHashLabel]: hash } },
        template: { ...deployment.spec.template, metadata: { ...deployment.spec.template.metadata, labels } },
      },
    }
    let newest: ReplicaSet
    let created = true
    try {
      newest = await client.create(resources.replicaSets, wanted, { signal })
    } catch (error) {
      if (isTerminatingNamespace(error)) throw error
      if (!isReason(error, 'AlreadyExists')) {
        const message = `Failed to create new replica set "${wanted.metadata.name}": ${error instanceof Error ? error.message : String(error)}`
        if (hasProgressDeadline(deployment)) {
          await writeCondition(deployment, { type: 'Progressing', status: 'False', reason: reasons.createError, message }, signal)
        }
        say(deployment, 'Warning', reasons.createError, message)
        throw error
      }
      // Ours, and the cache has not shown it yet; or another's, and the next try takes another name.
      const taken = await client.get<ReplicaSet>(resources.replicaSets, { namespace, name: wanted.metadata.name ?? '' }, { signal })
      if (controllerOf(taken)?.uid !== deployment.metadata.uid || !sameTemplate(taken.spec.template, deployment.spec.template)) {
        await writeStatus(deployment, { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 }, signal)
        throw error
      }
      newest = taken
      created = false
    }
    if (created && replicas > 0) say(deployment, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${newest.metadata.name} from 0 to ${replicas}`)
    let current = await carryRevision(deployment, String(how.revision), signal)
    if (created && hasProgressDeadline(current)) {
      const message = `Created new replica set "${newest.metadata.name}"`
      current = await writeCondition(current, { type: 'Progressing', status: 'True', reason: reasons.created, message }, signal)
    }
    return { deployment: current, newest }
  }

  function allOf(world: World): readonly ReplicaSet[] {
    return world.newest === undefined ? world.old : [...world.old, world.newest]
  }

  /** Sizes only: a paused Deployment, or one whose replicas have changed. */
  async function scaleOnly(deployment: Deployment, all: readonly ReplicaSet[], signal: AbortSignal): Promise<Outcome> {
    const world = await lookAround(deployment, all, { create: false, signal })
    await resize(world.deployment, scaleAll(world.deployment, world.newest, world.old), signal)
    if (world.deployment.spec.paused === true) await cleanUp(world.deployment, world.old, signal)
    await writeStatus(world.deployment, countedStatus(world.deployment, allOf(world), { newest: world.newest, now: clock.now() }), signal)
    return settled
  }

  async function reportRollout(world: World, signal: AbortSignal): Promise<Outcome> {
    const now = clock.now()
    const status = rolloutStatus(world.deployment, allOf(world), { newest: world.newest, now })
    await writeStatus(world.deployment, status, signal)
    const checkAfterMs = progressCheckAfterMs(world.deployment, status, now)
    return checkAfterMs === undefined ? settled : retryAfter(checkAfterMs)
  }

  async function rollingUpdate(deployment: Deployment, all: readonly ReplicaSet[], signal: AbortSignal): Promise<Outcome> {
    const world = await lookAround(deployment, all, { create: true, signal })
    const { newest } = world
    if (newest !== undefined) {
      const size = replicasOf(newest)
      const wanted = wantedOf(world.deployment)
      const next = size > wanted ? wanted : newReplicaSetSize(world.deployment, allOf(world), size)
      if (await resize(world.deployment, [{ replicaSet: newest, replicas: next }], signal)) return reportRollout(world, signal)
      if (await resize(world.deployment, shrinkOld(world.deployment, newest, world.old), signal)) return reportRollout(world, signal)
    }
    return finish(world, signal)
  }

  async function recreate(deployment: Deployment, all: readonly ReplicaSet[], signal: AbortSignal): Promise<Outcome> {
    const before = await lookAround(deployment, all, { create: false, signal })
    const shrunk = await resize(
      before.deployment,
      before.old.filter(isActive).map((replicaSet) => ({ replicaSet, replicas: 0 })),
      signal,
    )
    if (shrunk || oldPodsRun(before)) return reportRollout(before, signal)
    const world = before.newest === undefined ? await lookAround(before.deployment, all, { create: true, signal }) : before
    if (world.newest !== undefined) {
      await resize(world.deployment, [{ replicaSet: world.newest, replicas: wantedOf(world.deployment) }], signal)
    }
    return finish(world, signal)
  }

  /** Whether a pod of another template still runs, even on its way out. Upstream: recreate.go oldPodsRunning. */
  function oldPodsRun(world: World): boolean {
    return world.old.some((replicaSet) =>
      pods.store.byIndex(ownership, replicaSet.metadata.uid ?? '').some((pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'),
    )
  }

  async function finish(world: World, signal: AbortSignal): Promise<Outcome> {
    const status = rolloutStatus(world.deployment, allOf(world), { newest: world.newest, now: clock.now() })
    if (isComplete(world.deployment, status)) await cleanUp(world.deployment, world.old, signal)
    return reportRollout(world, signal)
  }

  /** Deletes the oldest ReplicaSets past the history limit. */
  async function cleanUp(deployment: Deployment, old: readonly ReplicaSet[], signal: AbortSignal): Promise<void> {
    const limit = deployment.spec.revisionHistoryLimit ?? keepAllRevisions
    if (limit === keepAllRevisions) return
    const alive = old.filter((replicaSet) => replicaSet.metadata.deletionTimestamp === undefined)
    const surplus = alive.toSorted((a, b) => revisionOf(a) - revisionOf(b) || byCreation(a, b)).slice(0, Math.max(0, alive.length - limit))
    for (const { metadata, spec, status } of surplus) {
      const observed = (metadata.generation ?? 0) <= (status?.observedGeneration ?? 0)
      if ((status?.replicas ?? 0) !== 0 || (spec.replicas ?? 1) !== 0 || !observed) continue
      try {
        const { namespace, name = '', uid = '' } = metadata
        await client.delete(resources.replicaSets, { namespace, name }, { preconditions: { uid }, propagationPolicy: 'Background', signal })
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error
      }
    }
  }

  /** Progressing says paused or resumed, so that the deadline does not run while nothing may move. */
  async function markPaused(deployment: Deployment, signal: AbortSignal): Promise<Deployment> {
    if (!hasProgressDeadline(deployment)) return deployment
    const current = findCondition(deployment.status?.conditions, 'Progressing')
    if (current?.reason === reasons.timedOut) return deployment
    const paused = current?.reason === reasons.paused
    if (deployment.spec.paused === true && !paused) {
      return writeCondition(deployment, { type: 'Progressing', status: 'Unknown', reason: reasons.paused, message: 'Deployment is paused' }, signal)
    }
    if (deployment.spec.paused !== true && paused) {
      return writeCondition(deployment, { type: 'Progressing', status: 'Unknown', reason: reasons.resumed, message: 'Deployment is resumed' }, signal)
    }
    return deployment
  }

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const found = deployments.store.get(key)
    if (found === undefined) return settled
    const selector = labelSelectorFromObject(found.spec.selector)
    if (selector.matchesEverything) {
      say(found, 'Warning', 'SelectingAll', 'This deployment is selecting all pods. A non-empty selector is required.')
      await writeStatus(found, { ...found.status, observedGeneration: found.metadata.generation }, signal)
      return settled
    }
    const all = await claim<ReplicaSet>(deps, {
      owner: found,
      ownerResource: resources.deployments,
      selector,
      resource: resources.replicaSets,
      candidates: [
        ...replicaSets.store.byIndex(ownership, found.metadata.uid ?? ''),
        ...replicaSets.store.byIndex(ownership, orphansOf(found.metadata.namespace)),
      ],
      signal,
    })
    if (found.metadata.deletionTimestamp !== undefined) {
      const newest = all.toSorted(byCreation).find((replicaSet) => sameTemplate(replicaSet.spec.template, found.spec.template))
      await writeStatus(found, countedStatus(found, all, { newest, now: clock.now() }), signal)
      return settled
    }
    const deployment = await markPaused(found, signal)
    if (deployment.spec.paused === true || isScalingEvent(deployment, all)) return scaleOnly(deployment, all, signal)
    return isRollingUpdate(deployment) ? rollingUpdate(deployment, all, signal) : recreate(deployment, all, signal)
  }

  const controller = createController(deps, {
    name: 'deployment',
    workers: options.workers ?? 5,
    triggers: [trigger(deployments, (change) => [keyOf(change.object)]), trigger(replicaSets, keysOfReplicaSetChange), trigger(pods, keysOfPodChange)],
    reconcile,
  })
  return [recorder, controller]
}
