import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { turnBudgetOn, type Clock, type Ids } from '@gantry/runtime'
import {
  canonicalResource,
  projectNamespaceKind,
  tenancyLabels,
  quotaName,
  withProjectDefaults,
  type Environment,
  type NamespaceQuotas,
  type Project,
  type ProjectNamespace,
  type QuotaCheck,
  type QuotaOutcome,
  type QuotaView,
  type ScopeQuotas,
  type ScopeUse,
  type Tenant,
} from '../../api/index.ts'
import { largestOf, listOf, readAmounts, sameAmounts, smallestOf, type Amounts } from './amounts.ts'
import { Ledgers, type LedgersOptions } from './ledgers.ts'
import { QuotaExceeded, root, type NamespaceKey, type NamespaceRecord, type QuotaBook, type QuotaRecord, type ScopeRecord } from './quota-book.ts'
import { linesOf, samplesOf, usageOf, viewOf } from './quota-view.ts'
import type { UsageSample } from '../usage/usage-history.ts'
import { everythingOf, findProject, findTenant, isTenant, keyOfNamespace, scopeRecordOf } from './scope-objects.ts'
import { evenShares } from './even-shares.ts'
import { isHard, shareOf } from './shares.ts'

export interface QuotasDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
}

type Options = { readonly signal: AbortSignal }

interface ResourceQuota extends KubeObject {
  spec?: { hard?: Record<string, string | number> }
  status?: { hard?: Record<string, string | number>; used?: Record<string, string | number> }
}

/** What a cluster says of a namespace's ResourceQuota. */
interface Observed {
  /** Of the ProjectNamespace that it was made for: another one, where the namespace has changed hands. */
  readonly uid: string
  readonly generation: number
  readonly hard: Amounts
  /** What admission there judges by, and what it has let in by that; undefined: it has not come to it yet. */
  readonly judged: { readonly hard: Amounts; readonly used: Amounts } | undefined
}

const generationAnnotation = 'tenancy.gantry.dev/quota-generation'
const resourceQuotas: ResourceRef = { group: '', version: 'v1', resource: 'resourcequotas', kind: 'ResourceQuota', namespaced: true }

// A create that the hub may still be working on is over by then: its deadline is a minute.
export const graceMs = 3 * 60_000
const enforceTries = 4
const maxViewed = 1_000
const noAmounts: Amounts = new Map()

/**
 * Quotas of tenants and projects over all clusters. What is given away stands in the ledger of the tenant before it is given; what is taken away is lowered in its cluster first and
 * counts until the cluster has confirmed it. So the sum of what clusters hold to is within every limit at every moment, whoever races.
 */
export class Quotas implements NamespaceQuotas, ScopeQuotas {
  readonly #deps: QuotasDeps
  readonly ledgers: Ledgers

  constructor(deps: QuotasDeps, options: LedgersOptions = {}) {
    this.#deps = deps
    this.ledgers = new Ledgers({ ...deps, begin: (book, begin) => this.#begin(book, begin) }, options)
  }

  hardFor(namespace: ProjectNamespace, options: Options): Promise<QuotaOutcome> {
    return this.#hardFor(namespace, undefined, options)
  }

  async enforce(member: KubeClient, namespace: ProjectNamespace, { signal }: Options): Promise<QuotaOutcome> {
    const place = { namespace: namespace.spec.namespace, name: quotaName }
    for (let tries = 1; ; tries++) {
      // Read before the ledger is asked: what is written by an older answer then meets a newer version, and is refused.
      const there = await unlessGone(member.get<ResourceQuota>(resourceQuotas, place, { signal }))
      const outcome = await this.#hardFor(namespace, there && observedOf(there), { signal })
      if (outcome.kind === 'Refused') return outcome
      try {
        await write(member, { namespace, there, outcome }, { signal })
        return outcome
      } catch (error) {
        const isRace = isReason(error, 'Conflict') || isReason(error, 'AlreadyExists') || (there !== undefined && isReason(error, 'NotFound'))
        if (!isRace || tries >= enforceTries) throw error
      }
    }
  }

  async release(namespace: ProjectNamespace, options: Options): Promise<void> {
    const { tenant, key } = keyOfNamespace(namespace)
    const { uid = '' } = namespace.metadata
    await this.ledgers.change(
      tenant,
      {
        apply(book) {
          const settled = book.namespace(key)
          if (settled?.uid === uid) book.remove(settled)
        },
      },
      options,
    )
  }

  async settle(scope: Tenant | Project, options: Options): Promise<string | undefined> {
    return this.#settleScope(scope, '', options)
  }

  async releaseProject(project: Project, options: Options): Promise<void> {
    const { tenant, record } = scopeRecordOf(project, 0)
    await this.ledgers.change(
      tenant,
      {
        apply(book) {
          const settled = book.scope(record.project)
          if (settled?.uid === record.uid && !book.hasAnythingBelow(record.project)) book.remove(settled)
        },
      },
      options,
    )
  }

  /** Keeps what a namespace would get while it is being written; returns the name of the hold, undefined when it has that already. Throws QuotaExceeded when it does not fit. */
  holdNamespace(namespace: ProjectNamespace, options: Options): Promise<string | undefined> {
    const { tenant, key } = keyOfNamespace(namespace)
    const hold = this.#deps.ids.suffix(10)
    const wanted = wantedOf(namespace)
    return this.ledgers.change(
      tenant,
      {
        prepare: (book, prepare) => this.#know(book, key.project, prepare),
        apply: (book) => {
          const settled = book.namespace(key)
          if (settled !== undefined && settled.uid === namespace.metadata.uid && sameAmounts(settled.bound, wanted.bound)) return undefined
          this.#place(book, namespace, hold)
          return hold
        },
      },
      options,
    )
  }

  /** Keeps what a tenant or project would get, and what it would lose, while it is being written; undefined when that is so already. Throws QuotaExceeded when it does not fit. */
  holdScope(scope: Tenant | Project, options: Options): Promise<string | undefined> {
    const { tenant, record } = scopeRecordOf(scope, this.#nowMs())
    const hold = this.#deps.ids.suffix(10)
    return this.ledgers.change(
      tenant,
      {
        prepare: (book, prepare) => this.#know(book, record.parent, prepare),
        apply: (book) => {
          book.trial(() => this.#replaceScope(book, record))
          const settled = book.scope(record.project)
          if (settled !== undefined && settled.uid === record.uid && isSameQuota(settled, record) && settled.closed === record.closed) return undefined
          book.put({ ...record, hold })
          return hold
        },
      },
      options,
    )
  }

  /** The write has come to be: what was held is what it has. */
  async settleHeld(object: Tenant | Project | ProjectNamespace, hold: string, options: Options): Promise<void> {
    if (object.kind === projectNamespaceKind.kind) await this.#hardFor(object as ProjectNamespace, undefined, { ...options, hold })
    else await this.#settleScope(object as Tenant | Project, hold, options)
  }

  /** The write has failed. */
  async drop(object: Tenant | Project | ProjectNamespace, hold: string, options: Options): Promise<void> {
    const isNamespace = object.kind === projectNamespaceKind.kind
    const { tenant, key } = isNamespace ? keyOfNamespace(object as ProjectNamespace) : keyOfScope(object as Tenant | Project)
    await this.ledgers.change(tenant, { apply: (book) => removeHold(book, key, hold) }, options)
  }

  /** Takes out of a tenant's ledger what belongs to nothing any more: holds whose write is over, and records whose object is gone. Returns how many. */
  async sweep(tenant: string, isThere: (record: QuotaRecord, options: Options) => Promise<boolean>, options: Options): Promise<number> {
    await this.ledgers.sweepPages(tenant, options)
    const oldest = this.#nowMs() - graceMs
    const suspects = await this.ledgers.read(
      tenant,
      { apply: (book) => [...book.records()].filter(({ sinceMs, project, kind }) => sinceMs < oldest && !(kind === 'scope' && project === root)) },
      options,
    )
    const gone: QuotaRecord[] = []
    // Those below first: a project goes when nothing is left in it.
    for (const record of suspects.reverse()) if (record.hold !== '' || !(await isThere(record, options))) gone.push(record)
    if (gone.length === 0) return 0
    return this.ledgers.change(
      tenant,
      {
        apply(book) {
          let removed = 0
          for (const record of gone) {
            const now = record.kind === 'scope' ? book.scope(record.project) : book.namespace(record)
            if (record.hold === '' && (now?.uid !== record.uid || (record.kind === 'scope' && book.hasAnythingBelow(record.project)))) continue
            book.remove(record)
            removed++
          }
          return removed
        },
      },
      options,
    )
  }

  /** Undefined when there is none. */
  projectOf({ tenant, name }: { readonly tenant: string; readonly name: string }, options: Options): Promise<Project | undefined> {
    return findProject(this.#deps.hub, { tenant, project: name }, options)
  }

  async environmentShares(
    project: Project,
    environments: readonly Environment[],
    options: Options,
  ): Promise<ReadonlyMap<string, Record<string, string> | string>> {
    const { tenant, record } = scopeRecordOf(project, 0)
    try {
      return await this.#read(tenant, record.project, options, (book) => evenShares(book, project, environments))
    } catch (error) {
      // The project's own quota does not fit.
      if (!(error instanceof QuotaExceeded)) throw error
      return new Map(environments.map(({ name }) => [name, error.message]))
    }
  }

  /** What limits a project, and what is taken of that. */
  async view(project: Project, options: Options): Promise<QuotaView> {
    const { tenant, record } = scopeRecordOf(project, 0)
    return this.#read(tenant, record.project, options, (book) => {
      const closed = book.closed(record.project)
      const namespaces: { cluster: string; namespace: string; reserved: Record<string, string> }[] = []
      for (const one of book.namespacesBelow(record.project)) {
        if (one.project === record.project) namespaces.push({ cluster: one.cluster, namespace: one.namespace, reserved: listOf(one.reserved) })
        if (namespaces.length >= maxViewed) break
      }
      return {
        project: `${tenant}/${record.project}`,
        mode: book.modeOf(record.project),
        ...(closed === undefined ? {} : { closed }),
        limits: linesOf(book, record.project),
        namespaces,
      }
    })
  }

  /** What would be if the project, or a namespace in it, were as `wanted`. Nothing is kept. Throws Invalid for what cannot be read. */
  async check(project: Project, wanted: Project | ProjectNamespace, options: Options): Promise<QuotaCheck> {
    const { tenant, record } = scopeRecordOf(project, this.#nowMs())
    return this.#read(tenant, record.project, options, (book) => {
      try {
        return book.trial(() => {
          const hard = wanted.kind === projectNamespaceKind.kind ? this.#place(book, withProjectDefaults(wanted as ProjectNamespace, project), '') : undefined
          if (hard === undefined) this.#replaceScope(book, scopeRecordOf(wanted as Project, this.#nowMs()).record)
          return { fits: true, problems: [], limits: linesOf(book, record.project), ...(hard === undefined ? {} : { hard: listOf(hard) }) }
        })
      } catch (error) {
        if (!(error instanceof QuotaExceeded)) throw error
        const problems = error.details?.causes?.map(({ message = '' }) => message) ?? [error.message]
        return { fits: false, problems, limits: linesOf(book, record.project) }
      }
    })
  }

  /** What of every project's quota is taken and used, by project; the tenant's under the empty name. */
  async usageOf(
    tenant: string,
    usedBy: (uid: string) => Readonly<Record<string, string | number>> | undefined,
    options: Options,
  ): Promise<ReadonlyMap<string, ScopeUse>> {
    const turns = turnBudgetOn(this.#deps.clock)
    return usageOf(await this.#read(tenant, root, options, viewOf), { usedBy, pause: () => turns.pause() })
  }

  /** What the projects of a tenant have reserved and use now, by cluster and resource. */
  async usageSample(
    tenant: string,
    usedBy: (uid: string) => Readonly<Record<string, string | number>> | undefined,
    options: Options,
  ): Promise<readonly UsageSample[]> {
    const turns = turnBudgetOn(this.#deps.clock)
    return samplesOf(await this.#read(tenant, root, options, viewOf), { usedBy, pause: () => turns.pause() })
  }

  #read<T>(tenant: string, project: string, options: Options, look: (book: QuotaBook) => T): Promise<T> {
    return this.ledgers.read(tenant, { prepare: (book, prepare) => this.#know(book, project, prepare), apply: look }, options)
  }

  async #hardFor(
    namespace: ProjectNamespace,
    observed: Observed | undefined,
    { signal, hold = '' }: Options & { readonly hold?: string },
  ): Promise<QuotaOutcome> {
    const { tenant, key } = keyOfNamespace(namespace)
    const { uid = '' } = namespace.metadata
    const wanted = wantedOf(namespace)
    const inOwnWords = namesIn(namespace)
    try {
      return await this.ledgers.change(
        tenant,
        {
          prepare: (book, options) => this.#know(book, key.project, options),
          apply: (book, { isFresh }): QuotaOutcome => {
            removeHold(book, key, hold)
            const settled = book.namespace(key)
            if (settled !== undefined && settled.uid !== uid)
              throw new QuotaExceeded([
                `${book.nameOf(key.project)} cluster ${key.cluster}: namespace ${key.namespace} is kept for another ProjectNamespace, which is being removed`,
              ])
            const message =
              settled === undefined ? this.#settleNew(book, namespace, { key, ...wanted, hadHold: hold !== '' }) : this.#settleAgain(book, settled, wanted)
            if (observed !== undefined) this.#observe(book, key, { observed, isFresh, ...wanted })
            const { target, generation } = book.namespace(key) ?? { target: noAmounts, generation: 0 }
            const given = { hard: inOwnWords(listOf(target)), generation }
            return message === undefined ? { kind: 'Given', ...given } : { kind: 'Kept', ...given, message }
          },
        },
        { signal },
      )
    } catch (error) {
      if (error instanceof QuotaExceeded) return { kind: 'Refused', message: error.message }
      throw error
    }
  }

  /** Puts a namespace as it is wanted beside what it has; returns what it would get. Throws QuotaExceeded. */
  #place(book: QuotaBook, namespace: ProjectNamespace, hold: string): Amounts {
    const { key } = keyOfNamespace(namespace)
    const wanted = wantedOf(namespace)
    refuseClosed(book, key.project, false)
    const before = book.claimOf(key)
    const target = fit(book, key, { settled: book.namespace(key), ...wanted })
    book.put({ ...this.#newNamespace(book, key), hold, bound: wanted.bound, reserved: target, target })
    refuse(book.problemsOfNamespace(key, before))
    return target
  }

  #newNamespace(book: QuotaBook, key: NamespaceKey): Pick<NamespaceRecord, 'kind' | 'uid' | 'sinceMs' | 'generation' | keyof NamespaceKey> {
    return { kind: 'namespace', ...key, uid: '', sinceMs: this.#nowMs(), generation: book.nextGeneration(this.#nowMs()) }
  }

  /** Throws QuotaExceeded. */
  #settleNew(
    book: QuotaBook,
    { metadata, status }: ProjectNamespace,
    { key, hadHold, ...wanted }: Wanted & { readonly key: NamespaceKey; readonly hadHold: boolean },
  ): undefined {
    if (!hadHold) refuseClosed(book, key.project, status?.reserved !== undefined)
    const before = book.claimOf(key)
    const target = fit(book, key, { settled: undefined, ...wanted })
    book.put({ ...this.#newNamespace(book, key), uid: metadata.uid ?? '', hold: '', bound: wanted.bound, reserved: target, target })
    refuse(book.problemsOfNamespace(key, before))
    return undefined
  }

  /** Why what is wanted now does not fit; undefined: it does. */
  #settleAgain(book: QuotaBook, settled: NamespaceRecord, wanted: Wanted): string | undefined {
    const before = book.claimOf(settled)
    try {
      book.attempt(() => {
        const target = fit(book, settled, { settled, ...wanted })
        if (sameAmounts(settled.bound, wanted.bound) && sameAmounts(settled.target, target)) return
        refuseClosed(book, settled.project, sameAmounts(settled.bound, wanted.bound))
        this.#retarget(book, { ...settled, bound: wanted.bound }, target)
        refuse(book.problemsOfNamespace(settled, before))
      })
    } catch (error) {
      if (!(error instanceof QuotaExceeded)) throw error
      return error.message
    }
    return undefined
  }

  #retarget(book: QuotaBook, record: NamespaceRecord, target: Amounts): void {
    const isNews = !sameAmounts(record.target, target)
    const reserved = isNews ? onlyOf(target, largestOf(record.reserved, target)) : record.reserved
    book.put({ ...record, target, reserved, generation: isNews ? book.nextGeneration(this.#nowMs()) : record.generation })
  }

  /** Takes back what the cluster has confirmed to be lowered, and lets a share follow what is used. */
  #observe(book: QuotaBook, key: NamespaceKey, { observed, isFresh, ...wanted }: Wanted & { readonly observed: Observed; readonly isFresh: boolean }): void {
    const settled = book.namespace(key)
    if (settled === undefined) return
    if (observed.generation > settled.generation) {
      // What this process knows is old; or the ledger is, from a backup, and goes on behind what the cluster has seen.
      if (!isFresh)
        throw new StatusError(
          'Conflict',
          `the ledger that is known here is older than the ResourceQuota of namespace ${key.namespace} in cluster ${key.cluster}`,
        )
      const isOwn = observed.uid === settled.uid
      const reserved = isOwn ? largestOf(settled.reserved, onlyOf(settled.reserved, observed.hard)) : settled.reserved
      book.put({ ...settled, reserved, generation: Math.max(observed.generation + 1, book.nextGeneration(this.#nowMs())) })
      return
    }
    const { judged } = observed
    if (
      judged === undefined ||
      observed.uid !== settled.uid ||
      observed.generation !== settled.generation ||
      !isHard(observed.hard, settled.target) ||
      !isHard(judged.hard, settled.target)
    )
      return
    const reserved = smallestOf(settled.reserved, onlyOf(settled.target, largestOf(settled.target, onlyOf(settled.target, judged.used))))
    const confirmed: NamespaceRecord = sameAmounts(reserved, settled.reserved) ? settled : { ...settled, reserved }
    if (confirmed !== settled) book.put(confirmed)
    if (book.modeOf(key.project) !== 'Consumption') return
    const { share, isShort } = shareOf(book, key, { ...wanted, used: judged.used, target: confirmed.target })
    // What others have given back since may be enough.
    if (isShort && !isFresh)
      throw new StatusError('Conflict', `what is left for namespace ${key.namespace} in cluster ${key.cluster} may be more than is known here`)
    if (!sameAmounts(share, confirmed.target)) this.#retarget(book, confirmed, share)
  }

  async #settleScope(scope: Tenant | Project, hold: string, options: Options): Promise<string | undefined> {
    const { tenant, record } = scopeRecordOf(scope, this.#nowMs())
    try {
      await this.ledgers.change(
        tenant,
        {
          prepare: (book, prepare) => (isTenant(scope) ? Promise.resolve() : this.#know(book, record.parent, prepare)),
          apply: (book) => {
            removeHold(book, { project: record.project }, hold)
            this.#replaceScope(book, record)
          },
        },
        options,
      )
    } catch (error) {
      if (!(error instanceof QuotaExceeded)) throw error
      await this.#closeScope(tenant, record, options)
      return error.message
    }
    return undefined
  }

  /** That it is locked or suspended holds whether or not its quota fits. */
  async #closeScope(tenant: string, record: ScopeRecord, options: Options): Promise<void> {
    await this.ledgers.change(
      tenant,
      {
        apply(book) {
          const settled = book.scope(record.project)
          if (settled?.uid === record.uid && settled.closed !== record.closed) book.put({ ...settled, closed: record.closed })
        },
      },
      options,
    )
  }

  /** Throws QuotaExceeded. */
  #replaceScope(book: QuotaBook, record: ScopeRecord): void {
    const settled = book.scope(record.project)
    const isSame = settled !== undefined && isSameQuota(settled, record)
    if (!isSame) {
      const isLocked = settled?.closed !== undefined && record.closed !== undefined
      const closed = isLocked ? book.closed(record.project) : record.project === root ? undefined : book.closed(record.parent)
      if (closed !== undefined) throw new QuotaExceeded([closed])
    }
    if (isSame && settled.uid === record.uid && settled.closed === record.closed) return
    const before = book.claimOf({ project: record.project })
    book.put({ ...record, sinceMs: settled?.uid === record.uid ? settled.sinceMs : record.sinceMs })
    if (isSame) return
    // What namespaces below have follows from the limits and the mode above them.
    for (const namespace of book.namespacesBelow(record.project)) {
      const target = fit(book, namespace, { settled: namespace, bound: namespace.bound, headroom: noAmounts })
      if (!sameAmounts(target, namespace.target)) this.#retarget(book, namespace, target)
    }
    refuse(book.problemsOfScope(record.project, before))
  }

  /** Sees to it that the book knows a scope and those it stands in. Throws NotFound, or QuotaExceeded when the quota of one of them does not fit. */
  async #know(book: QuotaBook, project: string, options: Options): Promise<void> {
    if (book.hasScope(project)) return
    const { hub } = this.#deps
    const object = project === root ? await findTenant(hub, book.tenant, options) : await findProject(hub, { tenant: book.tenant, project }, options)
    if (object === undefined) throw new StatusError('NotFound', `there is no ${book.nameOf(project)}`)
    const { record } = scopeRecordOf(object, this.#nowMs())
    if (project !== root) await this.#know(book, record.parent, options)
    book.attempt(() => this.#replaceScope(book, record))
  }

  /** A ledger that is new, or has been lost: what there is counts, whether or not it fits. */
  async #begin(book: QuotaBook, options: Options): Promise<void> {
    const { hub } = this.#deps
    const tenant = await findTenant(hub, book.tenant, options)
    if (tenant === undefined) throw new StatusError('NotFound', `there is no tenant ${book.tenant}`)
    book.put(scopeRecordOf(tenant, this.#nowMs()).record)
    for await (const { project, namespaces } of everythingOf(hub, book.tenant, options)) {
      // One that cannot be read is refused by itself, and keeps nobody else.
      if (readable(() => book.put(scopeRecordOf(project, this.#nowMs()).record)) === false) continue
      for (const object of namespaces) readable(() => this.#takeOver(book, withProjectDefaults(object, project)))
    }
  }

  #takeOver(book: QuotaBook, object: ProjectNamespace): void {
    // What has nothing yet asks for it, as every new one does.
    const { reserved: given } = object.status ?? {}
    if (given === undefined) return
    const { key } = keyOfNamespace(object)
    const { bound } = wantedOf(object)
    const reserved = largestOf(readAmounts(given, 'status.reserved'), book.modeOf(key.project) === 'Allocation' ? bound : noAmounts)
    book.put({ ...this.#newNamespace(book, key), uid: object.metadata.uid ?? '', hold: '', bound, reserved, target: reserved })
  }

  #nowMs(): number {
    return this.#deps.clock.now().getTime()
  }
}

interface Wanted {
  readonly bound: Amounts
  readonly headroom: Amounts
}

function wantedOf({ spec }: ProjectNamespace): Wanted {
  return { bound: readAmounts(spec.quota, 'spec.quota'), headroom: readAmounts(spec.headroom, 'spec.headroom') }
}

/** What a namespace is to have: what it asks for, or in the mode Consumption the share that it has, within what it asks for. Throws QuotaExceeded. */
function fit(book: QuotaBook, key: NamespaceKey, { settled, bound, headroom }: Wanted & { readonly settled: NamespaceRecord | undefined }): Amounts {
  if (book.modeOf(key.project) === 'Allocation') return bound
  return shareOf(book, key, { used: undefined, bound, headroom, target: settled?.target }).share
}

function isSameQuota(a: ScopeRecord, b: ScopeRecord): boolean {
  return sameAmounts(a.limits, b.limits) && a.mode === b.mode && String(a.clusters) === String(b.clusters)
}

function onlyOf(keys: Amounts, amounts: Amounts): Amounts {
  return new Map([...amounts].filter(([resource]) => keys.has(resource)))
}

function keyOfScope(scope: Tenant | Project): { readonly tenant: string; readonly key: { readonly project: string } } {
  const { tenant, record } = scopeRecordOf(scope, 0)
  return { tenant, key: { project: record.project } }
}

function removeHold(book: QuotaBook, key: NamespaceKey | { readonly project: string }, hold: string): void {
  const held = book.holdsOf(key).find((record) => record.hold === hold)
  if (held !== undefined) book.remove(held)
}

/** False: what it was to read is Invalid. */
function readable(take: () => void): boolean {
  try {
    take()
    return true
  } catch (error) {
    if (!isReason(error, 'Invalid')) throw error
    return false
  }
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new QuotaExceeded(problems)
}

function refuseClosed(book: QuotaBook, project: string, isAsBefore: boolean): void {
  const closed = isAsBefore ? undefined : book.closed(project)
  if (closed !== undefined) throw new QuotaExceeded([closed])
}

/** Resources by the names that the object calls them: `requests.cpu` where that is written there. */
function namesIn({ spec }: ProjectNamespace): (hard: Record<string, string>) => Record<string, string> {
  const names = new Map(Object.keys(spec.quota ?? {}).map((written) => [canonicalResource(written), written]))
  return (hard) => Object.fromEntries(Object.entries(hard).map(([resource, amount]) => [names.get(resource) ?? resource, amount]))
}

function observedOf({ metadata, spec, status }: ResourceQuota): Observed {
  const generation = Number(metadata.annotations?.[generationAnnotation] ?? 0)
  return {
    uid: metadata.labels?.[tenancyLabels.uid] ?? '',
    generation: Number.isSafeInteger(generation) ? generation : 0,
    hard: readAmounts(spec?.hard, 'spec.hard'),
    judged: status?.hard === undefined ? undefined : { hard: readAmounts(status.hard, 'status.hard'), used: readAmounts(status.used, 'status.used') },
  }
}

async function write(
  member: KubeClient,
  {
    namespace,
    there,
    outcome,
  }: { readonly namespace: ProjectNamespace; readonly there: ResourceQuota | undefined; readonly outcome: Exclude<QuotaOutcome, { kind: 'Refused' }> },
  { signal }: Options,
): Promise<void> {
  const { hard, generation } = outcome
  const { tenant, key } = keyOfNamespace(namespace)
  const isNeeded = Object.keys(hard).length > 0
  if (there === undefined && !isNeeded) return
  const labels = {
    ...there?.metadata.labels,
    [tenancyLabels.managedBy]: 'gantry',
    [tenancyLabels.tenant]: tenant,
    [tenancyLabels.project]: key.project,
    [tenancyLabels.uid]: namespace.metadata.uid ?? '',
  }
  if (there !== undefined && !isNeeded) {
    const { resourceVersion = '', uid = '' } = there.metadata
    return member.delete(resourceQuotas, { namespace: key.namespace, name: quotaName }, { preconditions: { resourceVersion, uid }, signal })
  }
  const isSo =
    there !== undefined &&
    there.metadata.annotations?.[generationAnnotation] === String(generation) &&
    Object.entries(labels).every(([name, value]) => there.metadata.labels?.[name] === value) &&
    isHard(readAmounts(there.spec?.hard, 'spec.hard'), readAmounts(hard, 'hard'))
  if (isSo) return
  const object: ResourceQuota = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: {
      ...there?.metadata,
      namespace: key.namespace,
      name: quotaName,
      labels,
      annotations: { ...there?.metadata.annotations, [generationAnnotation]: String(generation) },
    },
    spec: { ...there?.spec, hard },
  }
  if (there === undefined) await member.create(resourceQuotas, object, { signal })
  else await member.update(resourceQuotas, object, { signal })
}
