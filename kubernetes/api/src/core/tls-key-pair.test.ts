import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTestAuthority } from '@gantry/client/testing'
import { keyPairProblem } from './tls-key-pair.ts'

describe('a certificate and its key', () => {
  const authority = createTestAuthority('ca', Date.UTC(2026, 0, 1))
  const [one, other] = [authority.issue({ commonName: 'one' }), authority.issue({ commonName: 'other' })]

  test('are a pair when the key is that of the certificate', () => {
    assert.equal(keyPairProblem(one.cert, one.key), undefined)
    assert.equal(keyPairProblem(one.cert, other.key), 'tls: private key does not match public key')
  })

  test('are told apart when they are switched or missing', () => {
    assert.match(keyPairProblem(one.key, one.cert) ?? '', /PEM inputs may have been switched$/)
    assert.equal(keyPairProblem(one.cert, one.cert), 'tls: found a certificate rather than a key in the PEM for the private key')
    assert.equal(keyPairProblem('', one.key), 'tls: failed to find any PEM data in certificate input')
    assert.equal(keyPairProblem(one.cert, 'none'), 'tls: failed to find any PEM data in key input')
  })

  test('are refused when what is inside is neither', () => {
    const broken = (type: string): string => `-----BEGIN ${type}-----\nAAAA\n-----END ${type}-----\n`

    assert.equal(keyPairProblem(broken('CERTIFICATE'), one.key), 'x509: malformed certificate')
    assert.equal(keyPairProblem(one.cert, broken('EC PRIVATE KEY')), 'tls: failed to parse private key')
    assert.match(keyPairProblem(broken('X'), one.key) ?? '', /the following types: \[X\]$/)
  })
})
