import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { before, test } from 'node:test'
import { bringImages } from '../container-node.ts'
import { startCutOffProxy, type CutOffProxy } from '../cut-off-proxy.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import { note } from '../note.ts'
import { run } from '../program.ts'
import { readiness } from './importing.ts'
import { tickerManifest, webManifest } from './manifests.ts'
import type { World } from './world.ts'

/** Requests that are measured while a member is dead, and how long the slowest may take: kubectl alone takes a quarter of it on a busy machine. */
const measured = 12
const slowestMs = 2_000
/** The pause between two looks, and how long one look may take. */
const noticedWithinMs = 40_000

interface KeyList {
  readonly items: readonly { readonly metadata: { readonly name: string }; readonly spec: { readonly expirationTime?: string } }[]
}

export function gatewayStory(world: () => World): void {
  let prod: Kubectl
  let edge: Kubectl
  let proxy: CutOffProxy

  before(() => {
    prod = kubectl(world().gantry.kubeconfig, 'prod')
    edge = kubectl(world().gantry.kubeconfig, 'edge')
  })
  const withContainers = (name: string, step: () => Promise<void>): void =>
    void test(name, async (t) => {
      if (world().noContainers === undefined) await step()
      else t.skip(`there are no containers here: ${world().noContainers}`)
    })

  test('kubectl finds every cluster in the one kubeconfig', async () => {
    const contexts = await eventually('the kubeconfig has a context for prod', 10_000, async (seen) => {
      const names = await kubectl(world().gantry.kubeconfig).ok('config', 'get-contexts', '-o', 'name')
      seen(names)
      return names.includes('prod') ? names : undefined
    })

    assert.equal(contexts, 'local\nprod\n')
    assert.match(await prod.ok('version'), /Server Version: v1\.36\./)
    assert.match(await prod.ok('cluster-info'), /\/clusters\/prod/)
  })

  test('reads, applies, watches and deletes in a real cluster through the gateway', async () => {
    await using watching = prod.start(['get', 'configmaps', '--watch', '--output-watch-events'])
    const created = await prod.apply('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: tide }\ndata: { height: low }\n')
    await watching.says(/ADDED +tide /)
    const changed = await prod.apply('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: tide }\ndata: { height: high }\n')
    await watching.says(/MODIFIED +tide /)
    const read = await kubectl(world().real?.kubeconfig ?? '').ok('get', 'configmap', 'tide', '-o', 'jsonpath={.data.height}')
    await prod.ok('delete', 'configmap', 'tide')
    await watching.says(/DELETED +tide /)

    assert.deepEqual([created, changed, read], ['configmap/tide created\n', 'configmap/tide configured\n', 'high'])
  })

  test('the controllers of a real cluster act on what was applied through the gateway', async () => {
    const applied = await prod.run(['apply', '--server-side', '-f', '-'], { input: webManifest(true) })
    const pods = await eventually('two pods of the deployment', 20_000, async (seen) => {
      const names = await prod.ok('get', 'pods', '-l', 'app=web', '-o', 'name')
      seen(names)
      return names.trimEnd().split('\n').length === 2 ? names : undefined
    })
    const refused = await prod.run(['apply', '-f', '-'], { input: 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: Bad_Name }\n' })

    assert.equal(applied.code, 0, applied.stderr)
    assert.match(pods, /^pod\/web-/)
    assert.match(refused.stderr, /metadata\.name: Invalid value: "Bad_Name"/)
    await prod.ok('delete', 'deployment/web', 'service/web')
  })

  test('a kubeconfig that Gantry issues reaches every cluster, until its key is revoked', async () => {
    const platform = world().gantry
    const issued = await platform.cli('kubeconfig', '--expires', '1h')
    const file = await world().write('issued.kubeconfig', issued.stdout)
    const reached = [
      await kubectl(file, 'local').ok('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'),
      await kubectl(file, 'prod').ok('get', 'namespace', 'default', '-o', 'name'),
    ]
    const { stdout: keys } = await platform.cli('apikey', 'list', '-o', 'json')
    const newest = (JSON.parse(keys) as KeyList).items.filter(({ spec }) => spec.expirationTime !== undefined)
    await using watching = kubectl(file, 'prod').start(['get', 'configmaps', '--watch'])
    await watching.says(/kube-root-ca/)
    const revoked = await platform.cli('apikey', 'revoke', newest[0]?.metadata.name ?? '')
    await watching.finishes(10_000)
    const refused = await kubectl(file, 'prod').run(['get', 'namespaces'])

    assert.equal(newest.length, 1)
    assert.equal(revoked.code, 0, revoked.stderr)
    assert.equal(reached[1], 'namespace/default\n')
    assert.match(reached[0] ?? '', /admin/)
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /Unauthorized|must be logged in/)
  })

  test('a second Gantry is a cluster like any other', async () => {
    const second = await world().start('second')
    proxy = world().use(await startCutOffProxy({ port: Number(new URL(second.server).port) }))
    // Its own kubeconfig, with the address the way through the proxy has.
    const kubeconfig = await kubectl(second.kubeconfig).ok('config', 'view', '--raw', '--flatten')
    const imported = await world().gantry.cli(
      'cluster',
      'import',
      'edge',
      '--kubeconfig',
      await world().write('edge.kubeconfig', kubeconfig.replace(second.server, `https://127.0.0.1:${proxy.port}`)),
    )
    await world().gantry.cli('cluster', 'get', 'edge')
    await eventually('a context for edge', 10_000, async () => {
      const names = await kubectl(world().gantry.kubeconfig).ok('config', 'get-contexts', '-o', 'name')
      return names.includes('edge') ? names : undefined
    })

    assert.equal(imported.code, 0, imported.stderr)
    assert.match(await edge.ok('get', 'nodes'), / Ready /)
  })

  withContainers('logs -f, exec and port-forward stream from a member through the gateway', async () => {
    await bringImages(`${world().dir}/second`)
    await edge.apply(`${tickerManifest}---\n${webManifest(true, { replicas: 1 })}`)
    await edge.ok('rollout', 'status', 'deployment/ticker', '--timeout=60s')
    await edge.ok('rollout', 'status', 'deployment/web', '--timeout=60s')

    await using log = edge.start(['logs', '-f', 'deployment/ticker'])
    await log.says(/tick 1\n/, 20_000)
    await log.says(/tick 3\n/, 20_000)

    await using shell = edge.startInTerminal(['exec', '-it', 'deployment/ticker', '--', 'sh'])
    await shell.says(/# /, 20_000)
    shell.type('echo $((40 + 2))-by-the-shell; exit 7\n')
    await shell.says(/42-by-the-shell/)
    assert.equal((await shell.finishes()).code, 7)

    const input = randomBytes(256 << 10).toString('base64')
    const piped = await edge.run(['exec', '-i', 'deployment/ticker', '--', 'sh', '-c', 'wc -c; exit 3'], { input })
    assert.deepEqual([piped.stdout.trim(), piped.code], [String(input.length), 3])

    const port = await freePort()
    await using forwarding = edge.start(['port-forward', 'service/web', `${port}:80`])
    await forwarding.says(/Forwarding from 127\.0\.0\.1/, 20_000)
    const page = await run('curl', ['--silent', '--show-error', '--fail', '--max-time', '20', `http://127.0.0.1:${port}/passwd`])
    assert.match(page.stdout, /^root:x:0:0:/, page.stderr)
  })

  withContainers('exec works over SPDY as well, for clients that know nothing newer', async () => {
    const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }
    const old = await edge.run(['exec', 'deployment/ticker', '--', 'sh', '-c', 'echo over-spdy; exit 4'], { env })

    assert.deepEqual([old.stdout, old.code], ['over-spdy\n', 4])
  })

  test('a member that has gone silent slows nobody down, and says why it is not ready', async () => {
    proxy.cut()
    const cutMs = performance.now()
    // Somebody keeps asking for it: their requests must wait in a queue of its own.
    const hanging = Array.from({ length: 4 }, () => edge.start(['get', 'pods', '--request-timeout=60s']))
    const times: number[] = []
    for (let at = 0; at < measured; at++) {
      // oxlint-disable-next-line no-await-in-loop -- one after another is what is measured
      const { code, ms, stderr } = await kubectl(world().gantry.kubeconfig, at % 2 === 0 ? 'local' : 'prod').run([
        'get',
        'namespace',
        'kube-system',
        '-o',
        'name',
      ])
      assert.equal(code, 0, stderr)
      times.push(ms)
    }
    const reason = await eventually('edge is not ready', noticedWithinMs, async (seen) => {
      const state = await readiness(world(), 'edge')
      seen(state)
      return state.startsWith('False') ? state : undefined
    })
    note(
      `a dead member was noticed after ${Math.round(performance.now() - cutMs)} ms; beside it the slowest of ${measured} requests took ${Math.round(Math.max(...times))} ms`,
    )
    await Promise.all(hanging.map((one) => one.end()))

    assert.match(reason, /^False Timeout .*/)
    assert.ok(Math.max(...times) < slowestMs, `the slowest request took ${Math.max(...times)} ms`)
    assert.equal(await readiness(world(), 'local'), 'True Ready the cluster can be used')
    assert.equal(await readiness(world(), 'prod'), 'True Ready the cluster can be used')
    const list = await world().gantry.cli('cluster', 'list')
    assert.match(list.stdout, /^edge +Imported .* False +Timeout/m)
    const asked = await edge.run(['get', 'namespace', 'kube-system'])
    assert.notEqual(asked.code, 0)
    assert.match(asked.stderr, /edge/)
  })

  test('a member that answers again is ready again by itself', async () => {
    proxy.mend()
    await eventually('edge is ready again', 75_000, async (seen) => {
      const state = await readiness(world(), 'edge')
      seen(state)
      return state.startsWith('True') ? state : undefined
    })

    assert.match(await edge.ok('get', 'nodes'), / Ready /)
  })
}
