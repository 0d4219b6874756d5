import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readWholeBody } from '@gantry/runtime'
import type { HttpResponse } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { filtered, forFilter } from './collection-filter.ts'
import type { CollectionFilter } from './exchange.ts'

const clock = new FakeClock()
const inShop: CollectionFilter = ({ namespace }) => namespace === 'shop'

/** The text in chunks of so many bytes. */
function answer(text: string, chunkBytes: number): HttpResponse {
  const bytes = Buffer.from(text)
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'content-length': String(bytes.length) },
    async body(sink) {
      for (let at = 0; at < bytes.length; at += chunkBytes) if (!sink.write(bytes.subarray(at, at + chunkBytes))) await sink.drained()
    },
  }
}

async function seen(
  text: string,
  options: { readonly isWatch?: boolean; readonly chunkBytes?: number; readonly filter?: CollectionFilter } = {},
): Promise<string> {
  const { isWatch = false, chunkBytes = 1 << 20, filter = inShop } = options
  return (await readWholeBody(filtered(answer(text, chunkBytes), { filter, isWatch, clock }))).toString()
}

const object = (namespace: string, name: string, more: object = {}) => ({ metadata: { name, namespace }, ...more })
const nasty = { data: { 'a"]}': '\\"}],[{"items":[', 'ü€𝄞': '\\\\' }, list: [[], {}, [{ deep: [1] }]] }
const list = JSON.stringify({
  kind: 'ConfigMapList',
  apiVersion: 'v1',
  metadata: { resourceVersion: '7', continue: 'x', remainingItemCount: 12 },
  items: [object('bank', 'a', nasty), object('shop', 'b', nasty), object('bank', 'items'), object('shop', 'c'), object('bank', 'd', nasty)],
})

describe('a list', () => {
  test('holds what may be seen and nothing else, wherever its chunks break', async () => {
    const whole = JSON.parse(await seen(list)) as { items: unknown[]; metadata: unknown }
    assert.deepEqual(whole.items, [object('shop', 'b', nasty), object('shop', 'c')])
    assert.deepEqual(whole.metadata, { resourceVersion: '7', continue: 'x' }, 'how many are left would count what may not be seen')
    for (const chunkBytes of [1, 2, 3, 7, 64, 250]) assert.deepEqual(JSON.parse(await seen(list, { chunkBytes })), whole, `${chunkBytes} bytes`)
  })

  test('may be indented, empty, or have its parts in another order', async () => {
    const { items, ...rest } = JSON.parse(list) as { items: unknown[] }
    const other = JSON.stringify({ items, ...rest }, undefined, 2)
    assert.deepEqual((JSON.parse(await seen(other)) as { items: unknown[] }).items.length, 2)
    assert.doesNotMatch((await seen(other)).replaceAll(/\s/g, ''), /remainingItemCount/)
    assert.deepEqual(JSON.parse(await seen('{"items":[],"metadata":{}}')), { items: [], metadata: {} })
    assert.deepEqual(JSON.parse(await seen('{"items":null}')), { items: null })
    assert.deepEqual(JSON.parse(await seen(list, { filter: () => false })).items, [])
  })

  test('of rows is a table', async () => {
    const row = (namespace: string) => ({ cells: [namespace], object: object(namespace, 'x') })
    const table = JSON.stringify({ kind: 'Table', columnDefinitions: [{ name: 'Name' }], rows: [row('shop'), row('bank'), { cells: ['nameless'] }] })
    assert.deepEqual((JSON.parse(await seen(table)) as { rows: unknown[] }).rows, [row('shop')])
  })

  test('that breaks off in the middle is no list', async () => {
    await assert.rejects(seen(list.slice(0, -20)), /ended in the middle/)
  })

  test('with an object beyond all measure is refused in bounded memory', async () => {
    await assert.rejects(seen(`{"items":[{"metadata":{"name":"${'x'.repeat(17 << 20)}`), /an item of more than 16777216 bytes/)
    await assert.rejects(seen(`{"metadata":{"name":"${'x'.repeat(5 << 20)}`), /more than 4194304 bytes around its items/)
  })
})

describe('a watch', () => {
  const event = (type: string, of: object): string => `${JSON.stringify({ type, object: of })}\n`
  const events = [
    event('ADDED', object('bank', 'a')),
    event('ADDED', object('shop', 'b', nasty)),
    event('BOOKMARK', { metadata: { resourceVersion: '9' } }),
    event('DELETED', object('bank', 'a')),
    event('ADDED', {
      kind: 'Table',
      rows: [
        { cells: [], object: object('bank', 'x') },
        { cells: [], object: object('shop', 'x') },
      ],
    }),
    event('ADDED', { kind: 'Table', rows: [{ cells: [], object: object('bank', 'x') }] }),
    event('MODIFIED', object('shop', 'b')),
    event('ERROR', { kind: 'Status', code: 410 }),
  ]

  test('tells of what may be seen, of its place and of its end', async () => {
    for (const chunkBytes of [1 << 20, 1, 5, 97]) {
      const lines = (await seen(events.join(''), { isWatch: true, chunkBytes })).trim().split('\n')
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { type: string }).type),
        ['ADDED', 'BOOKMARK', 'ADDED', 'MODIFIED', 'ERROR'],
      )
      assert.deepEqual((JSON.parse(lines[2] ?? '') as { object: { rows: unknown[] } }).object.rows, [{ cells: [], object: object('shop', 'x') }])
    }
  })

  test('goes by what may be seen at the moment', async () => {
    let may = true
    const text = [event('ADDED', object('shop', 'a')), event('ADDED', object('shop', 'b'))].join('')
    const shown = await seen(text, { isWatch: true, filter: ({ name }) => (name === 'a' ? may && !(may = false) : may) })
    assert.equal(shown, event('ADDED', object('shop', 'a')))
  })
})

test('errors pass, and what is not JSON does not', async () => {
  const status: HttpResponse = { status: 410, headers: { 'content-type': 'application/json' }, body: '{"code":410}' }
  assert.equal(filtered(status, { filter: inShop, isWatch: false, clock }), status)
  for (const headers of [{ 'content-type': 'application/vnd.kubernetes.protobuf' }, {}, { 'content-type': 'application/json', 'content-encoding': 'gzip' }])
    assert.throws(() => filtered({ status: 200, headers, body: '' }, { filter: inShop, isWatch: false, clock }), /cannot be told/)
})

test('the question is put so that its answer can be filtered', () => {
  const ask = (accept: string | undefined, query = '') => {
    const { headers, query: asked } = forFilter({
      method: 'GET',
      path: '/',
      query,
      headers: accept === undefined ? {} : { accept },
      signal: new AbortController().signal,
    })
    return [headers['accept'], headers['accept-encoding'], asked]
  }
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  assert.deepEqual(ask(`${table},application/json, application/vnd.kubernetes.protobuf`), [`${table},application/json`, 'identity', ''])
  assert.deepEqual(ask('application/vnd.kubernetes.protobuf;as=Table'), ['application/json', 'identity', ''])
  assert.deepEqual(ask(undefined, 'includeObject=None&limit=5'), ['application/json', 'identity', 'includeObject=Metadata&limit=5'])
})
