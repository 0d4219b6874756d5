import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { parseEncryptionConfiguration } from '@gantry/kube-access/encryption-configuration'
import { ValueEncryption } from '@gantry/storage'
import type { EncryptionKey } from '@gantry/storage'
import { buildKubernetes } from '../kubernetes/binaries.ts'
import { SecuredCluster } from '../identity-config/secured-cluster.ts'

const secretOf = (bytes: number, fill: number): string => Buffer.alloc(bytes, fill).toString('base64')
const keys = (name: string, secret: string) => ({ keys: [{ name, secret }] })
const configuration = (...resources: readonly unknown[]): unknown => ({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration', resources })
const one = { resources: ['secrets'], providers: [{ aescbc: keys('one', secretOf(32, 1)) }, { identity: {} }] }
const by = (...providers: readonly unknown[]): unknown => configuration({ resources: ['secrets'], providers })
const of = (...resources: readonly string[]): unknown => configuration({ resources, providers: [{ identity: {} }] })

/** What both must take or refuse, and with the same words. */
const files: readonly unknown[] = [
  configuration(one),
  configuration(),
  configuration({ resources: ['secrets'] }),
  configuration({ providers: [{ identity: {} }] }),
  configuration(one, { ...one, resources: ['configmaps', 'secrets'] }),
  configuration(one, { resources: ['*.*'], providers: [{ identity: {} }] }),
  configuration({ resources: ['*.*'], providers: [{ identity: {} }] }, one),
  configuration({ resources: ['*.'], providers: [{ identity: {} }] }, one),
  configuration({ resources: ['*.apps'], providers: [{ identity: {} }] }, one),
  configuration({ ...one, also: true }),
  by({}),
  by({ identity: {}, aescbc: keys('one', secretOf(32, 1)) }),
  by({ aescbc: {} }),
  by({ aescbc: { keys: [] } }, { secretbox: {} }, { aesgcm: { keys: [{}] } }),
  ...[0, 1, 15, 16, 17, 24, 31, 32, 33, 64].flatMap((bytes) =>
    ['aescbc', 'aesgcm', 'secretbox'].map((type) => by({ [type]: keys('one', secretOf(bytes, 1)) })),
  ),
  ...['!', 'AAAA=', 'AAA', `${secretOf(32, 1)}=`, secretOf(32, 1).replace('=', ''), `${secretOf(16, 1).slice(0, 8)}\n${secretOf(16, 1).slice(8)}`, ' '].map(
    (secret) => by({ aescbc: keys('one', secret) }),
  ),
  by({ aescbc: keys('', secretOf(32, 1)) }),
  by({ aescbc: keys('with:colon', secretOf(32, 1)) }),
  by({ aescbc: { keys: [{ name: 'a', secret: secretOf(32, 1), more: 1 }] } }),
  of('Secrets'),
  of('*'),
  of('*.'),
  of('*.*'),
  of('secrets', 'secrets'),
  of('secrets', 'secrets', 'secrets'),
  of('secrets', '*.'),
  of('secrets', '*.*'),
  of('*.*', '*.*'),
  of('*.', '*.', '*.'),
  of('deployments.apps', '*.apps'),
  of('deployments.apps', '*.'),
  of('apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations'),
  of('things.events.k8s.io'),
  of('things.extensions'),
  of('pods.*'),
  of('widgets.example.org'),
  of(''),
]

/** Without the paths of files and what only tells how far it had come, and without the Go struct that stands for a provider. */
function reasonOf(message: string): string {
  return message
    .replace(/^error while (?:parsing file|building transformers): /, '')
    .replace(/^error decoding encryption provider configuration file "[^"]*": /, '')
    .replaceAll(/(providers\[\d+\]: Invalid value: )(?:\{.*?\}|"REDACTED"): (?=provider|more)/g, '$1')
}

describe('encryption at rest beside kube-apiserver', () => {
  let dir = ''
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-encryption-'))
  })
  after(() => rm(dir, { recursive: true, force: true }))

  test('takes and refuses the same configurations, for the same reasons', { timeout: 120_000 }, async () => {
    const { apiserver, certs } = await buildKubernetes()
    const certsDir = join(dir, 'certs')
    await mkdir(certsDir)
    await new Promise<void>((resolve, reject) => execFile(certs, ['-dir', certsDir], (error) => (error === null ? resolve() : reject(error))))
    let [taken, refused] = [0, 0]
    for (const file of files) {
      const theirs = await refusalOfKubernetes(apiserver, certsDir, JSON.stringify(file))
      assert.equal(refusalOfOurs(JSON.stringify(file)), theirs, JSON.stringify(file))
      if (theirs === undefined) taken++
      else refused++
    }
    assert.ok(taken > 10 && refused > 30, `${taken} taken, ${refused} refused`)
  })

  test('opens what kube-apiserver has written into etcd, and writes what it opens', { timeout: 240_000 }, async () => {
    const ciphers = { secrets: 'aescbc', configmaps: 'aesgcm', serviceaccounts: 'secretbox' } as const
    const file = join(dir, 'encryption.json')
    const entries = Object.entries(ciphers)
    await writeFile(
      file,
      JSON.stringify(
        configuration(
          ...entries.map(([resource, type]) => ({ resources: [resource], providers: [{ [type]: keys('key1', secretOf(32, 7)) }, { identity: {} }] })),
        ),
      ),
      { mode: 0o600 },
    )
    await using cluster = await SecuredCluster.start('kubernetes', { dir, args: [`--encryption-provider-config=${file}`] })
    for (const [resource, type] of entries) {
      const kind = { secrets: 'Secret', configmaps: 'ConfigMap', serviceaccounts: 'ServiceAccount' }[resource]
      const annotations = { note: 'recognizable-hunter2' }
      const path = `/api/v1/namespaces/default/${resource}`
      await cluster.asAdmin('POST', path, { apiVersion: 'v1', kind, metadata: { name: 'kept', annotations } })
      const etcdKey = `/registry/${resource}/default/kept`
      const key: EncryptionKey = { type, name: 'key1', secret: Buffer.alloc(32, 7) }
      const ours = new ValueEncryption({ source: file, rules: [{ prefix: `/registry/${resource}/`, keys: [key] }] })

      const stored = await etcdGet(cluster, etcdKey)
      assert.equal(
        stored
          .subarray(0, 21 + type.length)
          .toString('latin1')
          .startsWith(`k8s:enc:${type}:v1:key1:`),
        true,
      )
      assert.equal(stored.includes('recognizable'), false)
      const opened = ours.open(etcdKey, stored)
      assert.equal(opened.isStale, false)
      assert.equal(opened.value.subarray(0, 3).toString(), 'k8s')
      const changed = Buffer.from(opened.value.toString('latin1').replace('recognizable-hunter2', 'written-by-this-test'), 'latin1')

      await etcdPut(cluster, etcdKey, ours.seal(etcdKey, changed))

      const { metadata } = await cluster.asAdmin('GET', `${path}/kept`)
      assert.equal(metadata.annotations.note, 'written-by-this-test', type)
    }
  })

  /** It looks for the audit policy after the encryption configuration, so that a file that it takes ends there. */
  async function refusalOfKubernetes(apiserver: string, certsDir: string, content: string): Promise<string | undefined> {
    const file = join(dir, 'tried.json')
    await writeFile(file, content)
    const args = [
      '--etcd-servers=http://127.0.0.1:1',
      `--encryption-provider-config=${file}`,
      '--service-account-issuer=https://issuer.example.org',
      `--service-account-key-file=${join(certsDir, 'sa.pub')}`,
      `--service-account-signing-key-file=${join(certsDir, 'sa.key')}`,
      `--tls-cert-file=${join(certsDir, 'apiserver.crt')}`,
      `--tls-private-key-file=${join(certsDir, 'apiserver.key')}`,
      '--bind-address=127.0.0.1',
      '--secure-port=1',
      '--service-cluster-ip-range=10.0.0.0/24',
      `--audit-policy-file=${join(dir, 'missing.yaml')}`,
    ]
    const log = await new Promise<string>((resolve) =>
      execFile(apiserver, args, { timeout: 20_000, killSignal: 'SIGKILL' }, (_error, _out, err) => resolve(err)),
    )
    const quoted = /"command failed" err=(".*")/.exec(log)?.[1]
    if (quoted === undefined) throw new Error(`kube-apiserver did not say why it ended: ${log.slice(-500)}`)
    const message = JSON.parse(quoted) as string
    return message.startsWith('loading audit policy file') ? undefined : reasonOf(message)
  }
})

function refusalOfOurs(content: string): string | undefined {
  try {
    parseEncryptionConfiguration(content)
    return undefined
  } catch (error) {
    return reasonOf((error as Error).message)
  }
}

async function etcdGet(cluster: SecuredCluster, key: string): Promise<Buffer> {
  const { kvs } = (await etcd(cluster, 'range', { key: base64(key) })) as { readonly kvs: readonly { readonly value: string }[] }
  return Buffer.from(kvs[0]!.value, 'base64')
}

async function etcdPut(cluster: SecuredCluster, key: string, value: Buffer): Promise<void> {
  await etcd(cluster, 'put', { key: base64(key), value: value.toString('base64') })
}

function base64(key: string): string {
  return Buffer.from(key).toString('base64')
}

async function etcd({ plane }: SecuredCluster, method: 'range' | 'put', body: unknown): Promise<unknown> {
  const file = (name: string): Promise<Buffer> => readFile(join(plane.certsDir, name))
  const sent = request(`${plane.etcdServer}/v3/kv/${method}`, {
    method: 'POST',
    agent: false,
    ca: await file('ca.crt'),
    cert: await file('apiserver-etcd-client.crt'),
    key: await file('apiserver-etcd-client.key'),
    signal: AbortSignal.timeout(15_000),
  })
  sent.end(JSON.stringify(body))
  const [response] = await once(sent, 'response')
  const answer = await text(response)
  if (response.statusCode !== 200) throw new Error(`etcd answers HTTP ${response.statusCode}: ${answer}`)
  return JSON.parse(answer)
}
