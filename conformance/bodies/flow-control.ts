import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const group = '/apis/flowcontrol.apiserver.k8s.io/v1'

export const flowControl = conformance('priority and fairness', ({ api, claim }) => {
  const uidOf = async (resource: string, name: string): Promise<string> => (await api.read(`${group}/${resource}/${name}`)).metadata.uid
  const decidedBy = ({ headers }: Answer): unknown => [headers['x-kubernetes-pf-flowschema-uid'], headers['x-kubernetes-pf-prioritylevel-uid']]
  const uids = async (schema: string, level: string): Promise<unknown> => [
    await uidOf('flowschemas', schema),
    await uidOf('prioritylevelconfigurations', level),
  ]

  claim('puts every caller into the flow that the schemas say (G3, W2)', async (t) => {
    const namespace = await api.namespace(t)
    const as = (user: string, path = `${namespace}/pods`, ...groups: string[]): Promise<Answer> =>
      api.get(path, { headers: { 'impersonate-user': user, ...(groups.length > 0 && { 'impersonate-group': groups[0] ?? '' }) } })

    assert.deepEqual(decidedBy(await api.get(`${namespace}/pods`)), await uids('exempt', 'exempt'))
    assert.deepEqual(decidedBy(await as('jane')), await uids('global-default', 'global-default'))
    assert.deepEqual(decidedBy(await as('jane', '/healthz')), await uids('probes', 'exempt'))
    assert.deepEqual(decidedBy(await as('system:kube-scheduler')), await uids('kube-scheduler', 'workload-high'))
    assert.deepEqual(decidedBy(await as('system:serviceaccount:default:x')), await uids('service-accounts', 'workload-low'))
    assert.deepEqual(decidedBy(await as('system:serviceaccount:kube-system:x')), await uids('kube-system-service-accounts', 'workload-high'))
    assert.deepEqual(decidedBy(await as('n', `${namespace}/pods`, 'system:nodes')), await uids('system-nodes', 'system'))
    assert.deepEqual(decidedBy(await as('n', '/api/v1/nodes/n', 'system:nodes')), await uids('system-node-high', 'node-high'))
  })

  claim('says so on refusals and on what is not there, not on what runs long (G3, W2)', async (t) => {
    const namespace = await api.namespace(t)
    const exempt = await uids('exempt', 'exempt')

    assert.deepEqual(decidedBy(await api.get(`${namespace}/pods/none`)), exempt)
    assert.deepEqual(decidedBy(await api.get('/not-there')), exempt)
    assert.deepEqual(decidedBy(await api.post(`${namespace}/configmaps`, { metadata: { name: 'NO' } })), exempt)
    assert.deepEqual(decidedBy(await api.get(`${namespace}/pods/none/log`)), [undefined, undefined])
  })

  claim('takes schemas and levels as they are made (G3)', async (t) => {
    const name = uniqueName('flow')
    const level = await api.createForTest(t, `${group}/prioritylevelconfigurations`, {
      metadata: { name },
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: { type: 'Reject' } } },
    } as { metadata: { name: string } })
    const schema = await api.createForTest(t, `${group}/flowschemas`, {
      metadata: { name },
      spec: {
        matchingPrecedence: 3,
        priorityLevelConfiguration: { name },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name } }],
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
          },
        ],
      },
    } as { metadata: { name: string } })
    const expected = [schema.metadata.uid, level.metadata.uid]
    let found: unknown
    for (let tries = 0; tries < 200 && JSON.stringify(found) !== JSON.stringify(expected); tries++) {
      found = decidedBy(await api.get('/api/v1/pods', { headers: { 'impersonate-user': name } }))
      await api.pass(50)
    }

    assert.deepEqual(found, expected)
  })
})
