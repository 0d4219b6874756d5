import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startKubernetes, type ControlPlane } from '@gantry/conformance/kubernetes'
import { buildGantry } from '../built-gantry.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { gantry, startCommand, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import type { RunningProgram } from '../program.ts'

const account = 'system:serviceaccount:gantry-system:gantry'
// Everything that the account asks of the hub, as the hub saw it.
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', users: [account] }, { level: 'None' }],
}

interface HubEvent {
  readonly stage: string
  readonly verb: string
  readonly user: { readonly extra?: Readonly<Record<string, readonly string[]>> }
  readonly objectRef?: {
    readonly apiGroup?: string
    readonly resource?: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
  readonly responseStatus?: { readonly code?: number }
}

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Files of a pod's ServiceAccount, laid out and replaced as a kubelet does: all of them at once, by a link. */
async function writeProjected(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  const fresh = `..${Date.now()}`
  await mkdir(join(dir, fresh), { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(dir, fresh, name), content, { mode: 0o600 })
    await symlink(`..data/${name}`, join(dir, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
  await symlink(fresh, join(dir, '..data_tmp'))
  await rename(join(dir, '..data_tmp'), join(dir, '..data'))
}

/** What stands before gateways, for agents: one address, and nobody chooses where it leads. */
async function startBalancer(): Promise<{ readonly port: number; target: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const balancer = { port: 0, target: 0, close }
  const server = createServer((near) => {
    const far = connect(balancer.target, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
      socket.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  balancer.port = (server.address() as AddressInfo).port
  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return balancer
}

// Real processes, in mount namespaces of their own that hold what a kubelet gives a pod, against a real kube-apiserver with nothing but the manifest in it.
describe('two gateways in the cluster that is their hub', () => {
  let folder: string
  let plane: ControlPlane
  let admin: Kubectl
  let serviceAccount: string
  let auditLog: string
  const gateways: GantryProcess[] = []
  let balancer: Awaited<ReturnType<typeof startBalancer>>
  let agent: RunningProgram | undefined

  before(async () => {
    assert.equal(process.getuid?.(), 0, 'it needs root, to give a process the files of a pod')
    await buildGantry()
    folder = await mkdtemp(join(tmpdir(), 'gantry-gateways-'))
    auditLog = join(folder, 'hub-audit.log')
    await writeFile(join(folder, 'policy.json'), JSON.stringify(auditPolicy))
    const extraApiServerArgs = [`--audit-policy-file=${join(folder, 'policy.json')}`, `--audit-log-path=${auditLog}`, '--audit-log-mode=blocking']
    plane = await startKubernetes({ dir: join(folder, 'hub'), controllers: true, extraApiServerArgs })
    admin = kubectl(plane.kubeconfig)
    const manifest = await gantry(['hub', 'manifest'])
    assert.equal(manifest.code, 0, manifest.stderr)
    await admin.apply(manifest.stdout)
    const whole = await gantry(['hub', 'manifest', '--replicas', '2', '--server-names', 'gantry.example.com'])
    const taken = await admin.run(['apply', '--dry-run=server', '-f', '-'], { input: whole.stdout })
    assert.equal(taken.code, 0, taken.stderr)
    assert.match(taken.stdout, /service\/gantry created.*poddisruptionbudget.policy\/gantry created.*statefulset.apps\/gantry created/s)
    serviceAccount = join(folder, 'serviceaccount')
    await writeProjected(serviceAccount, await filesOf('first'))
    balancer = await startBalancer()
    for (const name of ['one', 'two']) gateways.push(await startInPod(name))
  })
  after(async () => {
    await agent?.end()
    for (const one of gateways) await one[Symbol.asyncDispose]()
    await balancer?.close()
    await plane?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** A token of the account that ends with the Secret it is bound to, as a pod's ends with the pod. */
  async function filesOf(secret: string): Promise<Readonly<Record<string, string>>> {
    await admin.ok('-n', 'gantry-system', 'create', 'secret', 'generic', secret)
    const token = await admin.ok('-n', 'gantry-system', 'create', 'token', 'gantry', '--bound-object-kind', 'Secret', '--bound-object-name', secret)
    return { token: token.trim(), 'ca.crt': await readFile(plane.caFile, 'utf8'), namespace: 'gantry-system' }
  }

  async function startInPod(name: string): Promise<GantryProcess> {
    const { hostname, port } = new URL(plane.server)
    const mount = 'mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && ln -s "$0" /run/secrets/kubernetes.io/serviceaccount && exec "$@"'
    return startGantry({
      dataDir: join(folder, name),
      port: await freePort(),
      args: ['--hub-kubeconfig', 'in-cluster'],
      through: ['unshare', '--mount', '--propagation', 'private', 'sh', '-ec', mount, serviceAccount],
      env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    })
  }

  async function seen(): Promise<readonly HubEvent[]> {
    const lines = (await readFile(auditLog, 'utf8')).split('\n')
    return lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as HubEvent]))
  }

  async function logOf({ dataDir }: GantryProcess): Promise<string> {
    return readFile(join(dataDir, 'log/gantry.log'), 'utf8')
  }

  async function leaderAndOther(): Promise<readonly [GantryProcess, GantryProcess]> {
    const holder = (await admin.ok('-n', 'gantry-system', 'get', 'lease', 'gantry', '-o', 'jsonpath={.spec.holderIdentity}')).trim()
    assert.notEqual(holder, '')
    const logs = await Promise.all(gateways.map(logOf))
    const at = logs.findIndex((log) => log.includes('this process leads') && log.includes(holder))
    const [leader, other] = [gateways[at], gateways[1 - at]]
    assert.ok(leader !== undefined && other !== undefined, 'one of the two leads')
    return [leader, other]
  }

  async function tokenOf({ kubeconfig }: GantryProcess): Promise<string> {
    return /token: (\S+)/.exec(await readFile(kubeconfig, 'utf8'))?.[1] ?? ''
  }

  async function get({ server }: GantryProcess, path: string, token: string): Promise<{ readonly status: number; readonly text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly text: string }>()
    const outgoing = httpsRequest(
      `${server}${path}`,
      { headers: { authorization: `Bearer ${token}` }, rejectUnauthorized: false, agent: false },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', reject)
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
    return promise
  }

  const environment = (name: string, tenant: string, project: string): string =>
    JSON.stringify({
      apiVersion: 'tenancy.gantry.dev/v1alpha1',
      kind: 'Project',
      metadata: { name: project, namespace: `tenant-${tenant}` },
      spec: { environments: [{ name, cluster: 'local', quota: { pods: '5' } }] },
    })

  test('start with nothing but the files of a pod and the permissions of the manifest', async () => {
    const [one, two] = gateways as [GantryProcess, GantryProcess]
    for (const gateway of [one, two]) {
      const listed = await gateway.cli('cluster', 'list', '-o', 'json')
      assert.equal(listed.code, 0, listed.stderr)
    }
    const made = await one.cli('user', 'create', 'ann', '--role', 'platform-viewer')
    assert.equal(made.code, 0, made.stderr)
    assert.match((await two.cli('user', 'list')).stdout, /ann/)
  })

  test('go on with the next token when theirs is renewed, and the old one ends', async () => {
    await writeProjected(serviceAccount, await filesOf('second'))
    const old = await admin.ok('-n', 'gantry-system', 'get', 'secret', 'first', '-o', 'jsonpath={.metadata.uid}')
    assert.notEqual(old, '')
    const credentials = async (): Promise<ReadonlySet<string>> =>
      new Set((await seen()).flatMap(({ user }) => user.extra?.['authentication.kubernetes.io/credential-id'] ?? []))
    const before = await credentials()
    await eventually('the next token is used', 30_000, async () => ((await credentials()).size > before.size ? true : undefined))
    const begun = (await seen()).length
    // The other gateway reads it in the same ten seconds.
    await eventually('the old one is used no more', 40_000, async () => {
      const late = (await seen()).slice(-40)
      return (await seen()).length > begun + 20 &&
        late.every(({ user }) => (user.extra?.['authentication.kubernetes.io/credential-id'] ?? []).every((id) => !before.has(id)))
        ? true
        : undefined
    })
    await admin.ok('-n', 'gantry-system', 'delete', 'secret', 'first')

    for (const [at, gateway] of gateways.entries()) {
      const made = await gateway.cli('user', 'create', `renewed-${at}`)
      assert.equal(made.code, 0, made.stderr)
    }
    for (const gateway of gateways) assert.doesNotMatch(await logOf(gateway), /Unauthorized/)
  })

  test('reach a cluster whose agent has dialled the other one, with kubectl: reads, writes, watches', async () => {
    const [leader, other] = await leaderAndOther()
    balancer.target = Number(new URL(leader.server).port)
    const made = await leader.cli(
      'cluster',
      'import',
      'edge',
      '--agent',
      '--hub',
      `https://127.0.0.1:${balancer.port}`,
      '--access',
      'admin',
      '--image',
      'gantry:test',
    )
    assert.equal(made.code, 0, made.stderr)
    await admin.apply(made.stdout)
    agent = startCommand(['agent', '--kubeconfig', plane.kubeconfig])
    const far = kubectl(other.kubeconfig, 'edge')
    await eventually('it answers at the other gateway', 20_000, async () => ((await far.run(['get', 'namespaces'])).code === 0 ? true : undefined))
    await far.ok('create', 'configmap', 'through-the-other')
    await using watching = far.start(['get', 'configmaps', '--watch', '-o', 'name'])
    await watching.says(/configmap\/through-the-other/)
    await far.ok('delete', 'configmap', 'through-the-other')
    const cluster = await admin.json<{ status?: { agent?: { connections?: number } } }>('get', 'clusters.fleet.gantry.dev', 'edge')
    assert.equal(cluster.status?.agent?.connections, 2)
  })

  test('lose the one that leads by kill -9: requests at the other go on, it leads within the time of the lease, and every piece of work is done once', async () => {
    const [leader, other] = await leaderAndOther()
    const token = await tokenOf(other)
    const tenant = { apiVersion: 'tenancy.gantry.dev/v1alpha1', kind: 'Tenant', metadata: { name: 'acme' }, spec: { clusters: ['local'] } }
    const near = kubectl(other.kubeconfig, 'local')
    await near.apply(JSON.stringify(tenant))
    await eventually('the tenant has its namespace', 20_000, async () => ((await near.run(['get', 'namespace', 'tenant-acme'])).code === 0 ? true : undefined))
    await near.apply(environment('test', 'acme', 'before'))
    await eventually('the leader works', 20_000, async () => ((await near.run(['get', 'namespace', 'acme-before-test'])).code === 0 ? true : undefined))

    // One loop of users at the other gateway, and work that is begun while nobody leads.
    const stop = new AbortController()
    const answers: { readonly ms: number; readonly own: number; readonly edge: number }[] = []
    const asking = (async () => {
      while (!stop.signal.aborted) {
        const [own, edge] = await Promise.all([
          get(other, '/apis/access.gantry.dev/v1alpha1/users', token),
          get(other, '/clusters/edge/api/v1/namespaces', token),
        ])
        answers.push({ ms: performance.now(), own: own.status, edge: edge.status })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })()
    for (const name of ['p0', 'p1', 'p2']) await near.apply(environment('test', 'acme', name))
    await leader.kill()
    const killedMs = performance.now()
    balancer.target = Number(new URL(other.server).port)
    for (const name of ['p3', 'p4']) await near.apply(environment('test', 'acme', name))
    await eventually('the other leads', 25_000, async () => ((await logOf(other)).includes('this process leads') ? true : undefined))
    const tookOverMs = performance.now() - killedMs
    const namespaces = ['p0', 'p1', 'p2', 'p3', 'p4'].map((name) => `acme-${name}-test`)
    await eventually('all work is done', 30_000, async (state) => {
      const phases = await near.ok(
        'get',
        'projectnamespaces.tenancy.gantry.dev',
        '-A',
        '-o',
        'jsonpath={range .items[*]}{.spec.namespace}={.status.phase} {end}',
      )
      state(phases)
      return namespaces.every((name) => phases.includes(`${name}=Active`)) ? true : undefined
    })
    stop.abort()
    await asking

    assert.ok(tookOverMs < 21_000, `it took over after ${Math.round(tookOverMs)} ms: a lease of 15 s, and a look every 4.4 s at most`)
    assert.deepEqual(new Set(answers.map(({ own }) => own)), new Set([200]), 'what the other one answers by itself')
    const away = answers.filter(({ edge }) => edge !== 200)
    assert.deepEqual(new Set(away.map(({ edge }) => edge)), away.length === 0 ? new Set() : new Set([503]))
    const longestMs = away.length === 0 ? 0 : (away.at(-1)?.ms ?? 0) - (away[0]?.ms ?? 0)
    assert.ok(longestMs < 5_000, `its agent was away for ${Math.round(longestMs)} ms`)
    const created = (await seen()).filter(
      ({ verb, objectRef, responseStatus }) => verb === 'create' && objectRef?.resource === 'namespaces' && responseStatus?.code === 201,
    )
    for (const name of namespaces) assert.equal(created.filter(({ objectRef }) => objectRef?.name === name).length, 1, `${name} was made once`)
    const { spec } = await admin.json<{ spec: { leaseTransitions: number } }>('-n', 'gantry-system', 'get', 'lease', 'gantry')
    assert.equal(spec.leaseTransitions, 1)
  })

  test('need every permission of the manifest, and no other', async () => {
    const other = gateways.find(({ server }) => server.endsWith(`:${balancer.target}`))
    const dead = gateways.find((one) => one !== other)
    assert.ok(other !== undefined && dead !== undefined)
    const near = kubectl(other.kubeconfig, 'local')
    const becomes = (what: string, isSo: () => Promise<boolean>): Promise<true> => eventually(what, 20_000, async () => ((await isSo()) ? true : undefined))
    const there = async (...names: string[]): Promise<boolean> => (await admin.run(['get', ...names])).code === 0
    // What the platform shows of this cluster, as its users ask for it.
    for (const [resource, path] of [
      ['events', '/api/v1/events'],
      ['namespaces', '/api/v1/namespaces'],
      ['nodes', '/api/v1/nodes'],
      ['pods', '/api/v1/pods'],
      ['deployments', '/apis/apps/v1/deployments'],
    ] as const) {
      await near.ok('get', resource, '-A')
      await near.ok('get', '--raw', `${path}?watch=1&timeoutSeconds=1`)
      await near.run(['-n', 'default', 'get', resource, 'no-such'])
    }
    // What it does there for projects.
    const change = (spec: object): Promise<string> =>
      near.ok('-n', 'project-acme--p0', 'patch', 'projectnamespace', 'test', '--type', 'merge', '-p', JSON.stringify({ spec }))
    const limitsAre = (cpu: string) => async (): Promise<boolean> =>
      (await admin.run(['-n', 'acme-p0-test', 'get', 'limitrange', 'project-limits', '-o', 'jsonpath={.spec.limits[0].max.cpu}'])).stdout === cpu
    await change({ limits: { max: { cpu: '1' } }, quota: { pods: '6' } })
    await becomes('limits are there', limitsAre('1'))
    await change({ limits: { max: { cpu: '2' } } })
    await becomes('limits are others', limitsAre('2'))
    await change({ limits: null, quota: null })
    await becomes(
      'neither limits nor quota are there',
      async () => !(await there('-n', 'acme-p0-test', 'limitrange/project-limits')) && !(await there('-n', 'acme-p0-test', 'resourcequota/project-quota')),
    )
    await admin.ok('create', 'namespace', 'foreign')
    const adopted = { cluster: 'local', namespace: 'foreign', adopt: true }
    await near.apply(
      JSON.stringify({
        apiVersion: 'tenancy.gantry.dev/v1alpha1',
        kind: 'ProjectNamespace',
        metadata: { namespace: 'project-acme--p0', name: 'foreign' },
        spec: adopted,
      }),
    )
    await becomes('a namespace is adopted', async () => (await admin.ok('get', 'namespace', 'foreign', '-o', 'jsonpath={.metadata.labels}')).includes('"p0"'))
    await near.ok('-n', 'project-acme--p0', 'delete', 'projectnamespace', 'test')
    // What it does for itself: passwords, credentials, kinds that are not as they should be, a gateway that comes and goes.
    await other.setOwnPassword()
    const removed = await other.cli('cluster', 'remove', 'edge')
    assert.equal(removed.code, 0, removed.stderr)
    const credentials = ['-n', 'gantry-system', 'get', 'secrets', '-l', 'fleet.gantry.dev/cluster=edge', '-o', 'name']
    await becomes('its credentials are removed', async () => (await admin.ok(...credentials)).trim() === '')
    await admin.ok('annotate', '--overwrite', 'crd', 'groups.access.gantry.dev', 'gantry.dev/definition-hash=of-an-older-one')
    const again = await startInPod('three')
    await again.stop()

    const events = await seen()
    const refused = events.filter(({ responseStatus }) => responseStatus?.code === 403)
    assert.deepEqual(
      refused.map(({ verb, objectRef }) => `${verb} ${objectRef?.resource}/${objectRef?.name ?? ''}`),
      [],
      'nothing that it asked for was refused',
    )
    const rules = [
      ...(await admin.json<{ rules: readonly Rule[] }>('get', 'clusterrole', 'gantry')).rules,
      ...(await admin.json<{ rules: readonly Rule[] }>('-n', 'gantry-system', 'get', 'role', 'gantry')).rules,
    ]
    const used = new Set(events.map(({ verb, objectRef }) => `${verb} ${objectRef?.apiGroup ?? ''}/${objectRef?.resource ?? ''}`))
    const unused = rules
      .flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
      )
      .filter((one) => !one.startsWith('* ') && !used.has(one))
    assert.deepEqual(unused, [], 'each was used')
  })
})
