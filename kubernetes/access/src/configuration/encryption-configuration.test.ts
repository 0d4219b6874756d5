import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseEncryptionConfiguration } from './encryption-configuration.ts'

const secret = Buffer.alloc(32, 7).toString('base64')

function file(...resources: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration', resources })
}

const aesgcm = { aesgcm: { keys: [{ name: 'one', secret }] } }

function refused(resources: readonly string[], ...providers: readonly object[]): string {
  try {
    parseEncryptionConfiguration(file({ resources, providers: providers.length === 0 ? [aesgcm] : providers }))
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

describe('an encryption configuration', () => {
  test('says what is encrypted, with which keys, in their order', () => {
    const read = parseEncryptionConfiguration(
      file(
        { resources: ['secrets', '*.apps'], providers: [aesgcm, { identity: {} }] },
        { resources: ['secrets'], providers: [{ identity: {} }] },
        { resources: ['*.*'], providers: [{ identity: {} }] },
      ),
    )
    const one = { type: 'aesgcm', name: 'one', secret: Buffer.alloc(32, 7) }
    const identity = { type: 'identity' }
    assert.deepEqual(read, [
      { group: '', resource: 'secrets', providers: [one, identity, identity] },
      { group: 'apps', resource: '*', providers: [one, identity] },
      { group: '*', resource: '*', providers: [identity] },
    ])
  })

  test('is refused with the field that is wrong and never with a key', () => {
    const short = Buffer.alloc(20, 7).toString('base64')
    assert.match(
      refused(['secrets'], { aescbc: { keys: [{ name: 'a', secret: short }] } }),
      /providers\[0\]\.aescbc\.keys\[0\]\.secret: .*got 20, expected one of \[16 24 32\]/,
    )
    assert.match(refused(['secrets'], { aescbc: { keys: [{ name: 'a', secret: `${secret}!` }] } }), /secrets must be base64 encoded/)
    assert.match(refused(['secrets'], { ...aesgcm, identity: {} }), /more than one provider specified/)
    assert.match(refused(['secrets'], {}), /provider does not contain any of the expected providers/)
    assert.match(refused(['secrets'], { kms: { name: 'a', endpoint: 'unix:///a', apiVersion: 'v2' } }), /kms providers are not supported here: use aesgcm/)
    assert.match(refused(['secrets', '*.']), /overlapping resources/)
    assert.match(refused(['secrets', 'secrets']), /the same resource cannot be specified multiple times/)
    assert.match(refused(['Secrets']), /capital letters/)
    assert.match(refused(['pods.*']), /across groups/)
    assert.throws(() => parseEncryptionConfiguration(file({ resources: ['*.*'], providers: [aesgcm] }, { resources: ['secrets'], providers: [aesgcm] })), {
      message: 'resource "secrets" is masked by earlier rule "*.*"',
    })
    assert.throws(
      () => parseEncryptionConfiguration(file({ resources: ['secrets'], providers: [aesgcm], secrets: true })),
      /unknown field "resources\[0\]\.secrets"/,
    )
    for (const text of [refused(['secrets'], { ...aesgcm, aescbc: { keys: [{ name: 'a', secret: short }] } }), refused(['*'], aesgcm)])
      assert.ok(!text.includes(secret) && !text.includes(short), text)
  })
})
