import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startKubernetes, type ControlPlane } from '@gantry/conformance/kubernetes'
import type { Browser } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { launchBrowser, openConsole } from '../console/console-page.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { gantry as gantryCommand, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import type { Outcome } from '../program.ts'
import { startClusterBehindNat, type ClusterBehindNat } from './cluster-behind-nat.ts'

/** One of the organisation, with what they have on their own machine: a kubeconfig of their own, and nothing of the platform's. */
interface Person {
  readonly name: string
  readonly password: string
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
})
