import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SecuredCluster } from '../identity-config/secured-cluster.ts'
import type { SecuredAnswer, SecuredCall } from '../identity-config/secured-cluster.ts'
import { normalOutput } from '../kubectl/normal-output.ts'
import { runKubectl } from '../kubectl/run-kubectl.ts'
import type { Json } from '../src/json.ts'
import { ExtensionServer, group } from './extension-server.ts'

const patienceMs = 40_000
const pollMs = 100
const namespace = 'extended'
const collection = `/apis/${group}/v1alpha1/namespaces/${namespace}/flunders`
const admin: SecuredCall = { certificate: 'admin' }
const aggregatedDiscovery = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

interface Side {
  readonly cluster: SecuredCluster
  readonly extension: ExtensionServer
  readonly cacheDir: string
}

/** Kubernetes' sample extension server behind both API servers: who calls one of its resources sees the same, and it sees the same callers. */
describe('an extension server is the same behind Gantry as behind Kubernetes (G1)', () => {
  const parts = new AsyncDisposableStack()
  let sides: readonly Side[] = []
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-aggregation-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    const names = ['kubernetes', 'gantry'] as const
    const clusters = await Promise.all(names.map(async (name) => parts.use(await SecuredCluster.start(name, { dir, args: [] }))))
    const store = clusters[0]?.plane
    assert.ok(store !== undefined)
    sides = await Promise.all(
      clusters.map(async (cluster) => {
        const extension = parts.use(await ExtensionServer.start(cluster, { dir, store }))
        await cluster.asAdmin('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
        return { cluster, extension, cacheDir: join(dir, `${cluster.name}-cache`) }
      }),
    )
    await onBoth(async (side) => {
      for (const version of ['v1alpha1', 'v1beta1']) await condition(side, version, 'Passed')
    })
  })
  after(() => parts.disposeAsync())

  /** The same on both at once; what each gave must be the same once what may vary is taken out. Returns what Kubernetes gave. */
  async function same<T>(act: (side: Side) => Promise<T>): Promise<T> {
    const [kubernetes, gantry] = await onBoth(act)
    assert.deepEqual(normal(gantry, sides[1]), normal(kubernetes, sides[0]))
    return kubernetes as T
  }
  function onBoth<T>(act: (side: Side) => Promise<T>): Promise<T[]> {
    return Promise.all(sides.map(act))
  }
  async function until<T>(what: string, look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
    for (const deadline = performance.now() + patienceMs; ; await sleep(pollMs)) {
      const value = await look()
      if (holds(value)) return value
      if (performance.now() > deadline) assert.fail(`${what}: not within ${patienceMs} ms; last: ${JSON.stringify(value)?.slice(0, 2_000)}`)
    }
  }
  async function condition({ cluster, extension }: Side, version: string, reason: string): Promise<Json> {
    const { lastTransitionTime: _time, ...found } = await until(
      `${version} on ${cluster.name} is ${reason}`,
      () => extension.condition(version),
      (one) => one?.reason === reason,
    )
    return found
  }
  const call = (method: string, path: string, options: SecuredCall = admin): Promise<SecuredAnswer> =>
    same(async ({ cluster }) => answerOf(await cluster.call(method, path, { ...admin, ...options })))
  const kubectl = (line: string, input?: string): Promise<string> =>
    same(({ cluster, cacheDir }) => runKubectl(line.split(' '), { kubeconfig: cluster.plane.kubeconfig, cacheDir, input }))
  const flunder = (name: string, spec: Json = {}): Json => ({ apiVersion: `${group}/v1alpha1`, kind: 'Flunder', metadata: { name }, spec })
  const serving = (): Promise<unknown> =>
    onBoth(({ cluster }) =>
      until(
        `${cluster.name} serves`,
        () => cluster.call('GET', collection, admin),
        ({ code }) => code === 200,
      ),
    )

  test('it is found available, and why', async () => {
    for (const version of ['v1alpha1', 'v1beta1']) await same((side) => condition(side, version, 'Passed'))
    await serving()
  })

  test('discovery of groups, versions and resources, in both forms (D2, D6)', async () => {
    const ofGroup = (items: Json[], name: (item: Json) => string): Json => items.find((item) => name(item) === group)
    await onBoth(({ cluster }) =>
      until(
        `aggregated discovery of ${cluster.name}`,
        () => cluster.call('GET', '/apis', { ...admin, headers: { accept: aggregatedDiscovery } }),
        ({ json }) => ofGroup(json.items, ({ metadata }) => metadata.name)?.versions.every((version: Json) => version.freshness === 'Current'),
      ),
    )
    await same(async ({ cluster }) =>
      ofGroup((await cluster.call('GET', '/apis', { ...admin, headers: { accept: aggregatedDiscovery } })).json.items, ({ metadata }) => metadata.name),
    )
    await same(async ({ cluster }) => ofGroup((await cluster.call('GET', '/apis', admin)).json.groups, ({ name }) => name))
    for (const path of [`/apis/${group}`, `/apis/${group}/v1alpha1`, `/apis/${group}/v1beta1`, `/apis/${group}/v1`]) await call('GET', path)
    await kubectl(`api-resources --api-group=${group} -o wide`)
  })

  test('OpenAPI v3 is that of the extension server (D7)', async () => {
    const paths = async ({ cluster }: Side): Promise<Json> => {
      const { json } = await cluster.call('GET', '/openapi/v3', admin)
      return Object.fromEntries(Object.entries(json.paths).filter(([path]) => path.startsWith(`apis/${group}`)))
    }
    await onBoth((side) =>
      until(
        `OpenAPI v3 of ${side.cluster.name}`,
        () => paths(side),
        (found) => found[`apis/${group}/v1beta1`] !== undefined,
      ),
    )
    const found = await same(paths)
    for (const { serverRelativeURL } of Object.values<Json>(found)) await call('GET', serverRelativeURL)
    await call('GET', `/openapi/v3/apis/${group}/v1alpha1`)
  })

  test('OpenAPI v2 holds its paths and definitions (D7)', async () => {
    const part = async ({ cluster }: Side): Promise<Json> => {
      const { json } = await cluster.call('GET', '/openapi/v2', admin)
      const of = (section: string, mark: string): Json => Object.fromEntries(Object.entries(json[section]).filter(([name]) => name.includes(mark)))
      return { paths: of('paths', group), definitions: of('definitions', 'wardle') }
    }
    await onBoth((side) =>
      until(
        `OpenAPI v2 of ${side.cluster.name}`,
        () => part(side),
        ({ paths }) => Object.keys(paths).some((path) => path.includes('/v1beta1/')),
      ),
    )
    await same(part)
  })

  test('objects are written and read', async () => {
    await call('POST', collection, { body: flunder('one', { reference: 'other' }) })
    await call('POST', collection, { body: flunder('one') })
    await call('POST', collection, { body: flunder('not a name') })
    await call('POST', `${collection}?fieldValidation=Strict`, { body: { ...flunder('strange'), strange: 1 } })
    await call('POST', collection, { body: { ...flunder('warned'), strange: 1 } })
    await call('POST', `${collection}?dryRun=All`, { body: flunder('dry') })
    await call('POST', collection.replace(namespace, 'nowhere'), { body: flunder('one') })
    await call('POST', collection, { body: 'no object' })
    await call('GET', `${collection}/one`)
    await call('GET', `${collection.replace('v1alpha1', 'v1beta1')}/one`)
    await call('GET', `${collection}/none`)
    await call('GET', `${collection}?labelSelector=a%3Db`)
    await call('GET', `${collection}?limit=1`)
    await call('GET', `${collection}?fieldSelector=metadata.name%3Done`)
    await call('GET', `${collection}?fieldSelector=spec.reference%3Done`)
    await call('GET', collection, { headers: { accept: table } })
    await call('GET', `/apis/${group}/v1alpha1/flunders`, { headers: { accept: 'application/vnd.kubernetes.protobuf,application/json' } })
    await call('GET', collection, { headers: { accept: 'text/plain' } })
    await call('PATCH', `${collection}/one`, { body: { metadata: { labels: { a: 'b' } } } })
    const patch = (type: string): { readonly 'content-type': string } => ({ 'content-type': type })
    await call('PATCH', `${collection}/one`, { headers: patch('application/json-patch+json'), body: [{ op: 'test', path: '/metadata/name', value: 'two' }] })
    await call('PATCH', `${collection}/one`, { headers: patch('application/strategic-merge-patch+json'), body: { metadata: { labels: { c: 'd' } } } })
    await call('PATCH', `${collection}/one?fieldManager=me`, { headers: patch('application/apply-patch+yaml'), body: flunder('one', { reference: 'mine' }) })
    await call('PATCH', `${collection}/one?fieldManager=me&force=true`, {
      headers: patch('application/apply-patch+yaml'),
      body: flunder('one', { reference: 'mine' }),
    })
    await call('PUT', `${collection}/one`, { body: { ...flunder('one'), metadata: { name: 'one', resourceVersion: '1' } } })
    await call('PUT', `${collection}/one/status`, { body: flunder('one') })
    await call('GET', `${collection}/one/scale`)
    await call('DELETE', `${collection}/one?propagationPolicy=Never`)
    await call('DELETE', `${collection}/warned`)
    await call('DELETE', collection)
    await call('POST', `/apis/${group}/v1alpha1/fischers`, {
      body: { apiVersion: `${group}/v1alpha1`, kind: 'Fischer', metadata: { name: 'strict' }, disallowedFlunders: ['banned'] },
    })
    await onBoth(({ cluster }) =>
      until(
        'the ban is known',
        () => cluster.call('POST', `${collection}?dryRun=All`, { ...admin, body: flunder('banned') }),
        ({ code }) => code === 403,
      ),
    )
    await call('POST', collection, { body: flunder('banned') })
    await call('DELETE', `/apis/${group}/v1alpha1/fischers/strict`)
  })

  test('a watch hands on what happens as it happens', async () => {
    await same(async ({ cluster }) => {
      const { json: list } = await cluster.call('GET', collection, admin)
      const query = `watch=true&timeoutSeconds=2&resourceVersion=${list.metadata.resourceVersion}`
      const watched = cluster.call('GET', `${collection}?${query}`, admin)
      await cluster.asAdmin('POST', collection, flunder('watched', { reference: 'a' }))
      await cluster.asAdmin('PATCH', `${collection}/watched`, { spec: { reference: 'b' } })
      await cluster.asAdmin('DELETE', `${collection}/watched`)
      const { code, headers, text } = await watched
      const events = text.trim().split('\n')
      return { code, type: headers['content-type'], events: events.map((line) => JSON.parse(line) as Json) }
    })
    await call('GET', `${collection}?watch=true&timeoutSeconds=1&resourceVersion=1`)
  })

  test('kubectl gets, explains, applies, waits and deletes', async () => {
    const manifest = JSON.stringify(flunder('told', { reference: 'x' }))
    await kubectl(`apply -n ${namespace} -f -`, manifest)
    await kubectl(`apply -n ${namespace} -f -`, manifest)
    await kubectl(`apply -n ${namespace} -f -`, manifest.replace('"x"', '"y"'))
    await kubectl(`apply -n ${namespace} --server-side -f -`, manifest.replace('"x"', '"z"'))
    await kubectl(`apply -n ${namespace} --server-side --force-conflicts -f -`, manifest.replace('"x"', '"z"'))
    await kubectl(`diff -n ${namespace} -f -`, manifest.replace('"x"', '"z"'))
    await kubectl(`apply -n ${namespace} -f -`, manifest.replace('"reference"', '"referense"'))
    for (const form of ['', ' -o wide', ' -o yaml', ' -o name', ' --show-labels']) await kubectl(`get flunders -n ${namespace}${form}`)
    await kubectl(`describe flunder told -n ${namespace}`)
    await kubectl('explain flunders')
    await kubectl('explain flunder.spec.reference')
    await kubectl(`explain flunder --api-version=${group}/v1beta1 --recursive`)
    await kubectl(`label flunder told -n ${namespace} seen=yes`)
    await kubectl(`delete flunder told -n ${namespace} --wait=true`)
    await kubectl(`get flunders -n ${namespace}`)
  })

  test('it sees who asks, whatever the caller claims', async () => {
    await onBoth(async ({ cluster }) => {
      await cluster.asAdmin('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'caller' } })
      await cluster.asAdmin('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
        metadata: { name: 'flunders-reader' },
        rules: [{ apiGroups: [group], resources: ['flunders'], verbs: ['get', 'list'] }],
      })
      await cluster.asAdmin('POST', `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
        metadata: { name: 'callers' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'flunders-reader' },
        subjects: [
          { kind: 'ServiceAccount', name: 'caller', namespace },
          { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' },
        ],
      })
      // The extension server asks for itself, and may hold on to an answer of before.
      const token = await tokenOf({ cluster })
      await until(
        'the caller may',
        () => cluster.call('GET', `${collection}?labelSelector=settle`, { token }),
        ({ code }) => code === 200,
      )
      await until(
        'jane may',
        () => cluster.call('GET', `${collection}?labelSelector=settle`, { ...admin, headers: { 'impersonate-user': 'jane' } }),
        ({ code }) => code === 200,
      )
    })
    const smuggled = {
      'x-remote-user': 'mallory',
      'x-remote-group': 'system:masters',
      'x-remote-uid': 'u-1',
      'x-remote-extra-scopes': 'all',
      X_Remote_User: 'mallory',
      connection: 'x-remote-user, x-remote-group',
    }
    const asJane = {
      'impersonate-user': 'jane',
      'impersonate-group': ['readers', 'writers'],
      'impersonate-uid': 'u-2',
      'impersonate-extra-example.org%2fscopes': ['one', 'two'],
    }
    const codes = await same(async (side) => {
      const token = await tokenOf(side)
      const ask = async (name: string, options: SecuredCall): Promise<number> =>
        (await side.cluster.call('GET', `${collection}?labelSelector=${name}`, options)).code
      return [
        await ask('admin', admin),
        await ask('smuggled', { ...admin, headers: smuggled }),
        await ask('account', { token, headers: smuggled }),
        await ask('jane', { ...admin, headers: asJane }),
        await ask('nobody', {}),
        await ask('forged', { headers: smuggled }),
      ]
    })
    assert.deepEqual(codes, [200, 200, 200, 200, 403, 403])
    const seen = await same(async ({ extension }) =>
      (await extension.seen())
        .filter(({ requestURI }) => /labelSelector=(admin|smuggled|account|jane|nobody|forged)$/.test(requestURI))
        .map(({ requestURI, user, verb, impersonatedUser, responseStatus }) => ({ requestURI, user, verb, impersonatedUser, code: responseStatus.code })),
    )
    assert.deepEqual(
      seen.map(({ user }) => user.username),
      ['kubernetes-admin', 'kubernetes-admin', `system:serviceaccount:${namespace}:caller`, 'jane'],
    )
  })

  test('it is unavailable while it is down, and available again', async () => {
    await onBoth(({ extension }) => extension.down())
    // A request finds out before the next check does.
    await call('GET', collection)
    await onBoth(({ extension }) => extension.askToCheck())
    await same((side) => condition(side, 'v1beta1', 'FailedDiscoveryCheck'))
    await same((side) => condition(side, 'v1alpha1', 'FailedDiscoveryCheck'))
    await onBoth(({ cluster }) =>
      until(
        `${cluster.name} refuses`,
        () => cluster.call('GET', collection, admin),
        ({ text }) => text === 'service unavailable\n',
      ),
    )
    await call('GET', collection)
    await call('POST', collection, { body: flunder('lost') })
    await call('GET', `/apis/${group}`)
    await call('GET', `/apis/${group}/v1beta1`)
    await kubectl(`get apiservices v1alpha1.${group} v1beta1.${group}`)
    await kubectl(`get flunders -n ${namespace}`)

    await onBoth(async ({ extension }) => {
      await extension.up()
      await extension.askToCheck()
    })
    await same((side) => condition(side, 'v1beta1', 'Passed'))
    await same((side) => condition(side, 'v1alpha1', 'Passed'))
    await serving()
    await call('POST', collection, { body: flunder('found') })
    await call('DELETE', `${collection}/found`)
  })

  test('nothing of it is left when its APIServices are gone', async () => {
    for (const version of ['v1alpha1', 'v1beta1']) await call('DELETE', `/apis/apiregistration.k8s.io/v1/apiservices/${version}.${group}`)
    await onBoth(({ cluster }) =>
      until(
        `${cluster.name} forgets`,
        () => cluster.call('GET', `/apis/${group}`, admin),
        ({ code }) => code === 404,
      ),
    )
    await call('GET', `/apis/${group}`)
    await call('GET', collection)
    await kubectl(`get flunders -n ${namespace}`)
  })

  async function tokenOf({ cluster }: Pick<Side, 'cluster'>): Promise<string> {
    return (await cluster.asAdmin('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/caller/token`, {})).status.token
  }
})

/** What of an answer its receiver can tell. Headers that describe the connection, or the request alone, are left out. */
function answerOf({ code, headers, json, text }: SecuredAnswer): SecuredAnswer {
  const told = ['content-type', 'warning', 'cache-control', 'location', 'vary']
  return { code, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => told.includes(name))), json, text: json === undefined ? text : '' }
}

/** Everything that may differ from one server to the other becomes a word. */
function normal(value: unknown, side: Side | undefined): unknown {
  if (typeof value === 'string') return normalOutput(value, { [`:${side?.extension.port}`]: ':PORT' })
  return value === undefined ? undefined : (JSON.parse(normalText(JSON.stringify(value), side)) as unknown)
}

function normalText(text: string, side: Side | undefined): string {
  return text
    .replaceAll(/"(resourceVersion|continue)":"[^"]+"/g, '"$1":"WORD"')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
    .replaceAll(/(too old resource version: 1) \(\d+\)/g, '$1')
    .replaceAll(/X509SHA256=[0-9a-f]{64}/g, 'CREDENTIAL')
    .replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g, 'TIME')
    .replaceAll(`:${side?.extension.port}`, ':PORT')
}
