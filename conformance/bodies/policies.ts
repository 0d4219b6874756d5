import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const group = '/apis/admissionregistration.k8s.io/v1'
const configMaps = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources: ['configmaps'] }

export const policies = conformance('validating admission policies', ({ api, claim }) => {
  /**
   * Creates a policy and its binding for the objects of one namespace, and waits until they are in force: a further validation refuses config maps with a label of its own.
   */
  const bind = async (
    t: TestContext,
    namespace: string,
    policy: Json,
    { actions = ['Deny'], binding = {}, until = 'in force' }: { readonly actions?: readonly string[]; readonly binding?: Json; readonly until?: string } = {},
  ): Promise<string> => {
    const name = uniqueName('policy')
    const probe = `!has(object.metadata) || !has(object.metadata.labels) || !('probe' in object.metadata.labels) || object.metadata.labels['probe'] != '${name}'`
    const object: Json = {
      metadata: { name },
      spec: {
        matchConstraints: { resourceRules: [configMaps] },
        ...policy,
        validations: [{ expression: `object == null || (${probe})`, message: 'in force' }, ...(policy.validations ?? [])],
      },
    }
    await api.createForTest(t, `${group}/validatingadmissionpolicies`, object)
    const selector = { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } }
    const bound: Json = {
      metadata: { name },
      spec: { policyName: name, validationActions: actions, matchResources: { namespaceSelector: selector }, ...binding },
    }
    await api.createForTest(t, `${group}/validatingadmissionpolicybindings`, bound)
    // What is not denied shows as a warning.
    const asked = { metadata: { name: 'probe', labels: { probe: name, matched: 'yes' } }, data: {} }
    await api.until(
      () => api.post(`${namespace}/configmaps?dryRun=All`, asked),
      ({ text, headers }) => `${text} ${String(headers['warning'] ?? '')}`.includes(until),
    )
    return name
  }
  const create = (namespace: string, body: Json = { metadata: { name: 'one' } }): Promise<Answer> => api.post(`${namespace}/configmaps`, body)

  claim('refuses what a policy denies, in the words of the policy (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const name = await bind(t, namespace, {
      validations: [{ expression: "has(object.data) && 'owner' in object.data", message: 'say who owns it' }],
    })

    const refused = await create(namespace)
    const allowed = await create(namespace, { metadata: { name: 'two' }, data: { owner: 'me' } })

    const message = `ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: say who owns it`
    assert.equal(allowed.code, 201)
    assert.deepEqual(refused.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: `configmaps "one" is forbidden: ${message}`,
      reason: 'Invalid',
      details: { name: 'one', kind: 'configmaps', causes: [{ message }] },
      code: 422,
    })
  })

  claim('answers with the reason of the validation (M9)', async (t) => {
    for (const [reason, code] of [
      ['Forbidden', 403],
      ['RequestEntityTooLarge', 413],
    ] as const) {
      const namespace = await api.namespace(t)
      await bind(t, namespace, { validations: [{ expression: 'false', reason }] })
      const { json } = await create(namespace)
      assert.deepEqual([json.reason, json.code], [reason, code])
    }
  })

  const messages: readonly (readonly [string, Json, string])[] = [
    ['the expression when there is no message', { expression: ' object.metadata.name == "x" ' }, 'failed expression: object.metadata.name == "x"'],
    ['the fixed message', { expression: 'false', message: ' fixed ' }, 'fixed'],
    ['what the message expression makes', { expression: 'false', messageExpression: "'no ' + object.metadata.name", message: 'fixed' }, 'no one'],
    ['the fixed message when the message expression fails', { expression: 'false', messageExpression: 'string(object.none)', message: 'fixed' }, 'fixed'],
    ['the fixed message when the made one has lines', { expression: 'false', messageExpression: "'a\\nb'", message: 'fixed' }, 'fixed'],
  ]
  for (const [what, validation, expected] of messages) {
    claim(`tells ${what} (M9)`, async (t) => {
      const namespace = await api.namespace(t)
      const name = await bind(t, namespace, { validations: [validation] })

      const { json } = await create(namespace)

      assert.equal(json.message, `configmaps "one" is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: ${expected}`)
    })
  }

  claim('warns where the binding says so, and lets the request pass (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const name = await bind(t, namespace, { validations: [{ expression: 'false', message: 'mind this' }] }, { actions: ['Warn', 'Audit'] })

    const { code, headers } = await create(namespace)

    assert.equal(code, 201)
    assert.deepEqual([headers['warning']].flat(), [`299 - "Validation failed for ValidatingAdmissionPolicy '${name}' with binding '${name}': mind this"`])
  })

  claim('sees the request, the old object and the namespace (M9)', async (t) => {
    const namespace = await api.namespace(t)
    await api.patch('merge', namespace, { metadata: { labels: { tier: 'gold' } } })
    await bind(t, namespace, {
      validations: [
        {
          expression: 'object != null && oldObject == null',
          messageExpression:
            "[request.operation, request.name, request.namespace, request.resource.resource, request.kind.kind, request.userInfo.username, string(request.dryRun), namespaceObject.metadata.labels['tier'], string(oldObject == null ? 'new' : oldObject.data['a'])].join(' ')",
        },
      ],
    })
    const name = namespace.split('/').at(-1)

    await api.create(`${namespace}/configmaps`, { metadata: { name: 'one' }, data: { a: 'b' } })
    const updated = await api.patch('merge', `${namespace}/configmaps/one`, { data: { a: 'c' } })
    const deleted = await api.delete(`${namespace}/configmaps/one`)

    assert.match(updated.json.message, new RegExp(`denied request: UPDATE one ${name} configmaps ConfigMap \\S+ false gold b$`))
    assert.match(deleted.json.message, new RegExp(`denied request: DELETE one ${name} configmaps ConfigMap \\S+ false gold b$`))
  })

  claim('evaluates variables, each with those before it (M9)', async (t) => {
    const namespace = await api.namespace(t)
    await bind(t, namespace, {
      variables: [
        { name: 'data', expression: 'has(object.data) ? object.data : {}' },
        { name: 'count', expression: 'size(variables.data)' },
        { name: 'broken', expression: 'object.none' },
      ],
      validations: [{ expression: 'variables.count < 2', messageExpression: "'too many: ' + string(variables.count)" }],
    })

    assert.equal((await create(namespace)).code, 201)
    const { json } = await create(namespace, { metadata: { name: 'two' }, data: { a: '1', b: '2' } })
    assert.match(json.message, /denied request: too many: 2$/)
  })

  claim('fails a request whose expression fails, unless the policy is to be ignored then (M9)', async (t) => {
    const [failing, ignoring] = [await api.namespace(t), await api.namespace(t)]
    const validations = [{ expression: "object.data['none'] == 'x'" }]
    const name = await bind(t, failing, { validations })
    await bind(t, ignoring, { validations, failurePolicy: 'Ignore' })

    const { code, json } = await create(failing, { metadata: { name: 'one' }, data: { a: 'b' } })

    assert.equal(code, 422)
    assert.equal(
      json.message,
      `configmaps "one" is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: expression 'object.data['none'] == 'x'' resulted in error: no such key: none`,
    )
    assert.equal((await create(ignoring, { metadata: { name: 'one' }, data: { a: 'b' } })).code, 201)
  })

  claim('asks a policy only where its conditions hold (M9)', async (t) => {
    const namespace = await api.namespace(t)
    await bind(t, namespace, {
      matchConditions: [{ name: 'matched', expression: "has(object.metadata.labels) && object.metadata.labels.matched == 'yes'" }],
      validations: [{ expression: 'false' }],
    })

    assert.equal((await create(namespace)).code, 201)
    assert.equal((await create(namespace, { metadata: { name: 'two', labels: { matched: 'yes' } } })).code, 422)
  })

  claim('leaves out what is excluded and what is not named (M9)', async (t) => {
    const namespace = await api.namespace(t)
    await bind(t, namespace, {
      matchConstraints: {
        resourceRules: [configMaps],
        excludeResourceRules: [{ ...configMaps, resourceNames: ['free'] }],
        objectSelector: { matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] },
      },
      validations: [{ expression: 'false' }],
    })

    assert.equal((await create(namespace, { metadata: { name: 'free' } })).code, 201)
    assert.equal((await create(namespace, { metadata: { name: 'skipped', labels: { skip: '' } } })).code, 201)
    assert.equal((await api.post(`${namespace}/secrets`, { metadata: { name: 'one' } })).code, 201)
    assert.equal((await create(namespace)).code, 422)
  })

  const params = { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } }
  const limit = {
    expression: "params == null || !has(object.data) || size(object.data) <= int(params.data['max'])",
    messageExpression: "'more than ' + params.data['max']",
  }

  claim('evaluates a policy once for each of its parameters (M9)', async (t) => {
    const [namespace, config] = [await api.namespace(t), await api.namespace(t)]
    for (const [name, max] of [
      ['small', '1'],
      ['large', '3'],
    ]) {
      await api.create(`${config}/configmaps`, { metadata: { name, labels: { limits: 'yes' } }, data: { max } })
    }
    const where = config.split('/').at(-1)
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    const byName = { matchResources, paramRef: { name: 'large', namespace: where, parameterNotFoundAction: 'Deny' } }
    const bySelector = { matchResources, paramRef: { selector: { matchLabels: { limits: 'yes' } }, namespace: where, parameterNotFoundAction: 'Deny' } }
    await bind(t, namespace, { ...params, validations: [limit] }, { binding: byName })

    assert.equal((await create(namespace, { metadata: { name: 'one' }, data: { a: '', b: '' } })).code, 201)
    await bind(t, namespace, { ...params, validations: [limit] }, { binding: bySelector })
    const { json } = await create(namespace, { metadata: { name: 'two' }, data: { a: '', b: '' } })
    assert.match(json.message, /denied request: more than 1$/)
  })

  claim('does what the binding says when its parameters are not there (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    const paramRef = { name: 'none', parameterNotFoundAction: 'Deny' }
    const name = await bind(t, namespace, { ...params, validations: [limit] }, { binding: { matchResources, paramRef }, until: 'no params found' })

    const { code, json } = await create(namespace)

    assert.equal(code, 422)
    assert.equal(
      json.message,
      `configmaps "one" is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
    )
  })

  claim('asks the authorizer what the caller may do (M9)', async (t) => {
    const namespace = await api.namespace(t)
    await bind(t, namespace, {
      validations: [
        {
          expression: "!has(object.data) || authorizer.group('').resource('secrets').namespace(request.namespace).check('create').allowed()",
          message: 'you may not',
        },
      ],
    })
    const role = { metadata: { name: 'writer' }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }] }
    const roles = namespace.replace('/api/v1', '/apis/rbac.authorization.k8s.io/v1')
    await api.create(`${roles}/roles`, role)
    await api.create(`${roles}/rolebindings`, {
      metadata: { name: 'writer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'writer' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
    })
    const body = { metadata: { name: 'one' }, data: { a: 'b' } }
    const jane = { headers: { 'impersonate-user': 'jane' } }
    await api.pass(200)

    const refused = await api.post(`${namespace}/configmaps?dryRun=All`, body, jane)

    assert.match(refused.json.message, /denied request: you may not$/)
    assert.equal((await create(namespace, body)).code, 201)
  })

  claim('lets nobody read by a policy what he may not read himself (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const [user, name] = [uniqueName('reader'), uniqueName('access')]
    const rbac = '/apis/rbac.authorization.k8s.io/v1'
    const rules = [{ apiGroups: ['admissionregistration.k8s.io'], resources: ['*'], verbs: ['*'] }]
    await api.createForTest(t, `${rbac}/clusterroles`, { metadata: { name }, rules } as Json)
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }]
    await api.createForTest(t, `${rbac}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects,
    } as Json)
    const as = { headers: { 'impersonate-user': user } }
    const policy = (apiVersion: string): Json => ({
      metadata: { name },
      spec: { paramKind: { apiVersion, kind: 'ConfigMap' }, matchConstraints: { resourceRules: [configMaps] }, validations: [{ expression: 'true' }] },
    })
    const binding = (paramRef: Json): Json => ({
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'], paramRef: { parameterNotFoundAction: 'Allow', ...paramRef } },
    })
    const where = namespace.split('/').at(-1)
    await api.eventually(`${group}/validatingadmissionpolicies`, ({ code }) => code === 200, as)
    const ask = async (plural: string, body: Json): Promise<Json> => (await api.post(`${group}/${plural}?dryRun=All`, body, as)).json
    const said = ({ code, reason, details }: Json): Json => [
      code,
      reason,
      ...(details?.causes ?? []).map(({ reason: why, field, message }: Json) => `${why} ${field} ${message}`),
    ]
    const who = `&{${user}  [system:authenticated] map[]}`

    assert.deepEqual(said(await ask('validatingadmissionpolicies', policy('v1'))), [
      422,
      'Invalid',
      `FieldValueForbidden spec.paramKind Forbidden: user ${who} must have "get" permission on all objects of the referenced paramKind (kind=ConfigMap, apiVersion=v1)`,
    ])
    const mutating = {
      ...policy('v9'),
      spec: {
        ...policy('v9').spec,
        reinvocationPolicy: 'Never',
        matchConstraints: { resourceRules: [{ ...configMaps, operations: ['CREATE'] }] },
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
      },
    }
    delete mutating.spec.validations
    assert.deepEqual(said(await ask('mutatingadmissionpolicies', mutating)), [
      422,
      'Invalid',
      `FieldValueForbidden spec.paramKind Forbidden: user ${who} must have "get" permission on all objects of the referenced paramKind (kind=ConfigMap, apiVersion=v9)`,
    ])
    const unknown = `to determine minimum required permissions and user ${who} does not have "get" permission for all groups, versions and resources`
    assert.deepEqual(said(await ask('validatingadmissionpolicybindings', binding({ name: 'one' }))), [
      422,
      'Invalid',
      `FieldValueForbidden spec.paramRef Forbidden: unable to get policy ${name} ${unknown}`,
    ])
    await api.createForTest(t, `${group}/validatingadmissionpolicies`, policy('v1'))
    await api.createForTest(t, `${group}/mutatingadmissionpolicies`, {
      ...mutating,
      spec: { ...mutating.spec, paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } },
    })
    assert.deepEqual(said(await ask('validatingadmissionpolicybindings', binding({ selector: {}, namespace: where }))), [
      422,
      'Invalid',
      `FieldValueForbidden spec.paramRef Forbidden: user ${who} does not have "list" permission on the object referenced by paramRef`,
    ])
    const { validationActions: _actions, ...bound } = binding({ name: 'one', namespace: where }).spec
    assert.deepEqual(said(await ask('mutatingadmissionpolicybindings', { metadata: { name }, spec: bound })), [
      422,
      'Invalid',
      `FieldValueForbidden spec.paramRef Forbidden: user get does not have "${who}" permission on the object referenced by paramRef`,
    ])
    const roles = namespace.replace('/api/v1', rbac)
    await api.create(`${roles}/roles`, { metadata: { name }, rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['one'], verbs: ['get'] }] })
    await api.create(`${roles}/rolebindings`, { metadata: { name }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name }, subjects })
    await api.eventually(`${namespace}/configmaps/one`, ({ code }) => code === 404, as)
    assert.equal((await ask('validatingadmissionpolicybindings', binding({ name: 'one', namespace: where }))).code, undefined)
  })

  claim('refuses a policy whose expressions do not compile (M9)', async () => {
    const refused = await api.post(`${group}/validatingadmissionpolicies`, {
      metadata: { name: uniqueName('broken') },
      spec: {
        matchConstraints: { resourceRules: [configMaps] },
        matchConditions: [{ name: 'one', expression: 'object' }],
        variables: [{ name: 'v', expression: 'nothing' }],
        validations: [{ expression: 'object.x +', messageExpression: '1' }, { expression: 'variables.v == 1' }],
        auditAnnotations: [{ key: 'k', valueExpression: '1' }],
      },
    })

    assert.equal(refused.code, 422)
    assert.deepEqual(
      refused.json.details.causes.map(({ field, message }: Json) => [field, message.split('\n', 1)[0].replace(/(Syntax error: ).*/, '$1…')]),
      [
        ['spec.matchConditions[0].expression', 'Invalid value: "object": must evaluate to bool but got dyn'],
        [
          'spec.variables[0].expression',
          `Invalid value: "nothing": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')`,
        ],
        ['spec.validations[0].expression', 'Invalid value: "object.x +": compilation failed: ERROR: <input>:1:11: Syntax error: …'],
        ['spec.validations[0].messageExpression', 'Invalid value: "1": must evaluate to string but got int'],
        ['spec.auditAnnotations[0].valueExpression', 'Invalid value: "1": must evaluate to one of [string null_type] but got int'],
      ],
    )
  })
})
