import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importRequest, type ImportForm } from './import-request.ts'

const filled: ImportForm = {
  way: 'token',
  name: ' prod ',
  kubeconfig: 'k',
  context: 'c',
  server: 'https://a:6443 ',
  token: ' t\n',
  caData: ' ',
  isInsecure: false,
}

test('sends the address and token without stray spaces, and no empty CA', () => {
  assert.deepEqual(importRequest(filled), { name: 'prod', server: 'https://a:6443', token: 't' })
  assert.deepEqual(importRequest({ ...filled, caData: 'pem', isInsecure: true }), {
    name: 'prod',
    server: 'https://a:6443',
    token: 't',
    caData: 'pem',
    insecureSkipTLSVerify: true,
  })
})

test('sends the kubeconfig with the picked context and nothing of the other way', () => {
  assert.deepEqual(importRequest({ ...filled, way: 'kubeconfig' }), { name: 'prod', kubeconfig: 'k', context: 'c' })
})
