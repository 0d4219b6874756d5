import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextActions } from './pod-plan.ts'
import type { PlanInput, PodPlan } from './pod-plan.ts'
import type { Pod } from './pod.ts'
import type { PodRuntime } from './pod-runtime.ts'
import { containerHash } from './sandbox-config.ts'
import { containerIn, containerNamed, podWith, readySandboxState, runtimeOf } from './testing/pods.ts'

function plan(pod: Pod, runtime: PodRuntime, probesOf: PlanInput['probesOf'] = () => ({})): PodPlan {
  return nextActions({ pod, runtime, probesOf, hashOf: containerHash })
}

function starts({ start }: PodPlan): readonly string[] {
  return start.map(({ container }) => container.name)
}

const nothing = runtimeOf([], [])
const inits = podWith({ initContainers: [containerNamed('i1'), containerNamed('i2')] })
const sidecars = podWith({ initContainers: [containerNamed('side', { restartPolicy: 'Always' }), containerNamed('i2')] })

test('makes a sandbox and starts every container of a new pod', () => {
  const found = plan(podWith({ containers: [containerNamed('a'), containerNamed('b')] }), nothing)

  assert.deepEqual(found.sandbox, { kind: 'create', attempt: 0 })
  assert.deepEqual(starts(found), ['a', 'b'])
})

test('leaves a pod in order alone', () => {
  const found = plan(podWith(), runtimeOf([containerIn('running')]))

  assert.deepEqual(found, { killPod: false, sandbox: { kind: 'keep', id: 's0' }, kill: [], start: [] })
})

test('makes a new sandbox when the old one is gone, and everything anew in it', () => {
  const found = plan(podWith(), runtimeOf([containerIn('exited')], [{ ...readySandboxState, ready: false, attempt: 2 }]))

  assert.equal(found.killPod, true)
  assert.deepEqual(found.sandbox, { kind: 'create', attempt: 3 })
  assert.deepEqual(starts(found), ['c'])
})

test('makes a new sandbox for one that has no address, unless the pod is in the network of the host', () => {
  const withoutIP = runtimeOf([], [{ ...readySandboxState, ips: [] }])

  assert.equal(plan(podWith(), withoutIP).sandbox.kind, 'create')
  assert.equal(plan(podWith({ hostNetwork: true }), withoutIP).sandbox.kind, 'keep')
})

test('never runs a pod a second time that is to run once', () => {
  const gone = [{ ...readySandboxState, ready: false }]

  assert.equal(plan(podWith({ restartPolicy: 'Never' }), runtimeOf([containerIn('exited')], gone)).sandbox.kind, 'none')
  assert.equal(plan(podWith({ restartPolicy: 'OnFailure' }), runtimeOf([containerIn('exited')], gone)).sandbox.kind, 'none')
  assert.deepEqual(starts(plan(podWith({ restartPolicy: 'OnFailure' }), runtimeOf([containerIn('exited', { exitCode: 1 })], gone))), ['c'])
})

const restarts: readonly (readonly [policy: 'Always' | 'OnFailure' | 'Never', exitCode: number, again: boolean])[] = [
  ['Always', 0, true],
  ['Always', 1, true],
  ['OnFailure', 0, false],
  ['OnFailure', 1, true],
  ['Never', 0, false],
  ['Never', 1, false],
]

for (const [restartPolicy, exitCode, again] of restarts) {
  test(`with policy ${restartPolicy} ${again ? 'restarts' : 'does not restart'} a container that ended with ${exitCode}`, () => {
    const found = plan(podWith({ restartPolicy }), runtimeOf([containerIn('exited', { exitCode })]))

    assert.deepEqual(starts(found), again ? ['c'] : [])
    assert.equal(found.killPod, !again)
  })
}

test('a pod goes on while one of its containers does', () => {
  const pod = podWith({ restartPolicy: 'Never', containers: [containerNamed('a'), containerNamed('b')] })
  const found = plan(pod, runtimeOf([containerIn('exited', { name: 'a' }), containerIn('running', { name: 'b' })]))

  assert.equal(found.killPod, false)
  assert.deepEqual(starts(found), [])
})

test('kills a container that fails its liveness probe and starts it again', () => {
  const found = plan(podWith(), runtimeOf([containerIn('running')]), () => ({ liveness: 'failure' }))

  assert.deepEqual(
    found.kill.map(({ because, message }) => [because, message]),
    [['livenessProbe', 'Container c failed liveness probe, will be restarted']],
  )
  assert.deepEqual(starts(found), ['c'])
})

test('kills a container that fails its startup probe for good when the pod is to run once', () => {
  const found = plan(podWith({ restartPolicy: 'Never' }), runtimeOf([containerIn('running')]), () => ({ startup: 'failure' }))

  assert.equal(found.killPod, true)
})

test('replaces a container whose image has been changed, whatever the policy', () => {
  const pod = podWith({ restartPolicy: 'Never', containers: [containerNamed('c', { image: 'busybox:2' })] })
  const found = plan(pod, runtimeOf([containerIn('running')]))

  assert.deepEqual(
    found.kill.map(({ message }) => message),
    ['Container c definition changed, will be restarted'],
  )
  assert.deepEqual(starts(found), ['c'])
})

test('runs init containers one after the other before the rest', () => {
  assert.deepEqual(starts(plan(inits, nothing)), ['i1'])
  assert.deepEqual(starts(plan(inits, runtimeOf([]))), ['i1'])
  assert.deepEqual(starts(plan(inits, runtimeOf([containerIn('running', { name: 'i1' })]))), [])
  assert.deepEqual(starts(plan(inits, runtimeOf([containerIn('exited', { name: 'i1' })]))), ['i2'])
  assert.deepEqual(starts(plan(inits, runtimeOf([containerIn('exited', { name: 'i2' }), containerIn('exited', { name: 'i1' })]))), ['c'])
})

test('does not run init containers again when their remains have been collected', () => {
  assert.deepEqual(starts(plan(inits, runtimeOf([containerIn('running')]))), [])
})

test('tries a failing init container again, and gives the pod up where it is to run once', () => {
  const failed = runtimeOf([containerIn('exited', { name: 'i1', exitCode: 1 })])

  assert.deepEqual(starts(plan(inits, failed)), ['i1'])
  assert.deepEqual(plan({ ...inits, spec: { ...inits.spec, restartPolicy: 'Never' } }, failed), {
    killPod: true,
    sandbox: { kind: 'none' },
    kill: [],
    start: [],
  })
})

test('goes on past a sidecar as soon as it runs', () => {
  assert.deepEqual(starts(plan(sidecars, runtimeOf([containerIn('running', { name: 'side' })]))), ['i2'])
})

test('waits for the startup probe of a sidecar', () => {
  const pod = podWith({ initContainers: [containerNamed('side', { restartPolicy: 'Always', startupProbe: {} }), containerNamed('i2')] })
  const running = runtimeOf([containerIn('running', { name: 'side' })])

  assert.deepEqual(starts(plan(pod, running)), [])
  assert.deepEqual(starts(plan(pod, running, () => ({ startup: 'success' }))), ['i2'])
})

test('keeps sidecars running beside the others, whatever the policy, and lets them end with the pod', () => {
  const pod = podWith({ ...sidecars.spec, restartPolicy: 'Never' })
  const side = containerIn('exited', { name: 'side', exitCode: 1 })

  assert.deepEqual(starts(plan(pod, runtimeOf([containerIn('running'), side]))), ['side'])
  assert.equal(plan(pod, runtimeOf([containerIn('exited'), containerIn('exited', { name: 'i2' }), containerIn('running', { name: 'side' })])).killPod, true)
})

test('kills what it cannot see before starting it again', () => {
  const found = plan(podWith(), runtimeOf([containerIn('unknown')]))

  assert.equal(found.kill[0]?.because, 'unknown')
  assert.deepEqual(starts(found), ['c'])
})

test('starts an ephemeral container once, at any time, and does not keep a pod alive for it', () => {
  const ephemeralContainers = [containerNamed('debug')]
  const running = podWith({ ephemeralContainers })
  const once = podWith({ ephemeralContainers, restartPolicy: 'Never' })

  assert.deepEqual(starts(plan(running, runtimeOf([containerIn('running')]))), ['debug'])
  assert.deepEqual(starts(plan(running, runtimeOf([containerIn('running'), containerIn('exited', { name: 'debug', exitCode: 1 })]))), [])
  assert.deepEqual(starts(plan(podWith({ ...inits.spec, ephemeralContainers }), runtimeOf([containerIn('running', { name: 'i1' })]))), ['debug'])
  assert.equal(plan(once, runtimeOf([containerIn('exited'), containerIn('running', { name: 'debug' })])).killPod, true)
})
