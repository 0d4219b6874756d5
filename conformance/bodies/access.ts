import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { openMessages } from '@gantry/streams/testing'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

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

  claim('makes every role and binding that every cluster has, word for word (Z6)', async () => {
    for (const [plural, expected] of Object.entries(bootstrapPolicy)) {
      const { items } = await api.read(`${rbac}/${plural}?labelSelector=kubernetes.io/bootstrapping%3Drbac-defaults`)

      const found = items.map((item: Json) => `${[item.metadata.namespace ?? [], item.metadata.name].flat().join('/')} ${digest(item)}`)

      assert.deepEqual(
        found.sort(),
        expected
          .trim()
          .split(/\s*\n\s*/)
          .sort(),
      )
    }
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

  claim("refuses reviews that make no sense, in upstream's words (Z7, Z9)", async (t) => {
    const namespace = await api.namespace(t)
    const refusal = async (target: string, spec: Json): Promise<string> => {
      const { code, json } = await api.post(`${authorization}/${target}`, { spec })
      assert.equal(code, 422, json.message)
      return json.message.replace('.authorization.k8s.io "" is invalid: ', '')
    }
    const pods = { verb: 'list', resource: 'pods' }
    const path = { path: '/x', verb: 'get' }
    const selecting = (fieldSelector: Json): Json => ({ user: 'a', resourceAttributes: { ...pods, fieldSelector } })
    const sar = 'subjectaccessreviews'
    const local = `namespaces/${nameOf(namespace)}/localsubjectaccessreviews`

    assert.equal(
      await refusal(sar, { user: 'a' }),
      'spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    )
    assert.equal(await refusal(sar, { resourceAttributes: pods }), 'spec.user: Invalid value: "": at least one of user or group must be specified')
    assert.equal(
      await refusal(sar, { user: 'a', resourceAttributes: pods, nonResourceAttributes: path }),
      'spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: cannot be specified in combination with resourceAttributes',
    )
    assert.equal(
      await refusal(local, { user: 'a', nonResourceAttributes: path }),
      'spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: disallowed on this kind of request',
    )
    assert.equal(
      await refusal(local, { user: 'a', resourceAttributes: { ...pods, namespace: 'other' } }),
      'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
    )
    const at = 'spec.resourceAttributes.fieldSelector'
    assert.equal(await refusal(sar, selecting({})), `${at}.requirements: Required value: when ${at} is specified, requirements or rawSelector is required`)
    assert.equal(
      await refusal(sar, selecting({ rawSelector: 'a=b', requirements: [{ key: 'a', operator: 'In', values: ['b'] }] })),
      `${at}.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements`,
    )
    assert.equal(
      await refusal(sar, selecting({ requirements: [{ key: '', operator: 'Exists', values: ['a'] }] })),
      `[${at}.requirements[0].key: Required value: must be specified, ${at}.requirements[0].values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist']`,
    )
    const broken = await api.post(`${authorization}/${sar}`, { spec: selecting({ requirements: [{ key: 'a', operator: 'Foo' }] }) })
    assert.deepEqual(broken.json.status, { allowed: false, evaluationError: `${at} ignored due to parse error` })
  })

  claim('lets nodes have what is theirs and what their pods refer to (Z8)', async (t) => {
    const namespace = await api.namespace(t)
    const node = uniqueName('node')
    await api.create(`${namespace}/pods`, {
      metadata: { name: 'p' },
      spec: {
        nodeName: node,
        automountServiceAccountToken: false,
        containers: [{ name: 'c', image: 'i', envFrom: [{ configMapRef: { name: 'own' } }] }],
        volumes: [{ name: 'v', secret: { secretName: 'own' } }],
      },
    })
    const ask = async (attributes: Json): Promise<Json> => {
      const spec = { user: `system:node:${node}`, groups: ['system:nodes'], resourceAttributes: attributes }
      return (await api.post(`${authorization}/subjectaccessreviews`, { spec })).json.status
    }
    const here = { namespace: nameOf(namespace) }
    const allowed = { allowed: true }
    const not = (reason: string): Json => ({ allowed: false, reason })
    const unrelated = not(`no relationship found between node '${node}' and this object`)
    for (let tries = 0; tries < 200 && !(await ask({ ...here, verb: 'get', resource: 'secrets', name: 'own' })).allowed; tries++) await api.pass(20)
    const lease = { namespace: 'kube-node-lease', verb: 'get', group: 'coordination.k8s.io', resource: 'leases' }

    assert.deepEqual(await ask({ ...here, verb: 'get', resource: 'secrets', name: 'own' }), allowed)
    assert.deepEqual(await ask({ ...here, verb: 'get', resource: 'configmaps', name: 'own' }), allowed)
    assert.deepEqual(await ask({ ...here, verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'default' }), allowed)
    assert.deepEqual(await ask({ ...here, verb: 'get', resource: 'secrets', name: 'other' }), unrelated)
    assert.deepEqual(await ask({ ...here, verb: 'list', resource: 'secrets' }), not('No Object name found'))
    assert.deepEqual(await ask({ ...here, verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'other' }), unrelated)
    assert.deepEqual(await ask({ verb: 'get', resource: 'persistentvolumes', name: 'other' }), unrelated)
    assert.deepEqual(await ask({ verb: 'get', resource: 'nodes', name: node }), allowed)
    assert.deepEqual(await ask({ verb: 'get', resource: 'nodes', name: 'other' }), not(`node '${node}' cannot read 'other', only its own Node object`))
    assert.deepEqual(await ask({ ...lease, name: node }), allowed)
    assert.deepEqual(await ask({ ...lease, name: 'other' }), not('can only access node lease with the same name as the requesting node'))
    assert.deepEqual(
      await ask({ verb: 'get', group: 'storage.k8s.io', resource: 'csinodes', name: 'other' }),
      not('can only access CSINode with the same name as the requesting node'),
    )
    assert.deepEqual(await ask({ verb: 'list', resource: 'pods' }), not('can only list/watch pods with spec.nodeName field selector'))
    assert.deepEqual(
      await ask({ verb: 'list', resource: 'pods', fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: [node] }] } }),
      allowed,
    )
    assert.deepEqual(await ask({ ...here, verb: 'create', resource: 'events' }), allowed)
  })

  claim('names the roles of bindings that do not exist (Z7)', async (t) => {
    const namespace = await api.namespace(t)
    const user = uniqueName('user')
    await api.create(`${inRbac(namespace)}/rolebindings`, {
      metadata: { name: 'b' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'nope' },
      subjects: [{ kind: 'User', apiGroup, name: user }],
    })
    const missing = 'clusterrole.rbac.authorization.k8s.io "nope" not found'
    const reason = `RBAC: ${missing}`
    const spec = { user, resourceAttributes: { verb: 'get', resource: 'pods', namespace: nameOf(namespace) } }
    let status: Json
    for (let tries = 0; tries < 200 && status?.reason !== reason; tries++) {
      ;({ status } = (await api.post(`${authorization}/subjectaccessreviews`, { spec })).json)
      await api.pass(20)
    }

    assert.deepEqual(status, { allowed: false, reason })
    const { json } = await api.get(`${namespace}/pods`, as(user))
    assert.ok(json.message.endsWith(`in the namespace "${nameOf(namespace)}": ${reason}`), json.message)
    const rules = await api.post(`${authorization}/selfsubjectrulesreviews`, { spec: { namespace: nameOf(namespace) } }, as(user))
    assert.equal(rules.json.status.evaluationError, missing)
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

  claim('lets nobody into a container who may only read, whichever method opens the stream (Z1, S7, S9)', async (t) => {
    const namespace = await api.namespace(t)
    const user = uniqueName('reader')
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] } })
    const resources = ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy']
    await api.create(`${inRbac(namespace)}/roles`, { metadata: { name: 'r' }, rules: [{ apiGroups: [''], resources, verbs: ['get'] }] })
    await api.create(`${inRbac(namespace)}/rolebindings`, {
      metadata: { name: 'r' },
      roleRef: { apiGroup, kind: 'Role', name: 'r' },
      subjects: [{ apiGroup, kind: 'User', name: user }],
    })
    const ask = (path: string, method = 'GET'): Promise<Answer> => api.send(method, `${namespace}/pods/p/${path}`, as(user))
    const door = await api.door(t)
    // What the role gives is known when a request gets as far as the pod, which has no address.
    await api.until(
      () => ask('proxy/x'),
      ({ code }) => code === 400,
    )

    for (const path of ['exec?command=ls&stdout=true', 'attach?stdout=true', 'portforward']) {
      const { code, json } = await ask(path)
      assert.deepEqual([path, code, json.reason, json.message], [path, 403, 'Forbidden', 'pods "p" is forbidden: '])
      assert.equal((await ask(path, 'POST')).code, 403)
      const opening = openMessages(`ws://127.0.0.1:${door}${namespace}/pods/p/${path}`, ['v5.channel.k8s.io'], as(user).headers)
      await assert.rejects(opening, { code: 403 }, path)
    }
    await api.patch('merge', `${inRbac(namespace)}/roles/r`, { rules: [{ apiGroups: [''], resources, verbs: ['get', 'create'] }] })
    const { json } = await api.until(
      () => ask('exec?command=ls&stdout=true'),
      ({ code }) => code !== 403,
    )
    assert.equal(json.message, 'pod p does not have a host assigned')
  })

  claim('tells who one is (A13)', async () => {
    const { code, json } = await api.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, as('jane'))

    assert.equal(code, 201)
    assert.deepEqual(json.status.userInfo, { username: 'jane', groups: ['system:authenticated'] })
  })

  claim('tells who one is in full, in protobuf too, and keeps nothing of it (A13)', async () => {
    const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const jane = {
      'impersonate-user': 'jane',
      'impersonate-uid': 'u-1',
      'impersonate-group': 'dev',
      'impersonate-extra-acme.com%2fscopes': 'a',
    }
    const userInfo = { username: 'jane', uid: 'u-1', groups: ['dev', 'system:authenticated'], extra: { 'acme.com/scopes': ['a'] } }

    const { code, json } = await api.post(reviews, { status: { userInfo: { username: 'root' } } }, { headers: jane })
    const table = await api.post(reviews, {}, { headers: { ...jane, accept: 'application/vnd.kubernetes.protobuf' } })
    const anyone = await api.post(reviews, {}, { headers: { 'impersonate-user': 'nobody-at-all' } })
    const wrong = await api.post(reviews, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' })

    assert.deepEqual([code, json.kind, json.apiVersion, json.status], [201, 'SelfSubjectReview', 'authentication.k8s.io/v1', { userInfo }])
    assert.equal(typeof json.metadata.creationTimestamp, 'string')
    assert.equal(json.metadata.name, undefined)
    assert.deepEqual([table.code, table.headers['content-type'], table.text.includes('acme.com/scopes')], [201, 'application/vnd.kubernetes.protobuf', true])
    assert.equal(anyone.code, 201)
    assert.deepEqual([wrong.code, wrong.json.reason], [400, 'BadRequest'])
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) assert.equal((await api.send(method, reviews)).code, 405, method)
  })

  claim('lets only those collect rules of others who may do everything (Z5)', async (t) => {
    const name = uniqueName('collector')
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { [`rbac.example.com/aggregate-to-${name}`]: 'true' } }] }
    const writer = `${name}-writer`
    await api.createForTest(t, `${rbac}/clusterroles`, {
      metadata: { name: writer },
      rules: [
        { apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], verbs: ['create', 'update', 'patch', 'get'] },
        { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] },
      ],
    } as { metadata: { name: string } })
    await api.createForTest(t, `${rbac}/clusterrolebindings`, {
      metadata: { name: writer },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: writer },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: writer }],
    } as { metadata: { name: string } })
    const reads = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }]
    const asWriter = as(writer)
    // Who may write roles is known a moment after the binding is.
    const plain = await api.until(
      () => api.post(`${rbac}/clusterroles?dryRun=All`, { metadata: { name }, rules: reads }, asWriter),
      ({ code }) => code !== 403,
    )

    const collected = await api.post(`${rbac}/clusterroles`, { metadata: { name }, aggregationRule }, asWriter)
    const empty = await api.post(`${rbac}/clusterroles`, { metadata: { name }, aggregationRule: { clusterRoleSelectors: [] } })
    const made = await api.createForTest(t, `${rbac}/clusterroles`, { metadata: { name }, aggregationRule } as { metadata: { name: string } })
    const changed = await api.patch('merge', `${rbac}/clusterroles/${name}`, { aggregationRule: null }, asWriter)
    const labelled = await api.patch('merge', `${rbac}/clusterroles/${name}`, { metadata: { labels: { a: 'b' } } }, asWriter)
    const disowned = await api.patch('merge', `${rbac}/clusterroles/${name}`, { metadata: { finalizers: null } }, asWriter)

    const refused = `clusterroles.rbac.authorization.k8s.io "${name}" is forbidden: must have cluster-admin privileges to use the aggregationRule`
    assert.equal(plain.code, 201, plain.text)
    for (const { code, json } of [collected, changed, labelled]) assert.deepEqual([code, json.message], [403, refused])
    assert.equal(disowned.code, 200, disowned.text)
    assert.deepEqual(
      [empty.code, empty.json.details.causes[0].field, empty.json.details.causes[0].reason],
      [422, 'aggregationRule.clusterRoleSelectors', 'FieldValueRequired'],
    )
    assert.deepEqual([made.aggregationRule, made.rules], [aggregationRule, null])
  })

  claim('collects the rules of admin, edit and view by labels (Z5)', async () => {
    for (const [role, from] of [
      ['admin', ['rbac.authorization.k8s.io/aggregate-to-admin']],
      ['edit', ['rbac.authorization.k8s.io/aggregate-to-edit']],
      ['view', ['rbac.authorization.k8s.io/aggregate-to-view']],
    ] as const) {
      const { aggregationRule, metadata } = await api.read(`${rbac}/clusterroles/${role}`)
      const { metadata: part } = await api.read(`${rbac}/clusterroles/system:aggregate-to-${role}`)
      assert.deepEqual(
        aggregationRule.clusterRoleSelectors.map(({ matchLabels }: Json) => matchLabels),
        from.map((label) => ({ [label]: 'true' })),
      )
      assert.equal(part.labels[from[0]], 'true')
      const next = { edit: 'admin', view: 'edit' }[role as string]
      if (next !== undefined) assert.equal(metadata.labels[`rbac.authorization.k8s.io/aggregate-to-${next}`], 'true')
    }
  })

  claim('refuses a token that it does not know (1.1 Unauthorized)', async () => {
    const { json } = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token: 'not-a-token' } })

    assert.notEqual(json.status.authenticated, true)
  })
})

/** Every object of the bootstrap policy with the start of the SHA-256 of what it says (labels, annotations, rules, subjects; not the rules that aggregation fills in). */
const bootstrapPolicy: Readonly<Record<string, string>> = {
  clusterroles: `
    admin deb31dd0
    cluster-admin 225e3ca2
    edit 5a1352c4
    system:aggregate-to-admin c2acc408
    system:aggregate-to-edit 4256275a
    system:aggregate-to-view 80797820
    system:auth-delegator 532393f6
    system:basic-user e71bc5c6
    system:certificates.k8s.io:certificatesigningrequests:nodeclient bf2907f4
    system:certificates.k8s.io:certificatesigningrequests:selfnodeclient e7b94185
    system:certificates.k8s.io:kube-apiserver-client-approver 9dd93848
    system:certificates.k8s.io:kube-apiserver-client-kubelet-approver 6402d7aa
    system:certificates.k8s.io:kubelet-serving-approver 42f18b3e
    system:certificates.k8s.io:legacy-unknown-approver 4d534c97
    system:controller:attachdetach-controller 53cfcf57
    system:controller:certificate-controller 7b852234
    system:controller:clusterrole-aggregation-controller 78db689d
    system:controller:cronjob-controller b2a9633c
    system:controller:daemon-set-controller 22b470f1
    system:controller:deployment-controller 8b8a339b
    system:controller:device-taint-eviction-controller 9135fba3
    system:controller:disruption-controller 2dc10310
    system:controller:endpoint-controller bfc8b853
    system:controller:endpointslice-controller 03a9a93d
    system:controller:endpointslicemirroring-controller e7619c61
    system:controller:ephemeral-volume-controller cdbde24d
    system:controller:expand-controller fc2559e9
    system:controller:generic-garbage-collector 0d00c97b
    system:controller:horizontal-pod-autoscaler 7ea6996c
    system:controller:job-controller 7df4dd7e
    system:controller:legacy-service-account-token-cleaner 50183ba4
    system:controller:namespace-controller 28a8b58e
    system:controller:node-controller 21dd3dc0
    system:controller:persistent-volume-binder c917d951
    system:controller:pod-garbage-collector 10b60c3f
    system:controller:pv-protection-controller cd48c770
    system:controller:pvc-protection-controller 895cad16
    system:controller:replicaset-controller b3fea780
    system:controller:replication-controller 49bdfd0a
    system:controller:resource-claim-controller d2ebffa0
    system:controller:resourcequota-controller e246ec78
    system:controller:root-ca-cert-publisher 61fc063d
    system:controller:route-controller c6d700e2
    system:controller:selinux-warning-controller 0c973b96
    system:controller:service-account-controller 09c6ddfc
    system:controller:service-cidrs-controller 6b73ee90
    system:controller:service-controller a74bc8d1
    system:controller:statefulset-controller 6a3714ed
    system:controller:ttl-after-finished-controller 13e2cf12
    system:controller:ttl-controller 3a361b63
    system:controller:validatingadmissionpolicy-status-controller 8871866b
    system:controller:volumeattributesclass-protection-controller 38be309e
    system:discovery 307d5dd3
    system:heapster 3c0c8fc7
    system:kube-aggregator 5dc1bd93
    system:kube-controller-manager ae64771b
    system:kube-dns 9a78378e
    system:kube-scheduler e0929930
    system:kubelet-api-admin 673f8599
    system:monitoring 00593904
    system:node 368b7f08
    system:node-bootstrapper e2df8d45
    system:node-problem-detector e39e7097
    system:node-proxier 291eadb4
    system:persistent-volume-provisioner 0443d1ac
    system:public-info-viewer bf0f0e6c
    system:service-account-issuer-discovery 1b8ab742
    system:volume-scheduler 58d75562
    view 40979876
`,
  roles: `
    kube-public/system:controller:bootstrap-signer ffc97de9
    kube-system/extension-apiserver-authentication-reader 177f6ba6
    kube-system/system::leader-locking-kube-controller-manager 8cbee8dd
    kube-system/system::leader-locking-kube-scheduler 8cbee8dd
    kube-system/system:controller:bootstrap-signer 2365d4af
    kube-system/system:controller:cloud-provider 88d09da1
    kube-system/system:controller:token-cleaner 05e16b19
`,
  clusterrolebindings: `
    cluster-admin cc847ec8
    system:basic-user 32757d5d
    system:controller:attachdetach-controller 0702ed92
    system:controller:certificate-controller 7917a521
    system:controller:clusterrole-aggregation-controller 41d13229
    system:controller:cronjob-controller 9725ddc0
    system:controller:daemon-set-controller 130d47fa
    system:controller:deployment-controller 7f346df1
    system:controller:device-taint-eviction-controller 9505b1ee
    system:controller:disruption-controller 5c189e12
    system:controller:endpoint-controller f2122405
    system:controller:endpointslice-controller 38c7327f
    system:controller:endpointslicemirroring-controller dd43167c
    system:controller:ephemeral-volume-controller f3411266
    system:controller:expand-controller c6937737
    system:controller:generic-garbage-collector 1cfa3918
    system:controller:horizontal-pod-autoscaler 62eb04ee
    system:controller:job-controller cfa2e4ea
    system:controller:legacy-service-account-token-cleaner 3ac989d6
    system:controller:namespace-controller c47bc970
    system:controller:node-controller 1e4abbec
    system:controller:persistent-volume-binder bbccc1d5
    system:controller:pod-garbage-collector 6259a11e
    system:controller:pv-protection-controller 564d19a8
    system:controller:pvc-protection-controller 8fc08efc
    system:controller:replicaset-controller df228148
    system:controller:replication-controller 68250f29
    system:controller:resource-claim-controller 636771c2
    system:controller:resourcequota-controller 9946c8ff
    system:controller:root-ca-cert-publisher 2e0c080d
    system:controller:route-controller 2384da0f
    system:controller:selinux-warning-controller 1a6663f6
    system:controller:service-account-controller e678a838
    system:controller:service-cidrs-controller 631880cb
    system:controller:service-controller d7985060
    system:controller:statefulset-controller 21c187e9
    system:controller:ttl-after-finished-controller aee96a2e
    system:controller:ttl-controller f26e0f09
    system:controller:validatingadmissionpolicy-status-controller 5c890cab
    system:controller:volumeattributesclass-protection-controller d1e51abb
    system:discovery b660e160
    system:kube-controller-manager dfeaa9c3
    system:kube-dns 760817c6
    system:kube-scheduler 022ad6b0
    system:monitoring 4b0be2ee
    system:node f20c0304
    system:node-proxier 7663a884
    system:public-info-viewer 8bfd743d
    system:service-account-issuer-discovery 689b6af2
    system:volume-scheduler b355a5de
`,
  rolebindings: `
    kube-public/system:controller:bootstrap-signer aec4b831
    kube-system/system::extension-apiserver-authentication-reader a8b5e2e4
    kube-system/system::leader-locking-kube-controller-manager 73035c7c
    kube-system/system::leader-locking-kube-scheduler 3c5d359d
    kube-system/system:controller:bootstrap-signer aec4b831
    kube-system/system:controller:cloud-provider b5a26d1e
    kube-system/system:controller:token-cleaner 37aff556
`,
}

function canonical(value: Json): Json {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, canonical(value[key])]),
  )
}

function digest({ metadata, kind: _kind, apiVersion: _apiVersion, ...rest }: Json): string {
  if (rest.aggregationRule !== undefined) delete rest.rules
  return createHash('sha256')
    .update(JSON.stringify(canonical([rest, metadata.labels, metadata.annotations])))
    .digest('hex')
    .slice(0, 8)
}
