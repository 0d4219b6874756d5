import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { formatKubeconfig, loadKubeconfig, mergeKubeconfig } from './kubeconfig.ts'

const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const key = ['-----BEGIN PRIVATE', 'KEY-----\nAAAA\n-----END PRIVATE', 'KEY-----\n'].join(' ')
const base64 = (text: string): string => Buffer.from(text).toString('base64')

function config(parts: { readonly cluster?: string; readonly user?: string; readonly context?: string; readonly current?: string } = {}): string {
  return `apiVersion: v1
kind: Config
current-context: ${parts.current ?? 'prod'}
contexts:
- name: prod
  context: ${parts.context ?? '{cluster: c, user: u, namespace: web}'}
- name: other
  context: {cluster: c, user: u}
clusters:
- name: c
  cluster: ${parts.cluster ?? '{server: "https://host:6443"}'}
users:
- name: u
  user: ${parts.user ?? '{token: t}'}
`
}

test('reads server, authority and token of the current context', () => {
  const target = loadKubeconfig(config({ cluster: `{server: "https://host:6443", certificate-authority-data: ${base64(pem)}, tls-server-name: api}` }))

  const { token, ...transport } = target.transport
  assert.deepEqual(
    { ...target, transport },
    {
      context: 'prod',
      cluster: 'c',
      user: 'u',
      namespace: 'web',
      transport: { server: 'https://host:6443', ca: pem, serverName: 'api' },
    },
  )
  assert.equal(token?.(), 't')
})

test('reads a client certificate, skip-verify, a proxy, and the context asked for', () => {
  const target = loadKubeconfig(
    config({
      cluster: '{server: "https://host", insecure-skip-tls-verify: true, proxy-url: "http://proxy:3128"}',
      user: `{client-certificate-data: ${base64(pem)}, client-key-data: ${base64(key)}}`,
    }),
    { context: 'other' },
  )

  assert.equal(target.context, 'other')
  assert.deepEqual(target.transport, { server: 'https://host', insecureSkipTlsVerify: true, proxyUrl: 'http://proxy:3128', cert: pem, key })
})

test('reads files only where it was given a reader, and a token file each time', () => {
  const text = config({ user: '{tokenFile: ./token}' })
  let token = 'first\n'
  const transport = loadKubeconfig(text, { readFile: () => Buffer.from(token) }).transport

  assert.equal(transport.token?.(), 'first')
  token = 'second\n'
  assert.equal(transport.token?.(), 'second')
  assert.throws(() => loadKubeconfig(text), /refers to the file \.\/token; embed it: kubectl config view --flatten/)
})

const refusals: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ['text that is not YAML', 'a: [', /it is not YAML/],
  ['a scalar', 'hello', /not a YAML mapping/],
  ['another kind', 'kind: Pod', /its kind is "Pod", not Config/],
  ['an unknown current-context', config({ current: 'nope' }), /no context "nope"; it has "prod", "other"/],
  ['no current-context', config({ current: '""' }), /no current-context; choose one of "prod", "other"/],
  ['a missing cluster', config({ context: '{cluster: x, user: u}' }), /cluster "x" that it does not have; it has "c"/],
  ['a missing user', config({ context: '{cluster: c, user: x}' }), /user "x" that it does not have; it has "u"/],
  ['a context without a user', config({ context: '{cluster: c}' }), /context "prod" names no user/],
  ['no server', config({ cluster: '{}' }), /cluster "c" has no server address/],
  ['no credentials', config({ user: '{}' }), /user "u" has no credentials/],
  ['an exec plugin', config({ user: '{exec: {command: aws}}' }), /from a program \(exec: aws\), which is not run here; give a token/],
  ['an auth provider', config({ user: '{auth-provider: {name: gcp}}' }), /auth-provider "gcp", which Kubernetes removed/],
  ['basic authentication', config({ user: '{username: a, password: b}' }), /a user name and password/],
  ['impersonation', config({ user: '{token: t, as: jane}' }), /impersonates/],
  ['a certificate without its key', config({ user: `{client-certificate-data: ${base64(pem)}}` }), /without its client-key/],
  [
    'data that is not base64',
    config({ user: '{client-certificate-data: "%%", client-key-data: aa}' }),
    /client-certificate-data of the user "u" is not base64/,
  ],
  ['an authority that is not PEM', config({ cluster: `{server: "https://h", certificate-authority-data: ${base64('x')}}` }), /is not a PEM certificate/],
]
for (const [name, text, message] of refusals) {
  test(`refuses ${name} and names the part`, () => {
    assert.throws(
      () => loadKubeconfig(text),
      (error) => isReason(error, 'BadRequest') && message.test(error.message),
    )
  })
}

test('never quotes the text around a fault, which may be a secret', () => {
  assert.throws(
    () => loadKubeconfig('token: very-secret\n\tbad: ['),
    (error) => error instanceof Error && !error.message.includes('very-secret'),
  )
})

test('writes what it reads', () => {
  const text = formatKubeconfig(
    { name: 'local', server: 'https://127.0.0.1:1', ca: pem, credentials: { token: 't' }, userName: 'admin', namespace: 'web' },
    { name: 'prod', server: 'https://127.0.0.1:1/clusters/prod', credentials: { cert: pem, key } },
  )

  const local = loadKubeconfig(text)
  assert.equal(local.context, 'local')
  assert.equal(local.user, 'admin')
  assert.equal(local.namespace, 'web')
  assert.equal(local.transport.ca, pem)
  assert.deepEqual(loadKubeconfig(text, { context: 'prod' }).transport, { server: 'https://127.0.0.1:1/clusters/prod', cert: pem, key })
})

const merge = { suffix: '@host:1', exec: { command: '/bin/tool', args: ['token'] } }
const added = (...names: readonly [string, ...string[]]): string => {
  const content = (name: string) => ({ name, server: `https://host:1/${name}`, userName: 'ann', credentials: { exec: { apiVersion: 'v1' } } })
  const [first, ...others] = names
  return formatKubeconfig(content(first), ...others.map(content))
}

test('a merge adds beside what is there, and changes neither that nor the current context', () => {
  const before = config({ user: '{token: t, extensions: [{name: x}]}' })

  const { text, contexts } = mergeKubeconfig(before, added('a', 'b'), merge)

  assert.deepEqual(contexts, ['a@host:1', 'b@host:1'])
  assert.equal(loadKubeconfig(text).context, 'prod')
  assert.equal(loadKubeconfig(text).transport.token?.(), 't')
  assert.match(text, /extensions:\n\s+- name: x/)
  assert.throws(() => loadKubeconfig(text, { context: 'b@host:1' }), /from a program \(exec: \/bin\/tool\)/)
  assert.match(text, /cluster: b@host:1\n\s+user: ann@host:1/)
})

test('a merge into nothing chooses a context, and a later one takes away what is not there any more', () => {
  const first = mergeKubeconfig('', added('a', 'b'), merge).text

  const second = mergeKubeconfig(first, added('b'), merge).text

  assert.match(first, /current-context: a@host:1/)
  assert.doesNotMatch(second, /a@host:1\n\s+(?:cluster|context):/)
  assert.match(second, /current-context: b@host:1/)
})

test('a merge leaves a file that is no kubeconfig alone and says what is wrong with it', () => {
  assert.throws(() => mergeKubeconfig('kind: Pod', added('a'), merge), /its kind is "Pod"/)
  assert.throws(() => mergeKubeconfig('clusters: {a: b}', added('a'), merge), /its clusters is not a list/)
})
