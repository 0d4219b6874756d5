import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { realSchema, realTypes } from '../test/real-types.ts'
import type { JsonObject } from './json-value.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'

const { definitions } = realTypes

function patchDeployment(live: JsonObject, patch: unknown): JsonObject {
  return applyStrategicMergePatch(live, patch, { schema: realSchema('apps/v1', 'Deployment'), definitions })
}

function patchPod(spec: JsonObject, patch: unknown): unknown {
  return applyStrategicMergePatch({ spec }, { spec: patch }, { schema: realSchema('v1', 'Pod'), definitions })['spec']
}

const web = { name: 'web', image: 'web:1', env: [{ name: 'A', value: '1' }] }
const side = { name: 'side', image: 'side:1' }

describe('applyStrategicMergePatch', () => {
  const applied: readonly (readonly [what: string, spec: JsonObject, patch: unknown, result: unknown])[] = [
    [
      'merges list items by their key',
      { containers: [web, side] },
      { containers: [{ name: 'web', image: 'web:2' }] },
      { containers: [{ ...web, image: 'web:2' }, side] },
    ],
    ['adds items, the new one first as upstream orders it', { containers: [web] }, { containers: [side] }, { containers: [side, web] }],
    ['deletes items', { containers: [web, side] }, { containers: [{ name: 'web', $patch: 'delete' }] }, { containers: [side] }],
    ['replaces a list', { containers: [web, side] }, { containers: [{ $patch: 'replace' }, { name: 'x' }] }, { containers: [{ name: 'x' }] }],
    [
      'orders as $setElementOrder says',
      { containers: [web, side] },
      { '$setElementOrder/containers': [{ name: 'side' }, { name: 'web' }], containers: [{ name: 'web', image: 'web:2' }] },
      { containers: [side, { ...web, image: 'web:2' }] },
    ],
    [
      'replaces a map',
      { securityContext: { runAsUser: 1 } },
      { securityContext: { $patch: 'replace', runAsGroup: 2 } },
      { securityContext: { runAsGroup: 2 } },
    ],
    ['empties a map', { securityContext: { runAsUser: 1 } }, { securityContext: { $patch: 'delete' } }, { securityContext: {} }],
    ['replaces lists without a strategy', { tolerations: [{ key: 'a' }] }, { tolerations: [{ key: 'b' }] }, { tolerations: [{ key: 'b' }] }],
    ['removes with null', { nodeName: 'a', priority: 1 }, { nodeName: null }, { priority: 1 }],
    [
      'keeps only the retained keys',
      { volumes: [{ name: 'v', emptyDir: {} }] },
      { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
      { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
    ],
  ]
  for (const [what, spec, patch, result] of applied) {
    it(what, () => {
      const before = structuredClone([spec, patch])
      assert.deepEqual(patchPod(spec, patch), result)
      assert.deepEqual([spec, patch], before)
    })
  }

  it('merges and deletes in lists of plain values', () => {
    const live = { metadata: { finalizers: ['a', 'b'] } }

    assert.deepEqual(patchDeployment(live, { metadata: { finalizers: ['c'] } }), { metadata: { finalizers: ['c', 'a', 'b'] } })
    assert.deepEqual(patchDeployment(live, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } }), { metadata: { finalizers: ['b'] } })
  })

  it('switches a Deployment to Recreate with $retainKeys', () => {
    const live = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } }
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }

    assert.deepEqual(patchDeployment(live, patch), { spec: { strategy: { type: 'Recreate' } } })
  })

  const refused: readonly (readonly [patch: unknown, reason: string, message: string])[] = [
    [{ containers: [{ image: 'x' }] }, '', 'map: map[image:x] does not contain declared merge key: name'],
    [{ containers: [{ name: 'web', $patch: 'merge' }] }, '', 'merging lists cannot yet be specified in the patch'],
    [{ securityContext: { $patch: 'x' } }, '', 'unknown patch type: x in map: map[$patch:x]'],
    [{ securityContext: { $retainKeys: 1 } }, 'BadRequest', 'invalid patch format of retainKeys'],
    [{ $deleteFromPrimitiveList: ['x'] }, 'BadRequest', 'invalid patch format of primitive list'],
    [{ '$setElementOrder/containers': 'x' }, '', 'expected a []interface {}, but received a string'],
    [
      { '$setElementOrder/containers': [{ name: 'side' }], containers: [{ name: 'web' }] },
      '',
      "The order in patch list:\n[map[name:web]]\n doesn't match $setElementOrder list:\n[map[name:side]]\n",
    ],
  ]
  for (const [patch, reason, message] of refused) {
    it(`refuses ${JSON.stringify(patch)} with upstream's text`, () => {
      assert.throws(() => patchPod({ containers: [web], securityContext: {} }, patch), { reason, message })
    })
  }

  it('names a field it does not know', () => {
    assert.throws(() => patchPod({ foo: {} }, { foo: { a: 1 } }), { code: 500, message: 'unable to find api field in struct PodSpec for the json field "foo"' })
  })

  it('refuses what is no object', () => {
    assert.throws(() => patchDeployment({}, []), {
      reason: 'BadRequest',
      message: 'json: cannot unmarshal array into Go value of type map[string]interface {}',
    })
  })
})
