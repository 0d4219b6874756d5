import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf, readWholeBody, silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import { startLocalCluster } from './local-cluster.ts'

type Answer = Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- answers of any kind, read field by field

const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies'

test('says in the status of a policy what its expressions would meet, under the name of the controller that does so upstream', async () => {
  await using store = createMemoryStore({ log: silentLogger })
  await using cluster = await startLocalCluster({ store, clock: new FakeClock(), ids: createFakeIds(), log: silentLogger }, {})
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const user = { username: 'admin', groups: ['system:masters', 'system:authenticated'] }
    const request = {
      method,
      path,
      query: '',
      headers: {},
      signal: new AbortController().signal,
      user,
      ...(body === undefined ? {} : { body: bodyOf(JSON.stringify(body)) }),
    }
    return JSON.parse((await readWholeBody(await cluster.handle(request))).toString())
  }
  const resourceRules = [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }]
  const conditions = [{ type: 'Seen', status: 'True', reason: 'Mine', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }]
  const checked = async (generation: number): Promise<Answer> => {
    for (let round = 0; round < 100; round++) {
      const policy = await call('GET', `${policies}/one`)
      if (policy.status?.observedGeneration === generation) return policy
      await settle(8)
    }
    return assert.fail('the policy has not been checked')
  }

  await call('POST', policies, {
    metadata: { name: 'one' },
    spec: { matchConstraints: { resourceRules }, validations: [{ expression: 'object.spec.replica > 1' }] },
  })
  const { metadata, status } = await checked(1)
  const own = await call('GET', `${policies}/one`)
  await call('PUT', `${policies}/one/status`, { ...own, status: { ...own.status, conditions } })
  const now = await call('GET', `${policies}/one`)
  await call('PUT', `${policies}/one`, { ...now, spec: { ...now.spec, validations: [{ expression: 'object.spec.replicas > 1' }] } })
  const mended = await checked(2)

  assert.deepEqual(status.typeChecking.expressionWarnings, [
    {
      fieldRef: 'spec.validations[0].expression',
      warning: "apps/v1, Kind=Deployment: ERROR: <input>:1:12: undefined field 'replica'\n | object.spec.replica > 1\n | ...........^\n",
    },
  ])
  const managers = metadata.managedFields.map(({ manager, operation, subresource }: Record<string, string>) => [manager, operation, subresource])
  assert.deepEqual(managers[0], ['validatingadmissionpolicy-status', 'Apply', 'status'])
  // What lost everything that its owner said goes with it, as upstream.
  assert.deepEqual(mended.status, { observedGeneration: 2, conditions })
})
