import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { accessRoleBindingKind } from '@gantry/access/api'
import { connectPlatform } from '@gantry/cli-kit'
import { createClient, loadKubeconfig, openHttpTransport, readLines, type KubeObject } from '@gantry/client'
import { readWholeBody, systemClock } from '@gantry/runtime'
import { hubUnderTest } from './testing/hub-under-test.ts'
import { gantry } from './testing/test-platform.ts'

const { startPlatform } = hubUnderTest(import.meta.url)

const core = { group: '', version: 'v1', namespaced: true }
const configMaps = { ...core, resource: 'configmaps', kind: 'ConfigMap' }
const namespaces = { ...core, resource: 'namespaces', kind: 'Namespace', namespaced: false }
interface Wire {
  readonly metadata: { readonly resourceVersion: string }
  readonly rows: readonly { readonly object: KubeObject }[]
  readonly items: readonly { readonly namespace: string }[]
}
const accept = { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1,application/json' }

test('the fleet shows each user what the permissions say, and ends a watch when they change', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-fleet-'))
  try {
    await using platform = await startPlatform(dir)
    const kubeconfig = await readFile(platform.kubeconfig, 'utf8')
    await using connection = connectPlatform(kubeconfig, { clock: systemClock })
    const { signal } = new AbortController()
    await connection.call('POST', '/platform/v1/users', { body: { name: 'ada', password: 'a long enough password' }, signal })
    const { key } = (await connection.call('POST', '/platform/v1/apikeys', { body: { user: 'ada' }, signal })) as { readonly key: string }
    await using transport = openHttpTransport({ ...loadKubeconfig(kubeconfig).transport, server: platform.server, token: () => key })
    const ada = createClient({ handle: transport.handle })
    const read = async (client: typeof ada, path: string, query = ''): Promise<{ status: number; value: Wire }> => {
      const response = await client.request({ method: 'GET', path, query, headers: accept })
      return { status: response.status, value: JSON.parse((await readWholeBody(response)).toString('utf8')) as Wire }
    }
    const names = async (client: typeof ada): Promise<readonly string[]> =>
      (await read(client, '/fleet/api/v1/configmaps')).value.rows.map(({ object }) => object.metadata.name ?? '').filter((name) => /:(hers|his)$/.test(name))

    for (const [namespace, name] of [
      ['shop', 'hers'],
      ['bank', 'his'],
    ] as const) {
      await connection.hub.create(namespaces, { metadata: { name: namespace } })
      await connection.hub.create(configMaps, { metadata: { name, namespace } })
    }
    assert.equal((await read(ada, '/fleet/api/v1/configmaps')).status, 403)
    const binding = { role: 'project-viewer', cluster: 'local', namespaces: ['shop'], subjects: [{ kind: 'User', name: 'ada' }] }
    await connection.hub.create(accessRoleBindingKind.ref, {
      apiVersion: accessRoleBindingKind.apiVersion,
      kind: accessRoleBindingKind.kind,
      metadata: { name: 'ada' },
      spec: binding,
    } as KubeObject)

    assert.deepEqual(await names(connection.hub), ['local:his', 'local:hers'])
    assert.deepEqual(await names(ada), ['local:hers'])
    assert.equal((await read(ada, '/fleet/api/v1/secrets')).status, 403)
    assert.equal((await read(ada, '/fleet/api/v1/namespaces/shop/configmaps/local:hers')).status, 200)
    assert.equal((await read(ada, '/fleet/api/v1/namespaces/bank/configmaps/local:his')).status, 403)
    const search = await read(ada, '/platform/v1/fleet/search', 'q=kind%3Aconfigmap')
    assert.deepEqual([...new Set(search.value.items.map(({ namespace }) => namespace))], ['shop'])
    assert.match((await gantry(dir, 'fleet', 'get', 'configmaps', '--namespace', 'bank')).out, /^CLUSTER +NAMESPACE +NAME +DATA +AGE\n[^]*local +bank +his/)
    assert.match((await gantry(dir, 'fleet', 'search', 'kind:cm name:hers')).out, /^CLUSTER +KIND +NAMESPACE +NAME +STATUS +AGE\nlocal +ConfigMap +shop +hers/)

    const list = await read(ada, '/fleet/api/v1/configmaps')
    const watch = await ada.request({
      method: 'GET',
      path: '/fleet/api/v1/configmaps',
      query: `watch=1&resourceVersion=${list.value.metadata.resourceVersion}`,
      headers: accept,
    })
    const lines = readLines(watch, { signal: AbortSignal.timeout(10_000), maxLineBytes: 1 << 20, highWaterBytes: 1 << 20 })
    await connection.hub.create(configMaps, { metadata: { name: 'also-his', namespace: 'bank' } })
    await connection.hub.create(configMaps, { metadata: { name: 'also-hers', namespace: 'shop' } })
    assert.match(String((await lines.next()).value), /"ADDED".*local:also-hers/)
    await connection.hub.delete(accessRoleBindingKind.ref, { name: 'ada' })
    const rest: string[] = []
    try {
      for await (const line of lines) rest.push(line.toString('utf8'))
    } catch (error) {
      // Revocation may cut the connection before the watch has said why.
      rest.push(String(error))
    }
    assert.ok(rest.length <= 2 && !rest.join('').includes('ADDED'), rest.join('\n'))
    assert.equal((await read(ada, '/fleet/api/v1/configmaps')).status, 403)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
