import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionsFromTable } from './builtin-types.ts'
import type { TypeTable } from './builtin-types.ts'
import { createOpenApiWriter } from './openapi.ts'
import type { OpenApiResource } from './openapi.ts'
import { structuralSchemaOf } from './structural-schema.ts'

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const text = { k: 'string' }
const table: TypeTable = {
  kubernetesVersion: 'v1.36.3',
  kinds: [{ group: 'apps', version: 'v1', kind: 'Box', type: 'test.apps.v1.Box', listType: 'test.apps.v1.BoxList' }],
  types: {
    'test.apps.v1.Box': {
      description: 'Box holds things.',
      fields: [
        { name: 'kind', omitEmpty: true, type: text },
        { name: 'apiVersion', omitEmpty: true, type: text },
        { name: 'metadata', omitEmpty: true, type: { k: 'ref', ref: `${meta}ObjectMeta` }, default: {} },
        { name: 'spec', omitEmpty: true, type: { k: 'ref', ref: 'test.apps.v1.BoxSpec' }, default: {}, description: 'What is inside.' },
      ],
    },
    'test.apps.v1.BoxList': {
      fields: [{ name: 'items', required: true, type: { k: 'list', of: { k: 'ref', ref: 'test.apps.v1.Box' } } }],
    },
    'test.apps.v1.BoxSpec': {
      mapType: 'atomic',
      fields: [
        { name: 'replicas', omitEmpty: true, pointer: true, type: { k: 'int32' } },
        {
          name: 'items',
          required: true,
          type: { k: 'list', of: { k: 'ref', ref: 'test.apps.v1.BoxSpec' } },
          listType: 'map',
          listMapKeys: ['name'],
          patchStrategy: 'merge',
          patchMergeKey: 'name',
        },
        { name: 'limits', omitEmpty: true, type: { k: 'map', of: { k: 'Quantity' } } },
        { name: 'names', omitEmpty: true, type: { k: 'list', of: text }, listType: 'set' },
        { name: 'policy', omitEmpty: true, type: text, enum: ['A', 'B'], default: 'A' },
      ],
    },
    [`${meta}ObjectMeta`]: {
      fields: [
        { name: 'name', omitEmpty: true, type: text },
        { name: 'creationTimestamp', omitEmpty: true, type: { k: 'Time' } },
      ],
    },
    [`${meta}ListMeta`]: { fields: [{ name: 'resourceVersion', omitEmpty: true, type: text }] },
    [`${meta}DeleteOptions`]: { fields: [{ name: 'gracePeriodSeconds', omitEmpty: true, pointer: true, type: { k: 'int64' } }] },
    [`${meta}Status`]: { fields: [{ name: 'message', omitEmpty: true, type: text }] },
  },
}
const types = definitionsFromTable(table)
const writer = createOpenApiWriter(types.definitions, { kubernetesVersion: table.kubernetesVersion, kinds: table.kinds })
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']

interface Operation {
  operationId: string
  parameters?: { name: string }[]
  requestBody: { content: Record<string, unknown> }
  responses: Record<string, { content?: Record<string, { schema: { $ref: string } }> }>
  'x-kubernetes-action': string
  'x-kubernetes-group-version-kind': unknown
}
interface Document {
  openapi: string
  info: unknown
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Record<string, unknown>> }
}

function documentOf(group: string, resource: OpenApiResource): Document {
  return JSON.parse([...writer.document({ group, version: 'v1' }, [resource])].join('')) as Document
}
const boxSchema = types.schemaOf('apps', 'v1', 'Box') ?? assert.fail('no schema')
const boxes: OpenApiResource = {
  group: 'apps',
  version: 'v1',
  kind: 'Box',
  listKind: 'BoxList',
  plural: 'boxes',
  namespaced: true,
  schema: boxSchema,
  verbs,
  subresources: [{ name: 'status', kind: { group: 'apps', version: 'v1', kind: 'Box' }, verbs: ['get', 'update', 'patch'], schema: boxSchema }],
}
const document = documentOf('apps', boxes)
const widgets: OpenApiResource = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  listKind: 'WidgetList',
  plural: 'widgets',
  namespaced: false,
  custom: true,
  verbs,
  schema: structuralSchemaOf(
    {
      type: 'object',
      description: 'A widget.',
      properties: { spec: { type: 'object', properties: { port: { 'x-kubernetes-int-or-string': true }, n: { type: 'integer', minimum: 1 } } } },
    },
    { definitions: types.definitions, group: 'example.com', version: 'v1', kind: 'Widget' },
  ),
}

// The shapes were compared with the documents of Kubernetes 1.36.3: all schemas of core and apps are equal but for the descriptions.
describe('createOpenApiWriter', () => {
  it('writes schemas with the extensions that apply and patches need', () => {
    const { schemas } = document.components
    assert.deepEqual(schemas['test.apps.v1.BoxSpec'], {
      type: 'object',
      required: ['items'],
      properties: {
        items: {
          type: 'array',
          items: { default: {}, allOf: [{ $ref: '#/components/schemas/test.apps.v1.BoxSpec' }] },
          'x-kubernetes-list-map-keys': ['name'],
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-patch-merge-key': 'name',
          'x-kubernetes-patch-strategy': 'merge',
        },
        limits: { type: 'object', additionalProperties: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity' } },
        names: { type: 'array', items: { default: '', type: 'string' }, 'x-kubernetes-list-type': 'set' },
        policy: { default: 'A', type: 'string', enum: ['A', 'B'] },
        replicas: { type: 'integer', format: 'int32' },
      },
      'x-kubernetes-map-type': 'atomic',
    })
    assert.deepEqual(schemas['test.apps.v1.Box']?.['x-kubernetes-group-version-kind'], [{ group: 'apps', version: 'v1', kind: 'Box' }])
    assert.equal(schemas['test.apps.v1.Box']?.['description'], 'Box holds things.')
  })

  it('brings every definition that is referred to', () => {
    const text = JSON.stringify(document)
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) assert.ok(document.components.schemas[name], name)
  })

  it('says in PATCH what kubectl asks for', () => {
    const patch = document.paths['/apis/apps/v1/namespaces/{namespace}/boxes/{name}']?.['patch'] ?? assert.fail('no patch')
    assert.deepEqual(
      patch.parameters?.map((parameter) => parameter.name),
      ['dryRun', 'fieldManager', 'fieldValidation', 'force'],
    )
    assert.equal(patch['x-kubernetes-action'], 'patch')
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', version: 'v1', kind: 'Box' })
    assert.ok(Object.hasOwn(patch.requestBody.content, 'application/strategic-merge-patch+json'))
  })

  it('names operations as upstream does', () => {
    const names = Object.values(document.paths).flatMap((path) => Object.values(path).map((operation) => operation.operationId))
    for (const name of [
      'listAppsV1BoxForAllNamespaces',
      'listAppsV1NamespacedBox',
      'createAppsV1NamespacedBox',
      'deleteAppsV1CollectionNamespacedBox',
      'readAppsV1NamespacedBoxStatus',
    ]) {
      assert.ok(names.includes(name), name)
    }
  })

  it('answers a delete with a Status unless the object is returned', () => {
    const path = '/apis/apps/v1/namespaces/{namespace}/boxes/{name}'
    const refOf = (of: Document): string | undefined => of.paths[path]?.['delete']?.responses['200']?.content?.['application/json']?.schema.$ref
    assert.equal(refOf(document), `#/components/schemas/${meta}Status`)
    assert.equal(refOf(documentOf('apps', { ...boxes, returnsDeletedObject: true })), '#/components/schemas/test.apps.v1.Box')
  })

  it('publishes a custom resource as its definition has it', () => {
    const custom = documentOf('example.com', widgets)
    const schema = custom.components.schemas['com.example.v1.Widget']
    const properties = (schema?.['properties'] ?? {}) as Record<string, unknown>
    assert.deepEqual(properties['spec'], {
      type: 'object',
      properties: {
        n: { type: 'integer', minimum: 1 },
        port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
      },
    })
    assert.deepEqual(schema?.['x-kubernetes-group-version-kind'], [{ group: 'example.com', version: 'v1', kind: 'Widget' }])
    assert.deepEqual(custom.components.schemas['com.example.v1.WidgetList']?.['x-kubernetes-group-version-kind'], [
      { group: 'example.com', version: 'v1', kind: 'WidgetList' },
    ])
    const patch = custom.paths['/apis/example.com/v1/widgets/{name}']?.['patch'] ?? assert.fail('no patch')
    assert.deepEqual(Object.keys(patch.requestBody.content), ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'])
  })

  it('offers only what a resource can do', () => {
    const small = documentOf('apps', { ...boxes, verbs: ['create'], subresources: [] })
    assert.deepEqual(Object.keys(small.paths), ['/apis/apps/v1/', '/apis/apps/v1/namespaces/{namespace}/boxes'])
  })
})
