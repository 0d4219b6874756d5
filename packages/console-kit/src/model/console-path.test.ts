import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listHref, listTarget, objectHref, objectTarget } from './console-path.ts'

test('leads back to the same object', () => {
  const ref = { cluster: 'prod', type: { group: '', version: 'v1', plural: 'pods' }, namespace: 'default', name: 'web:1' }
  const [, , cluster = '', group = '', version = '', plural = '', namespace = '', name = ''] = objectHref(ref).split('/').map(decodeURIComponent)
  const target = objectTarget({ cluster, group, version, plural, namespace, name })
  assert.deepEqual({ ...target, type: { group: target.type.group, version: target.type.version, plural: target.type.plural } }, ref)
})

test('has a place for objects without a namespace', () => {
  const href = objectHref({ cluster: 'prod', type: { group: '', version: 'v1', plural: 'nodes' }, name: 'n1' }, 'yaml')
  assert.equal(href, '/object/prod/-/v1/nodes/-/n1?tab=yaml')
  assert.equal(objectTarget({ cluster: 'prod', group: '-', version: 'v1', plural: 'nodes', namespace: '-', name: 'n1' }).namespace, undefined)
})

test('names the core group in a list address', () => {
  assert.equal(listHref({ group: '', version: 'v1', plural: 'nodes' }), '/resources/-/v1/nodes')
  assert.deepEqual(listTarget({ group: 'apps', version: 'v1', plural: 'deployments' }), { group: 'apps', version: 'v1', plural: 'deployments' })
})
