import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readAmounts, vectorOfQuota } from './amounts.ts'
import { QuotaBook, root, type Mode, type NamespaceRecord, type ScopeRecord } from './quota-book.ts'
import type { Quota } from '../../api/index.ts'

function scope(project: string, quota: Quota, more: Partial<ScopeRecord> = {}): ScopeRecord {
  return {
    kind: 'scope',
    project,
    parent: root,
    uid: `u-${project}`,
    hold: '',
    sinceMs: 0,
    mode: undefined,
    closed: undefined,
    clusters: undefined,
    limits: vectorOfQuota(quota),
    ...more,
  }
}

function namespace(project: string, place: string, hard: Record<string, string>, more: Partial<NamespaceRecord> = {}): NamespaceRecord {
  const [cluster = '', name = ''] = place.split('/')
  const amounts = readAmounts(hard, 'hard')
  return {
    kind: 'namespace',
    project,
    cluster,
    namespace: name,
    uid: `u-${place}`,
    hold: '',
    sinceMs: 0,
    generation: 1,
    bound: amounts,
    reserved: amounts,
    target: amounts,
    ...more,
  }
}

function book(...records: readonly (ScopeRecord | NamespaceRecord)[]): QuotaBook {
  const made = new QuotaBook('acme')
  for (const record of records) made.put(record)
  return made
}

/** What is wrong once this record is there too. */
function problemsWith(made: QuotaBook, record: ScopeRecord | NamespaceRecord): readonly string[] {
  const before = made.claimOf(record)
  made.put(record)
  return record.kind === 'scope' ? made.problemsOfScope(record.project, before) : made.problemsOfNamespace(record, before)
}

describe('what is given away is counted', () => {
  test('and a namespace that wants more than is free is told what, where, how much and by whose limit', () => {
    const made = book(
      scope(root, { total: { 'requests.cpu': 10 } }),
      scope('shop', { total: { 'requests.cpu': 10 } }),
      namespace('shop', 'member-1/a', { 'requests.cpu': '8500m' }),
    )
    assert.deepEqual(problemsWith(made, namespace('shop', 'member-1/b', { 'requests.cpu': '4' })), [
      'project acme/shop cluster member-1 requests.cpu: want 4, free 1.5 (limit 10 of project acme/shop)',
    ])
  })

  test('in single clusters, apart from each other and beside the total', () => {
    const made = book(
      scope(root, {}),
      scope('shop', { total: { 'requests.cpu': 10 }, clusters: [{ cluster: 'a', hard: { 'requests.cpu': 4 } }] }),
      namespace('shop', 'a/one', { 'requests.cpu': '3' }),
      namespace('shop', 'b/two', { 'requests.cpu': '5' }),
    )
    assert.deepEqual(problemsWith(made, namespace('shop', 'a/three', { 'requests.cpu': '2' })), [
      'project acme/shop cluster a requests.cpu: want 2, free 1 (limit 4 of project acme/shop in cluster a)',
    ])
    assert.deepEqual(
      problemsWith(
        book(scope(root, {}), scope('shop', { total: { 'requests.cpu': 10 }, clusters: [{ cluster: 'a', hard: { 'requests.cpu': 4 } }] })),
        namespace('shop', 'b/x', { 'requests.cpu': '9' }),
      ),
      [],
    )
  })

  test('for extended resources, object counts and the number of namespaces too', () => {
    const quota = { total: { 'requests.nvidia.com/gpu': 2, 'count/deployments.apps': 5 }, namespaces: 1 }
    const made = book(scope(root, {}), scope('shop', quota), namespace('shop', 'a/one', { 'requests.nvidia.com/gpu': '2', 'count/deployments.apps': '5' }))
    assert.deepEqual(problemsWith(made, namespace('shop', 'a/two', { 'requests.nvidia.com/gpu': '1', 'count/deployments.apps': '1' })), [
      'project acme/shop cluster a requests.nvidia.com/gpu: want 1, free 0 (limit 2 of project acme/shop)',
      'project acme/shop cluster a count/deployments.apps: want 1, free 0 (limit 5 of project acme/shop)',
      'project acme/shop namespaces: want 1, free 0 (limit 1 of project acme/shop)',
    ])
  })

  test('under both names of a resource', () => {
    const made = book(scope(root, {}), scope('shop', { total: { 'requests.cpu': 4 } }), namespace('shop', 'a/one', { 'requests.cpu': '3' }))
    assert.match(problemsWith(made, namespace('shop', 'a/two', { 'requests.cpu': '2' })).join(), /requests.cpu: want 2, free 1 /)
  })

  test('and what a project below is given is taken from the one above it, used or not', () => {
    const made = book(scope(root, { total: { 'requests.cpu': 10 } }), scope('shop', { total: { 'requests.cpu': 6 } }))
    assert.deepEqual(problemsWith(made, scope('bank', { total: { 'requests.cpu': 5 } })), [
      'project acme/bank requests.cpu: want 5, free 4 (limit 10 of tenant acme)',
    ])
  })

  test('and what is limited above has to be set below', () => {
    const made = book(scope(root, { total: { 'requests.cpu': 10 }, namespaces: 9 }))
    assert.deepEqual(problemsWith(made, scope('shop', { total: { memory: '1Gi' } })), [
      'project acme/shop requests.cpu: not set, but limit 10 of tenant acme: set it in spec.quota',
      'project acme/shop namespaces: not set, but limit 9 of tenant acme: set it in spec.quota',
    ])
    const other = book(scope(root, {}), scope('shop', { total: { 'requests.cpu': 10 } }))
    assert.deepEqual(problemsWith(other, namespace('shop', 'a/one', { memory: '1Gi' })), [
      'project acme/shop cluster a requests.cpu: not set, but limit 10 of project acme/shop: set it in spec.quota of the namespace, or in spec.namespaceDefaultQuota of the project',
    ])
  })

  test('but not for clusters in which a project has nothing', () => {
    const limits = { clusters: [{ cluster: 'a', hard: { 'requests.cpu': 4 } }] }
    assert.deepEqual(problemsWith(book(scope(root, limits)), scope('shop', {}, { clusters: ['b'] })), [])
    assert.match(problemsWith(book(scope(root, limits)), scope('shop', {}, { clusters: ['a', 'b'] })).join(), /shop cluster a requests.cpu: not set/)
    const through = book(scope(root, limits), scope('shop', {}, { clusters: ['b'] }))
    assert.match(
      problemsWith(through, namespace('shop', 'a/one', { 'requests.cpu': '1' })).join(),
      /limited by tenant acme, but project acme\/shop has no quota for it/,
    )
  })

  test('and a limit is not lowered below it, nor newly made before all below have theirs', () => {
    const made = (): QuotaBook =>
      book(scope(root, { total: { 'requests.cpu': 10 } }), scope('shop', { total: { 'requests.cpu': 6 } }), namespace('shop', 'a/one', { 'requests.cpu': '4' }))
    assert.deepEqual(problemsWith(made(), scope(root, { total: { 'requests.cpu': 5 } })), [
      'tenant acme requests.cpu: limit 5 is less than the 6 reserved below it (most by project acme/shop: 6)',
    ])
    assert.deepEqual(problemsWith(made(), scope('shop', { total: { 'requests.cpu': 3 } })), [
      'project acme/shop requests.cpu: limit 3 is less than the 4 reserved below it (most by namespace a/one: 4)',
    ])
    assert.deepEqual(problemsWith(made(), scope('shop', { total: { 'requests.cpu': 6, memory: '1Gi' } })), [
      'project acme/shop requests.memory: namespace a/one of project acme/shop does not set it: set it there first',
    ])
    assert.deepEqual(problemsWith(made(), scope(root, { total: { 'requests.cpu': 10, pods: 5 } })), [
      'tenant acme pods: project acme/shop has no quota for it: set it there first',
    ])
  })
})

describe('where use is counted', () => {
  const consuming = { mode: 'Consumption' } as const
  test('what namespaces below may use counts, what projects are given does not', () => {
    const made = book(
      scope(root, { total: { 'requests.cpu': 10 } }, consuming),
      scope('shop', { total: { 'requests.cpu': 9 } }),
      scope('bank', { total: { 'requests.cpu': 9 } }),
      namespace('shop', 'a/one', { 'requests.cpu': '8' }),
    )
    assert.deepEqual(problemsWith(made, namespace('bank', 'b/two', { 'requests.cpu': '3' })), [
      'project acme/bank cluster b requests.cpu: want 3, free 2 (limit 10 of tenant acme)',
    ])
  })

  test('going back to what is given away takes that it all fits', () => {
    const shop = (mode: Mode): ScopeRecord => scope('shop', { total: { 'requests.cpu': 10 } }, { mode })
    const made = book(
      scope(root, {}),
      shop('Consumption'),
      scope('below', { total: { 'requests.cpu': 8 } }, { parent: 'shop' }),
      scope('other', { total: { 'requests.cpu': 3 } }, { parent: 'shop' }),
    )
    assert.deepEqual(problemsWith(made, shop('Allocation')), [
      'project acme/shop requests.cpu: limit 10 is less than the 11 reserved below it (most by project acme/below: 8, project acme/other: 3)',
    ])
  })
})

test('while a write is under way both what was and what would be holds', () => {
  const made = book(
    scope(root, { total: { 'requests.cpu': 10 } }),
    scope('shop', { total: { 'requests.cpu': 6 } }),
    namespace('shop', 'a/one', { 'requests.cpu': '2' }),
  )
  made.put(scope('shop', { total: { 'requests.cpu': 3 } }, { hold: 'h1' }))
  assert.match(problemsWith(made, namespace('shop', 'a/two', { 'requests.cpu': '2' })).join(), /want 2, free 1 \(limit 3 of project acme\/shop\)/)
  made.remove(namespace('shop', 'a/two', {}))
  assert.match(problemsWith(made, scope('bank', { total: { 'requests.cpu': 5 } })).join(), /want 5, free 4 /)
})

test('an attempt that fails leaves everything as it was', () => {
  const made = book(
    scope(root, { total: { 'requests.cpu': 10 } }),
    scope('shop', { total: { 'requests.cpu': 10 } }),
    namespace('shop', 'a/one', { 'requests.cpu': '2' }),
  )
  made.takeChanges()
  const sums = (): unknown => [made.takenOf(root), made.takenOf('shop'), made.belowOf(root), [...made.records()]]
  const before = structuredClone(sums())
  assert.throws(() =>
    made.attempt(() => {
      made.put(scope('bank', { total: { 'requests.cpu': 1 } }))
      made.put(namespace('bank', 'a/x', { 'requests.cpu': '1' }))
      made.put(namespace('shop', 'a/one', { 'requests.cpu': '9' }))
      made.attempt(() => made.remove(namespace('shop', 'a/one', {})))
      throw new Error('no')
    }),
  )
  assert.deepEqual(structuredClone(sums()), before)
  assert.equal(made.changes.size, 0)
})
