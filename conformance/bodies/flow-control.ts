import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const byText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
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

  claim('shows schemas in a table by precedence, and lists them by name (G3)', async () => {
    const list: Json = await api.read(`${group}/flowschemas`)
    const { json: table } = await api.get(`${group}/flowschemas`, { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } })
    const names = list.items.map(({ metadata }: Json) => metadata.name)
    const precedences = table.rows.map(({ cells }: Json) => [cells[2], cells[0]])

    assert.deepEqual(names, names.toSorted(byText))
    assert.ok(names.length >= 11)
    assert.deepEqual(
      precedences,
      [...precedences].sort(([a, one], [b, other]) => a - b || byText(one, other)),
    )
  })

  claim('makes the objects of every cluster again within a minute (G3, K2)', async () => {
    const kept = [
      `${group}/flowschemas/exempt`,
      `${group}/flowschemas/service-accounts`,
      `${group}/prioritylevelconfigurations/workload-low`,
      '/api/v1/namespaces/default/services/kubernetes',
    ]
    const removed = await Promise.all(kept.map(async (path) => ({ path, old: await api.read(path), code: (await api.delete(path)).code })))
    const missing = async (): Promise<string[]> => {
      const answers = await Promise.all(removed.map(async ({ path, old }) => ({ path, old, ...(await api.get(path)) })))
      return answers.filter(({ code, json, old }) => code !== 200 || json.metadata.uid === old.metadata.uid).map(({ path }) => path)
    }
    for (let look = 0; look < 7 && (await missing()).length > 0; look++) await api.pass(10_000)

    assert.deepEqual(
      removed.map(({ code }) => code),
      kept.map(() => 200),
    )
    assert.deepEqual(await missing(), [])
    for (const { path, old } of removed.slice(0, 3)) assert.deepEqual((await api.read(path)).spec, old.spec)
  })
})
