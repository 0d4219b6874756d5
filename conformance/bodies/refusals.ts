import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const deployment: Json = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] } },
  },
}
const twice = 'apiVersion: v1\nkind: ConfigMap\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  key: b\n  "key": c\n'
const linesOfTwice = ['line 3: key "kind" already set in map', 'line 8: key "key" already set in map']

function warningsOf({ headers }: Answer): string[] {
  return [headers['warning'] ?? []].flat().map((text) => JSON.parse(text.slice('299 - '.length)) as string)
}

function definition(group: string): { readonly metadata: { readonly name: string }; readonly spec: Json } {
  const template = { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { replicas: { type: 'integer' }, template } } } } }
  const subresources = { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } }
  return {
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, subresources, schema }],
    },
  }
}

/** The words of refusals, where they are more than which field is wrong. */
export const refusals = conformance('words of refusals', ({ api, claim }) => {
  const withDeployment = async (namespace: string): Promise<string> => {
    const collection = `${namespace.replace('/api/v1', '/apis/apps/v1')}/deployments`
    await api.create(collection, deployment)
    return `${collection}/web`
  }
  const withConfigMap = async (namespace: string): Promise<string> => {
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { key: 'x' } })
    return `${namespace}/configmaps/a`
  }

  claim('says of a strategic patch with a wrong type what cannot be made of what (7.1)', async (t) => {
    const namespace = await api.namespace(t)
    const path = await withDeployment(namespace)
    const configMap = await withConfigMap(namespace)
    const why = async (target: string, patch: Json): Promise<string> => {
      const { code, json } = await api.patch('strategic', target, patch)
      assert.equal(code, 422)
      assert.equal(json.message, ` "" is invalid: patch: ${json.details.causes[0].message}`)
      return json.message.replace(/^ "" is invalid: patch: Invalid value: "map.*": (?=\w)/, '')
    }
    const container = (fields: Json): Json => ({ spec: { template: { spec: { containers: [{ name: 'c', ...fields }] } } } })

    assert.deepEqual(
      [
        await why(path, { spec: 1 }),
        await why(path, { spec: [] }),
        await why(path, { metadata: { labels: 'x' } }),
        await why(path, { metadata: { labels: { a: 1 } } }),
        await why(path, { metadata: { creationTimestamp: 1 } }),
        await why(path, { spec: { replicas: 'x' } }),
        await why(path, { spec: { replicas: 1.5 } }),
        await why(path, container({ args: 'x' })),
        await why(path, container({ tty: 'x' })),
        await why(path, container({ image: { a: 'b' } })),
        await why(path, container({ livenessProbe: { httpGet: { port: true } } })),
        await why(path, container({ resources: { limits: { cpu: 'x' } } })),
        await why(configMap, { binaryData: { a: '!' } }),
        await why(configMap, { binaryData: { a: 1 } }),
      ],
      [
        'cannot restore struct from: int64',
        'cannot restore struct from: slice',
        'cannot restore map from string',
        'cannot convert int64 to string',
        'json: cannot unmarshal number into Go value of type string',
        'unrecognized type: int32',
        'cannot convert float64 to int32',
        'cannot restore slice from string',
        'unrecognized type: bool',
        'unrecognized type: string',
        'json: cannot unmarshal bool into Go value of type int32',
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        'error decoding from json: illegal base64 data at input byte 0',
        'cannot restore slice from int64',
      ],
    )
  })

  claim('lets a strategic patch say of which kind it is, whatever that is (7.1)', async (t) => {
    const path = await withConfigMap(await api.namespace(t))

    const strategic = await api.patch('strategic', path, { apiVersion: 'apps/v1', kind: 'Deployment', data: { key: 'y' } })
    const merge = await api.patch('merge', path, { kind: 'Secret' })

    assert.deepEqual([strategic.code, strategic.json.kind, strategic.json.apiVersion, strategic.json.data], [200, 'ConfigMap', 'v1', { key: 'y' }])
    assert.equal(merge.code, 422)
  })

  claim('refuses patches that are no objects (7.1)', async (t) => {
    const path = await withConfigMap(await api.namespace(t))
    const answers: unknown[] = []
    for (const type of ['strategic', 'merge', 'apply'] as const) {
      for (const body of ['[]', '"x"', 'null']) {
        const { code, json } = await api.patch(type, `${path}?fieldManager=m`, body)
        answers.push([type, body, code, code === 200 ? undefined : json.message])
      }
    }

    assert.deepEqual(answers, [
      ['strategic', '[]', 400, 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
      ['strategic', '"x"', 400, 'json: cannot unmarshal string into Go value of type map[string]interface {}'],
      ['strategic', 'null', 200, undefined],
      ['merge', '[]', 400, 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}'],
      ['merge', '"x"', 400, 'error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}'],
      ['merge', 'null', 400, 'Invalid JSON Patch'],
      [
        'apply',
        '[]',
        400,
        'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}',
      ],
      [
        'apply',
        '"x"',
        400,
        'error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type map[string]interface {}',
      ],
      ['apply', 'null', 400, 'invalid object type: /, Kind='],
    ])
  })

  claim('tells of keys that stand twice in YAML by their lines (C13)', async (t) => {
    const namespace = await api.namespace(t)
    const contentType = 'application/yaml'
    const strict = await api.post(`${namespace}/configmaps?fieldValidation=Strict`, `${twice}foo: 1\nbar: 2\n`, { contentType })
    const warned = await api.post(`${namespace}/configmaps`, `${twice}foo: 1\nbar: 2\n`, { contentType })

    assert.deepEqual(
      [strict.code, strict.json.message],
      [
        400,
        `ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  ${linesOfTwice.join('\n  ')}, unknown field "bar", unknown field "foo"`,
      ],
    )
    assert.deepEqual([warned.code, warningsOf(warned)], [201, [...linesOfTwice, 'unknown field "bar"', 'unknown field "foo"']])
  })

  claim('tells of keys that stand twice in a configuration that is applied (P1)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a?fieldManager=m`

    const strict = await api.patch('apply', `${path}&fieldValidation=Strict`, twice)
    const warned = await api.patch('apply', path, twice)
    const ignored = await api.patch('apply', `${path}&fieldValidation=Ignore`, twice)

    const message = `error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  ${linesOfTwice.join('\n  ')}`
    assert.deepEqual([strict.code, strict.json.message], [400, message])
    assert.deepEqual([warned.code, warningsOf(warned)], [201, linesOfTwice])
    assert.deepEqual([ignored.code, warningsOf(ignored)], [200, []])
  })

  claim('says why what has been patched or applied is no object of its kind (7.1, P2)', async (t) => {
    const namespace = await api.namespace(t)
    const web = await withDeployment(namespace)
    const configMap = await withConfigMap(namespace)
    const patched = async (patch: Json): Promise<string> => (await api.patch('merge', configMap, patch)).json.message.replace(/^.*\}": /s, '')
    const applied = async (spec: Json): Promise<unknown> => {
      const { code, json } = await api.apply(web, { ...deployment, spec }, { manager: 'm', force: true })
      return [code, json.reason, json.message.replace(/\(.*?\//, '(NAMESPACE/')]
    }
    const failed =
      'failed to convert new object (NAMESPACE/web; apps/v1, Kind=Deployment) to proper version: unable to convert unstructured object to apps/v1, Kind=Deployment'

    assert.deepEqual(
      [await patched({ kind: 'Pod' }), await patched({ kind: 'Other' }), await patched({ data: { a: 1 } }), await patched({ binaryData: { a: '!' } })],
      [
        'converting (v1.Pod) to (core.ConfigMap): unknown conversion',
        'no kind "Other" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
        'json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
        'illegal base64 data at input byte 0',
      ],
    )
    assert.deepEqual(
      [await applied({ replicas: 1.5 }), await applied({ template: { metadata: { creationTimestamp: 5 } } })],
      [
        [500, undefined, `${failed}: cannot convert float64 to int32`],
        [500, undefined, `${failed}: json: cannot unmarshal number into Go value of type string`],
      ],
    )
  })

  claim('sorts the unknown fields of patches (7.1)', async (t) => {
    const path = await withConfigMap(await api.namespace(t))
    const patch = { foo: 1, bar: 2, metadata: { zoo: 1 } }
    const unknown = ['unknown field "bar"', 'unknown field "foo"', 'unknown field "metadata.zoo"']

    assert.deepEqual(warningsOf(await api.patch('strategic', path, patch)), unknown)
    assert.deepEqual(warningsOf(await api.patch('merge', path, patch)), unknown)
  })

  claim('repeats what is wrong with metadata on update as often as it looks (1.1 Invalid)', async (t) => {
    const namespace = await api.namespace(t)
    const causes = async (target: string, metadata: Json): Promise<number> => {
      const { code, json } = await api.patch('merge', target, { metadata })
      assert.equal(code, 422, json.message)
      return json.details.causes.length
    }
    const wrongLabel = { labels: { 'a b': 'x' } }
    const budgets = `${namespace.replace('/api/v1', '/apis/policy/v1')}/poddisruptionbudgets`
    await api.create(budgets, { metadata: { name: 'a' }, spec: { minAvailable: 1 } })
    await api.create(`${namespace}/limitranges`, { metadata: { name: 'a' }, spec: { limits: [] } })
    const configMap = await withConfigMap(namespace)
    const web = await withDeployment(namespace)

    assert.deepEqual(
      [
        await causes(configMap, wrongLabel),
        await causes(web, wrongLabel),
        await causes(`${namespace}/limitranges/a`, wrongLabel),
        await causes(`${budgets}/a`, wrongLabel),
        await causes(configMap, { uid: 'x' }),
        await causes(web, { uid: 'x' }),
        await causes(`${namespace}/limitranges/a`, { uid: 'x' }),
        await causes(configMap, { finalizers: ['mine'] }),
        await causes(web, { finalizers: ['mine'] }),
      ],
      [4, 3, 3, 2, 2, 2, 1, 2, 1],
    )
  })

  claim('says that a name is missing or a revision is none (C10)', async (t) => {
    const path = await withConfigMap(await api.namespace(t))

    const nameless = await api.put(path, { metadata: {} })
    const wrong = await api.put(path, { metadata: { name: 'a', resourceVersion: 'x' } })

    assert.deepEqual([nameless.code, nameless.json.message], [400, 'the name of the object (a based on URL) was undeterminable: name must be provided'])
    assert.deepEqual([wrong.code, wrong.json.message], [500, 'strconv.ParseUint: parsing "x": invalid syntax'])
  })

  claim('quotes a body that is no object (1.1 BadRequest)', async (t) => {
    const namespace = await api.namespace(t)
    const said = async (body: string, contentType = 'application/json'): Promise<string> =>
      (await api.post(`${namespace}/configmaps`, body, { contentType })).json.message.replaceAll(/struct \{.*\} /g, 'STRUCT ')

    const unrecognized = 'the object provided is unrecognized (must be of type ConfigMap)'
    assert.deepEqual(
      [await said('[]'), await said('1'), await said('- a', 'application/yaml'), await said('null'), await said('xx', 'application/vnd.kubernetes.protobuf')],
      [
        `${unrecognized}: couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type STRUCT (5b5d)`,
        `${unrecognized}: couldn't get version/kind; json parse error: json: cannot unmarshal number into Go value of type STRUCT (31)`,
        `${unrecognized}: couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type STRUCT (2d2061)`,
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        `${unrecognized}: provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (7878)`,
      ],
    )
  })

  claim('knows a continue token that is none (L7)', async (t) => {
    const namespace = await api.namespace(t)
    const said = async (token: string): Promise<string> => (await api.get(`${namespace}/configmaps?continue=${token}`)).json.message

    assert.deepEqual(
      [await said('x'), await said('YWI='), await said('YQ'), await said('e30')],
      [
        'illegal base64 data at input byte 0',
        'illegal base64 data at input byte 3',
        "invalid character 'a' looking for beginning of value",
        'server does not recognize this encoded version ',
      ].map((why) => `invalid continue token: continue key is not valid: ${why}`),
    )
  })

  claim('answers an error in the form that the request asks for (W4)', async () => {
    const get = (headers: Record<string, string>): Promise<Answer> => api.get('/api/v1/namespaces/no-such-namespace', { headers })

    const yaml = await get({ accept: 'application/yaml' })
    const protobuf = await get({ accept: 'application/vnd.kubernetes.protobuf,application/json' })
    const indented = await get({ 'user-agent': 'curl/8.5.0' })

    assert.deepEqual([yaml.code, yaml.headers['content-type']], [404, 'application/yaml'])
    assert.match(yaml.text, /^apiVersion: v1\ncode: 404\ndetails:\n {2}kind: namespaces\n/)
    assert.deepEqual([protobuf.code, protobuf.headers['content-type']], [404, 'application/vnd.kubernetes.protobuf'])
    assert.ok(protobuf.text.startsWith('k8s\u0000') && protobuf.text.includes('namespaces "no-such-namespace" not found'))
    assert.match(indented.text, /^\{\n {2}"kind": "Status",\n/)
  })

  claim('says of a removed object in the form that the request asks for (W4)', async (t) => {
    const path = await withConfigMap(await api.namespace(t))

    const { code, headers, text } = await api.delete(path, undefined, { headers: { accept: 'application/vnd.kubernetes.protobuf' } })

    assert.deepEqual([code, headers['content-type']], [200, 'application/vnd.kubernetes.protobuf'])
    assert.ok(text.startsWith('k8s\u0000') && text.includes('Success'))
  })

  claim('refuses media types in the words of its router (W4)', async (t) => {
    const path = await withConfigMap(await api.namespace(t))
    const headers = { accept: 'text/html' }

    const object = await api.get(path, { headers })
    const collection = await api.get(path.slice(0, -2), { headers })
    const table = await api.get(path, { headers: { accept: 'application/json;as=Table;v=v9;g=meta.k8s.io' } })
    const patch = await api.send('PATCH', path, { body: {}, contentType: 'application/json' })

    const offered = 'application/json, application/yaml, application/vnd.kubernetes.protobuf'
    const streams = 'application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch'
    assert.deepEqual([object.code, object.json.message], [406, `406: Not Acceptable\n\nAvailable representations: ${offered}`])
    assert.deepEqual([collection.code, collection.json.message], [406, `406: Not Acceptable\n\nAvailable representations: ${offered}, ${streams}`])
    assert.deepEqual([table.code, table.json.message], [406, `only the following media types are accepted: ${offered}`])
    assert.deepEqual([patch.code, patch.json.message, patch.json.details], [415, '415: Unsupported Media Type', {}])
  })

  claim('finds no version of a group that has others (D1)', async () => {
    for (const path of ['/apis/apps/v9', '/apis/apps/v9/deployments']) {
      const { code, json } = await api.get(path)
      assert.deepEqual([code, json?.reason, json?.message], [404, 'NotFound', 'the server could not find the requested resource'])
    }
    const { code, text } = await api.get('/apis/no.such.group/v1')
    assert.deepEqual([code, text], [404, '404 page not found\n'])
  })

  claim('says what is wrong with the type and the metadata of a custom resource (X4)', async (t) => {
    const group = `${uniqueName('refusals')}.gantry.dev`
    const namespace = (await api.namespace(t)).split('/').at(-1) ?? ''
    await api.createForTest(t, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition(group))
    const path = `/apis/${group}/v1/namespaces/${namespace}/widgets`
    await api.eventually(path, ({ code }) => code === 200)
    const widget = (fields: Json): Json => ({ apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name: 'a' }, ...fields })
    const said = ({ code, json }: Answer): unknown => [code, json.message.replaceAll(group, 'GROUP')]
    const refused = async (fields: Json): Promise<unknown> => said(await api.post(`${path}?dryRun=All`, widget(fields)))
    const embedded = (metadata: Json): Json => ({ spec: { template: { apiVersion: 'v1', kind: 'X', metadata } } })
    await api.create(path, widget({}))

    assert.deepEqual(
      [
        await refused({ kind: 'Other' }),
        await refused({ apiVersion: 'v1' }),
        await refused({ apiVersion: undefined }),
        said(await api.post(path, '{"apiVersion":"v1"}', { contentType: 'application/json' })),
        String(said(await api.post(path, '[]', { contentType: 'application/json' }))).slice(0, 120),
        await refused(embedded('x')),
        await refused(embedded({ labels: { a: 1 } })),
        await refused(embedded({ creationTimestamp: 'x' })),
        said(await api.patch('merge', `${path}/a`, { kind: 'Other' })),
        said(await api.patch('merge', `${path}/a`, { apiVersion: 'v1' })),
        said(await api.get(`${path}?fieldSelector=spec.a%3Db`)),
      ],
      [
        [422, 'Other.GROUP "a" is invalid: kind: Invalid value: "Other": must be Widget'],
        [400, 'the API version in the data (v1) does not match the expected API version (GROUP/v1)'],
        [400, 'the API version in the data () does not match the expected API version (GROUP/v1)'],
        [400, `the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in '{"apiVersion":"v1"}' ({"apiVersion":"v1"})`],
        "400,the object provided is unrecognized (must be of type Widget): couldn't get version/kind; json parse error: json: can",
        [
          400,
          'Widget in version "v1" cannot be handled as a Widget: spec.template.metadata: Invalid value: "x": json: cannot unmarshal string into Go value of type v1.ObjectMeta',
        ],
        [
          400,
          'Widget in version "v1" cannot be handled as a Widget: spec.template.metadata: Invalid value: {"labels":{"a":1}}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string',
        ],
        [
          400,
          'Widget in version "v1" cannot be handled as a Widget: spec.template.metadata: Invalid value: {"creationTimestamp":"x"}: parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
        ],
        [422, 'Other.GROUP "a" is invalid: kind: Invalid value: "Other": must be Widget'],
        [422, 'Widget "a" is invalid: apiVersion: Invalid value: "v1": must be GROUP/v1'],
        [400, 'field label not supported: spec.a'],
      ],
    )
  })

  claim('lists the verbs of a custom resource in the order of their server (D2)', async (t) => {
    const group = `${uniqueName('refusals')}.gantry.dev`
    await api.createForTest(t, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition(group))

    const { json } = await api.eventually(`/apis/${group}/v1`, ({ code }) => code === 200)
    const other = await api.get(`/apis/${group}/v1/gadgets`)

    assert.deepEqual(
      json.resources.map(({ name, verbs }: Json) => [name, verbs.join(' ')]),
      [
        ['widgets', 'delete deletecollection get list patch create update watch'],
        ['widgets/status', 'get patch update'],
        ['widgets/scale', 'get patch update'],
      ],
    )
    assert.deepEqual([other.code, other.text], [404, '404 page not found\n'])
  })

  claim('refuses to change the claim that a pod makes for itself (16)', async (t) => {
    const pods = `${await api.namespace(t)}/pods`
    const claimOf = (label: string): Json => ({
      metadata: { labels: { a: label } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
    const volumes = (label: string): Json => [{ name: 'scratch', ephemeral: { volumeClaimTemplate: claimOf(label) } }]
    const made = await api.create(pods, { metadata: { name: 'one' }, spec: { containers: [{ name: 'main', image: 'app' }], volumes: volumes('b') } })
    const others = made.spec.volumes.slice(1)

    const { code, json } = await api.put(`${pods}/one`, { ...made, spec: { ...made.spec, volumes: [...volumes('c'), ...others] } })

    assert.equal(code, 422)
    assert.match(json.details.causes[0].message, /^Forbidden: pod updates may not change fields other than[^]*\n-\s+"a": "b"\n\+\s+"a": "c"\n/)
  })

  claim('labels a namespace with its name, also with one that it has made up (16)', async () => {
    const { code, json } = await api.post('/api/v1/namespaces?dryRun=All', { metadata: { generateName: 'made-' } })

    assert.equal(code, 201)
    assert.equal(json.metadata.labels['kubernetes.io/metadata.name'], json.metadata.name)
  })
})
