import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'

/** What a server says where no client of its own asks: other methods, unreadable bodies, paths beside the resources. */
export const answers = conformance('answers beside the resources', ({ api, claim }) => {
  claim('looks at the method of documents of its own only (D1, D7)', async () => {
    // Also a real server is not ready for a moment now and then, and its probes say so.
    const codeOf = async (method: string, path: string): Promise<number> =>
      (
        await api.until(
          () => api.send(method, path),
          ({ code }) => code !== 500,
        )
      ).code
    const codes = (method: string, paths: readonly string[]): Promise<number[]> => Promise.all(paths.map((path) => codeOf(method, path)))

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

  claim('describes the documents of the issuer of tokens (D8, A7)', async () => {
    const { paths } = await api.read('/openapi/v3')
    const described: Record<string, unknown> = {}
    for (const name of ['.well-known/openid-configuration', 'openid/v1/jwks']) {
      assert.ok(paths[name].serverRelativeURL.startsWith(`/openapi/v3/${name}?hash=`), name)
      const document = await api.read(`/openapi/v3/${name}`)
      assert.equal(document.components.schemas, undefined)
      Object.assign(described, document.paths)
    }
    const read = (tag: string, about: { readonly description: string; readonly operationId: string; readonly media: string }): unknown => ({
      get: {
        tags: [tag],
        description: about.description,
        operationId: about.operationId,
        responses: { 200: { description: 'OK', content: { [about.media]: { schema: { type: 'string' } } } }, 401: { description: 'Unauthorized' } },
      },
    })
    assert.deepEqual(described, {
      '/.well-known/openid-configuration/': read('WellKnown', {
        description: "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
        operationId: 'getServiceAccountIssuerOpenIDConfiguration',
        media: 'application/json',
      }),
      '/openid/v1/jwks/': read('openid', {
        description: 'get service account issuer OpenID JSON Web Key Set (contains public token verification keys)',
        operationId: 'getServiceAccountIssuerOpenIDKeyset',
        media: 'application/jwk-set+json',
      }),
    })
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

  claim('refuses what a strict patch brings along as an invalid patch, quoting what it made (P7)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { a: 'b' } })
    const path = `${namespace}/configmaps/a?fieldValidation=Strict`
    const identity = [metadata.name, metadata.namespace, metadata.uid, metadata.resourceVersion].map((text: string) => JSON.stringify(text))
    const said = async (type: 'json' | 'merge' | 'strategic', patch: unknown): Promise<unknown[]> => {
      const { code, json } = await api.patch(type, path, patch)
      assert.equal(json.message, ` "" is invalid: patch: ${json.details.causes[0].message}`)
      assert.deepEqual([json.reason, json.details.causes[0].reason, json.details.causes[0].field], ['Invalid', 'FieldValueInvalid', 'patch'])
      const [, quoted = '', problem] = /^Invalid value: (".*"): (strict .*)$/.exec(json.details.causes[0].message) ?? []
      const text = JSON.parse(quoted).replace(/"managedFields":\[.*?\}\}\}?\]/, 'MANAGED')
      return [code, text.replaceAll(metadata.creationTimestamp, 'TIME'), problem]
    }
    const untouched = `{"name":${identity[0]},"namespace":${identity[1]},"uid":${identity[2]},"resourceVersion":${identity[3]},"creationTimestamp":"TIME",MANAGED}`
    const made = `{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":${untouched},"unknown":1}`

    assert.deepEqual(await said('json', [{ op: 'add', path: '/unknown', value: 1 }]), [422, made, 'strict decoding error: unknown field "unknown"'])
    assert.deepEqual(await said('json', [{ op: 'add', path: '/unknown', value: 1, x: 2 }]), [
      422,
      made,
      'strict decoding error: json patch unknown field "[0].x", unknown field "unknown"',
    ])
    assert.deepEqual(await said('merge', { unknown: 1 }), [422, made, 'strict decoding error: unknown field "unknown"'])
    assert.deepEqual(await said('merge', '{"unknown":3,"unknown":1,"metadata":{"x":1}}'), [
      422,
      `{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"creationTimestamp":"TIME",MANAGED,"name":${identity[0]},"namespace":${identity[1]},"resourceVersion":${identity[3]},"uid":${identity[2]},"x":1},"unknown":1}`,
      'strict decoding error: duplicate field "unknown", unknown field "metadata.x", unknown field "unknown"',
    ])
    assert.deepEqual(await said('strategic', '{"unknown":3,"unknown":1,"metadata":{"x":1}}'), [
      422,
      'map[metadata:map[x:1] unknown:1]',
      'strict decoding error: duplicate field "unknown", unknown field "metadata.x", unknown field "unknown"',
    ])
  })

  claim('tells what strict reading finds in the order of the document (W9)', async (t) => {
    const namespace = await api.namespace(t)
    const body = '{"b":1,"metadata":{"x":1,"name":"q"},"unknown":1,"data":{"a":"1","a":"2"}}'
    const { json } = await api.post(`${namespace}/configmaps?fieldValidation=Strict`, body)
    assert.equal(
      json.message,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "b", unknown field "metadata.x", unknown field "unknown", duplicate field "data.a"',
    )
  })

  claim('warns of what a patch brings along when nobody asked for more (P7)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { a: 'b' } })
    const warned = async (type: 'json' | 'merge' | 'strategic', patch: unknown): Promise<unknown> =>
      [(await api.patch(type, `${namespace}/configmaps/a`, patch)).headers['warning'] ?? []].flat().map((text) => text.replace('299 - ', ''))

    assert.deepEqual(await warned('merge', '{"data":{"a":"1","a":"2"},"x":1}'), ['"duplicate field \\"data.a\\""', '"unknown field \\"x\\""'])
    assert.deepEqual(await warned('strategic', '{"x":1,"x":2}'), ['"duplicate field \\"x\\""', '"unknown field \\"x\\""'])
    assert.deepEqual(await warned('json', '[{"op":"add","path":"/data/x","value":"1","x":2,"op":"add"}]'), [
      '"json patch unknown field \\"[0].x\\""',
      '"json patch duplicate field \\"[0].op\\""',
    ])
  })

  claim('refuses a resourceVersion that is no number, by whom it is asked for (L2)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    const problems = { x: 'invalid syntax', '-1': 'invalid syntax', '1.5': 'invalid syntax', '99999999999999999999': 'value out of range' }
    for (const [text, problem] of Object.entries(problems)) {
      const said = `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": ${problem}`
      for (const [path, code, message] of [
        [`?resourceVersion=${text}`, 400, `invalid resource version: ${said}`],
        [`?limit=1&resourceVersionMatch=Exact&resourceVersion=${text}`, 400, `invalid resource version: ${said}`],
        [`/a?resourceVersion=${text}`, 500, said],
        [`?watch=1&resourceVersion=${text}`, 500, said],
      ] as const) {
        const answer = await api.get(`${namespace}/configmaps${path}`)
        assert.deepEqual([answer.code, answer.json.message], [code, message], path)
      }
    }
    const collection = await api.delete(`${namespace}/configmaps?resourceVersion=x`)
    assert.equal(collection.code, 400)
  })

  claim('lets no watch with initial events continue a list (L13)', async (t) => {
    const namespace = await api.namespace(t)
    const code = async (path: string): Promise<number> => (await api.get(path)).code
    const watches = `${namespace}/configmaps?watch=1&timeoutSeconds=1&continue=abc`

    const { code: refused, json } = await api.get(watches)
    assert.deepEqual(
      [refused, json.message],
      [422, 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided'],
    )
    assert.equal(await code(`${watches}&resourceVersion=0`), 422)
    await api.watch(
      t,
      `${namespace}/configmaps?continue=abc&timeoutSeconds=1&resourceVersion=${(await api.read(`${namespace}/configmaps`)).metadata.resourceVersion}`,
    )
  })

  claim('tells when who asked was told, and owns what was asked of a token (A13, A5)', async (t) => {
    const namespace = await api.namespace(t)
    const review = await api.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', { metadata: { labels: { a: 'b' }, uid: 'x' } })
    assert.deepEqual(Object.keys(review.json.metadata), ['creationTimestamp'])

    const asked = { metadata: { labels: { a: 'b' } }, spec: { expirationSeconds: 600 } }
    const { code, json } = await api.post(`${namespace}/serviceaccounts/default/token?fieldManager=m`, asked)
    const { uid } = await api.read(`${namespace}/serviceaccounts/default`).then(({ metadata }) => metadata)
    const { managedFields, creationTimestamp: _now, ...metadata } = json.metadata
    assert.deepEqual([code, metadata], [201, { name: 'default', namespace: namespace.split('/').at(-1), uid, labels: { a: 'b' } }])
    const [{ time: _time, ...owner }] = managedFields
    assert.deepEqual(owner, {
      manager: 'm',
      operation: 'Update',
      apiVersion: 'authentication.k8s.io/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } }, 'f:spec': { 'f:expirationSeconds': {} } },
      subresource: 'token',
    })
    const other = await api.post(`${namespace}/serviceaccounts/default/token`, { metadata: { uid: 'x' }, spec: {} })
    assert.deepEqual(
      [other.code, other.json.message],
      [
        409,
        `Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "default": the UID in the token request (x) does not match the UID of the service account (${uid})`,
      ],
    )
  })
})
