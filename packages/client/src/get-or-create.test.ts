import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { KubeObject, ResourceRef } from './client.ts'
import { getOrCreate } from './get-or-create.ts'

const resource: ResourceRef = { group: '', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }
const key = { namespace: 'a', name: 'w' }
const wanted = (): KubeObject => ({ metadata: { namespace: 'a', name: 'w' } })

/** A server of one object, which tells by the uid whose it is; `beforeCreate` is what somebody else does between the look and the write. */
function server(beforeCreate: (store: (object: KubeObject) => void) => void = () => {}) {
  let stored: KubeObject | undefined
  const store = (object: KubeObject): void => void (stored = { ...object, metadata: { ...object.metadata, uid: `uid-of-${object.metadata.uid ?? 'own'}` } })
  return {
    store,
    get<T extends KubeObject>() {
      return stored === undefined ? Promise.reject(new StatusError('NotFound', 'there is none')) : Promise.resolve(stored as T)
    },
    create<T extends KubeObject>(_: ResourceRef, object: T) {
      beforeCreate(store)
      if (stored !== undefined) return Promise.reject(new StatusError('AlreadyExists', 'there is one'))
      store(object)
      return Promise.resolve(stored as unknown as T)
    },
  }
}

test('gives what there is without making another one', async () => {
  const client = server()
  client.store({ metadata: { ...key, uid: 'other' } })
  const found = await getOrCreate<KubeObject>(client, { resource, key, make: () => assert.fail('made although there is one') })
  assert.equal(found.metadata.uid, 'uid-of-other')
})

test('makes what is missing', async () => {
  const made = await getOrCreate(server(), { resource, key, make: wanted })
  assert.equal(made.metadata.uid, 'uid-of-own')
})

test('gives the one of somebody who was faster', async () => {
  const client = server((store) => store({ metadata: { ...key, uid: 'faster' } }))
  const found = await getOrCreate(client, { resource, key, make: wanted })
  assert.equal(found.metadata.uid, 'uid-of-faster')
})

test('passes on what else goes wrong, with reading and with writing', async () => {
  const refused = (): Promise<never> => Promise.reject(new StatusError('Forbidden', 'no'))
  await assert.rejects(getOrCreate({ ...server(), get: refused }, { resource, key, make: wanted }), { reason: 'Forbidden' })
  await assert.rejects(getOrCreate({ ...server(), create: refused }, { resource, key, make: wanted }), { reason: 'Forbidden' })
})
