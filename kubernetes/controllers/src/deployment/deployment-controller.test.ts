import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { findCondition } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import { createReplicaSetController } from '../replica-set/replica-set-controller.ts'
import { startTestCluster } from '../test-cluster.ts'
import { desiredReplicasAnnotation, maxReplicasAnnotation, revisionAnnotation, revisionHistoryAnnotation } from './annotations.ts'
import { createDeploymentController } from './deployment-controller.ts'
import type { Deployment, DeploymentSpec, Pod, ReplicaSet } from '@gantry/kube-api'
import type { TestCluster } from '../test-cluster.ts'

function deployment(spec: Partial<DeploymentSpec> = {}, image = 'web:1'): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'a' },
    spec: {
      replicas: 4,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  }
}

function start(): Promise<TestCluster> {
  return startTestCluster((deps) => [...createDeploymentController(deps), ...createReplicaSetController(deps)])
}

function sizes(cluster: TestCluster): Record<string, number> {
  return Object.fromEntries(
    cluster.api
      .all<ReplicaSet>(resources.replicaSets)
      .map((replicaSet) => [replicaSet.spec.template?.spec?.containers?.[0]?.image ?? '', replicaSet.spec.replicas ?? 1]),
  )
}

function podsOf(cluster: TestCluster): Pod[] {
  return cluster.api.all<Pod>(resources.pods)
}

function get(cluster: TestCluster): Deployment {
  const found = cluster.api.find<Deployment>(resources.deployments, 'web', 'a')
  assert.ok(found)
  return found
}

async function change(cluster: TestCluster, body: unknown): Promise<void> {
  await cluster.api.patch(resources.deployments, { namespace: 'a', name: 'web' }, { type: 'merge', body })
  await cluster.settle()
}

const image = (name: string): unknown => ({ spec: { template: { spec: { containers: [{ name: 'c', image: name }] } } } })

async function rollOut(cluster: TestCluster): Promise<void> {
  for (let rounds = 0; rounds < 30; rounds++) {
    const before = cluster.api.writes.length
    await cluster.runPods()
    if (cluster.api.writes.length === before) return
  }
  assert.fail('the rollout does not end')
}

test('makes a ReplicaSet and its pods, and reports them available', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()

  const [replicaSet] = cluster.api.all<ReplicaSet>(resources.replicaSets)
  assert.match(replicaSet?.metadata.name ?? '', /^web-[bcdfghjklmnpqrstvwxz2456789]{8,10}$/)
  const hash = replicaSet?.metadata.name?.slice('web-'.length)
  assert.equal(replicaSet?.spec.selector?.matchLabels?.['pod-template-hash'], hash)
  assert.deepEqual(replicaSet?.metadata.annotations, { [revisionAnnotation]: '1', [desiredReplicasAnnotation]: '4', [maxReplicasAnnotation]: '5' })
  assert.equal(replicaSet?.metadata.ownerReferences?.[0]?.kind, 'Deployment')
  const pods = podsOf(cluster)
  assert.equal(pods.length, 4)
  assert.deepEqual(pods[0]?.metadata.labels, { app: 'web', 'pod-template-hash': hash })
  assert.deepEqual(pods[0]?.metadata.ownerReferences, [
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: replicaSet?.metadata.name, uid: replicaSet?.metadata.uid, controller: true, blockOwnerDeletion: true },
  ])
  assert.equal(findCondition(get(cluster).status?.conditions, 'Available')?.reason, 'MinimumReplicasUnavailable')
  assert.equal(get(cluster).status?.unavailableReplicas, 4)

  await cluster.runPods()

  const { conditions, ...counts } = get(cluster).status ?? {}
  assert.deepEqual(counts, { observedGeneration: 1, replicas: 4, updatedReplicas: 4, readyReplicas: 4, availableReplicas: 4, terminatingReplicas: 0 })
  assert.equal(findCondition(conditions, 'Available')?.reason, 'MinimumReplicasAvailable')
  assert.equal(findCondition(conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable')
  assert.equal(findCondition(conditions, 'Progressing')?.message, `ReplicaSet "${replicaSet?.metadata.name}" has successfully progressed.`)
  assert.equal(get(cluster).metadata.annotations?.[revisionAnnotation], '1')
  assert.ok(cluster.events().includes(`ScalingReplicaSet Scaled up replica set ${replicaSet?.metadata.name} from 0 to 4`))
})

test('comes to rest: a settled Deployment costs no further write', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()
  await cluster.runPods()
  const before = cluster.api.writes.length

  await cluster.clock.advance(700_000)
  await cluster.settle()

  assert.equal(cluster.api.writes.length, before)
})

test('rolls within maxSurge and maxUnavailable at every step', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()
  await cluster.runPods()
  let most = 0
  let fewestReady = 99
  const look = (): void => {
    const pods = podsOf(cluster).filter((pod) => pod.metadata.deletionTimestamp === undefined)
    most = Math.max(most, pods.length)
    fewestReady = Math.min(fewestReady, pods.filter((pod) => pod.status?.conditions?.[0]?.status === 'True').length)
  }

  await change(cluster, image('web:2'))
  for (let rounds = 0; rounds < 20; rounds++) {
    look()
    await cluster.runPods()
  }

  assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 4 })
  assert.equal(most, 5)
  assert.equal(fewestReady, 3)
  assert.equal(get(cluster).metadata.annotations?.[revisionAnnotation], '2')
  assert.equal(get(cluster).status?.updatedReplicas, 4)
})

test('stops at a bad image with the old pods still serving, and says when the deadline has passed', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()
  await cluster.runPods()
  const good = (pod: Pod): boolean => pod.spec.containers?.[0]?.image !== 'web:bad'

  await change(cluster, image('web:bad'))
  for (let rounds = 0; rounds < 10; rounds++) await cluster.runPods({ ready: good })
  assert.deepEqual(sizes(cluster), { 'web:1': 3, 'web:bad': 2 })
  assert.equal(get(cluster).status?.availableReplicas, 3)
  assert.equal(findCondition(get(cluster).status?.conditions, 'Progressing')?.status, 'True')

  await cluster.clock.advance(610_000)
  await cluster.settle()
  const progressing = findCondition(get(cluster).status?.conditions, 'Progressing')
  assert.equal(progressing?.status, 'False')
  assert.equal(progressing?.reason, 'ProgressDeadlineExceeded')
  assert.match(progressing?.message ?? '', /^ReplicaSet "web-.*" has timed out progressing\.$/)

  // kubectl rollout undo writes the old template back.
  await change(cluster, image('web:1'))
  await rollOut(cluster)
  assert.deepEqual(sizes(cluster), { 'web:1': 4, 'web:bad': 0 })
  const old = cluster.api.all<ReplicaSet>(resources.replicaSets).find((replicaSet) => replicaSet.spec.template?.spec?.containers?.[0]?.image === 'web:1')
  assert.equal(old?.metadata.annotations?.[revisionAnnotation], '3')
  assert.equal(old?.metadata.annotations?.[revisionHistoryAnnotation], '1')
  assert.equal(get(cluster).metadata.annotations?.[revisionAnnotation], '3')
  assert.equal(findCondition(get(cluster).status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable')
})

test('Recreate starts no new pod before the last old one is gone', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment({ replicas: 2, strategy: { type: 'Recreate' } }))
  await cluster.settle()
  for (const pod of podsOf(cluster)) {
    await cluster.api.patch(resources.pods, { namespace: 'a', name: pod.metadata.name ?? '' }, { type: 'merge', body: { spec: { nodeName: 'n' } } })
  }
  await cluster.runPods()

  await change(cluster, image('web:2'))
  await cluster.settle()
  assert.equal(podsOf(cluster).length, 2)
  assert.ok(podsOf(cluster).every((pod) => pod.metadata.deletionTimestamp !== undefined))

  await rollOut(cluster)
  assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 2 })
  assert.equal(get(cluster).status?.availableReplicas, 2)
})

test('a paused Deployment scales and does not roll, and rolls when it is resumed', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()
  await cluster.runPods()

  await change(cluster, { spec: { paused: true } })
  assert.equal(findCondition(get(cluster).status?.conditions, 'Progressing')?.reason, 'DeploymentPaused')
  await change(cluster, image('web:2'))
  await change(cluster, { spec: { replicas: 6 } })
  await cluster.runPods()
  assert.deepEqual(sizes(cluster), { 'web:1': 6 })

  await change(cluster, { spec: { paused: false } })
  await rollOut(cluster)
  assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 6 })
  assert.equal(findCondition(get(cluster).status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable')
})

test('shares a change of size among the ReplicaSets of a running rollout', async () => {
  await using cluster = await start()
  await cluster.api.create(
    resources.deployments,
    deployment({ replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
  )
  await cluster.settle()
  await cluster.runPods()
  await change(cluster, image('web:2'))
  for (let rounds = 0; rounds < 5; rounds++) await cluster.runPods({ ready: (pod) => pod.spec.containers?.[0]?.image === 'web:1' })
  assert.deepEqual(sizes(cluster), { 'web:1': 8, 'web:2': 5 })

  await change(cluster, { spec: { replicas: 20 } })

  // 8 and 5 of 13 become 14 and 9 of 23, as upstream's documentation of proportional scaling would have it.
  assert.deepEqual(sizes(cluster), { 'web:1': 14, 'web:2': 9 })
})

test('keeps as many old ReplicaSets as revisionHistoryLimit says', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment({ revisionHistoryLimit: 2, replicas: 1 }))
  await cluster.settle()
  await cluster.runPods()

  for (const version of [2, 3, 4, 5]) {
    await cluster.clock.advance(1000)
    await change(cluster, image(`web:${version}`))
    await rollOut(cluster)
  }

  assert.deepEqual(sizes(cluster), { 'web:3': 0, 'web:4': 0, 'web:5': 1 })
})

test('takes another name when its ReplicaSet name is taken', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.deployments, deployment({ replicas: 1 }))
  await cluster.settle()
  const [first] = cluster.api.all<ReplicaSet>(resources.replicaSets)
  assert.ok(first)
  await cluster.api.delete(resources.deployments, { namespace: 'a', name: 'web' })
  await cluster.settle()

  // The old ReplicaSet is still there and belongs to a Deployment that is gone.
  await cluster.api.create(resources.deployments, deployment({ replicas: 1 }))
  await cluster.settle()
  await cluster.settle()

  assert.equal(get(cluster).status?.collisionCount, 1)
  assert.equal(cluster.api.all(resources.replicaSets).length, 2)
})

test('carries the failure to create pods up to the Deployment', async () => {
  await using cluster = await start()
  cluster.api.intercept = (verb, resource) => {
    if (verb === 'create' && resource.resource === 'pods') throw new StatusError('Forbidden', 'pods "web" is forbidden: exceeded quota: q')
  }
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()

  const failure = findCondition(get(cluster).status?.conditions, 'ReplicaFailure')
  assert.equal(failure?.reason, 'FailedCreate')
  assert.equal(failure?.message, 'pods "web" is forbidden: exceeded quota: q')
  assert.ok(cluster.events().includes('FailedCreate Error creating: pods "web" is forbidden: exceeded quota: q'))

  cluster.api.intercept = undefined
  await cluster.clock.advance(20_000)
  await cluster.runPods()
  assert.equal(findCondition(get(cluster).status?.conditions, 'ReplicaFailure'), undefined)
  assert.equal(get(cluster).status?.availableReplicas, 4)
})

test('adopts a matching ReplicaSet without an owner', async () => {
  await using cluster = await start()
  const orphan: ReplicaSet = {
    metadata: { name: 'orphan', namespace: 'a', labels: { app: 'web' } },
    spec: { replicas: 4, selector: { matchLabels: { app: 'web' } }, template: deployment().spec.template },
  }
  await cluster.api.create(resources.replicaSets, orphan)
  await cluster.api.create(resources.deployments, deployment())
  await cluster.settle()

  const all = cluster.api.all<ReplicaSet>(resources.replicaSets)
  assert.equal(all.length, 1)
  assert.equal(all[0]?.metadata.ownerReferences?.[0]?.uid, get(cluster).metadata.uid)
})
