import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatQuantity, parseQuantity } from '@gantry/apimachinery'
import fc from 'fast-check'
import { at, isMore, placeOf, plus, zero, type Amounts, type Vector } from './amounts.ts'
import { lineOf, recordOf } from './ledger-lines.ts'
import { QuotaBook, root, type NamespaceRecord, type QuotaRecord, type ScopeRecord } from './quota-book.ts'

const runs = { numRuns: 300, seed: 20_260_101 }
const amount = fc.constantFrom('0', '1', '1500m', '0.1', '3', '7', '333m', '2k', '1Gi', '17Mi')
const resources = ['requests.cpu', 'requests.nvidia.com/gpu', 'count/deployments.apps']
const clusters = ['a', 'b']
const amounts: fc.Arbitrary<Amounts> = fc
  .dictionary(fc.constantFrom(...resources), amount, { maxKeys: 3 })
  .map((list) => new Map(Object.entries(list).map(([resource, text]) => [resource, parseQuantity(text)])))
const limits: fc.Arbitrary<Vector> = fc
  .array(fc.tuple(fc.constantFrom('', ...clusters), fc.constantFrom(...resources), amount), { maxLength: 4 })
  .map((all) => new Map(all.map(([cluster, resource, text]) => [at(cluster, resource), parseQuantity(text)])))
const hold = fc.constantFrom('', '', '', 'h1', 'h2')
const parents: Readonly<Record<string, string>> = { [root]: root, p: root, q: root, r: 'p' }

const scope: fc.Arbitrary<ScopeRecord> = fc
  .record({ project: fc.constantFrom(root, 'p', 'q', 'r'), hold, limits, mode: fc.constantFrom(undefined, 'Allocation' as const, 'Consumption' as const) })
  .map((some) => ({ ...some, kind: 'scope', parent: parents[some.project] ?? root, uid: 'u', sinceMs: 1, closed: undefined, clusters: undefined }))
const namespace: fc.Arbitrary<NamespaceRecord> = fc
  .record({
    project: fc.constantFrom('p', 'q', 'r'),
    cluster: fc.constantFrom(...clusters),
    namespace: fc.constantFrom('x', 'y', 'z'),
    hold,
    reserved: amounts,
    target: amounts,
  })
  .map((some) => ({ ...some, kind: 'namespace', uid: 'u', sinceMs: 1, generation: 1, bound: some.target }))
const steps = fc.array(fc.tuple(fc.oneof(scope, namespace, namespace), fc.boolean()), { minLength: 20, maxLength: 40 })

function emptyBook(): QuotaBook {
  const book = new QuotaBook('acme')
  for (const project of [root, 'p', 'q', 'r'])
    book.put({
      kind: 'scope',
      project,
      parent: parents[project] ?? root,
      uid: 'u',
      hold: '',
      sinceMs: 1,
      mode: undefined,
      closed: undefined,
      clusters: undefined,
      limits: new Map(),
    })
  return book
}

/** Puts a record, or keeps it out when that brings a problem. */
function put(book: QuotaBook, record: QuotaRecord): boolean {
  try {
    book.attempt(() => {
      const before = book.claimOf(record)
      book.put(record)
      const problems = record.kind === 'scope' ? book.problemsOfScope(record.project, before) : book.problemsOfNamespace(record, before)
      if (problems.length > 0) throw new Error(problems.join())
    })
    return true
  } catch {
    return false
  }
}

function text(vector: Vector): string {
  return [...vector]
    .filter(([, one]) => one.unscaled !== 0n)
    .map(([key, one]) => `${key}=${formatQuantity({ ...one, format: 'DecimalSI', text: undefined })}`)
    .toSorted()
    .join(' ')
}

/** What counts of each namespace, added up the plain way. */
function plainSum(book: QuotaBook, scopes: ReadonlySet<string>, key: string): typeof zero {
  const most = new Map<string, typeof zero>()
  for (const record of book.records()) {
    if (record.kind === 'scope' || !scopes.has(record.project)) continue
    const { cluster, resource } = placeOf(key)
    if (cluster !== '' && cluster !== record.cluster) continue
    const id = `${record.project} ${record.cluster} ${record.namespace}`
    const mine = record.reserved.get(resource) ?? zero
    most.set(id, isMore(mine, most.get(id) ?? zero) ? mine : (most.get(id) ?? zero))
  }
  return [...most.values()].reduce(plus, zero)
}

test('running sums are what adding up anew gives, whatever was put, replaced, refused and taken out', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const book = emptyBook()
      for (const [record, isPut] of all) {
        if (isPut) put(book, record)
        else if (record.kind === 'namespace' || record.hold !== '') book.remove(record)
      }
      const anew = emptyBook()
      for (const record of [...book.records()].toSorted(
        (a, b) => (parents[a.project] ?? '').localeCompare(parents[b.project] ?? '') * Number(a.kind === 'scope' && b.kind === 'scope'),
      ))
        anew.put(record)
      for (const project of Object.keys(parents)) {
        assert.equal(text(book.takenOf(project)), text(anew.takenOf(project)))
        assert.equal(text(book.belowOf(project)), text(anew.belowOf(project)))
      }
      for (const key of [at('', 'requests.cpu'), at('a', 'requests.cpu'), at('b', 'requests.nvidia.com/gpu')])
        assert.equal(text(new Map([[key, book.belowOf(root).get(key) ?? zero]])), text(new Map([[key, plainSum(book, new Set(['p', 'q', 'r']), key)]])))
    }),
    runs,
  )
})

test('no sequence of changes that are let in passes a limit, of what is given or of what may be used', () => {
  let tight = 0
  fc.assert(
    fc.property(steps, (all) => {
      const book = emptyBook()
      for (const [record, isPut] of all) {
        if (isPut && !put(book, record)) tight++
        if (!isPut && record.kind === 'namespace') book.remove(record)
        for (const project of Object.keys(parents))
          for (const [key, limit] of book.limitsOf(project)) assert.ok(!isMore(book.takenOf(project).get(key) ?? zero, limit), `${project} ${key}`)
      }
    }),
    runs,
  )
  assert.ok(tight > 500, `limits were reached ${tight} times`)
})

test('a record is the same after it has been written as a line and read again', () => {
  fc.assert(
    fc.property(fc.oneof(scope, namespace), (record) => {
      const again = recordOf(lineOf(record))
      assert.equal(lineOf(again), lineOf(record))
      if (record.kind === 'namespace' && again.kind === 'namespace')
        for (const field of ['bound', 'reserved', 'target'] as const) assert.equal(text(again[field]), text(record[field]))
      if (record.kind === 'scope' && again.kind === 'scope') assert.equal(text(again.limits), text(record.limits))
    }),
    runs,
  )
})
