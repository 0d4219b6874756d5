import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import type { Api } from '../src/target.ts'

async function fill(api: Api, collection: string, names: readonly string[]): Promise<Json[]> {
  const created: Json[] = []
  for (const name of names) created.push(await api.create(collection, { metadata: { name, labels: { name } }, data: { key: name } }))
  return created
}

function namesOf(list: Json): string[] {
  return list.items.map((item: Json) => item.metadata.name)
}

const letters = ['a', 'b', 'c', 'd', 'e']
const farFuture = '9007199254740991'

export const lists = conformance('lists', ({ api, claim }) => {
  claim('lists what was written last, at the revision of the store (L1)', async (t) => {
    const namespace = await api.namespace(t)
    const [first] = await fill(api, `${namespace}/configmaps`, ['a'])
    await fill(api, `${namespace}/configmaps`, ['b'])

    const list = await api.read(`${namespace}/configmaps`)

    assert.deepEqual(namesOf(list), ['a', 'b'])
    assert.ok(BigInt(list.metadata.resourceVersion) > BigInt(first.metadata.resourceVersion))
  })

  claim('lists everything from resourceVersion 0, whatever the limit (L2)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, letters)
    const { metadata } = await api.read(`${namespace}/configmaps`)
    // A list not older than this revision has waited for the cache, which the next one may read.
    await api.read(`${namespace}/configmaps?resourceVersion=${metadata.resourceVersion}`)

    const list = await api.read(`${namespace}/configmaps?limit=1&resourceVersion=0`)

    assert.deepEqual(namesOf(list), letters)
    assert.equal(list.metadata.continue, undefined)
  })

  claim('lists the newest state from an older resourceVersion (L3)', async (t) => {
    const namespace = await api.namespace(t)
    const [first] = await fill(api, `${namespace}/configmaps`, letters)

    const list = await api.read(`${namespace}/configmaps?resourceVersion=${first.metadata.resourceVersion}`)

    assert.deepEqual(namesOf(list), letters)
  })

  claim('lists exactly the state of a resourceVersion on request (L4, L5)', async (t) => {
    const namespace = await api.namespace(t)
    const [, second] = await fill(api, `${namespace}/configmaps`, letters)
    const revision = second.metadata.resourceVersion

    const exact = await api.read(`${namespace}/configmaps?resourceVersion=${revision}&resourceVersionMatch=Exact`)
    const legacy = await api.read(`${namespace}/configmaps?resourceVersion=${revision}&limit=10`)

    assert.deepEqual(namesOf(exact), ['a', 'b'])
    assert.equal(exact.metadata.resourceVersion, revision)
    assert.deepEqual(namesOf(legacy), ['a', 'b'])
  })

  claim('refuses combinations of resourceVersion and match that mean nothing (L5)', async (t) => {
    const namespace = await api.namespace(t)
    const refused = async (query: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${namespace}/configmaps?${query}`)
      return [code, json.reason, json.details?.causes?.map(({ field, reason }: Json) => `${field} ${reason}`)]
    }

    assert.deepEqual(await refused('resourceVersionMatch=Exact&resourceVersion=0'), [422, 'Invalid', ['resourceVersionMatch FieldValueForbidden']])
    assert.deepEqual(await refused('resourceVersionMatch=Exact'), [422, 'Invalid', ['resourceVersionMatch FieldValueForbidden']])
    assert.deepEqual(await refused('resourceVersionMatch=Other&resourceVersion=1'), [422, 'Invalid', ['resourceVersionMatch FieldValueNotSupported']])
  })

  claim('waits three seconds for a resourceVersion of the future and says so (L6, 1.1 Timeout)', async (t) => {
    const namespace = await api.namespace(t)

    const asked = api.get(`${namespace}/configmaps?resourceVersion=${farFuture}&resourceVersionMatch=NotOlderThan`)
    await api.pass(3_200)
    const { code, json, headers } = await asked

    assert.equal(code, 504)
    assert.equal(json.reason, 'Timeout')
    assert.match(json.message, new RegExp(`^Timeout: Too large resource version: ${farFuture}, current: \\d+$`))
    assert.deepEqual(json.details.causes, [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }])
    assert.equal(json.details.retryAfterSeconds, 1)
    assert.equal(headers['retry-after'], '1')
  })

  claim('refuses a resourceVersion that is no number (L7)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.get(`${namespace}/configmaps?resourceVersion=abc`)

    assert.ok(code === 400 || code === 500, String(code))
    assert.match(json.message, /resourceVersion: Invalid value: "abc": strconv\.ParseUint/)
  })

  claim('pages in key order at one revision and counts what remains (L8)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, letters)

    const first = await api.read(`${namespace}/configmaps?limit=2`)
    await fill(api, `${namespace}/configmaps`, ['bb'])
    const second = await api.read(`${namespace}/configmaps?limit=2&continue=${first.metadata.continue}`)
    const third = await api.read(`${namespace}/configmaps?limit=2&continue=${second.metadata.continue}`)

    assert.deepEqual([namesOf(first), namesOf(second), namesOf(third)], [['a', 'b'], ['c', 'd'], ['e']])
    assert.deepEqual([first.metadata.remainingItemCount, second.metadata.remainingItemCount, third.metadata.remainingItemCount], [3, 1, undefined])
    assert.deepEqual([second.metadata.resourceVersion, third.metadata.resourceVersion], [first.metadata.resourceVersion, first.metadata.resourceVersion])
    assert.equal(third.metadata.continue, undefined)
  })

  claim('does not count what remains under a selector (L8)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, letters)

    const list = await api.read(`${namespace}/configmaps?limit=2&labelSelector=name`)

    assert.deepEqual(namesOf(list), ['a', 'b'])
    assert.notEqual(list.metadata.continue, undefined)
    assert.equal(list.metadata.remainingItemCount, undefined)
  })

  claim('refuses a resourceVersion together with continue, except 0 (L9)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, letters)
    const { metadata } = await api.read(`${namespace}/configmaps?limit=2`)

    const refused = await api.get(`${namespace}/configmaps?limit=2&continue=${metadata.continue}&resourceVersion=${metadata.resourceVersion}`)
    const zero = await api.get(`${namespace}/configmaps?limit=2&continue=${metadata.continue}&resourceVersion=0`)
    const matched = await api.get(`${namespace}/configmaps?limit=2&continue=${metadata.continue}&resourceVersion=1&resourceVersionMatch=Exact`)

    assert.deepEqual([refused.code, refused.json.message], [400, 'specifying resource version is not allowed when using continue'])
    assert.equal(zero.code, 200)
    assert.equal(matched.code, 422)
  })

  claim('refuses a continue token that is none (L10)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.get(`${namespace}/configmaps?limit=2&continue=nonsense`)

    assert.equal(code, 400)
    assert.equal(json.reason, 'BadRequest')
    assert.match(json.message, /^(continue key is not valid|invalid continue token)/)
  })

  claim('refuses numbers and tokens of a list that it cannot use, each in its words (L10, W14)', async (t) => {
    const namespace = await api.namespace(t)
    const refused = async (query: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${namespace}/configmaps?${query}`)
      return [code, json.message]
    }
    const token = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const invalid = 'invalid continue token: continue key is not valid:'

    assert.deepEqual(await refused('timeoutSeconds=x'), [400, 'strconv.ParseInt: parsing "x": invalid syntax'])
    assert.deepEqual(await refused('limit=99999999999999999999'), [400, 'strconv.ParseInt: parsing "99999999999999999999": value out of range'])
    assert.deepEqual(await refused(`continue=${token({ v: 'x' })}`), [400, `${invalid} server does not recognize this encoded version x`])
    assert.deepEqual(await refused(`continue=${token({ v: 'meta.k8s.io/v1', rv: 0, start: 'a\u0000' })}`), [
      400,
      `${invalid} incorrect encoded start resourceVersion (version meta.k8s.io/v1)`,
    ])
  })

  claim('finds one object by a field selector on its name, and none without an error (L11)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, letters)

    const found = await api.read(`${namespace}/configmaps?fieldSelector=metadata.name%3Dc`)
    const none = await api.read(`${namespace}/configmaps?fieldSelector=metadata.name%3Dx`)

    assert.deepEqual(namesOf(found), ['c'])
    assert.deepEqual(none.items, [])
  })

  claim('lists built-in objects without kind and version, under a typed list (L12)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, ['a'])

    const { text, json } = await api.get(`${namespace}/configmaps`)
    const empty = await api.read(`${namespace}/secrets`)

    assert.deepEqual(Object.keys(json), ['kind', 'apiVersion', 'metadata', 'items'])
    assert.deepEqual([json.kind, json.apiVersion], ['ConfigMapList', 'v1'])
    assert.deepEqual(Object.keys(json.items[0]), ['metadata', 'data'])
    assert.ok(text.endsWith('\n'))
    assert.deepEqual([empty.kind, empty.items], ['SecretList', []])
  })

  claim('lists all namespaces in key order (L8, L12)', async (t) => {
    const [one, two] = [await api.namespace(t), await api.namespace(t)]
    await api.create(`${two}/configmaps`, { metadata: { name: 'a', labels: { shared: 'l12' } } })
    await api.create(`${one}/configmaps`, { metadata: { name: 'b', labels: { shared: 'l12' } } })

    const list = await api.read(`/api/v1/configmaps?labelSelector=shared%3Dl12`)
    const places = list.items.map(({ metadata }: Json) => `/api/v1/namespaces/${metadata.namespace}`).filter((path: string) => path === one || path === two)

    assert.deepEqual(places, [one, two])
  })

  claim('lists only metadata on request (L12, W4)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, ['a'])
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json'

    const { json } = await api.get(`${namespace}/configmaps`, { headers: { accept } })

    assert.deepEqual([json.kind, json.apiVersion], ['PartialObjectMetadataList', 'meta.k8s.io/v1'])
    assert.deepEqual(
      Object.keys(json.items[0]).filter((key) => !['kind', 'apiVersion'].includes(key)),
      ['metadata'],
    )
    assert.equal(json.items[0].metadata.labels.name, 'a')
  })

  claim('waits for a resourceVersion of the future on a read too (L6)', async (t) => {
    const namespace = await api.namespace(t)
    await fill(api, `${namespace}/configmaps`, ['a'])

    const asked = api.get(`${namespace}/configmaps/a?resourceVersion=${farFuture}`)
    await api.pass(3_200)
    const { code, json } = await asked

    assert.equal(code, 504)
    assert.deepEqual(json.details.causes, [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }])
  })
})
