import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { systemClock } from '@gantry/runtime'
import { gantry, startTestPlatform } from './testing/test-platform.ts'

interface RecordedEvent {
  readonly kind: string
  readonly apiVersion: string
  readonly stage: string
  readonly level: string
  readonly verb: string
  readonly user: { readonly username: string }
  readonly sourceIPs: readonly string[]
  readonly objectRef: { readonly resource: string }
  readonly requestObject?: { readonly metadata: { readonly name: string } }
  readonly responseStatus: { readonly code: number }
}

let dir = ''
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gantry-audit-'))
})
after(() => rm(dir, { recursive: true }))

test('a policy of audit.k8s.io decides what of the requests to the local cluster is recorded, beside the audit log of the gateway', async () => {
  const [data, policy] = [join(dir, 'data'), join(dir, 'policy.yaml')]
  await writeFile(
    policy,
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- {level: Metadata, resources: [{resources: [secrets]}]}\n- {level: Request, verbs: [create], users: [admin]}\n',
  )
  const log = join(data, 'log/kubernetes-audit.log')
  {
    await using platform = await startTestPlatform(data, { accessFiles: { auditPolicy: policy } })
    await using connection = connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })
    const core = { group: '', version: 'v1', namespaced: true }
    await connection.hub.create({ ...core, resource: 'configmaps', kind: 'ConfigMap' }, { metadata: { name: 'kept', namespace: 'default' } })
    const secret = { metadata: { name: 'hidden', namespace: 'default' }, stringData: { a: 'not for the log' } }
    await connection.hub.create({ ...core, resource: 'secrets', kind: 'Secret' }, secret)
    await connection.hub.get({ ...core, resource: 'configmaps', kind: 'ConfigMap' }, { name: 'kept', namespace: 'default' })
  }

  const text = await readFile(log, 'utf8')
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordedEvent)
  const own = events.filter(({ user }) => user.username === 'admin')
  assert.deepEqual(
    own.map(({ kind, apiVersion, stage, level, verb, objectRef, requestObject, responseStatus }) => [
      `${apiVersion} ${kind} ${stage} ${level} ${verb} ${objectRef.resource}`,
      requestObject?.metadata.name,
      responseStatus.code,
    ]),
    [
      ['audit.k8s.io/v1 Event ResponseComplete Request create configmaps', 'kept', 201],
      ['audit.k8s.io/v1 Event ResponseComplete Metadata create secrets', undefined, 201],
    ],
  )
  assert.deepEqual(own[0]?.sourceIPs, ['127.0.0.1'])
  assert.ok(!text.includes('not for the log'))
  assert.equal((await stat(log)).mode & 0o777, 0o600)
})

test('what a policy records goes to a webhook too, the last of it when the platform stops', async () => {
  const [policy, kubeconfig] = [join(dir, 'all.yaml'), join(dir, 'webhook.kubeconfig')]
  const lists: { readonly kind: string; readonly apiVersion: string; readonly items: readonly RecordedEvent[] }[] = []
  const receiver = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      if (request.url === '/events?from=gantry') lists.push(JSON.parse(body) as (typeof lists)[number])
      response.end()
    })
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const { port } = receiver.address() as AddressInfo
  const cluster = { name: 'receiver', cluster: { server: `http://127.0.0.1:${port}/events?from=gantry` } }
  await writeFile(
    policy,
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- {level: Metadata, users: [admin], verbs: [create]}\n',
  )
  await writeFile(kubeconfig, JSON.stringify({ clusters: [cluster], contexts: [{ name: 'c', context: { cluster: 'receiver' } }], 'current-context': 'c' }))
  {
    await using platform = await startTestPlatform(join(dir, 'sending'), { accessFiles: { auditPolicy: policy, auditWebhook: kubeconfig } })
    await using connection = connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })
    const configMaps = { group: '', version: 'v1', namespaced: true, resource: 'configmaps', kind: 'ConfigMap' }
    for (const name of ['a', 'b']) await connection.hub.create(configMaps, { metadata: { name, namespace: 'default' } })
  }
  receiver.close()

  assert.deepEqual(
    lists.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`),
    ['audit.k8s.io/v1 EventList'],
  )
  assert.deepEqual(
    lists.flatMap(({ items }) => items.map(({ verb, objectRef, responseStatus }) => [verb, objectRef.resource, responseStatus.code])),
    [
      ['create', 'configmaps', 201],
      ['create', 'configmaps', 201],
    ],
  )
})

test('a webhook without a policy has nothing to say', async () => {
  const { code, err } = await gantry(join(dir, 'silent'), 'up', '--node', 'none', '--listen', '0', '--audit-webhook-config-file', join(dir, 'any'))
  assert.equal(code, 2)
  assert.match(err, /--audit-webhook-config-file needs --audit-policy-file, which says what is recorded/)
})

test('a policy that cannot be used ends the start with its file and what is wrong with it', async () => {
  const policy = join(dir, 'wrong.yaml')
  const up = async (text: string): Promise<string> => {
    await writeFile(policy, text)
    const { code, err, out } = await gantry(join(dir, 'refused'), 'up', '--node', 'none', '--listen', '0', '--audit-policy-file', policy)
    assert.deepEqual([code, out], [1, ''])
    return err.replace(policy, 'FILE')
  }

  const head = 'apiVersion: audit.k8s.io/v1\nkind: Policy\n'
  assert.match(await up(`${head}rules: [{level: Everything}]`), /^error: FILE: rules\[0\]\.level: Unsupported value: "Everything": supported values: .*\n$/)
  assert.match(await up(`${head}rules: [{level: [}]`), /^error: FILE: .*yaml.*\n$/)
})
