import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { formatKubeconfig, type KubeObject, type ResourceRef } from '@gantry/client'
import { clusterKind, conditionOf, isReady, type Cluster, type DirectCredentials } from '@gantry/clusters/api'
import { hubResources, probeMember, removeAbandonedCredentials, type Secret } from '@gantry/clusters/server'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { Handler } from '@gantry/runtime'
import { settle, startTestFleet, type TestFleet, type TestMember } from './test-fleet.ts'

const namespace = 'gantry-system'
const nodes: ResourceRef = hubResources.nodes

function byToken(name: string, member: TestMember, token = member.tokens.admin): { readonly name: string } & DirectCredentials {
  return { name, server: member.server, token }
}

/** The Status an import is refused with: reason, message and the probe's own word. */
async function refusal(work: Promise<unknown>): Promise<{ readonly reason: string; readonly message: string; readonly cause: string | undefined }> {
  const error = await work.then(
    () => assert.fail('the import must be refused'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof StatusError, String(error))
  return { reason: error.reason, message: error.message, cause: error.details?.causes?.[0]?.reason }
}

async function secretsOf(fleet: TestFleet): Promise<readonly Secret[]> {
  return (await fleet.hub.list<Secret>(hubResources.secrets, { namespace })).items
}

describe('importing a cluster', () => {
  test('makes it Ready at once, with version, uid and nodes', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const node = (name: string, ready: string): KubeObject & { status: unknown } => ({
      metadata: { name },
      status: { conditions: [{ type: 'Ready', status: ready }] },
    })
    for (const [name, ready] of [
      ['a', 'True'],
      ['b', 'False'],
    ] as const) {
      await member.client.create(nodes, { metadata: { name } })
      await member.client.patch(nodes, { name }, { type: 'merge', body: node(name, ready), subresource: 'status' })
    }
    const allocatable = { cpu: '3920m', memory: '1Gi', pods: '110' }
    for (const name of ['a', 'b']) await member.client.patch(nodes, { name }, { type: 'merge', body: { status: { allocatable } }, subresource: 'status' })

    const cluster = await fleet.import(byToken('prod', member))

    assert.ok(isReady(cluster))
    assert.deepEqual(cluster.status?.nodes, { total: 2, ready: 1 })
    assert.deepEqual(cluster.status?.capacity, { cpu: '7840m', memory: '2Gi', pods: 220 })
    assert.match(cluster.status?.kubernetesVersion ?? '', /^v1\./)
    const { metadata } = await member.client.get(hubResources.namespaces, { name: 'kube-system' })
    assert.equal(cluster.status?.uid, metadata.uid)
    assert.equal(fleet.directory.get('prod')?.kind, 'member')
  })

  test('writes nothing into it: its only POSTs are reviews of our own access', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const before = member.revision()
    await fleet.import(byToken('prod', member))
    await fleet.clock.advance(60_000)
    await fleet.hub.delete(clusterKind.ref, { name: 'prod' })
    await settle()

    const writes = member.requests.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`)
    assert.deepEqual([...new Set(writes)], ['POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews'])
    assert.equal(member.revision(), before)
    assert.ok(member.requests.length > 10, 'it was looked at all the time')
  })

  test('keeps the credential in a Secret that goes with the cluster, and nowhere else', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const cluster = await fleet.import(byToken('prod', member))
    const [secret] = await secretsOf(fleet)
    const inCluster = JSON.stringify(await fleet.cluster('prod'))
    await fleet.hub.delete(clusterKind.ref, { name: 'prod' })
    await settle()

    assert.ok(!inCluster.includes(member.tokens.admin))
    assert.equal(Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString(), member.tokens.admin)
    assert.equal(secret?.metadata.ownerReferences?.[0]?.uid, cluster.metadata.uid)
    assert.equal((await secretsOf(fleet)).length, 0)
    assert.equal(fleet.directory.get('prod'), undefined)
  })

  test('takes a kubeconfig, of the context that is asked for', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const kubeconfig = formatKubeconfig(
      { name: 'other', server: 'https://127.0.0.1:1', credentials: { token: 'x' } },
      { name: 'prod', server: member.server, credentials: { token: member.tokens.admin } },
    )

    assert.ok(isReady(await fleet.import({ name: 'prod', kubeconfig, context: 'prod' })))
  })

  test('names exactly what is wrong, and leaves nothing behind', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const html = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' }
    const version = (gitVersion: string, minor: string) => async (request: { readonly path: string }) =>
      request.path === '/version'
        ? { status: 200, headers: {}, body: JSON.stringify({ gitVersion, major: '1', minor }) }
        : { status: 500, headers: {}, body: '{}' }
    const expired = `e30.${Buffer.from(JSON.stringify({ exp: 1_000_000_000 })).toString('base64url')}.x`
    const behaving = async (behave: TestMember['behave']) => {
      member.behave = behave
      try {
        return await refusal(fleet.import(byToken('x', member)))
      } finally {
        member.behave = undefined
      }
    }

    const outcomes = {
      wrongToken: await refusal(fleet.import(byToken('x', member, 'wrong'))),
      expiredToken: await refusal(fleet.import(byToken('x', member, expired))),
      weak: await refusal(fleet.import(byToken('x', member, member.tokens.restricted))),
      refused: await refusal(fleet.import({ name: 'x', server: 'https://127.0.0.1:1', token: 'x' })),
      noName: await refusal(fleet.import({ name: 'x', server: 'https://nosuch.invalid', token: 'x' })),
      noKubernetes: await behaving(() => Promise.resolve(html)),
      tooOld: await behaving(version('v1.24.17', '24+')),
      tooNew: await behaving(version('v1.99.0', '99')),
      broken: await behaving(() => Promise.resolve({ status: 502, headers: {}, body: 'bad gateway' })),
    }

    assert.deepEqual(Object.fromEntries(Object.entries(outcomes).map(([name, { cause }]) => [name, cause])), {
      wrongToken: 'Unauthorized',
      expiredToken: 'TokenExpired',
      weak: 'PermissionsMissing',
      refused: 'ConnectionRefused',
      noName: 'AddressNotResolved',
      noKubernetes: 'NotKubernetes',
      tooOld: 'Unreachable',
      tooNew: 'Unreachable',
      broken: 'Unreachable',
    })
    assert.match(outcomes.expiredToken.message, /expired at 2001-09-09T01:46:40Z/)
    assert.match(outcomes.weak.message, /get\/list\/watch nodes, get\/list\/watch namespaces, get\/list\/watch pods/)
    for (const { reason } of Object.values(outcomes)) assert.equal(reason, 'Invalid')
    assert.equal((await fleet.hub.list(clusterKind.ref)).items.length, 0)
    assert.equal((await secretsOf(fleet)).length, 0)
  })

  test('refuses a version that is not supported', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    for (const [gitVersion, minor, supported] of [
      ['v1.24.17-eks', '24+', false],
      ['v1.25.0', '25', true],
      ['v1.38.0', '38', true],
      ['v1.39.0', '39', false],
    ] as const) {
      member.behave = async (request) => {
        if (request.path === '/version') return { status: 200, headers: {}, body: JSON.stringify({ gitVersion, major: '1', minor }) }
        if (request.method === 'POST') return { status: 201, headers: {}, body: '{"status":{"allowed":true}}' }
        return {
          status: 200,
          headers: {},
          body: request.path.endsWith('kube-system') ? `{"metadata":{"uid":"u-${minor}"}}` : '{"kind":"NodeList","items":[],"metadata":{}}',
        }
      }
      const outcome = await fleet.import(byToken(`c${Number.parseInt(minor, 10)}`, member)).then(
        () => 'imported',
        (error: StatusError) => error.details?.causes?.[0]?.reason,
      )
      assert.equal(outcome, supported ? 'imported' : 'VersionUnsupported', gitVersion)
    }
  })

  test('refuses the same cluster twice, whatever its address, and a name that is taken or reserved', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    await fleet.import(byToken('prod', member))

    const twin = await refusal(fleet.import(byToken('twin', member)))
    const taken = await refusal(fleet.import(byToken('prod', member)))
    const reserved = await refusal(fleet.import(byToken('local', member)))
    const invalid = await refusal(fleet.import(byToken('Prod/../x', member)))

    assert.deepEqual([twin.reason, twin.cause], ['Conflict', 'DuplicateCluster'])
    assert.match(twin.message, /it is the cluster "prod"/)
    assert.equal(taken.reason, 'AlreadyExists')
    assert.match(reserved.message, /reserved/)
    assert.equal(invalid.reason, 'Invalid')
    assert.equal((await fleet.hub.list(clusterKind.ref)).items.length, 1)
  })

  test('of one name at the same time leaves one whole cluster', async () => {
    await using fleet = await startTestFleet()
    const one = await fleet.addMember('https://one.test')
    const two = await fleet.addMember('https://two.test')

    const outcomes = await Promise.allSettled([fleet.import(byToken('prod', one)), fleet.import(byToken('prod', two))])

    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    assert.equal((await secretsOf(fleet)).length, 1)
    assert.ok(isReady(await fleet.cluster('prod')))
  })

  test('refuses a kubeconfig that needs a program or a file of this machine', async () => {
    await using fleet = await startTestFleet()
    const kubeconfig = (user: string): string =>
      `apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nclusters: [{name: a, cluster: {server: "https://a.test"}}]\nusers: [{name: a, user: ${user}}]\n`

    const exec = await refusal(fleet.import({ name: 'x', kubeconfig: kubeconfig('{exec: {command: aws, apiVersion: v1}}') }))
    const file = await refusal(fleet.import({ name: 'x', kubeconfig: kubeconfig('{tokenFile: /etc/shadow}') }))

    assert.match(exec.message, /exec: aws/)
    assert.match(file.message, /\/etc\/shadow; embed it/)
  })
})

/** As a socket to nowhere does: it ends when it is given up. */
const neverAnswers: Handler = ({ signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

test('a Secret of an import that died half way is removed later, and no other', async () => {
  await using fleet = await startTestFleet()
  const member = await fleet.addMember('https://prod.test')
  await fleet.import(byToken('prod', member))
  const labels = { 'fleet.gantry.dev/cluster': 'x' }
  await fleet.hub.create<Secret>(hubResources.secrets, { metadata: { name: 'abandoned', namespace, labels } })
  await fleet.hub.create<Secret>(hubResources.secrets, { metadata: { name: 'other', namespace } })
  const sweep = async (): Promise<readonly string[]> => {
    await removeAbandonedCredentials(fleet.hub, { now: fleet.clock.now(), signal: new AbortController().signal })
    return (await secretsOf(fleet)).map(({ metadata }) => metadata.name?.replace(/-[^-]+$/, '') ?? '')
  }

  const atOnce = await sweep()
  await fleet.clock.advance(11 * 60_000)

  assert.deepEqual(atOnce, ['abandoned', 'cluster-prod', 'other'])
  assert.deepEqual(await sweep(), ['cluster-prod', 'other'])
})

describe('the health of a cluster', () => {
  test('follows what the cluster does, and says since when', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    await fleet.import(byToken('prod', member))
    member.behave = () => Promise.reject(new StatusError('ServiceUnavailable', 'gone'))
    await fleet.clock.advance(12_000)
    const down = await fleet.cluster('prod')
    member.behave = undefined
    await fleet.clock.advance(70_000)
    const up = await fleet.cluster('prod')

    assert.equal(conditionOf(down, 'Ready')?.status, 'False')
    assert.equal(conditionOf(down, 'Reachable')?.reason, 'Unreachable')
    assert.equal(conditionOf(down, 'Authorized')?.status, 'Unknown')
    assert.ok(down.status?.uid !== undefined, 'what was known stays')
    assert.ok(isReady(up))
    assert.notEqual(conditionOf(up, 'Ready')?.lastTransitionTime, conditionOf(down, 'Ready')?.lastTransitionTime)
  })

  test('costs no write while nothing changes', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    await fleet.import(byToken('prod', member))
    await fleet.clock.advance(15_000)
    const before = (await fleet.cluster('prod')).metadata.resourceVersion
    await fleet.clock.advance(4 * 60_000)

    assert.equal((await fleet.cluster('prod')).metadata.resourceVersion, before)
    assert.ok(member.requests.length > 40)
  })

  test('of one that never answers does not delay the others', async () => {
    await using fleet = await startTestFleet()
    const dead = await fleet.addMember('https://dead.test')
    const alive = await fleet.addMember('https://alive.test')
    await fleet.import(byToken('dead', dead))
    await fleet.import(byToken('alive', alive))
    dead.behave = neverAnswers
    const before = alive.requests.length
    await fleet.clock.advance(60_000)
    const cluster = await fleet.cluster('dead')

    assert.equal(conditionOf(cluster, 'Ready')?.reason, 'Timeout')
    assert.ok(alive.requests.length - before >= 5 * 4)
    assert.ok(isReady(await fleet.cluster('alive')))
    assert.ok(dead.requests.length < 30, 'and it is asked less and less often')
  })

  test('of one that is applied as YAML is found out at once, also when its Secret comes later', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const cluster: Cluster = {
      apiVersion: clusterKind.apiVersion,
      kind: clusterKind.kind,
      metadata: { name: 'decl' },
      spec: { provider: 'Imported', connection: { server: member.server, credentialsSecret: { namespace, name: 'mine' } } },
    }
    await fleet.hub.create(clusterKind.ref, cluster)
    await settle()
    const without = await fleet.cluster('decl')
    const token = Buffer.from(member.tokens.admin).toString('base64')
    await fleet.hub.create<Secret>(hubResources.secrets, { metadata: { name: 'mine', namespace }, data: { token } })
    await fleet.clock.advance(12_000)
    const ready = await fleet.cluster('decl')
    await fleet.hub.delete(clusterKind.ref, { name: 'decl' })
    await settle()

    assert.equal(conditionOf(without, 'Ready')?.reason, 'CredentialsMissing')
    assert.match(conditionOf(without, 'Ready')?.message ?? '', /Secret gantry-system\/mine does not exist/)
    assert.ok(isReady(ready))
    assert.equal((await secretsOf(fleet)).length, 1, 'a Secret that somebody else made is left alone')
  })

  test('counts every simulated node, although the server does not say how many a selector leaves', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    for (const name of ['simulated-1', 'simulated-2', 'simulated-3']) {
      await member.client.create<KubeObject>(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { kind: 'simulated' } } })
    }
    await member.client.create<KubeObject>(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'real' } })
    const signal = new AbortController().signal
    const probe = await probeMember({ clock: fleet.clock, member: member.client }, { signal, simulatedNodes: 'kind=simulated' })

    assert.deepEqual(probe.nodes, { total: 4, ready: 0, simulated: 3 })
  })

  test('takes credentials from the namespace of the platform only', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    await fleet.hub.create<Cluster>(clusterKind.ref, {
      apiVersion: clusterKind.apiVersion,
      kind: clusterKind.kind,
      metadata: { name: 'thief' },
      spec: { provider: 'Imported', connection: { server: member.server, credentialsSecret: { namespace: 'kube-system', name: 'any' } } },
    })
    await settle()

    assert.match(conditionOf(await fleet.cluster('thief'), 'Ready')?.message ?? '', /must be in the namespace gantry-system/)
    assert.equal(member.requests.length, 0)
  })

  test('a fresh token counts from the next request on', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    await fleet.import(byToken('prod', member))
    const [secret] = await secretsOf(fleet)
    const ask = async (): Promise<number> => {
      const response = await fleet.directory
        .get('prod')
        ?.handle({ method: 'GET', path: '/api/v1/namespaces', query: '', headers: {}, signal: new AbortController().signal })
      if (response !== undefined) await readWholeBody(response)
      return response?.status ?? 0
    }
    const before = await ask()
    await fleet.hub.patch(
      hubResources.secrets,
      { namespace, name: secret?.metadata.name ?? '' },
      { type: 'merge', body: { data: { token: Buffer.from('bad').toString('base64') } } },
    )
    await settle()

    assert.equal(before, 200)
    assert.equal(await ask(), 503, 'the caller is not to blame, so it is no 401')
  })
})

describe('the credentials of a cluster', () => {
  const jwt = (exp: number): string => `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`

  /** A POST to one of the routes. */
  async function post(fleet: TestFleet, name: string, body: unknown): Promise<unknown> {
    const route = fleet.routes.find(({ path }) => path === `/platform/v1/clusters/${name}`)
    assert.ok(route !== undefined)
    const request = { method: 'POST', path: route.path, query: '', headers: {}, body: bodyOf(JSON.stringify(body)), signal: new AbortController().signal }
    const { body: answer } = await route.serve({ request } as Parameters<typeof route.serve>[0])
    return JSON.parse(String(answer)) as unknown
  }
  const tokenOf = async (fleet: TestFleet): Promise<string> => Buffer.from((await secretsOf(fleet))[0]?.data?.['token'] ?? '', 'base64').toString()

  test('are replaced once the new ones were tried, and only by ones of the same cluster', async () => {
    await using fleet = await startTestFleet()
    const [member, other] = [await fleet.addMember('https://prod.test'), await fleet.addMember('https://other.test')]
    await fleet.import(byToken('prod', member))
    const wrong = await refusal(post(fleet, 'credentials', byToken('prod', member, 'wrong')))
    const stranger = await refusal(post(fleet, 'credentials', byToken('prod', other)))
    const kept = await tokenOf(fleet)
    Object.assign(member.tokens, { admin: 'fresh' })
    await post(fleet, 'credentials', byToken('prod', member))
    await settle()
    const answer = await fleet.directory
      .get('prod')
      ?.handle({ method: 'GET', path: '/api/v1/nodes', query: '', headers: {}, signal: new AbortController().signal })

    assert.equal(wrong.cause, 'Unauthorized')
    assert.match(wrong.message, /^these credentials cannot be taken for cluster "prod"/)
    assert.equal(stranger.reason, 'Conflict')
    assert.match(stranger.message, /of another cluster than "prod"/)
    assert.equal(kept, 'admin-of-https://prod.test')
    assert.equal(await tokenOf(fleet), 'fresh')
    assert.equal(answer?.status, 200)
    assert.ok(isReady(await fleet.cluster('prod')))
  })

  test('are warned of before they run out, and stay usable', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    const exp = Math.floor(fleet.clock.now().getTime() / 1_000) + 7 * 24 * 3_600 + 60
    Object.assign(member.tokens, { admin: jwt(exp) })
    const before = await fleet.import(byToken('prod', member))
    await fleet.clock.advance(90_000)
    const after = await fleet.cluster('prod')

    assert.equal(before.status?.tokenExpires, new Date(exp * 1_000).toISOString().replace('.000', ''))
    assert.equal(conditionOf(before, 'CertificatesCurrent')?.status, 'True')
    assert.equal(conditionOf(after, 'CertificatesCurrent')?.reason, 'ExpiresSoon')
    assert.match(conditionOf(after, 'CertificatesCurrent')?.message ?? '', /the platform's token ends at .*: give a fresh one \(gantry cluster credentials\)/)
    assert.ok(isReady(after))
  })

  test('of a proxy are in the Secret and in no object that people read', async () => {
    await using fleet = await startTestFleet()
    const member = await fleet.addMember('https://prod.test')
    await fleet.import({ ...byToken('prod', member), proxyURL: 'socks5://jane:p%40ss@proxy.test:1080' } as Parameters<TestFleet['import']>[0])
    const [secret] = await secretsOf(fleet)

    assert.equal((await fleet.cluster('prod')).spec.connection?.proxyURL, 'socks5://proxy.test:1080')
    assert.equal(Buffer.from(secret?.data?.['proxy-password'] ?? '', 'base64').toString(), 'p@ss')
    assert.ok(!JSON.stringify(await fleet.cluster('prod')).includes('jane'))
  })
})
