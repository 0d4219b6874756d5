import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDocuments, parseObject, toYaml } from './yaml-documents.ts'

const pod = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n'

test('reads every document and leaves out empty ones', () => {
  const documents = parseDocuments(`---\n# a comment\n---\n${pod}---\n\n---\n${pod.replace('name: a', 'name: b')}`)
  assert.deepEqual(
    documents.map((document) => (document.result.ok ? document.result.object.metadata.name : document.result.message)),
    ['a', 'b'],
  )
})

test('unfolds a List into its items', () => {
  const [first, second] = parseDocuments(
    'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n',
  )
  assert.equal(first?.result.ok && first.result.object.metadata.name, 'a')
  assert.equal(second?.result.ok && second.result.object.metadata.name, 'b')
})

test('keeps the other documents when one is broken, and says where it is', () => {
  const [broken, good] = parseDocuments(`kind: [\n---\n${pod}`)
  assert.equal(broken?.result.ok, false)
  assert.equal(broken?.line, 1)
  assert.equal(good?.result.ok, true)
  assert.equal(good?.line, 3)
})

test('names the field that a document lacks', () => {
  const messages = ['kind: Pod', 'apiVersion: v1\nmetadata: {name: a}', 'apiVersion: v1\nkind: Pod', 'hello']
    .map((text) => parseObject(text))
    .map((result) => (result.ok ? '' : result.message))
  assert.deepEqual(messages, ['apiVersion is missing', 'kind is missing', 'metadata.name is missing', 'expected an object with apiVersion, kind and metadata'])
})

test('accepts generateName instead of a name', () => assert.equal(parseObject('apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}').ok, true))

test('reads file modes, booleans and merge keys as kubectl does', () => {
  const text = `${pod}base: &base {color: blue}\nmode: 0644\nplain: 644\nenabled: yes\nmerged:\n  <<: *base\n  size: 1\ndate: 2026-01-02\n`
  const result = parseObject(text)
  assert.ok(result.ok)
  const { mode, plain, enabled, merged, date } = result.object as unknown as Record<string, unknown>
  assert.deepEqual({ mode, plain, enabled, merged, date }, { mode: 420, plain: 644, enabled: true, merged: { color: 'blue', size: 1 }, date: '2026-01-02' })
})

test('writes strings that look like other types so that they stay strings', () => {
  const object = { a: '0644', b: 'yes', c: 'null', d: '1e3', e: '2026-01-02', f: 'line\nline\n' }
  const result = parseObject(`${pod}x:\n${toYaml(object).replace(/^/gm, '  ')}`)
  assert.ok(result.ok)
  assert.deepEqual((result.object as unknown as { x: unknown }).x, object)
})
