import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const group = '/apis/admissionregistration.k8s.io/v1'
const configMaps = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] }

const apply = (expression: string): Json => ({ patchType: 'ApplyConfiguration', applyConfiguration: { expression } })
const patch = (expression: string): Json => ({ patchType: 'JSONPatch', jsonPatch: { expression } })

export const mutatingPolicies = conformance('mutating admission policies', ({ api, claim }) => {
  const make = (t: TestContext, plural: string, name: string, spec: Json): Promise<unknown> => {
    const object: Json = { metadata: { name }, spec }
    return api.createForTest(t, `${group}/${plural}`, object)
  }
  /** Creates a policy and its binding for the objects of one namespace, and waits until they are in force: config maps get an annotation. */
  const bind = async (
    t: TestContext,
    namespace: string,
    policy: Json,
    { binding = {}, inForce = (answer: Answer) => answer.code !== 201 || answer.json.metadata?.annotations?.['in-force'] !== undefined }: Json = {},
  ): Promise<string> => {
    const name = uniqueName('mutating')
    const probe = patch("[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'in-force': 'yes'}}]")
    const object: Json = {
      metadata: { name },
      spec: {
        matchConstraints: { resourceRules: [configMaps] },
        reinvocationPolicy: 'Never',
        ...policy,
        mutations: [...(policy.mutations ?? []), probe],
      },
    }
    await api.createForTest(t, `${group}/mutatingadmissionpolicies`, object)
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    await make(t, 'mutatingadmissionpolicybindings', name, { policyName: name, matchResources, ...binding })
    await api.until(() => api.post(`${namespace}/configmaps?dryRun=All`, { metadata: { name: 'probe' } }), inForce)
    return name
  }
  const create = (namespace: string, body: Json = { metadata: { name: 'one' }, data: { a: 'b' } }): Promise<Answer> => api.post(`${namespace}/configmaps`, body)

  const changes: readonly (readonly [string, readonly Json[], Json])[] = [
    [
      'lays a configuration over the object',
      [apply("Object{metadata: Object.metadata{labels: {'x': 'y'}}, data: {'n': object.data['a']}}")],
      { data: { a: 'b', n: 'b' }, labels: { x: 'y' } },
    ],
    [
      'leaves out fields whose optional value is not there',
      [apply('Object{?data: optional.none(), ?immutable: optional.of(true)}')],
      { data: { a: 'b' }, immutable: true },
    ],
    ['does not change what kind the object is', [apply("Object{kind: 'Secret'}")], { data: { a: 'b' } }],
    [
      'applies a patch',
      [patch("[JSONPatch{op: 'copy', from: '/data/a', path: '/data/b'}, JSONPatch{op: 'move', from: '/data/a', path: '/data/c'}]")],
      { data: { b: 'b', c: 'b' } },
    ],
    [
      'takes objects as values of a patch',
      [patch("[JSONPatch{op: 'add', path: '/metadata', value: Object.metadata{name: 'one', labels: {'z': 'y'}}}]")],
      { data: { a: 'b' }, labels: { z: 'y' } },
    ],
    [
      'leaves the object alone when the test of a patch fails',
      [patch("[JSONPatch{op: 'test', path: '/data/a', value: 'c'}, JSONPatch{op: 'add', path: '/data/b', value: 'x'}]")],
      { data: { a: 'b' } },
    ],
    ['adds what a patch replaces that is not there', [patch("[JSONPatch{op: 'replace', path: '/data/none', value: 'x'}]")], { data: { a: 'b', none: 'x' } }],
    ['copies what is not there as nothing', [patch("[JSONPatch{op: 'copy', from: '/data/x', path: '/data/b'}]")], { data: { a: 'b', b: '' } }],
    ['adds nothing where a patch has no value', [patch("[JSONPatch{op: 'add', path: '/data/b'}]")], { data: { a: 'b', b: '' } }],
    [
      'escapes keys for pointers',
      [
        patch(
          "[JSONPatch{op: 'add', path: '/metadata/labels', value: {}}, JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('x.io/y'), value: 'v'}]",
        ),
      ],
      { data: { a: 'b' }, labels: { 'x.io/y': 'v' } },
    ],
    [
      'writes times, durations and bytes as JSON',
      [
        patch(
          "[JSONPatch{op: 'add', path: '/data/t', value: timestamp('2024-01-01T00:00:00Z')}, JSONPatch{op: 'add', path: '/data/d', value: duration('90s')}, JSONPatch{op: 'add', path: '/binaryData', value: {'x': b'abc'}}]",
        ),
      ],
      { data: { a: 'b', t: '2024-01-01T00:00:00Z', d: '90s' }, binaryData: { x: 'YWJj' } },
    ],
    [
      'reads what it has made',
      [
        patch(
          "[JSONPatch{op: 'add', path: '/data/x', value: JSONPatch{op: 'a', path: 'p'}.op + string(Object.metadata{a: 1} == Object.metadata{a: 1}) + string(has(Object.metadata{a: 1}.b))}]",
        ),
      ],
      { data: { a: 'b', x: 'atruefalse' } },
    ],
    [
      'makes one change after the other',
      [apply("Object{data: {'a': object.data.a + '1'}}"), patch("[JSONPatch{op: 'add', path: '/data/c', value: object.data.a + '2'}]")],
      { data: { a: 'b1', c: 'b12' } },
    ],
  ]
  for (const [what, mutations, expected] of changes) {
    claim(`${what} (M9)`, async (t) => {
      const namespace = await api.namespace(t)
      await bind(t, namespace, { mutations })

      const { code, json, text } = await create(namespace)

      assert.equal(code, 201, text)
      const { data, binaryData, immutable, metadata } = json
      assert.deepEqual(JSON.parse(JSON.stringify({ data, binaryData, immutable, labels: metadata.labels })), expected)
    })
  }

  const typed = 'error applying patch: failed to convert patch object to typed object: '
  const named = 'type mismatch: unexpected type name'
  const path = ', which matches field name path from root Object type'
  const failures: readonly (readonly [string, Json, string])[] = [
    [
      'parts with the wrong name',
      // One alone: upstream tells several in the order of a Go map.
      apply('Object{metadata: Object.metadata{foo: Object.metadata.bar{}}}'),
      `${named} "Object.metadata.bar", expected "Object.metadata.foo"${path}`,
    ],
    [
      'parts of patches with the wrong name',
      patch("[JSONPatch{op: 'add', path: '/metadata', value: Object.metadata{foo: Object.bar{}}}]"),
      `${named} "Object.bar", expected "Object.metadata.foo"${path}`,
    ],
    ['fields that the kind does not have', apply('Object{spec: Object.spec{x: 1}}'), `${typed}.spec: field not declared in schema`],
    ['numbers where text belongs', apply("Object{data: {'a': 1}}"), `${typed}.data.a: expected string, got &value.valueUnstructured{Value:1}`],
    ['text where a map belongs', apply("Object{data: 'x'}"), `${typed}.data: expected map, got &{x}`],
    ['nothing where a map belongs', apply('Object{data: null}'), `${typed}.data: expected map, got &{NULL_VALUE}`],
    ['nothing where text belongs', apply("Object{data: {'a': null}}"), `${typed}.data.a: expected string, got &value.valueUnstructured{Value:0}`],
    ['keys that are no text', apply("Object{data: {1: 'a'}}"), 'invalid return type: *dynamic.ObjectVal'],
    [
      'expressions that fail',
      apply("Object{data: {'a': object.data['none']}}"),
      "expression 'Object{data: {'a': object.data['none']}}' resulted in error: no such key: none",
    ],
    [
      'what is removed and not there',
      patch("[JSONPatch{op: 'remove', path: '/data/none'}]"),
      "JSON Patch: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value",
    ],
    [
      'what is added nowhere',
      patch("[JSONPatch{op: 'add', path: '/x/y', value: 'x'}]"),
      'JSON Patch: add operation does not apply: doc is missing path: "/x/y": missing value',
    ],
    ['operations that nobody knows', patch("[JSONPatch{op: 'foo', path: '/x/y', value: 'x'}]"), 'JSON Patch: Unexpected kind: foo'],
    [
      'what is moved and not there',
      patch("[JSONPatch{op: 'move', from: '/data/x', path: '/data/b'}]"),
      "JSON Patch: error in move for path: 'x': Unable to remove nonexistent key: x: missing value",
    ],
    [
      'a move from nowhere',
      patch("[JSONPatch{op: 'move', path: '/data/b'}]"),
      'JSON Patch: move operation failed to decode from: operation, missing from field: missing value',
    ],
    [
      'an index that is none',
      patch("[JSONPatch{op: 'add', path: '/metadata/finalizers', value: []}, JSONPatch{op: 'add', path: '/metadata/finalizers/x', value: 'a'}]"),
      `JSON Patch: error in add for path: '/metadata/finalizers/x': value was not a proper array index: 'x': strconv.Atoi: parsing "x": invalid syntax`,
    ],
    [
      'values that are no JSON',
      patch("[JSONPatch{op: 'add', path: '/data/x', value: int}]"),
      "JSONPath valueExpression evaluated to a type that could not marshal to JSON: type conversion not supported for 'type'",
    ],
    [
      'operations that are no text',
      patch("[JSONPatch{op: dyn(1), path: '/data/x', value: 'x'}]"),
      "expression '[JSONPatch{op: dyn(1), path: '/data/x', value: 'x'}]' resulted in error: unexpected type int64 for JSONPatchType 'op' field",
    ],
  ]
  for (const [what, mutation, expected] of failures) {
    claim(`fails a request for ${what} (M9)`, async (t) => {
      const namespace = await api.namespace(t)
      const name = await bind(t, namespace, { mutations: [mutation] })

      const { json } = await create(namespace)

      const message = `policy '${name}' with binding '${name}' denied request: ${expected}`
      assert.deepEqual(json, {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message,
        reason: 'Invalid',
        details: { name: 'one', kind: 'configmaps', causes: [{ message }] },
        code: 403,
      })
    })
  }

  const broken: readonly (readonly [string, string, string])[] = [
    ['fields that the kind does not have', "[JSONPatch{op: 'add', path: '/foo', value: 'x'}]", 'strict decoding error: unknown field "foo"'],
    [
      'values of the wrong type',
      "[JSONPatch{op: 'add', path: '/data', value: 'x'}]",
      'json: cannot unmarshal string into Go struct field ConfigMap.data of type map[string]string',
    ],
  ]
  for (const [what, expression, message] of broken) {
    claim(`fails with an internal error when a patch makes ${what}, whatever the failure policy says (M9)`, async (t) => {
      const namespace = await api.namespace(t)
      await bind(t, namespace, { mutations: [patch(expression)], failurePolicy: 'Ignore' })

      const { json } = await create(namespace)

      assert.deepEqual([json.code, json.message, json.details], [500, `Internal error occurred: ${message}`, { causes: [{ message }] }])
    })
  }

  claim('passes over what fails where the policy says so, and makes the other changes (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const mutations = [apply("Object{data: {'c': object.data['none']}}"), apply("Object{data: {'z': 'z'}}")]
    await bind(t, namespace, { mutations, failurePolicy: 'Ignore' })

    const { code, json } = await create(namespace)

    assert.deepEqual([code, json.data], [201, { a: 'b', z: 'z' }])
  })

  claim('changes updates too, and asks only where its conditions hold (M9)', async (t) => {
    const namespace = await api.namespace(t)
    await bind(t, namespace, {
      matchConditions: [{ name: 'asked', expression: "object.metadata.name == 'probe' || (has(object.data) && 'ask' in object.data)" }],
      variables: [{ name: 'n', expression: 'string(size(object.data))' }],
      mutations: [apply("Object{data: {'n': variables.n, 'op': request.operation}}")],
    })

    const { json: created } = await create(namespace)
    const { json: updated } = await api.patch('merge', `${namespace}/configmaps/one`, { data: { ask: 'me' } })

    assert.deepEqual(created.data, { a: 'b' })
    assert.deepEqual(updated.data, { a: 'b', ask: 'me', n: '2', op: 'UPDATE' })
  })

  claim('changes the object once for each parameter (M9)', async (t) => {
    const [namespace, config] = [await api.namespace(t), await api.namespace(t)]
    for (const name of ['first', 'second']) await api.create(`${config}/configmaps`, { metadata: { name, labels: { settings: 'yes' } }, data: { value: name } })
    const paramRef = { selector: { matchLabels: { settings: 'yes' } }, namespace: config.split('/').at(-1), parameterNotFoundAction: 'Deny' }
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    await bind(
      t,
      namespace,
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        mutations: [
          patch(
            "[JSONPatch{op: 'add', path: '/data', value: {}}, JSONPatch{op: 'add', path: '/metadata/labels', value: has(object.metadata.labels) ? object.metadata.labels : {}}, JSONPatch{op: 'add', path: '/metadata/labels/' + params.metadata.name, value: params.data.value}]",
          ),
        ],
      },
      // Upstream refuses until it knows the parameters, and knows one before the other.
      { binding: { paramRef, matchResources }, inForce: (answer: Answer) => Object.keys(answer.json.metadata?.labels ?? {}).length === 2 },
    )

    const { json } = await create(namespace)

    assert.deepEqual(json.metadata.labels, { first: 'first', second: 'second' })
  })

  claim('does what the binding says when its parameters are not there (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    const paramRef = { name: 'none', parameterNotFoundAction: 'Deny' }
    const policy = { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' }, mutations: [apply("Object{data: {'n': 'm'}}")] }
    const name = await bind(t, namespace, policy, { binding: { matchResources, paramRef } })

    const { json } = await create(namespace)

    const message = `policy '${name}' with binding '${name}' denied request: failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`
    assert.deepEqual([json.code, json.reason, json.message, json.details.causes], [403, 'Forbidden', message, [{ message }]])
  })

  claim('runs a policy again that asks for it, and another one once (M9)', async (t) => {
    const [once, again] = [await api.namespace(t), await api.namespace(t)]
    const mutations = [apply("Object{data: {'a': object.data.a + '+'}}")]
    await bind(t, once, { mutations })
    await bind(t, again, { mutations, reinvocationPolicy: 'IfNeeded' })

    assert.deepEqual((await create(once)).json.data, { a: 'b+' })
    assert.deepEqual((await create(again)).json.data, { a: 'b++' })
  })

  claim('changes lists item by item and defaults what it adds (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const rules = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['deployments'] }
    const body = (name: string): Json => ({
      metadata: { name },
      spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'web', image: 'web' }] } } },
    })
    const name = uniqueName('mutating')
    await make(t, 'mutatingadmissionpolicies', name, {
      matchConstraints: { resourceRules: [rules] },
      reinvocationPolicy: 'Never',
      mutations: [
        apply(
          "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'side', image: 'side', ports: [Object.spec.template.spec.containers.ports{containerPort: 80}]}]}}}}",
        ),
      ],
    })
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    await make(t, 'mutatingadmissionpolicybindings', name, { policyName: name, matchResources })
    const deployments = `${namespace.replace('/api/v1', '/apis/apps/v1')}/deployments`
    let made: Answer
    do {
      await api.pass(50)
      made = await api.post(`${deployments}?dryRun=All`, body('one'))
      assert.equal(made.code, 201, made.text)
    } while (made.json.spec.template.spec.containers.length === 1)

    const [web, side] = made.json.spec.template.spec.containers
    assert.equal(web.name, 'web')
    assert.deepEqual(side, {
      name: 'side',
      image: 'side',
      ports: [{ containerPort: 80, protocol: 'TCP' }],
      resources: {},
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: 'Always',
    })
  })

  claim('refuses a configuration that is laid over what is one value as a whole (M9)', async (t) => {
    const namespace = await api.namespace(t)
    const rules = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['services'] }
    const name = uniqueName('mutating')
    const spec = {
      matchConstraints: { resourceRules: [rules] },
      reinvocationPolicy: 'Never',
      mutations: [apply("Object{spec: Object.spec{selector: {'a': 'b'}, externalIPs: ['1.2.3.4']}}")],
    }
    await make(t, 'mutatingadmissionpolicies', name, spec)
    const matchResources = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } } }
    await make(t, 'mutatingadmissionpolicybindings', name, { policyName: name, matchResources })
    let answer: Answer
    do {
      await api.pass(50)
      answer = await api.post(`${namespace}/services?dryRun=All`, { metadata: { name: 'one' }, spec: { ports: [{ port: 80 }] } })
    } while (answer.code === 201)

    const [start, paths] = (answer.json.message as string).split('structs: ')
    assert.equal(
      start,
      `policy '${name}' with binding '${name}' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or `,
    )
    assert.deepEqual(paths?.split(', ').toSorted(), ['.spec.externalIPs', '.spec.selector'])
  })

  const refused: readonly (readonly [string, Json, Json])[] = [
    [
      'expressions that are none, give something else, or are missing',
      {
        matchConditions: [{ name: 'c', expression: 'variables.v == 1' }],
        variables: [{ name: 'v', expression: 'nothing' }],
        mutations: [
          apply('object'),
          patch('[]'),
          apply(' Object{a: 1 '),
          apply(' '),
          patch('[JSONPatch{op: 1}]'),
          patch('[JSONPatch{foo: 1}]'),
          apply('JSONPatch{}'),
          apply('Foo{}'),
        ],
      },
      [
        [
          'spec.matchConditions[0].expression',
          `Invalid value: "variables.v == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')`,
        ],
        [
          'spec.variables[0].expression',
          `Invalid value: "nothing": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')`,
        ],
        ['spec.mutations[0].applyConfiguration.expression', 'Invalid value: "object": must evaluate to Object but got dyn'],
        ['spec.mutations[1].jsonPatch.expression', 'Invalid value: "[]": must evaluate to list(JSONPatch) but got list(dyn)'],
        ['spec.mutations[2].applyConfiguration.expression', 'Invalid value: "Object{a: 1": compilation failed: ERROR: <input>:1:12: Syntax error: …'],
        ['spec.mutations[3].applyConfiguration.expression', 'Required value'],
        [
          'spec.mutations[4].jsonPatch.expression',
          `Invalid value: "[JSONPatch{op: 1}]": compilation failed: ERROR: <input>:1:14: expected type of field 'op' is 'string' but provided type is 'int'`,
        ],
        [
          'spec.mutations[5].jsonPatch.expression',
          `Invalid value: "[JSONPatch{foo: 1}]": compilation failed: ERROR: <input>:1:15: expected type of field 'foo' is '' but provided type is 'int'`,
        ],
        ['spec.mutations[6].applyConfiguration.expression', 'Invalid value: "JSONPatch{}": must evaluate to Object but got JSONPatch'],
        [
          'spec.mutations[7].applyConfiguration.expression',
          `Invalid value: "Foo{}": compilation failed: ERROR: <input>:1:4: undeclared reference to 'Foo' (in container '')`,
        ],
      ],
    ],
  ]
  for (const [what, spec, expected] of refused) {
    claim(`refuses a policy with ${what} (M9)`, async () => {
      const { code, json } = await api.post(`${group}/mutatingadmissionpolicies`, {
        metadata: { name: uniqueName('broken') },
        spec: { matchConstraints: { resourceRules: [configMaps] }, reinvocationPolicy: 'Never', ...spec },
      })

      assert.equal(code, 422)
      const causes = (json.details.causes as Json[]).map(({ field, message }) => [field, message.split('\n', 1)[0].replace(/(Syntax error: ).*/, '$1…')])
      const sorted = (list: readonly Json[]): Json[] => list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
      assert.deepEqual(sorted(causes), sorted(expected))
    })
  }
})
