import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AccessRoleBinding, AccessRule } from '../../api/index.ts'
import { builtinRoles } from './builtin-roles.ts'
import { PermissionIndex, type AccessQuestion, type Subject } from './permission-index.ts'

const ann: Subject = { user: 'ann', groups: ['devs', 'system:authenticated'] }
const start = Date.parse('2026-01-01T00:00:00Z')

type Binding = Partial<AccessRoleBinding['spec']> & { readonly role: string }

function indexOf(
  roles: Readonly<Record<string, readonly AccessRule[]>>,
  bindings: readonly Binding[],
): { readonly index: PermissionIndex; readonly clock: { nowMs: number } } {
  const clock = { nowMs: start }
  const index = new PermissionIndex(() => clock.nowMs)
  for (const [name, rules] of Object.entries(roles)) index.setRole(name, rules)
  for (const [at, binding] of bindings.entries())
    index.setBinding(`b${at}`, { metadata: { name: `b${at}` }, spec: { subjects: [{ kind: 'User', name: 'ann' }], ...binding } } as AccessRoleBinding)
  return { index, clock }
}

/** `prod get pods/log shop/web`, `prod list deployments.apps *`, `prod GET /metrics`. */
function ask(text: string): AccessQuestion {
  const [cluster = '', verb = '', what = '', where = ''] = text.split(' ')
  const none = { group: '', resource: '', subresource: '', namespace: undefined, name: '' }
  if (what.startsWith('/')) return { ...none, cluster: cluster === '-' ? '' : cluster, verb: verb.toLowerCase(), isResource: false, path: what }
  const [full = '', subresource = ''] = what.split('/')
  const [resource = '', ...group] = full.split('.')
  const [namespace = '', name = ''] = where.includes('/') ? where.split('/') : ['', where]
  return { cluster, verb, isResource: true, group: group.join('.'), resource, subresource, namespace: namespace === '' ? undefined : namespace, name, path: '' }
}

const pods: AccessRule = { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods', 'pods/log'] }
const builtin = Object.fromEntries(Object.entries(builtinRoles).map(([name, { rules }]) => [name, rules]))

describe('a decision', () => {
  const { index } = indexOf(
    {
      ...builtin,
      pods: [pods],
      named: [{ verbs: ['get', 'delete'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['web', 'job-*'] }],
      stars: [{ verbs: ['*'], apiGroups: ['batch'], resources: ['*/status'] }],
      eu: [{ verbs: ['get'], apiGroups: [''], resources: ['nodes'], clusters: ['eu-*'] }],
      team: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'], namespaces: ['team-*'] }],
      metrics: [{ verbs: ['get'], nonResourceURLs: ['/metrics', '/logs/*'] }],
    },
    [
      { role: 'pods', cluster: 'prod', namespaces: ['shop'] },
      { role: 'named', cluster: 'prod' },
      { role: 'stars', cluster: 'prod' },
      { role: 'eu' },
      { role: 'team', cluster: 'prod' },
      { role: 'metrics', cluster: 'prod' },
      { role: 'cluster-viewer', cluster: 'dev', subjects: [{ kind: 'Group', name: 'devs' }] },
    ],
  )
  const cases: Readonly<Record<string, 'yes' | 'no' | 'part'>> = {
    'prod get pods shop/web': 'yes',
    'prod get pods/log shop/web': 'yes',
    'prod create pods/exec shop/web': 'no',
    'prod get pods/proxy shop/web': 'no',
    'prod get pods bank/web': 'no',
    'prod delete pods shop/web': 'no',
    'test get pods shop/web': 'no',
    'prod list pods shop/': 'yes',
    'prod list pods': 'part',
    'prod watch pods': 'part',
    'prod deletecollection pods': 'no',
    'prod get pods.example.com shop/web': 'no',
    'prod get deployments.apps shop/web': 'yes',
    'prod get deployments.apps bank/job-7': 'yes',
    'prod get deployments.apps shop/other': 'no',
    'prod create deployments.apps shop/': 'no',
    'prod get jobs.batch/status shop/x': 'yes',
    'prod get jobs.batch shop/x': 'no',
    'eu-1 get nodes n1': 'yes',
    'us-1 get nodes n1': 'no',
    'prod get configmaps team-a/x': 'yes',
    'prod get configmaps teams/x': 'no',
    'prod list configmaps': 'part',
    'prod GET /metrics': 'yes',
    'prod GET /logs/kubelet.log': 'yes',
    'prod GET /debug/pprof': 'no',
    'prod GET /apis/apps/v1': 'yes',
    'nowhere GET /apis/apps/v1': 'no',
    '- GET /platform/v1/storage': 'no',
    'dev list pods': 'yes',
    'dev get deployments.apps/scale shop/web': 'yes',
    'dev get secrets shop/x': 'no',
    'dev list secrets': 'no',
    'dev get secrets.example.com shop/x': 'yes',
    'dev get services/proxy shop/x': 'no',
    'dev update pods shop/x': 'no',
    '* list pods': 'part',
    '* list secrets': 'no',
    'prod create selfsubjectaccessreviews.authorization.k8s.io': 'yes',
    'nowhere create selfsubjectaccessreviews.authorization.k8s.io': 'no',
  }
  for (const [text, expected] of Object.entries(cases))
    test(`of ${text} is ${expected}`, () => {
      const { allowed, filter, reason } = index.decide(ann, ask(text))
      assert.equal(allowed ? (filter === undefined ? 'yes' : 'part') : 'no', expected, reason)
    })

  test('names the rule', () => {
    assert.equal(index.decide(ann, ask('prod get pods shop/web')).reason, 'rule 0 of AccessRole "pods" by AccessRoleBinding "b0"')
    assert.equal(index.decide({ user: 'bob', groups: [] }, ask('prod get pods shop/web')).reason, 'no binding gives a role')
  })

  test('of a part shows what each rule shows', () => {
    const { filter } = index.decide(ann, ask('prod list pods'))
    assert.equal(filter?.({ namespace: 'shop', name: 'a' }), true)
    assert.equal(filter?.({ namespace: 'bank', name: 'a' }), false)
    const everywhere = index.decide(ann, ask('* list pods')).filter
    assert.deepEqual(
      [
        everywhere?.({ cluster: 'prod', namespace: 'shop', name: 'a' }),
        everywhere?.({ cluster: 'prod', namespace: 'bank', name: 'a' }),
        everywhere?.({ cluster: 'dev', namespace: 'bank', name: 'a' }),
        everywhere?.({ cluster: 'test', namespace: 'shop', name: 'a' }),
      ],
      [true, false, true, false],
    )
  })
})

describe('a Deny', () => {
  const { index } = indexOf(
    {
      ...builtin,
      vault: [
        { effect: 'Deny', verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['vault'] },
        { effect: 'Deny', verbs: ['delete'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['keep'] },
      ],
    },
    [{ role: 'platform-admin' }, { role: 'vault', cluster: 'prod' }],
  )
  const decide = (text: string) => index.decide(ann, ask(text))

  test('wins over every Allow', () => {
    assert.match(decide('prod get pods vault/x').reason, /^denied by rule 0 of AccessRole "vault"/)
    assert.equal(decide('test get pods vault/x').allowed, true)
    assert.equal(decide('prod get nodes n1').allowed, true, 'what is in no namespace is not in that one')
  })

  test('takes its part out of lists', () => {
    const { allowed, filter } = decide('prod list pods')
    assert.equal(allowed, true)
    assert.deepEqual([filter?.({ namespace: 'vault', name: 'x' }), filter?.({ namespace: 'shop', name: 'x' })], [false, true])
    assert.equal(decide('prod list nodes').filter?.({ namespace: undefined, name: 'n1' }), true)
  })

  test('refuses what would hit its objects among others', () => {
    assert.equal(decide('prod deletecollection pods').allowed, false)
    assert.equal(decide('prod delete configmaps shop/keep').allowed, false)
    assert.equal(decide('prod delete configmaps shop/other').allowed, true)
  })
})

test('a binding gives nothing once it has expired', () => {
  const { index, clock } = indexOf({ pods: [pods] }, [{ role: 'pods', expirationTime: '2026-01-01T00:01:00Z' }])
  assert.equal(index.decide(ann, ask('prod get pods a/b')).allowed, true)
  clock.nowMs += 60_000
  const { allowed, reason } = index.decide(ann, ask('prod get pods a/b'))
  assert.deepEqual([allowed, reason], [false, 'no rule allows it'])
  assert.equal(index.explain(ann, ask('prod get pods a/b'))[0]?.because, 'the binding has expired')
})

test('changes of roles and bindings count with the next question', () => {
  const { index } = indexOf({ pods: [pods] }, [{ role: 'pods' }])
  const allowed = (): boolean => index.decide(ann, ask('prod get pods a/b')).allowed
  const before = index.epoch
  assert.equal(allowed(), true)
  index.setRole('pods', undefined)
  assert.equal(allowed(), false)
  index.setRole('pods', [pods])
  assert.equal(allowed(), true)
  index.setBinding('b0', undefined)
  assert.equal(allowed(), false)
  assert.notEqual(index.epoch, before)
})

describe('what somebody may give', () => {
  const everywhere = { cluster: undefined, namespaces: undefined }
  const inShop = { cluster: 'prod', namespaces: ['shop'] }
  const { index } = indexOf(
    {
      ...builtin,
      edit: [{ verbs: ['get', 'update'], apiGroups: ['', 'apps'], resources: ['*'], exceptResources: ['secrets'] }],
      scale: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*/scale'] }],
    },
    [
      { role: 'edit', cluster: 'prod', namespaces: ['shop', 'bank'] },
      { role: 'scale', cluster: 'prod' },
    ],
  )
  const rule = (more: Partial<AccessRule>): AccessRule => ({ verbs: ['get'], apiGroups: [''], resources: ['pods'], ...more })
  const may = (given: AccessRule, place: Parameters<PermissionIndex['missingOf']>[2] = inShop): boolean => index.missingOf(ann, [given], place) === undefined

  test('is what they have, in the place where they have it', () => {
    assert.equal(may(rule({})), true)
    assert.equal(may(rule({ verbs: ['get', 'update'], apiGroups: ['', 'apps'], resources: ['pods', 'deployments'] })), true)
    assert.equal(may(rule({}), everywhere), false)
    assert.equal(may(rule({}), { cluster: 'prod', namespaces: undefined }), false)
    assert.equal(may(rule({}), { cluster: 'prod', namespaces: ['shop', 'other'] }), false)
    assert.equal(may(rule({}), { cluster: 'test', namespaces: ['shop'] }), false)
  })

  test('is no more than that', () => {
    assert.equal(may(rule({ verbs: ['delete'] })), false)
    assert.equal(may(rule({ verbs: ['*'] })), false)
    assert.equal(may(rule({ apiGroups: ['*'] })), false)
    assert.equal(may(rule({ apiGroups: ['batch'] })), false)
    assert.equal(may(rule({ resources: ['secrets'] })), false)
    assert.equal(may(rule({ resources: ['*'] })), false)
    assert.equal(may(rule({ resources: ['*'], exceptResources: ['secrets'] })), true)
    assert.equal(may({ verbs: ['get'], nonResourceURLs: ['/metrics'] }), false)
  })

  test('may come from several rules', () => {
    assert.equal(may({ verbs: ['get', 'patch'], apiGroups: ['apps'], resources: ['deployments/scale'] }), true)
    assert.equal(may({ verbs: ['get', 'patch'], apiGroups: ['apps'], resources: ['deployments'] }), false)
  })

  test('is not what is denied to them', () => {
    const denied = indexOf({ ...builtin, deny: [{ effect: 'Deny', verbs: ['get'], apiGroups: [''], resources: ['secrets'], namespaces: ['vault'] }] }, [
      { role: 'platform-admin' },
      { role: 'deny', cluster: 'prod' },
    ]).index
    const gives = (given: readonly AccessRule[], cluster: string): boolean => denied.missingOf(ann, given, { cluster, namespaces: undefined }) === undefined
    assert.equal(gives([rule({ resources: ['secrets'] })], 'prod'), false)
    assert.equal(gives([rule({ resources: ['secrets'] })], 'test'), true)
    assert.equal(gives([rule({ resources: ['pods'] })], 'prod'), true)
  })

  test('platform-admin gives every built-in role', () => {
    const admin = indexOf(builtin, [{ role: 'platform-admin' }]).index
    for (const [name, { rules }] of Object.entries(builtinRoles)) assert.equal(admin.missingOf(ann, rules, everywhere), undefined, name)
  })
})

test('tells where somebody may do something at all', () => {
  const { index } = indexOf({ ...builtin, pods: [pods], eu: [{ ...pods, clusters: ['eu-1', 'eu-2'] }] }, [
    { role: 'signed-in' },
    { role: 'pods', cluster: 'prod' },
    { role: 'eu' },
  ])
  assert.deepEqual([...(index.clustersOf(ann) ?? [])].toSorted(), ['eu-1', 'eu-2', 'prod'])
  assert.equal(indexOf(builtin, [{ role: 'platform-viewer' }]).index.clustersOf(ann), undefined)
})

test('a decision among a thousand bindings takes microseconds', () => {
  const bindings = Array.from({ length: 1_000 }, (_, at): Binding => ({ role: 'project-editor', cluster: `c${at % 50}`, namespaces: [`n${at}`] }))
  const { index } = indexOf(builtin, bindings)
  const question = ask('c7 get deployments.apps n957/web')
  assert.equal(index.decide(ann, question).allowed, true)
  const began = performance.now()
  for (let at = 0; at < 100; at++) index.decide(ann, question)
  assert.ok((performance.now() - began) / 100 < 5, 'far below 5 ms each')
})
