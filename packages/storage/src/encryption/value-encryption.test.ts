import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { EncryptionKey, EncryptionRule } from './value-encryption.ts'
import { UnopenedValue, ValueEncryption } from './value-encryption.ts'

const types = ['aescbc', 'aesgcm', 'secretbox'] as const

function keyOf(type: (typeof types)[number], name: string, bytes = 32): EncryptionKey {
  return { type, name, secret: createHash('sha512').update(`${type} ${name}`).digest().subarray(0, bytes) }
}

function encryptionOf(...rules: readonly EncryptionRule[]): ValueEncryption {
  return new ValueEncryption({ source: 'the test', rules })
}

const secrets = '/registry/core/secrets/'
const plain = Buffer.from('{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}')

describe('the encryption of values', () => {
  for (const type of types) {
    for (const bytes of type === 'secretbox' ? [32] : [16, 24, 32]) {
      test(`opens what a key of ${8 * bytes} bits of ${type} has sealed, and hides it`, () => {
        const encryption = encryptionOf({ prefix: secrets, keys: [keyOf(type, 'one', bytes)] })
        for (const length of [0, 1, 15, 16, 31, 32, 33, 4_000]) {
          const value = Buffer.alloc(length, 'hunter2')
          const sealed = encryption.seal(`${secrets}ns/a`, value)
          assert.equal(sealed.subarray(0, sealed.indexOf('one:') + 4).toString(), `k8s:enc:${type}:v1:one:`)
          assert.equal(sealed.includes('hunter2'), false)
          assert.deepEqual(encryption.open(`${secrets}ns/a`, sealed), { value, isStale: false })
          assert.notDeepEqual(encryption.seal(`${secrets}ns/a`, value), sealed)
        }
      })
    }
  }

  test('writes with the first key, reads with each, and tells which values the first has not written', () => {
    const old = encryptionOf({ prefix: secrets, keys: [keyOf('aescbc', 'one'), { type: 'identity' }] })
    const rotated = encryptionOf({ prefix: secrets, keys: [keyOf('aesgcm', 'two'), keyOf('aescbc', 'one'), { type: 'identity' }] })

    assert.deepEqual(rotated.open(`${secrets}a`, old.seal(`${secrets}a`, plain)), { value: plain, isStale: true })
    assert.deepEqual(rotated.open(`${secrets}a`, plain), { value: plain, isStale: true })
    assert.deepEqual(rotated.open(`${secrets}a`, rotated.seal(`${secrets}a`, plain)), { value: plain, isStale: false })
    assert.throws(() => old.open(`${secrets}a`, rotated.seal(`${secrets}a`, plain)), new UnopenedValue('it is encrypted with the key "two" of aesgcm'))
  })

  test('tries every key of one name', () => {
    const [first, second] = [keyOf('aesgcm', 'one'), { ...keyOf('aesgcm', 'two'), name: 'one' }] as const
    const old = encryptionOf({ prefix: secrets, keys: [second] })
    assert.deepEqual(encryptionOf({ prefix: secrets, keys: [first, second] }).open('/registry/core/secrets/a', old.seal('/registry/core/secrets/a', plain)), {
      value: plain,
      isStale: true,
    })
  })

  test('of the longest prefix decides, and leaves all other keys as they are', () => {
    const encryption = encryptionOf({ prefix: '/registry/', keys: [{ type: 'identity' }] }, { prefix: secrets, keys: [keyOf('aesgcm', 'one')] })
    assert.equal(encryption.seal('/registry/core/pods/a', plain), plain)
    assert.notDeepEqual(encryption.seal(`${secrets}a`, plain), plain)
    const alone = encryptionOf({ prefix: secrets, keys: [keyOf('aesgcm', 'one')] })
    assert.equal(alone.open('/registry/core/pods/a', plain).value, plain)
    assert.throws(() => alone.open('/registry/core/pods/a', alone.seal(`${secrets}a`, plain)), UnopenedValue)
    assert.throws(() => alone.open(`${secrets}a`, plain), /it is not encrypted, and "identity" is none of its providers/)
  })

  test('of authenticated ciphers refuses every changed byte, and a value in the place of another one', () => {
    for (const type of ['aesgcm', 'secretbox'] as const) {
      const encryption = encryptionOf({ prefix: secrets, keys: [keyOf(type, 'one')] })
      const sealed = encryption.seal(`${secrets}a`, plain)
      for (let at = sealed.indexOf('one:') + 4; at < sealed.length; at++) {
        const changed = Buffer.from(sealed)
        changed[at]! ^= 1
        assert.throws(() => encryption.open(`${secrets}a`, changed), UnopenedValue)
      }
      for (let end = sealed.indexOf('one:') + 4; end < sealed.length; end++)
        assert.throws(() => encryption.open(`${secrets}a`, sealed.subarray(0, end)), UnopenedValue)
      if (type === 'aesgcm') assert.throws(() => encryption.open(`${secrets}b`, sealed), UnopenedValue)
    }
  })
})

// The example of NaCl's own tests (tests/secretbox.c).
describe('secretbox', () => {
  const hex = (text: string): Buffer => Buffer.from(text, 'hex')
  const key = hex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389')
  const nonce = hex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37')
  const message = hex(
    'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
  )
  const sealed = hex(
    'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
  )

  test("opens what NaCl's has sealed", () => {
    const encryption = encryptionOf({ prefix: secrets, keys: [{ type: 'secretbox', name: 'one', secret: key }] })
    const stored = Buffer.concat([Buffer.from('k8s:enc:secretbox:v1:one:'), nonce, sealed])

    assert.deepEqual(encryption.open(`${secrets}ns/a`, stored), { value: message, isStale: false })
  })
})
