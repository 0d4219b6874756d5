import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askedFields, askedOf, everybody, explainRequest } from './explain-query.ts'

const nothing = askedOf(() => '')

test('asks nothing until verb and resource are there', () => {
  assert.equal(explainRequest(nothing), undefined)
  assert.equal(explainRequest({ ...nothing, verb: 'get', resource: ' ' }), undefined)
  assert.equal(explainRequest({ ...nothing, resource: 'pods' }), undefined)
})

test('reads a resource as kubectl does', () => {
  const ask = (resource: string) => explainRequest({ ...nothing, verb: 'get', resource })
  assert.deepEqual(ask('pods'), { verb: 'get', resource: 'pods', group: '', subresource: '' })
  assert.deepEqual(ask('deployments.apps/scale'), { verb: 'get', resource: 'deployments', group: 'apps', subresource: 'scale' })
  assert.deepEqual(ask('accessroles.access.gantry.dev'), { verb: 'get', resource: 'accessroles', group: 'access.gantry.dev', subresource: '' })
})

test('asks about a path without a place in a cluster', () => {
  assert.deepEqual(explainRequest({ ...nothing, user: 'vic', verb: 'get', resource: '/metrics', namespace: 'shop', name: 'x' }), {
    user: 'vic',
    verb: 'get',
    path: '/metrics',
  })
})

test('names no user when it asks who may', () => {
  assert.deepEqual(explainRequest({ ...nothing, user: everybody, verb: 'get', resource: 'secrets', cluster: '*' }), {
    verb: 'get',
    resource: 'secrets',
    group: '',
    subresource: '',
    cluster: '*',
  })
})

test('the address holds the whole question', () => {
  const asked = { user: 'vic', verb: 'create', resource: 'pods/exec', name: 'web-0', cluster: 'prod', namespace: 'shop' }
  const address = new URLSearchParams(askedFields.map((field) => [field, asked[field]]))
  assert.deepEqual(
    askedOf((field) => new URLSearchParams(address.toString()).get(field) ?? ''),
    asked,
  )
})
