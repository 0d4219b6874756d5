import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { seal, unseal } from './seal.ts'

const keyOf = (name: string): Buffer => createHash('sha256').update(name).digest()
const key = keyOf('one')

describe('what is sealed', () => {
  test('is opened with the same key, about the same thing: bytes, text and nothing at all', () => {
    for (const plain of [Buffer.from([0, 255, 1]), Buffer.alloc(100_000, 7), Buffer.alloc(0)]) assert.deepEqual(unseal(key, seal(key, plain, 'a'), 'a'), plain)
    assert.equal(unseal(key, seal(key, 'grüezi')).toString('utf8'), 'grüezi')
  })

  test('says nothing of what is in it, and is never the same twice', () => {
    const [first, second] = [seal(key, 'a secret', 'list'), seal(key, 'a secret', 'list')]
    assert.notDeepEqual(first, second)
    assert.notDeepEqual(first.subarray(0, 12), second.subarray(0, 12))
    for (const sealed of [first, second]) for (const word of ['a secret', 'list']) assert.equal(sealed.includes(word), false)
    assert.equal(first.length, 'a secret'.length + 28)
  })

  test('is refused with any of its bytes changed', () => {
    const sealed = seal(key, 'a secret', 'list')
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= 1
      assert.throws(() => unseal(key, changed, 'list'), `byte ${at}`)
    }
  })

  test('is refused when it is cut off at either end, or longer', () => {
    const sealed = seal(key, 'a secret', 'list')
    for (let bytes = 0; bytes < sealed.length; bytes++) {
      assert.throws(() => unseal(key, sealed.subarray(0, bytes), 'list'), `the first ${bytes} bytes`)
      assert.throws(() => unseal(key, sealed.subarray(sealed.length - bytes), 'list'), `the last ${bytes} bytes`)
    }
    assert.throws(() => unseal(key, Buffer.concat([sealed, Buffer.alloc(1)]), 'list'))
  })

  test('is refused with another key, and about another thing', () => {
    const sealed = seal(key, 'a secret', 'list')
    assert.throws(() => unseal(keyOf('two'), sealed, 'list'))
    assert.throws(() => unseal(key, sealed, 'another list'))
    assert.throws(() => unseal(key, sealed))
    assert.throws(() => unseal(key, seal(key, 'a secret'), 'list'))
  })

  test('takes no key of another length', () => {
    assert.throws(() => seal(key.subarray(0, 16), 'a secret'), /key length/)
    assert.throws(() => unseal(key.subarray(0, 16), seal(key, 'a secret')), /key length/)
  })
})
