import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ResourceRow } from './resource-row.ts'
import { filterRows, sortRows } from './row-view.ts'

interface Row extends ResourceRow {
  readonly state: string
  readonly size: number | undefined
}

const row = (name: string, namespace: string, state: string, size?: number): Row => ({
  key: `c/${namespace}/${name}`,
  cluster: 'c',
  namespace,
  name,
  uid: name,
  createdMs: undefined,
  isDeleting: false,
  state,
  size,
})
const rows = [row('web-1', 'a', 'Running', 3), row('web-2', 'b', 'Pending', 1), row('db', 'a', 'Running')]
const all = {
  namespaces: new Set<string>(),
  text: '',
  statuses: new Set<string>(),
  statusOf: (each: Row) => each.state,
  textOf: (each: Row) => `${each.name} ${each.namespace}`,
}

test('counts every status of what the other filters leave', () => {
  const view = filterRows(rows, { ...all, statuses: new Set(['Pending']) })
  assert.deepEqual(
    view.rows.map((each) => each.name),
    ['web-2'],
  )
  assert.deepEqual(Object.fromEntries(view.statusCounts), { Running: 2, Pending: 1 })
  assert.equal(view.total, 3)
})

test('filters by namespace and by every word of the text', () => {
  assert.deepEqual(
    filterRows(rows, { ...all, namespaces: new Set(['a']), text: 'WEB a' }).rows.map((each) => each.name),
    ['web-1'],
  )
})

test('sorts rows without a value last, up and down, and equal ones by name', () => {
  const names = (descending: boolean): readonly string[] => sortRows([...rows], (each) => each.size, descending).map((each) => each.name)
  assert.deepEqual(names(false), ['web-2', 'web-1', 'db'])
  assert.deepEqual(names(true), ['web-1', 'web-2', 'db'])
  assert.deepEqual(
    sortRows([...rows], () => 1, true).map((each) => each.name),
    ['db', 'web-1', 'web-2'],
  )
})
