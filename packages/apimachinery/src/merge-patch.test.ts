import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyMergePatch } from './merge-patch.ts'

describe('applyMergePatch', () => {
  it('sets, replaces lists and removes with null', () => {
    const document = { a: { b: 1, c: 2 }, list: [1, 2], gone: true }

    assert.deepEqual(applyMergePatch(document, { a: { c: null, d: 3 }, list: [9], gone: null }), { a: { b: 1, d: 3 }, list: [9] })
    assert.deepEqual(document, { a: { b: 1, c: 2 }, list: [1, 2], gone: true })
  })

  it('drops nulls from what lands where nothing was', () => {
    assert.deepEqual(applyMergePatch({}, { a: { b: null, c: [{ d: null }, null] } }), { a: { c: [{}, null] } })
  })

  it('refuses what is no object', () => {
    assert.throws(() => applyMergePatch({}, []), {
      reason: 'BadRequest',
      message: 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
    })
    assert.throws(() => applyMergePatch({}, null), { reason: 'BadRequest', message: 'Invalid JSON Patch' })
  })

  it('writes __proto__ as data', () => {
    const result = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'))

    assert.deepEqual(Object.keys(result), ['__proto__'])
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })
})
