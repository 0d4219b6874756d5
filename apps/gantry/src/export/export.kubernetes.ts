import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { createClient, loadKubeconfig, openHttpTransport } from '@gantry/client'
import type { HttpTransport, KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { systemClock, systemIds } from '@gantry/runtime'
import { describeRefusals } from '../testing/export-refusals.ts'
import { gantry, startTestPlatform } from '../testing/test-platform.ts'

// `CONFORMANCE_CONTROL_PLANE=DIR` takes a control plane that runs already.
let root = ''
let kubeconfig = ''
let transport: HttpTransport | undefined
let stopPlane = (): Promise<void> => Promise.resolve()

const shop = `k8dur-export-${systemIds
  .secret(4)
  .toLowerCase()
  .replaceAll(/[^a-z0-9]/g, '0')}`
const group = 'k8dur.example.com'

function ref(resource: string, kind: string, more: Partial<ResourceRef> = {}): ResourceRef {
  return { group: '', version: 'v1', namespaced: true, resource, kind, ...more }
}

const refs = {
  namespaces: ref('namespaces', 'Namespace', { namespaced: false }),
  configMaps: ref('configmaps', 'ConfigMap'),
  secrets: ref('secrets', 'Secret'),
  services: ref('services', 'Service'),
  roles: ref('roles', 'Role', { group: 'rbac.authorization.k8s.io' }),
  deployments: ref('deployments', 'Deployment', { group: 'apps' }),
  replicaSets: ref('replicasets', 'ReplicaSet', { group: 'apps' }),
  jobs: ref('jobs', 'Job', { group: 'batch' }),
  definitions: ref('customresourcedefinitions', 'CustomResourceDefinition', { group: 'apiextensions.k8s.io', namespaced: false }),
  berths: ref('berths', 'Berth', { group }),
}
const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'example.com/web:1' }] } }

async function fill(hub: KubeClient): Promise<void> {
  const create = (to: ResourceRef, name: string, more: object): Promise<KubeObject> =>
    hub.create(to, {
      apiVersion: to.group === '' ? to.version : `${to.group}/${to.version}`,
      kind: to.kind,
      metadata: { name, ...(to.namespaced ? { namespace: shop } : {}) },
      ...more,
    } as KubeObject)
  await create(refs.namespaces, shop, {})
  await create(refs.definitions, `berths.${group}`, {
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'berths', singular: 'berth', kind: 'Berth', listKind: 'BerthList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { length: { type: 'integer' } } } } } },
        },
      ],
    },
  })
  const settings = await create(refs.configMaps, 'settings', { data: { level: 'info' } })
  await hub.create(refs.configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'owned',
      namespace: shop,
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'settings', uid: settings.metadata.uid ?? '' }],
    },
  })
  await create(refs.secrets, 'password', { data: { password: Buffer.from('example').toString('base64') } })
  await create(refs.services, 'web', { spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } })
  await create(refs.roles, 'reader', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] })
  await create(refs.deployments, 'web', { spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template } })
  await create(refs.jobs, 'once', { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } })
  for (let tries = 0; ; tries++) {
    try {
      await create(refs.berths, 'north', { spec: { length: 12 } })
      return
    } catch (error) {
      // A custom resource is served a moment after its definition.
      if (tries > 100) throw error
      await systemClock.sleep(20)
    }
  }
}

/** Also where no controller ends namespaces. */
async function removeAll(target: KubeClient): Promise<void> {
  for (const resource of [refs.configMaps, refs.secrets, refs.services, refs.roles, refs.deployments, refs.jobs]) {
    const { items } = await target.list(resource, { namespace: shop })
    for (const { metadata } of items) await target.delete(resource, { namespace: shop, name: metadata.name ?? '' }, { propagationPolicy: 'Background' })
  }
  await target.delete(refs.definitions, { name: `berths.${group}` })
  await target.delete(refs.namespaces, { name: shop })
  const ending = await target.get<KubeObject & { spec?: unknown }>(refs.namespaces, { name: shop })
  await target.update(refs.namespaces, { ...ending, apiVersion: 'v1', kind: 'Namespace', spec: {} } as KubeObject, { subresource: 'finalize' })
}

describe('gantry export', () => {
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'gantry-export-'))
    const running = process.env['CONFORMANCE_CONTROL_PLANE']
    if (running === undefined) {
      const plane = await startKubernetes({ dir: join(root, 'plane') })
      stopPlane = () => plane.stop()
      kubeconfig = plane.kubeconfig
    } else kubeconfig = join(running, 'admin.kubeconfig')
    transport = openHttpTransport(loadKubeconfig(await readFile(kubeconfig, 'utf8')).transport)
  })
  after(async () => {
    await transport?.close()
    await stopPlane()
    await rm(root, { recursive: true })
  })

  test('the local cluster is exported to files and into a real cluster, where everything is as it was written', async (t) => {
    const dir = join(root, 'data')
    await using platform = await startTestPlatform(dir)
    await using connection = connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })
    await fill(connection.hub)
    const target = createClient({ handle: transport!.handle })
    t.after(() => removeAll(target))

    const files = await gantry(dir, 'export', '--to', join(root, 'manifests'))
    assert.equal(files.code, 0, files.err)
    assert.match(files.err, /^left out: .*\b1 secrets \(ask for them with --secrets\)/)
    const written = (await readdir(join(root, 'manifests'), { recursive: true })).filter((name) => name.endsWith('.yaml')).toSorted()
    assert.deepEqual(written, [
      `00-customresourcedefinitions.apiextensions.k8s.io/berths.${group}.yaml`,
      `01-namespaces/${shop}.yaml`,
      `04-roles.rbac.authorization.k8s.io/${shop}_reader.yaml`,
      `07-configmaps/${shop}_owned.yaml`,
      `07-configmaps/${shop}_settings.yaml`,
      `10-services/${shop}_web.yaml`,
      `11-berths.${group}/${shop}_north.yaml`,
      `11-deployments.apps/${shop}_web.yaml`,
      `11-jobs.batch/${shop}_once.yaml`,
    ])
    const service = await readFile(join(root, 'manifests', `10-services/${shop}_web.yaml`), 'utf8')
    assert.doesNotMatch(service, /clusterIP|uid|resourceVersion|creationTimestamp|status|managedFields/)
    assert.equal((await gantry(dir, 'export', '--to', join(root, 'manifests'))).err.includes('is not empty'), true)

    const tried = await gantry(dir, 'export', '--to-kubeconfig', kubeconfig, '--secrets', '--dry-run')
    assert.equal(tried.code, 0, tried.err)
    assert.match(tried.out, /dry run against .*: 9 created, 0 changed, 0 unchanged, 1 not tried/)
    await assert.rejects(target.get(refs.namespaces, { name: shop }), /not found/)

    const applied = await gantry(dir, 'export', '--to-kubeconfig', kubeconfig, '--secrets')
    assert.equal(applied.code, 0, applied.err)
    assert.match(applied.out, /applied to .*: 10 created, 0 changed, 0 unchanged/)
    const again = await gantry(dir, 'export', '--to-kubeconfig', kubeconfig, '--secrets')
    assert.match(again.out, /applied to .*: 0 created, 0 changed, 10 unchanged/, again.err)

    const there = { namespace: shop }
    const berth = await target.get<KubeObject & { spec?: unknown }>(refs.berths, { ...there, name: 'north' })
    assert.deepEqual(berth.spec, { length: 12 })
    const owner = await target.get(refs.configMaps, { ...there, name: 'settings' })
    const owned = await target.get(refs.configMaps, { ...there, name: 'owned' })
    assert.equal(owned.metadata.ownerReferences?.[0]?.uid, owner.metadata.uid)
    const replicaSets = await target.list(refs.replicaSets, there)
    assert.equal(replicaSets.items.length, 0, 'what controllers make is left to them')

    await target.patch(refs.configMaps, { ...there, name: 'settings' }, { type: 'merge', body: { data: { level: 'debug' } } })
    const refused = await gantry(dir, 'export', '--to-kubeconfig', kubeconfig)
    assert.equal(refused.code, 1)
    assert.match(refused.err, /would refuse 1 object: configmaps k8dur-export-\w+\/settings \(Apply failed with 1 conflict.*; nothing was written/)
    const forced = await gantry(dir, 'export', '--to-kubeconfig', kubeconfig, '--force-conflicts')
    assert.match(forced.out, /0 created, 1 changed, 8 unchanged/, forced.err)
  })

  describeRefusals(() => createClient({ handle: transport!.handle }))
})
