import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { startHttpsServer } from '../src/https-server.ts'
import { uniqueName } from '../src/target.ts'

const label =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
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
  const servedSchema = (t: TestContext, openAPIV3Schema: Json): ReturnType<typeof served> => served(t, { schema: { openAPIV3Schema } })
  /** Waits until a new schema is in force, which refuses what it used to take. */
  const refusedEventually = async (path: string, object: Json): Promise<void> => {
    for (let attempt = 0; attempt < 200; attempt++) {
      const { code } = await api.post(`${path}?dryRun=All`, object)
      if (code === 422) return
      await api.pass(50)
    }
    assert.fail('the new schema never came into force')
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
    assert.deepEqual([json.status.conditions[0].reason, json.status.conditions[0].message], ['ListKindConflict', '"WidgetList" is already in use'])
    assert.deepEqual(json.status.acceptedNames, { plural: 'gadgets', kind: '' })
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

  claim('evaluates rules with every write, and says what is wrong in their words (X7)', async (t) => {
    const { group, path } = await servedSchema(t, {
      type: 'object',
      'x-kubernetes-validations': [{ rule: "self.metadata.name != 'bad'", message: 'no bad names' }],
      properties: {
        spec: {
          type: 'object',
          'x-kubernetes-validations': [
            {
              rule: 'self.min <= self.max',
              messageExpression: "'min %d is above max %d'.format([self.min, self.max])",
              fieldPath: '.min',
              reason: 'FieldValueForbidden',
            },
            { rule: '!has(self.name) || self.name.size() < 5' },
            { rule: "!has(self.name) || self.name != 'x'", reason: 'FieldValueRequired', message: 'not x' },
          ],
          properties: {
            min: { type: 'integer' },
            max: { type: 'integer' },
            name: { type: 'string', maxLength: 10 },
            items: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: "self.startsWith('a')" }] } },
            labels: {
              type: 'object',
              maxProperties: 5,
              additionalProperties: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 0', reason: 'FieldValueDuplicate' }] },
            },
            port: { 'x-kubernetes-int-or-string': true, 'x-kubernetes-validations': [{ rule: 'type(self) == int ? self < 5 : self.size() < 5' }] },
          },
        },
      },
    })
    const refused = async (spec: Json, name = 'a'): Promise<string[]> => {
      const { code, json } = await api.post(path, widget(group, spec, name))
      assert.equal(code, 422, JSON.stringify(json))
      return json.details.causes.map(({ field, message, reason }: Json) => `${field} ${reason}: ${message}`)
    }

    assert.deepEqual(await refused({ min: 3, max: 2 }), ['spec.min FieldValueForbidden: Forbidden: min 3 is above max 2'])
    assert.deepEqual(await refused({ min: 1, max: 2 }, 'bad'), ['<nil> FieldValueInvalid: Invalid value: no bad names'])
    assert.deepEqual(await refused({ min: 1, max: 2, name: 'toolong' }), [
      'spec FieldValueInvalid: Invalid value: failed rule: !has(self.name) || self.name.size() < 5',
    ])
    assert.deepEqual(await refused({ min: 1, max: 2, name: 'x' }), ['spec FieldValueRequired: Required value: not x'])
    assert.deepEqual(await refused({ min: 1, max: 2, items: ['ab', 'b'] }), [
      `spec.items[1] FieldValueInvalid: Invalid value: "b": failed rule: self.startsWith('a')`,
    ])
    assert.deepEqual(await refused({ min: 1, max: 2, labels: { a: 0 } }), ['spec.labels[a] FieldValueDuplicate: Duplicate value: 0'])
    assert.deepEqual(await refused({ min: 1, max: 2, port: 9 }), [
      'spec.port FieldValueInvalid: Invalid value: 9: failed rule: type(self) == int ? self < 5 : self.size() < 5',
    ])
    assert.deepEqual(await refused({ max: 2 }), ['spec FieldValueInvalid: Invalid value: "object": no such key: min evaluating rule: self.min <= self.max'])
    const created = await api.post(path, widget(group, { min: 1, max: 2, name: 'ok', items: ['ab'], port: 'abc' }))
    assert.equal(created.code, 201)
  })

  claim('compares with what was there before in transition rules (X7)', async (t) => {
    const { group, path } = await servedSchema(t, {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            fixed: { type: 'string', maxLength: 10, 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'fixed cannot change' }] },
            once: {
              type: 'string',
              maxLength: 10,
              'x-kubernetes-validations': [{ rule: "oldSelf.hasValue() || self == 'first'", optionalOldSelf: true, message: 'starts with first' }],
            },
            list: {
              type: 'array',
              maxItems: 5,
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['k'],
              items: {
                type: 'object',
                required: ['k'],
                properties: { k: { type: 'string', maxLength: 5 }, n: { type: 'integer' } },
                'x-kubernetes-validations': [{ rule: 'self.n >= oldSelf.n', message: 'n only grows' }],
              },
            },
          },
        },
      },
    })
    const wrong = await api.post(path, widget(group, { once: 'second' }))
    await api.create(path, widget(group, { fixed: 'a', once: 'first', list: [{ k: 'x', n: 2 }] }))
    const change = async (spec: Json): Promise<string[]> => {
      const { code, json } = await api.patch('merge', `${path}/a`, { spec })
      return code === 200 ? [] : json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`)
    }

    assert.equal(wrong.json.details.causes[0].message, 'Invalid value: "second": starts with first')
    assert.deepEqual(await change({ fixed: 'b' }), ['spec.fixed: Invalid value: "b": fixed cannot change'])
    assert.deepEqual(await change({ once: 'other' }), [])
    assert.deepEqual(
      await change({
        list: [
          { k: 'y', n: 1 },
          { k: 'x', n: 1 },
        ],
      }),
      ['spec.list[1]: Invalid value: n only grows'],
    )
    assert.deepEqual(
      await change({
        list: [
          { k: 'y', n: 1 },
          { k: 'x', n: 3 },
        ],
      }),
      [],
    )
    assert.deepEqual(await change({ fixed: null }), [])
  })

  claim('lets stand what was wrong before a rule came and has not changed (X7)', async (t) => {
    const { group, path } = await served(t)
    await api.create(path, widget(group, { size: 5, replicas: 1, tags: ['a'] }))
    const stricter = structuredClone(schema) as Json
    stricter.properties.spec.properties.size = { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self < 3', message: 'small only' }] }
    stricter.properties.spec.properties.replicas = { type: 'integer', minimum: 2 }
    const name = `${definitions}/widgets.${group}`
    await api.patch('merge', name, { spec: { versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: stricter } }] } })
    await api.eventually(`${path}?limit=1`, ({ code }) => code === 200)
    await refusedEventually(path, widget(group, { size: 5 }, 'probe'))

    const other = await api.patch('merge', `${path}/a`, { spec: { color: 'blue' } })
    const same = await api.patch('merge', `${path}/a`, { spec: { size: 6 } })

    assert.equal(other.code, 200, other.text)
    assert.equal(String(other.headers.warning), '299 - "spec.size: Invalid value: 5: small only"')
    assert.equal(same.code, 422)
    assert.deepEqual(
      same.json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`),
      ['spec.size: Invalid value: 6: small only'],
    )
  })

  claim('bounds what rules may cost, alone and together (X7)', async () => {
    const list = (more: Json): Json => ({ type: 'array', items: { type: 'string' }, ...more })
    const of = (rules: readonly string[], properties: Json): Json =>
      definition(newGroup(), {
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties, 'x-kubernetes-validations': rules.map((rule) => ({ rule })) } },
          },
        },
      })
    const refused = async (rules: readonly string[], properties: Json): Promise<string[]> => {
      const { code, json } = await api.post(`${definitions}?dryRun=All`, of(rules, properties))
      return code === 201 ? [] : json.details.causes.map(({ field, message }: Json) => `${field.replace(/^.*openAPIV3Schema/, '')}: ${message}`)
    }
    const hint = '(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)'
    const at = '.properties[spec].x-kubernetes-validations'
    const nested = 'self.a.all(x, self.a.all(y, x == y))'

    assert.deepEqual(await refused([nested], { a: list({ maxItems: 10, items: { type: 'string', maxLength: 10 } }) }), [])
    assert.deepEqual(await refused([nested], { a: list({ maxItems: 2000, items: { type: 'string', maxLength: 10 } }) }), [
      `${at}[0].rule: Forbidden: estimated rule cost exceeds budget by factor of 3.6x ${hint}`,
    ])
    assert.deepEqual(await refused(["self.a.matches('^a+$')"], { a: { type: 'string' } }), [])
    assert.deepEqual(await refused([nested], { a: list({}) }), [
      `${at}[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x ${hint}`,
      `${at}[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema`,
      `: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x ${hint}`,
    ])
  })

  claim('converts between versions by asking a webhook (X10)', async (t) => {
    const server = await startHttpsServer()
    t.after(() => server[Symbol.asyncDispose]())
    const asked: Json[] = []
    server.on('/convert', ({ body }) => {
      const { uid, objects, desiredAPIVersion } = body.request
      asked.push(body.request)
      const isNew = desiredAPIVersion.endsWith('/v2')
      const convertedObjects = objects.map(({ spec, ...object }: Json) => ({
        ...object,
        apiVersion: desiredAPIVersion,
        spec: isNew ? { host: spec.address.split(':')[0], port: Number(spec.address.split(':')[1]) } : { address: `${spec.host}:${spec.port}` },
      }))
      return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response: { uid, convertedObjects, result: { status: 'Success' } } }
    })
    const of = (properties: Json): Json => ({ openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } })
    const group = newGroup()
    const crd = definition(group)
    crd.spec.versions = [
      { name: 'v1', served: true, storage: true, schema: of({ address: { type: 'string' } }) },
      { name: 'v2', served: true, storage: false, schema: of({ host: { type: 'string' }, port: { type: 'integer', maximum: 100 } }) },
    ]
    crd.spec.conversion = {
      strategy: 'Webhook',
      webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: `https://127.0.0.1:${server.port}/convert`, caBundle: server.caBundle } },
    }
    const namespace = await api.namespace(t)
    const path = (version: string): string => `${namespace.replace('/api/v1', `/apis/${group}/${version}`)}/widgets`
    await api.createForTest(t, definitions, crd)
    await api.eventually(path('v2'), ({ code }) => code === 200)
    const of2 = (name: string, port: number): Json => ({ apiVersion: `${group}/v2`, kind: 'Widget', metadata: { name }, spec: { host: 'h', port } })

    const old = await api.create(path('v1'), { ...widget(group, { address: 'a:1' }, 'one') })
    const watch = await api.watch(t, `${path('v2')}?resourceVersion=${old.metadata.resourceVersion}`)
    const made = await api.create(path('v2'), of2('two', 2))
    const invalid = await api.post(path('v2'), of2('three', 200))
    const patched = await api.patch('merge', `${path('v2')}/one`, { spec: { port: 5 } })
    const list = await api.read(path('v2'))
    const stored = await api.read(path('v1'))

    assert.deepEqual([made.apiVersion, made.spec], [`${group}/v2`, { host: 'h', port: 2 }])
    assert.deepEqual(
      invalid.json.details?.causes?.map(({ field }: Json) => field),
      ['spec.port'],
    )
    assert.deepEqual([patched.code, patched.json.apiVersion, patched.json.spec], [200, `${group}/v2`, { host: 'a', port: 5 }])
    assert.deepEqual(
      list.items.map(({ apiVersion, spec }: Json) => [apiVersion, spec]),
      [
        [`${group}/v2`, { host: 'a', port: 5 }],
        [`${group}/v2`, { host: 'h', port: 2 }],
      ],
    )
    assert.deepEqual(
      stored.items.map(({ apiVersion, spec }: Json) => [apiVersion, spec]),
      [
        [`${group}/v1`, { address: 'a:5' }],
        [`${group}/v1`, { address: 'h:2' }],
      ],
    )
    assert.deepEqual(await watch.told(2), ['ADDED two', 'MODIFIED one'])
    assert.ok(asked.length > 0)
    assert.deepEqual(Object.keys(asked[0]).sort(), ['desiredAPIVersion', 'objects', 'uid'])
  })

  claim('reports a conversion that fails (X10)', async (t) => {
    const server = await startHttpsServer()
    t.after(() => server[Symbol.asyncDispose]())
    server.on('/convert', ({ body }) => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'ConversionReview',
      response: { uid: body.request.uid, convertedObjects: [], result: { status: 'Failed', message: 'no idea how' } },
    }))
    const group = newGroup()
    const crd = definition(group)
    crd.spec.versions = [{ ...crd.spec.versions[0] }, { ...crd.spec.versions[0], name: 'v2', storage: false }]
    crd.spec.conversion = {
      strategy: 'Webhook',
      webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: `https://127.0.0.1:${server.port}/convert`, caBundle: server.caBundle } },
    }
    const namespace = await api.namespace(t)
    const path = (version: string): string => `${namespace.replace('/api/v1', `/apis/${group}/${version}`)}/widgets`
    await api.createForTest(t, definitions, crd)
    await api.eventually(path('v2'), ({ code }) => code === 200)
    await api.create(path('v1'), widget(group, { size: 1 }))

    const read = await api.get(`${path('v2')}/a`)

    assert.deepEqual([read.code, read.json.message], [500, `conversion webhook for ${group}/v1, Kind=Widget failed: no idea how`])
    // A definition whose webhook fails has no way to delete its objects in that version.
    await api.delete(`${path('v1')}/a`)
  })

  claim('keeps stored versions on record and serves what an earlier one stored (X10)', async (t) => {
    const group = newGroup()
    const crd = definition(group)
    const [v1] = crd.spec.versions
    crd.spec.versions = [
      { ...v1, name: 'v1beta1' },
      { ...v1, storage: false },
    ]
    const namespace = await api.namespace(t)
    const path = (version: string): string => `${namespace.replace('/api/v1', `/apis/${group}/${version}`)}/widgets`
    const name = `${definitions}/widgets.${group}`
    await api.createForTest(t, definitions, crd)
    await api.eventually(path('v1'), ({ code }) => code === 200)
    await api.create(path('v1'), widget(group, { size: 1 }))

    const switched = await api.patch('json', name, [
      { op: 'replace', path: '/spec/versions/0/storage', value: false },
      { op: 'replace', path: '/spec/versions/1/storage', value: true },
    ])
    const dropped = await api.patch('json', name, [{ op: 'remove', path: '/spec/versions/0' }])
    const read = await api.read(`${path('v1')}/a`)
    const list = await api.read(path('v1beta1'))
    const status = await api.patch('merge', `${name}/status`, { status: { storedVersions: ['v1'] } })
    const forgotten = await api.patch('json', name, [{ op: 'remove', path: '/spec/versions/0' }])

    assert.deepEqual(switched.json.status.storedVersions, ['v1beta1', 'v1'])
    assert.deepEqual(
      dropped.json.details.causes.map(({ field }: Json) => field),
      ['status.storedVersions[0]'],
    )
    assert.match(dropped.json.message, /v1beta1 was previously a storage version, and must remain in spec\.versions/)
    assert.equal(read.apiVersion, `${group}/v1`)
    assert.deepEqual([list.apiVersion, list.items[0].apiVersion], [`${group}/v1beta1`, `${group}/v1beta1`])
    assert.deepEqual([status.code, status.json.status.storedVersions], [200, ['v1']])
    assert.equal(forgotten.code, 200)
  })

  claim('warns of versions that are deprecated (X10)', async (t) => {
    const plain = await served(t, { deprecated: true })
    const own = await served(t, { deprecated: true, deprecationWarning: 'use something else' })

    const warned = await api.get(plain.path)
    const told = await api.get(own.path)

    assert.equal(String(warned.headers.warning), `299 - "${plain.group}/v1 Widget is deprecated"`)
    assert.equal(String(told.headers.warning), '299 - "use something else"')
  })

  claim('needs an approval for groups of the community (X2)', async (t) => {
    const crd = (annotations: Json): Json => {
      const made = definition(`${uniqueName('w')}.k8s.io`)
      made.metadata.annotations = annotations
      return made
    }
    const missing = await api.post(definitions, crd({}))
    const odd = await api.post(definitions, crd({ 'api-approved.kubernetes.io': 'sure' }))
    const unapproved = crd({ 'api-approved.kubernetes.io': 'unapproved, testing' })
    await api.createForTest(t, definitions, unapproved)
    const condition = ({ json }: Json): Json => json.status?.conditions?.find(({ type }: Json) => type === 'KubernetesAPIApprovalPolicyConformant')
    const { json } = await api.eventually(`${definitions}/${unapproved.metadata.name}`, (answer) => condition(answer) !== undefined)

    const said = ({ json: answer }: Json): string => `${answer.details.causes[0].field}: ${answer.details.causes[0].message}`
    assert.match(said(missing), /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Required value: protected groups must have approval annotation/)
    assert.match(said(odd), /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Invalid value: "sure": protected groups must have/)
    const { status, reason, message } = condition({ json })
    assert.deepEqual([status, reason, message], ['False', 'UnapprovedAnnotation', 'not approved: "unapproved, testing"'])
  })

  claim('refuses definitions in the words of upstream (X1, X9, X10, X11, X13)', async () => {
    const refused = async (change: (crd: Json) => void): Promise<string[]> => {
      const crd = structuredClone(definition(newGroup())) as Json
      change(crd)
      const { code, json } = await api.post(`${definitions}?dryRun=All`, crd)
      assert.equal(code, 422, JSON.stringify(json))
      return json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`)
    }
    const version = (more: Json) => (crd: Json) => Object.assign(crd.spec.versions[0], more)

    assert.deepEqual(await refused(version({ subresources: { scale: { specReplicasPath: 'x', statusReplicasPath: '.spec.x' } } })), [
      'spec.subresources.scale.specReplicasPath: Invalid value: "x": must be a simple json path starting with .',
      'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.x": should be a json path under .status',
    ])
    assert.deepEqual(await refused(version({ additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: 'x', format: 'odd' }] })), [
      'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      'spec.additionalPrinterColumns[0].format: Invalid value: "odd": must be one of byte,date,date-time,double,float,int32,int64,password',
      'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple json path starting with .',
    ])
    assert.deepEqual(
      await refused(
        version({ selectableFields: [{ jsonPath: '.spec.nope' }, { jsonPath: '.spec.open' }, { jsonPath: '.spec.color' }, { jsonPath: '.spec.color' }] }),
      ),
      [
        'spec.selectableFields[0].jsonPath: Invalid value: ".spec.nope": is an invalid path: does not refer to a valid field',
        'spec.selectableFields[1].jsonPath: Invalid value: ".spec.open": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        'spec.selectableFields[3].jsonPath: Duplicate value: ".spec.color"',
      ],
    )
    assert.deepEqual(await refused(version({ deprecationWarning: 'x' })), [
      'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions',
    ])
    assert.deepEqual(await refused((crd) => (crd.spec.conversion = { strategy: 'Webhook' })), [
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
      'spec.conversion.conversionReviewVersions: Required value',
    ])
    assert.deepEqual(
      await refused(
        (crd) => (crd.spec.conversion = { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v9'], clientConfig: { url: 'http://x/?a' } } }),
      ),
      [
        `spec.conversion.webhookClientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
        'spec.conversion.webhookClientConfig.url: Invalid value: "a": query parameters are not permitted in the URL',
        'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
      ],
    )
    assert.deepEqual(await refused((crd) => (crd.spec.names = { plural: 'widgets', kind: 'Wid_get', shortNames: ['A'], listKind: 'Wid_get' })), [
      `spec.names.singular: Invalid value: "wid_get": ${label}`,
      `spec.names.kind: Invalid value: "Wid_get": may have mixed case, but should otherwise match: ${label}`,
      `spec.names.listKind: Invalid value: "Wid_get": may have mixed case, but should otherwise match: ${label}`,
      `spec.names.shortNames[0]: Invalid value: "A": ${label}`,
      'spec.names.listKind: Invalid value: "Wid_get": kind and listKind may not be the same',
    ])
  })

  claim('fills in and prunes what is read by the schema of now (X4, X5)', async (t) => {
    const { group, path } = await served(t)
    await api.create(path, widget(group, { size: 1, replicas: 3 }))
    const next = structuredClone(schema) as Json
    delete next.properties.spec.properties.replicas
    next.properties.spec.properties.mode = { type: 'string', default: 'fast' }
    await api.patch('merge', `${definitions}/widgets.${group}`, {
      spec: { versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: next } }] },
    })

    const read = await api.eventually(`${path}/a`, ({ json }) => json?.spec?.mode !== undefined)
    // Upstream's cache of the new schema begins anew: lists are refused until it is filled.
    const list = await api.eventually(path, ({ code }) => code !== 429)

    assert.deepEqual(read.json.spec, { color: 'red', mode: 'fast', size: 1 })
    assert.deepEqual(list.json.items[0].spec, { color: 'red', mode: 'fast', size: 1 })
  })

  claim('validates what is written to the status too (X6, X9)', async (t) => {
    const { group, path } = await served(t, { subresources: { status: {} } })
    await api.create(path, widget(group, { size: 1 }))

    const wrong = await api.patch('merge', `${path}/a/status`, { status: { replicas: 'many' } })

    assert.deepEqual([wrong.code, wrong.json.details?.causes?.map(({ field }: Json) => field)], [422, ['status.replicas']])
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

  claim('shows in discovery and OpenAPI within a moment how a definition has changed, and that it has gone (D11)', async (t) => {
    const { group } = await served(t)
    const at = `${definitions}/widgets.${group}`
    const version = (name: string, properties: Json): Json => ({
      name,
      served: true,
      storage: name === 'v1',
      schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
    })
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
    const urlOf = (index: Json, name: string): string | undefined => index?.paths?.[`apis/${group}/${name}`]?.serverRelativeURL
    const within = async (what: () => Promise<unknown>): Promise<void> => {
      const started = performance.now()
      await what()
      // About a second; the rest is for a machine that has other things to do.
      assert.ok(performance.now() - started < 5_000, `it took ${Math.round(performance.now() - started)} ms`)
    }
    const { json: first } = await api.eventually('/openapi/v3', ({ json }) => urlOf(json, 'v1') !== undefined)

    await api.patch('merge', at, { spec: { versions: [version('v1', { weight: { type: 'integer', description: 'How heavy.' } }), version('v2', {})] } })
    await within(async () => {
      const { json: index } = await api.eventually('/openapi/v3', ({ json }) => urlOf(json, 'v1') !== urlOf(first, 'v1') && urlOf(json, 'v2') !== undefined)
      const { components, paths } = await api.read(urlOf(index, 'v1') ?? '')
      const reversed = group.split('.').toReversed().join('.')
      assert.deepEqual(components.schemas[`${reversed}.v1.Widget`].properties.spec.properties, { weight: { type: 'integer', description: 'How heavy.' } })
      assert.deepEqual(
        Object.keys(components.schemas).filter((name) => name.startsWith(reversed)),
        [`${reversed}.v1.Widget`, `${reversed}.v1.WidgetList`],
      )
      for (const name of ['ObjectMeta', 'ListMeta', 'DeleteOptions', 'Status'])
        assert.ok(components.schemas[`io.k8s.apimachinery.pkg.apis.meta.v1.${name}`] !== undefined, name)
      assert.deepEqual(Object.keys(paths).sort(), [
        `/apis/${group}/v1/namespaces/{namespace}/widgets`,
        `/apis/${group}/v1/namespaces/{namespace}/widgets/{name}`,
        `/apis/${group}/v1/widgets`,
      ])
      const { json } = await api.eventually('/apis', ({ json: groups }) => groups.items.some(({ metadata }: Json) => metadata.name === group), {
        headers: { accept },
      })
      const { versions } = json.items.find(({ metadata }: Json) => metadata.name === group)
      // The order of versions is that of their names, whichever is stored.
      assert.deepEqual(
        versions.map(({ version: name }: Json) => name),
        ['v2', 'v1'],
      )
    })

    await api.delete(at)
    await within(async () => {
      await api.eventually('/openapi/v3', ({ json }) => urlOf(json, 'v1') === undefined && urlOf(json, 'v2') === undefined)
      await api.eventually('/apis', ({ json }) => json.items.every(({ metadata }: Json) => metadata.name !== group), { headers: { accept } })
      await api.eventually(`/apis/${group}/v1`, ({ code }) => code === 404)
    })
    assert.equal((await api.get(urlOf(first, 'v1') ?? '')).code, 404)
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
