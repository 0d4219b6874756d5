import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock } from '@gantry/runtime/testing'
import type { Node, Pod, PodSpec } from '@gantry/kube-api'
import { createFilter } from './filters.ts'
import { NodeInfo } from './node-info.ts'
import { placementRules } from './pod-affinity.ts'
import { requestOf } from './pod-request.ts'
import { describeMisfits, feasibleEnough } from './scheduler.ts'
import { SchedulingQueue } from './scheduling-queue.ts'
import { bestNode } from './scores.ts'

let made = 0

function pod(spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  made++
  return { metadata: { name: `p${made}`, namespace: 'default', uid: `uid-${made}`, ...metadata }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } }
}

function withRequests(requests: Record<string, string>, metadata: Partial<Pod['metadata']> = {}): Pod {
  return pod({ containers: [{ name: 'c', image: 'i', resources: { requests } }] }, metadata)
}

function node(
  name: string,
  more: { readonly labels?: Record<string, string>; readonly spec?: NonNullable<Node['spec']>; readonly cpu?: string; readonly pods?: string } = {},
): NodeInfo {
  return new NodeInfo({
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...more.labels } },
    ...(more.spec === undefined ? {} : { spec: more.spec }),
    status: { allocatable: { cpu: more.cpu ?? '4', memory: '8Gi', pods: more.pods ?? '110' } },
  })
}

function reasons(subject: Pod, info: NodeInfo, all: readonly NodeInfo[] = [info]): readonly string[] {
  return createFilter(subject, placementRules(subject, all, { othersRefuse: true }))(info)?.reasons ?? []
}

describe('what a pod asks of a node', () => {
  test('is the sum of its containers, or its greediest init container', () => {
    const subject = pod({
      initContainers: [{ name: 'i', image: 'i', resources: { requests: { cpu: '2', memory: '10Mi' } } }],
      containers: [
        { name: 'a', image: 'i', resources: { requests: { cpu: '500m', memory: '64Mi' } } },
        { name: 'b', image: 'i', resources: { requests: { cpu: '250m' } } },
      ],
      overhead: { cpu: '10m' },
    })

    const { amounts } = requestOf(subject)

    assert.deepEqual([amounts.get('cpu'), amounts.get('memory')], [2010, 64 * 1024 * 1024])
  })

  test('counts restartable init containers with the others', () => {
    const subject = pod({
      initContainers: [{ name: 's', image: 'i', restartPolicy: 'Always', resources: { requests: { cpu: '100m' } } }],
      containers: [{ name: 'a', image: 'i', resources: { requests: { cpu: '200m' } } }],
    })

    assert.equal(requestOf(subject).amounts.get('cpu'), 300)
  })
})

describe('a node', () => {
  const cases: readonly (readonly [string, Pod, NodeInfo, readonly string[]])[] = [
    ['takes a pod that fits', withRequests({ cpu: '1' }), node('n'), []],
    ['names the resource that is short', withRequests({ cpu: '5', memory: '9Gi' }), node('n'), ['Insufficient cpu', 'Insufficient memory']],
    ['counts pods', pod(), node('n', { pods: '0' }), ['Too many pods']],
    ['that is cordoned takes nothing', pod(), node('n', { spec: { unschedulable: true } }), ['node(s) were unschedulable']],
    [
      'names an untolerated taint',
      pod(),
      node('n', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } }),
      ['node(s) had untolerated taint {gpu: yes}'],
    ],
    ['does not mind a soft taint', pod(), node('n', { spec: { taints: [{ key: 'gpu', effect: 'PreferNoSchedule' }] } }), []],
    [
      'takes a pod that tolerates its taint',
      pod({ tolerations: [{ key: 'gpu', operator: 'Exists' }] }),
      node('n', { spec: { taints: [{ key: 'gpu', effect: 'NoExecute' }] } }),
      [],
    ],
    ['must match the node selector', pod({ nodeSelector: { disk: 'ssd' } }), node('n'), ["node(s) didn't match Pod's node affinity/selector"]],
    [
      'matches affinity by expression',
      pod({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['4'] }] }] },
          },
        },
      }),
      node('n', { labels: { cores: '8' } }),
      [],
    ],
  ]
  for (const [name, subject, info, expected] of cases) test(name, () => assert.deepEqual(reasons(subject, info), expected))

  test('gives a host port to one pod only', () => {
    const info = node('n')
    const wants = (): Pod => pod({ containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] }] })
    info.addPod(wants())

    assert.deepEqual(reasons(wants(), info), ["node(s) didn't have free ports for the requested pod ports"])
  })

  test('has room again when a pod leaves', () => {
    const info = node('n')
    const big = withRequests({ cpu: '4' })
    info.addPod(big)
    assert.deepEqual(reasons(withRequests({ cpu: '1' }), info), ['Insufficient cpu'])

    info.removePod(big)

    assert.deepEqual(reasons(withRequests({ cpu: '1' }), info), [])
  })
})

describe('demands on other pods', () => {
  const apart: Partial<PodSpec> = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'db' } } }],
      },
    },
  }

  test('keep pods with anti-affinity apart, whichever came first', () => {
    const [a, b] = [node('a'), node('b')]
    a.addPod(pod(apart, { labels: { app: 'db' } }))

    assert.deepEqual(reasons(pod(apart, { labels: { app: 'db' } }), a, [a, b]), ["node(s) didn't match pod anti-affinity rules"])
    assert.deepEqual(reasons(pod(apart, { labels: { app: 'db' } }), b, [a, b]), [])
    assert.deepEqual(reasons(pod({}, { labels: { app: 'db' } }), a, [a, b]), ["node(s) didn't satisfy existing pods anti-affinity rules"])
  })

  test('let the first pod of a group that wants company in', () => {
    const together: Partial<PodSpec> = {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'web' } } }],
        },
      },
    }
    const [a, b] = [node('a'), node('b')]
    assert.deepEqual(reasons(pod(together, { labels: { app: 'web' } }), a, [a, b]), [])

    a.addPod(pod({}, { labels: { app: 'web' } }))

    assert.deepEqual(reasons(pod(together, { labels: { app: 'web' } }), b, [a, b]), ["node(s) didn't match pod affinity rules"])
  })

  test('hold the skew between zones', () => {
    const [a, b] = [node('a', { labels: { zone: '1' } }), node('b', { labels: { zone: '2' } })]
    const spread: Partial<PodSpec> = {
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'web' } } }],
    }
    a.addPod(pod({}, { labels: { app: 'web' } }))

    assert.deepEqual(reasons(pod(spread, { labels: { app: 'web' } }), a, [a, b]), ["node(s) didn't match pod topology spread constraints"])
    assert.deepEqual(reasons(pod(spread, { labels: { app: 'web' } }), b, [a, b]), [])
  })
})

describe('the choice among nodes that fit', () => {
  test('goes to the emptier one', () => {
    const [a, b] = [node('a'), node('b')]
    a.addPod(withRequests({ cpu: '2', memory: '4Gi' }))

    assert.equal(bestNode(withRequests({ cpu: '1' }), [a, b])?.name, 'b')
  })

  test('prefers what the pod prefers', () => {
    const subject = pod({
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 10, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
          ],
        },
      },
    })

    assert.equal(bestNode(subject, [node('a'), node('b', { labels: { disk: 'ssd' } })])?.name, 'b')
  })

  test('spreads the pods of one controller', () => {
    const owner = { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs', controller: true }] }
    const [a, b] = [node('a'), node('b')]
    a.addPod(pod({}, owner))

    assert.equal(bestNode(pod({}, owner), [a, b])?.name, 'b')
  })
})

test('the message of a failure counts reasons as upstream does', () => {
  const misfits = [
    { reasons: ['Insufficient cpu'], isResolvable: true },
    { reasons: ['Insufficient cpu'], isResolvable: true },
    { reasons: ['node(s) were unschedulable'], isResolvable: false },
  ]

  assert.equal(
    describeMisfits(3, misfits),
    '0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.',
  )
})

test('the search is cut short in large clusters only', () => {
  assert.deepEqual([feasibleEnough(50), feasibleEnough(200), feasibleEnough(1000), feasibleEnough(5000)], [50, 100, 420, 500])
})

describe('SchedulingQueue', () => {
  test('takes higher priorities first and equal ones in order', () => {
    const queue = new SchedulingQueue(new FakeClock())
    queue.add('a', 0)
    queue.add('b', 10)
    queue.add('c', 0)

    assert.deepEqual([queue.take()?.key, queue.take()?.key, queue.take()?.key, queue.take()], ['b', 'a', 'c', undefined])
  })

  test('holds a pod that failed until something changed and its backoff is over', async () => {
    const clock = new FakeClock()
    const queue = new SchedulingQueue(clock)
    queue.add('a', 0)
    const first = queue.take()
    assert.ok(first)
    queue.failed(first)

    await clock.advance(5_000)
    assert.equal(queue.take(), undefined)
    queue.moveAll()
    const second = queue.take()
    assert.ok(second)
    queue.failed(second)
    queue.moveAll()

    assert.equal(queue.take(), undefined)
    await clock.advance(2_000)
    assert.equal(queue.take()?.key, 'a')
  })

  test('forgets a pod that went', async () => {
    const clock = new FakeClock()
    const queue = new SchedulingQueue(clock)
    queue.add('a', 0)
    queue.remove('a')

    assert.equal(queue.take(), undefined)
    assert.equal(queue.size, 0)
  })

  test('tries a pod that nothing ever happened for again after five minutes', async () => {
    const clock = new FakeClock()
    const queue = new SchedulingQueue(clock)
    queue.add('a', 0)
    const waiting = queue.take()
    assert.ok(waiting)
    queue.failed(waiting)

    await clock.advance(300_000)
    queue.flushOld()

    assert.equal(queue.take()?.key, 'a')
  })
})
