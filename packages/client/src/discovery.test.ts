import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { discoverResources } from './discovery.ts'

test('lists resources of all groups, marks the preferred version and names stale ones', async () => {
  const answers: Record<string, unknown> = {
    '/api': {
      items: [
        { metadata: {}, versions: [{ version: 'v1', resources: [{ resource: 'rooms', responseKind: { kind: 'Room' }, scope: 'Cluster', verbs: ['get'] }] }] },
      ],
    },
    '/apis': {
      items: [
        {
          metadata: { name: 'a.dev' },
          versions: [
            { version: 'v2', resources: [{ resource: 'cups', responseKind: { kind: 'Cup' }, scope: 'Namespaced', verbs: ['get', 'list'] }] },
            { version: 'v1', freshness: 'Stale', resources: [{ resource: 'cups', responseKind: { kind: 'Cup' }, scope: 'Namespaced', verbs: ['get'] }] },
          ],
        },
      ],
    },
  }
  const found = await discoverResources({
    request: async ({ path }) => ({ status: 200, headers: {}, body: JSON.stringify(answers[path]) }),
  })

  assert.deepEqual(
    found.resources.map((one) => `${one.group}/${one.version}/${one.resource} ${one.kind} ${one.namespaced} ${one.preferred} ${one.verbs.join()}`),
    ['/v1/rooms Room false true get', 'a.dev/v2/cups Cup true true get,list', 'a.dev/v1/cups Cup true false get'],
  )
  assert.deepEqual(found.stale, ['a.dev/v1'])
})

test('throws what the server answers instead', async () => {
  const denied = { status: 403, headers: {}, body: 'no' }
  await assert.rejects(discoverResources({ request: async () => denied }), (error) => isReason(error, 'Forbidden'))
})
