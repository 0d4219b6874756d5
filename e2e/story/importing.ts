import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { ControlPlane } from '@gantry/conformance/kubernetes'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { dumpCluster, requestsIn, auditPolicy } from '../cluster-dump.ts'
import { eventually } from '../eventually.ts'
import { kubernetesOfVersion, startFakeEndpoint, webSite } from '../fake-endpoint.ts'
import { freePort } from '../free-port.ts'
import { kubectl } from '../kubectl.ts'
import { note } from '../note.ts'
import type { Outcome } from '../program.ts'
import type { World } from './world.ts'

const importWithinMs = 2_000
/** Longer than the pause between two looks at a cluster. */
const probedSeconds = 15

interface Cluster {
  readonly spec: { readonly connection?: { readonly server: string } }
  readonly status: {
    readonly kubernetesVersion?: string
    readonly nodes?: { readonly total: number; readonly ready: number }
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[]
  }
}

/** The condition Ready of a cluster, as `True Ready the cluster can be used`. */
export async function readiness(world: World, name: string): Promise<string> {
  const { code, stdout, stderr } = await world.gantry.cli('cluster', 'get', name, '-o', 'json')
  assert.equal(code, 0, stderr)
  const { status } = JSON.parse(stdout) as Cluster
  const ready = status.conditions.find(({ type }) => type === 'Ready')
  return `${ready?.status} ${ready?.reason} ${ready?.message}`
}

/** A well-formed token that ended an hour ago. */
function expiredToken(): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const end = Math.floor(Date.now() / 1_000) - 3_600
  return `${part({ alg: 'RS256' })}.${part({ iss: 'kubernetes/serviceaccount', sub: 'system:serviceaccount:default:ci', exp: end })}.${part('signature')}`
}

export function importingStory(world: () => World): void {
  let real: ControlPlane
  let restless: readonly string[]

  const importIt = (name: string, ...options: string[]): Promise<Outcome> => world().gantry.cli('cluster', 'import', name, ...options)
  const byToken = (name: string, { server = real.server, token = real.tokens.admin, ca = real.caFile }): Promise<Outcome> =>
    importIt(name, '--server', server, '--token', token, '--ca-file', ca)
  function assertRefused({ code, stderr, stdout }: Outcome, pattern: RegExp): void {
    assert.match(stderr, pattern)
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr)
    assert.equal(stdout, '')
    assert.notEqual(code, 0)
  }

  /** What starting a Node process costs on this machine now: no part of the import. */
  const cliStartMs = async (): Promise<number> => (await world().gantry.cli('version')).ms

  before(async () => {
    const policy = await world().write('audit-policy.json', auditPolicy)
    const extraApiServerArgs = [`--audit-policy-file=${policy}`, `--audit-log-path=${join(world().dir, 'audit.log')}`]
    const begunMs = performance.now()
    real = world().use(await startKubernetes({ dir: join(world().dir, 'kubernetes'), controllers: true, extraApiServerArgs }))
    world().real = real
    note(`a real Kubernetes ${real.kubernetesVersion} was there after ${Math.round(performance.now() - begunMs)} ms`)
  })

  test('every address that leads nowhere is named', async () => {
    assertRefused(await byToken('prod', { server: `https://127.0.0.1:${await freePort()}` }), /^error: cluster "prod" cannot be imported: .*refused/)
    assertRefused(
      await byToken('prod', { server: 'https://no-such-host.invalid:6443' }),
      /^error: cluster "prod" cannot be imported: .*no-such-host\.invalid.*(resolve|DNS|name)/,
    )
    assertRefused(await byToken('prod', { server: 'not an address' }), /^error: .*"not an address" is no address/)
  })

  test('a certificate of another authority and a wrong host name are named', async () => {
    const foreignCa = join(world().gantry.dataDir, 'tls', 'ca.crt')
    assertRefused(await byToken('prod', { ca: foreignCa }), /^error: cluster "prod" cannot be imported: .*certificate/)
    assertRefused(await importIt('prod', '--server', real.server, '--token', real.tokens.admin), /^error: cluster "prod" cannot be imported: .*certificate/)
    const noCa = await world().write('no-ca', '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n')
    assertRefused(await byToken('prod', { ca: noCa }), /^error: the CA is no PEM certificate/)
  })

  test('a wrong, an expired and a weak token are told apart', async () => {
    assertRefused(await byToken('prod', { token: 'wrong' }), /^error: cluster "prod" cannot be imported: the cluster refuses the token: it is wrong, revoked/)
    assertRefused(await byToken('prod', { token: expiredToken() }), /^error: .* the cluster refuses the token: it expired at \d{4}-.*; give a fresh one/)
    const weak = await byToken('prod', { token: real.tokens.restricted })
    assertRefused(weak, /^error: cluster "prod" cannot be imported: the credential may not: .*get\/list\/watch nodes/)
    assert.doesNotMatch(weak.stderr, new RegExp(real.tokens.restricted))
  })

  test('what is no Kubernetes, or one too old, is named', async () => {
    const tls = { cert: await readFile(join(real.certsDir, 'apiserver.crt')), key: await readFile(join(real.certsDir, 'apiserver.key')) }
    await using old = await startFakeEndpoint(kubernetesOfVersion('1', '19'), { tls })
    await using future = await startFakeEndpoint(kubernetesOfVersion('1', '99'), { tls })
    await using site = await startFakeEndpoint(webSite, { tls })
    await using plain = await startFakeEndpoint(kubernetesOfVersion('1', '36'), {})

    assertRefused(await byToken('prod', { server: old.server }), /^error: .*Kubernetes v1\.19\.16 is not supported: .*upgrade the cluster/)
    assertRefused(await byToken('prod', { server: future.server }), /^error: .*Kubernetes v1\.99\.16 is not supported: .*upgrade Gantry/)
    assertRefused(await byToken('prod', { server: site.server }), /^error: .*this is no Kubernetes API, check the address/)
    assertRefused(await byToken('prod', { server: plain.server }), /^error: cluster "prod" cannot be imported: .*TLS/)
  })

  test('a name or a kubeconfig that cannot be used is named', async () => {
    const admin = await readFile(real.kubeconfig, 'utf8')
    const withPlugin = admin.replace(
      /user:\n( +)client-certificate-data: .*\n +client-key-data: .*\n/,
      'user:\n$1exec: { apiVersion: client.authentication.k8s.io/v1, command: aws }\n',
    )
    assert.notEqual(withPlugin, admin)
    const plugin = await world().write('plugin.kubeconfig', withPlugin)
    const byFile = await world().write('by-file.kubeconfig', admin.replace(/certificate-authority-data: .*/, 'certificate-authority: /etc/passwd'))

    for (const name of ['local', 'Prod', 'a_b', '-a', 'a'.repeat(64)]) {
      // oxlint-disable-next-line no-await-in-loop -- one after another: it is a small machine
      assertRefused(
        await importIt(name.startsWith('-') ? `./${name}` : name, '--kubeconfig', real.kubeconfig),
        /^error: (the name "local" is reserved|".*" is no cluster name)/,
      )
    }
    assertRefused(await importIt('prod', '--kubeconfig', plugin), /^error: .*exec/)
    assertRefused(await importIt('prod', '--kubeconfig', byFile), /^error: .*certificate-authority/)
    assertRefused(await importIt('prod', '--kubeconfig', join(world().dir, 'nowhere')), /^error: cannot read .*nowhere: there is no such file/)
    assertRefused(await importIt('prod', '--kubeconfig', await world().write('garbage', 'hello')), /^error: .*kubeconfig/)
    assertRefused(await importIt('prod', '--kubeconfig', real.kubeconfig, '--context', 'other'), /^error: .*no context "other"; it has "conformance"/)
    assertRefused(await importIt('prod'), /^error: give --kubeconfig FILE, or --server URL/)
  })

  test('after all these refusals nothing was registered and nothing kept', async () => {
    const list = await world().gantry.cli('cluster', 'list', '-o', 'name')
    const secrets = await kubectl(world().gantry.kubeconfig, 'local').ok('get', 'secrets', '--namespace', 'gantry-system', '-o', 'name')

    assert.equal(list.stdout, 'cluster.fleet.gantry.dev/local\n')
    assert.doesNotMatch(secrets, /cluster-/)
  })

  test('a kubeconfig is enough: the cluster is ready within two seconds', async () => {
    restless = await untilQuiet(real.kubeconfig)
    const imported = await importIt('prod', '--kubeconfig', real.kubeconfig)
    const ready = await readiness(world(), 'prod')
    note(`importing a real cluster took ${Math.round(imported.ms)} ms, of which the start of the CLI ${Math.round(await cliStartMs())} ms`)

    assert.equal(imported.code, 0, imported.stderr)
    assert.match(imported.stderr, new RegExp(`cluster "prod" imported: Kubernetes ${real.kubernetesVersion.replaceAll('.', '\\.')}`))
    assert.match(imported.stdout, /NAME +PROVIDER +VERSION +NODES +READY +REASON +AGE\nprod +Imported +v1\.\d+\.\d+ +0\/0 +True +Ready/)
    assert.equal(ready, 'True Ready the cluster can be used')
    assert.ok(imported.ms - (await cliStartMs()) < importWithinMs, `the import took ${imported.ms} ms`)
  })

  test('the same cluster under another name, and another one under the same name, are refused', async () => {
    assertRefused(await importIt('again', '--kubeconfig', real.kubeconfig), /^error: .*it is the cluster "prod", which is imported already/)
    assertRefused(await byToken('again', {}), /^error: .*it is the cluster "prod", which is imported already/)
    assertRefused(await importIt('prod', '--kubeconfig', real.kubeconfig), /^error: a cluster named "prod" exists already/)
  })

  test('nothing is written into an imported cluster, while it is watched and after it is removed', async () => {
    const prod = kubectl(world().gantry.kubeconfig, 'prod')
    const auditFrom = (await readFile(join(world().dir, 'audit.log'), 'utf8')).length
    // Watched through the gateway for longer than Gantry waits between two looks of its own.
    const watching = prod.run(['get', 'configmaps', '--all-namespaces', '--watch', `--request-timeout=${probedSeconds}s`], { withinMs: 60_000 })
    const listed = await prod.ok('get', 'namespaces,clusterroles,serviceaccounts', '--all-namespaces', '-o', 'name')
    const watched = await watching
    const during = await dumpCluster(real.kubeconfig)
    const removed = await world().gantry.cli('cluster', 'remove', 'prod')
    await eventually('prod is gone', 10_000, async () => ((await world().gantry.cli('cluster', 'get', 'prod')).code === 0 ? undefined : true))
    const afterwards = await dumpCluster(real.kubeconfig)
    const requests = requestsIn((await readFile(join(world().dir, 'audit.log'), 'utf8')).slice(auditFrom), 'kubernetes-admin')

    assert.equal(removed.stdout, 'cluster "prod" removed\n')
    assert.match(listed, /namespace\/kube-system/)
    assert.ok(restless.length > 100, `${restless.length} objects are too few for a whole cluster`)
    assert.deepEqual(during, restless)
    assert.deepEqual(afterwards, restless)
    assert.match(watched.stdout, /kube-root-ca\.crt/)
    assert.ok(requests.includes('watch configmaps'), requests.join('\n'))
    assert.ok(requests.includes('create selfsubjectaccessreviews'), `Gantry has not looked at the cluster meanwhile:\n${requests.join('\n')}`)
    assert.deepEqual(
      requests.filter((request) => !/^(get|list|watch) |^create selfsubjectaccessreviews$/.test(request)),
      [],
    )
  })

  test('an address, a token and a CA are enough too', async () => {
    const tokenFile = await world().write('token', `${real.tokens.admin}\n`)
    const imported = await importIt('prod', '--server', real.server, '--token-file', tokenFile, '--ca-file', real.caFile, '--display-name', 'Production')

    assert.equal(imported.code, 0, imported.stderr)
    assert.ok(imported.ms - (await cliStartMs()) < importWithinMs, `the import took ${imported.ms} ms`)
    assert.equal(await readiness(world(), 'prod'), 'True Ready the cluster can be used')
  })

  /** Everything in the real cluster, once its own controllers have nothing left to write. */
  async function untilQuiet(kubeconfig: string): Promise<readonly string[]> {
    let last: readonly string[] = []
    return eventually('the real cluster is quiet', 60_000, async () => {
      const before = last
      last = await dumpCluster(kubeconfig)
      return JSON.stringify(before) === JSON.stringify(last) ? last : undefined
    })
  }
}
