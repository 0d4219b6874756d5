import assert from 'node:assert/strict'
import { test } from 'node:test'
import { podTone, summarizePod, type ContainerStatus, type Pod } from './pod.ts'

const running = (name: string, extra: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  ready: true,
  restartCount: 0,
  state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
  ...extra,
})
const waiting = (name: string, reason: string, restartCount = 0): ContainerStatus => ({ name, ready: false, restartCount, state: { waiting: { reason } } })
const ended = (name: string, exitCode: number, reason?: string): ContainerStatus => ({
  name,
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } },
})

function pod(
  status: NonNullable<Pod['status']>,
  spec: NonNullable<Pod['spec']> = { containers: [{ name: 'a' }, { name: 'b' }] },
  metadata: Pod['metadata'] = { name: 'web' },
): Pod {
  return { metadata, spec, status }
}

function shown(object: Pod): string {
  const { ready, total, status, restarts } = summarizePod(object)
  return `${ready}/${total} ${status} ${restarts}`
}

// The cases are those of upstream's TestPrintPod and TestPrintPodwithLaunchDetails.
test('shows a running pod', () => {
  assert.equal(shown(pod({ phase: 'Running', containerStatuses: [running('a', { restartCount: 6 }), running('b')] })), '2/2 Running 6')
})

test('shows why a container waits', () => {
  assert.equal(shown(pod({ phase: 'Running', containerStatuses: [waiting('a', 'CrashLoopBackOff', 6), running('b')] })), '1/2 CrashLoopBackOff 6')
})

test('shows how the first container ended when none says more', () => {
  assert.equal(shown(pod({ phase: 'Succeeded', containerStatuses: [ended('a', 0, 'Completed'), ended('b', 0, 'Completed')] })), '0/2 Completed 0')
  assert.equal(shown(pod({ phase: 'Failed', containerStatuses: [ended('a', 137)] })), '0/2 ExitCode:137 0')
})

test('shows a pod as running or not ready when one container has completed and another runs', () => {
  const statuses = [ended('a', 0, 'Completed'), running('b')]
  assert.equal(shown(pod({ phase: 'Running', containerStatuses: statuses, conditions: [{ type: 'Ready', status: 'True' }] })), '1/2 Running 0')
  assert.equal(shown(pod({ phase: 'Running', containerStatuses: statuses })), '1/2 NotReady 0')
})

test('shows a pod that is being deleted, unless it has ended', () => {
  const metadata = { name: 'web', deletionTimestamp: '2026-01-01T00:00:00Z' }
  assert.equal(shown(pod({ phase: 'Running', containerStatuses: [running('a')] }, undefined, metadata)), '1/2 Terminating 0')
  assert.equal(shown(pod({ phase: 'Succeeded', containerStatuses: [ended('a', 0, 'Completed')] }, undefined, metadata)), '0/2 Completed 0')
  assert.equal(shown(pod({ phase: 'Running', reason: 'NodeLost' }, undefined, metadata)), '0/2 Unknown 0')
})

test('counts the init containers that are done', () => {
  const spec = { containers: [{ name: 'a' }], initContainers: [{ name: 'i' }, { name: 'j' }] }
  assert.equal(shown(pod({ phase: 'Pending', initContainerStatuses: [ended('i', 0), waiting('j', 'PodInitializing')] }, spec)), '0/1 Init:1/2 0')
  assert.equal(shown(pod({ phase: 'Pending', initContainerStatuses: [waiting('i', 'CrashLoopBackOff', 3)] }, spec)), '0/1 Init:CrashLoopBackOff 3')
  assert.equal(shown(pod({ phase: 'Pending', initContainerStatuses: [ended('i', 2)] }, spec)), '0/1 Init:ExitCode:2 0')
})

test('counts a sidecar among the ready containers and its restarts among the restarts', () => {
  const spec = { containers: [{ name: 'a' }], initContainers: [{ name: 's', restartPolicy: 'Always' }, { name: 'i' }] }
  const status = {
    phase: 'Running',
    initContainerStatuses: [running('s', { started: true, restartCount: 2 }), ended('i', 0)],
    containerStatuses: [running('a', { restartCount: 1 })],
  }
  assert.equal(shown(pod(status, spec)), '2/2 Running 3')
})

test('shows a pod that may not be scheduled yet', () => {
  assert.equal(shown(pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] })), '0/2 SchedulingGated 0')
})

test('knows when a container ended last', () => {
  const restarted = (finishedAt: string): Partial<ContainerStatus> => ({ restartCount: 1, lastState: { terminated: { exitCode: 1, finishedAt } } })
  const summary = summarizePod(
    pod({ phase: 'Running', containerStatuses: [running('a', restarted('2026-01-01T00:00:09Z')), running('b', restarted('2026-01-01T00:00:03Z'))] }),
  )
  assert.equal(summary.lastRestartMs, Date.parse('2026-01-01T00:00:09Z'))
})

const tones: readonly (readonly [string, number, string])[] = [
  ['Running', 2, 'ok'],
  ['Running', 1, 'warn'],
  ['Completed', 0, 'neutral'],
  ['Init:0/1', 0, 'progress'],
  ['ContainerCreating', 0, 'progress'],
  ['Pending', 0, 'progress'],
  ['CrashLoopBackOff', 1, 'error'],
  ['Init:CrashLoopBackOff', 0, 'error'],
  ['ExitCode:137', 0, 'error'],
  ['OOMKilled', 0, 'error'],
  ['Evicted', 0, 'error'],
]

for (const [status, ready, tone] of tones) test(`finds ${status} with ${ready}/2 ready ${tone}`, () => assert.equal(podTone({ status, ready, total: 2 }), tone))
