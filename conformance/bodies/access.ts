import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const authorization = '/apis/authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'

export const access = conformance('access control', ({ api, claim }) => {
  const as = (user: string): { readonly headers: Readonly<Record<string, string>> } => ({ headers: { 'impersonate-user': user } })
  const inRbac = (namespace: string): string => namespace.replace('/api/v1', rbac)
  const nameOf = (namespace: string): string => namespace.split('/').at(-1) ?? ''

  const grant = async (namespace: string, user: string, rules: Json[]): Promise<void> => {
    const name = uniqueName('grant')
    await api.create(`${inRbac(namespace)}/roles`, { metadata: { name }, rules })
    await api.create(`${inRbac(namespace)}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup, kind: 'Role', name },
      subjects: [{ kind: 'User', apiGroup, name: user }],
    })
  }
  /** RBAC is read from a cache: a new rule counts a moment later. */
  const allows = async (user: string, target: string): Promise<void> => {
    for (let tries = 0; tries < 200; tries++) {
      if ((await api.get(target, as(user))).code === 200) return
      await api.pass(20)
    }
    assert.fail(`${user} never got ${target}`)
  }

  claim('refuses what nobody has granted, naming who wanted what where (Z1, 1.1 Forbidden)', async (t) => {
    const namespace = await api.namespace(t)

    const named = await api.get(`${namespace}/secrets/a`, as('jane'))
    const listed = await api.get(`/apis/apps/v1/deployments`, as('jane'))
    const created = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a' } }, as('jane'))
    const path = await api.get('/metrics', as('jane'))

    assert.deepEqual(named.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: `secrets "a" is forbidden: User "jane" cannot get resource "secrets" in API group "" in the namespace "${nameOf(namespace)}"`,
      reason: 'Forbidden',
      details: { name: 'a', kind: 'secrets' },
      code: 403,
    })
    assert.equal(listed.json.message, 'deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" at the cluster scope')
    assert.equal(
      created.json.message,
      `configmaps is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "${nameOf(namespace)}"`,
    )
    assert.equal(path.json.message, 'forbidden: User "jane" cannot get path "/metrics"')
  })

  claim('asks for the verb of each kind of request (Z1)', async (t) => {
    const namespace = await api.namespace(t)
    const verb = async (method: string, target: string, body?: unknown): Promise<string | undefined> => {
      const { json } = await api.send(method, `${namespace}/${target}`, {
        ...as('jane'),
        ...(body !== undefined && { body, contentType: method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
      })
      return /cannot (\w+) resource "([^"]+)"/.exec(json.message)?.slice(1).join(' ')
    }

    assert.deepEqual(
      [
        await verb('GET', 'pods'),
        await verb('GET', 'pods?watch=1'),
        await verb('GET', 'pods/a'),
        await verb('POST', 'pods', {}),
        await verb('PUT', 'pods/a', {}),
        await verb('PATCH', 'pods/a', {}),
        await verb('DELETE', 'pods/a'),
        await verb('DELETE', 'pods'),
        await verb('GET', 'pods/a/log'),
        await verb('PUT', 'pods/a/status', {}),
      ],
      [
        'list pods',
        'watch pods',
        'get pods',
        'create pods',
        'update pods',
        'patch pods',
        'delete pods',
        'deletecollection pods',
        'get pods/log',
        'update pods/status',
      ],
    )
  })

  claim('adds up rules, with names, subresources and wildcards (Z1, Z2)', async (t) => {
    const namespace = await api.namespace(t)
    const user = uniqueName('user')
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'one' } })
    await grant(namespace, user, [
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'], verbs: ['get', 'list'] },
      { apiGroups: ['apps'], resources: ['*'], verbs: ['list'] },
      { apiGroups: [''], resources: ['pods/log'], verbs: ['*'] },
    ])
    await allows(user, `${namespace}/configmaps/one`)
    const code = async (target: string): Promise<number> => (await api.get(target, as(user))).code

    assert.deepEqual(
      [
        await code(`${namespace}/configmaps/one`),
        await code(`${namespace}/configmaps/two`),
        await code(`${namespace}/configmaps`),
        await code(`${namespace}/configmaps?fieldSelector=metadata.name%3Done`),
        await code(`${namespace.replace('/api/v1', '/apis/apps/v1')}/deployments`),
        await code(`${namespace}/pods`),
        await code(`${namespace}/pods/none/log`),
      ],
      [200, 403, 403, 200, 200, 403, 404],
    )
  })

  claim('grants to groups and service accounts (Z2)', async (t) => {
    const namespace = await api.namespace(t)
    const role = uniqueName('role')
    await api.create(`${inRbac(namespace)}/roles`, { metadata: { name: role }, rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }] })
    await api.create(`${inRbac(namespace)}/rolebindings`, {
      metadata: { name: role },
      roleRef: { apiGroup, kind: 'Role', name: role },
      subjects: [
        { kind: 'Group', apiGroup, name: role },
        { kind: 'ServiceAccount', namespace: nameOf(namespace), name: 'default' },
      ],
    })
    await allows(`system:serviceaccount:${nameOf(namespace)}:default`, `${namespace}/secrets`)

    const member = await api.get(`${namespace}/secrets`, { headers: { 'impersonate-user': 'x', 'impersonate-group': role } })
    const stranger = await api.get(`${namespace}/secrets`, as('x'))

    assert.deepEqual([member.code, stranger.code], [200, 403])
  })

  claim('lets nobody grant more than they have (Z3)', async (t) => {
    const namespace = await api.namespace(t)
    const user = uniqueName('user')
    await grant(namespace, user, [
      { apiGroups: [apiGroup], resources: ['roles', 'rolebindings'], verbs: ['create', 'list'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] },
    ])
    await allows(user, `${inRbac(namespace)}/roles`)
    const create = (name: string, rules: Json[]): Promise<Json> => api.post(`${inRbac(namespace)}/roles`, { metadata: { name }, rules }, as(user))

    const more = await create('more', [{ apiGroups: [''], resources: ['secrets'], verbs: ['*'] }])
    const same = await create('same', [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }])
    const bound = await api.post(
      `${inRbac(namespace)}/rolebindings`,
      { metadata: { name: 'b' }, roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' }, subjects: [{ kind: 'User', apiGroup, name: user }] },
      as(user),
    )

    assert.equal(more.code, 403)
    assert.equal(
      more.json.message,
      `roles.rbac.authorization.k8s.io "more" is forbidden: user "${user}" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n` +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["*"]}',
    )
    assert.equal(same.code, 201)
    assert.equal(bound.code, 403)
  })

  claim('never changes what a binding refers to (Z4)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${inRbac(namespace)}/rolebindings`, { metadata: { name: 'b' }, roleRef: { apiGroup, kind: 'ClusterRole', name: 'view' }, subjects: [] })

    const { code, json } = await api.patch('merge', `${inRbac(namespace)}/rolebindings/b`, { roleRef: { name: 'edit' } })

    assert.equal(code, 422)
    assert.match(json.message, /^RoleBinding\.rbac\.authorization\.k8s\.io "b" is invalid: roleRef: Invalid value: .*: cannot change roleRef$/)
  })

  claim('has the roles that charts and operators expect (Z6)', async () => {
    for (const name of [
      'cluster-admin',
      'admin',
      'edit',
      'view',
      'system:discovery',
      'system:basic-user',
      'system:public-info-viewer',
      'system:auth-delegator',
      'system:node',
      'system:kube-scheduler',
    ]) {
      const { metadata } = await api.read(`${rbac}/clusterroles/${name}`)

      assert.equal(metadata.labels['kubernetes.io/bootstrapping'], 'rbac-defaults', name)
      assert.equal(metadata.annotations['rbac.authorization.kubernetes.io/autoupdate'], 'true', name)
    }
    const { rules } = await api.read(`${rbac}/clusterroles/cluster-admin`)
    assert.deepEqual(rules, [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ])
  })

  claim('says why it allows and what it does not (Z7)', async () => {
    const review = (spec: Json): Promise<Json> => api.post(`${authorization}/subjectaccessreviews`, { spec })
    const attributes = { namespace: 'default', verb: 'get', resource: 'pods' }

    const allowed = await review({ resourceAttributes: attributes, user: 'x', groups: ['system:masters'] })
    const denied = await review({ resourceAttributes: attributes, user: 'nobody-at-all' })
    const path = await review({ nonResourceAttributes: { path: '/healthz', verb: 'get' }, user: 'x', groups: ['system:authenticated'] })
    const neither = await review({ user: 'x' })
    const nobody = await review({ resourceAttributes: attributes })

    assert.deepEqual([allowed.code, allowed.json.kind, allowed.json.status.allowed], [201, 'SubjectAccessReview', true])
    assert.deepEqual([denied.json.status.allowed, denied.json.status.denied], [false, undefined])
    assert.equal(path.json.status.allowed, true)
    assert.match(
      path.json.status.reason,
      /^RBAC: allowed by ClusterRoleBinding "system:[a-z-]+" of ClusterRole "system:[a-z-]+" to Group "system:authenticated"$/,
    )
    assert.deepEqual([neither.code, nobody.code], [422, 422])
  })

  claim('answers for whoever asks (Z7)', async (t) => {
    const namespace = await api.namespace(t)
    const user = uniqueName('user')
    await grant(namespace, user, [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'create'] }])
    await allows(user, `${namespace}/configmaps`)
    const can = async (verb: string, resource: string): Promise<boolean> => {
      const { json } = await api.post(
        `${authorization}/selfsubjectaccessreviews`,
        { spec: { resourceAttributes: { namespace: nameOf(namespace), verb, resource } } },
        as(user),
      )
      return json.status.allowed
    }

    const rules = await api.post(`${authorization}/selfsubjectrulesreviews`, { spec: { namespace: nameOf(namespace) } }, as(user))
    const local = await api.post(`${namespace.replace('/api/v1', authorization)}/localsubjectaccessreviews`, {
      metadata: {},
      spec: { user, resourceAttributes: { namespace: nameOf(namespace), verb: 'list', resource: 'configmaps' } },
    })

    assert.deepEqual([await can('list', 'configmaps'), await can('delete', 'configmaps'), await can('list', 'secrets')], [true, false, false])
    assert.equal(rules.code, 201)
    assert.ok(rules.json.status.resourceRules.some(({ resources, verbs }: Json) => resources.includes('configmaps') && verbs.includes('create')))
    assert.equal(rules.json.status.incomplete, false)
    assert.equal(local.json.status.allowed, true, local.text)
  })

  claim('tells who one is (A)', async () => {
    const { code, json } = await api.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, as('jane'))

    assert.equal(code, 201)
    assert.deepEqual(json.status.userInfo, { username: 'jane', groups: ['system:authenticated'] })
  })

  claim('refuses a token that it does not know (1.1 Unauthorized)', async () => {
    const { json } = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'not-a-token' } })

    assert.notEqual(json.status.authenticated, true)
  })
})
