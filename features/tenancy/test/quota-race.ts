import assert from 'node:assert/strict'
import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ObjectKey, ResourceRef, WriteOptions } from '@gantry/client'
import type { Clock, Ids } from '@gantry/runtime'
import { projectNamespaceKind, quotaLedgerKind, tenantNamespace, type ProjectNamespace, type QuotaLedger } from '../api/index.ts'
import { parseQuantity, quantityToMilli } from '@gantry/apimachinery'
import { lineOf, recordOf } from '../server/quota/ledger-lines.ts'
import { graceMs, Quotas } from '../server/quota/quotas.ts'
import { linesOfLedger, makeProject, makeTenant, namespaceObject } from './test-hub.ts'

export interface RaceOptions {
  readonly tenant: string
  readonly seed: number
  readonly gateways: number
  readonly steps: number
  /** Waits for chance's sake before a request. */
  readonly dawdle: (random: () => number) => Promise<void>
  /** Lets this much time pass. */
  readonly pass: (ms: number) => Promise<void>
}

export interface RaceReport {
  readonly made: number
  readonly refused: number
  readonly crashed: number
  readonly conflicts: number
}

const limitMilli = 20_000
const options = { signal: new AbortController().signal }

/**
 * Many gateways, each with a memory of its own, make, change and delete namespaces of one tenant, and die in between. Every ledger that the hub accepts is summed up by itself: never
 * more than the limits. At the end what is kept is what is there.
 */
export async function raceReservers(deps: { readonly hub: KubeClient; readonly clock: Clock; readonly ids: Ids }, race: RaceOptions): Promise<RaceReport> {
  const { tenant } = race
  const random = generator(race.seed)
  await makeTenant(deps.hub, tenant, { quota: { total: { 'requests.cpu': '20' }, clusters: [{ cluster: 'b', hard: { 'requests.cpu': '9' } }] } })
  const projects = [`${tenant}/one`, `${tenant}/two`]
  const given = [
    { total: { 'requests.cpu': '12' }, clusters: [{ cluster: 'b', hard: { 'requests.cpu': '5' } }], namespaces: 6 },
    { total: { 'requests.cpu': '8' }, clusters: [{ cluster: 'b', hard: { 'requests.cpu': '4' } }] },
  ]
  for (const [index, project] of projects.entries()) await makeProject(deps.hub, project, { quota: given[index] })

  const clusters = new Clusters()
  const report = { made: 0, refused: 0, crashed: 0, conflicts: 0 }
  let fullest = 0
  const watched: KubeClient = {
    ...deps.hub,
    async get<T extends KubeObject>(...asked: Parameters<KubeClient['get']>): Promise<T> {
      await race.dawdle(random)
      return deps.hub.get<T>(...asked)
    },
    async create<T extends KubeObject>(...asked: [ResourceRef, T, WriteOptions?]): Promise<T> {
      await race.dawdle(random)
      return looking(asked[0], await deps.hub.create<T>(...asked))
    },
    async update<T extends KubeObject>(...asked: [ResourceRef, T, WriteOptions?]): Promise<T> {
      await race.dawdle(random)
      return looking(asked[0], await deps.hub.update<T>(...asked))
    },
    async patch<T extends KubeObject>(...asked: Parameters<KubeClient['patch']>): Promise<T> {
      await race.dawdle(random)
      return looking(asked[0], await deps.hub.patch<T>(...asked))
    },
  }
  async function looking<T extends KubeObject>({ resource }: ResourceRef, written: T): Promise<T> {
    if (resource === quotaLedgerKind.plural && written.metadata.name === tenant) fullest = Math.max(fullest, sumUp(await linesOfLedger(deps.hub, tenant)))
    return written
  }
  // So few that pages are written again and again.
  const inPages = { maxNewer: 10 }

  const gateways = Array.from({ length: race.gateways }, () => new Quotas({ ...deps, hub: watched }, inPages))
  await Promise.all(
    gateways.map(async (first, gateway) => {
      let quotas = first
      for (let step = 0; step < race.steps; step++) {
        const project = projects[Math.floor(random() * 2)] ?? ''
        const place = `${random() < 0.5 ? 'a' : 'b'}/${project.slice(tenant.length + 1)}-${Math.floor(random() * 5)}`
        const object = namespaceObject(project, place, { quota: { 'requests.cpu': `${1 + Math.floor(random() * 40)}00m` } })
        const fate = await act(quotas, object)
        report[fate]++
        // A new process: it knows nothing.
        if (fate === 'crashed') {
          report.conflicts += quotas.ledgers.counts.conflicts
          quotas = gateways[gateway] = new Quotas({ ...deps, hub: watched }, inPages)
        }
        await race.dawdle(random)
      }
    }),
  )

  async function act(quotas: Quotas, object: ProjectNamespace): Promise<'made' | 'refused' | 'crashed'> {
    const { metadata } = object
    const key = { namespace: metadata.namespace, name: metadata.name ?? '' }
    const there = await unlessGone(watched.get<ProjectNamespace>(projectNamespaceKind.ref, key))
    if (there !== undefined && random() < 0.4) {
      clusters.drop(there)
      await deps.hub.delete(projectNamespaceKind.ref, key, { preconditions: { uid: there.metadata.uid ?? '' } }).catch(lost)
      if (random() < 0.3) return 'crashed'
      await quotas.release(there, options)
      return 'made'
    }
    let hold: string | undefined
    try {
      hold = await quotas.holdNamespace(object, options)
    } catch (error) {
      if (isReason(error, 'Forbidden') || isReason(error, 'Conflict')) return 'refused'
      throw error
    }
    if (random() < 0.15) return 'crashed'
    let written: ProjectNamespace
    try {
      written =
        there === undefined
          ? await watched.create(projectNamespaceKind.ref, object)
          : await watched.update(projectNamespaceKind.ref, { ...there, spec: object.spec })
    } catch {
      if (hold !== undefined) await quotas.drop(object, hold, options)
      return 'refused'
    }
    if (random() < 0.15) return 'crashed'
    await quotas.settleHeld(written, hold ?? '', options)
    const member = clusters.member(written.spec.cluster)
    const outcome = await quotas.enforce(member, written, options).catch(lost)
    if (random() < 0.5) clusters.confirm(written)
    if (outcome !== undefined && random() < 0.7) await quotas.enforce(member, written, options).catch(lost)
    return 'made'
  }

  const after = new Quotas(deps, inPages)
  const present = async (): Promise<ReadonlyMap<string, ProjectNamespace>> => {
    const { items } = await deps.hub.list<ProjectNamespace>(projectNamespaceKind.ref)
    return new Map(items.filter(({ metadata }) => metadata.namespace?.startsWith(`project-${tenant}--`)).map((one) => [one.metadata.uid ?? '', one]))
  }
  // Too early: a create may still be on its way.
  const before = await linesOfLedger(deps.hub, tenant)
  await after.sweep(tenant, () => Promise.resolve(false), options)
  assert.deepEqual(await linesOfLedger(deps.hub, tenant), before, 'nothing is released while its write may be under way')

  await race.pass(graceMs + 1_000)
  const objects = await present()
  await after.sweep(tenant, (record) => Promise.resolve(record.kind === 'scope' || objects.has(record.uid)), options)
  for (const object of objects.values()) await after.hardFor(object, options)
  const kept = (await linesOfLedger(deps.hub, tenant)).map(recordOf).filter(({ kind }) => kind === 'namespace')
  assert.ok(
    kept.every(({ hold, uid }) => hold === '' && objects.has(uid)),
    'what is kept is for what is there',
  )
  assert.equal(new Set(kept.map(({ uid }) => uid)).size, kept.length)
  sumUp(await linesOfLedger(deps.hub, tenant))
  assert.ok(fullest > limitMilli * 0.7, `the race comes near the limit: ${fullest}`)
  // Whoever has followed the ledger from version to version knows what one knows who reads it now.
  const knownTo = (quotas: Quotas): Promise<readonly string[]> =>
    quotas.ledgers.read(tenant, { apply: (book) => [...book.records()].map(lineOf).toSorted() }, options)
  for (const quotas of [...gateways, after]) assert.deepEqual(await knownTo(quotas), await linesOfLedger(deps.hub, tenant))
  const pages = await deps.hub.list<QuotaLedger>(quotaLedgerKind.ref, { namespace: tenantNamespace(tenant) })
  const inUse = pages.items.flatMap(({ spec }) => Object.values(spec.pages ?? {}))
  assert.deepEqual(pages.items.map(({ metadata }) => metadata.name ?? '').toSorted(), [tenant, ...inUse].toSorted(), 'no page is left behind')
  assert.ok(inUse.length > 0)
  for (const { ledgers } of gateways) report.conflicts += ledgers.counts.conflicts
  return report
}

/** Milli-CPU of all that is kept; throws when a limit is passed. Counts for itself: not with the sums that the ledger keeps. */
function sumUp(lines: readonly string[]): number {
  const most = new Map<string, Held>()
  for (const record of lines.map(recordOf)) {
    if (record.kind === 'scope') continue
    const { project, cluster, namespace } = record
    const milli = quantityToMilli(record.reserved.get('requests.cpu') ?? parseQuantity('0'))
    const id = `${project} ${cluster}/${namespace}`
    most.set(id, { project, cluster, milli: Math.max(milli, most.get(id)?.milli ?? 0) })
  }
  holdsTo([...most.values()], 'the ledger keeps')
  const inOne = [...most.values()].filter(({ project }) => project === 'one').length
  assert.ok(inOne <= 6, `the ledger keeps ${inOne} namespaces of project one`)
  return [...most.values()].reduce((total, { milli }) => total + milli, 0)
}

interface Held {
  readonly project: string
  readonly cluster: string
  readonly milli: number
}

function holdsTo(held: readonly Held[], who: string): void {
  for (const [project, cluster, limit] of [
    [undefined, undefined, limitMilli],
    [undefined, 'b', 9_000],
    ['one', undefined, 12_000],
    ['one', 'b', 5_000],
    ['two', undefined, 8_000],
    ['two', 'b', 4_000],
  ] as const) {
    const counted = held.filter((one) => (project ?? one.project) === one.project && (cluster ?? one.cluster) === one.cluster)
    const milli = counted.reduce((total, one) => total + one.milli, 0)
    assert.ok(milli <= limit, `${who} ${milli} of ${limit} milli-CPU: project ${project ?? '*'}, cluster ${cluster ?? '*'}`)
  }
}

/** Clusters as far as ResourceQuotas go, with versions that are checked, and admission that comes to a new one later. */
class Clusters {
  readonly #quotas = new Map<string, ResourceQuota>()
  readonly #gone = new Set<string>()
  #version = 0

  /** One cluster, as a client of it. */
  member(cluster: string): KubeClient {
    const idOf = ({ namespace }: { readonly namespace?: string | undefined }): string => `${cluster}/${namespace}`
    const keep = (object: ResourceQuota, before: ResourceQuota | undefined): Promise<ResourceQuota> => {
      if (this.#gone.has(object.metadata.labels?.['tenancy.gantry.dev/uid'] ?? '')) return Promise.reject(new StatusError('NotFound', 'the namespace is gone'))
      if (before?.metadata.resourceVersion !== object.metadata.resourceVersion) return Promise.reject(new StatusError('Conflict', 'it has changed'))
      const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) }, status: before?.status ?? {} }
      this.#quotas.set(idOf(object.metadata), next)
      this.#check()
      return Promise.resolve(next)
    }
    return {
      get: (_: unknown, key: ObjectKey) => {
        const found = this.#quotas.get(idOf(key))
        return found === undefined ? Promise.reject(new StatusError('NotFound', 'there is none')) : Promise.resolve(found)
      },
      create: (_: unknown, object: ResourceQuota) => keep(object, this.#quotas.get(idOf(object.metadata))),
      update: (_: unknown, object: ResourceQuota) => keep(object, this.#quotas.get(idOf(object.metadata))),
    } as unknown as KubeClient
  }

  /** Its controller has come to what is new: from now on admission judges by it. */
  confirm({ spec }: ProjectNamespace): void {
    const id = `${spec.cluster}/${spec.namespace}`
    const quota = this.#quotas.get(id)
    if (quota === undefined) return
    this.#quotas.set(id, { ...quota, metadata: { ...quota.metadata, resourceVersion: String(++this.#version) }, status: { hard: quota.spec.hard, used: {} } })
  }

  drop({ metadata, spec }: ProjectNamespace): void {
    this.#gone.add(metadata.uid ?? '')
    const id = `${spec.cluster}/${spec.namespace}`
    if (this.#quotas.get(id)?.metadata.labels?.['tenancy.gantry.dev/uid'] === metadata.uid) this.#quotas.delete(id)
  }

  /** What clusters hold to, by what admission judges by or is about to. */
  #check(): void {
    const held = [...this.#quotas].map(([id, { metadata, spec, status }]) => ({
      project: metadata.labels?.['tenancy.gantry.dev/project'] ?? '',
      cluster: id.slice(0, id.indexOf('/')),
      milli: Math.max(...[spec.hard, status?.hard ?? {}].map(({ cpu = '0' }) => quantityToMilli(parseQuantity(cpu)))),
    }))
    holdsTo(held, 'clusters hold to')
  }
}

interface ResourceQuota extends KubeObject {
  spec: { hard: Record<string, string> }
  status?: { hard?: Record<string, string>; used?: Record<string, string> }
}

/** The namespace has gone, or is another one, while it was being looked at. */
function lost(error: unknown): undefined {
  if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
}

/** Mulberry32: the same numbers in every run of the same seed. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
