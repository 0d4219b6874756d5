// npm run bench [-- --quick] [--part starts|serving|hop|scheduling|restarts|fleet]: Gantry against a real kube-apiserver on etcd, on this machine, in one run. Writes results/latest.md.
import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { Connection } from './connection.ts'
import { formatFleet, type FleetFigures, type FleetTask } from './fleet-figures.ts'
import type { FanOut, FanOutTask } from './fan-out.ts'
import { fill, nameOf } from './fill.ts'
import { formatTable } from './figures.ts'
import type { Figure, Sample } from './figures.ts'
import { installRelease, startGantryServer } from './gantry-server.ts'
import { measureHop } from './hop.ts'
import { startKubernetesServer } from './kubernetes-server.ts'
import { machineHoldsMs } from './machine-holds.ts'
import { loopDelaysBetween } from './loop-delay-log.ts'
import type { LoopDelays } from './loop-delay-log.ts'
import { startNodes } from './nodes.ts'
import { configMapBody, eventBody, heartbeatBody, largeConfigMapBody, largeDefinitionBody, leaseBody, podBody, wideConfigMapBody } from './objects.ts'
import { timeRestarts } from './restart.ts'
import { rateOfScheduling, timeDeployment } from './scheduling.ts'
import { cpuSeconds, residentMb } from './server.ts'
import type { BenchServer } from './server.ts'
import { measure } from './wrk.ts'
import type { Load } from './wrk.ts'

const { values: asked } = parseArgs({ options: { quick: { type: 'boolean' }, part: { type: 'string', multiple: true } } })
const quick = asked.quick === true
const partNames = ['starts', 'serving', 'hop', 'scheduling', 'restarts', 'fleet'] as const
for (const name of asked.part ?? []) if (!partNames.some((known) => known === name)) throw new Error(`unknown part ${name}: there are ${partNames.join(', ')}`)
const rounds = quick ? 1 : 3
const loadSeconds = quick ? 2 : 5
const idleSeconds = quick ? 2 : 10
const listed = quick ? 1_000 : 10_000
const replicas = quick ? 100 : 1_000
const nodesToSearch = quick ? 200 : 5_000
const podsToSchedule = quick ? 200 : 2_000
const kept = quick ? 2_000 : 100_000
const root = join(import.meta.dirname, '..')

/** With room for 110 pods each. */
const deploymentNodes = 20

const figures: Figure[] = []
/** How long Gantry's event loop was held up under each load, in milliseconds. */
const loopDelays: (LoopDelays & { readonly load: string })[] = []
let loopDelayFile: string | undefined
/** What the gateway does that the other side has nothing like. */
const facts: string[] = []
/** How busy the machine was with other things before the first process of ours. */
const loadBefore = loadavg()[0] ?? Number.NaN
/** What no measured stretch of work can be shorter than. */
const machineHolds = machineHoldsMs(quick ? 500 : 5_000)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** What could not be measured in this run, and why. */
const failures: string[] = []

/** One part of the run. That it fails is told, and counts; the figures of the others are no worse for it. */
async function part(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    failures.push(`${what}: ${why}`)
    say(`could not measure ${what}: ${why}`)
    process.exitCode = 1
  }
}

/** Measures both servers in turn, A B A B, so that what else the machine does falls on both. */
async function compare(
  figure: Pick<Figure, 'name' | 'unit' | 'better' | 'target'>,
  servers: readonly BenchServer[],
  sample: (server: BenchServer, round: number) => Promise<Sample>,
): Promise<void> {
  const samples: Record<BenchServer['name'], Sample[]> = { kubernetes: [], gantry: [] }
  const slices: { readonly from: number; readonly to: number }[] = []
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      const from = Date.now()
      samples[server.name].push(await sample(server, round))
      if (server.name === 'gantry') slices.push({ from, to: Date.now() })
    }
  }
  if (loopDelayFile !== undefined) loopDelays.push({ load: figure.name, ...(await loopDelaysBetween(loopDelayFile, slices)) })
  add({ ...figure, ...samples })
}

function add(figure: Figure): void {
  figures.push(figure)
  say(
    `${figure.name}: ${(['kubernetes', 'gantry'] as const).map((name) => `${name} ${figure[name].map(({ value }) => value.toFixed(1)).join(' ')}`).join(', ')} ${figure.unit}`,
  )
}

async function measureStarts(launcher: string): Promise<void> {
  const ready: Record<BenchServer['name'], Sample[]> = { kubernetes: [], gantry: [] }
  const memory: Record<BenchServer['name'], Sample[]> = { kubernetes: [], gantry: [] }
  for (let round = 0; round < rounds; round++) {
    for (const start of [() => startKubernetesServer({ controllers: false }), () => startGantryServer(launcher)]) {
      await using server = await start()
      ready[server.name].push({ value: server.readyMs / 1000 })
      await sleep(idleSeconds * 1000)
      memory[server.name].push({ value: await residentMb(server.serving) })
    }
  }
  add({ name: 'Start to ready, empty folder (Kubernetes: apiserver + etcd)', unit: 's', better: 'less', target: 5, ...ready })
  add({ name: 'Idle memory (Kubernetes: apiserver + etcd)', unit: 'MB', better: 'less', ...memory })
}

async function measureRequests(servers: readonly BenchServer[], dir: string): Promise<void> {
  const podFile = join(dir, 'pod.json')
  const configMapFile = join(dir, 'configmap.json')
  const eventFile = join(dir, 'event.json')
  const heartbeatFile = join(dir, 'heartbeat.json')
  await writeFile(podFile, podBody('@NAME@'))
  await writeFile(configMapFile, configMapBody('@NAME@'))
  await writeFile(eventFile, eventBody('@NAME@'))
  await writeFile(heartbeatFile, heartbeatBody('@NAME@'))
  const rate = async (server: BenchServer, load: Omit<Load, 'seconds'>): Promise<Sample> => {
    const { requests, seconds, ...rest } = await measure(server, { ...load, seconds: loadSeconds })
    return { value: requests / seconds, ...rest }
  }
  const unit = '/s'
  const better = 'more'
  for (const clients of [1, 32]) {
    const those = clients === 1 ? '1 client' : `${clients} clients`
    await compare({ name: `Create pod (2.9 KB), ${those}`, unit, better, target: clients === 1 ? 2.3 : 1.5 }, servers, (server, round) =>
      rate(server, { path: '/api/v1/namespaces/bench/pods', clients, bodyFile: podFile, namePrefix: `p${clients}-${round}-` }),
    )
    await compare({ name: `Create ConfigMap, ${those}`, unit, better, target: clients === 1 ? 2.3 : 1.5 }, servers, (server, round) =>
      rate(server, { path: '/api/v1/namespaces/bench/configmaps', clients, bodyFile: configMapFile, namePrefix: `c${clients}-${round}-` }),
    )
    await compare({ name: `Get pod, ${those}`, unit, better, target: 2.5 }, servers, (server) =>
      rate(server, { path: '/api/v1/namespaces/bench-list/pods/object-000001', clients }),
    )
  }
  await compare({ name: 'Get pod at resourceVersion=0, 32 clients', unit, better, target: 1.7 }, servers, (server) =>
    rate(server, { path: '/api/v1/namespaces/bench-list/pods/object-000001?resourceVersion=0', clients: 32 }),
  )
  await compare({ name: 'Create event, 32 clients', unit, better, target: 1.9 }, servers, (server, round) =>
    rate(server, { path: '/api/v1/namespaces/bench/events', clients: 32, bodyFile: eventFile, namePrefix: `e${round}-` }),
  )
  await compare({ name: 'Renew lease, 32 clients', unit, better, target: 5 }, servers, (server, round) =>
    rate(server, {
      path: '/apis/coordination.k8s.io/v1/namespaces/bench/leases/node-@OF100@',
      method: 'PATCH',
      clients: 32,
      bodyFile: heartbeatFile,
      namePrefix: `h${round}-`,
    }),
  )
  const many = listed.toLocaleString('en-US')
  const pods = '/api/v1/namespaces/bench-list/pods'
  await compare({ name: `Table of ${many} pods, 1 client`, unit: 'lists/s', better, target: 1.5 }, servers, (server) =>
    rate(server, { path: pods, clients: 1, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' }),
  )
  await compare({ name: `kubectl get pods of ${many}, to its end`, unit: 's', better: 'less', target: 2 }, servers, (server) => timeKubectl(server, dir))
  await compare({ name: `Get pod, 1 client, beside 2 clients that list ${many}: p99`, unit: 'ms', better: 'less', target: 3 }, servers, async (server) => {
    const [get] = await Promise.all([
      measure(server, { path: `${pods}/object-000001`, clients: 1, seconds: loadSeconds }),
      measure(server, { path: pods, clients: 2, seconds: loadSeconds }),
    ])
    return { value: get.p99Ms, p50Ms: get.p50Ms, p99Ms: get.p99Ms }
  })
  await compare({ name: `List ${many} pods, 1 client`, unit: 'lists/s', better, target: 3 }, servers, (server) =>
    rate(server, { path: '/api/v1/namespaces/bench-list/pods', clients: 1 }),
  )
}

/** Requests that are much work each: they show in the delays of the event loop. */
async function measureLargeWrites(servers: readonly BenchServer[]): Promise<void> {
  const creates = 5
  const timed = async (server: BenchServer, work: (connection: Connection) => Promise<number>): Promise<Sample> => {
    const connection = new Connection(server)
    const cpuBefore = await cpuSeconds(server.serving)
    const begunMs = performance.now()
    const times = await work(connection)
    const seconds = (performance.now() - begunMs) / 1000
    connection.close()
    return { value: (seconds / times) * 1000, cpuPerThousand: (((await cpuSeconds(server.serving)) - cpuBefore) / times) * 1000 }
  }
  const compareCreates = (name: string, collection: string, bodyOf: (name: string) => string): Promise<void> =>
    compare({ name, unit: 'ms', better: 'less' }, servers, (server, round) =>
      timed(server, async (connection) => {
        for (let number = 0; number < creates; number++) await connection.post(collection, bodyOf(`${round}${number}`))
        return creates
      }),
    )
  const configMaps = '/api/v1/namespaces/bench/configmaps'
  await compareCreates('Create a ConfigMap of 20,000 keys', configMaps, (name) => wideConfigMapBody(`wide-${name}`))
  await compareCreates('Create a ConfigMap of 1 MB', configMaps, (name) => largeConfigMapBody(`large-${name}`))
  await compareCreates('Create a CustomResourceDefinition of 190 KB', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', largeDefinitionBody)

  const collectionOf = (round: number): string => `/api/v1/namespaces/bench-deleted-${round}/configmaps`
  for (const server of servers) {
    const connection = new Connection(server)
    for (let round = 0; round < rounds; round++) {
      await connection.post('/api/v1/namespaces', JSON.stringify({ metadata: { name: `bench-deleted-${round}` } }))
      await fill(server, { collection: collectionOf(round), count: 2_000, body: configMapBody })
    }
    connection.close()
  }
  await compare({ name: 'Delete a collection of 2,000 ConfigMaps', unit: 'ms', better: 'less' }, servers, (server, round) =>
    timed(server, async (connection) => {
      await connection.send('DELETE', collectionOf(round))
      return 1
    }),
  )
}

/** A person's command, with its own start and a fresh cache of discovery. */
async function timeKubectl(server: BenchServer, dir: string): Promise<Sample> {
  const cacheDir = await mkdtemp(join(dir, 'kubectl-'))
  const cpuBefore = await cpuSeconds(server.serving)
  const begunMs = performance.now()
  // The token is in the environment of nobody else and the address is loopback: as with curl, certificates are not looked at.
  await promisify(execFile)(
    'kubectl',
    ['--server', server.url, '--token', server.token, '--insecure-skip-tls-verify', '--cache-dir', cacheDir, 'get', 'pods', '--namespace', 'bench-list'],
    { maxBuffer: 256 << 20, env: { ...process.env, KUBECONFIG: '/dev/null' } },
  )
  const seconds = (performance.now() - begunMs) / 1000
  return { value: seconds, cpuPerThousand: ((await cpuSeconds(server.serving)) - cpuBefore) * 1000 }
}

async function measureFanOut(servers: readonly BenchServer[]): Promise<void> {
  await measureFanOutOver({ name: '20 h2 connections', connections: 20, target: 1.6 }, servers)
  await measureFanOutOver({ name: '1,000 HTTP/1.1 connections', connections: 0, target: 1.1 }, servers)
}

async function measureFanOutOver(
  { name: over, connections, target }: { readonly name: string; readonly connections: number; readonly target: number },
  servers: readonly BenchServer[],
): Promise<void> {
  const outcomes = new Map<BenchServer, FanOut[]>()
  await compare({ name: `Watch fan-out, 1,000 watchers over ${over}`, unit: 'events/s', better: 'more', target }, servers, async (server, round) => {
    const namespace = `bench-watch-${connections}-${round}`
    const connection = new Connection(server)
    await connection.post('/api/v1/namespaces', JSON.stringify({ metadata: { name: namespace } }))
    connection.close()
    const cpuBefore = await cpuSeconds(server.serving)
    const outcome = await runFanOut({
      url: server.url,
      token: server.token,
      namespace,
      watchers: 1_000,
      connections,
      writes: quick ? 30 : 100,
      pacedPerSecond: 20,
      pacedSeconds: quick ? 2 : 5,
    })
    const cpu = (await cpuSeconds(server.serving)) - cpuBefore
    outcomes.set(server, [...(outcomes.get(server) ?? []), outcome])
    const allEvents = outcome.events + (20 + 20 * (quick ? 2 : 5)) * 1_000
    return { value: outcome.events / outcome.seconds, p50Ms: outcome.pacedP50Ms, p99Ms: outcome.pacedP99Ms, cpuPerThousand: (cpu / allEvents) * 1_000 }
  })
  const opened = (name: BenchServer['name']): Sample[] =>
    [...outcomes].filter(([server]) => server.name === name).flatMap(([, all]) => all.map(({ openedMs }) => ({ value: openedMs })))
  add({ name: `Opening these 1,000 watches over ${over}`, unit: 'ms', better: 'less', kubernetes: opened('kubernetes'), gantry: opened('gantry') })
}

/** What controllers and scheduler do. On both sides the same nodes, which nothing runs on: the work ends with the binding. */
async function measureScheduling(launcher: string): Promise<void> {
  const deployment: Record<'default' | 'none', Sample[]> = { default: [], none: [] }
  const scheduled: Record<BenchServer['name'], Sample[]> = { kubernetes: [], gantry: [] }
  const deployed: Sample[] = []
  for (const clientLimits of ['default', 'none'] as const) {
    await using server = await startKubernetesServer({ controllers: true, clientLimits })
    await using _few = await startNodes(server, { count: deploymentNodes, namePrefix: 'few' })
    deployment[clientLimits].push(await timeDeployment(server, { namespace: 'bench-deployment', replicas }))
    if (clientLimits === 'default') continue
    await using _many = await startNodes(server, { count: nodesToSearch, namePrefix: 'many' })
    scheduled.kubernetes.push(await rateOfScheduling(server, { namespace: 'bench-scheduler', pods: podsToSchedule }))
  }
  {
    await using server = await startGantryServer(launcher)
    await using _few = await startNodes(server, { count: deploymentNodes, namePrefix: 'few' })
    deployed.push(await timeDeployment(server, { namespace: 'bench-deployment', replicas }))
    await using _many = await startNodes(server, { count: nodesToSearch, namePrefix: 'many' })
    scheduled.gantry.push(await rateOfScheduling(server, { namespace: 'bench-scheduler', pods: podsToSchedule }))
  }
  const name = `Deployment of ${replicas.toLocaleString('en-US')} replicas until all are bound`
  add({ name: `${name}, as shipped`, unit: 's', better: 'less', target: 15, kubernetes: deployment.default, gantry: deployed })
  add({ name: `${name}, no client limits`, unit: 's', better: 'less', target: 2, kubernetes: deployment.none, gantry: deployed })
  add({
    name: `Scheduler, ${nodesToSearch.toLocaleString('en-US')} nodes (no client limits)`,
    unit: 'pods/s',
    better: 'more',
    target: 1,
    ...scheduled,
  })
}

/** The way to a member, from a process that has done nothing else. */
async function measureMembers(launcher: string): Promise<void> {
  await using kubernetes = await startKubernetesServer({ controllers: false })
  await using another = await startGantryServer(launcher)
  loopDelayFile = join(dirname(launcher), 'loop-delays-of-the-hop')
  await using gateway = await startGantryServer(launcher, { loopDelayFile })
  const members = [
    { name: 'real', title: 'Kubernetes', server: kubernetes },
    { name: 'light', title: 'another Gantry', server: another },
  ]
  const options = { seconds: loadSeconds, streamed: quick ? 100 : 1_500, reads: quick ? 2 : 8 }
  facts.push(...(await measureHop(gateway, members, { compare, options })))
}

/** Killed and started again on its data. */
async function measureRestart(launcher: string): Promise<void> {
  const answered: Record<BenchServer['name'], Sample[]> = { kubernetes: [], gantry: [] }
  const collection = '/api/v1/namespaces/bench/configmaps'
  for (const start of [() => startKubernetesServer({ controllers: false }), () => startGantryServer(launcher)]) {
    await using server = await start()
    const connection = new Connection(server)
    await connection.post('/api/v1/namespaces', JSON.stringify({ metadata: { name: 'bench' } }))
    connection.close()
    await fill(server, { collection, count: kept, body: configMapBody })
    const times = await timeRestarts(server, { path: `${collection}/${nameOf(kept)}`, times: rounds })
    answered[server.name].push(...times.map((ms) => ({ value: ms / 1000 })))
  }
  add({ name: `Restart after kill -9 with ${kept.toLocaleString('en-US')} objects, until it gives one`, unit: 's', better: 'less', ...answered })
}

/** In a process of its own, so that it has a processor core to itself and a fresh heap. */
async function runFanOut(task: FanOutTask): Promise<FanOut> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fan-out.ts'), JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
  const [output, code] = await Promise.all([text(child.stdout), exited])
  if (code !== 0) throw new Error(`the fan-out process ended with ${code}`)
  return JSON.parse(output) as FanOut
}

const fleetTask: FleetTask = quick ? { clusters: 10, podsPerCluster: 1_000, samples: 20 } : { clusters: 100, podsPerCluster: 2_000, samples: 500 }
let fleetTable = ''

/** Beside nothing: there is no other server that does this. In a process of its own, so that its memory is its own. */
async function measureFleet(): Promise<void> {
  const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, 'fleet.ts'), JSON.stringify(fleetTask)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
  const [output, code] = await Promise.all([text(child.stdout), exited])
  if (code !== 0) throw new Error(`the process of the fleet ended with ${code}`)
  fleetTable = formatFleet(fleetTask, JSON.parse(output) as FleetFigures)
  say(fleetTable)
}

async function prepare(server: BenchServer): Promise<number> {
  const connection = new Connection(server)
  for (const name of ['bench', 'bench-list']) await connection.post('/api/v1/namespaces', JSON.stringify({ metadata: { name } }))
  // The account that pods run as comes a moment after its namespace on a real cluster.
  for (let tries = 0; tries < 100; tries++) {
    const accounts = await Promise.all(['bench', 'bench-list'].map((name) => connection.send('GET', `/api/v1/namespaces/${name}/serviceaccounts`)))
    if (accounts.every((list) => list.includes('"name":"default"'))) break
    await sleep(100)
  }
  await fill(server, { collection: '/api/v1/namespaces/bench-list/pods', count: listed, body: podBody })
  for (let number = 0; number < 100; number++) await connection.post('/apis/coordination.k8s.io/v1/namespaces/bench/leases', leaseBody(`node-${number}`))
  const stored = await connection.send('GET', '/api/v1/namespaces/bench-list/pods/object-000001')
  connection.close()
  return stored.length
}

async function machine(): Promise<string> {
  const [cpu] = cpus()
  const { stdout } = await promisify(execFile)('df', ['--output=fstype', tmpdir()])
  return `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ${stdout.trim().split('\n').at(-1)} for the data`
}

/** What one server of each kind answers, all in the same two processes. Returns how many bytes a stored pod is on each. */
async function measureServing(launcher: string, dir: string): Promise<readonly number[]> {
  await using kubernetes = await startKubernetesServer({ controllers: true })
  loopDelayFile = join(dir, 'loop-delays')
  await using gantry = await startGantryServer(launcher, { loopDelayFile })
  const servers = [kubernetes, gantry]
  await sleep(idleSeconds * 1000)
  add({
    name: 'Idle memory (Kubernetes: + controller manager, scheduler)',
    unit: 'MB',
    better: 'less',
    target: 3.5,
    kubernetes: [{ value: await residentMb([...kubernetes.serving, ...kubernetes.beside]) }],
    gantry: [{ value: await residentMb(gantry.serving) }],
  })
  const bytes = [await prepare(kubernetes), await prepare(gantry)]
  say(`a stored pod is ${bytes.join(' and ')} bytes`)
  add({
    name: `Memory with ${listed.toLocaleString('en-US')} pods (apiserver + etcd)`,
    unit: 'MB',
    better: 'less',
    kubernetes: [{ value: await residentMb(kubernetes.serving) }],
    gantry: [{ value: await residentMb(gantry.serving) }],
  })
  await measureRequests(servers, dir)
  await part('large writes', () => measureLargeWrites(servers))
  await part('the watch fan-out', () => measureFanOut(servers))
  add({
    name: 'Memory after all of it (apiserver + etcd)',
    unit: 'MB',
    better: 'less',
    kubernetes: [{ value: await residentMb(kubernetes.serving) }],
    gantry: [{ value: await residentMb(gantry.serving) }],
  })
  return bytes
}

function isAsked(name: (typeof partNames)[number]): boolean {
  return asked.part?.includes(name) ?? true
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-bench-'))
  try {
    const needsRelease = partNames.some((name) => name !== 'fleet' && isAsked(name))
    if (needsRelease) say('building the release, as npm start does')
    const launcher = needsRelease ? await installRelease(dir) : ''
    let bytes: readonly number[] = []
    if (isAsked('starts')) await measureStarts(launcher)
    if (isAsked('serving')) bytes = await measureServing(launcher, dir)
    if (isAsked('hop')) await part('the hop to a member', () => measureMembers(launcher))
    if (isAsked('scheduling')) await part('the work of controllers and scheduler', () => measureScheduling(launcher))
    if (isAsked('restarts')) await part('restarts', () => measureRestart(launcher))
    if (isAsked('fleet')) await part('the fleet', measureFleet)
    if (figures.length > 0) await report(bytes)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function report(bytes: readonly number[]): Promise<void> {
  const versions = JSON.parse(
    await readFile(join(root, 'kubernetes', 'api', 'generated', 'types.json'), 'utf8').then((all) => `${all.slice(0, all.indexOf(','))}}`),
  ) as {
    readonly kubernetesVersion: string
  }
  const page = `# Bench: Gantry against a real Kubernetes control plane

\`npm run bench\` reproduces it (needs wrk and Go).

${await machine()}. Node ${process.version}, Kubernetes ${versions.kubernetesVersion}. ${new Date().toISOString().slice(0, 10)}.

${formatTable(figures)}

How long Gantry's event loop was late under each load (timers of a millisecond; the collections of the engine and what else the machine did are in it). Of the stretches
between two timers, the longest of its own work (without collections and without waiting for a processor), and the longest that collections took. A loop that does nothing but
look at the clock was held up for as long as ${machineHolds.toFixed(1)} ms by this machine itself, in 5 s:

| Load | p50 | p99 | longest | own work | collections |
| --- | ---: | ---: | ---: | ---: | ---: |
${loopDelays.map(({ load, p50, p99, max, own, collected }) => `| ${load} | ${[p50, p99, max, own, collected].map((ms) => `${ms.toFixed(1)} ms`).join(' | ')} |`).join('\n')}

${fleetTable}

- Both run at the same time on this machine and share it with the load generator; each quantity is measured ${rounds} times in turn (Kubernetes, Gantry, Kubernetes, …), ${loadSeconds} s each after
  2 s that are thrown away. Before the run the load average was ${loadBefore.toFixed(1)}: what else the machine does makes both slower and the ratios less sure. The table shows the sample in the middle (of two the worse).
- Both sync every write to disk before they answer. A pod is stored as ${bytes.join(' and ')} bytes of JSON. Every answer had to be 2xx.
- Load: wrk, one thread, HTTP/1.1 over TLS with keep-alive, as an administrator (system:masters, exempt from flow control). Gantry is reached as users reach it: through the
  gateway with an API key, authenticated, audited and authorized.
- CPU counts the processes that serve: kube-apiserver and etcd; for Gantry its one process, which also holds controllers, scheduler, gateway and console.
- The work of controllers: ${deploymentNodes} nodes (the scheduler: ${nodesToSearch.toLocaleString('en-US')}) that are nothing but objects, made ready and kept alive by the bench with a Lease each, the same on both sides; CPU is that of
  all processes of a server. Kubernetes as shipped asks its API at most 20 (controller manager) and 50 (scheduler) times a second; "no client limits" sets those to 10,000. Each is measured once.
${[...facts, ...failures.map((failure) => `Not measured in this run: ${failure}`)].map((line) => `- ${line}\n`).join('')}- Watch fan-out: events per second at full speed; its p50 / p99 are the time from a write to its arrival at a watcher, at 20 writes a second; CPU per 1,000 events.
`
  say(`\n${[formatTable(figures), ...facts].join('\n')}`)
  if (quick || asked.part !== undefined) return
  const file = join(import.meta.dirname, 'results', 'latest.md')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, page)
  say(`\nwritten to ${file}`)
}

await main()
