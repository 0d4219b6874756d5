import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const podSpec = { containers: [{ name: 'c', image: 'registry.example.com/app:1' }], automountServiceAccountToken: false }
const labels = { app: 'web' }
const workload = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } }
const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: '6f1f4a1e-6b0a-4d0e-9d2f-2f1f0c9b7a11' }
const change = { metadata: { labels: { by: 'status' }, annotations: { by: 'status' }, ownerReferences: [owner] } }

interface Case {
  readonly group: string
  readonly plural: string
  readonly spec: Json
  readonly changes: readonly ('labels' | 'annotations' | 'ownerReferences')[]
}
const everything = ['labels', 'annotations', 'ownerReferences'] as const

/** What a controller may note in the metadata with a write of the status. */
const cases: readonly Case[] = [
  { group: 'apps/v1', plural: 'deployments', spec: { ...workload, replicas: 0 }, changes: ['annotations', 'ownerReferences'] },
  { group: 'apps/v1', plural: 'replicasets', spec: { ...workload, replicas: 0 }, changes: everything },
  { group: 'apps/v1', plural: 'statefulsets', spec: { ...workload, replicas: 0, serviceName: 'x' }, changes: everything },
  { group: 'v1', plural: 'pods', spec: podSpec, changes: ['labels', 'annotations'] },
  { group: 'v1', plural: 'services', spec: { ports: [{ port: 80 }] }, changes: everything },
  { group: 'networking.k8s.io/v1', plural: 'ingresses', spec: { defaultBackend: { service: { name: 'x', port: { number: 80 } } } }, changes: everything },
]

export const statusWrites = conformance('writes of the status', ({ api, claim }) => {
  for (const { group, plural, spec, changes } of cases) {
    claim(`let the status of ${plural} change ${changes.join(', ')} of the metadata (C5)`, async (t) => {
      const namespace = await api.namespace(t)
      const collection = `${group === 'v1' ? namespace : namespace.replace('/api/v1', `/apis/${group}`)}/${plural}`
      await api.create(collection, { metadata: { name: 'x' }, spec })

      const { code, json } = await api.patch('merge', `${collection}/x/status`, change)

      assert.equal(code, 200, JSON.stringify(json))
      const changed = everything.filter((field) => JSON.stringify(json.metadata[field]) === JSON.stringify(change.metadata[field]))
      assert.deepEqual(changed, changes)
    })
  }

  claim('leave the metadata of newer kinds alone (C5)', async (t) => {
    const collection = '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas'
    const schema = { metadata: { name: uniqueName('status') }, spec: { priorityLevelConfiguration: { name: 'exempt' } } }
    const { name } = (await api.createForTest(t, collection, schema)).metadata

    const { code, json } = await api.patch('merge', `${collection}/${name}/status`, change)

    assert.equal(code, 200)
    assert.deepEqual([json.metadata.labels, json.metadata.annotations, json.metadata.ownerReferences], [undefined, undefined, undefined])
  })

  claim('owns the metadata that it changes, where the kind lets it (P3)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/replicationcontrollers`
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'app' }] } }
    await api.create(path, { metadata: { name: 'one' }, spec: { template } })

    const { json } = await api.patch('merge', `${path}/one/status?fieldManager=editor`, { metadata: { annotations: { x: 'y' } }, status: { replicas: 1 } })
    const { fieldsV1 } = json.metadata.managedFields.find(({ manager }: Json) => manager === 'editor')

    assert.deepEqual(Object.keys(fieldsV1), ['f:metadata', 'f:status'])
  })
})
