import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from '@gantry/apiserver'
import type { ApiObject, ResourceDefinition } from '@gantry/apiserver'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock } from '@gantry/runtime/testing'
import { CustomResources } from './custom-resources.ts'
import type { CustomResourcesDeps } from './custom-resources.ts'

function definitionOf(properties: Record<string, unknown>, status: Record<string, unknown> = {}): ApiObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com', uid: 'u', creationTimestamp: null, resourceVersion: '1' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties } } }],
    },
    status,
  }
}

function openedOver(registry: Registry): CustomResources {
  const unused = {} as CustomResourcesDeps['client'] & CustomResourcesDeps['webhooks']
  const customResources = new CustomResources({
    registry,
    definitions: new Map(),
    client: unused,
    webhooks: unused,
    clock: new FakeClock(),
    ids: createFakeIds(),
    log: silentLogger,
    anyStoredBefore: () => false,
    deleteStored: () => Promise.resolve(0),
  })
  customResources.stop() // nobody writes conditions
  return customResources
}

test('a schema is put together for the first who asks', () => {
  const registry = new Registry([])
  let reads = 0
  const size = {
    get type() {
      reads++
      return 'string'
    },
  }

  openedOver(registry).changed(definitionOf({ size }))
  const before = reads
  const { schema } = registry.find('example.com', 'v1', 'things') ?? {}

  assert.equal(before, 0)
  assert.ok(schema !== undefined && reads > 0)
})

test('a change of status compiles no schema again, a change of schema does', () => {
  const registry = new Registry([])
  const customResources = openedOver(registry)
  const schemaAfter = (definition: ApiObject): ResourceDefinition['schema'] | undefined => {
    customResources.changed(definition)
    return registry.find('example.com', 'v1', 'things')?.schema
  }

  const first = schemaAfter(definitionOf({ size: { type: 'string' } }))
  const second = schemaAfter(definitionOf({ size: { type: 'string' } }, { storedVersions: ['v1'] }))
  const third = schemaAfter(definitionOf({ size: { type: 'integer' } }, { storedVersions: ['v1'] }))

  assert.notEqual(first, undefined)
  assert.equal(second, first)
  assert.notEqual(third, first)
})
