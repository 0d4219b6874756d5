import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hubOf, importRequest, type ImportForm } from './import-request.ts'

const filled: ImportForm = {
  way: 'token',
  name: ' prod ',
  kubeconfig: 'k',
  context: 'c',
  server: 'https://a:6443 ',
  token: ' t\n',
  caData: ' ',
  isInsecure: false,
  proxyURL: '',
  hub: ' https://gantry.example.com:7443',
  access: 'viewer',
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

test('sends what an agent needs, and the proxy of the way that was chosen', () => {
  const agent = { hub: 'https://gantry.example.com:7443', access: 'viewer' }
  assert.deepEqual(importRequest({ ...filled, way: 'agent' }), { name: 'prod', agent })
  assert.deepEqual(importRequest({ ...filled, way: 'agent', proxyURL: 'http://p:1' }), { name: 'prod', agent: { ...agent, proxyURL: 'http://p:1' } })
  assert.equal(importRequest({ ...filled, proxyURL: ' socks5://p:1' })['proxyURL'], 'socks5://p:1')
})

test('offers no agent an address that leads to itself', () => {
  assert.equal(hubOf('https://gantry.example.com:7443'), 'https://gantry.example.com:7443')
  for (const origin of ['https://localhost:7443', 'https://127.0.0.1:7443', 'https://[::1]:7443', 'http://gantry.example.com']) assert.equal(hubOf(origin), '')
})
