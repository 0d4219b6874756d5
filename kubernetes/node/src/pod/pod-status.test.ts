import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, PodStatus } from './pod.ts'
import { podStatusOf } from './pod-status.ts'
import type { StatusInput } from './pod-status.ts'
import { containerIn, containerNamed, podWith, runtimeOf } from './testing/pods.ts'

const nowMs = Date.parse('2026-01-01T00:00:10Z')

function statusOf(pod: Pod, more: Partial<StatusInput> = {}): PodStatus {
  return podStatusOf({
    pod,
    runtime: runtimeOf([], []),
    previous: {},
    waitingOf: () => undefined,
    probesOf: () => ({}),
    hostIPs: ['192.0.2.1'],
    nowMs,
    finished: false,
    ...more,
  })
}

function conditionsOf(status: PodStatus): Readonly<Record<string, string>> {
  return Object.fromEntries((status.conditions ?? []).map(({ type, status: value, reason }) => [type, reason === undefined ? value : `${value} ${reason}`]))
}

test('shows a pod that has only just come', () => {
  const status = statusOf(podWith({}, { metadata: { name: 'web', generation: 3 } }))

  assert.equal(status.phase, 'Pending')
  assert.equal(status.startTime, '2026-01-01T00:00:10Z')
  assert.equal(status.hostIP, '192.0.2.1')
  assert.equal(status.podIP, undefined)
  assert.equal(status.observedGeneration, 3)
  assert.deepEqual(status.containerStatuses, [
    {
      name: 'c',
      state: { waiting: { reason: 'ContainerCreating' } },
      lastState: {},
      ready: false,
      restartCount: 0,
      image: 'busybox',
      imageID: '',
      started: false,
    },
  ])
  assert.deepEqual(conditionsOf(status), {
    PodReadyToStartContainers: 'False',
    Initialized: 'True',
    Ready: 'False ContainersNotReady',
    ContainersReady: 'False ContainersNotReady',
    PodScheduled: 'True',
  })
  assert.equal(status.conditions?.[2]?.message, 'containers with unready status: [c]')
  assert.equal(status.conditions?.[2]?.lastProbeTime, null)
})

test('shows a pod that runs', () => {
  const status = statusOf(podWith(), { runtime: runtimeOf([containerIn('running')]) })

  assert.equal(status.phase, 'Running')
  assert.deepEqual(status.podIPs, [{ ip: '10.42.0.2' }])
  assert.deepEqual(status.containerStatuses?.[0], {
    name: 'c',
    state: { running: { startedAt: '1970-01-01T00:00:01Z' } },
    lastState: {},
    ready: true,
    restartCount: 0,
    image: 'docker.io/library/busybox:latest',
    imageID: 'sha256:1',
    containerID: 'containerd://c-0',
    started: true,
  })
  assert.deepEqual(new Set(Object.values(conditionsOf(status))), new Set(['True']))
})

test('is ready only when the startup and the readiness probe say so', () => {
  const pod = podWith({ containers: [containerNamed('c', { startupProbe: {}, readinessProbe: {} })] })
  const runtime = runtimeOf([containerIn('running')])
  const readyWith = (probes: ReturnType<StatusInput['probesOf']>): readonly unknown[] => {
    const container = statusOf(pod, { runtime, probesOf: () => probes }).containerStatuses?.[0]
    return [container?.started, container?.ready]
  }

  assert.deepEqual(readyWith({}), [false, false])
  assert.deepEqual(readyWith({ startup: 'success' }), [true, false])
  assert.deepEqual(readyWith({ startup: 'success', readiness: 'success' }), [true, true])
  assert.deepEqual(readyWith({ startup: 'success', readiness: 'failure' }), [true, false])
})

test('keeps the time of the last change of a condition, and what others have written', () => {
  const gate = { type: 'example.com/gate', status: 'True' as const }
  const pod = podWith({ readinessGates: [{ conditionType: 'example.com/gate' }, { conditionType: 'example.com/other' }] }, { status: { conditions: [gate] } })
  const first = statusOf(pod, { runtime: runtimeOf([containerIn('running')]), nowMs: nowMs - 5_000 })
  const second = statusOf(pod, { runtime: runtimeOf([containerIn('running')]), previous: first })

  assert.deepEqual(second.conditions?.[0], gate)
  assert.equal(second.conditions?.[1]?.lastTransitionTime, '2026-01-01T00:00:05Z')
  assert.equal(conditionsOf(second)['Ready'], 'False ReadinessGatesNotReady')
  assert.equal(second.conditions?.[3]?.message, 'corresponding condition of pod readiness gate "example.com/other" does not exist.')
})

test('shows a crashing container as waiting, with how it ended', () => {
  const status = statusOf(podWith(), {
    runtime: runtimeOf([containerIn('exited', { restartCount: 2, exitCode: 1, reason: 'Error', message: 'oh' })]),
    waitingOf: () => ({ reason: 'CrashLoopBackOff', message: 'back-off 20s' }),
  })

  const container = status.containerStatuses?.[0]
  assert.equal(status.phase, 'Running')
  assert.deepEqual(container?.state, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 20s' } })
  assert.deepEqual(container?.lastState?.terminated, {
    exitCode: 1,
    reason: 'Error',
    message: 'oh',
    startedAt: '1970-01-01T00:00:01Z',
    finishedAt: '1970-01-01T00:00:02Z',
    containerID: 'containerd://c-2',
  })
  assert.equal(container?.restartCount, 2)
})

test('shows the run before in lastState', () => {
  const runtime = runtimeOf([containerIn('running', { restartCount: 1 }), containerIn('exited', { exitCode: 137, reason: 'OOMKilled' })])
  const status = statusOf(podWith(), { runtime })

  assert.equal(status.containerStatuses?.[0]?.lastState?.terminated?.reason, 'OOMKilled')
})

const finished: readonly (readonly [policy: 'Always' | 'OnFailure' | 'Never', exitCodes: readonly number[], phase: string])[] = [
  ['Always', [0, 0], 'Running'],
  ['OnFailure', [0, 0], 'Succeeded'],
  ['OnFailure', [0, 1], 'Running'],
  ['Never', [0, 0], 'Succeeded'],
  ['Never', [0, 1], 'Failed'],
]

for (const [restartPolicy, exitCodes, phase] of finished) {
  test(`a pod with policy ${restartPolicy} whose containers ended with ${exitCodes.join(' and ')} is ${phase}`, () => {
    const names = ['a', 'b']
    const pod = podWith({ restartPolicy, containers: names.map((name) => containerNamed(name)) })
    const runtime = runtimeOf(exitCodes.map((exitCode, index) => containerIn('exited', { name: names[index] ?? '', exitCode })))

    assert.equal(statusOf(pod, { runtime }).phase, phase)
  })
}

test('waits in PodInitializing until the init containers are through', () => {
  const pod = podWith({ initContainers: [containerNamed('i1'), containerNamed('i2')] })
  const half = statusOf(pod, { runtime: runtimeOf([containerIn('running', { name: 'i2' }), containerIn('exited', { name: 'i1' })]) })
  const through = statusOf(pod, { runtime: runtimeOf([containerIn('running'), containerIn('exited', { name: 'i2' }), containerIn('exited', { name: 'i1' })]) })

  assert.equal(half.phase, 'Pending')
  assert.deepEqual(half.containerStatuses?.[0]?.state, { waiting: { reason: 'PodInitializing' } })
  assert.equal(conditionsOf(half)['Initialized'], 'False ContainersNotInitialized')
  assert.equal(half.conditions?.[1]?.message, 'containers with incomplete status: [i2]')
  assert.deepEqual(
    half.initContainerStatuses?.map(({ ready, started }) => [ready, started]),
    [
      [true, false],
      [false, true],
    ],
  )
  assert.equal(through.phase, 'Running')
  assert.equal(conditionsOf(through)['Initialized'], 'True')
})

test('a failed init container fails a pod that is to run once', () => {
  const pod = podWith({ restartPolicy: 'Never', initContainers: [containerNamed('i')] })

  assert.equal(statusOf(pod, { runtime: runtimeOf([containerIn('exited', { name: 'i', exitCode: 1 })]) }).phase, 'Failed')
})

test('a pod that has ended has only containers that have ended, and never leaves its phase', () => {
  const ended = statusOf(podWith(), { finished: true })
  const later = statusOf(podWith(), { runtime: runtimeOf([containerIn('running')]), previous: { ...ended, phase: 'Succeeded' } })

  assert.equal(ended.phase, 'Failed')
  assert.equal(ended.containerStatuses?.[0]?.state?.terminated?.reason, 'ContainerStatusUnknown')
  assert.equal(later.phase, 'Succeeded')
  assert.equal(conditionsOf(later)['Ready'], 'False PodCompleted')
})

test('says why the agent has ended a pod', () => {
  const status = statusOf(podWith(), {
    runtime: runtimeOf([containerIn('running')]),
    failure: { reason: 'Evicted', message: 'The node was low on resource: memory.' },
  })

  assert.deepEqual([status.phase, status.reason, status.message], ['Failed', 'Evicted', 'The node was low on resource: memory.'])
})

test('counts a container that has vanished as ended, once', () => {
  const running = statusOf(podWith(), { runtime: runtimeOf([containerIn('running')]) })
  const vanished = statusOf(podWith(), { runtime: runtimeOf([]), previous: running })
  const still = statusOf(podWith(), { runtime: runtimeOf([]), previous: vanished })

  assert.equal(vanished.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137)
  assert.deepEqual([vanished.containerStatuses?.[0]?.restartCount, still.containerStatuses?.[0]?.restartCount], [1, 1])
})

test('keeps the address of a pod that has ended, and gives the host addresses to one in its network', () => {
  const before = statusOf(podWith(), { runtime: runtimeOf([containerIn('running')]) })
  const after = statusOf(podWith(), { runtime: runtimeOf([containerIn('exited')], []), previous: before })

  assert.equal(after.podIP, '10.42.0.2')
  assert.equal(statusOf(podWith({ hostNetwork: true })).podIP, '192.0.2.1')
})
