import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deploymentState, replicaSetState, selectorText, workloadMessage, type ReplicatedWorkload } from './replicas.ts'

const settled = { observedGeneration: 2, replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 }
const progressed = { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message: 'ReplicaSet has successfully progressed.' }

function deployment(status: NonNullable<ReplicatedWorkload['status']>, spec: NonNullable<ReplicatedWorkload['spec']> = { replicas: 3 }): ReplicatedWorkload {
  return { metadata: { name: 'web', generation: 2 }, spec, status: { ...settled, ...status } }
}

test('is available when all replicas are updated and available', () => assert.equal(deploymentState(deployment({})), 'Available'))
test('is progressing until its newest spec was seen', () => assert.equal(deploymentState(deployment({ observedGeneration: 1 })), 'Progressing'))
test('is progressing while old replicas are left', () => assert.equal(deploymentState(deployment({ replicas: 4 })), 'Progressing'))
test('is progressing while replicas are to be updated', () => assert.equal(deploymentState(deployment({ updatedReplicas: 1 })), 'Progressing'))
test('is degraded when a finished rollout loses replicas', () =>
  assert.equal(deploymentState(deployment({ availableReplicas: 2, conditions: [progressed] })), 'Degraded'))
test('is paused when it is told to', () => assert.equal(deploymentState(deployment({ updatedReplicas: 0 }, { replicas: 3, paused: true })), 'Paused'))
test('is scaled to zero', () =>
  assert.equal(deploymentState(deployment({ replicas: 0, updatedReplicas: 0, availableReplicas: 0 }, { replicas: 0 })), 'ScaledToZero'))

test('has failed, with the message, when the rollout takes too long', () => {
  const late = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'ReplicaSet "web-1" has timed out progressing.' }
  const failed = deployment({ conditions: [late] })
  assert.equal(deploymentState(failed), 'Failed')
  assert.equal(workloadMessage(failed), late.message)
})

test('has failed when pods cannot be created', () => {
  const refused = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota' }
  assert.equal(deploymentState(deployment({ conditions: [refused] })), 'Failed')
  assert.equal(replicaSetState(deployment({ conditions: [refused] })), 'Failed')
  assert.equal(workloadMessage(deployment({ conditions: [refused] })), 'exceeded quota')
})

test('is progressing as a ReplicaSet until as many pods are there and ready as wanted', () => {
  assert.equal(replicaSetState(deployment({ replicas: 2 })), 'Progressing')
  assert.equal(replicaSetState(deployment({ readyReplicas: 2 })), 'Progressing')
  assert.equal(replicaSetState(deployment({})), 'Available')
})

test('writes a selector as a query takes it', () => {
  const matchExpressions = [
    { key: 'tier', operator: 'In', values: ['a', 'b'] },
    { key: 'env', operator: 'NotIn', values: ['dev'] },
    { key: 'team', operator: 'Exists' },
    { key: 'old', operator: 'DoesNotExist' },
  ]
  assert.equal(selectorText({ matchLabels: { app: 'web' }, matchExpressions }), 'app=web,tier in (a,b),env notin (dev),team,!old')
  assert.equal(selectorText(undefined), '')
})
