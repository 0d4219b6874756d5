import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { findCondition } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Deployment, Namespace, OwnerReference, PersistentVolume, PersistentVolumeClaim, Pod, ReplicaSet, Volume } from '@gantry/kube-api'

/** A cluster with our controllers, our scheduler and simulated nodes: whose API server it is, the bodies do not know. */
export interface Target extends AsyncDisposable {
  readonly client: KubeClient
  /** Lets time pass in small steps until the condition holds; fails with `what` when it does not. */
  readonly until: (what: string, condition: () => Promise<boolean>) => Promise<void>
}

const widgets: ResourceRef = { group: 'example.dev', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }

async function newNamespace({ client, until }: Target, name: string): Promise<string> {
  await client.create(resources.namespaces, { metadata: { name } })
  await until('the namespace is furnished', async () => !(await isGone(client, resources.serviceAccounts, { namespace: name, name: 'default' })))
  return name
}

async function names(client: KubeClient, resource: ResourceRef, namespace: string): Promise<(string | undefined)[]> {
  return (await client.list(resource, { namespace })).items.map((item) => item.metadata.name)
}

function deployment(namespace: string, image = 'web:1'): Deployment {
  const name = 'web'
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image }] } },
    },
  }
}

async function isGone(client: KubeClient, resource: ResourceRef, key: { readonly namespace?: string; readonly name: string }): Promise<boolean> {
  try {
    await client.get(resource, key)
    return false
  } catch (error) {
    if (isReason(error, 'NotFound')) return true
    throw error
  }
}

const rolledOut = async (client: KubeClient, namespace: string): Promise<boolean> => {
  const { status, metadata } = await client.get<Deployment>(resources.deployments, { namespace, name: 'web' })
  return status?.availableReplicas === 3 && status.updatedReplicas === 3 && status.replicas === 3 && status.observedGeneration === metadata.generation
}

/** The behaviour of the controllers, against any API server. `start` gives a cluster, new or shared: each body has a namespace of its own. */
export function describeControllers(start: () => Promise<Target>): void {
  test('a Deployment runs on the real API: rolls out, rolls over, rolls back and leaves nothing behind', async () => {
    await using cluster = await start()
    const { client } = cluster
    const namespace = await newNamespace(cluster, 'rolls')
    await client.create(resources.deployments, deployment(namespace))
    await cluster.until('the first rollout ends', () => rolledOut(client, namespace))

    const patch = (image: string): Promise<Deployment> =>
      client.patch(
        resources.deployments,
        { namespace, name: 'web' },
        { type: 'strategic', body: { spec: { template: { spec: { containers: [{ name: 'c', image }] } } } } },
      )
    await patch('web:2')
    await cluster.until('the second rollout ends', () => rolledOut(client, namespace))
    await patch('web:1')
    await cluster.until('the rollback ends', () => rolledOut(client, namespace))

    const found = await client.get<Deployment>(resources.deployments, { namespace, name: 'web' })
    assert.equal(found.metadata.annotations?.['deployment.kubernetes.io/revision'], '3')
    assert.equal(findCondition(found.status?.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable')
    const sets = (await client.list<ReplicaSet>(resources.replicaSets, { namespace })).items
    assert.equal(sets.length, 2)

    await client.delete(resources.deployments, { namespace, name: 'web' }, { propagationPolicy: 'Background' })
    await cluster.until('ReplicaSets and pods are collected', async () => {
      return (await names(client, resources.replicaSets, namespace)).length === 0 && (await names(client, resources.pods, namespace)).length === 0
    })
  })

  test('foreground deletion ends with pods, ReplicaSet and Deployment gone, in this order', async () => {
    await using cluster = await start()
    const { client } = cluster
    const namespace = await newNamespace(cluster, 'foreground')
    await client.create(resources.deployments, deployment(namespace))
    await cluster.until('the rollout ends', () => rolledOut(client, namespace))

    await client.delete(resources.deployments, { namespace, name: 'web' }, { propagationPolicy: 'Foreground' })
    await cluster.until('the Deployment is gone', async () => {
      // The owner is looked at first: what it waits for can only have gone meanwhile, never come back.
      const gone = await isGone(client, resources.deployments, { namespace, name: 'web' })
      const sets = await names(client, resources.replicaSets, namespace)
      const pods = await names(client, resources.pods, namespace)
      if (gone) assert.deepEqual(sets, [])
      if (sets.length === 0) assert.deepEqual(pods, [])
      return gone
    })
    assert.deepEqual(await names(client, resources.replicaSets, namespace), [])
  })

  test('orphaning a Deployment keeps its ReplicaSet and pods', async () => {
    await using cluster = await start()
    const { client } = cluster
    const namespace = await newNamespace(cluster, 'orphans')
    await client.create(resources.deployments, deployment(namespace))
    await cluster.until('the rollout ends', () => rolledOut(client, namespace))

    await client.delete(resources.deployments, { namespace, name: 'web' }, { propagationPolicy: 'Orphan' })
    await cluster.until('the Deployment is gone', () => isGone(client, resources.deployments, { namespace, name: 'web' }))

    const [set] = (await client.list<ReplicaSet>(resources.replicaSets, { namespace })).items
    assert.deepEqual(set?.metadata.ownerReferences ?? [], [])
    assert.equal((await names(client, resources.pods, namespace)).length, 3)
  })

  test('a namespace takes everything in it along, custom resources too, and says what it waits for', async () => {
    await using cluster = await start()
    const { client } = cluster
    await client.create(resources.customResourceDefinitions, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.dev' },
      spec: {
        group: 'example.dev',
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } } }],
      },
    } as KubeObject)
    await newNamespace(cluster, 'team')
    await client.create(resources.deployments, deployment('team'))
    await client.create(resources.configMaps, { metadata: { name: 'settings', namespace: 'team', finalizers: ['example.dev/keep'] } })
    await cluster.until('the custom resource is served', async () => {
      try {
        await client.create(widgets, { apiVersion: 'example.dev/v1', kind: 'Widget', metadata: { name: 'w', namespace: 'team' } })
        return true
      } catch (error) {
        if (isReason(error, 'NotFound')) return false
        throw error
      }
    })
    await cluster.until('the pods run', async () => {
      const { items } = await client.list<Pod>(resources.pods, { namespace: 'team' })
      return items.length === 3 && items.every((pod) => pod.status?.phase === 'Running')
    })

    await client.delete(resources.namespaces, { name: 'team' })
    await cluster.until('only the kept object is left', async () => {
      const { status } = await client.get<Namespace>(resources.namespaces, { name: 'team' })
      return findCondition(status?.conditions, 'NamespaceFinalizersRemaining')?.status === 'True' && (await names(client, widgets, 'team')).length === 0
    })
    const { status } = await client.get<Namespace>(resources.namespaces, { name: 'team' })
    assert.equal(status?.phase, 'Terminating')
    assert.equal(findCondition(status?.conditions, 'NamespaceContentRemaining')?.message, 'Some resources are remaining: configmaps. has 1 resource instances')
    assert.equal(
      findCondition(status?.conditions, 'NamespaceFinalizersRemaining')?.message,
      'Some content in the namespace has finalizers remaining: example.dev/keep in 1 resource instances',
    )
    assert.deepEqual(await names(client, resources.pods, 'team'), [])

    await client.patch(resources.configMaps, { namespace: 'team', name: 'settings' }, { type: 'merge', body: { metadata: { finalizers: null } } })
    await cluster.until('the namespace is gone', () => isGone(client, resources.namespaces, { name: 'team' }))
  })

  test('collects what an owner of any kind leaves behind', async () => {
    await using cluster = await start()
    const { client } = cluster
    const namespace = await newNamespace(cluster, 'collects')
    const owner = await client.create<KubeObject>(resources.configMaps, { metadata: { name: 'owner', namespace } })
    await client.create(resources.secrets, {
      metadata: { name: 'owned', namespace, ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid ?? '' }] },
    })

    await client.delete(resources.configMaps, { namespace, name: 'owner' })

    await cluster.until('the secret is collected', async () => (await names(client, resources.secrets, namespace)).length === 0)
  })

  test('a claim stays while a pod on a node names it, finished or not, and goes with the last of them', async () => {
    await using cluster = await start()
    const { client } = cluster
    const namespace = await newNamespace(cluster, 'claims')
    const claim = (name: string, ownerReferences: OwnerReference[] = []): PersistentVolumeClaim => ({
      metadata: { name, namespace, ownerReferences },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    const pod = (name: string, volume: Volume, nodeName?: string): Pod => ({
      metadata: { name, namespace },
      spec: { containers: [{ name: 'c', image: 'web:1' }], volumes: [volume], terminationGracePeriodSeconds: 0, ...(nodeName !== undefined && { nodeName }) },
    })
    const remove = (name: string): Promise<unknown> => client.delete(resources.persistentVolumeClaims, { namespace, name })
    const isLeft = async (name: string): Promise<boolean> => !(await isGone(client, resources.persistentVolumeClaims, { namespace, name }))
    const goes = (name: string): Promise<void> => cluster.until(`the claim ${name} goes`, async () => !(await isLeft(name)))
    for (const name of ['finished', 'unused', 'waiting', 'last']) await client.create(resources.persistentVolumeClaims, claim(name))
    await client.create(resources.pods, pod('done', { name: 'data', persistentVolumeClaim: { claimName: 'finished' } }, 'sim-1'))
    const gated = pod('waits', { name: 'data', persistentVolumeClaim: { claimName: 'waiting' } })
    await client.create(resources.pods, { ...gated, spec: { ...gated.spec, schedulingGates: [{ name: 'example.dev/later' }] } })
    // A pod that carries the claim of another pod's making: the claim is not in use by it.
    await client.create(resources.pods, pod('stranger', { name: 'last', ephemeral: { volumeClaimTemplate: { spec: claim('').spec ?? {} } } }, 'sim-1'))
    await client.create(resources.persistentVolumeClaims, claim('stranger-last'))
    await client.patch(resources.pods, { namespace, name: 'done' }, { type: 'merge', subresource: 'status', body: { status: { phase: 'Succeeded' } } })

    await remove('finished')
    for (const name of ['unused', 'waiting', 'stranger-last', 'last']) {
      await remove(name)
      await goes(name)
    }
    assert.ok(await isLeft('finished'))

    await client.delete(resources.pods, { namespace, name: 'done' }, { gracePeriodSeconds: 0 })
    await goes('finished')
  })

  test("a pod's own claim stays until its node is done with the pod", async () => {
    await using cluster = await start()
    const { client } = cluster
    const namespace = await newNamespace(cluster, 'owned-claims')
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    const owner = await client.create<Pod>(resources.pods, {
      metadata: { name: 'app', namespace, finalizers: ['example.dev/keep'] },
      spec: { nodeName: 'sim-1', containers: [{ name: 'c', image: 'web:1' }], volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }] },
    })
    const controller = { apiVersion: 'v1', kind: 'Pod', name: 'app', uid: owner.metadata.uid ?? '', controller: true }
    const key = { namespace, name: 'app-scratch' }
    await client.create<PersistentVolumeClaim>(resources.persistentVolumeClaims, { metadata: { ...key, ownerReferences: [controller] }, spec })
    await client.create<PersistentVolumeClaim>(resources.persistentVolumeClaims, { metadata: { name: 'other', namespace }, spec })

    for (const name of ['app-scratch', 'other']) await client.delete(resources.persistentVolumeClaims, { namespace, name })
    await cluster.until('the unused claim goes', () => isGone(client, resources.persistentVolumeClaims, { namespace, name: 'other' }))
    assert.ok(!(await isGone(client, resources.persistentVolumeClaims, key)))

    await client.delete(resources.pods, { namespace, name: 'app' }, { gracePeriodSeconds: 0 })
    await cluster.until('the claim goes before the pod', () => isGone(client, resources.persistentVolumeClaims, key))
    assert.ok(!(await isGone(client, resources.pods, { namespace, name: 'app' })))
    await client.patch(resources.pods, { namespace, name: 'app' }, { type: 'merge', body: { metadata: { finalizers: null } } })
  })

  test('a volume stays while it is bound, and is protected where it was not', async () => {
    await using cluster = await start()
    const { client } = cluster
    const volume = (name: string): PersistentVolume => ({
      metadata: { name },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain', hostPath: { path: '/data' } },
    })
    const setPhase = (name: string, phase: string): Promise<unknown> =>
      client.patch(resources.persistentVolumes, { name }, { type: 'merge', subresource: 'status', body: { status: { phase } } })
    for (const name of ['bound', 'free']) await client.create(resources.persistentVolumes, volume(name))
    await client.patch(resources.persistentVolumes, { name: 'free' }, { type: 'merge', body: { metadata: { finalizers: null } } })
    await cluster.until('the volume is protected', async () => {
      const { metadata } = await client.get(resources.persistentVolumes, { name: 'free' })
      return metadata.finalizers?.includes('kubernetes.io/pv-protection') === true
    })
    await setPhase('bound', 'Bound')

    for (const name of ['bound', 'free']) await client.delete(resources.persistentVolumes, { name })
    await cluster.until('the free volume goes', () => isGone(client, resources.persistentVolumes, { name: 'free' }))
    assert.ok(!(await isGone(client, resources.persistentVolumes, { name: 'bound' })))

    await setPhase('bound', 'Released')
    await cluster.until('the released volume goes', () => isGone(client, resources.persistentVolumes, { name: 'bound' }))
  })
}
