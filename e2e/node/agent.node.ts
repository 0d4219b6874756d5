import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import { run, type RunningProgram } from '../program.ts'
import { startClusterBehindNat, type ClusterBehindNat } from './cluster-behind-nat.ts'
import type { PrivateNetwork } from './private-network.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const launcher = here('../../gantry')
const env = { GANTRY_QUIET: '1' }

interface ClusterObject {
  readonly status?: {
    readonly agent?: { readonly connections: number }
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }[]
  }
}

describe('a real cluster behind NAT', () => {
  let folder: string
  let cluster: ClusterBehindNat
  let network: PrivateNetwork
  let gantry: GantryProcess
  let kubelet: RunningProgram
  let agent: RunningProgram
  let inside: (...args: string[]) => Promise<string>
  let edge: Kubectl
  let kubeconfig: string

  async function ready(): Promise<{ readonly status: string; readonly reason: string; readonly message: string }> {
    const { stdout } = await gantry.cli('cluster', 'get', 'edge', '-o', 'json')
    const { status } = JSON.parse(stdout) as ClusterObject
    return status?.conditions?.find(({ type }) => type === 'Ready') ?? { status: 'Unknown', reason: '', message: '' }
  }
  const apiPort = async (): Promise<string> => new URL((await inside('config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}')).trim()).port
  const isReady = (): Promise<unknown> =>
    eventually('the cluster is ready', 30_000, async (seen) => {
      const condition = await ready()
      seen(condition)
      return condition.status === 'True' ? condition : undefined
    })

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-nat-'))
    cluster = await startClusterBehindNat('gnat', folder)
    ;({ network, kubeconfig, inside } = cluster)
    kubelet = network.start(process.execPath, [here('kubelet-double.ts')])
    const kubeletPort = Number((await kubelet.says(/ready (\d+)/))[1])
    const objects = [
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', namespace: 'default' },
        spec: { nodeName: 'node', automountServiceAccountToken: false, containers: [{ name: 'app', image: 'x', stdin: true }] },
      },
    ]
    await writeFile(join(folder, 'objects.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    await inside('apply', '-f', join(folder, 'objects.json'))
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubeletPort } },
      conditions: [{ type: 'Ready', status: 'True' }],
    }
    await inside('patch', 'node', 'node', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }))
    const running = { phase: 'Running', containerStatuses: [{ name: 'app', image: 'x', imageID: 'x', ready: true, restartCount: 0, state: { running: {} } }] }
    await inside('patch', 'pod', 'web', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status: running }))

    const port = await freePort()
    gantry = await startGantry({ dataDir: join(folder, 'gantry'), port, args: ['--node', 'none', '--listen', `0.0.0.0:${port}`] })
    await cluster.importInto(gantry, 'edge', port)
    agent = cluster.startAgent()
    await isReady()
    edge = kubectl(gantry.kubeconfig, 'edge')
  })
  after(async () => {
    await agent?.end()
    await gantry?.[Symbol.asyncDispose]()
    await kubelet?.end()
    await cluster?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  test('cannot be dialled from here: no route leads in, and its API server listens on a loopback of its own', async () => {
    const { stdout: route } = await run('ip', ['route', 'get', '10.77.0.2'])
    const dialled = connect({ host: '127.0.0.1', port: Number(await apiPort()) })
    const outcome = await new Promise((resolve) => {
      dialled.once('connect', () => resolve('connected'))
      dialled.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    })
    dialled.destroy()

    assert.ok(!route.includes('gnat'), route)
    assert.equal(outcome, 'ECONNREFUSED')
  })

  test('gives kubectl its objects, and watches them', async () => {
    await using watching = edge.start(['get', 'configmaps', '--watch-only', '-o', 'name'])
    await edge.ok('create', 'configmap', 'before')
    await eventually('a watch begins', 10_000, async () => {
      await edge.ok('create', 'configmap', `seen-${Date.now()}`)
      return watching.stdout().includes('configmap/seen-') ? true : undefined
    })

    assert.match(await edge.ok('get', 'pod', 'web', '-o', 'wide'), /web +1\/1 +Running/)
    assert.match(await edge.ok('get', 'nodes'), /node +Ready/)
    assert.match(await edge.ok('explain', 'pod.spec'), /containers/)
  })

  test('gives logs, whole and followed', async () => {
    await using following = edge.start(['logs', '-f', 'web'])
    await following.says(/tick x+\n.*tick/)

    assert.equal(await edge.ok('logs', 'web'), 'first line\nlast line\n')
  })

  for (const [protocol, variables] of [
    ['WebSocket', {}],
    ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }],
  ] as const) {
    test(`runs commands over ${protocol}: input, both outputs, exit code, and 12 MB out`, async () => {
      const input = 'some input '.repeat(200_000)
      const [echo, both, exit, large] = [
        await edge.run(['exec', '-i', 'web', '--', 'cat'], { input, env: variables }),
        await edge.run(['exec', 'web', '--', 'both'], { env: variables }),
        await edge.run(['exec', 'web', '--', 'exit', '42'], { env: variables }),
        await edge.run(['exec', 'web', '--', 'say', String(12 << 20)], { env: variables }),
      ]

      assert.equal(echo.code, 0, echo.stderr)
      assert.ok(echo.stdout === input)
      assert.deepEqual([both.code, both.stdout, both.stderr], [0, 'to stdout\n', 'to stderr\n'])
      assert.equal(exit.code, 42)
      assert.equal(large.stdout.length, 12 << 20)
    })

    test(`forwards ports over ${protocol}`, async () => {
      // What listens inside is the cluster's own API server.
      await using forwarding = edge.start(['port-forward', 'web', `:${await apiPort()}`], { env: variables })
      const port = Number((await forwarding.says(/Forwarding from 127\.0\.0\.1:(\d+)/))[1])
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('GET / HTTP/1.0\r\n\r\n')
      let answer = ''
      for await (const chunk of socket) answer += String(chunk)

      assert.match(answer, /^HTTP\/1\.0 400 /, 'it wants TLS, and says so')
    })
  }

  test('is missed within ten seconds when its network falls silent, is told why, and comes back by itself', async () => {
    await network.cut(true)
    const begunMs = performance.now()
    let missed: { readonly reason: string; readonly message: string }
    try {
      // Of two connections one is found dead before the other; what counts is that the agent is gone.
      missed = await eventually('the agent is missed', 20_000, async (seen) => {
        const condition = await ready()
        seen(condition)
        return condition.reason === 'AgentNotConnected' ? condition : undefined
      })
    } finally {
      await network.cut(false)
    }
    const tookMs = performance.now() - begunMs
    await isReady()

    assert.match(missed.message, /it gave no sign of life for 5 s/)
    assert.ok(tookMs < 13_000, `it took ${Math.round(tookMs)} ms; ten for both sides, the rest for the next look and the command line`)
    assert.match(await edge.ok('get', 'pod', 'web', '-o', 'name'), /pod\/web/)
  })

  test('goes on with a new agent, as after the old pod has died', async () => {
    await agent.end('SIGKILL')
    agent = cluster.startAgent()
    await eventually('it answers again', 20_000, async () => ((await edge.run(['get', 'pod', 'web'])).code === 0 ? true : undefined))
  })

  test('has a doctor that finds what is wrong', async () => {
    const fine = await network.run(launcher, ['agent', 'doctor', '--kubeconfig', kubeconfig], { env })
    const problems: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
      ['a name that does not exist', { hub: 'https://gantry.invalid:7443' }, /error: DNS: .*the host name/],
      ['a port that nobody has', { hub: `https://${network.outside}:1` }, /error: TCP: .*connection refused/],
      ['a proxy that is not there', { proxy: `http://${network.outside}:1` }, /error: proxy: /],
      [
        'another authority',
        {
          'ca.crt': await inside(
            'config',
            'view',
            '--raw',
            '--minify',
            '-o',
            'go-template={{index (index .clusters 0).cluster "certificate-authority-data" | base64decode}}',
          ),
        },
        /error: TLS: .*not signed by/,
      ],
      ['a name the certificate lacks', { 'tls-server-name': 'other.example' }, /error: TLS: .*is not for other\.example/],
      ['another credential', { credential: `gantry-agent.edge.${'A'.repeat(43)}` }, /error: authentication: /],
    ]
    const { data } = JSON.parse(await inside('get', 'secret', '-n', 'gantry-agent', 'gantry-agent', '-o', 'json')) as {
      readonly data: Readonly<Record<string, string>>
    }
    const patch = (values: Readonly<Record<string, string | null>>): Promise<string> =>
      inside('patch', 'secret', '-n', 'gantry-agent', 'gantry-agent', '--type=merge', '-p', JSON.stringify({ data: values }))
    const base64 = (text: string): string => Buffer.from(text).toString('base64')

    assert.equal(fine.code, 0, fine.stderr)
    for (const [name, change, expected] of problems) {
      await patch(Object.fromEntries(Object.entries(change).map(([key, value]) => [key, base64(value)])))
      const outcome = await network.run(launcher, ['agent', 'doctor', '--kubeconfig', kubeconfig], { env })
      await patch(Object.fromEntries(Object.keys(change).map((key) => [key, data[key] ?? null])))

      assert.equal(outcome.code, 1, name)
      assert.match(outcome.stderr, expected, name)
    }
  })

  test('is left clean: verified by a list, inside and outside', async () => {
    const removed = await gantry.cli('cluster', 'remove', 'edge', '--uninstall')

    assert.equal(removed.code, 0, removed.stderr)
    assert.match(removed.stdout, /nothing of ours is left/)
    const left = await inside('get', 'namespaces,clusterroles,clusterrolebindings', '-l', 'fleet.gantry.dev/agent', '-o', 'name')
    const inNamespace = await inside('get', 'all,secrets,serviceaccounts,roles,rolebindings', '-n', 'gantry-agent', '-o', 'name')
    assert.deepEqual([left, inNamespace], ['', ''])
    const secrets = await kubectl(gantry.kubeconfig, 'local').ok('get', 'secrets', '-n', 'gantry-system', '-l', 'fleet.gantry.dev/cluster', '-o', 'name')
    assert.equal(secrets, '')
  })

  test('with the rights of its own account alone: reads, but no Secrets, writes nothing, and leaves clean all the same', async () => {
    const imported = await gantry.cli('cluster', 'import', 'edge', '--agent', '--hub', gantry.server.replace('127.0.0.1', network.outside))
    await writeFile(join(folder, 'viewer.yaml'), imported.stdout)
    await eventually('the namespace can be made again', 30_000, async () =>
      (await network.run('kubectl', ['--kubeconfig', kubeconfig, 'apply', '-f', join(folder, 'viewer.yaml')])).code === 0 ? true : undefined,
    )
    const token = (await inside('create', 'token', 'gantry-agent', '-n', 'gantry-agent')).trim()
    const config = JSON.parse(await inside('config', 'view', '--raw', '--minify', '-o', 'json')) as { users: { name: string; user: unknown }[] }
    const own = join(folder, 'account.kubeconfig')
    await writeFile(own, JSON.stringify({ ...config, users: config.users.map(({ name }) => ({ name, user: { token } })) }), { mode: 0o600 })
    await agent.end()
    agent = network.start(launcher, ['agent', '--kubeconfig', own], { env })
    await isReady()
    const [pods, nodes, secrets, writes] = [
      await edge.run(['get', 'pods', '-A', '-o', 'name']),
      await edge.run(['get', 'nodes', '-o', 'name']),
      await edge.run(['get', 'secrets', '-A']),
      await edge.run(['create', 'configmap', 'refused']),
    ]
    const removed = await gantry.cli('cluster', 'remove', 'edge', '--uninstall')

    assert.match(pods.stdout, /pod\/web/)
    assert.match(nodes.stdout, /node\/node/)
    assert.match(secrets.stderr, /Forbidden|forbidden/)
    assert.match(writes.stderr, /Forbidden|forbidden/)
    assert.equal(removed.code, 0, removed.stderr)
    assert.match(removed.stdout, /deleted in the cluster: Namespace gantry-agent/)
    await eventually('nothing is left', 30_000, async (seen) => {
      const left = await inside('get', 'namespaces,clusterroles,clusterrolebindings', '-l', 'fleet.gantry.dev/agent', '-o', 'name')
      seen(left)
      return left === '' ? true : undefined
    })
  })
})
