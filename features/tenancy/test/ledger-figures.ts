import { readFileSync } from 'node:fs'
import { stdout } from 'node:process'
import { clearInterval, setImmediate, setInterval } from 'node:timers'
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { clusterKind } from '@gantry/clusters/api'
import { installKinds } from '@gantry/clusters/server'
import { startLocalCluster } from '@gantry/kube-cluster'
import { silentLogger, systemClock, systemIds } from '@gantry/runtime'
import { createMemoryStore } from '@gantry/storage'
import { tenancyKinds, type ProjectNamespace } from '../api/index.ts'
import { Quotas } from '../server/quota/quotas.ts'
import { makeProject, makeTenant, namespaceObject } from './test-hub.ts'

/*
 * What a reservation costs in a ledger of N entries, embedded hub included: `node features/tenancy/test/ledger-figures.ts [N] [figure]`. Figures of a run stand in decision 0023.
 */
const options = { signal: new AbortController().signal }
const [count = '5000', only = ''] = process.argv.slice(2)
const namespaces = Number(count)
const rounds = 100

// Timers of the platform keep no process alive.
const awake = setInterval(() => {}, 1_000)
await using local = await startLocalCluster({ store: createMemoryStore(), clock: systemClock, ids: systemIds, log: silentLogger }, { controllers: false })
const hub = local.client
await installKinds({ hub, clock: systemClock }, [clusterKind, ...tenancyKinds], options)
const quotas = new Quotas({ hub, clock: systemClock, ids: systemIds })
await makeTenant(hub, 'acme', { quota: { total: { cpu: '1000000', memory: '1Pi' } } })
const projects = Array.from({ length: 50 }, (_, index) => `acme/p${index}`)
for (const project of projects) await makeProject(hub, project, { quota: { total: { cpu: '20000', memory: '20Ti' }, namespaces: 1_000 } })

function objectAt(index: number, quota?: ProjectNamespace['spec']['quota']): ProjectNamespace {
  const own = { 'requests.cpu': `${index % 9}500m`, 'requests.memory': `${1 + (index % 13)}Gi` }
  const object = namespaceObject(projects[index % 50] ?? '', `c${index % 7}/ns-${index}`, { quota: quota ?? own })
  return { ...object, metadata: { ...object.metadata, uid: systemIds.uid() } }
}

const begun = performance.now()
for (let from = 0; from < namespaces; from += 500)
  await Promise.all(Array.from({ length: Math.min(500, namespaces - from) }, (_, index) => quotas.hardFor(objectAt(from + index), options)))
stdout.write(`${namespaces} entries made in ${Math.round(performance.now() - begun)} ms, ${quotas.ledgers.counts.writes} writes\n`)

interface Span {
  readonly from: number
  readonly to: number
  readonly waitedMs: number
}
let spans: Span[] = []
let collections: Omit<Span, 'waitedMs'>[] = []
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) collections.push({ from: startTime, to: startTime + duration })
}).observe({ entryTypes: ['gc'] })
let last = performance.now()
let lastWaited = 0
let isWatched = false
/** How long the main thread was ready and others ran, in ms: that is no work of ours. */
const waitedMs = (): number => Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6
function turn(): void {
  const [now, waited] = [performance.now(), waitedMs()]
  if (now - last > 0.5) spans.push({ from: last, to: now, waitedMs: waited - lastWaited })
  last = now
  lastWaited = waited
  if (isWatched) setImmediate(turn)
}
/** A slice without collections of garbage and without what it waited for a processor. */
function ownMs({ from, to, waitedMs: waited }: Span): number {
  const collected = collections.reduce((sum, one) => sum + Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)), 0)
  return Math.max(0, to - from - Math.max(waited, collected))
}

async function figure(name: string, act: (index: number) => Promise<unknown>): Promise<void> {
  if (!name.includes(only)) return
  for (let index = 0; index < 20; index++) await act(100_000 + index)
  const before = process.cpuUsage()
  const begun = performance.now()
  for (let index = 0; index < rounds; index++) await act(index)
  const wall = performance.now() - begun
  const { user, system } = process.cpuUsage(before)
  const rows: (readonly Span[])[] = []
  collections = []
  isWatched = true
  lastWaited = waitedMs()
  last = performance.now()
  setImmediate(turn)
  for (let index = 0; index < rounds; index++) {
    spans = []
    await act(200_000 + index)
    await sleep(1)
    rows.push(spans)
  }
  isWatched = false
  await sleep(50)
  const slices = rows.map((row) => Math.max(0, ...row.map(ownMs)))
  slices.sort((a, b) => a - b)
  const slice = (part: number): string => (slices[Math.floor((rounds - 1) * part)] ?? 0).toFixed(1)
  stdout.write(
    `${name}: ${((user + system) / 1_000 / rounds).toFixed(2)} ms of CPU, ${(wall / rounds).toFixed(2)} ms; longest slice p50 ${slice(0.5)}, p90 ${slice(0.9)}, max ${slice(1)} ms\n`,
  )
}
const other = (): Quotas => new Quotas({ hub, clock: systemClock, ids: systemIds })
const two = [other(), other()] as const
const tooMuch = { 'requests.cpu': '99999', 'requests.memory': '1Gi' }
await figure('reserve', (index) => quotas.hardFor(objectAt(1_000_000 + index), options))
await figure('read', () => quotas.usageOf('acme', () => undefined, options))
await figure('refused', (index) => quotas.hardFor(objectAt(2_000_000 + index, tooMuch), options))
await figure('after another gateway', (index) => (index % 2 === 0 ? two[0] : two[1]).hardFor(objectAt(3_000_000 + index), options))
await figure('new process', (index) => other().hardFor(objectAt(4_000_000 + index), options))
clearInterval(awake)
