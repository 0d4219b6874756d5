// One process: a fleet of simulated clusters, asked as the gateway asks it. Prints its figures as JSON. The clusters are simulated in the same thread: what they cost is in every figure.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { readLines } from '@gantry/client'
import { createFleet, type Fleet } from '@gantry/fleet/server'
import { createSimulatedMember, type SimulatedMember } from '@gantry/fleet/testing'
import { clusterRequestOf, type Caller } from '@gantry/gateway'
import { readWholeBody, silentLogger, systemClock, systemIds, type HttpResponse } from '@gantry/runtime'
import type { FleetFigures, FleetTask } from './fleet-figures.ts'

const caller: Caller = { kind: 'platform', user: { username: 'admin', groups: [] }, credential: { kind: 'bearer', id: 'bench' } }
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
/** About what a pod carries in managedFields and other things that no table shows. */
const paddingBytes = 2_500
const searches = ['name:app-17', 'kind:pod status:pending', 'kind:pod label:app=app-3', 'image:*app-9:1.3', 'node-39', 'no-such-thing-anywhere']

const task = JSON.parse(process.argv[2] ?? '') as FleetTask
process.stdout.write(JSON.stringify(await measure()))

async function measure(): Promise<FleetFigures> {
  const members = new Map<string, SimulatedMember>()
  for (let number = 0; number < task.clusters; number++) {
    const name = `cluster-${String(number).padStart(3, '0')}`
    members.set(name, createSimulatedMember({ name, pods: task.podsPerCluster, paddingBytes }))
  }
  const names = [...members.keys()]
  await using fleet = createFleet(
    {
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
      members: {
        names: () => names,
        handlerOf: (name) => members.get(name)?.handle,
        decides: () => false,
        asCaller: () => undefined,
        onChange: () => () => {},
      },
      permissions: { mayRead: () => true, reaches: () => true, epoch: () => 0, onEpoch: () => () => {} },
    },
    { clusterObjects: { cluster: 'local', group: '', resource: 'clusters' } },
  )
  const emptyMb = residentMb()
  const wanted = task.clusters * task.podsPerCluster
  const begunMs = performance.now()
  const cpu = process.cpuUsage()
  for (;;) {
    const { freshness } = await page(fleet)
    if (freshness === `live=${task.clusters}`) break
    await sleep(250)
  }
  const fillSeconds = (performance.now() - begunMs) / 1_000
  const fillCpuSeconds = seconds(process.cpuUsage(cpu))
  // What the fill has left behind goes when the engine collects, which an idle process does not do by itself.
  globalThis.gc?.()
  await sleep(500)
  const fullMb = residentMb()
  const tablesMb = fleet.bytes / 2 ** 20

  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const firstPageMs = await times(task.samples, () => page(fleet))
  const searchMs: Record<string, readonly number[]> = {}
  for (const query of searches) searchMs[query] = await times(Math.ceil(task.samples / 5), () => search(fleet, query))
  delay.disable()

  const visibleMs = await timeChanges(fleet, members)
  const changing = new AbortController()
  const load = changeAll([...members.values()], changing.signal)
  const busyFirstPageMs = await times(task.samples, () => page(fleet))
  changing.abort()
  await load

  const idle = process.cpuUsage()
  await sleep(2_000)
  const idleCpuPercent = (seconds(process.cpuUsage(idle)) / 2) * 100
  const { rows } = await page(fleet, wanted)
  if (rows < wanted) throw new Error(`the fleet shows ${rows} of ${wanted} pods`)
  return {
    emptyMb,
    fullMb,
    tablesMb,
    fillSeconds,
    fillCpuSeconds,
    firstPageMs,
    busyFirstPageMs,
    searchMs,
    visibleMs,
    idleCpuPercent,
    longestDelayMs: delay.max / 1e6,
  }
}

async function ask(fleet: Fleet, path: string, query: string, signal = new AbortController().signal): Promise<HttpResponse> {
  const request = { method: 'GET', path, query, headers: { accept: tableAccept }, signal }
  const route = fleet.routes.find((one) => (one.path.endsWith('/') ? path.startsWith(one.path) : path === one.path))
  if (route === undefined) throw new Error(`the fleet has nothing at ${path}`)
  const target = clusterRequestOf(request, 'local')
  return route.serve({ request, connection: undefined, auditId: '', startedMs: 0, route, target, caller, decision: undefined })
}

async function page(fleet: Fleet, limit = 500): Promise<{ readonly rows: number; readonly freshness: string }> {
  const response = await ask(fleet, '/fleet/api/v1/pods', `limit=${limit}`)
  const text = (await readWholeBody(response)).toString('latin1')
  if (response.status !== 200) throw new Error(`a page was answered with ${response.status}: ${text.slice(0, 300)}`)
  return { rows: text.split('{"cells":').length - 1, freshness: String(response.headers['gantry-fleet-freshness']) }
}

async function search(fleet: Fleet, query: string): Promise<void> {
  const response = await ask(fleet, '/platform/v1/fleet/search', `q=${encodeURIComponent(`kind:pod ${query}`)}`)
  await readWholeBody(response)
  if (response.status !== 200) throw new Error(`a search was answered with ${response.status}`)
}

async function times(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const taken: number[] = []
  for (let number = -5; number < count; number++) {
    const begunMs = performance.now()
    await work()
    // The first ones warm up.
    if (number >= 0) taken.push(performance.now() - begunMs)
    await sleep(2)
  }
  return taken
}

/** From a change in a cluster to its event at a watcher of the fleet. */
async function timeChanges(fleet: Fleet, members: ReadonlyMap<string, SimulatedMember>): Promise<number[]> {
  const stop = new AbortController()
  const first = await readWholeBody(await ask(fleet, '/fleet/api/v1/pods', 'limit=1'))
  const version = /"resourceVersion":"(\d+)","continue"/.exec(first.toString('utf8'))?.[1] ?? ''
  const response = await ask(fleet, '/fleet/api/v1/pods', `watch=1&resourceVersion=${version}`, stop.signal)
  const changed = new Map<string, number>()
  const taken: number[] = []
  const reading = (async () => {
    for await (const line of readLines(response, { signal: stop.signal, maxLineBytes: 1 << 20, highWaterBytes: 1 << 20 })) {
      const name = /"name":"[^":]+:([^"]+)"/.exec(line.toString('utf8'))?.[1] ?? ''
      const begunMs = changed.get(name)
      if (begunMs !== undefined) taken.push(performance.now() - begunMs)
    }
  })().catch(() => {}) // stopped below
  const all = [...members.values()]
  for (let number = 0; number < task.samples; number++) {
    changed.set(`change-${number}`, performance.now())
    all[number % all.length]?.put({ name: `change-${number}` })
    await sleep(5)
  }
  await sleep(500)
  stop.abort(new Error('enough'))
  await reading
  if (taken.length !== task.samples) throw new Error(`${taken.length} of ${task.samples} changes were seen`)
  return taken
}

/** Some 500 changes a second, over all clusters. */
async function changeAll(members: readonly SimulatedMember[], signal: AbortSignal): Promise<void> {
  for (let number = 0; !signal.aborted; number++) {
    for (let change = 0; change < 5; change++) members[(number * 5 + change) % members.length]?.put({ name: `busy-${number % 50}`, restarts: number })
    await sleep(10)
  }
}

function residentMb(): number {
  return process.memoryUsage.rss() / 2 ** 20
}

function seconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6
}
