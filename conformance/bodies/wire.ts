import assert from 'node:assert/strict'
import { header } from '@gantry/runtime'
import { conformance } from '../src/conformance.ts'
import { uniqueName } from '../src/target.ts'

const manyBytes = 'x'.repeat(150 * 1024)

export const wire = conformance('wire rules', ({ api, claim }) => {
  claim('stamps every answer with audit id, cache control and flow control (W2)', async () => {
    const { headers } = await api.get('/api/v1/namespaces/default')

    assert.match(String(headers['audit-id']), /^[0-9a-f-]{36}$/)
    assert.equal(headers['cache-control'], 'no-cache, private')
    assert.match(String(headers['x-kubernetes-pf-flowschema-uid']), /^[0-9a-f-]{36}$/)
    assert.match(String(headers['x-kubernetes-pf-prioritylevel-uid']), /^[0-9a-f-]{36}$/)
  })

  claim('echoes the audit id of the request (W2)', async () => {
    const { headers } = await api.get('/api/v1/namespaces/default', { headers: { 'audit-id': 'my-own-id' } })

    assert.equal(headers['audit-id'], 'my-own-id')
  })

  claim('answers JSON in the order kind, apiVersion, metadata, rest, and ends it with a newline (W3)', async () => {
    const { headers, text, json } = await api.get('/api/v1/namespaces/default')

    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual(Object.keys(json), ['kind', 'apiVersion', 'metadata', 'spec', 'status'])
    assert.ok(text.endsWith('}\n') && !text.slice(0, -1).includes('\n'))
  })

  claim('answers 406 when nothing that the client accepts can be had (W4, 1.1 NotAcceptable)', async () => {
    const { code, json } = await api.get('/api/v1/namespaces/default', { headers: { accept: 'text/html' } })

    assert.equal(code, 406)
    assert.equal(json.reason, 'NotAcceptable')
    assert.match(json.message, /application\/json, application\/yaml, application\/vnd\.kubernetes\.protobuf/)
  })

  claim('takes the first acceptable clause of Accept, wildcards included (W4)', async () => {
    const types = await Promise.all(
      ['text/html, application/yaml', '*/*', 'application/*', 'text/html, */*;q=0.1', 'application/json;q=0.5, application/yaml'].map(async (accept) => {
        const { headers } = await api.get('/api/v1/namespaces/default', { headers: { accept } })
        return headers['content-type']
      }),
    )

    assert.deepEqual(types, ['application/yaml', 'application/json', 'application/json', 'application/json', 'application/yaml'])
  })

  claim('answers YAML to a client that asks for it (W4)', async () => {
    const { code, text } = await api.get('/api/v1/namespaces/default', { headers: { accept: 'application/yaml' } })

    assert.equal(code, 200)
    assert.match(text, /^apiVersion: v1\nkind: Namespace\nmetadata:\n/)
  })

  claim('answers only the metadata of an object on request (W4)', async () => {
    const { json } = await api.get('/api/v1/namespaces/default', {
      headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json' },
    })

    assert.deepEqual(Object.keys(json).sort(), ['apiVersion', 'kind', 'metadata'])
    assert.equal(json.kind, 'PartialObjectMetadata')
    assert.equal(json.apiVersion, 'meta.k8s.io/v1')
    assert.equal(json.metadata.name, 'default')
  })

  claim('reads a body without a content type as JSON and one in YAML as YAML (W6)', async (t) => {
    const namespace = await api.namespace(t)
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml\ndata:\n  key: "1"\n'

    const untyped = await api.send('POST', `${namespace}/configmaps`, {
      body: JSON.stringify({ metadata: { name: 'untyped' } }),
      headers: { 'content-type': '' },
    })
    const fromYaml = await api.send('POST', `${namespace}/configmaps`, { body: yaml, contentType: 'application/yaml' })

    assert.equal(untyped.code, 201, untyped.text)
    assert.equal(fromYaml.code, 201, fromYaml.text)
    assert.deepEqual(fromYaml.json.data, { key: '1' })
  })

  claim('reads YAML 1.1, in which y is true and no text (W6)', async (t) => {
    const namespace = await api.namespace(t)
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yes\ndata:\n  key: yes\n'

    const { code, json } = await api.send('POST', `${namespace}/configmaps`, { body: yaml, contentType: 'application/yaml' })

    assert.equal(code, 400)
    assert.equal(json.reason, 'BadRequest')
  })

  claim('answers 415 to a body it cannot read, naming what it can (W6)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, 'a=1', { contentType: 'application/x-www-form-urlencoded' })

    assert.equal(code, 415)
    assert.equal(json.reason, 'UnsupportedMediaType')
    assert.match(
      json.message,
      /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml, application\/vnd\.kubernetes\.protobuf/,
    )
  })

  claim('answers 415 to a patch of an unknown kind (W7)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.send('PATCH', `${namespace}/serviceaccounts/default`, { body: {}, contentType: 'application/json' })

    assert.equal(code, 415)
    assert.equal(json.reason, 'UnsupportedMediaType')
  })

  claim('indents JSON when asked to and for people with curl or a browser (W9)', async () => {
    const indented = async (target: string, userAgent: string): Promise<boolean> => {
      const { text } = await api.get(target, { headers: { 'user-agent': userAgent } })
      return text.startsWith('{\n  "kind"')
    }
    const path = '/api/v1/namespaces/default'

    assert.deepEqual(
      await Promise.all([
        indented(path, 'kubectl/v1.36.3'),
        indented(`${path}?pretty=true`, 'kubectl/v1.36.3'),
        indented(path, 'curl/8.0'),
        indented(path, 'Wget/1.2'),
        indented(path, 'Mozilla/5.0 (X11)'),
        indented(`${path}?pretty=false`, 'curl/8.0'),
      ]),
      [false, true, true, true, true, false],
    )
  })

  claim('compresses an answer of 128 KiB for a client that accepts gzip, and no smaller one (W10)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'big' }, data: { key: manyBytes } })
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'small' }, data: { key: 'x' } })
    const encoding = async (name: string, accept: string): Promise<unknown> => {
      const { headers } = await api.get(`${namespace}/configmaps/${name}`, { headers: { 'accept-encoding': accept } })
      return headers['content-encoding']
    }

    assert.deepEqual(await Promise.all([encoding('big', 'gzip'), encoding('small', 'gzip'), encoding('big', 'identity')]), ['gzip', undefined, undefined])
  })

  claim('answers 413 to a body of more than 3 MiB (W11, 1.1 RequestEntityTooLarge)', async (t) => {
    const namespace = await api.namespace(t)
    const body = JSON.stringify({ metadata: { name: 'huge' }, data: { key: 'x'.repeat(3 * 1024 * 1024) } })

    const { code, json } = await api.post(`${namespace}/configmaps`, body)

    assert.equal(code, 413)
    assert.equal(json.reason, 'RequestEntityTooLarge')
    assert.equal(json.message, 'Request entity too large: limit is 3145728')
  })

  claim('refuses a ConfigMap with more than 1 MiB of data (W11)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'large' }, data: { key: 'x'.repeat(1024 * 1024 + 1) } })

    assert.equal(code, 422)
    assert.equal(json.details.causes[0].reason, 'FieldValueTooLong')
  })

  claim('refuses annotations of more than 256 KiB (W11)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'noted', annotations: { note: 'x'.repeat(256 * 1024) } } })

    assert.equal(code, 422)
    assert.equal(json.message, 'ConfigMap "noted" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes')
  })

  claim('answers 404 in plain text for a path that no API has (W12)', async () => {
    for (const path of ['/apis/nothing.example.com/v1/things', '/nothing']) {
      const { code, headers, text } = await api.get(path)

      assert.equal(code, 404, path)
      assert.equal(text, '404 page not found\n', path)
      assert.match(String(headers['content-type']), /^text\/plain/, path)
    }
  })

  claim('answers 404 as a Status for a resource that a known version does not have (W12)', async () => {
    const { code, json } = await api.get('/api/v1/things')

    assert.equal(code, 404)
    assert.equal(json.message, 'the server could not find the requested resource')
    assert.equal(json.reason, 'NotFound')
    assert.deepEqual(json.details, {})
  })

  claim('answers 405 to a method that a collection does not have (W13, 1.1 MethodNotAllowed)', async () => {
    const { code, json } = await api.put('/api/v1/namespaces', { metadata: { name: 'x' } })

    assert.equal(code, 405)
    assert.deepEqual(json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'the server does not allow this method on the requested resource',
      reason: 'MethodNotAllowed',
      details: {},
      code: 405,
    })
  })

  claim('ignores unknown parameters and refuses malformed ones (W14)', async () => {
    const unknown = await api.get('/api/v1/namespaces?nonsense=1')
    const malformed = await api.get('/api/v1/namespaces?limit=x')
    const negative = await api.get('/api/v1/namespaces?limit=-1')

    assert.equal(unknown.code, 200)
    assert.equal(malformed.code, 400)
    assert.equal(malformed.json.reason, 'BadRequest')
    assert.match(malformed.json.message, /strconv\.ParseInt: parsing "x": invalid syntax/)
    assert.equal(negative.code, 200)
    assert.equal(negative.json.metadata.continue, undefined)
  })

  claim('warns of an unknown field in a header (W16)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, headers } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'odd' }, dta: {} })

    assert.equal(code, 201)
    assert.equal(header(headers, 'warning'), '299 - "unknown field \\"dta\\""')
  })

  claim('warns of a duplicate owner and keeps it once (W16, C20)', async (t) => {
    const namespace = await api.namespace(t)
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'a-uid' }

    const { code, headers, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'owned', ownerReferences: [owner, owner] } })

    assert.equal(code, 201)
    assert.match(String(header(headers, 'warning')), /^299 - "\.metadata\.ownerReferences contains duplicate entries/)
    assert.deepEqual(json.metadata.ownerReferences, [owner])
  })

  claim('lists its paths at the root and answers probes (W18)', async () => {
    const root = await api.read('/')
    const probes = await Promise.all(['/healthz', '/livez', '/readyz', '/livez/ping'].map((path) => api.get(path)))
    const verbose = await api.get('/readyz?verbose')

    for (const path of ['/api', '/api/v1', '/apis', '/apis/apps/v1', '/healthz', '/openapi/v3', '/version']) assert.ok(root.paths.includes(path), path)
    assert.deepEqual(
      probes.map(({ code, text }) => [code, text]),
      probes.map(() => [200, 'ok']),
    )
    for (const path of ['/livez/ping', '/livez/etcd', '/readyz/etcd-readiness', '/readyz/shutdown']) assert.ok(root.paths.includes(path), path)
    assert.match(verbose.text, /^\[\+\]ping ok\n/)
    assert.match(verbose.text, /readyz check passed\n$/)
  })

  claim('asks after one check alone, or after all but some (W18)', async () => {
    const plain = 'text/plain; charset=utf-8'
    const lines = async (path: string): Promise<readonly string[]> => (await api.get(path)).text.split('\n')
    const one = await api.get('/livez/etcd?verbose')
    const readiness = await lines('/readyz?verbose')
    const excluded = await lines('/livez?exclude=etcd&exclude=none&exclude=a&verbose')

    assert.deepEqual([one.code, one.text, one.headers['content-type'], one.headers['x-content-type-options']], [200, 'ok', plain, undefined])
    for (const path of ['/livez/none', '/livez/shutdown', '/livez/']) assert.deepEqual([path, (await api.get(path)).code], [path, 404])
    for (const line of ['[+]ping ok', '[+]etcd ok', '[+]etcd-readiness ok', '[+]shutdown ok']) assert.ok(readiness.includes(line), line)
    assert.equal((await lines('/livez?verbose')).includes('[+]shutdown ok'), false)
    assert.ok(excluded.includes('[+]etcd excluded: ok'))
    assert.deepEqual(excluded.slice(-3), ['warn: some health checks cannot be excluded: no matches for "a","none"', 'livez check passed', ''])
    assert.deepEqual([(await api.get('/livez?exclude=none')).text, (await api.get('/healthz?exclude=etcd')).text], ['ok', 'ok'])
    assert.deepEqual([(await api.send('POST', '/livez')).code, (await api.send('PUT', '/readyz/ping')).code], [200, 200])
  })

  claim('tells its version (W19)', async () => {
    const { gitVersion, major, minor, platform, goVersion, compiler, buildDate, gitTreeState } = await api.read('/version')

    assert.ok(gitVersion.startsWith(api.version), gitVersion)
    assert.deepEqual([major, minor], gitVersion.slice(1).split('.').slice(0, 2))
    for (const part of [platform, goVersion, compiler, buildDate, gitTreeState]) assert.equal(typeof part, 'string')
  })

  claim('says which object is missing (1.1 NotFound)', async (t) => {
    const namespace = await api.namespace(t)
    const name = uniqueName('absent')

    const core = await api.get(`${namespace}/configmaps/${name}`)
    const grouped = await api.get(`${namespace.replace('/api/v1', '/apis/apps/v1')}/deployments/${name}`)

    assert.deepEqual(core.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: `configmaps "${name}" not found`,
      reason: 'NotFound',
      details: { name, kind: 'configmaps' },
      code: 404,
    })
    assert.equal(grouped.json.message, `deployments.apps "${name}" not found`)
    assert.deepEqual(grouped.json.details, { name, group: 'apps', kind: 'deployments' })
  })

  claim('says which field of which object is wrong and why (1.1 Invalid)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'Not_a_name' } })

    const detail =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character " +
      "(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    assert.equal(code, 422)
    assert.equal(json.message, `ConfigMap "Not_a_name" is invalid: metadata.name: Invalid value: "Not_a_name": ${detail}`)
    assert.deepEqual(json.details, {
      name: 'Not_a_name',
      kind: 'ConfigMap',
      causes: [{ reason: 'FieldValueInvalid', message: `Invalid value: "Not_a_name": ${detail}`, field: 'metadata.name' }],
    })
  })

  claim('joins several errors of one object (1.1 Invalid)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { containers: [{ name: 'C' }] } })

    assert.equal(code, 422)
    assert.match(json.message, /^Pod "p" is invalid: \[spec\.containers\[0\]\.name: Invalid value: "C": .*, spec\.containers\[0\]\.image: Required value\]$/)
    assert.deepEqual(
      json.details.causes.map(({ reason, field }: { reason: string; field: string }) => [reason, field]),
      [
        ['FieldValueInvalid', 'spec.containers[0].name'],
        ['FieldValueRequired', 'spec.containers[0].image'],
      ],
    )
  })
})
