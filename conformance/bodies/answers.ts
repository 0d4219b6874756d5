import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'

/** What a server says where no client of its own asks: other methods, unreadable bodies, paths beside the resources. */
export const answers = conformance('answers beside the resources', ({ api, claim }) => {
  claim('looks at the method of documents of its own only (D1, D7)', async () => {
    const codes = async (method: string, paths: readonly string[]): Promise<number[]> =>
      Promise.all(paths.map(async (path) => (await api.send(method, path)).code))

    const any = [
      '/',
      '/apis',
      '/apis/',
      '/apis/apps',
      '/openapi/v2',
      '/openapi/v3',
      '/openapi/v3/apis/batch/v1',
      '/healthz',
      '/livez',
      '/readyz',
      '/livez/ping',
    ]
    const readOnly = ['/api', '/api/', '/api/v1', '/apis/apps/v1', '/version', '/openid/v1/jwks', '/.well-known/openid-configuration']
    const unknown = ['/nowhere', '/openapi', '/openapi/v2/', '/openapi/v3/', '/openapi/v3/nothing']
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      assert.deepEqual(
        await codes(method, any),
        any.map(() => 200),
      )
      assert.deepEqual(
        await codes(method, readOnly),
        readOnly.map(() => 405),
      )
      assert.deepEqual(
        await codes(method, unknown),
        unknown.map(() => 404),
      )
    }
  })

  claim('says nothing of a document of OpenAPI v3 that there is not (D8)', async () => {
    for (const path of ['/openapi/v3/', '/openapi/v3/nothing', '/openapi/v3/apis/nobody.example.com/v1']) {
      const { code, text, headers } = await api.get(path)
      assert.deepEqual([code, text, headers['content-type']], [404, '', undefined], path)
    }
  })

  claim('tells caches what an OpenAPI v2 document varies by, compressed or not (D10)', async () => {
    for (const encoding of ['gzip', 'identity']) {
      const { headers } = await api.get('/openapi/v2', { headers: { 'accept-encoding': encoding } })
      assert.equal([headers['vary']].flat().join(', '), 'Accept-Encoding, Accept', encoding)
    }
  })

  claim('quotes the beginning of a body that it cannot read (W8)', async (t) => {
    const namespace = await api.namespace(t)
    const said = async (body: string, contentType = 'application/json'): Promise<unknown> =>
      (await api.post(`${namespace}/configmaps`, body, { contentType })).json.message
    const of = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error:"

    assert.equal(await said('{'), `${of} unexpected end of JSON input ({)`)
    assert.equal(await said('x'), `${of} invalid character 'x' looking for beginning of value (78)`)
    assert.equal(await said(`{"a": ${'1'.repeat(40)}`), `${of} unexpected end of JSON input ({"a": ${'1'.repeat(24)} ...)`)
    assert.equal(
      await said(''),
      "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
    )
  })

  claim('asks for no verb when the method of a resource is none that it knows (Z1)', async () => {
    const { code, json } = await api.send('OPTIONS', '/api/v1/pods', { headers: { 'impersonate-user': 'nobody' } })
    assert.deepEqual([code, json.message], [403, 'pods is forbidden: User "nobody" cannot  resource "pods" in API group "" at the cluster scope'])
  })
})
