import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bodyMedia, negotiate } from './negotiate.ts'

const everything = { protobuf: true, tables: true }
const none = new URLSearchParams()

describe('negotiate', () => {
  test('answers JSON when nothing is asked', () => {
    assert.deepEqual(negotiate({}, none, everything), { media: 'json', transform: 'none', metaVersion: 'v1', includeObject: 'Metadata', pretty: false })
  })

  test('takes the first acceptable clause of kubectl', () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'

    assert.equal(negotiate({ accept }, none, everything).transform, 'table')
    assert.equal(negotiate({ accept }, none, { ...everything, tables: false }).transform, 'none')
  })

  test('passes over protobuf where a resource has none', () => {
    const accept = 'application/vnd.kubernetes.protobuf,application/json'

    assert.equal(negotiate({ accept }, none, everything).media, 'protobuf')
    assert.equal(negotiate({ accept }, none, { ...everything, protobuf: false }).media, 'json')
  })

  test('honours quality', () => {
    assert.equal(negotiate({ accept: 'application/json;q=0.5, application/yaml' }, none, everything).media, 'yaml')
  })

  test('refuses what nothing can satisfy, naming what it has', () => {
    assert.throws(() => negotiate({ accept: 'text/html' }, none, everything), { reason: 'NotAcceptable', message: /application\/json, application\/yaml/ })
  })

  test('indents for humans and not for programs', () => {
    assert.equal(negotiate({ 'user-agent': 'curl/8' }, none, everything).pretty, true)
    assert.equal(negotiate({ 'user-agent': 'curl/8' }, new URLSearchParams('pretty=false'), everything).pretty, false)
    assert.equal(negotiate({ 'user-agent': 'kubectl/v1' }, none, everything).pretty, false)
  })
})

describe('bodyMedia', () => {
  test('takes an absent content type for JSON and refuses an unknown one', () => {
    assert.equal(bodyMedia({}), 'json')
    assert.equal(bodyMedia({ 'content-type': 'application/json; charset=utf-8' }), 'json')
    assert.equal(bodyMedia({ 'content-type': 'application/yaml' }), 'yaml')
    assert.throws(() => bodyMedia({ 'content-type': 'text/plain' }), { reason: 'UnsupportedMediaType' })
  })
})
