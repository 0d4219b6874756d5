import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { validateCustomResource } from '../src/custom-resource-validation.ts'
import { createDecoder } from '../src/decode.ts'
import type { FieldError } from '../src/field-error.ts'
import { invalidError } from '../src/field-error.ts'
import { formatYaml } from '../src/format-yaml.ts'
import type { JsonObject } from '../src/json-value.ts'
import { isNameValid } from '../src/name-syntax.ts'
import { validateObjectMeta } from '../src/object-meta.ts'
import type { ValidatedMeta } from '../src/object-meta.ts'
import { createOpenApiWriter } from '../src/openapi.ts'
import { parseJson } from '../src/parse-json.ts'
import { parseYaml } from '../src/parse-yaml.ts'
import { applySchemaDefaults } from '../src/schema-defaults.ts'
import { StatusError } from '../src/status.ts'
import { structuralSchemaProblems } from '../src/structural-problems.ts'
import { structuralSchemaOf } from '../src/structural-schema.ts'
import type { JsonSchema } from '../src/structural-schema.ts'
import { startRealApiServer } from './real-api-server.ts'
import type { Answer, RealApiServer } from './real-api-server.ts'
import { realSchema, realTypes } from './real-types.ts'

/** Bodies, custom resources and OpenAPI documents: what a real kube-apiserver answers, and what the functions of this package say. */

const { definitions } = realTypes
const decoder = createDecoder(definitions)
const group = `decoding-${process.pid}.example.com`
/** A new kind is served within some seconds; each try takes a few milliseconds. */
const maxTries = 5_000

let api: RealApiServer

describe('what a real API server answers, and what the functions of this package say', () => {
  before(async () => {
    api = await startRealApiServer()
  })

  after(async () => {
    await api[Symbol.asyncDispose]()
  })

  function messageOf(answer: Answer): string {
    return String(answer.body['message'])
  }

  interface Cause {
    readonly reason: string
    readonly message: string
    readonly field: string
  }

  function causesOf(status: JsonObject): string[] {
    const details = status['details'] as { readonly causes?: readonly Cause[] } | undefined
    return (details?.causes ?? []).map((cause) => `${cause.reason} ${cause.field} ${cause.message}`).sort()
  }

  function ownCauses(errors: readonly FieldError[]): string[] {
    return causesOf(invalidError({ group: '', kind: '' }, '', errors).toStatus() as unknown as JsonObject)
  }

  describe('a body', () => {
    const types: readonly JsonObject[] = [
      { spec: { containers: 'x' } },
      { spec: { containers: [{ name: 1 }] } },
      { spec: { terminationGracePeriodSeconds: 1.5 } },
      { spec: { priority: 3_000_000_000 } },
      { spec: { hostNetwork: 'yes' } },
      { metadata: { labels: { a: true } } },
      { metadata: [] },
      { metadata: { creationTimestamp: 'now' } },
      { spec: { containers: [{ name: 'a', resources: { limits: { cpu: 'x' } } }] } },
    ]

    for (const part of types) {
      it(`is refused for its types: ${JSON.stringify(part)}`, async () => {
        const body = { apiVersion: 'v1', kind: 'Pod', ...part }
        const answer = await api.call('POST', '/api/v1/namespaces/default/pods', { body })

        assert.equal(answer.status, 400)
        assert.throws(() => decoder.decode(realSchema('v1', 'Pod'), body), { message: messageOf(answer) })
      })
    }

    it('is refused for its unknown and duplicate fields', async () => {
      const text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","foo":1},"data":{"a":"1","a":"2"},"bar":{"x":1},"metadata":{"name":"b"}}'
      const answer = await api.call('POST', '/api/v1/namespaces/default/configmaps?fieldValidation=Strict', { body: Buffer.from(text) })

      const parsed = parseJson(Buffer.from(text), { duplicates: true })
      const { unknownFields } = decoder.decode(realSchema('v1', 'ConfigMap'), parsed.value)
      const problems = /strict decoding error: (.*)$/.exec(messageOf(answer))?.[1]?.split(', ') ?? []
      // Upstream decodes both metadata objects; JSON keeps the last one.
      assert.deepEqual(
        problems.filter((problem) => problem.startsWith('duplicate')).sort(),
        parsed.duplicates.map((path) => `duplicate field "${path}"`).sort(),
      )
      assert.ok(problems.includes('unknown field "bar"'))
      assert.deepEqual(unknownFields, ['bar'])
    })

    it('in YAML means what it means to us', async () => {
      const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml-probe}\ndata:\n  a: "yes"\n  b: |\n    x\n    y\n  1: "0777"\n  c: 2001-01-01\n'
      const answer = await api.call('POST', '/api/v1/namespaces/default/configmaps?dryRun=All', { body: Buffer.from(text), contentType: 'application/yaml' })

      assert.equal(answer.status, 201)
      const { object } = decoder.decode(realSchema('v1', 'ConfigMap'), parseYaml(text).value)
      assert.deepEqual(answer.body['data'], object['data'])
    })

    it('is answered in the YAML that we write', async () => {
      const path = '/api/v1/namespaces/kube-system'
      const json = await api.call('GET', path)
      const yaml = await api.call('GET', path, { accept: 'application/yaml' })

      assert.equal(yaml.bytes.toString(), formatYaml(json.body))
    })
  })

  describe('metadata', () => {
    const metas: readonly ValidatedMeta[] = [
      { name: 'A_b' },
      { name: 'a', labels: { 'a b': 'x', b: '-' } },
      { name: 'a', annotations: { 'x/y/z': '' } },
      { name: 'a', finalizers: ['mine', 'orphan', 'foregroundDeletion'] },
      { name: 'a', ownerReferences: [{ apiVersion: 'v1', kind: '', name: '', uid: '' }] },
      { name: 'a', ownerReferences: ['x', 'y'].map((name) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: name, controller: true })) },
      { generateName: 'B_' },
    ]

    for (const meta of metas) {
      it(`is refused: ${JSON.stringify(meta).slice(0, 80)}`, async () => {
        const answer = await api.call('POST', '/api/v1/namespaces/default/configmaps?dryRun=All', { body: { metadata: meta } as unknown as JsonObject })

        assert.equal(answer.status, 422, messageOf(answer))
        const stored = {
          ...meta,
          namespace: 'default',
          name: meta.name ?? String(answer.body['details'] && (answer.body['details'] as { name?: string }).name),
        }
        assert.deepEqual(ownCauses(validateObjectMeta(stored, { namespaced: true, validateName: isNameValid })), causesOf(answer.body))
      })
    }
  })

  function definitionOf(plural: string, schema: JsonSchema): JsonObject {
    const kind = plural.charAt(0).toUpperCase() + plural.slice(1)
    return {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${group}` },
      spec: {
        group,
        scope: 'Cluster',
        names: { plural, singular: plural, kind },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    }
  }

  const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

  describe('the schema of a CustomResourceDefinition', () => {
    const schemas: readonly JsonSchema[] = [
      { properties: { spec: { properties: { a: {} } }, list: { type: 'array', items: {} } } },
      { type: 'object', properties: { spec: { type: 'object', anyOf: [{ type: 'object', properties: { a: { minimum: 1 } } }] } } },
      { type: 'object', allOf: [{ properties: { a: { minimum: 1 } } }] },
      { type: 'object', properties: { a: { type: 'string', default: 1 } } },
      { type: 'object', properties: { a: { type: 'object', default: { x: 1 } } } },
      { type: 'object', properties: { a: { type: 'string', pattern: '(?=x)' } } },
      { type: 'object', properties: { a: { type: 'array', items: { type: 'string' }, uniqueItems: true } } },
      { type: 'object', properties: { a: { type: 'object', additionalProperties: { type: 'string' }, properties: { b: { type: 'string' } } } } },
      { type: 'object', properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' } } },
      {
        type: 'object',
        properties: {
          a: {
            type: 'array',
            items: { type: 'object', properties: { x: { type: 'string' } } },
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['x', 'y'],
          },
        },
      },
      { type: 'object', properties: { a: { 'x-kubernetes-embedded-resource': true } } },
      { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } },
      { type: 'object', properties: { metadata: { type: 'object', default: {} } } },
      { type: 'object', nullable: true },
      { type: 'object', 'x-kubernetes-validations': [{ rule: ' ' }] },
    ]

    for (const [i, schema] of schemas.entries()) {
      it(`is refused: ${JSON.stringify(schema).slice(0, 100)}`, async () => {
        const answer = await api.call('POST', `${definitionsPath}?dryRun=All`, { body: definitionOf(`bad${String.fromCharCode(97 + i)}s`, schema) })

        assert.equal(answer.status, 422, messageOf(answer))
        assert.deepEqual(ownCauses(await structuralSchemaProblems(schema, 'spec.validation.openAPIV3Schema')), causesOf(answer.body))
      })
    }
  })

  describe('a custom resource', () => {
    const schema: JsonSchema = {
      type: 'object',
      required: ['spec'],
      properties: {
        spec: {
          type: 'object',
          required: ['name'],
          properties: {
            name: { type: 'string', minLength: 2, maxLength: 8, pattern: '^[a-z]+(-[a-z]+)*$' },
            replicas: { type: 'integer', format: 'int32', minimum: 0, maximum: 10, default: 1 },
            ratio: { type: 'number', exclusiveMinimum: true, minimum: 0.5, multipleOf: 0.5 },
            color: { type: 'string', enum: ['red', 'blue'] },
            port: { 'x-kubernetes-int-or-string': true },
            day: { type: 'string', format: 'date' },
            free: { 'x-kubernetes-preserve-unknown-fields': true },
            nothing: { type: 'string', nullable: true },
            template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
            set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', maxItems: 3 },
            map: {
              type: 'array',
              items: { type: 'object', required: ['key'], properties: { key: { type: 'string' }, value: { type: 'string', default: 'v' } } },
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['key'],
            },
            labels: { type: 'object', additionalProperties: { type: 'string', maxLength: 3 }, maxProperties: 2 },
            either: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
          },
        },
      },
    }
    const own = structuralSchemaOf(schema, { definitions, group, version: 'v1', kind: 'Gadgets' })
    const collection = `/apis/${group}/v1/gadgets`
    const head = { apiVersion: `${group}/v1`, kind: 'Gadgets', metadata: { name: 'g' } }

    before(async () => {
      const created = await api.call('POST', definitionsPath, { body: definitionOf('gadgets', schema) })
      assert.equal(created.status, 201, messageOf(created))
      for (let i = 0; i < maxTries; i++) if ((await api.call('GET', collection)).status === 200) return
      assert.fail('the new kind is not served')
    })

    after(async () => {
      await api.call('DELETE', `${definitionsPath}/gadgets.${group}`)
    })

    const invalid: readonly unknown[] = [
      undefined,
      'x',
      {},
      { name: 'a' },
      { name: 'far-too-long' },
      { name: 'A-B' },
      { name: 1, replicas: 'x', color: 3 },
      { name: 'ab', replicas: -1 },
      { name: 'ab', replicas: 11 },
      { name: 'ab', replicas: 1.5 },
      { name: 'ab', replicas: 3_000_000_000 },
      { name: 'ab', ratio: 0.5 },
      { name: 'ab', ratio: 0.7 },
      { name: 'ab', color: 'green' },
      { name: 'ab', port: true },
      { name: 'ab', day: '2026-02-30' },
      { name: 'ab', template: { kind: 'a b' } },
      { name: 'ab', template: { apiVersion: 'v1', kind: 'Pod', metadata: { labels: { 'x y': '-' } } } },
      { name: 'ab', set: ['x', 'y', 'x'] },
      { name: 'ab', set: ['x', 'y', 'z', 'w'] },
      { name: 'ab', map: [{ key: 'k' }, { key: 'k' }, {}] },
      { name: 'ab', labels: { a: 'long', b: 'x', c: 'y' } },
      { name: 'ab', either: {} },
      { name: 'ab', either: { a: 'x', b: 'y' } },
    ]

    for (const spec of invalid) {
      it(`is refused: ${JSON.stringify(spec)}`, async () => {
        const body = { ...head, ...(spec === undefined ? {} : { spec }) } as JsonObject
        const answer = await api.call('POST', `${collection}?dryRun=All`, { body })

        assert.equal(answer.status, 422, messageOf(answer))
        const { object } = decoder.decode(own, body)
        applySchemaDefaults(own, definitions, object)
        assert.deepEqual(ownCauses(validateCustomResource(own, object)), causesOf(answer.body))
      })
    }

    it('is pruned and defaulted', async () => {
      const spec = {
        name: 'ab',
        unknown: 1,
        replicas: null,
        nothing: null,
        color: 'red',
        port: '80',
        free: { z: [{ y: null }], a: { deep: true } },
        map: [
          { key: 'a', odd: 1 },
          { key: 'b', value: 'w' },
        ],
        template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', odd: 1, creationTimestamp: null }, spec: { any: 1 } },
      }
      const body = { ...head, spec, extra: {} } as unknown as JsonObject
      const strict = await api.call('POST', `${collection}?dryRun=All&fieldValidation=Strict`, { body })
      const answer = await api.call('POST', `${collection}?dryRun=All`, { body })

      const { object, unknownFields } = decoder.decode(own, body)
      applySchemaDefaults(own, definitions, object)
      assert.deepEqual(object['spec'], answer.body['spec'])
      const problems = /strict decoding error: (.*)$/.exec(messageOf(strict))?.[1]?.split(', ') ?? []
      assert.deepEqual(unknownFields.map((path) => `unknown field "${path}"`).sort(), problems.sort())
    })

    it('is refused for metadata of a wrong type', async () => {
      const body = { ...head, metadata: { name: 'g', labels: { a: 1 } }, spec: { name: 'ab' } } as unknown as JsonObject
      const answer = await api.call('POST', `${collection}?dryRun=All`, { body })

      assert.equal(answer.status, 400)
      assert.throws(
        () => decoder.decode(own, body),
        (error: unknown) => error instanceof StatusError && error.message === messageOf(answer),
      )
    })
  })

  /** Descriptions are our own. */
  function withoutTexts(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(withoutTexts)
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).filter(([key, item]) => !(key === 'description' && typeof item === 'string'))
    return Object.fromEntries(entries.map(([key, item]) => [key, withoutTexts(item)]))
  }

  describe('OpenAPI', () => {
    it('has the schemas of the real server', async () => {
      const { body } = await api.call('GET', '/openapi/v3/apis/apps/v1')
      const real = withoutTexts((body['components'] as { schemas: JsonObject }).schemas) as JsonObject
      const writer = createOpenApiWriter(definitions, { kubernetesVersion: 'v1.36', kinds: realTypes.kinds })
      const resource = (kind: string, plural: string): Parameters<typeof writer.document>[1][number] => ({
        group: 'apps',
        version: 'v1',
        kind,
        listKind: `${kind}List`,
        plural,
        namespaced: true,
        schema: realSchema('apps/v1', kind),
        verbs: ['get', 'list', 'create', 'update', 'patch', 'delete', 'deletecollection'],
      })
      const resources = [
        resource('Deployment', 'deployments'),
        resource('StatefulSet', 'statefulsets'),
        resource('DaemonSet', 'daemonsets'),
        resource('ReplicaSet', 'replicasets'),
        resource('ControllerRevision', 'controllerrevisions'),
      ]
      const text = [...writer.document({ group: 'apps', version: 'v1' }, resources)].join('')
      const own = withoutTexts((JSON.parse(text) as { components: { schemas: JsonObject } }).components.schemas) as JsonObject

      assert.ok(Object.keys(own).length > 100)
      for (const [name, schema] of Object.entries(own)) assert.deepEqual(schema, real[name], name)

      const old = await api.call('GET', '/openapi/v2')
      const definitionsOfOld = withoutTexts(old.body['definitions'] as JsonObject) as JsonObject
      for (const part of writer.swagger(resources, [])) {
        // Every group of the server belongs to DeleteOptions there, one of them here.
        if (part?.section !== 'definitions' || part.name.endsWith('.DeleteOptions')) continue
        assert.deepEqual(withoutTexts({ [part.name]: part.node } as JsonObject), { [part.name]: definitionsOfOld[part.name] }, part.name)
      }
    })
  })
})
