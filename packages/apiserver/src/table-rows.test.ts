import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '@gantry/storage'
import type { ApiObject, ResourceDefinition } from './resource.ts'
import { tableRow } from './table.ts'
import { TableRows } from './table-rows.ts'

const object: ApiObject = { apiVersion: 'v1', kind: 'Box', metadata: { name: 'a', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' } }
const nameColumn = { name: 'Name', cell: () => 'a' }
const ageColumn = {
  name: 'Age',
  cell: (_object: ApiObject, now: Date) => `${(now.getTime() - Date.parse('2026-01-01T00:00:00Z')) / 1000}s`,
  since: () => Date.parse('2026-01-01T00:00:00Z'),
}
const at = (second: number): Date => new Date(Date.parse('2026-01-01T00:00:00Z') + second * 1000)
const entryOf = (key: string): Entry => ({ key, revision: 1, value: Buffer.alloc(0), derived: undefined })
const definitionOf = (columns: ResourceDefinition['columns']): ResourceDefinition => ({ plural: 'boxes', columns }) as ResourceDefinition

test('a kept row is the row that would be made now, whatever stands around its age', () => {
  for (const columns of [[nameColumn, ageColumn], [ageColumn], [ageColumn, nameColumn], [nameColumn], [nameColumn, ageColumn, nameColumn]]) {
    const rows = new TableRows()
    const definition = definitionOf(columns)
    const entry = entryOf('a')
    let decoded = 0
    const text = (now: Date): string => rows.text(definition, entry, { now, decode: () => (decoded++, object) })
    for (const second of [5, 7]) {
      assert.deepEqual(JSON.parse(text(at(second))), JSON.parse(JSON.stringify(tableRow(definition, object, { include: 'Metadata', now: at(second) }))))
    }
    assert.equal(decoded, 1)
  }
})

test('a row in which more than the age changes is made each time', () => {
  const rows = new TableRows()
  const definition = definitionOf([{ name: 'Restarts', cell: (_object, now) => `3 (${now.getTime()} ago)` }, ageColumn])
  const entry = entryOf('a')

  const [first, second] = [1, 2].map((seconds) => rows.text(definition, entry, { now: at(seconds), decode: () => object }))

  assert.notEqual(first, second)
  assert.match(second ?? '', new RegExp(`3 \\(${at(2).getTime()} ago`))
})

test('one state of an object has a row for each of its versions', () => {
  const rows = new TableRows()
  const entry = entryOf('a')
  const [one, two] = ['x', 'y'].map((word) => definitionOf([{ name: 'Word', cell: () => word }]))

  assert.match(rows.text(one!, entry, { now: at(1), decode: () => object }), /"cells":\["x"\]/)
  assert.match(rows.text(two!, entry, { now: at(1), decode: () => object }), /"cells":\["y"\]/)
})

test('keeps a bounded number of rows, the newest of them', () => {
  const rows = new TableRows()
  const wide = { ...object, metadata: { ...object.metadata, annotations: { text: 'x'.repeat(1 << 20) } } }
  const definition = definitionOf([nameColumn])
  const entries = Array.from({ length: 100 }, (_, number) => entryOf(String(number)))
  for (const entry of entries) rows.text(definition, entry, { now: at(1), decode: () => wide })

  let decoded = 0
  for (const entry of entries.toReversed()) rows.text(definition, entry, { now: at(1), decode: () => (decoded++, wide) })
  assert.ok(decoded > 40 && decoded < 90, `${decoded} rows were made again`)
})
