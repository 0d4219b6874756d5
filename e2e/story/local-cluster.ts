import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { bringImages, containerdSocket } from '../container-node.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import { note } from '../note.ts'
import { run } from '../program.ts'
import { tickerManifest, webManifest } from './manifests.ts'
import type { World } from './world.ts'

/** How the story starts Gantry from its second start on. */
export const moreNodes: readonly string[] = ['--simulated-nodes', '3']

const stopWithinMs = 5_000
const rolloutWithin = '--timeout=60s'
const manyReplicas = 100

interface NodeList {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> } }[]
}

export function localClusterStory(world: () => World): void {
  let local: Kubectl
  const real = { skip: '' as string | false }
  before(async () => {
    local = kubectl(world().gantry.kubeconfig, 'local')
    real.skip = world().noContainers ?? false
    if (real.skip === false) await bringImages(world().gantry.dataDir)
  })
  /** A step that only real containers can take. */
  const withContainers = (name: string, step: () => Promise<void>): void =>
    void test(name, async (t) => {
      if (real.skip === false) await step()
      else t.skip(`there are no containers here: ${real.skip}`)
    })

  test('the nodes are ready, and the simulated ones say what they are', async () => {
    const hasContainers = world().noContainers === undefined
    // The one with real containers joins once Gantry answers.
    const kinds = await eventually('every node has joined', 60_000, async (seen) => {
      const { items } = await local.json<NodeList>('get', 'nodes')
      const found = items.map(({ metadata }) => metadata.labels['node.gantry.dev/kind'])
      seen(found)
      return found.includes('containerd') === hasContainers ? found : undefined
    })
    await local.ok('wait', '--for=condition=Ready', 'node', '--all', '--timeout=30s')

    assert.ok(kinds.filter((kind) => kind === 'simulated').length >= 3, kinds.join(', '))
  })

  test('a deployment and a service from one file become pods on a node', async () => {
    const applied = await local.apply(webManifest(world().noContainers === undefined))
    const rolled = await local.ok('rollout', 'status', 'deployment/web', rolloutWithin)
    const wide = await local.ok('get', 'pods', '-l', 'app=web', '-o', 'wide')
    const service = await local.ok('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}')

    assert.equal(applied, 'deployment.apps/web created\nservice/web created\n')
    assert.match(rolled, /deployment "web" successfully rolled out/)
    assert.match(wide.split('\n')[0] ?? '', /NAME +READY +STATUS +RESTARTS +AGE +IP +NODE/)
    assert.equal(wide.match(/1\/1 +Running +0 .* 10\.\d+\.\d+\.\d+ /g)?.length, 2, wide)
    assert.match(service, /^10\.43\.\d+\.\d+:80$/)
  })

  withContainers('logs -f follows a container as it writes', async () => {
    await local.apply(tickerManifest)
    await local.ok('rollout', 'status', 'deployment/ticker', rolloutWithin)
    await using log = local.start(['logs', '-f', 'deployment/ticker'])
    await log.says(/tick 1\n/, 20_000)
    const seen = log.stdout()
    await log.says(/tick 3\n/, 20_000)

    assert.match(seen, /^tick 0\ntick 1\n/)
    assert.match(await local.ok('logs', 'deployment/ticker', '--tail=1'), /^tick \d+\n$/)
  })

  withContainers('exec -it gives a shell in a terminal and its exit code', async () => {
    await using shell = local.startInTerminal(['exec', '-it', 'deployment/ticker', '--', 'sh'])
    await shell.says(/# /, 20_000)
    shell.type('tty; echo $((40 + 2))-by-the-shell; stty size\n')
    await shell.says(/42-by-the-shell/)
    shell.type('exit 7\n')
    const { code, stdout } = await shell.finishes()

    assert.match(stdout, /\/dev\/pts\/\d+/)
    assert.equal(code, 7)
  })

  withContainers('exec -i carries standard input, both outputs and the exit code', async () => {
    const input = randomBytes(256 << 10).toString('base64')
    const { code, stdout, stderr } = await local.run(['exec', '-i', 'deployment/ticker', '--', 'sh', '-c', 'wc -c; echo apart >&2; exit 3'], { input })

    assert.equal(stdout.trim(), String(input.length))
    assert.match(stderr, /^apart\n/)
    assert.match(stderr, /exit code 3/)
    assert.equal(code, 3)
  })

  withContainers('port-forward reaches the web server in a pod, many times over one forwarding', async () => {
    const port = await freePort()
    await using forwarding = local.start(['port-forward', 'service/web', `${port}:80`])
    await forwarding.says(/Forwarding from 127\.0\.0\.1/, 20_000)
    const pages = await Promise.all(
      Array.from({ length: 8 }, () => run('curl', ['--silent', '--show-error', '--fail', '--max-time', '20', `http://127.0.0.1:${port}/passwd`])),
    )

    for (const { code, stdout, stderr } of pages) {
      assert.equal(code, 0, `${stderr}\n${forwarding.stderr()}`)
      assert.match(stdout, /^root:x:0:0:/)
    }
  })

  withContainers('cp carries a file in and out unchanged', async () => {
    const folder = join(world().dir, 'cp')
    await mkdir(folder)
    const content = randomBytes(1 << 20)
    await writeFile(join(folder, 'in'), content)
    const pod = await local.ok('get', 'pods', '-l', 'app=ticker', '-o', 'jsonpath={.items[0].metadata.name}')
    await local.ok('cp', join(folder, 'in'), `${pod}:/tmp/carried`)
    await local.ok('cp', `${pod}:/tmp/carried`, join(folder, 'out'))

    assert.ok(content.equals(await readFile(join(folder, 'out'))))
  })

  withContainers('containers outlive a restart and a crash of Gantry, which takes them over again', async () => {
    const identity = (): Promise<string> =>
      local.ok('get', 'pods', '-l', 'app=ticker', '-o', 'jsonpath={range .items[*].status.containerStatuses[*]}{.containerID} {.restartCount}{end}')
    const before = await identity()
    // What is open when Gantry stops must not hold it up.
    const [log, watching] = [local.start(['logs', '-f', 'deployment/ticker']), local.start(['get', 'pods', '--watch'])]
    await log.says(/tick 0\n/, 20_000)
    await watching.says(/ticker-/, 20_000)
    const stopping = performance.now()
    const { code, stderr } = await world().gantry.stop()
    const stoppedMs = performance.now() - stopping
    await Promise.all([log.end(), watching.end()])
    world().adopt(await world().start('gantry', moreNodes))
    const afterRestart = await identity()
    await world().gantry.kill()
    world().adopt(await world().start('gantry', moreNodes))
    note(`stopped with streams open in ${Math.round(stoppedMs)} ms; ready again after a crash in ${Math.round(world().gantry.readyMs)} ms`)

    assert.equal(code, 0, stderr)
    assert.ok(stoppedMs < stopWithinMs, `stopping took ${stoppedMs} ms`)
    assert.match(before, /^containerd:\/\/[0-9a-f]+ 0$/)
    assert.equal(afterRestart, before)
    assert.equal(await identity(), before)
    const { stdout } = await local.run(['exec', 'deployment/ticker', '--', 'echo', 'alive'])
    assert.equal(stdout, 'alive\n')
  })

  test('a deployment that is scaled and changed rolls over, and can be undone', async () => {
    await local.ok('scale', 'deployment/web', '--replicas=3')
    await local.ok('rollout', 'status', 'deployment/web', rolloutWithin)
    await local.ok('set', 'env', 'deployment/web', 'COLOR=green')
    await local.ok('rollout', 'status', 'deployment/web', rolloutWithin)
    const revisions = await local.ok('rollout', 'history', 'deployment/web')
    await local.ok('rollout', 'undo', 'deployment/web')
    await local.ok('rollout', 'status', 'deployment/web', rolloutWithin)

    assert.match(revisions, /^1 .*\n2 /m)
    assert.equal(await local.ok('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].env}{.status.readyReplicas}'), '3')
  })

  test('what is deleted is gone, its containers too', async () => {
    await local.ok('delete', 'deployment/web', 'service/web', '--timeout=30s')
    await local.ok('delete', 'deployment/ticker', '--ignore-not-found')
    await eventually('no pod is left', 60_000, async (seen) => {
      const pods = await local.ok('get', 'pods', '-o', 'name')
      seen(pods)
      return pods === '' ? true : undefined
    })

    assert.equal(await local.ok('get', 'deployments,replicasets,pods', '-o', 'name'), '')
    if (world().noContainers !== undefined) return
    const address = await containerdSocket(world().gantry.dataDir)
    await eventually('no container is left', 20_000, async (seen) => {
      const { stdout } = await run('ctr', ['--address', address, '--namespace', 'k8s.io', 'containers', 'list', '--quiet'])
      seen(stdout)
      return stdout === '' ? true : undefined
    })
  })

  test(`a deployment of ${manyReplicas} replicas on simulated nodes becomes ready`, async () => {
    const begunMs = performance.now()
    await local.apply(webManifest(false, { name: 'many', replicas: manyReplicas }))
    await local.ok('rollout', 'status', 'deployment/many', rolloutWithin)
    note(`${manyReplicas} replicas were ready after ${Math.round(performance.now() - begunMs)} ms`)
    const nodes = await local.ok('get', 'pods', '-l', 'app=many', '-o', 'jsonpath={range .items[*]}{.spec.nodeName}{"\\n"}{end}')

    assert.equal(nodes.trimEnd().split('\n').length, manyReplicas)
    await local.ok('delete', 'deployment/many')
  })
}
