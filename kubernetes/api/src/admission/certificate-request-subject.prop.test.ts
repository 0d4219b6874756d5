import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { certificateRequestSubject } from './certificate-request-subject.ts'

// Of a key that nobody has any more.
const request =
  'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIaU1JR0pBZ0VBTUNjeEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdFlYTjBaWEp6TVF3d0NnWURWUVFEREFObApkbVV3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVFGU09yYnh0c3c5ekdHQk12OUtRNTRtMXZMCm0wV3dDcEtaeFhVS1BUU0E0OU1KK3BoTG5hY1lSUndrUVpIWlREUmovSDdaR2MwU0lxckxkOHFobkd6N29BQXcKQ2dZSUtvWkl6ajBFQXdJRFNBQXdSUUloQVBRbGRHUndRekRxdHBUWVBkOXpQVHhCRnlxZ0tiN3JRYzMxcHRBUwoyMUIyQWlBTzhzYzNHSVdCRmFEa203MUdGOXdHNDZQWFFRYTBiRm4wTnBYQnFhS0l4QT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo='

test('reads the common name and the organizations of a request', () => {
  assert.deepEqual(certificateRequestSubject(request), { commonName: 'eve', organizations: ['system:masters'] })
})

test('says what is no request', () => {
  assert.throws(
    () => certificateRequestSubject(Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----').toString('base64')),
    /PEM block type must be CERTIFICATE REQUEST/,
  )
})

test('says that a name in half a character is none', () => {
  const der = Buffer.from(/-----BEGIN CERTIFICATE REQUEST-----([^-]*)/.exec(Buffer.from(request, 'base64').toString())?.[1] ?? '', 'base64')
  // The tag of the common name "eve": three bytes of a BMPString.
  der[der.indexOf('eve') - 2] = 0x1e
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  assert.throws(() => certificateRequestSubject(Buffer.from(pem).toString('base64')), /malformed certificate request/)
})

test('ends on any bytes, with an answer or an error', () => {
  const pem = (der: Uint8Array): string =>
    Buffer.from(`-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`).toString('base64')
  const valid = Buffer.from(/-----BEGIN CERTIFICATE REQUEST-----([^-]*)/.exec(Buffer.from(request, 'base64').toString())?.[1] ?? '', 'base64')
  const damaged = fc
    .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((changes) => changes.reduce((bytes, [at, value]) => bytes.fill(value, at, at + 1), Buffer.from(valid)))
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (der) => {
      try {
        assert.ok(Array.isArray(certificateRequestSubject(pem(der)).organizations))
      } catch (error) {
        assert.match((error as Error).message, /malformed certificate request/)
      }
    }),
    { numRuns: 500 },
  )
})
