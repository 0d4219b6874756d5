import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import { startHttpsServer } from '../src/https-server.ts'
import type { HttpsCall, HttpsServer } from '../src/https-server.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'
const verbs = ['get', 'list']

export const aggregation = conformance('aggregation', ({ api, claim }) => {
  let server: HttpsServer
  before(async () => {
    server = await startHttpsServer()
  })
  after(() => server[Symbol.asyncDispose]())

  /** An extension server of a group of its own, behind a service of the test. */
  const extend = async (
    t: TestContext,
    { service = true }: { readonly service?: boolean } = {},
  ): Promise<{ readonly group: string; readonly name: string; readonly namespace: string }> => {
    const namespace = await api.namespace(t)
    const group = `${uniqueName('g')}.example.com`
    const resources = [
      { name: 'things', group, version: 'v1', singularName: 'thing', namespaced: true, kind: 'Thing', verbs, shortNames: ['th'] },
      { name: 'things/status', group, version: 'v1', singularName: '', namespaced: true, kind: 'Thing', verbs: ['get'] },
    ]
    server.on(`/apis/${group}/v1`, () => ({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${group}/v1`, resources }))
    if (service) await api.create(`${namespace}/services`, { metadata: { name: 'ext' }, spec: { type: 'ExternalName', externalName: 'localhost' } })
    const name = `v1.${group}`
    const object: Json = {
      metadata: { name },
      spec: {
        group,
        version: 'v1',
        service: { namespace: namespace.split('/').at(-1), name: 'ext', port: server.port },
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 1000,
        versionPriority: 15,
      },
    }
    await api.createForTest(t, apiServices, object)
    return { group, name, namespace }
  }
  const available = ({ json }: Answer): Json => (json.status?.conditions ?? []).find((condition: Json) => condition.type === 'Available')
  const passed = (name: string): Promise<Answer> => api.eventually(`${apiServices}/${name}`, (answer) => available(answer)?.reason === 'Passed')
  /** The first answer of a group that is not 503: what is available is proxied a moment later. */
  const serving = (path: string): Promise<Answer> => api.eventually(path, ({ code }) => code !== 503)

  claim('publishes what extension servers trust, and again when it has been deleted (G1)', async () => {
    const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication'
    const { json: first } = await api.eventually(path, ({ code }) => code === 200)
    const { 'client-ca-file': clientCa, 'requestheader-client-ca-file': proxyCa, ...rest } = first.data
    assert.deepEqual(rest, {
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    })
    for (const pem of [clientCa, proxyCa]) assert.match(pem, /^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/)
    assert.notEqual(clientCa, proxyCa)
    assert.equal((await api.delete(path)).code, 200)
    const { json: second } = await api.eventually(path, ({ code, json }) => code === 200 && json.metadata.uid !== first.metadata.uid)
    assert.deepEqual(second.data, first.data)
  })

  claim('passes requests on to the service with who the caller is (G1)', async (t) => {
    const { group, name } = await extend(t)
    const calls: HttpsCall[] = []
    server.on(`/apis/${group}/v1/`, (call) => {
      calls.push(call)
      return { kind: 'ThingList', items: [] }
    })
    await passed(name)
    const path = `/apis/${group}/v1/namespaces/default/things`
    await serving(path)
    calls.length = 0

    const answer = await api.get(`${path}?labelSelector=a%3Db`, {
      headers: {
        'x-remote-user': 'mallory',
        'x-remote-group': 'system:masters',
        'x-remote-extra-scopes': 'all',
        'impersonate-user': 'jane',
        'x-other': 'kept',
      },
    })
    await api.get(path, { headers: { 'x-remote-user': 'mallory', 'x-remote-extra-scopes': 'all' } })
    await api.post(path, { kind: 'Thing' })

    assert.equal(answer.code, 403, 'jane may not')
    const [listed, posted] = calls
    assert.deepEqual(
      [listed?.method, listed?.url, listed?.headers['x-remote-user'], listed?.headers.authorization],
      ['GET', path, 'kubernetes-admin', undefined],
    )
    assert.ok(listed?.headers['x-remote-group']?.includes('system:masters'))
    assert.equal(listed?.headers['x-remote-extra-scopes'], undefined)
    assert.deepEqual([posted?.method, posted?.body], ['POST', { kind: 'Thing' }])
  })

  claim('answers what the extension server answers (G1)', async (t) => {
    const { group, name } = await extend(t)
    server.on(`/apis/${group}/v1/`, (_call, response) => {
      response.statusCode = 418
      response.setHeader('x-ours', 'yes')
      return { kind: 'Status', message: 'short and stout' }
    })
    await passed(name)

    const answer = await serving(`/apis/${group}/v1/things`)

    assert.deepEqual([answer.code, answer.json.message, answer.headers['x-ours']], [418, 'short and stout', 'yes'])
  })

  claim('follows and passes on no redirect of an extension server (G1)', async (t) => {
    const { group, name } = await extend(t)
    server.on(`/apis/${group}/v1/`, (_call, response) => void response.writeHead(302, { location: 'https://127.0.0.1:1/elsewhere' }).end())
    await passed(name)

    const answer = await serving(`/apis/${group}/v1/things`)

    assert.equal(answer.code, 502)
    assert.match(answer.text, /the backend attempted to redirect this request, which is not permitted/)
    assert.equal(answer.headers['location'], undefined)
  })

  claim('says why an extension server cannot be used, and 503 until it can (G1, 1.1 ServiceUnavailable)', async (t) => {
    const { group, name, namespace } = await extend(t, { service: false })

    const missing = await api.eventually(`${apiServices}/${name}`, (answer) => available(answer)?.reason === 'ServiceNotFound')
    const refused = await api.get(`/apis/${group}/v1/things`)
    await api.create(`${namespace}/services`, { metadata: { name: 'ext' }, spec: { type: 'ExternalName', externalName: 'localhost' } })
    const found = await passed(name)

    const { lastTransitionTime: _time, ...condition } = available(missing)
    assert.deepEqual(condition, {
      type: 'Available',
      status: 'False',
      reason: 'ServiceNotFound',
      message: `service/ext in "${namespace.split('/').at(-1)}" is not present`,
    })
    assert.deepEqual([refused.code, refused.text], [503, 'service unavailable\n'])
    assert.deepEqual([available(found).status, available(found).message], ['True', 'all checks passed'])
  })

  claim('checks the port and the endpoints of a service with an address (G1)', async (t) => {
    const { name, namespace } = await extend(t, { service: false })
    await api.create(`${namespace}/services`, { metadata: { name: 'ext' }, spec: { ports: [{ port: 443 }] } })
    const where = namespace.split('/').at(-1)

    const answer = await api.eventually(`${apiServices}/${name}`, (one) => available(one)?.reason === 'ServicePortError')

    assert.equal(available(answer).message, `service/ext in "${where}" is not listening on port ${server.port}`)
  })

  claim('says what the check of an extension server has met (G1)', async (t) => {
    const { group, name } = await extend(t)
    server.on(`/apis/${group}/v1`, (_call, response) => void response.writeHead(500).end())

    const url = `https://localhost:${server.port}/apis/${group}/v1`
    const failing = await api.post(`${apiServices}`, {
      metadata: { name: `v2.${group}` },
      spec: { ...(await api.read(`${apiServices}/${name}`)).spec, version: 'v2' },
    })
    t.after(() => api.delete(`${apiServices}/v2.${group}`))
    assert.equal(failing.code, 201, failing.text)
    const answer = await api.eventually(`${apiServices}/v2.${group}`, (one) => available(one)?.reason === 'FailedDiscoveryCheck')

    const second = url.replace(/v1$/, 'v2')
    assert.equal(available(answer).message, `failing or missing response from ${second}: bad status from ${second}: 404`)
  })

  claim('lists the groups of extension servers among its own (G1, D6)', async (t) => {
    const { group, name } = await extend(t)
    await passed(name)
    const accept = { headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } }
    const versionIn = ({ json }: Answer): Json => json.items.find(({ metadata }: Json) => metadata.name === group)?.versions?.[0]
    const discovered = async (holds: (version: Json) => boolean): Promise<Json> =>
      versionIn(
        await api.eventually(
          '/apis',
          (answer) => {
            const version = versionIn(answer)
            return version !== undefined && holds(version)
          },
          accept,
        ),
      )

    const fresh = await discovered(({ resources }) => resources !== undefined)
    const { json: legacy } = await api.get('/apis')
    const { json: own } = await api.eventually(`/apis/${group}`, ({ code }) => code === 200)

    assert.deepEqual(fresh, {
      version: 'v1',
      resources: [
        {
          resource: 'things',
          responseKind: { group, version: 'v1', kind: 'Thing' },
          scope: 'Namespaced',
          singularResource: 'thing',
          verbs,
          shortNames: ['th'],
          subresources: [{ subresource: 'status', responseKind: { group, version: 'v1', kind: 'Thing' }, verbs: ['get'] }],
        },
      ],
      freshness: 'Current',
    })
    const versions = [{ groupVersion: `${group}/v1`, version: 'v1' }]
    assert.deepEqual(
      legacy.groups.find((one: Json) => one.name === group),
      { name: group, versions, preferredVersion: versions[0] },
    )
    assert.deepEqual([own.kind, own.name, own.versions], ['APIGroup', group, versions])
  })

  claim('marks a group whose server is missing as stale (D6)', async (t) => {
    const { group } = await extend(t, { service: false })
    const accept = { headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } }
    const find = async (): Promise<Json> => (await api.get('/apis', accept)).json.items.find(({ metadata }: Json) => metadata.name === group)
    let found = await find()
    for (; found === undefined; found = await find()) await api.pass(50)

    assert.deepEqual(found.versions, [{ version: 'v1', freshness: 'Stale' }])
    assert.equal((await api.get(`/apis/${group}/v1`)).code, 503)
  })

  claim('serves a group no more when its APIService is gone (G1)', async (t) => {
    const { group, name } = await extend(t)
    await passed(name)

    await api.delete(`${apiServices}/${name}`)

    // Until it is taken off its routes, the extension server goes on saying in its own words that it has no such things.
    const answer = await api.eventually(`/apis/${group}/v1/things`, ({ code, text }) => code === 404 && text !== '')
    assert.equal(answer.text, '404 page not found\n')
  })
})
