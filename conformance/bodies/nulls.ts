import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { conformance } from '../src/conformance.ts'
import { defaultsRowOf } from '../rows.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

/** An object with nulls in it and what a real server says to it on a dry run. */
interface Recorded {
  /** `group/version/resource`, `v1/resource` of the core group. */
  readonly resource: string
  readonly kind: string
  readonly namespaced?: true
  /** Absent: any name. */
  readonly name?: string
  readonly given: Json
  readonly code: number
  /** Of a refusal; `NAME` stands for the object's name. */
  readonly message?: string
}

function load(): readonly Recorded[] {
  const text = readFileSync(new URL('nulls.ndjson', import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line): Recorded => JSON.parse(line))
}

export const nulls = conformance('nulls', ({ api, claim }) => {
  const byKind = Map.groupBy(load(), ({ kind }) => kind)
  for (const [kind, cases] of byKind) {
    claim(`takes null for nothing in fields of a ${kind} (${defaultsRowOf(kind)})`, async (t) => {
      const namespace = (await api.namespace(t)).replace('/api/v1/', '')
      for (const { resource, namespaced, name = uniqueName('nulls'), given, code, message } of cases) {
        const at = resource.lastIndexOf('/')
        const version = resource.slice(0, at)
        const collection = `${version === 'v1' ? '/api' : '/apis'}/${version}${namespaced ? `/${namespace}` : ''}${resource.slice(at)}`
        const isReview = resource.endsWith('reviews')
        const answer = await api.post(`${collection}?dryRun=All`, { apiVersion: version, kind, metadata: isReview ? {} : { name }, ...given })
        assert.equal(answer.code, code, `${JSON.stringify(given)}: ${answer.text}`)
        assert.equal(answer.json.message, message?.replaceAll('NAME', name), JSON.stringify(given))
      }
    })
  }

  claim('keeps a null among the values of a Secret or ConfigMap as an empty value (15 Secret)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/secrets`, { metadata: { name: 'a' }, data: { a: null } })
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a', labels: { a: null } }, data: { b: null }, binaryData: { a: null } })

    const secret = await api.read(`${namespace}/secrets/a`)
    assert.deepEqual(secret.data, { a: '' })
    const map = await api.read(`${namespace}/configmaps/a`)
    assert.deepEqual([map.metadata.labels, map.data, map.binaryData], [{ a: '' }, { b: '' }, { a: '' }])
  })

  claim('takes no review that has metadata (Z9)', async () => {
    const spec = { user: 'a', resourceAttributes: { verb: 'get' } }
    for (const kind of ['SubjectAccessReview', 'SelfSubjectAccessReview']) {
      const { code, json } = await api.post(`/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`, { metadata: { labels: { a: 'b' } }, spec })
      assert.equal(code, 422)
      assert.match(json.message, /metadata: Invalid value: \{"labels":\{"a":"b"\}.*: must be empty$/)
    }
  })
})
