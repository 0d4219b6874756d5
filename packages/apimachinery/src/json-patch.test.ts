import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { applyJsonPatch } from './json-patch.ts'

const document = { metadata: { name: 'a', labels: { app: 'web' } }, list: [1, 2, 3], 'a/b': { 'm~n': 1 } }

describe('applyJsonPatch', () => {
  const applied: readonly (readonly [what: string, patch: unknown, result: unknown])[] = [
    ['adds a member', [{ op: 'add', path: '/x', value: 1 }], { ...document, x: 1 }],
    ['adds into a list', [{ op: 'add', path: '/list/1', value: 9 }], { ...document, list: [1, 9, 2, 3] }],
    ['appends to a list', [{ op: 'add', path: '/list/-', value: 9 }], { ...document, list: [1, 2, 3, 9] }],
    ['counts negative indices from the end', [{ op: 'remove', path: '/list/-1' }], { ...document, list: [1, 2] }],
    ['replaces an absent member', [{ op: 'replace', path: '/x', value: 1 }], { ...document, x: 1 }],
    ['resolves escaped pointers', [{ op: 'replace', path: '/a~1b/m~0n', value: 2 }], { ...document, 'a/b': { 'm~n': 2 } }],
    ['moves', [{ op: 'move', from: '/list/0', path: '/first' }], { ...document, list: [2, 3], first: 1 }],
    [
      'copies by value',
      [
        { op: 'copy', from: '/metadata/labels', path: '/copy' },
        { op: 'add', path: '/copy/app', value: 'x' },
      ],
      { ...document, copy: { app: 'x' } },
    ],
    ['takes a test of null for an absent member', [{ op: 'test', path: '/x', value: null }], document],
    ['does nothing for an empty patch', [], document],
  ]
  for (const [what, patch, result] of applied) {
    it(what, () => {
      const before = structuredClone(document)
      assert.deepEqual(applyJsonPatch(document, patch), result)
      assert.deepEqual(document, before)
    })
  }

  const refused: readonly (readonly [what: string, patch: unknown])[] = [
    ['a failed test', [{ op: 'test', path: '/metadata/name', value: 'b' }]],
    ['a missing parent', [{ op: 'add', path: '/x/y', value: 1 }]],
    ['removing what is not there', [{ op: 'remove', path: '/x' }]],
    ['an index past the end', [{ op: 'add', path: '/list/5', value: 1 }]],
    ['an unknown operation', [{ op: 'merge', path: '/x', value: 1 }]],
    [
      'copies that would fill the memory',
      [{ op: 'add', path: '/big', value: 'x'.repeat(1_000_000) }, ...Array.from({ length: 4 }, (_, i) => ({ op: 'copy', from: '/big', path: `/b${i}` }))],
    ],
  ]
  for (const [what, patch] of refused) {
    it(`refuses ${what} with upstream's generic text`, () => {
      assert.throws(() => applyJsonPatch(document, patch), {
        reason: 'Invalid',
        code: 422,
        message: 'the server rejected our request due to an error in our request',
        details: {},
      })
    })
  }

  it('refuses what is no patch', () => {
    assert.throws(() => applyJsonPatch(document, {}), {
      reason: 'BadRequest',
      message: 'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    })
    assert.throws(() => applyJsonPatch(document, [{ op: 'add', path: 1 }]), {
      message: 'error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string',
    })
  })

  it('refuses more than 10,000 operations', () => {
    const patch = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/list/0', value: 1 }))

    assert.throws(() => applyJsonPatch(document, patch), {
      code: 413,
      message: 'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
    })
  })

  it('writes __proto__ as data and leaves prototypes alone', () => {
    const result = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]) as object

    assert.deepEqual(Object.keys(result), ['__proto__'])
    assert.throws(() => applyJsonPatch({}, [{ op: 'add', path: '/constructor/prototype/polluted', value: true }]), { reason: 'Invalid' })
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })
})
