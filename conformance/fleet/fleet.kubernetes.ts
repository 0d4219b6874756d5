import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { systemClock } from '@gantry/runtime'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import { runKubectl } from '../kubectl/run-kubectl.ts'
import { startGantryProcess } from '../src/gantry-process.ts'

const settlesWithinMs = 20_000
const manifest = (name: string, image: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: 'web' } },
    spec: { serviceAccountName: 'default', containers: [{ name: 'main', image }] },
  })
const definition = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.example.dev' },
  spec: {
    group: 'example.dev',
    scope: 'Namespaced',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', shortNames: ['gd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'string', description: 'How big it is' } } } } },
        },
        additionalPrinterColumns: [{ name: 'Size', type: 'string', jsonPath: '.spec.size' }],
      },
    ],
  },
})

// Plain kubectl over three clusters: the local one, another Gantry's and a real kube-apiserver, which alone has a custom kind.
describe('kubectl on the fleet', () => {
  const parts = new AsyncDisposableStack()
  let dir = ''
  let real: Awaited<ReturnType<typeof startKubernetes>>
  const files: Record<'fleet' | 'local' | 'east' | 'real', string> = { fleet: '', local: '', east: '', real: '' }

  const on = (cluster: keyof typeof files, line: string, input?: string): Promise<string> =>
    runKubectl(line.split(' '), { kubeconfig: files[cluster], cacheDir: join(dir, `${cluster}-cache`), input })

  /** Shows the fleet until it shows what is expected. */
  async function fleet(line: string, until: RegExp = /exit 0/): Promise<string> {
    const deadline = performance.now() + settlesWithinMs
    for (;;) {
      const output = await on('fleet', line)
      if (until.test(output) || performance.now() > deadline) return output
      await sleep(200)
    }
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-fleet-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    real = parts.use(await startKubernetes({ dir: join(dir, 'kubernetes'), controllers: true }))
    const [hub, east] = [parts.use(await startGantryProcess()), parts.use(await startGantryProcess())]
    Object.assign(files, { local: hub.kubeconfig, east: east.kubeconfig, real: real.kubeconfig, fleet: join(dir, 'fleet.kubeconfig') })
    const own = await readFile(hub.kubeconfig, 'utf8')
    await writeFile(files.fleet, own.replaceAll('/clusters/local', '/fleet'), { mode: 0o600 })
    await using platform = connectPlatform(own, { clock: systemClock })
    for (const name of ['east', 'real'] as const) {
      await platform.call('POST', '/platform/v1/clusters/import', {
        body: { name, kubeconfig: await readFile(files[name], 'utf8') },
        signal: AbortSignal.timeout(30_000),
      })
    }
    for (const name of ['local', 'east', 'real'] as const) {
      for (let tries = 0; !(await on(name, 'get serviceaccount default')).includes('exit 0') && tries < 100; tries++) await sleep(100)
      assert.match(await on(name, 'apply -f -', manifest('web', 'nginx:1.27')), /created/)
    }
    assert.match(await on('east', 'apply -f -', manifest('only-east', 'redis:8')), /created/)
    assert.match(await on('real', 'apply -f -', definition), /created/)
    for (let tries = 0; !(await on('real', 'get gadgets')).includes('exit 0') && tries < 100; tries++) await sleep(100)
    await on(
      'real',
      'apply -f -',
      JSON.stringify({ apiVersion: 'example.dev/v1', kind: 'Gadget', metadata: { name: 'one', namespace: 'default' }, spec: { size: 'big' } }),
    )
  })
  after(() => parts.disposeAsync())

  const rows = (output: string): readonly (readonly string[])[] =>
    output
      .split('\n')
      .slice(1)
      .filter((line) => line !== '' && !line.startsWith('exit '))
      .map((line) => line.split(/\s{2,}/))

  test('lists pods of all clusters, each with its cluster', async () => {
    const output = await fleet('get pods', /real/)
    assert.match(output, /^CLUSTER +NAME +READY +STATUS +RESTARTS +AGE\n/)
    assert.deepEqual(
      rows(output).map(([cluster, name]) => `${cluster}/${name}`),
      ['east/only-east', 'east/web', 'local/web', 'real/web'],
    )
    assert.match(await fleet('get pods -A -o wide'), /^NAMESPACE +CLUSTER +NAME .* NODE /)
  })

  test('pages, selects and sorts', async () => {
    assert.equal(rows(await fleet('get pods --chunk-size=1')).length, 4)
    assert.deepEqual(
      rows(await fleet('get pods -l fleet.gantry.dev/cluster=real')).map(([cluster]) => cluster),
      ['real'],
    )
    assert.equal(rows(await fleet('get pods -l app=web,fleet.gantry.dev/cluster!=real')).length, 3)
    assert.deepEqual(
      rows(await fleet('get pods --field-selector metadata.name=only-east')).map(([cluster]) => cluster),
      ['east'],
    )
    assert.equal(rows(await fleet('get pods --field-selector status.phase=Pending')).length, 4)
    assert.deepEqual(
      rows(await fleet('get pods --sort-by=.metadata.labels.fleet\\.gantry\\.dev/cluster')).map(([cluster]) => cluster),
      ['east', 'east', 'local', 'real'],
    )
  })

  test('shows several kinds at once, whole objects and names that no two clusters share', async () => {
    const both = await fleet('get pods,services -A')
    assert.match(both, /east +pod\/web/)
    assert.match(both, /real +service\/kubernetes/)
    const names = await fleet('get pods -o jsonpath={.items[*].metadata.name}')
    assert.match(names, /^east:only-east east:web local:web real:web/)
    assert.match(await fleet('get pods -o name'), /^pod\/east:only-east\npod\/east:web\npod\/local:web\npod\/real:web\n/)
    assert.match(await fleet('get pods -o yaml'), /fleet\.gantry\.dev\/cluster: real/)
  })

  test('gets and describes one object by its name in the fleet, and asks which one when several have it', async () => {
    assert.deepEqual(
      rows(await fleet('get pod real:web')).map(([cluster, name]) => [cluster, name]),
      [['real', 'web']],
    )
    assert.deepEqual(
      rows(await fleet('get pod only-east')).map(([cluster]) => cluster),
      ['east'],
    )
    assert.match(await fleet('get pod web', /Conflict/), /ask for one of east:web, local:web, real:web\nexit 1/)
    assert.match(await fleet('describe pod east:only-east'), /Image: +redis:8/)
    assert.match(await fleet('get pod nowhere', /exit 1/), /pods "nowhere" not found/)
  })

  test('knows the kinds of all clusters, also one that a single cluster has', async () => {
    assert.match(await fleet('api-resources', /gadgets/), /gadgets +gd +example\.dev\/v1 +true +Gadget/)
    const gadgets = await fleet('get gd')
    assert.match(gadgets, /^CLUSTER +NAME +SIZE\nreal +one +big\n/)
    assert.match(await fleet('explain gadget.spec.size'), /How big it is/)
    assert.match(await fleet('api-versions'), /^example\.dev\/v1$/m)
  })

  test('follows changes in any cluster', async () => {
    const child = spawn('kubectl', ['get', 'pods', '--watch', '--output-watch-events'], {
      env: { ...process.env, KUBECONFIG: files.fleet, KUBECACHEDIR: join(dir, 'fleet-cache') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      const says = async (pattern: RegExp): Promise<void> => {
        const deadline = performance.now() + settlesWithinMs
        while (!pattern.test(output) && performance.now() < deadline) await sleep(50)
        assert.match(output, pattern)
      }
      await says(/^ADDED +real +web /m)
      await on('real', 'apply -f -', manifest('watched', 'nginx:1.27'))
      await on('east', 'delete pod only-east --grace-period=0 --force')
      await says(/^ADDED +real +watched /m)
      await says(/^DELETED +east +only-east /m)
      assert.equal(output.match(/^ADDED +local +web /gm)?.length, 1)
    } finally {
      child.kill()
    }
  })

  test('refuses to write, and names the way', async () => {
    assert.match(await fleet('delete pod east:web', /exit 1/), /MethodNotAllowed.*\/clusters\/east\/api\/v1\/namespaces\/default\/pods\/web/)
    assert.match(await on('fleet', 'apply -f -', manifest('new', 'nginx')), /MethodNotAllowed/)
  })

  test('goes on without a cluster that has died, and warns', async () => {
    await real[Symbol.asyncDispose]()
    const output = await fleet('get pods', /Warning/)
    assert.match(output, /Warning: cluster 'real' cannot be followed/)
    assert.match(output, /^east +web /m)
    assert.match(output, /exit 0/)
    assert.match(await fleet('get pods -o name', /Warning/), /pod\/east:web[^]*Warning: cluster 'real' (is missing|cannot be followed)/)
  })
})
