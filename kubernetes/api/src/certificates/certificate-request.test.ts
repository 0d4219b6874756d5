import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { certificateProblem, certificateRequestProblem } from './certificate-request.ts'

const requests = [
  [
    '-----BEGIN CERTIFICATE REQUEST-----',
    'MIGMMEACAQAwDTELMAkGA1UEAwwCbWUwKjAFBgMrZXADIQD8hhmgcY2r1+j9yBRB',
    '87ut8cAI4VsuMS/suskEeBEg0aAAMAUGAytlcANBAEj9m/jZrRNOGJNJW72SFiDF',
    'cp8IbAB4hYfW8MreKpcuLXAQPpmqoEmTcGj4d7q4Oo82FeOjgzILtjCT+jfvGAU=',
    '-----END CERTIFICATE REQUEST-----',
  ],
  [
    '-----BEGIN CERTIFICATE REQUEST-----',
    'MIHGMG8CAQAwDTELMAkGA1UEAwwCbWUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC',
    'AAQcaYs9Z8iJW54lymzQnYG1TwpK4e8eYevlvcnK7okBG5EGp2F9+0w3Qu8XiwP5',
    'i83W3eX+FtS5ybYPkmXIl1AAoAAwCgYIKoZIzj0EAwIDRwAwRAIgcBnkr5oExzpK',
    'ZNzvOenO5Wy7RsSd4NKjqdY9ojTzTD0CIDw8WfYUMN0T9DBUq3d8zFJDR2WJzJW7',
    'fkdiCwxdJogO',
    '-----END CERTIFICATE REQUEST-----',
  ],
  [
    '-----BEGIN CERTIFICATE REQUEST-----',
    'MIICUjCCAToCAQAwDTELMAkGA1UEAwwCbWUwggEiMA0GCSqGSIb3DQEBAQUAA4IB',
    'DwAwggEKAoIBAQDTR2+s1MkU5w+XO7g1bfRQKRafIkc1TyJFP0dplP8mAaRp9PQg',
    'LXlAQjsoGBvKrkr0Lwe3YzEcW77gVcb8OK5c2nu3udmNgdVBeleSEteRjRzqUKQ5',
    'RRDpfYp8yNk6a8l2ExVJFTV6/Hh1bMPobS+n4iiTnd2CF6fOfCrYR31bf1iLD/kT',
    '7cZL8vRIgQaZL/Eman3MtcJpRYqOPzfFHiQIzsTT2z1nuuyfLHmORWWND4fKyJtL',
    'QoO1jOrqgtZIhKDLQH5WcOzfONOva6WdKAnflw6Z2MGBwrtMgz0X3josLcAbSzJl',
    'bwG0vbTgYVYxBSbDyTQ5PvenzVXEAoYy9IcJAgMBAAGgADANBgkqhkiG9w0BAQsF',
    'AAOCAQEACrBSIqWltu/uFN+wCWlbNk5AYvgTETv66eJkWE4F+eGVekO/cws6VyL3',
    'WmqbWSthFwVAlzg/Z00OR00OizK3NV7Gx2dz6buVJOULAD+Mer7knfNQ/caQkaF+',
    'nqBzRxkQK9oI94dFhb7TswPU9voXXwqgXnWog4dbpcl6XKAjKu1mrryVUNiS0rmK',
    'MELtXf0Hg+DtBTWWSQMkSdEfE5na2M+uCFqArtOFwEQqCBQNiCXlVaOoIwRqDZ2s',
    '+/HwHkHdvTyhNdawPwlOH1HWjkOTY+Xils0b0gDbEinrmzVhrT2KcOaselkkiBlL',
    'V3FmrHSu5r0+cfVljdVdho9G+GxpXQ==',
    '-----END CERTIFICATE REQUEST-----',
  ],
].map((lines) => `${lines.join('\n')}\n`)
const [ed25519 = ''] = requests

function der(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]*-----|\s/g, ''), 'base64')
}

function pem(bytes: Buffer, type = 'CERTIFICATE REQUEST'): string {
  return `-----BEGIN ${type}-----\n${bytes.toString('base64')}\n-----END ${type}-----\n`
}

describe('requests for certificates', () => {
  it('takes requests that their own key has signed: Ed25519, ECDSA and RSA', () => {
    for (const request of requests) assert.equal(certificateRequestProblem(request), undefined)
  })

  it('refuses a request whose signature is of something else', () => {
    for (const request of requests) {
      const bytes = der(request)
      // The common name: the request still reads well.
      const at = bytes.indexOf('me', 0, 'latin1')
      bytes.write('it', at, 'latin1')

      assert.match(certificateRequestProblem(pem(bytes)) ?? '', /^(?:x509|crypto\/rsa): .*verification (?:failure|error)$/)
    }
  })

  it('says of every piece of a request that it is none', () => {
    const bytes = der(ed25519)
    for (let length = 0; length < bytes.length; length++) {
      assert.match(certificateRequestProblem(pem(bytes.subarray(0, length))) ?? '', /^asn1: /, String(length))
    }
  })

  it('refuses lengths that lead out of the data', () => {
    for (const bytes of [
      [0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
      [0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1],
      [0x30, 0x02, 0x30, 0x7f],
      [0x30, 0x80],
    ]) {
      assert.match(certificateRequestProblem(pem(Buffer.from(bytes))) ?? '', /^asn1: /)
    }
  })

  it('asks for the right kind of PEM block', () => {
    for (const text of ['', 'x', pem(der(ed25519), 'CERTIFICATE')]) {
      assert.equal(certificateRequestProblem(text), 'PEM block type must be CERTIFICATE REQUEST')
    }
  })

  it('takes no certificate, and none that is broken', () => {
    assert.equal(certificateProblem(''), undefined)
    assert.equal(certificateProblem('x'), 'must contain at least one CERTIFICATE PEM block')
    assert.equal(certificateProblem(ed25519), 'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"')
    assert.equal(certificateProblem(pem(Buffer.from([1, 2, 3]), 'CERTIFICATE')), 'x509: malformed certificate')
  })
})
