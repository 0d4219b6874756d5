import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

const schema: Json = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 0, maximum: 10 },
        color: { type: 'string', enum: ['red', 'blue'], default: 'red' },
        replicas: { type: 'integer' },
        open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        ports: {
          type: 'array',
          items: { type: 'object', required: ['name'], properties: { name: { type: 'string' }, port: { type: 'integer', default: 80 } } },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
  },
}

function definition(group: string, version: Json = {}): Json {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...version }],
    },
  }
}

export const customResources = conformance('custom resources', ({ api, claim }) => {
  const newGroup = (): string => `${uniqueName('w')}.example.com`

  /** A kind that is served, and the path of its objects in a namespace of the test. */
  const served = async (t: TestContext, version: Json = {}): Promise<{ readonly group: string; readonly path: string }> => {
    const group = newGroup()
    const namespace = await api.namespace(t)
    const path = `${namespace.replace('/api/v1', `/apis/${group}/v1`)}/widgets`
    await api.createForTest(t, definitions, definition(group, version))
    await api.eventually(path, ({ code }) => code === 200)
    return { group, path }
  }
  const widget = (group: string, spec: Json, name = 'a'): Json => ({ apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name }, spec })

  claim('completes a definition with what it left out (X1)', async (t) => {
    const group = newGroup()

    const created = await api.createForTest(t, definitions, definition(group))

    assert.deepEqual(created.spec.names, {
      plural: 'widgets',
      singular: 'widget',
      shortNames: ['wd'],
      kind: 'Widget',
      listKind: 'WidgetList',
      categories: ['all'],
    })
    assert.deepEqual(created.spec.conversion, { strategy: 'None' })
    assert.deepEqual(created.status.storedVersions, ['v1'])
    assert.equal(created.metadata.generation, 1)
  })

  claim('refuses a definition that is not well formed (X1)', async () => {
    const group = newGroup()
    const refused = async (change: (crd: Json) => void): Promise<string[]> => {
      const crd = structuredClone(definition(group)) as Json
      change(crd)
      const { code, json } = await api.post(definitions, crd)
      assert.equal(code, 422, JSON.stringify(json))
      return json.details.causes.map(({ field, reason }: Json) => `${field} ${reason}`)
    }

    assert.deepEqual(await refused((crd) => (crd.metadata.name = 'other.example.com')), ['metadata.name FieldValueInvalid'])
    assert.deepEqual(await refused((crd) => (crd.spec.versions[0].storage = false)), [
      'spec.versions FieldValueInvalid',
      'status.storedVersions FieldValueInvalid',
    ])
    assert.deepEqual(await refused((crd) => delete crd.spec.versions[0].schema), ['spec.versions[0].schema.openAPIV3Schema FieldValueRequired'])
    assert.deepEqual(await refused((crd) => delete crd.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.size.type), [
      'spec.validation.openAPIV3Schema.properties[spec].properties[size].type FieldValueRequired',
    ])
    assert.deepEqual(await refused((crd) => (crd.spec.scope = 'Somewhere')), ['spec.scope FieldValueNotSupported'])
  })

  claim('accepts the names of a definition and establishes it (X2)', async (t) => {
    const group = newGroup()
    await api.createForTest(t, definitions, definition(group))
    const established = ({ json }: Json): boolean =>
      json.status?.conditions?.some(({ type, status }: Json) => type === 'Established' && status === 'True') ?? false

    const { json } = await api.eventually(`${definitions}/widgets.${group}`, established)

    assert.deepEqual(
      json.status.conditions.map(({ type, status, reason, message }: Json) => ({ type, status, reason, message })),
      [
        { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' },
        { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' },
      ],
    )
    assert.deepEqual(json.status.acceptedNames, json.spec.names)
  })

  claim('refuses names that are taken in a condition (X2)', async (t) => {
    const { group } = await served(t)
    const second = structuredClone(definition(group)) as Json
    second.metadata.name = `gadgets.${group}`
    second.spec.names = { plural: 'gadgets', kind: 'Widget' }
    await api.createForTest(t, definitions, second)

    const { json } = await api.eventually(`${definitions}/gadgets.${group}`, (answer) => (answer.json.status?.conditions?.length ?? 0) > 1)

    // A kind that is taken takes its list kind along.
    assert.deepEqual(
      json.status.conditions.map(({ type, status }: Json) => `${type} ${status}`),
      ['NamesAccepted False', 'Established False'],
    )
    assert.match(json.status.conditions[0].reason, /^(ListKind|Kind|Multiple)/)
    assert.equal(json.status.conditions[1].reason, 'NotAccepted')
  })

  claim('serves objects with kind and version, each and in lists (L12, X3)', async (t) => {
    const { group, path } = await served(t)

    const created = await api.create(path, widget(group, { size: 1 }))
    const list = await api.read(path)

    assert.deepEqual([created.apiVersion, created.kind, created.metadata.generation], [`${group}/v1`, 'Widget', 1])
    assert.deepEqual([list.apiVersion, list.kind], [`${group}/v1`, 'WidgetList'])
    assert.deepEqual([list.items[0].apiVersion, list.items[0].kind], [`${group}/v1`, 'Widget'])
    assert.deepEqual(created.spec, { color: 'red', size: 1 })
  })

  claim('needs the kind in a body (C1)', async (t) => {
    const { path } = await served(t)

    const { code, json } = await api.post(path, { metadata: { name: 'a' }, spec: { size: 1 } })

    assert.equal(code, 400)
    assert.match(json.message, /Object 'Kind' is missing/)
  })

  claim('prunes fields that the schema does not have, and warns (X4, C10)', async (t) => {
    const { group, path } = await served(t)
    const odd = (name: string): Json => ({ ...widget(group, { size: 1, unknown: true, open: { anything: { goes: 1 } } }, name), more: 1 })

    const warned = await api.post(path, odd('a'))
    const strict = await api.post(`${path}?fieldValidation=Strict`, odd('b'))

    assert.equal(warned.code, 201)
    assert.deepEqual(warned.json.spec, { color: 'red', open: { anything: { goes: 1 } }, size: 1 })
    assert.equal(warned.json.more, undefined)
    assert.match(String(warned.headers.warning), /unknown field \\"more\\"/)
    assert.match(String(warned.headers.warning), /unknown field \\"spec\.unknown\\"/)
    assert.equal(strict.code, 400)
    assert.match(strict.json.message, /strict decoding error: unknown field "more", unknown field "spec\.unknown"$/)
  })

  claim('fills in defaults inside what is there (X5)', async (t) => {
    const { group, path } = await served(t)

    const { spec } = await api.create(path, widget(group, { size: 1, ports: [{ name: 'http' }] }))

    assert.deepEqual(spec, { color: 'red', ports: [{ name: 'http', port: 80 }], size: 1 })
  })

  claim('refuses what the schema does not allow, in its words (X6)', async (t) => {
    const { group, path } = await served(t)
    const refused = async (spec: Json): Promise<string[]> => {
      const { code, json } = await api.post(path, widget(group, spec))
      assert.equal(code, 422, JSON.stringify(json))
      return json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`)
    }

    assert.deepEqual(await refused({ size: -1 }), ['spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0'])
    assert.deepEqual(await refused({ size: 'big' }), ['spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'])
    assert.deepEqual(await refused({ size: 1, color: 'green' }), ['spec.color: Unsupported value: "green": supported values: "red", "blue"'])
    assert.deepEqual(await refused({}), ['spec.size: Required value'])
  })

  claim('refuses duplicates in sets and maps (X8)', async (t) => {
    const { group, path } = await served(t)

    const set = await api.post(path, widget(group, { size: 1, tags: ['a', 'a'] }))
    const map = await api.post(path, widget(group, { size: 1, ports: [{ name: 'a' }, { name: 'a' }] }))

    assert.deepEqual([set.code, set.json.details.causes[0].reason, set.json.details.causes[0].field], [422, 'FieldValueDuplicate', 'spec.tags[1]'])
    assert.deepEqual([map.code, map.json.details.causes[0].reason, map.json.details.causes[0].field], [422, 'FieldValueDuplicate', 'spec.ports[1]'])
  })

  claim('keeps status apart when it is a subresource (X9)', async (t) => {
    const { group, path } = await served(t, { subresources: { status: {} } })
    const created = await api.create(path, { ...widget(group, { size: 1 }), status: { replicas: 5 } })

    const status = await api.put(`${path}/a/status`, { ...created, spec: { size: 9 }, status: { replicas: 3 } })
    const spec = await api.patch('merge', `${path}/a`, { spec: { size: 2 }, status: { replicas: 7 } })

    assert.equal(created.status, undefined)
    assert.deepEqual([status.json.spec.size, status.json.status, status.json.metadata.generation], [1, { replicas: 3 }, 1])
    assert.deepEqual([spec.json.spec.size, spec.json.status, spec.json.metadata.generation], [2, { replicas: 3 }, 2])
  })

  claim('scales by paths into the object (X9)', async (t) => {
    const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' }
    const { group, path } = await served(t, { subresources: { status: {}, scale } })
    await api.create(path, widget(group, { size: 1, replicas: 2 }))
    await api.patch('merge', `${path}/a/status`, { status: { replicas: 1, selector: 'a=b' } })

    const read = await api.read(`${path}/a/scale`)
    const patched = await api.patch('merge', `${path}/a/scale`, { spec: { replicas: 4 } })
    const parent = await api.read(`${path}/a`)

    assert.deepEqual([read.kind, read.spec, read.status], ['Scale', { replicas: 2 }, { replicas: 1, selector: 'a=b' }])
    assert.deepEqual([patched.code, patched.json.spec, parent.spec.replicas], [200, { replicas: 4 }, 4])
  })

  claim('selects by the fields that the definition names (X11)', async (t) => {
    const { group, path } = await served(t, { selectableFields: [{ jsonPath: '.spec.color' }] })
    await api.create(path, widget(group, { size: 1, color: 'blue' }, 'a'))
    await api.create(path, widget(group, { size: 1 }, 'b'))
    await api.eventually(`${path}?fieldSelector=spec.color%3Dblue`, ({ code }) => code === 200)

    const list = await api.read(`${path}?fieldSelector=spec.color%3Dblue`)
    const refused = await api.get(`${path}?fieldSelector=spec.size%3D1`)

    assert.deepEqual(
      list.items.map(({ metadata }: Json) => metadata.name),
      ['a'],
    )
    assert.deepEqual([refused.code, refused.json.message], [400, 'field label not supported: spec.size'])
  })

  claim('removes the objects before their definition (X12)', async (t) => {
    const group = newGroup()
    const namespace = await api.namespace(t)
    const path = `${namespace.replace('/api/v1', `/apis/${group}/v1`)}/widgets`
    await api.create(definitions, definition(group))
    await api.eventually(path, ({ code }) => code === 200)
    await api.create(path, widget(group, { size: 1 }))

    const deleted = await api.delete(`${definitions}/widgets.${group}`)
    const gone = await api.eventually(`${definitions}/widgets.${group}`, ({ code }) => code === 404)
    const unserved = await api.eventually(path, ({ code }) => code === 404)

    assert.equal(deleted.code, 200)
    assert.deepEqual(deleted.json.metadata?.finalizers, ['customresourcecleanup.apiextensions.k8s.io'])
    assert.equal(gone.code, 404)
    assert.equal(unserved.text, '404 page not found\n')
  })

  claim('prints the columns that the definition names, or the age (X13, 9)', async (t) => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const plain = await served(t)
    const own = await served(t, {
      additionalPrinterColumns: [
        { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
        { name: 'Color', type: 'string', jsonPath: '.spec.color', priority: 1 },
        { name: 'Missing', type: 'string', jsonPath: '.spec.missing' },
        { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
    })
    await api.create(plain.path, widget(plain.group, { size: 1 }))
    await api.create(own.path, widget(own.group, { size: 1 }))

    const { json: defaults } = await api.get(plain.path, { headers: { accept } })
    const { json: named } = await api.get(own.path, { headers: { accept } })
    const columns = (table: Json): string[] => table.columnDefinitions.map(({ name, type, priority }: Json) => `${name} ${type} ${priority}`)

    assert.deepEqual(columns(defaults), ['Name string 0', 'Age date 0'])
    assert.deepEqual(columns(named), ['Name string 0', 'Size integer 0', 'Color string 1', 'Missing string 0', 'Age date 0'])
    assert.deepEqual(named.rows[0].cells.slice(0, 4), ['a', 1, 'red', null])
    assert.match(named.rows[0].cells[4], /^\d+s$/)
  })

  claim('needs a resourceVersion for an update and knows no strategic merge (X14)', async (t) => {
    const { group, path } = await served(t)
    await api.create(path, widget(group, { size: 1 }))

    const put = await api.put(`${path}/a`, widget(group, { size: 2 }))
    const strategic = await api.patch('strategic', `${path}/a`, { spec: { size: 2 } })
    const merge = await api.patch('merge', `${path}/a`, { spec: { size: 2 } })

    assert.equal(put.code, 422)
    assert.match(put.json.message, /metadata\.resourceVersion: Invalid value: 0: must be specified for an update$/)
    assert.equal(strategic.code, 415)
    assert.deepEqual([merge.code, merge.json.spec.size, merge.json.metadata.generation], [200, 2, 2])
  })

  claim('applies custom objects by the list types of their schema (X14, P1)', async (t) => {
    const { group, path } = await served(t)
    await api.apply(`${path}/a`, widget(group, { size: 1, tags: ['x'], ports: [{ name: 'a' }] }), { manager: 'one' })

    const { code, json } = await api.apply(`${path}/a`, widget(group, { size: 1, tags: ['y'], ports: [{ name: 'b', port: 81 }] }), { manager: 'two' })

    assert.equal(code, 200)
    assert.deepEqual(
      [json.spec.tags, json.spec.ports],
      [
        ['x', 'y'],
        [
          { name: 'a', port: 80 },
          { name: 'b', port: 81 },
        ],
      ],
    )
  })

  claim('refuses protobuf alone and serves JSON to whoever also takes it (W5)', async (t) => {
    const { group, path } = await served(t)
    await api.create(path, widget(group, { size: 1 }))
    const proto = 'application/vnd.kubernetes.protobuf'

    const alone = await api.get(`${path}/a`, { headers: { accept: proto } })
    const both = await api.get(`${path}/a`, { headers: { accept: `${proto},application/json` } })

    assert.equal(alone.code, 406)
    assert.deepEqual([both.code, both.headers['content-type']], [200, 'application/json'])
  })

  claim('joins discovery and OpenAPI (D11)', async (t) => {
    const { group } = await served(t)

    const { json: resources } = await api.eventually(`/apis/${group}/v1`, ({ code }) => code === 200)
    const { json: index } = await api.eventually('/openapi/v3', ({ json }) => json.paths[`apis/${group}/v1`] !== undefined)
    const document = await api.read(index.paths[`apis/${group}/v1`].serverRelativeURL)
    const name = `${group.split('.').reverse().join('.')}.v1.Widget`

    const { storageVersionHash, ...resource } = resources.resources[0]
    resource.verbs.sort()
    assert.equal(typeof storageVersionHash, 'string')
    assert.deepEqual(resource, {
      name: 'widgets',
      singularName: 'widget',
      namespaced: true,
      kind: 'Widget',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      shortNames: ['wd'],
      categories: ['all'],
    })
    assert.deepEqual(document.components.schemas[name]['x-kubernetes-group-version-kind'], [{ group, kind: 'Widget', version: 'v1' }])
    assert.equal(document.components.schemas[name].properties.spec.properties.size.type, 'integer')
  })

  claim('watches custom objects (L14, L19)', async (t) => {
    const { group, path } = await served(t)
    const { metadata } = await api.create(path, widget(group, { size: 1 }))
    const watch = await api.watch(t, `${path}?resourceVersion=${metadata.resourceVersion}`)

    await api.patch('merge', `${path}/a`, { spec: { size: 2 } })
    const deleted = await api.delete(`${path}/a`)

    assert.deepEqual(await watch.told(2), ['MODIFIED a', 'DELETED a'])
    assert.deepEqual([deleted.json.kind, deleted.json.status, deleted.json.details.kind], ['Status', 'Success', 'widgets'])
  })
})
