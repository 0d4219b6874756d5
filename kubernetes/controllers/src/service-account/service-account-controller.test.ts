import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import type { ConfigMap } from '@gantry/kube-api'
import { startTestCluster } from '../test-cluster.ts'
import { createServiceAccountController } from './service-account-controller.ts'

test('every namespace has the CA of the API, and has it again when it is deleted, changed or added to', async () => {
  await using cluster = await startTestCluster((deps) => createServiceAccountController(deps, { ca: 'CA' }))
  const { api } = cluster
  const at = { namespace: 'a', name: 'kube-root-ca.crt' }
  const read = (): Promise<ConfigMap> => api.get<ConfigMap>(resources.configMaps, at)
  await api.create(resources.namespaces, { metadata: { name: 'a' } })
  await cluster.settle()

  const made = await read()
  assert.deepEqual(made.data, { 'ca.crt': 'CA' })
  for (const data of [{}, { 'ca.crt': 'another' }, { 'ca.crt': 'CA', more: 'x' }]) {
    await api.update<ConfigMap>(resources.configMaps, { ...(await read()), data })
    await cluster.settle()
    assert.deepEqual((await read()).data, made.data, JSON.stringify(data))
  }
  await api.delete(resources.configMaps, at)
  await cluster.settle()
  const back = await read()
  assert.notEqual(back.metadata.uid, made.metadata.uid)
  assert.deepEqual(back.data, made.data)
})
