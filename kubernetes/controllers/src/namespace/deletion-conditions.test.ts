import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deletionConditions } from './deletion-conditions.ts'
import type { DeletionReport } from './deletion-conditions.ts'

const clean: DeletionReport = { discoveryFailure: undefined, contentFailures: [], remaining: new Map(), finalizers: new Map() }

test('an empty namespace has five conditions, all False', () => {
  const conditions = deletionConditions(undefined, clean, '2026-01-01T00:00:00Z')

  assert.deepEqual(
    conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
    [
      'NamespaceDeletionDiscoveryFailure False ResourcesDiscovered',
      'NamespaceDeletionGroupVersionParsingFailure False ParsedGroupVersions',
      'NamespaceDeletionContentFailure False ContentDeleted',
      'NamespaceContentRemaining False ContentRemoved',
      'NamespaceFinalizersRemaining False ContentHasNoFinalizers',
    ],
  )
})

test('names what remains, what holds it and what failed, sorted so that it is the same each time', () => {
  const conditions = deletionConditions(
    undefined,
    {
      discoveryFailure: 'Discovery failed for some groups, 1 failing: metrics.k8s.io/v1beta1',
      contentFailures: ['b', 'a'],
      remaining: new Map([
        ['pods.', 2],
        ['deployments.apps', 1],
      ]),
      finalizers: new Map([['x.dev/keep', 3]]),
    },
    '2026-01-01T00:00:00Z',
  )

  assert.deepEqual(
    conditions.filter(({ status }) => status === 'True').map(({ message }) => message),
    [
      'Discovery failed for some groups, 1 failing: metrics.k8s.io/v1beta1',
      'Failed to delete all resource types, 2 remaining: a, b',
      'Some resources are remaining: deployments.apps has 1 resource instances, pods. has 2 resource instances',
      'Some content in the namespace has finalizers remaining: x.dev/keep in 3 resource instances',
    ],
  )
})

test('keeps the time of the last transition while a condition stays as it is', () => {
  const first = deletionConditions(undefined, clean, '2026-01-01T00:00:00Z')
  const second = deletionConditions(first, { ...clean, remaining: new Map([['pods.', 1]]) }, '2026-01-01T00:01:00Z')

  assert.deepEqual(
    second.filter(({ lastTransitionTime }) => lastTransitionTime === '2026-01-01T00:01:00Z').map(({ type }) => type),
    ['NamespaceContentRemaining'],
  )
})
