import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { impersonationRules } from '@gantry/clusters/api'
import { impersonationHeaders } from '@gantry/gateway'
import { openHttpTransport } from '@gantry/client'
import { bodyOf, readWholeBody, systemClock } from '@gantry/runtime'
import { SecuredCluster } from '../identity-config/secured-cluster.ts'
import { runKubectl } from '../kubectl/run-kubectl.ts'
import { startGantryProcess } from '../src/gantry-process.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const subjects = (kind: 'User' | 'Group', name: string): unknown => [{ apiGroup: 'rbac.authorization.k8s.io', kind, name }]

/** A real kube-apiserver that is told who asks decides by its own RBAC, for the credential as for the people. */
describe('impersonation on a real cluster', () => {
  const parts = new AsyncDisposableStack()
  let dir = ''
  let real: SecuredCluster
  /** Of ann. */
  let kubeconfig = ''
  let config = ''

  const allow = async (name: string, rules: readonly unknown[], who: unknown): Promise<void> => {
    await real.asAdmin('POST', `${rbac}/clusterroles`, { metadata: { name }, rules })
    await real.asAdmin('POST', `${rbac}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: who,
    })
  }
  const kubectl = (line: string): Promise<string> => runKubectl(line.split(' '), { kubeconfig, cacheDir: join(dir, 'cache') })

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-impersonation-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    const [kubernetes, gantry] = await Promise.all([SecuredCluster.start('kubernetes', { dir, args: [] }), startGantryProcess()])
    real = parts.use(kubernetes)
    parts.use(gantry)
    const own = await readFile(gantry.kubeconfig, 'utf8')
    config = own
    await using platform = connectPlatform(own, { clock: systemClock })
    const signal = AbortSignal.timeout(60_000)
    const post = (path: string, body: unknown): Promise<unknown> => platform.call('POST', path, { body, signal })
    const credential = { name: 'real', server: real.plane.server, token: real.plane.tokens.restricted, caData: await readFile(real.plane.caFile, 'utf8') }
    await assert.rejects(
      post('/platform/v1/clusters/import', { ...credential, impersonate: true }),
      /the credential may not: impersonate users, impersonate groups/,
    )
    await allow('gantry-impersonation', impersonationRules, subjects('User', 'token-restricted'))
    await post('/platform/v1/clusters/import', { ...credential, impersonate: true })
    await post('/platform/v1/users', { name: 'ann' })
    const { key: token } = (await post('/platform/v1/apikeys', { user: 'ann' })) as { readonly key: string }
    const access = '/apis/access.gantry.dev/v1alpha1'
    const apiVersion = 'access.gantry.dev/v1alpha1'
    await post(`${access}/groups`, { apiVersion, kind: 'Group', metadata: { name: 'readers' }, spec: { members: ['ann'] } })
    await post(`${access}/accessrolebindings`, {
      apiVersion,
      kind: 'AccessRoleBinding',
      metadata: { name: 'ann' },
      spec: { role: 'cluster-viewer', subjects: [{ kind: 'User', name: 'ann' }], cluster: 'real' },
    })
    kubeconfig = join(dir, 'ann.kubeconfig')
    await writeFile(kubeconfig, own.replaceAll('/clusters/local', '/clusters/real').replaceAll(/token: \S+/g, `token: ${token}`), { mode: 0o600 })
  })
  after(() => parts.disposeAsync())

  test('shows it the name and the groups of the platform, with their prefix', async () => {
    const shown = await kubectl('auth whoami')
    assert.match(shown, /Username +gantry:ann\n/)
    assert.match(shown, /Groups +\[gantry:readers system:authenticated\]\n/)
  })

  test('gives what both sides allow, and says so', async () => {
    assert.match(await kubectl('get configmaps -n default'), /configmaps is forbidden: User "gantry:ann" cannot list resource "configmaps"/)
    assert.match(await kubectl('auth can-i list configmaps -n default'), /^no/)
    await allow('readers', [{ apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['get', 'list', 'watch'] }], subjects('Group', 'gantry:readers'))
    for (let tries = 0; !(await kubectl('get configmaps -n default')).includes('exit 0') && tries < 50; tries++);
    assert.match(await kubectl('get configmaps -n default'), /kube-root-ca|No resources found/)
    assert.match(await kubectl('auth can-i list configmaps -n default'), /^yes/)
    // The cluster would; the platform does not.
    assert.match(await kubectl('get secrets -n default'), /Forbidden|forbidden/)
    assert.match(await kubectl('auth can-i list secrets -n default'), /^no/)
    assert.match(await kubectl('get configmaps -n default --as=admin'), /impersonation is not possible through the gateway/)
  })

  test('is part of the fleet, where it shows what it lets its caller list, and its refusal', async () => {
    const fleet = (line: string): Promise<string> => kubectl(`${line} --server ${/server: (\S+?)\/clusters/.exec(config)?.[1]}/fleet`)
    await real.asAdmin('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'notes' } })
    assert.match(await fleet('get configmaps -n default'), /CLUSTER +NAME[^]*real +notes/)
    assert.match(await fleet('get configmap -n default real:notes -o name'), /configmap\/real:notes/)
    // The platform lets ann see pods; the cluster does not.
    assert.match(await fleet('get pods -A'), /cluster 'real' is missing: pods is forbidden: User 'gantry:ann' cannot list resource 'pods'/)
    await real.asAdmin('DELETE', `${rbac}/clusterrolebindings/readers`)
    for (let tries = 0; (await kubectl('get configmaps -n default')).includes('exit 0') && tries < 50; tries++);
    const refused = /cluster 'real' is missing: (it does not let you list configmaps|configmaps is forbidden)/
    // What it has said counts for five seconds.
    for (let tries = 0; !refused.test(await fleet('get configmaps -n default')) && tries < 300; tries++);
    assert.match(await fleet('get configmaps -n default'), refused)
    assert.doesNotMatch(await fleet('get configmaps -n default'), /notes/)
  })

  test('reads the headers as they were meant: every group by itself, in UTF-8, and escaped keys of extra', async () => {
    const headers = impersonationHeaders({
      username: 'ann',
      uid: 'u-1',
      groups: ['a, system:masters', 'Prüfer 検査'],
      extra: { 'example.org/a b%': ['ä', 'b, c'] },
    })
    const { server, caFile, adminCertFile, adminKeyFile } = real.plane
    const [ca, cert, key] = await Promise.all([caFile, adminCertFile, adminKeyFile].map((file) => readFile(file)))
    await using transport = openHttpTransport({ server, ca, cert, key }, { clock: systemClock })
    const answer = await transport.handle({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      query: '',
      headers: { ...headers, 'content-type': 'application/json' },
      body: bodyOf('{}'),
      signal: AbortSignal.timeout(15_000),
    })
    const { status } = JSON.parse(String(await readWholeBody(answer))) as { readonly status: { readonly userInfo: unknown } }
    assert.deepEqual(status.userInfo, {
      username: 'gantry:ann',
      uid: 'u-1',
      groups: ['gantry:a, system:masters', 'gantry:Prüfer 検査', 'system:authenticated'],
      extra: { 'example.org/a b%': ['ä', 'b, c'] },
    })
  })
})
