import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importField } from './import-field.ts'

test('leads from what the probe found to the field that mends it', () => {
  assert.equal(importField({ reason: 'CertificateUntrusted', field: 'Reachable' }), 'caData')
  assert.equal(importField({ reason: 'TokenExpired', field: 'Authenticated' }), 'token')
  assert.equal(importField({ reason: 'DuplicateCluster', field: 'Reachable' }), undefined)
})

test('takes the field that the server names for everything else', () => {
  assert.equal(importField({ reason: 'FieldValueInvalid', field: 'metadata.name' }), 'name')
  assert.equal(importField({}), undefined)
})
