import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JsonItems } from './json-items.ts'

function split(text: string, size: number): { readonly items: readonly unknown[]; readonly rest: unknown } {
  const parser = new JsonItems()
  const bytes = Buffer.from(text)
  const items: unknown[] = []
  for (let at = 0; at < bytes.length; at += size) for (const item of parser.take(bytes.subarray(at, at + size))) items.push(JSON.parse(item.toString('utf8')))
  return { items, rest: parser.rest() }
}

const lists = [
  { kind: 'PodList', metadata: { resourceVersion: '5', continue: 'x' }, items: [{ a: 'b]},{"' }, { items: [{ c: [] }], ü: '\\"' }, {}] },
  { kind: 'Table', columnDefinitions: [{ name: 'rows' }], rows: [{ cells: ['}', 1, null], object: { metadata: { labels: { rows: '[' } } } }], metadata: {} },
  { items: [] },
  { metadata: { items: [1] }, x: 'items' },
]
for (const [index, list] of lists.entries()) {
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    for (const indent of [0, 2]) {
      test(`takes list ${index} apart in chunks of ${size} bytes, indented by ${indent}`, () => {
        const { items, rest } = split(JSON.stringify(list, undefined, indent), size)
        const { items: given, rows, ...others } = list as { items?: unknown[]; rows?: unknown[] }
        assert.deepEqual(items, rows ?? given ?? [])
        assert.deepEqual(rest, { ...others, ...(given === undefined ? {} : { items: [] }), ...(rows === undefined ? {} : { rows: [] }) })
      })
    }
  }
}

for (const text of ['', '{', '{"items":[{}', '<html></html>', '[]]', '{"items":[{}]}}', '{"items":[{}]} {']) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => split(text, 3), /no Kubernetes list/)
  })
}

test('refuses an item that does not end, before it has taken much', () => {
  const parser = new JsonItems()
  const chunk = Buffer.alloc(1 << 20, 'x')
  assert.throws(() => {
    Array.from(parser.take(Buffer.from('{"items":[{"a":"')))
    for (let i = 0; i < 100; i++) Array.from(parser.take(chunk))
  }, /more than 16777216 bytes/)
})
