import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const flows = '/apis/flowcontrol.apiserver.k8s.io/v1'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const budgets = '/apis/policy/v1'

export const retries = conformance('when to ask again', ({ api, claim }) => {
  claim('turns too many requests of a flow away as text, with a time to come again (W17, G3)', async (t) => {
    const name = uniqueName('jail')
    const level = await api.createForTest(t, `${flows}/prioritylevelconfigurations`, {
      metadata: { name },
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: { type: 'Reject' } } },
    } as { metadata: { name: string } })
    const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
    await api.createForTest(t, `${rbac}/clusterroles`, { metadata: { name }, rules } as { metadata: { name: string } })
    await api.createForTest(t, `${rbac}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
    } as { metadata: { name: string } })
    const resourceRules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }]
    const schema = await api.createForTest(t, `${flows}/flowschemas`, {
      metadata: { name },
      spec: {
        matchingPrecedence: 2,
        priorityLevelConfiguration: { name },
        rules: [{ subjects: [{ kind: 'User', user: { name } }], resourceRules }],
      },
    } as { metadata: { name: string } })
    const as: { headers: Record<string, string> } = { headers: { 'impersonate-user': name } }
    const decidedBy = ({ headers }: Answer): unknown => headers['x-kubernetes-pf-flowschema-uid']
    const free = await api.eventually('/api/v1/pods', (answer) => answer.code === 200 && decidedBy(answer) === schema.metadata.uid, as)
    const future = String(Number(free.json.metadata.resourceVersion) + 1_000_000)

    // One of these takes the only seat and waits there for a state that does not come; one that finds the seat taken, if only for a moment, is turned away.
    const waiting: Promise<Answer>[] = []
    const { headers, text } = await api.until(
      () => {
        waiting.push(api.get(`/api/v1/pods?resourceVersion=${future}&resourceVersionMatch=NotOlderThan`, as))
        return api.get('/api/v1/pods', as)
      },
      ({ code }) => code === 429,
    )
    const written = await api.post('/api/v1/namespaces', { metadata: { name } }, as)
    const watched = await api.get('/api/v1/pods?watch=true', as)
    await api.pass(3_500)
    await Promise.all(waiting)

    assert.equal(text, 'Too many requests, please try again later.\n')
    assert.deepEqual(
      [headers['retry-after'], headers['content-type'], headers['x-content-type-options'], headers['cache-control']],
      ['1', 'text/plain; charset=utf-8', 'nosniff', 'no-cache, private'],
    )
    assert.deepEqual([headers['x-kubernetes-pf-flowschema-uid'], headers['x-kubernetes-pf-prioritylevel-uid']], [schema.metadata.uid, level.metadata.uid])
    for (const { code, headers: told, text: said } of [written, watched]) assert.deepEqual([code, told['retry-after'], said], [429, '1', text])
  })

  claim(
    'asks to evict again later while a budget is being worked out, and says when; never when, where the budget is used up (W17, S4, 1.1 TooManyRequests)',
    async (t) => {
      const namespace = await api.namespace(t)
      const policy = namespace.replace('/api/v1', budgets)
      const labels = { app: 'x' }
      await api.create(`${namespace}/pods`, {
        metadata: { name: 'p', labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'registry.example.com/app:1' }] },
      })
      await api.patch('merge', `${namespace}/pods/p/status`, { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } })
      await api.create(`${policy}/poddisruptionbudgets`, { metadata: { name: 'b' }, spec: { minAvailable: 1, selector: { matchLabels: labels } } })
      const evict = (): Promise<Answer> => api.post(`${namespace}/pods/p/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p' } })
      const shown = ({ code, headers, json }: Answer): unknown => ({
        code,
        after: headers['retry-after'],
        reason: json.reason,
        message: json.message,
        details: json.details,
      })

      const seen = async (observedGeneration: number): Promise<void> => {
        const status = { observedGeneration, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 }
        assert.equal((await api.patch('merge', `${policy}/poddisruptionbudgets/b/status`, { status })).code, 200)
      }

      await seen(0)
      const unknown = await evict()
      await seen(1)
      const used = await evict()

      const common = { code: 429, reason: 'TooManyRequests', message: "Cannot evict pod as it would violate the pod's disruption budget." }
      assert.deepEqual(shown(unknown), {
        ...common,
        after: '10',
        details: {
          causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget b is still being processed by the server.' }],
          retryAfterSeconds: 10,
        },
      })
      assert.deepEqual(shown(used), {
        ...common,
        after: undefined,
        details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget b needs 1 healthy pods and has 1 currently' }] },
      })
    },
  )

  claim('says in header and body when a state that is not there yet may be (W17, L6)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.read(`${namespace}/configmaps`)
    const future = `${Number(metadata.resourceVersion) + 1_000_000}`

    const asked = [
      api.get(`${namespace}/configmaps?resourceVersion=${future}&resourceVersionMatch=NotOlderThan`),
      api.get(`${namespace}/serviceaccounts/default?resourceVersion=${future}`),
    ]
    await api.pass(3_500)
    for (const { code, headers, json } of await Promise.all(asked)) {
      assert.deepEqual([code, json.reason, headers['retry-after'], json.details.retryAfterSeconds], [504, 'Timeout', '1', 1])
      assert.deepEqual(
        json.details.causes.map(({ reason }: { reason: string }) => reason),
        ['ResourceVersionTooLarge'],
      )
    }
  })
})
