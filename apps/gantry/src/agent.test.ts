import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { loadAll } from 'js-yaml'
import { runAgent } from '@gantry/agent/run'
import { connectPlatform, type PlatformConnection } from '@gantry/cli-kit'
import { loadKubeconfig, openHttpTransport, type HttpTransportOptions, type KubeObject, type ResourceRef } from '@gantry/client'
import { agentNamespace, clusterKind, conditionOf, type Cluster } from '@gantry/clusters/api'
import { bodyOf, createLogger, readBody, readWholeBody, systemClock, systemIds } from '@gantry/runtime'
import type { Platform } from './platform.ts'
import { hubUnderTest } from './testing/hub-under-test.ts'
import { gantry, startTestPlatform } from './testing/test-platform.ts'

const { startPlatform } = hubUnderTest(import.meta.url)

const core = { group: '', version: 'v1' }
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' }
const resources: Readonly<Record<string, ResourceRef>> = {
  Namespace: { ...core, resource: 'namespaces', kind: 'Namespace', namespaced: false },
  ServiceAccount: { ...core, resource: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true },
  Secret: { ...core, resource: 'secrets', kind: 'Secret', namespaced: true },
  ConfigMap: { ...core, resource: 'configmaps', kind: 'ConfigMap', namespaced: true },
  Role: { ...rbac, resource: 'roles', kind: 'Role', namespaced: true },
  RoleBinding: { ...rbac, resource: 'rolebindings', kind: 'RoleBinding', namespaced: true },
  ClusterRole: { ...rbac, resource: 'clusterroles', kind: 'ClusterRole', namespaced: false },
  ClusterRoleBinding: { ...rbac, resource: 'clusterrolebindings', kind: 'ClusterRoleBinding', namespaced: false },
  Deployment: { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment', namespaced: true },
}

function refOf(kind: string): ResourceRef {
  return resources[kind] ?? assert.fail(`the manifest holds a ${kind}`)
}

/** A hub and a member, both the whole platform in this process; the member is only ever reached by its agent. */
interface World extends AsyncDisposable {
  readonly hub: Platform
  readonly hubDir: string
  readonly hubClient: PlatformConnection
  readonly memberClient: PlatformConnection
  /** Lines of all agents' logs. */
  readonly log: string[]
  cli(...argv: string[]): ReturnType<typeof gantry>
  /** Applies a manifest in the member, as kubectl would. */
  apply(manifest: string): Promise<readonly KubeObject[]>
  /** Runs an agent until it is disposed. */
  agent(options?: { readonly rotateEveryMs?: number }): AsyncDisposable
  /** A request to the member through the hub. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>
  /** A watch of the member through the hub; `next` gives the next event's line. */
  watch(path: string): Promise<{ next(): Promise<string>; readonly ended: Promise<void> }>
  until(what: string, look: () => boolean | Promise<boolean>): Promise<void>
}

async function startWorld(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-agent-'))
  const stack = new AsyncDisposableStack()
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const hubDir = join(dir, 'hub')
  const [hub, member] = await Promise.all([startPlatform(hubDir), startTestPlatform(join(dir, 'member'))])
  stack.use(hub)
  stack.use(member)
  const [hubConfig, memberConfig] = await Promise.all([readFile(hub.kubeconfig, 'utf8'), readFile(member.kubeconfig, 'utf8')])
  const hubClient = stack.use(connectPlatform(hubConfig, { clock: systemClock }))
  const memberClient = stack.use(connectPlatform(memberConfig, { clock: systemClock }))
  const { transport: hubOptions } = loadKubeconfig(hubConfig)
  const throughHub = openHttpTransport({ ...hubOptions, server: `${hub.server}/clusters/m` })
  stack.defer(() => throughHub.close())
  const memberOptions: HttpTransportOptions = loadKubeconfig(memberConfig).transport
  const log: string[] = []
  return {
    hub,
    hubDir,
    hubClient,
    memberClient,
    log,
    cli: (...argv) => gantry(hubDir, ...argv),
    async apply(manifest) {
      const objects = loadAll(manifest) as (KubeObject & { readonly kind: string })[]
      for (const object of objects) {
        const { name = '', namespace } = object.metadata
        await memberClient.hub.patch(refOf(object.kind), { name, namespace }, { type: 'apply', body: object, force: true, fieldManager: 'kubectl' })
      }
      return objects
    },
    agent(options = {}) {
      const stop = new AbortController()
      const logger = createLogger({ clock: systemClock, write: (line) => void log.push(line) }, { level: 'info' })
      const running = runAgent(
        { clock: systemClock, ids: systemIds, log: logger },
        { version: '0.0.0', member: memberOptions, proxyFor: () => undefined, ...options },
        { signal: stop.signal },
      )
      return {
        async [Symbol.asyncDispose]() {
          stop.abort(new Error('the test is over'))
          await running
        },
      }
    },
    async get(path) {
      const response = await throughHub.handle({ method: 'GET', path, query: '', headers: {}, signal: new AbortController().signal })
      return { status: response.status, text: (await readWholeBody(response)).toString() }
    },
    async watch(path) {
      const response = await throughHub.handle({ method: 'GET', path, query: 'watch=true', headers: {}, signal: new AbortController().signal })
      assert.equal(response.status, 200)
      const lines: string[] = []
      let wake = (): void => {}
      const ended = (async () => {
        try {
          for await (const chunk of readBody(response)) {
            lines.push(Buffer.from(chunk).toString())
            wake()
          }
        } catch {
          // cut off, which is an end like another one
        }
        wake()
      })()
      return {
        ended,
        async next() {
          for (;;) {
            const line = lines.find((one) => one.includes('"later"'))
            if (line !== undefined) return line
            await new Promise<void>((resolve) => (wake = resolve))
          }
        },
      }
    },
    async until(what, look) {
      for (const deadline = performance.now() + 10_000; !(await look());) {
        if (performance.now() > deadline) assert.fail(`${what}: not in time; the agent says ${log.slice(-5).join('')}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

async function cluster(world: World): Promise<Cluster> {
  return world.hubClient.hub.get<Cluster>(clusterKind.ref, { name: 'm' })
}

describe('a cluster behind an agent', () => {
  // Both platforms take a second to start: the tests share them, one after the other.
  let world: World
  before(async () => {
    world = await startWorld()
  })
  after(() => world[Symbol.asyncDispose]())
  beforeEach(() => void (world.log.length = 0))

  test('is imported by a manifest, reached through the agent, and left clean', async () => {
    const dry = await world.cli('cluster', 'import', 'm', '--agent', '--hub', world.hub.server, '--dry-run')
    const made = await world.cli('cluster', 'import', 'm', '--agent', '--hub', world.hub.server, '--access', 'viewer')
    assert.equal(made.code, 0, made.err)
    const objects = await world.apply(made.out)
    const before = conditionOf(await cluster(world), 'Ready')
    const refused = await world.get('/version')
    {
      await using _agent = world.agent()
      await world.until('the cluster is ready', async () => conditionOf(await cluster(world), 'Ready')?.status === 'True')
      const ready = await cluster(world)
      const pods = await world.get('/api/v1/pods')
      const removed = await world.cli('cluster', 'remove', 'm', '--uninstall')

      assert.deepEqual(
        dry.out.trim().split('\n'),
        objects.map(({ kind, metadata }) => `${String(kind)} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`),
        'a dry run tells what is written',
      )
      assert.match(before?.message ?? 'not probed yet', /has not connected yet: apply the manifest|not probed yet/)
      assert.equal(refused.status, 503)
      assert.match(refused.text, /its agent has not connected yet/)
      assert.equal(ready.status?.agent?.version, '0.0.0')
      assert.equal(pods.status, 200)
      assert.equal((JSON.parse(pods.text) as { kind: string }).kind, 'PodList')
      assert.equal(removed.code, 0, removed.err)
      assert.match(removed.out, /deleted in the cluster: Namespace gantry-agent\na list of the cluster shows that nothing of ours is left\ncluster "m" removed/)
    }
    const { items } = await world.hubClient.hub.list(refOf('Secret'), { namespace: 'gantry-system', labelSelector: 'fleet.gantry.dev/cluster' })
    assert.deepEqual(items, [])
    const left = await Promise.all(
      Object.values(resources).map(async (ref) =>
        (await world.memberClient.hub.list(ref, { labelSelector: 'fleet.gantry.dev/agent' })).items.map(({ metadata }) => metadata.name),
      ),
    )
    assert.deepEqual(left.flat(), [])
  })

  test('keeps its credentials to itself: they rotate unseen, open nothing else, and end with the cluster', async () => {
    const made = await world.cli('cluster', 'import', 'm', '--agent', '--hub', world.hub.server, '--access', 'admin')
    await world.apply(made.out)
    const secretOf = async (): Promise<Readonly<Record<string, string>>> => {
      const { data = {} } = await world.memberClient.hub.get<KubeObject & { data?: Record<string, string> }>(refOf('Secret'), {
        namespace: agentNamespace,
        name: 'gantry-agent',
      })
      return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
    }
    const { token = '' } = await secretOf()
    const hub = openHttpTransport({ server: world.hub.server, ca: await readFile(join(world.hubDir, 'tls/ca.crt'), 'utf8') })
    const ask = async (method: string, path: string, credential: string, body?: string): Promise<number> => {
      const request = { method, path, query: '', headers: { authorization: `Bearer ${credential}` }, signal: new AbortController().signal }
      const response = await hub.handle(body === undefined ? request : { ...request, body: bodyOf(body) })
      await readWholeBody(response)
      return response.status
    }
    try {
      await using _agent = world.agent({ rotateEveryMs: 200 })
      await world.until('two connections', () => world.log.filter((line) => line.includes('"message":"connected"')).length === 2)
      const rotations = (): number => world.log.filter((line) => line.includes('the credential was renewed')).length
      const before = rotations()
      const first = (await secretOf())['credential'] ?? ''
      const watch = await world.watch('/api/v1/namespaces/default/configmaps')
      await world.until('a rotation', () => rotations() >= before + 2)
      await world.memberClient.hub.create(refOf('ConfigMap'), { metadata: { name: 'later', namespace: 'default' } })

      assert.match(await watch.next(), /"later"/, 'a watch from before the rotation goes on')
      assert.equal(await ask('GET', '/agent/v1/credential', first), 401, 'the old credential has ended')
      assert.equal((await secretOf())['token'], undefined, 'the one-time token is not kept')
      assert.equal(await ask('POST', '/agent/v1/enroll', 'none', JSON.stringify({ token, credentialHash: 'A'.repeat(43) })), 401, 'the token works once')
      const stored = JSON.stringify((await world.hubClient.hub.list(refOf('Secret'), { namespace: 'gantry-system' })).items)
      const current = (await secretOf())['credential'] ?? ''
      for (const secret of [token, first, current])
        assert.ok(!stored.includes(Buffer.from(secret).toString('base64')) && !stored.includes(secret), 'the hub holds hashes')
      for (const path of ['/api/v1/namespaces', '/clusters/m/api/v1/pods', '/clusters/local/api/v1/pods', '/platform/v1/clusters/remove', '/auth/v1/me'])
        assert.ok([401, 403, 404].includes(await ask('GET', path, current)), `${path} must not open to an agent`)
      assert.equal(await ask('GET', '/agent/v1/credential', current.replace('.m.', '.n.')), 401, 'nor another cluster')
      const adminToken = loadKubeconfig(await readFile(world.hub.kubeconfig, 'utf8')).transport.token?.() ?? ''
      assert.equal(await ask('GET', '/agent/v1/credential', adminToken), 401, 'no other credential opens what is for agents')
      assert.ok(
        ![...world.log, await readFile(join(world.hubDir, 'audit/0000000000000001.jsonl'), 'utf8')].some((line) =>
          [token, first, current].some((secret) => line.includes(secret)),
        ),
      )

      const removed = await world.cli('cluster', 'remove', 'm')
      assert.match(removed.out, /kubectl delete clusterrolebinding,clusterrole -l fleet\.gantry\.dev\/agent=m\n +kubectl delete namespace gantry-agent/)
      await watch.ended
      await world.until('the agent hears why', () => world.log.some((line) => line.includes('the cluster was removed from the platform')))
      await world.until('the agent is refused', () => world.log.some((line) => line.includes('"area":"authentication"')))
      assert.equal(await ask('GET', '/agent/v1/credential', (await secretOf())['credential'] ?? ''), 401)
      assert.equal((await world.get('/version')).status, 404)
    } finally {
      await hub.close()
    }
  })

  test('comes back after the platform has been away, and after another manifest', async () => {
    const made = await world.cli('cluster', 'import', 'm', '--agent', '--hub', world.hub.server)
    await world.apply(made.out)
    await using _agent = world.agent()
    await world.until('the agent answers', async () => (await world.get('/version')).status === 200)

    const again = await world.cli('cluster', 'manifest', 'm', '--hub', world.hub.server)
    await world.until('the old connections end', async () => (await world.get('/version')).status === 503)
    await world.apply(again.out)
    await world.until('the agent enrols again', async () => (await world.get('/version')).status === 200)

    assert.equal(world.log.filter((line) => line.includes('"message":"enrolled"')).length, 2)
    await world.cli('cluster', 'remove', 'm', '--uninstall')
  })
})
