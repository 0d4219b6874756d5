import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startKubernetes, type ControlPlane } from '@gantry/conformance/kubernetes'
import type { Browser } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { choosePassword, launchBrowser, openConsole } from '../console/console-page.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { gantry as gantryCommand, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import { note } from '../note.ts'
import type { Outcome } from '../program.ts'
import { startClusterBehindNat, type ClusterBehindNat } from './cluster-behind-nat.ts'

/** One of the organisation, with what they have on their own machine: a kubeconfig of their own, and nothing of the platform's. */
interface Person {
  readonly name: string
  readonly password: string
  readonly key: string
  /** kubectl on a cluster; without a name on the platform's own, where its objects are. */
  on(cluster?: string): Kubectl
  /** kubectl on all clusters as one. */
  readonly fleet: Kubectl
  cli(...args: string[]): Promise<Outcome>
}

const apiVersion = 'tenancy.gantry.dev/v1alpha1'
const manifest = (...objects: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
const tenant = (name: string, clusters: readonly string[], total: Readonly<Record<string, string>>) => ({
  apiVersion,
  kind: 'Tenant',
  metadata: { name },
  spec: { clusters, quota: { total } },
})
const membership = (namespace: string, role: string, ...users: readonly string[]) => ({
  apiVersion,
  kind: 'Membership',
  metadata: { name: `${role}-${users.join('-')}`, namespace },
  spec: { role, subjects: users.map((name) => ({ kind: 'User', name })) },
})
const web = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'web', image: 'web', resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } }] },
    },
  },
})

const project = (namespace: string, name: string, total: Readonly<Record<string, string>>, environments: readonly object[]) => ({
  apiVersion,
  kind: 'Project',
  metadata: { name, namespace },
  spec: { quota: { total }, environments },
})
const claim = (namespace: string, name: string, spec: { readonly cluster: string; readonly namespace: string; readonly [more: string]: unknown }) => ({
  apiVersion,
  kind: 'ProjectNamespace',
  metadata: { name, namespace },
  spec,
})
const applying = (by: Kubectl, ...objects: readonly object[]): Promise<Outcome> => by.run(['create', '-f', '-'], { input: manifest(...objects) })
/** Until what was written has reached whoever decides. */
const settled = (what: string, by: Kubectl, command: readonly string[]): Promise<unknown> =>
  eventually(what, 10_000, async (seen) => {
    const outcome = await by.run(command)
    seen(`${outcome.stdout}${outcome.stderr}`)
    return outcome.code === 0 ? true : undefined
  })

/** Three clusters (the platform's own, a real one, a real one behind NAT with an agent), two tenants and six people, who use kubectl, the command line and a browser. */
describe('an organisation', () => {
  const parts = new AsyncDisposableStack()
  let folder: string
  let real: ControlPlane
  let edge: ClusterBehindNat
  let gantry: GantryProcess
  let browser: Browser
  let root: Kubectl
  const people = new Map<string, Person>()
  const the = (name: string): Person => people.get(name) ?? assert.fail(`nobody is called ${name}`)

  async function hire(name: string): Promise<Person> {
    const password = `Harbour of ${name} 4711`
    const made = await gantry.cli('user', 'create', name, '--password-file', await secretFile(`${name}.password`, password))
    assert.equal(made.code, 0, made.stderr)
    const key = await gantry.cli('apikey', 'create', '--user', name, '--description', 'laptop')
    assert.equal(key.code, 0, key.stderr)
    const admins = await readFile(gantry.kubeconfig, 'utf8')
    const token = /token: (\S+)/.exec(admins)?.[1] ?? assert.fail('the kubeconfig of the administrator holds no token')
    const kubeconfig = await secretFile(`${name}.kubeconfig`, admins.replaceAll(token, key.stdout.trim()))
    const fleet = await secretFile(`${name}-fleet.kubeconfig`, (await readFile(kubeconfig, 'utf8')).replaceAll('/clusters/local', '/fleet'))
    const person: Person = {
      name,
      password,
      key: key.stdout.trim(),
      on: (cluster = 'local') => kubectl(kubeconfig, cluster),
      fleet: kubectl(fleet, 'local'),
      cli: (...args) => gantryCommand(args, { env: { GANTRY_KUBECONFIG: kubeconfig } }),
    }
    people.set(name, person)
    return person
  }
  async function secretFile(name: string, text: string): Promise<string> {
    const file = join(folder, name)
    await writeFile(file, text, { mode: 0o600 })
    return file
  }
  const refused = async (outcome: Promise<Outcome>, pattern: RegExp): Promise<void> => {
    const { code, stderr } = await outcome
    assert.notEqual(code, 0)
    assert.match(stderr, pattern)
  }
  /** Everything of a kind is ready, as far as the platform's administrator sees it. */
  const isThere = (cluster: string, namespace: string): Promise<unknown> =>
    eventually(`the namespace ${namespace} is in ${cluster}`, 30_000, async (seen) => {
      const outcome = await kubectl(gantry.kubeconfig, cluster).run(['get', 'namespace', namespace, '-o', 'name'])
      seen(`${outcome.stdout}${outcome.stderr}`)
      return outcome.code === 0 ? true : undefined
    })

  before(async () => {
    await buildGantry()
    folder = await mkdtemp(join(tmpdir(), 'gantry-organisation-'))
    parts.defer(() => rm(folder, { recursive: true, force: true }))
    edge = parts.use(await startClusterBehindNat('gorg', folder))
    real = parts.use(await startKubernetes({ dir: join(folder, 'real'), controllers: true }))
    const port = await freePort()
    gantry = parts.use(await startGantry({ dataDir: join(folder, 'gantry'), port, args: ['--node', 'none', '--listen', `0.0.0.0:${port}`] }))
    const imported = await gantry.cli('cluster', 'import', 'plant', '--kubeconfig', real.kubeconfig)
    assert.equal(imported.code, 0, imported.stderr)
    await edge.importInto(gantry, 'edge', port)
    const agent = edge.startAgent()
    parts.defer(() => agent.end().then(() => {}))
    root = kubectl(gantry.kubeconfig, 'local')
    await eventually('three clusters are ready', 60_000, async (seen) => {
      const { stdout } = await gantry.cli('cluster', 'list', '-o', 'json')
      const { items } = JSON.parse(stdout) as { items: { status?: { conditions?: { type: string; status: string }[] } }[] }
      seen(stdout)
      return items.filter(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True')).length === 3 ? true : undefined
    })
    for (const name of ['tina', 'oscar', 'eve', 'gus', 'victor', 'ada']) await hire(name)
    browser = await launchBrowser()
    parts.defer(() => browser.close())
  })
  after(() => parts.disposeAsync())

  test('is made by the administrator, tenant by tenant, and goes on without them: each tenant and project has its own people', async () => {
    await root.apply(manifest(tenant('acme', ['plant', 'edge'], { 'requests.cpu': '4' }), tenant('globex', ['plant', 'local'], { 'requests.cpu': '2' })))
    await isThere('local', 'tenant-acme')
    await isThere('local', 'tenant-globex')
    await root.apply(manifest(membership('tenant-acme', 'tenant-admin', 'tina'), membership('tenant-globex', 'tenant-admin', 'gus')))

    await settled('tina may make projects', the('tina').on(), ['auth', 'can-i', 'create', 'projects.tenancy.gantry.dev', '-n', 'tenant-acme'])
    await the('tina')
      .on()
      .apply(
        manifest(
          project('tenant-acme', 'shop', { 'requests.cpu': '3' }, [
            { name: 'test', cluster: 'plant', quota: { 'requests.cpu': '1' } },
            { name: 'production', cluster: 'edge', quota: { 'requests.cpu': '1' } },
          ]),
        ),
      )
    await the('gus')
      .on()
      .apply(manifest(project('tenant-globex', 'lab', { 'requests.cpu': '2' }, [{ name: 'test', cluster: 'plant', quota: { 'requests.cpu': '1' } }])))
    await isThere('plant', 'acme-shop-test')
    await isThere('edge', 'acme-shop-production')
    await isThere('plant', 'globex-lab-test')

    await the('tina')
      .on()
      .apply(manifest(membership('project-acme--shop', 'project-owner', 'oscar')))
    await settled('oscar owns the project', the('oscar').on(), ['auth', 'can-i', 'create', 'memberships.tenancy.gantry.dev', '-n', 'project-acme--shop'])
    await the('oscar')
      .on()
      .apply(manifest(membership('project-acme--shop', 'project-editor', 'eve')))
    await the('gus')
      .on()
      .apply(manifest(membership('project-globex--lab', 'project-viewer', 'victor')))
    await settled('eve may deploy', the('eve').on('plant'), ['auth', 'can-i', 'create', 'deployments.apps', '-n', 'acme-shop-test'])
    await settled('victor may look', the('victor').on('plant'), ['auth', 'can-i', 'list', 'pods', '-n', 'globex-lab-test'])
  })

  test('works in several clusters with one kubectl, each within what is theirs', async () => {
    await the('eve')
      .on('plant')
      .ok('apply', '-n', 'acme-shop-test', '-f', await secretFile('web.json', JSON.stringify(web('web'))))
    await the('eve').on('edge').ok('apply', '-n', 'acme-shop-production', '-f', join(folder, 'web.json'))
    await the('gus').on('plant').ok('apply', '-n', 'globex-lab-test', '-f', join(folder, 'web.json'))

    const deployments = ['get', 'deployments', '-A', '-o', 'custom-columns=NS:.metadata.namespace', '--no-headers']
    const seen = async (name: string): Promise<string[]> =>
      (await the(name).fleet.ok(...deployments))
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .sort()
    assert.deepEqual(await seen('eve'), ['acme-shop-production', 'acme-shop-test'])
    assert.deepEqual(await seen('oscar'), ['acme-shop-production', 'acme-shop-test'])
    assert.deepEqual(await seen('tina'), ['acme-shop-production', 'acme-shop-test'])
    assert.deepEqual(await seen('victor'), ['globex-lab-test'])
    await refused(the('ada').fleet.run(deployments), /forbidden|may not/i)

    const { stdout } = await the('eve').cli('can-i', 'create', 'deployments.apps', '--cluster', 'plant', '--namespace', 'acme-shop-test', '--explain')
    assert.match(stdout, /project-editor/)
    assert.match(stdout, /shop/)
  })

  test('keeps everybody to their place, and says why', async () => {
    await refused(the('eve').on('plant').run(['get', 'pods', '-n', 'globex-lab-test']), /Forbidden|may not/)
    await refused(the('victor').on('plant').run(['get', 'secrets', '-n', 'globex-lab-test']), /Forbidden|may not/)
    await refused(the('victor').on('plant').run(['delete', 'deployment', 'web', '-n', 'globex-lab-test']), /Forbidden|may not/)
    await refused(the('eve').on('edge').run(['get', 'nodes']), /Forbidden|may not/)
    await refused(the('eve').on().run(['run', 'miner', '--image', 'x', '-n', 'project-acme--shop']), /Forbidden|may not/)
    await refused(applying(the('oscar').on(), membership('project-acme--shop', 'platform-admin', 'oscar')), /do not have themselves|may not/)
    await refused(applying(the('eve').on(), membership('project-acme--shop', 'project-owner', 'eve')), /Forbidden|may not/)
    await refused(applying(the('gus').on(), membership('tenant-acme', 'tenant-admin', 'gus')), /Forbidden|may not/)
  })

  test('cannot take a namespace that is somebody else’s: it stays as it was, and the object says why', async () => {
    await refused(
      applying(
        the('gus').on(),
        claim('project-globex--lab', 'theft', { cluster: 'plant', namespace: 'acme-shop-test', adopt: true, quota: { 'requests.cpu': '500m' } }),
      ),
      /would adopt/,
    )
    await the('gus')
      .on()
      .apply(manifest(claim('project-globex--lab', 'theft', { cluster: 'plant', namespace: 'acme-shop-test', quota: { 'requests.cpu': '500m' } })))

    await eventually('the conflict is told', 20_000, async (seen) => {
      const text = await the('gus').on().ok('get', 'projectnamespaces', 'theft', '-n', 'project-globex--lab', '-o', 'jsonpath={.status.conditions}')
      seen(text)
      return /Conflict/.test(text) ? true : undefined
    })
    await refused(the('gus').on('plant').run(['get', 'pods', '-n', 'acme-shop-test']), /Forbidden|may not/)
    assert.match(await the('eve').on('plant').ok('get', 'deployment', 'web', '-n', 'acme-shop-test', '-o', 'name'), /web/)
    await the('gus').on().ok('delete', 'projectnamespaces', 'theft', '-n', 'project-globex--lab')
  })

  test('never has more than its quota, however many ask at once', async () => {
    // 1 of 3 processors is left to the project; each of these wants 600m.
    const asked = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        applying(
          the('oscar').on(),
          claim('project-acme--shop', `race-${at}`, { cluster: 'plant', namespace: `acme-race-${at}`, quota: { 'requests.cpu': '600m' } }),
        ),
      ),
    )
    const accepted = asked.filter(({ code }) => code === 0)

    assert.equal(accepted.length, 1, asked.map(({ stderr }) => stderr).join('\n'))
    for (const { code, stderr } of asked) if (code !== 0) assert.match(stderr, /cpu: want 600m, free (400m|0\.4) \(limit 3 of project acme\/shop\)/)
  })

  test('takes back at once what somebody had: the stream that is open ends', async () => {
    await using watching = the('eve').on('plant').start(['get', 'pods', '-n', 'acme-shop-test', '--watch', '-o', 'name'])
    await watching.says(/pod\/web/)
    const begunMs = performance.now()
    await the('oscar').on().ok('delete', 'membership', 'project-editor-eve', '-n', 'project-acme--shop')
    await watching.finishes(15_000)
    const tookMs = performance.now() - begunMs
    note(`a membership was removed with kubectl, and the watch of whom it was for ended, within ${Math.round(tookMs)} ms`)

    assert.ok(tookMs < 10_000, `${tookMs} ms`)
    await refused(the('eve').on('plant').run(['get', 'pods', '-n', 'acme-shop-test']), /Forbidden|may not/)
    await the('oscar')
      .on()
      .apply(manifest(membership('project-acme--shop', 'project-editor', 'eve')))
    await settled('eve is back', the('eve').on('plant'), ['auth', 'can-i', 'list', 'pods', '-n', 'acme-shop-test'])
  })

  test('lends a role for an hour to whoever says why, when somebody else agrees', async () => {
    const nodes = ['get', 'namespaces', '-o', 'name']
    await refused(the('ada').on('plant').run(nodes), /Forbidden|may not/)
    const asked = await the('ada').cli('access', 'elevate', 'cluster-viewer', '--cluster', 'plant', '--for', '1h', '--reason', 'outage 4711')
    assert.equal(asked.code, 0, asked.stderr)
    const name = asked.stdout.trim()

    await refused(the('ada').cli('access', 'approve', name), /nobody approves their own request/)
    const approved = await gantry.cli('access', 'approve', name)
    assert.equal(approved.code, 0, approved.stderr)
    await settled('ada may look', the('ada').on('plant'), nodes)
    const ended = await the('ada').cli('access', 'end', name)
    assert.equal(ended.code, 0, ended.stderr)
    await eventually('ada may look no longer', 10_000, async () => ((await the('ada').on('plant').run(nodes)).code === 0 ? undefined : true))
  })

  test('goes on where it can when a cluster is cut off, and says what is missing', async () => {
    await edge.network.cut(true)
    try {
      const begunMs = performance.now()
      assert.match(await the('eve').on('plant').ok('get', 'deployments', '-n', 'acme-shop-test', '-o', 'name'), /web/)
      note(`a request beside a cluster that is cut off took ${Math.round(performance.now() - begunMs)} ms with kubectl`)
      await eventually('the fleet names the cluster that does not answer', 30_000, async (seen) => {
        const { stdout, stderr } = await the('eve').fleet.run(['get', 'deployments', '-A'])
        seen(`${stdout}${stderr}`)
        return /acme-shop-test/.test(stdout) && /edge/.test(stderr) ? true : undefined
      })
    } finally {
      await edge.network.cut(false)
    }
    await eventually('the cluster is back', 60_000, async () => {
      const { code } = await the('eve').on('edge').run(['get', 'deployments', '-n', 'acme-shop-production'])
      return code === 0 ? true : undefined
    })
  })

  test('finds in a browser what is theirs, and nothing else', async () => {
    await using session = await openConsole(browser, { url: gantry.server })
    const { page, go, complaints } = session
    await page.locator('input[name=username]').fill('eve')
    await page.locator('input[name=password]').fill(the('eve').password)
    await page.locator('button[type=submit]').click()
    // The administrator has given the password: it is not theirs yet.
    await choosePassword(page, 'Nobody else has seen this one 815')
    await page.locator('#main h1').waitFor()
    await go('/search?q=kind%3Adeploy')
    const rows = page.locator('main').getByRole('link', { name: 'web', exact: true })
    await rows.first().waitFor()

    assert.equal(await rows.count(), 2)
    assert.equal(await page.locator('main').getByText('globex-lab-test').count(), 0)
    assert.deepEqual(complaints, [])
  })

  test('has everything on record, in every cluster, and no key of anybody in it', async () => {
    let log = ''
    for (const cluster of ['plant', 'edge']) {
      const { stdout, stderr, code } = await gantry.cli('audit', 'search', '--user', 'eve', '--cluster', cluster, '--limit', '1000', '-o', 'json')
      assert.equal(code, 0, stderr)
      const { items } = JSON.parse(stdout) as { items: readonly { verb?: string; status?: number }[] }
      assert.ok(
        items.some(({ verb, status }) => (verb === 'create' || verb === 'patch') && status === 201),
        stdout.slice(0, 2_000),
      )
      assert.ok(
        items.some(({ status }) => status === 403),
        cluster,
      )
      log += stdout
    }
    for (const { key, password } of people.values()) assert.ok(!log.includes(key) && !log.includes(password))
  })
})
