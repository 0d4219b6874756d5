import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAggregated, parseResourceList } from './discovery.ts'

test('reads aggregated discovery with subresources and preferred versions', () => {
  const resource = (version: string) => ({
    version,
    resources: [
      {
        resource: 'deployments',
        responseKind: { kind: 'Deployment' },
        scope: 'Namespaced',
        verbs: ['list'],
        shortNames: ['deploy'],
        subresources: [{ subresource: 'scale' }],
      },
    ],
  })
  const served = parseAggregated({ items: [{ metadata: { name: 'apps' }, versions: [resource('v1'), resource('v1beta1')] }] })
  assert.deepEqual(served[0], {
    group: 'apps',
    version: 'v1',
    plural: 'deployments',
    kind: 'Deployment',
    namespaced: true,
    verbs: ['list'],
    shortNames: ['deploy'],
    subresources: ['scale'],
    preferred: true,
  })
  assert.equal(served[1]?.preferred, false)
})

test('reads the plain documents of older servers the same way', () => {
  const resources = [
    { name: 'pods', kind: 'Pod', namespaced: true, verbs: ['list'] },
    { name: 'pods/log', kind: 'Pod', namespaced: true, verbs: ['get'] },
  ]
  const [pods] = parseResourceList({ groupVersion: 'v1', resources }, true)
  assert.deepEqual([pods?.group, pods?.version, pods?.plural, pods?.subresources], ['', 'v1', 'pods', ['log']])
})
