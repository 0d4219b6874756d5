import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import { startHttpsServer } from '../src/https-server.ts'
import type { HttpsHandler, HttpsServer } from '../src/https-server.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const configurations = '/apis/admissionregistration.k8s.io/v1'
type Kind = 'mutating' | 'validating'

const everyOperation = (resources: readonly string[]): Json => ({ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources })

/** The answer of a webhook to what it was asked. */
function review(request: Json, response: Json): Json {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: request.uid, allowed: true, ...response } }
}

function jsonPatch(...operations: readonly Json[]): Json {
  return { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }
}

export const webhooks = conformance('admission webhooks', ({ api, claim }) => {
  let server: HttpsServer
  before(async () => {
    server = await startHttpsServer()
  })
  after(() => server[Symbol.asyncDispose]())

  /** A path of the test's own and the requests that were reviewed there. */
  const hook = (respond: (request: Json) => Json = () => ({})): { readonly path: string; readonly asked: Json[] } => {
    const path = `/${uniqueName('hook')}`
    const asked: Json[] = []
    server.on(path, ({ body }) => {
      asked.push(body.request)
      return review(body.request, respond(body.request))
    })
    return { path, asked }
  }
  const at = (path: string): Json => ({ url: `https://127.0.0.1:${server.port}${path}`, caBundle: server.caBundle })

  /**
   * Creates a configuration of webhooks for the objects of one namespace and waits until it is in force: one more webhook in it refuses config maps with a label of its own.
   */
  const configure = async (
    t: TestContext,
    kind: Kind,
    where: { readonly namespace: string; readonly webhooks: readonly Json[]; readonly name?: string },
  ): Promise<string> => {
    const name = where.name ?? uniqueName('webhooks')
    const namespace = where.namespace.split('/').at(-1)
    const common = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
    }
    const probe = hook(() => ({ allowed: false, status: { message: 'in force' } }))
    const webhooksOf = where.webhooks.map((webhook, index) => ({ name: `w${index}.example.com`, ...common, ...webhook }))
    const configuration: Json = {
      metadata: { name },
      webhooks: [
        {
          ...common,
          name: 'probe.example.com',
          clientConfig: at(probe.path),
          rules: [everyOperation(['configmaps'])],
          objectSelector: { matchLabels: { probe: name } },
        },
        ...webhooksOf,
      ],
    }
    await api.createForTest(t, `${configurations}/${kind}webhookconfigurations`, configuration)
    const asked = { metadata: { name: 'probe', labels: { probe: name } } }
    for (let answer = await create(where.namespace, asked, '?dryRun=All'); ; answer = await create(where.namespace, asked, '?dryRun=All')) {
      if (answer.json?.message?.includes('in force') === true) return name
      assert.equal(answer.code, 201, answer.text)
      await api.pass(20)
    }
  }
  const create = (namespace: string, body: Json, query = ''): Promise<Answer> => api.post(`${namespace}/configmaps${query}`, body)
  const configMap = (name: string, more: Json = {}): Json => ({ metadata: { name }, data: { a: 'b' }, ...more })

  claim('asks a mutating webhook about an object and stores what its patch makes of it (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook(() => jsonPatch({ op: 'add', path: '/data/added', value: 'yes' }))
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['configmaps'])] }] })
    asked.length = 0

    const created = await create(namespace, configMap('one'), '?fieldManager=me&fieldValidation=Strict')

    assert.deepEqual(created.json.data, { a: 'b', added: 'yes' })
    const [{ uid, userInfo, object, ...request }] = asked
    assert.match(uid, /^[0-9a-f-]{36}$/)
    assert.ok(userInfo.groups.includes('system:masters'))
    const { managedFields, ...metadata } = object.metadata
    assert.equal(managedFields.length, 1)
    assert.deepEqual(
      { ...object, metadata },
      {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'one', namespace: namespace.split('/').at(-1) },
        data: { a: 'b' },
      },
    )
    const resource = { group: '', version: 'v1', resource: 'configmaps' }
    const kind = { group: '', version: 'v1', kind: 'ConfigMap' }
    assert.deepEqual(request, {
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      name: 'one',
      namespace: namespace.split('/').at(-1),
      operation: 'CREATE',
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'me', fieldValidation: 'Strict' },
    })
  })

  claim('gives what a mutating webhook has added no owner (M15)', async (t) => {
    const namespace = await api.namespace(t)
    const { path } = hook(() => jsonPatch({ op: 'add', path: '/data/added', value: 'yes' }))
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['configmaps'])] }] })

    const { json } = await create(namespace, configMap('one'))

    assert.deepEqual(
      json.metadata.managedFields.map((entry: Json) => entry.fieldsV1),
      [{ 'f:data': { '.': {}, 'f:a': {} } }],
    )
  })

  claim('asks a validating webhook about what is going to be stored (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook()
    await configure(t, 'validating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['configmaps'])] }] })
    asked.length = 0

    const { json } = await create(namespace, { metadata: { generateName: 'some-' } })
    await api.patch('merge', `${namespace}/configmaps/${json.metadata.name}?dryRun=All&fieldManager=me`, { data: { a: 'c' } })
    await api.delete(`${namespace}/configmaps/${json.metadata.name}`, { propagationPolicy: 'Background', gracePeriodSeconds: 3 })

    const seen = asked.map(({ operation, name, object, oldObject, dryRun, options }) => [
      operation,
      name,
      object?.metadata.uid ?? null,
      oldObject?.metadata.uid ?? null,
      dryRun,
      options,
    ])
    const { name, uid } = json.metadata
    const meta = { apiVersion: 'meta.k8s.io/v1' }
    assert.deepEqual(seen, [
      ['CREATE', name, uid, null, false, { kind: 'CreateOptions', ...meta }],
      ['UPDATE', name, uid, uid, true, { kind: 'UpdateOptions', ...meta, dryRun: ['All'], fieldManager: 'me' }],
      ['DELETE', name, null, uid, false, { kind: 'DeleteOptions', ...meta, gracePeriodSeconds: 3, propagationPolicy: 'Background' }],
    ])
  })

  claim('does not tell a mutating webhook a name that is going to be generated (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook()
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['configmaps'])] }] })
    asked.length = 0

    await create(namespace, { metadata: { generateName: 'some-' } })

    assert.deepEqual(
      asked.map(({ name, object }) => [name, object.metadata.name, object.metadata.generateName, object.metadata.uid]),
      [[undefined, undefined, 'some-', undefined]],
    )
  })

  claim('asks about each object of a collection that is deleted, without its name (M8)', async (t) => {
    const namespace = await api.namespace(t)
    for (const name of ['one', 'two']) await create(namespace, configMap(name, { metadata: { name, labels: { of: 'test' } } }))
    const { path, asked } = hook()
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['configmaps'])] }] })
    asked.length = 0

    await api.delete(`${namespace}/configmaps?labelSelector=of=test`)

    assert.deepEqual(
      asked.map(({ operation, name, oldObject }) => `${operation} ${name ?? 'no name'} ${oldObject.metadata.name}`).toSorted((a, b) => (a < b ? -1 : 1)),
      ['DELETE no name one', 'DELETE no name two'],
    )
  })

  const refusals: readonly (readonly [string, Json, number, string, string | undefined])[] = [
    ['without a status', undefined, 400, 'denied the request without explanation', undefined],
    ['with a message and a code', { message: 'not like this', code: 403 }, 403, 'denied the request: not like this', undefined],
    ['with a reason', { reason: 'Conflict', code: 409 }, 409, 'denied the request: Conflict', 'Conflict'],
    ['with a success for a status', { status: 'Success', message: 'm', code: 200 }, 400, 'denied the request: m', undefined],
  ]
  for (const [how, status, code, message, reason] of refusals) {
    claim(`answers what a webhook refuses ${how} (M8)`, async (t) => {
      const namespace = await api.namespace(t)
      for (const kind of ['validating', 'mutating'] as const) {
        const { path } = hook(() => ({ allowed: false, status }))
        await configure(t, kind, { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['secrets'])], name: `${kind}.example.com` }] })
        const answer = await api.post(`${namespace}/secrets?dryRun=All`, { metadata: { name: 'one' } })
        assert.equal(answer.code, code)
        assert.equal(answer.json.status, 'Failure')
        assert.equal(answer.json.reason, reason)
        assert.equal(answer.json.message, `admission webhook "${kind}.example.com" ${message}`)
      }
    })
  }

  const raw = (handler: HttpsHandler): string => {
    const path = `/${uniqueName('raw')}`
    server.on(path, handler)
    return path
  }
  const failures: readonly (readonly [string, Kind, HttpsHandler | { readonly clientConfig: Json }, string])[] = [
    ['answers 500', 'validating', (_call, response) => void response.writeHead(500).end('"oops"'), 'failed to call webhook: an error on the server'],
    [
      'answers 500 with a Status',
      'validating',
      (_call, response) => {
        response.statusCode = 500
        return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'my status', code: 500 }
      },
      'failed to call webhook: my status',
    ],
    [
      'answers 404',
      'validating',
      (_call, response) => void response.writeHead(404).end(),
      'failed to call webhook: the server could not find the requested resource',
    ],
    ['answers nothing', 'validating', () => '', 'failed to call webhook: 0-length response with status code: 200 and content type: application/json'],
    [
      'answers a string',
      'validating',
      () => '"text"',
      "failed to call webhook: couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct",
    ],
    [
      'answers without a type',
      'validating',
      ({ body }) => ({ response: { uid: body.request.uid, allowed: true } }),
      'received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=',
    ],
    [
      'answers another kind',
      'validating',
      () => ({ apiVersion: 'v1', kind: 'Pod' }),
      'failed to call webhook: no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
    ],
    [
      'answers another version',
      'validating',
      () => ({ apiVersion: 'admission.k8s.io/v1beta1', kind: 'AdmissionReview', response: {} }),
      'failed to call webhook: converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion',
    ],
    [
      'answers without a response',
      'validating',
      () => ({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }),
      'received invalid webhook response: webhook response was absent',
    ],
    ['answers to another request', 'validating', () => review({ uid: 'other' }, {}), 'received invalid webhook response: expected response.uid='],
    [
      'is no validating one but patches',
      'validating',
      ({ body }) => review(body.request, jsonPatch({ op: 'add', path: '/data/x', value: 'y' })),
      'received invalid webhook response: validating webhook may not return response.patch',
    ],
    [
      'patches without a type',
      'mutating',
      ({ body }) => review(body.request, { patch: 'W10=' }),
      'received invalid webhook response: webhook returned response.patch but not response.patchType',
    ],
    [
      'names a type without a patch',
      'mutating',
      ({ body }) => review(body.request, { patchType: 'JSONPatch' }),
      'received invalid webhook response: webhook returned response.patchType but not response.patch',
    ],
    [
      'patches in a way unknown',
      'mutating',
      ({ body }) => review(body.request, { ...jsonPatch({ op: 'add', path: '/data/x', value: 'y' }), patchType: 'Merge' }),
      'unsupported patch type "Merge"',
    ],
    [
      'patches with half of one',
      'mutating',
      ({ body }) => review(body.request, { patchType: 'JSONPatch', patch: Buffer.from('{').toString('base64') }),
      'received undecodable patch in webhook response: unexpected end of JSON input',
    ],
    ['hangs up', 'validating', (_call, response) => void response.destroy(), 'failed to call webhook: Post "URL": EOF'],
    [
      'is not there',
      'validating',
      { clientConfig: { url: 'https://127.0.0.1:1/gone' } },
      'failed to call webhook: Post "https://127.0.0.1:1/gone?timeout=1s": dial tcp 127.0.0.1:1: connect: connection refused',
    ],
    [
      'is not trusted',
      'validating',
      { clientConfig: { caBundle: undefined } },
      'failed to call webhook: Post "URL": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    ],
    [
      'is a service that is not there',
      'validating',
      { clientConfig: { service: { name: 'none', namespace: 'default', path: '/x' }, url: undefined } },
      'failed to call webhook: Post "https://none.default.svc:443/x?timeout=1s": service "none" not found',
    ],
  ]
  for (const [what, kind, how, message] of failures) {
    claim(`fails a request whose webhook ${what} (M8, 1.1 InternalError)`, async (t) => {
      const namespace = await api.namespace(t)
      const path = raw(typeof how === 'function' ? how : () => ({}))
      const clientConfig = { ...at(path), ...(typeof how === 'function' ? {} : how.clientConfig) }
      const webhook = { clientConfig, rules: [everyOperation(['secrets'])], timeoutSeconds: 1 }
      await configure(t, kind, { namespace, webhooks: [webhook] })

      const answer = await api.post(`${namespace}/secrets?dryRun=All`, { metadata: { name: 'one' } })

      const expected = `failed calling webhook "w0.example.com": ${message.replace('URL', `https://127.0.0.1:${server.port}${path}?timeout=1s`)}`
      assert.equal(answer.code, 500, answer.text)
      assert.equal(answer.json.reason, 'InternalError')
      assert.ok(answer.json.message.startsWith(`Internal error occurred: ${expected}`), answer.json.message)
      assert.equal(answer.json.details.causes[0].message, answer.json.message.replace('Internal error occurred: ', ''))
    })
  }

  claim('gives no write more than 34 s, whoever is asked on its way (W15)', async (t) => {
    const namespace = await api.namespace(t)
    const path = raw(() => {}) // which never answers
    const webhook = { clientConfig: at(path), rules: [everyOperation(['secrets'])], timeoutSeconds: 20, failurePolicy: 'Ignore' }
    await configure(t, 'mutating', { namespace, webhooks: [webhook, webhook] })

    let isAnswered = false
    const asked = api
      .post(`${namespace}/secrets?dryRun=All`, { metadata: { name: 'one' } }, { signal: AbortSignal.timeout(90_000) })
      .finally(() => (isAnswered = true))
    while (!isAnswered) await api.pass(1_000)
    const { code, headers, json } = await asked

    assert.deepEqual([code, headers['content-type']], [504, 'application/json'])
    assert.deepEqual([json.reason, json.message], ['Timeout', 'Timeout: request did not complete within requested timeout - context deadline exceeded'])
  })

  claim('fails a request whose patch cannot be applied (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path } = hook(() => jsonPatch({ op: 'remove', path: '/data/none' }))
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['configmaps'])] }] })

    const { code, json } = await create(namespace, configMap('one'))

    assert.equal(code, 500)
    assert.equal(json.message, "Internal error occurred: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value")
  })

  claim('gives a webhook up after its time (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const asked = Promise.withResolvers<void>()
    const path = raw(() => asked.resolve())
    await configure(t, 'validating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['secrets'])], timeoutSeconds: 1 }] })

    const answering = api.post(`${namespace}/secrets`, { metadata: { name: 'one' } })
    await asked.promise
    await api.pass(1000)

    const { code, json } = await answering
    assert.equal(code, 500)
    assert.equal(
      json.message,
      `Internal error occurred: failed calling webhook "w0.example.com": failed to call webhook: Post "https://127.0.0.1:${server.port}${path}?timeout=1s": context deadline exceeded`,
    )
  })

  claim('goes on without a webhook that fails when its policy is Ignore (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const clientConfig = { url: 'https://127.0.0.1:1/gone' }
    for (const kind of ['mutating', 'validating'] as const) {
      await configure(t, kind, {
        namespace,
        webhooks: [{ clientConfig, rules: [everyOperation(['configmaps'])], failurePolicy: 'Ignore', objectSelector: {} }],
      })
    }

    assert.equal((await create(namespace, configMap('one'))).code, 201)
  })

  claim('passes on the warnings of webhooks (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path } = hook(() => ({ warnings: ['be careful', 'say "please"'] }))
    await configure(t, 'validating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['secrets'])] }] })

    const { headers } = await api.post(`${namespace}/secrets`, { metadata: { name: 'one' } })

    assert.deepEqual(headers['warning'], ['299 - "be careful"', '299 - "say \\"please\\""'])
  })

  claim('calls a webhook through a service (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const service = { metadata: { name: 'hook' }, spec: { type: 'ExternalName', externalName: 'localhost' } }
    await api.create(`${namespace}/services`, service)
    const { path } = hook(() => ({ allowed: false, status: { message: 'reached' } }))
    const name = namespace.split('/').at(-1)
    // The certificate is not for the service's name: that is as far as a call gets here.
    const clientConfig = { service: { namespace: name, name: 'hook', path, port: server.port }, caBundle: server.caBundle }
    await configure(t, 'validating', { namespace, webhooks: [{ clientConfig, rules: [everyOperation(['secrets'])], timeoutSeconds: 1 }] })

    const { json } = await api.post(`${namespace}/secrets`, { metadata: { name: 'one' } })

    assert.equal(
      json.message,
      `Internal error occurred: failed calling webhook "w0.example.com": failed to call webhook: Post "https://hook.${name}.svc:${server.port}${path}?timeout=1s": tls: failed to verify certificate: x509: certificate is valid for localhost, not hook.${name}.svc`,
    )
  })

  claim('asks about a status and a scale by what they show (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const deployments = `${namespace.replace('/api/v1', '/apis/apps/v1')}/deployments`
    const labels = { app: 'web' }
    await api.create(deployments, {
      metadata: { name: 'web' },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
    })
    const { path, asked } = hook(({ subResource }) =>
      subResource === 'scale' ? jsonPatch({ op: 'replace', path: '/spec/replicas', value: 4 }) : jsonPatch({ op: 'add', path: '/spec/paused', value: true }),
    )
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['deployments/scale', 'deployments/status'])] }] })

    const scaled = await api.patch('merge', `${deployments}/web/scale`, { spec: { replicas: 3 } })
    const status = await api.patch('merge', `${deployments}/web/status`, { status: { observedGeneration: 1 } })

    assert.equal(scaled.json.spec.replicas, 4)
    assert.equal((await api.read(`${deployments}/web`)).spec.replicas, 4)
    assert.equal(status.json.spec.paused, undefined)
    const scale = { group: 'autoscaling', version: 'v1', kind: 'Scale' }
    const deployment = { group: 'apps', version: 'v1', kind: 'Deployment' }
    // Controllers write statuses too, and a write that they were faster than is tried again.
    const mine = ['scale', 'status'].map((name) =>
      asked.findLast(({ subResource, userInfo }) => subResource === name && userInfo.username === 'kubernetes-admin'),
    )
    assert.deepEqual(
      mine.map(({ subResource, kind, requestKind, resource, object, oldObject }) => [
        subResource,
        kind,
        requestKind,
        resource.resource,
        object.kind,
        oldObject.kind,
      ]),
      [
        ['scale', scale, scale, 'deployments', 'Scale', 'Scale'],
        ['status', deployment, deployment, 'deployments', 'Deployment', 'Deployment'],
      ],
    )
    assert.deepEqual([mine[0].object.spec, mine[0].oldObject.spec], [{ replicas: 3 }, { replicas: 1 }])
  })

  claim('asks about a binding, an eviction and a token by their bodies (M8)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'one' }, spec: { containers: [{ name: 'c', image: 'i' }], schedulerName: 'nobody' } })
    const { path, asked } = hook()
    await configure(t, 'validating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['pods/*', 'serviceaccounts/*'])] }] })

    await api.post(`${namespace}/pods/one/binding`, { metadata: { name: 'one' }, target: { name: 'node' } })
    await api.post(`${namespace}/pods/one/eviction?dryRun=All`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'one' } })
    await api.post(`${namespace}/serviceaccounts/default/token`, { spec: { audiences: ['x'] } })

    assert.deepEqual(
      asked.map(({ operation, subResource, name, kind, object, oldObject }) => [operation, subResource, name, kind, object.kind, oldObject]),
      [
        ['CREATE', 'binding', 'one', { group: '', version: 'v1', kind: 'Binding' }, 'Binding', null],
        ['CREATE', 'eviction', 'one', { group: 'policy', version: 'v1', kind: 'Eviction' }, 'Eviction', null],
        ['CREATE', 'token', 'default', { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }, 'TokenRequest', null],
      ],
    )
    assert.deepEqual(asked[0].object.target, { name: 'node' })
  })

  claim('asks before it connects to a pod (M8)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'one' }, spec: { containers: [{ name: 'c', image: 'i' }], schedulerName: 'nobody' } })
    const { path, asked } = hook(() => ({ allowed: false, status: { message: 'no shells', code: 403 } }))
    await configure(t, 'validating', {
      namespace,
      webhooks: [{ clientConfig: at(path), rules: [{ ...everyOperation(['pods/exec']), operations: ['CONNECT'] }] }],
    })

    const answer = await api.post(`${namespace}/pods/one/exec?command=ls&command=-l&stdout=true&container=c`, undefined)

    assert.equal(answer.code, 403)
    assert.equal(answer.json.message, 'admission webhook "w0.example.com" denied the request: no shells')
    const [{ operation, subResource, name, kind, object, oldObject, options }] = asked
    assert.deepEqual([operation, subResource, name, oldObject, options], ['CONNECT', 'exec', 'one', null, null])
    assert.deepEqual(kind, { group: '', version: 'v1', kind: 'PodExecOptions' })
    assert.deepEqual([object.stdout, object.container, object.command], [true, 'c', ['ls', '-l']])
  })

  claim('asks only about what the rules and selectors name (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook()
    const rules = [{ operations: ['CREATE', 'UPDATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['secrets', 'services/status'], scope: 'Namespaced' }]
    const objectSelector = { matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] }
    await configure(t, 'validating', {
      namespace,
      webhooks: [
        { clientConfig: at(path), rules, objectSelector },
        { clientConfig: at(`${path}-elsewhere`), rules, namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'elsewhere' } } },
        { clientConfig: at(`${path}-cluster`), rules: [{ ...rules[0], scope: 'Cluster' }] },
      ],
    })

    await api.create(`${namespace}/secrets`, { metadata: { name: 'one' } })
    await api.create(`${namespace}/secrets`, { metadata: { name: 'two', labels: { skip: 'me' } } })
    // The old object is without the label still.
    await api.patch('merge', `${namespace}/secrets/one`, { metadata: { labels: { skip: 'me' } } })
    await api.patch('merge', `${namespace}/secrets/one`, { metadata: { annotations: { not: 'seen' } } })
    await api.delete(`${namespace}/secrets/one`)
    await api.create(`${namespace}/configmaps`, configMap('one'))

    assert.deepEqual(
      asked.map(({ operation, name }) => `${operation} ${name}`),
      ['CREATE one', 'UPDATE one'],
    )
  })

  claim('asks only where the conditions hold, and refuses where they cannot be told (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook()
    const matchConditions = [
      { name: 'not-me', expression: "!('skip' in object.data)" },
      { name: 'by-admin', expression: "authorizer.group('').resource('secrets').check('delete').allowed() && request.operation == 'CREATE'" },
    ]
    await configure(t, 'validating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['secrets'])], matchConditions }] })

    const data = { a: '' }
    await api.create(`${namespace}/secrets`, { metadata: { name: 'one' }, data })
    await api.create(`${namespace}/secrets`, { metadata: { name: 'two' }, data: { skip: '' } })
    const refused = await api.post(`${namespace}/secrets`, { metadata: { name: 'three' } })

    assert.deepEqual(
      asked.map(({ name }) => name),
      ['one'],
    )
    assert.equal(refused.code, 403)
    assert.equal(refused.json.message, `secrets "three" is forbidden: expression '!('skip' in object.data)' resulted in error: no such key: data`)
  })

  claim('asks in the version that a webhook knows, unless it wants exactly what it named (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const autoscalers = namespace.replace('/api/v1', '/apis/autoscaling/v1')
    const equivalent = hook()
    const exact = hook()
    const rules = [{ operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v2'], resources: ['horizontalpodautoscalers'] }]
    await configure(t, 'validating', {
      namespace,
      webhooks: [
        { clientConfig: at(equivalent.path), rules },
        { clientConfig: at(exact.path), rules, matchPolicy: 'Exact' },
      ],
    })

    await api.create(`${autoscalers}/horizontalpodautoscalers`, {
      metadata: { name: 'one' },
      spec: { maxReplicas: 3, targetCPUUtilizationPercentage: 50, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    })

    assert.equal(exact.asked.length, 0)
    const [{ kind, resource, requestKind, requestResource, object }] = equivalent.asked
    assert.deepEqual(
      [kind.version, resource.version, requestKind.version, requestResource.version, object.apiVersion],
      ['v2', 'v2', 'v1', 'v1', 'autoscaling/v2'],
    )
    assert.equal(object.spec.metrics[0].resource.target.averageUtilization, 50)
  })

  claim('asks again those who wish it when a later one has changed the object (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const append = (letter: string): ReturnType<typeof hook> =>
      hook(({ object }) =>
        (object.data.trail ?? '').includes(letter) ? {} : jsonPatch({ op: 'add', path: '/data/trail', value: (object.data.trail ?? '') + letter }),
      )
    const [first, never, last] = [append('a'), append('b'), append('c')]
    const rules = [everyOperation(['configmaps'])]
    await configure(t, 'mutating', {
      namespace,
      webhooks: [
        { clientConfig: at(first.path), rules, reinvocationPolicy: 'IfNeeded' },
        { clientConfig: at(never.path), rules },
        { clientConfig: at(last.path), rules, reinvocationPolicy: 'IfNeeded' },
      ],
    })
    for (const { asked } of [first, never, last]) asked.length = 0

    const { json } = await create(namespace, configMap('one'))

    assert.equal(json.data.trail, 'abc')
    assert.deepEqual(
      [first, never, last].map(({ asked }) => asked.map(({ object }: Json) => object.data.trail)),
      [[undefined, 'abc'], ['a'], ['ab']],
    )
  })

  claim('asks in the order of the names of configurations (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const base = uniqueName('order')
    const rules = [everyOperation(['configmaps'])]
    for (const letter of ['b', 'a']) {
      const { path } = hook(({ object }) => jsonPatch({ op: 'add', path: '/data/trail', value: (object.data.trail ?? '') + letter }))
      await configure(t, 'mutating', {
        namespace,
        name: `${base}-${letter}`,
        webhooks: [{ clientConfig: at(path), rules, objectSelector: { matchLabels: { of: 'test' } } }],
      })
    }

    const { json } = await create(namespace, configMap('one', { metadata: { name: 'one', labels: { of: 'test' } } }))

    assert.equal(json.data.trail, 'ab')
  })

  claim('refuses a dry run that a webhook could not keep (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook()
    const configuration: Json = {
      metadata: { name: uniqueName('effects') },
      webhooks: [
        {
          name: 'w0.example.com',
          clientConfig: at(path),
          rules: [everyOperation(['secrets'])],
          sideEffects: 'NoneOnDryRun',
          admissionReviewVersions: ['v1'],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace.split('/').at(-1) } },
        },
      ],
    }
    await api.createForTest(t, `${configurations}/validatingwebhookconfigurations`, configuration)
    await configure(t, 'validating', { namespace, webhooks: [] })

    assert.equal((await api.post(`${namespace}/secrets?dryRun=All`, { metadata: { name: 'one' } })).code, 201)
    assert.deepEqual(
      asked.map(({ dryRun }) => dryRun),
      [true],
    )
  })

  claim('asks nobody about the configurations of webhooks (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path, asked } = hook(() => ({ allowed: false }))
    const name = await configure(t, 'validating', {
      namespace,
      webhooks: [
        {
          clientConfig: at(path),
          rules: [{ ...everyOperation(['validatingwebhookconfigurations']), apiGroups: ['admissionregistration.k8s.io'] }],
          namespaceSelector: {},
        },
      ],
    })

    const patched = await api.patch('merge', `${configurations}/validatingwebhookconfigurations/${name}`, { metadata: { labels: { a: 'b' } } })

    assert.equal(patched.code, 200)
    assert.deepEqual(asked, [])
  })

  claim('takes from a patch nothing that a client could not change (M8)', async (t) => {
    const namespace = await api.namespace(t)
    const { path } = hook(({ operation }) =>
      operation === 'CREATE'
        ? jsonPatch({ op: 'add', path: '/metadata/uid', value: 'mine' })
        : jsonPatch({ op: 'replace', path: '/metadata/name', value: 'other' }),
    )
    await configure(t, 'mutating', { namespace, webhooks: [{ clientConfig: at(path), rules: [everyOperation(['secrets'])] }] })

    const created = await api.create(`${namespace}/secrets`, { metadata: { name: 'one' } })
    const renamed = await api.patch('merge', `${namespace}/secrets/one`, { metadata: { labels: { a: 'b' } } })

    assert.notEqual(created.metadata.uid, 'mine')
    assert.equal(renamed.code, 422, renamed.text)
    assert.equal((await api.get(`${namespace}/secrets/other`)).code, 404)
  })
})
