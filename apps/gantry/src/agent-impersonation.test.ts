import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadAll } from 'js-yaml'
import { runAgent } from '@gantry/agent/run'
import { connectPlatform } from '@gantry/cli-kit'
import { loadKubeconfig, openHttpTransport, type KubeObject } from '@gantry/client'
import { createTestAuthority } from '@gantry/client/testing'
import { clusterKind, conditionOf, type Cluster } from '@gantry/clusters/api'
import { openEdge } from '@gantry/gateway'
import { startLocalCluster } from '@gantry/kube-cluster'
import { bodyOf, readWholeBody, silentLogger, systemClock, systemIds } from '@gantry/runtime'
import { createMemoryStore } from '@gantry/storage'
import { gantry, startTestPlatform } from './testing/test-platform.ts'

const shared = { clock: systemClock, ids: systemIds, log: silentLogger }
const rbac = 'rbac.authorization.k8s.io'

/** Somebody else's cluster with RBAC of its own, on a port of the loopback. */
async function startMember(stack: AsyncDisposableStack) {
  const local = stack.use(await startLocalCluster({ store: createMemoryStore(), ...shared }, { controllers: false }))
  const authority = createTestAuthority('member', systemClock.now().getTime())
  const tls = authority.issue({ commonName: 'api', ip: ['127.0.0.1'] })
  const edge = stack.use(await openEdge({ ...shared, handle: local.handle, upgrade: local.upgrade }, { host: '127.0.0.1', port: 0, tls, drainMs: 200 }))
  const send = async (method: string, path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await local.client.request({
      method,
      path,
      query: method === 'PATCH' ? 'fieldManager=kubectl&force=true' : '',
      headers: { 'content-type': method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json' },
      body: bodyOf(JSON.stringify(body)),
      signal: new AbortController().signal,
    })
    const text = String(await readWholeBody(response))
    assert.ok(response.status < 300, `${method} ${path}: ${text}`)
    return JSON.parse(text) as Record<string, unknown>
  }
  return { server: `https://127.0.0.1:${edge.port}`, ca: authority.cert, send }
}

function pathOf({ apiVersion = '', kind = '', metadata }: KubeObject & { readonly apiVersion?: string; readonly kind?: string }): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const within = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `${base}${within}/${kind.toLowerCase()}s/${metadata.name}`
}

test('a cluster behind an agent that is told who asks decides for its callers, with no more rights for the agent than its manifest gives', async () => {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'gantry-told-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const [hub, member] = await Promise.all([startTestPlatform(dir), startMember(stack)])
  stack.use(hub)
  const access = await gantry(dir, 'cluster', 'import', 'm', '--agent', '--impersonate', '--access', 'admin', '--hub', hub.server)
  assert.match(access.err, /has no "access"/)
  const made = await gantry(dir, 'cluster', 'import', 'm', '--agent', '--impersonate', '--hub', hub.server)
  assert.equal(made.code, 0, made.err)
  for (const object of loadAll(made.out) as KubeObject[]) await member.send('PATCH', pathOf(object), object)
  const account = '/api/v1/namespaces/gantry-agent/serviceaccounts/gantry-agent/token'
  const { status } = await member.send('POST', account, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} })
  const { token } = status as { readonly token: string }

  const stop = new AbortController()
  const agent = runAgent(
    shared,
    { version: '0.0.0', member: { server: member.server, ca: member.ca, token: () => token }, proxyFor: () => undefined },
    { signal: stop.signal },
  )
  stack.defer(async () => {
    stop.abort(new Error('the test is over'))
    await agent
  })
  const config = await readFile(hub.kubeconfig, 'utf8')
  const platform = stack.use(connectPlatform(config, { clock: systemClock }))
  const ready = async (): Promise<string | undefined> => {
    const condition = conditionOf(await platform.hub.get<Cluster>(clusterKind.ref, { name: 'm' }), 'Ready')
    return condition?.status === 'True' ? undefined : (condition?.message ?? 'nobody has looked at it yet')
  }
  for (let problem = await ready(), deadline = performance.now() + 10_000; problem !== undefined; problem = await ready()) {
    if (performance.now() > deadline) assert.fail(problem)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }

  const transport = stack.use(openHttpTransport({ ...loadKubeconfig(config).transport, server: `${hub.server}/clusters/m` }))
  const get = async (path: string): Promise<{ readonly code: number; readonly text: string }> => {
    const answer = await transport.handle({ method: 'GET', path, query: '', headers: {}, signal: new AbortController().signal })
    return { code: answer.status, text: String(await readWholeBody(answer)) }
  }
  // An administrator here is nobody there, until its own RBAC says otherwise.
  assert.match((await get('/api/v1/secrets')).text, /User \\"gantry:admin\\" cannot list resource \\"secrets\\"/)
  await member.send('PATCH', `/apis/${rbac}/v1/clusterrolebindings/admins`, {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'admins' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: rbac, kind: 'Group', name: 'gantry:gantry:admins' }],
  })
  assert.equal((await get('/api/v1/secrets')).code, 200)
})
