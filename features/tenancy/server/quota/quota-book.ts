import { formatQuantity, StatusError, type Quantity } from '@gantry/apimachinery'
import {
  everywhere,
  isMore,
  largestOf,
  minus,
  namespaceCount,
  placeOf,
  plus,
  smaller,
  smallestOf,
  vectorOfNamespace,
  zero,
  type Amounts,
  type Vector,
} from './amounts.ts'

export type Mode = 'Allocation' | 'Consumption'

/** The name of the tenant among the scopes of its book. */
export const root = ''

/** What a tenant or project may have. With a `hold`: what a write that is under way would make of it. */
export interface ScopeRecord {
  readonly kind: 'scope'
  readonly project: string
  /** The project above, or the root. */
  readonly parent: string
  readonly uid: string
  readonly hold: string
  /** When it was made, in milliseconds of the epoch. */
  readonly sinceMs: number
  /** Undefined: that of the parent. */
  readonly mode: Mode | undefined
  readonly closed: 'locked' | 'suspended' | undefined
  /** In which clusters it may have something; undefined: where the parent may. */
  readonly clusters: readonly string[] | undefined
  readonly limits: Vector
}

/** What a namespace has. With a `hold`: what a write that is under way would have it get. */
export interface NamespaceRecord {
  readonly kind: 'namespace'
  readonly project: string
  readonly cluster: string
  readonly namespace: string
  readonly uid: string
  readonly hold: string
  readonly sinceMs: number
  /** Grows whenever `target` changes. */
  readonly generation: number
  /** What the object asks for; in the mode Consumption an upper bound. */
  readonly bound: Amounts
  /** What the cluster may hold to at most: more than `target` until it has confirmed that it has been lowered. */
  readonly reserved: Amounts
  readonly target: Amounts
}

export type QuotaRecord = ScopeRecord | NamespaceRecord

/** The settled record of one scope or namespace, and the holds of writes under way. */
interface Entry<R> {
  settled: R | undefined
  readonly holds: Map<string, R>
  /** What counts: the largest of all its records. */
  claim: Vector
}

interface Totals {
  readonly parent: string
  /** What its own namespaces and the projects below it are given: what counts in the mode Allocation. */
  readonly given: Map<string, Quantity>
  /** What all namespaces below may use at most: what counts in the mode Consumption. */
  readonly below: Map<string, Quantity>
  readonly namespaces: Set<string>
  readonly children: Set<string>
}

/** That something does not fit: HTTP 403, as Kubernetes answers where a ResourceQuota is exceeded. */
export class QuotaExceeded extends StatusError {
  constructor(problems: readonly string[]) {
    const more = problems.length > maxProblems ? `; and ${problems.length - maxProblems} more` : ''
    super('Forbidden', `${problems.slice(0, maxProblems).join('; ')}${more}`, {
      details: { causes: problems.slice(0, maxProblems).map((message) => ({ reason: 'QuotaExceeded', message })) },
    })
  }
}

const maxProblems = 5
const maxDepth = 32
const none: Vector = new Map()

/**
 * All that is reserved of one tenant's quotas, with running sums, so that a change costs what it touches and not what there is. Nothing is written here: who changes it does so in an
 * `attempt`, which leaves no trace when it fails.
 */
export class QuotaBook {
  readonly tenant: string
  readonly #scopes = new Map<string, Entry<ScopeRecord>>()
  readonly #namespaces = new Map<string, Entry<NamespaceRecord>>()
  readonly #totals = new Map<string, Totals>()
  #undo: (() => void)[] | undefined
  /** What `attempt` has changed since the last `takeChanges`, to be taken back. */
  #done: (() => void)[] = []
  #lastGeneration = 0
  #changed = new Map<string, QuotaRecord | undefined>()

  constructor(tenant: string) {
    this.tenant = tenant
  }

  /** Runs `change`; when it throws, everything is as before. */
  attempt<T>(change: () => T): T {
    const outer = this.#undo
    const steps: (() => void)[] = []
    this.#undo = steps
    try {
      const result = change()
      for (const step of steps) (outer ?? this.#done).push(step)
      return result
    } catch (error) {
      this.#undo = undefined
      for (const step of steps.reverse()) step()
      throw error
    } finally {
      this.#undo = outer
    }
  }

  /** What `change` would bring, without making it. */
  trial<T>(change: () => T): T {
    const kept: { result?: { readonly value: T } } = {}
    try {
      this.attempt(() => {
        kept.result = { value: change() }
        throw trialOver
      })
    } catch (error) {
      if (error !== trialOver) throw error
    }
    if (kept.result === undefined) throw new Error('a trial ended without a result')
    return kept.result.value
  }

  /** Records by id as they are to be written; undefined: gone. Empty: nothing has changed since the last `takeChanges`. */
  get changes(): ReadonlyMap<string, QuotaRecord | undefined> {
    return this.#changed
  }

  takeChanges(): ReadonlyMap<string, QuotaRecord | undefined> {
    const taken = this.#changed
    this.#changed = new Map()
    this.#done = []
    return taken
  }

  /** As it was at the last `takeChanges`, but for what has been put outside of every `attempt`. */
  undoChanges(): void {
    for (const step of this.#done.reverse()) step()
    this.#done = []
  }

  /** A number for what is given from now on: larger than all before, also than those of a ledger that has been lost. */
  nextGeneration(nowMs: number): number {
    return Math.max(this.#lastGeneration + 1, nowMs)
  }

  hasScope(project: string): boolean {
    return this.#scopes.has(project)
  }

  scope(project: string): ScopeRecord | undefined {
    return this.#scopes.get(project)?.settled
  }

  namespace(key: NamespaceKey): NamespaceRecord | undefined {
    return this.#namespaces.get(namespaceId(key))?.settled
  }

  /** By the id that `recordId` gives. */
  recordOf(id: string): QuotaRecord | undefined {
    const { kind, entry: key, hold } = partsOf(id)
    const entry: Entry<QuotaRecord> | undefined = kind === 'scope' ? this.#scopes.get(key) : this.#namespaces.get(key)
    return hold === '' ? entry?.settled : entry?.holds.get(hold)
  }

  removeById(id: string): void {
    const record = this.recordOf(id)
    if (record !== undefined) this.remove(record)
  }

  *records(): IterableIterator<QuotaRecord> {
    for (const entries of [this.#scopes, this.#namespaces])
      for (const { settled, holds } of entries.values()) {
        if (settled !== undefined) yield settled
        yield* holds.values()
      }
  }

  /** Settled namespaces in this scope and in all below. */
  *namespacesBelow(project: string): IterableIterator<NamespaceRecord> {
    for (const scope of this.scopesBelow(project))
      for (const id of this.#totals.get(scope)?.namespaces ?? []) {
        const settled = this.#namespaces.get(id)?.settled
        if (settled !== undefined) yield settled
      }
  }

  *scopesBelow(project: string): IterableIterator<string> {
    yield project
    for (const child of this.#totals.get(project)?.children ?? []) yield* this.scopesBelow(child)
  }

  hasAnythingBelow(project: string): boolean {
    const totals = this.#totals.get(project)
    return totals !== undefined && (totals.namespaces.size > 0 || totals.children.size > 0)
  }

  /** Replaces the record of the same scope or namespace and hold. A scope stands before what is in it. */
  put(record: QuotaRecord): void {
    if (record.kind === 'scope') {
      this.#write(this.#scopes, record.project, { hold: record.hold, record })
      return
    }
    this.#lastGeneration = Math.max(this.#lastGeneration, record.generation)
    this.#write(this.#namespaces, namespaceId(record), { hold: record.hold, record })
  }

  remove(record: QuotaRecord): void {
    if (record.kind === 'scope') this.#write(this.#scopes, record.project, { hold: record.hold, record: undefined })
    else this.#write(this.#namespaces, namespaceId(record), { hold: record.hold, record: undefined })
  }

  /** The holds of a scope or namespace: of writes under way. */
  holdsOf(of: ScopeKey | NamespaceKey): readonly QuotaRecord[] {
    const entry = 'namespace' in of ? this.#namespaces.get(namespaceId(of)) : this.#scopes.get(of.project)
    return [...(entry?.holds.values() ?? [])]
  }

  /** What is kept for the whole scope or namespace. */
  claimOf(of: ScopeKey | NamespaceKey): Vector {
    return ('namespace' in of ? this.#namespaces.get(namespaceId(of)) : this.#scopes.get(of.project))?.claim ?? none
  }

  /** From a project up to the tenant, both included. */
  chain(project: string): readonly string[] {
    const chain = [project]
    for (let scope = project; scope !== root;) {
      const totals = this.#totals.get(scope)
      if (totals === undefined || chain.length > maxDepth)
        throw new StatusError('Invalid', `${this.nameOf(project)} stands in nothing that is known, or more than ${maxDepth} deep`)
      scope = totals.parent
      chain.push(scope)
    }
    return chain
  }

  modeOf(project: string): Mode {
    for (const scope of this.chain(project)) {
      const { mode } = this.#current(scope) ?? {}
      if (mode !== undefined) return mode
    }
    return 'Allocation'
  }

  /** Why nothing can be made in a scope; undefined: it can. */
  closed(project: string): string | undefined {
    for (const scope of this.chain(project)) {
      const { closed } = this.#current(scope) ?? {}
      if (closed !== undefined) return `${this.nameOf(scope)} is ${closed}: nothing of it can be made or changed until that is lifted`
    }
    return undefined
  }

  /** The limits in force: while one is being changed the stricter of both. */
  limitsOf(project: string): Vector {
    const entry = this.#scopes.get(project)
    return entry === undefined ? none : smallestOf(...recordsOf(entry).map(({ limits }) => limits))
  }

  /** What of a scope's limits is taken, as its mode counts. */
  takenOf(project: string): Vector {
    return this.#load(project) ?? none
  }

  /** What all namespaces below a scope may use at most. */
  belowOf(project: string): Vector {
    return this.#totals.get(project)?.below ?? none
  }

  nameOf(project: string): string {
    return project === root ? `tenant ${this.tenant}` : `project ${this.tenant}/${project}`
  }

  /** The limits that a namespace's share comes from: those of scopes that count what is used. By resource, with what is left of the tightest, its own included. */
  roomOf(key: NamespaceKey): ReadonlyMap<string, { readonly room: Quantity; readonly limit: Quantity }> {
    const claim = this.claimOf(key)
    const rooms = new Map<string, { room: Quantity; limit: Quantity }>()
    for (const scope of this.chain(key.project)) {
      if (this.modeOf(scope) !== 'Consumption') continue
      const below = this.belowOf(scope)
      for (const [place, limit] of this.limitsOf(scope)) {
        if (!isAbout(place, key.cluster) || place === namespaceCount) continue
        const { resource } = placeOf(place)
        const room = minus(limit, minus(below.get(place) ?? zero, claim.get(place) ?? zero))
        const known = rooms.get(resource)
        rooms.set(resource, known === undefined ? { room, limit } : { room: smaller(room, known.room), limit: smaller(limit, known.limit) })
      }
    }
    return rooms
  }

  /** What is wrong with what a namespace takes now, where it is more than `before`. */
  problemsOfNamespace(key: NamespaceKey, before: Vector): readonly string[] {
    const problems: string[] = []
    const claim = this.claimOf(key)
    let through: { readonly name: string; readonly claim: Vector } | undefined
    for (const scope of this.chain(key.project)) {
      const counts = this.modeOf(scope) === 'Consumption' || through === undefined
      const load = this.#load(scope) ?? none
      for (const [place, limit] of this.limitsOf(scope)) {
        if (!isAbout(place, key.cluster)) continue
        const what = `${this.nameOf(key.project)} ${inWords(place, key.cluster)}`
        if (!counts) {
          if (through?.claim.has(place) === false)
            problems.push(`${what}: limited by ${this.nameOf(scope)}, but ${through.name} has no quota for it: set it there`)
          continue
        }
        const want = claim.get(place)
        if (want === undefined)
          problems.push(
            `${what}: not set, but ${this.#limit(scope, place)}: set it in spec.quota of the namespace, or in spec.namespaceDefaultQuota of the project`,
          )
        else if (isMore(want, before.get(place) ?? zero) && isMore(load.get(place) ?? zero, limit))
          problems.push(this.#tooMuch(what, { want, load: load.get(place) ?? zero, scope, place }))
      }
      through = { name: this.nameOf(scope), claim: this.claimOf({ project: scope }) }
    }
    return problems
  }

  /** What is wrong with the limits of a scope: above it, where it is given more than `before`, and below, where more is taken. */
  problemsOfScope(project: string, before: Vector): readonly string[] {
    const problems = project === root ? [] : this.#problemsAbove(project, before)
    for (const scope of this.#following(project)) problems.push(...this.#problemsBelow(scope))
    return problems
  }

  /** A scope and those below that take its mode. */
  *#following(project: string): IterableIterator<string> {
    yield project
    for (const child of this.#totals.get(project)?.children ?? []) if (this.#current(child)?.mode === undefined) yield* this.#following(child)
  }

  #problemsAbove(project: string, before: Vector): string[] {
    const problems: string[] = []
    const parent = this.#totals.get(project)?.parent ?? root
    if (this.modeOf(parent) === 'Consumption') return problems
    const claim = this.claimOf({ project })
    const load = this.#load(parent) ?? none
    for (const [place, limit] of this.limitsOf(parent)) {
      const what = `${this.nameOf(project)} ${inWords(place)}`
      const want = claim.get(place)
      if (want === undefined) {
        if (!this.#isElsewhere(project, place)) problems.push(`${what}: not set, but ${this.#limit(parent, place)}: set it in spec.quota`)
      } else if (isMore(want, before.get(place) ?? zero) && isMore(load.get(place) ?? zero, limit))
        problems.push(this.#tooMuch(what, { want, load: load.get(place) ?? zero, scope: parent, place }))
    }
    return problems
  }

  #problemsBelow(scope: string): string[] {
    const problems: string[] = []
    const load = this.#load(scope) ?? none
    const isAllocation = this.modeOf(scope) === 'Allocation'
    const limits = this.limitsOf(scope)
    for (const [place, limit] of limits) {
      const taken = load.get(place) ?? zero
      if (isMore(taken, limit))
        problems.push(
          `${this.nameOf(scope)} ${inWords(place)}: limit ${formatQuantity(limit)} is less than the ${formatQuantity(taken)} reserved below it${this.#largest(scope, place)}`,
        )
      if (isAllocation) {
        for (const child of this.#totals.get(scope)?.children ?? [])
          if (!this.claimOf({ project: child }).has(place) && !this.#isElsewhere(child, place))
            problems.push(`${this.nameOf(scope)} ${inWords(place)}: ${this.nameOf(child)} has no quota for it: set it there first`)
      }
      for (const id of this.#namespaceIds(scope, isAllocation)) {
        const entry = this.#namespaces.get(id)
        const record = entry === undefined ? undefined : recordsOf(entry)[0]
        if (entry !== undefined && record !== undefined && isAbout(place, record.cluster) && !entry.claim.has(place))
          problems.push(
            `${this.nameOf(scope)} ${inWords(place)}: namespace ${record.cluster}/${record.namespace} of ${this.nameOf(record.project)} does not set it: set it there first`,
          )
      }
    }
    return problems
  }

  *#namespaceIds(scope: string, ownOnly: boolean): IterableIterator<string> {
    if (ownOnly) yield* this.#totals.get(scope)?.namespaces ?? []
    else for (const below of this.scopesBelow(scope)) yield* this.#totals.get(below)?.namespaces ?? []
  }

  /** Whether a place is a cluster in which a project has nothing. */
  #isElsewhere(project: string, place: string): boolean {
    const { cluster } = placeOf(place)
    if (cluster === everywhere || place === namespaceCount) return false
    const { clusters } = this.#current(project) ?? {}
    return clusters !== undefined && !clusters.includes('*') && !clusters.includes(cluster)
  }

  #load(scope: string): Vector | undefined {
    const totals = this.#totals.get(scope)
    return this.modeOf(scope) === 'Consumption' ? totals?.below : totals?.given
  }

  #tooMuch(
    what: string,
    { want, load, scope, place }: { readonly want: Quantity; readonly load: Quantity; readonly scope: string; readonly place: string },
  ): string {
    const limit = this.limitsOf(scope).get(place) ?? zero
    const left = minus(limit, minus(load, want))
    return `${what}: want ${formatQuantity(want)}, free ${inDecimals(left.unscaled < 0n ? zero : left)} (${this.#limit(scope, place)})`
  }

  #limit(scope: string, place: string): string {
    const { cluster } = placeOf(place)
    const where = cluster === everywhere || place === namespaceCount ? '' : ` in cluster ${cluster}`
    return `limit ${formatQuantity(this.limitsOf(scope).get(place) ?? zero)} of ${this.nameOf(scope)}${where}`
  }

  #largest(scope: string, place: string): string {
    const takers: { readonly name: string; readonly amount: Quantity }[] = []
    const totals = this.#totals.get(scope)
    const isAllocation = this.modeOf(scope) === 'Allocation'
    if (isAllocation)
      for (const child of totals?.children ?? []) takers.push({ name: this.nameOf(child), amount: this.claimOf({ project: child }).get(place) ?? zero })
    for (const id of this.#namespaceIds(scope, isAllocation))
      takers.push({ name: `namespace ${id.slice(id.indexOf(' ') + 1)}`, amount: this.#namespaces.get(id)?.claim.get(place) ?? zero })
    const most = takers.filter(({ amount }) => amount.unscaled > 0n).sort((a, b) => (isMore(b.amount, a.amount) ? 1 : -1))
    return most.length === 0
      ? ''
      : ` (most by ${most
          .slice(0, 3)
          .map(({ name, amount }) => `${name}: ${formatQuantity(amount)}`)
          .join(', ')})`
  }

  /** What holds of a scope: the settled record, or that of the write that makes it. */
  #current(scope: string): ScopeRecord | undefined {
    const entry = this.#scopes.get(scope)
    return entry === undefined ? undefined : recordsOf(entry)[0]
  }

  #write<R extends QuotaRecord>(entries: Map<string, Entry<R>>, id: string, { hold, record }: { readonly hold: string; readonly record: R | undefined }): void {
    const entry: Entry<R> = entries.get(id) ?? { settled: undefined, holds: new Map(), claim: none }
    const old = hold === '' ? entry.settled : entry.holds.get(hold)
    if (old === undefined && record === undefined) return
    const whose = record ?? old
    if (whose === undefined) return
    const changeId = recordId(whose)
    const before = { claim: entry.claim, hadChange: this.#changed.has(changeId), change: this.#changed.get(changeId) }
    this.#undo?.push(() => {
      this.#place(entries, { id, entry, hold, record: old, kind: whose })
      if (before.hadChange) this.#changed.set(changeId, before.change)
      else this.#changed.delete(changeId)
    })
    this.#place(entries, { id, entry, hold, record, kind: whose })
    this.#changed.set(changeId, record)
  }

  #place<R extends QuotaRecord>(
    entries: Map<string, Entry<R>>,
    {
      id,
      entry,
      hold,
      record,
      kind,
    }: { readonly id: string; readonly entry: Entry<R>; readonly hold: string; readonly record: R | undefined; readonly kind: QuotaRecord },
  ): void {
    if (hold === '') entry.settled = record
    else if (record === undefined) entry.holds.delete(hold)
    else entry.holds.set(hold, record)
    const isGone = entry.settled === undefined && entry.holds.size === 0
    const claim = isGone ? none : largestOf(...recordsOf(entry).map(claimOfRecord))
    if (!isGone) entries.set(id, entry)
    // A scope is known before something is counted in it, and until nothing is.
    const inside = kind.kind === 'scope' ? kind.parent : kind.project
    if (kind.kind === 'scope' && !isGone && !this.#totals.has(kind.project))
      this.#totals.set(kind.project, { parent: kind.parent, given: new Map(), below: new Map(), namespaces: new Set(), children: new Set() })
    if (kind.kind === 'namespace' || kind.project !== root) {
      const totals = this.#totals.get(inside)
      if (totals === undefined) throw new StatusError('Invalid', `${this.nameOf(inside)} is not in the quota ledger of tenant ${this.tenant}`)
      const members = kind.kind === 'scope' ? totals.children : totals.namespaces
      if (isGone) members.delete(id)
      else members.add(id)
      shift(totals.given, entry.claim, claim)
      if (kind.kind === 'namespace') for (const scope of this.chain(inside)) shift(this.#totals.get(scope)?.below ?? new Map(), entry.claim, claim)
    }
    entry.claim = claim
    if (isGone) {
      entries.delete(id)
      if (kind.kind === 'scope' && !this.hasAnythingBelow(kind.project)) this.#totals.delete(kind.project)
    }
  }
}

export interface NamespaceKey {
  readonly project: string
  readonly cluster: string
  readonly namespace: string
}

export interface ScopeKey {
  readonly project: string
}

const trialOver = new Error('the trial is over')

/** One text for each record that a book can hold. */
export function recordId(record: QuotaRecord): string {
  return idOf(record.kind, record.kind === 'scope' ? record.project : namespaceId(record), record.hold)
}

/** `entry`: the name of the project, or `<project> <cluster>/<namespace>`. */
export const idOf = (kind: QuotaRecord['kind'], entry: string, hold: string): string => `${kind} ${entry} ${hold}`

// No name holds a space.
function partsOf(id: string): { readonly kind: string; readonly entry: string; readonly hold: string } {
  const [first, last] = [id.indexOf(' '), id.lastIndexOf(' ')]
  return { kind: id.slice(0, first), entry: id.slice(first + 1, last), hold: id.slice(last + 1) }
}

function namespaceId({ project, cluster, namespace }: NamespaceKey): string {
  return `${project} ${cluster}/${namespace}`
}

function recordsOf<R>({ settled, holds }: Entry<R>): readonly R[] {
  return settled === undefined ? [...holds.values()] : holds.size === 0 ? [settled] : [settled, ...holds.values()]
}

function claimOfRecord(record: QuotaRecord): Vector {
  return record.kind === 'scope' ? record.limits : vectorOfNamespace(record.cluster, record.reserved)
}

/** Whether a limit there is one for what is in this cluster. */
function isAbout(place: string, cluster: string): boolean {
  const where = placeOf(place).cluster
  return where === everywhere || place === namespaceCount || where === cluster
}

function inWords(place: string, inCluster?: string): string {
  if (place === namespaceCount) return 'namespaces'
  const { cluster, resource } = placeOf(place)
  const where = inCluster ?? cluster
  return where === everywhere ? resource : `cluster ${where} ${resource}`
}

/** `1.5` rather than `1500m`: people read it. */
function inDecimals(amount: Quantity): string {
  const text = formatQuantity(amount)
  const milli = /^(-?)(\d+)m$/.exec(text)
  return milli === null ? text : `${milli[1]}${String(Number(milli[2]) / 1_000)}`
}

function shift(totals: Map<string, Quantity>, before: Vector, after: Vector): void {
  for (const [key, amount] of before) {
    const next = after.get(key)
    if (next === amount) continue
    const sum = minus(totals.get(key) ?? zero, next === undefined ? amount : minus(amount, next))
    if (sum.unscaled === 0n) totals.delete(key)
    else totals.set(key, sum)
  }
  for (const [key, amount] of after) if (!before.has(key)) totals.set(key, plus(totals.get(key) ?? zero, amount))
}
