import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '../api/kube-object.ts'
import { forDiff, inReadingOrder, withoutManagedFields } from './editable-object.ts'

const typed = (object: KubeObject & { readonly spec: unknown }): KubeObject => object
const metadata = { name: 'web', resourceVersion: '7', generation: 2, managedFields: [{}] }

test('leads with the type and the metadata, whatever the server leads with', () => {
  const object = { spec: { a: 1 }, kind: 'Pod', metadata, apiVersion: 'v1' }
  assert.deepEqual(Object.keys(inReadingOrder(object)), ['apiVersion', 'kind', 'metadata', 'spec'])
})

test('leaves out only the field ownership for editing: the resource version is what finds a conflict', () => {
  assert.deepEqual(withoutManagedFields({ metadata }).metadata, { name: 'web', resourceVersion: '7', generation: 2 })
})

test('shows no difference where only the order or the revision changed', () => {
  const before = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { b: 1, a: [{ y: 1, x: 2 }] } }
  const after = { kind: 'Pod', apiVersion: 'v1', metadata: { ...metadata, resourceVersion: '9' }, spec: { a: [{ x: 2, y: 1 }], b: 1, c: 3 } }
  const { c: _added, ...rest } = { ...after.spec }
  assert.equal(JSON.stringify(forDiff(typed({ ...after, spec: rest }), before)), JSON.stringify(forDiff(before)))
  assert.deepEqual(Object.keys((forDiff(after, before) as typeof after).spec), ['b', 'a', 'c'])
})
