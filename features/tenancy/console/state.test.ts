import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Membership, ProjectNamespace, QuotaLine, Tenant } from '../api/index.ts'
import { memberRows, removalOf } from './members.ts'
import { isOnItsWay, moveSteps } from './move-steps.ts'
import { neededIn, sharesForWaiting, waitingForQuota } from './namespace-form.ts'
import { barsOf, linesOfTenant, tightest } from './quota-bars.ts'
import { specPatch } from './spec-patch.ts'
import { problemsOf, stateOf } from './state.ts'

type Conditions = NonNullable<NonNullable<ProjectNamespace['status']>['conditions']>

const condition = (type: string, status: 'True' | 'False' | 'Unknown', reason: string, message = '') => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '',
})
const namespace = (conditions: Conditions, status: object = {}, metadata: object = {}): ProjectNamespace =>
  ({
    metadata: { name: 'test', namespace: 'project-acme--shop', ...metadata },
    spec: { cluster: 'prod', namespace: 'shop-test' },
    status: { conditions, ...status },
  }) as ProjectNamespace

describe('the state of something', () => {
  test('is one word of the console, with why in the words of the platform', () => {
    const cases: readonly (readonly [ProjectNamespace, string, string, string | undefined])[] = [
      [namespace([condition('Ready', 'True', 'Ready')]), 'tenancy:state.Ready', 'ok', undefined],
      [namespace([]), 'tenancy:state.Pending', 'progress', undefined],
      [namespace([condition('Ready', 'False', 'QuotaExceeded', 'cpu: not set')]), 'tenancy:reason.QuotaExceeded', 'error', 'cpu: not set'],
      [namespace([condition('Ready', 'Unknown', 'ClusterUnreachable', 'no answer')]), 'tenancy:reason.ClusterUnreachable', 'warn', 'no answer'],
      [
        namespace([condition('Ready', 'True', 'Ready'), condition('QuotaInForce', 'False', 'DoesNotFit', 'want 4')]),
        'tenancy:state.NeedsAttention',
        'warn',
        'want 4',
      ],
      [namespace([condition('Ready', 'True', 'Ready')], { phase: 'Moving' }), 'tenancy:state.Moving', 'progress', undefined],
      [
        namespace([condition('Ready', 'False', 'HoldsWorkloads', 'pods (a)')], {}, { deletionTimestamp: 'x' }),
        'tenancy:state.Terminating',
        'progress',
        'pods (a)',
      ],
    ]
    for (const [object, textKey, tone, detail] of cases)
      assert.deepEqual([stateOf(object).textKey, stateOf(object).tone, stateOf(object).detail], [textKey, tone, detail])
  })

  test('is the word of the platform where the console has none, and never says that all is well', () => {
    const label = stateOf(namespace([condition('Ready', 'False', 'SomethingNew', 'of tomorrow')]))
    assert.deepEqual(label, { text: 'SomethingNew', tone: 'error', detail: 'of tomorrow' })
    assert.equal(problemsOf(namespace([condition('Ready', 'False', 'SomethingNew', 'of tomorrow')]))[0]?.known, undefined)
  })

  test('names a move that has failed', () => {
    const move = { to: 'project-acme--bank', phase: 'Failed' as const, message: 'it does not fit', startTime: '' }
    const object = namespace([condition('Ready', 'True', 'Ready')], { move })
    assert.deepEqual([stateOf(object).text, problemsOf(object)[0]?.message], ['NeedsAttention', 'it does not fit'])
    assert.deepEqual([moveSteps(move), isOnItsWay(move)], [[], false])
  })
})

test('a move has steps that are done one after the other', () => {
  const at = (phase: 'Pending' | 'NewCreated') => moveSteps({ to: '', phase, startTime: '' }).map(({ word, state }) => `${word} ${state}`)
  assert.deepEqual(at('Pending'), ['begun done', 'made now', 'taken todo'])
  assert.deepEqual(at('NewCreated'), ['begun done', 'made done', 'taken now'])
  assert.deepEqual([moveSteps(undefined), isOnItsWay(undefined)], [[], false])
  assert.equal(isOnItsWay({ to: '', phase: 'NewCreated', startTime: '' }), true)
})

describe('namespaces without their part of a quota', () => {
  const limits: QuotaLine[] = [
    { scope: 'project acme/shop', resource: 'cpu', limit: '8', taken: '2', free: '6' },
    { scope: 'project acme/shop', resource: 'namespaces', limit: '4', taken: '2', free: '2' },
    { scope: 'project acme/shop', cluster: 'edge', resource: 'memory', limit: '1Gi', taken: '0', free: '1Gi' },
    { scope: 'tenant acme', resource: 'requests.cpu', limit: '20', taken: '16', free: '4' },
  ]
  const waiting = namespace([condition('Ready', 'False', 'QuotaExceeded')])

  test('are told what they have to say, and the least that is free of it', () => {
    assert.deepEqual(neededIn('prod', limits), [{ resource: 'cpu', free: '4' }])
    assert.deepEqual(neededIn('edge', limits), [
      { resource: 'cpu', free: '4' },
      { resource: 'memory', free: '1Gi' },
    ])
  })

  test('are those that have nothing yet for want of it, and share what is free', () => {
    const found = waitingForQuota([
      waiting,
      namespace([condition('Ready', 'True', 'Ready')], { clusterUID: 'u' }),
      namespace([condition('Ready', 'False', 'Conflict')]),
      waiting,
    ])
    assert.equal(found.length, 2)
    assert.deepEqual(sharesForWaiting(found, limits), [{ cpu: '2' }, { cpu: '2' }])
  })
})

describe('bars of a quota', () => {
  const tenant = {
    metadata: { name: 'acme' },
    spec: { clusters: ['*'], quota: { total: { cpu: '20', memory: '40Gi' }, namespaces: 10 } },
    status: { quota: { namespaces: 0, total: { 'requests.cpu': '19', memory: '10Gi' }, used: { cpu: '3' } } },
  } as unknown as Tenant

  test('say how much is taken and really used, and name the tightest limit', () => {
    const bars = barsOf({ tenant: 'acme', project: undefined }, linesOfTenant(tenant), tenant.status?.quota)
    assert.deepEqual(
      bars.map(({ resource, taken, free, used, tone }) => [resource, taken, free, used, tone]),
      [
        ['cpu', '19', '1', '3', 'warn'],
        ['memory', '10Gi', '30Gi', undefined, 'ok'],
        ['namespaces', '0', '10', undefined, 'ok'],
      ],
    )
    assert.equal(tightest(bars)?.resource, 'cpu')
  })

  test('are an error above their limit, and full where nothing may be had', () => {
    const [over, none] = barsOf(
      { tenant: 'a', project: 'b' },
      [
        { scope: 'project a/b', resource: 'cpu', limit: '1', taken: '2', free: '0' },
        { scope: 'project a/b', resource: 'pods', limit: '0', taken: '0', free: '0' },
      ],
      undefined,
    )
    assert.deepEqual([over?.tone, over?.fraction, none?.fraction], ['error', 2, 0])
  })
})

describe('members', () => {
  const membership = {
    metadata: { namespace: 'project-acme--shop', name: 'devs', uid: 'u', resourceVersion: '7' },
    spec: {
      role: 'project-editor',
      subjects: [
        { kind: 'User', name: 'bob' },
        { kind: 'Group', name: 'ann' },
      ],
    },
  } as Membership
  const alone = { ...membership, spec: { ...membership.spec, subjects: [{ kind: 'User' as const, name: 'bob' }], expirationTime: '2026-01-01T00:00:00Z' } }

  test('are shown one by one, with what has run out', () => {
    const nowMs = Date.parse('2026-01-01T00:00:00Z')
    assert.deepEqual(
      memberRows([membership], nowMs).map(({ subject, isExpired }) => [subject.name, isExpired]),
      [
        ['ann', false],
        ['bob', false],
      ],
    )
    assert.equal(memberRows([alone], nowMs)[0]?.isExpired, true)
    assert.equal(memberRows([alone], nowMs - 1)[0]?.isExpired, false)
  })

  test('are taken out of what names others, and with what names them alone, as it was seen', () => {
    const [ann] = memberRows([membership], 0)
    const [bob] = memberRows([alone], 0)
    assert.deepEqual(ann && removalOf(ann), {
      kind: 'patch',
      patch: { metadata: { resourceVersion: '7' }, spec: { subjects: [{ kind: 'User', name: 'bob' }] } },
    })
    assert.deepEqual(bob && removalOf(bob), { kind: 'delete', uid: 'u', resourceVersion: '7' })
  })
})

test('an edit writes what differs, takes away what is gone, and nothing when nothing does', () => {
  const before = { displayName: 'A', clusters: ['a'], quota: { total: { cpu: '1', memory: '1Gi' }, namespaces: 2 } }
  assert.equal(specPatch(before, structuredClone(before)), undefined)
  assert.deepEqual(specPatch(before, { clusters: ['a', 'b'], quota: { total: { cpu: '2' }, namespaces: 2 } }), {
    displayName: null,
    clusters: ['a', 'b'],
    quota: { total: { cpu: '2', memory: null } },
  })
  assert.deepEqual(specPatch(before, { displayName: 'A', clusters: ['a'] }), { quota: null })
})
