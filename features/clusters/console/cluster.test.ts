import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterHealth, simulatedNodeMessage, type ClusterObject } from './cluster.ts'

const condition = (type: string, status: string, message = '') => ({ type, status, message, reason: `${type}${status}` })
const cluster = (...conditions: readonly ReturnType<typeof condition>[]): ClusterObject => ({ metadata: { name: 'prod' }, status: { conditions } })

test('is ready when every step is', () => {
  assert.equal(clusterHealth(cluster(condition('Reachable', 'True'), condition('Authenticated', 'True'), condition('Ready', 'True'))).word, 'Ready')
})

test('names the first step that fails, with its exact message, and not what follows from it', () => {
  const health = clusterHealth(
    cluster(
      condition('Ready', 'False', 'the cluster is not ready'),
      condition('Authenticated', 'False', 'the token has expired at 10:00'),
      condition('Reachable', 'True'),
      condition('Authorized', 'False', 'unknown'),
    ),
  )
  assert.deepEqual([health.word, health.tone, health.message], ['Unauthenticated', 'error', 'the token has expired at 10:00'])
})

test('is connecting until something is known', () => {
  assert.equal(clusterHealth({ metadata: { name: 'prod' } }).word, 'Connecting')
  assert.equal(clusterHealth(cluster(condition('Ready', 'Unknown'))).tone, 'progress')
})

test('is being removed, whatever its conditions say', () => {
  assert.equal(
    clusterHealth({ ...cluster(condition('Ready', 'True')), metadata: { name: 'prod', deletionTimestamp: '2026-01-01T00:00:00Z' } }).word,
    'Removing',
  )
})

test('has a message about simulated containers only when the condition says so', () => {
  assert.equal(simulatedNodeMessage(cluster(condition('NodeRuntime', 'False', 'install containerd'))), 'install containerd')
  assert.equal(simulatedNodeMessage(cluster(condition('NodeRuntime', 'True'))), undefined)
})
