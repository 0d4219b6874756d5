import { isReason, StatusError } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { turnBudgetOn, type Clock, type Ids } from '@gantry/runtime'
import { quotaLedgerKind, tenantNamespace, type QuotaLedger } from '../../api/index.ts'
import { lineOf, recordOf } from './ledger-lines.ts'
import { QuotaBook, recordId, root, type QuotaRecord } from './quota-book.ts'

export interface LedgersDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  /** Fills the book of a tenant that has no ledger yet, from what there is. */
  readonly begin: (book: QuotaBook, options: { readonly signal: AbortSignal }) => Promise<void>
}

export interface LedgersOptions {
  readonly maxEntries?: number | undefined
  readonly maxBytes?: number | undefined
}

/** One change of a book. `prepare` may ask the hub for what `apply` needs; `apply` throws when it does not fit; `isFresh`: the ledger has just been read. Both may run several times. */
export interface Change<T> {
  readonly prepare?: (book: QuotaBook, options: { readonly signal: AbortSignal }) => Promise<void>
  readonly apply: (book: QuotaBook, how: { readonly isFresh: boolean }) => T
}

interface Waiting {
  readonly change: Change<unknown>
  readonly signal: AbortSignal
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

interface Ledger {
  readonly tenant: string
  waiting: Waiting[]
  isBusy: boolean
  /** Halved by each write that succeeds, doubled by each that does not. */
  courtesyMs: number
  usedMs: number
  /** As last read or written here; undefined: to be read. */
  known: Known | undefined
}

interface Known {
  readonly book: QuotaBook
  /** By kind, name and hold, in the order of the object. */
  readonly lines: ReadonlyMap<string, string>
  /** Undefined: there is no ledger yet. */
  readonly object: QuotaLedger['metadata'] | undefined
  readonly bytes: number
}

const maxTries = 40
const firstPauseMs = 4
const longestPauseMs = 500
/** Between two writes a gateway leaves time to others, the more the more often they were quicker: whoever has just lost would otherwise always lose. */
const leastCourtesyMs = 10
const longestCourtesyMs = 1_000
/** Changes that wait for one tenant, and those of them that are written together. */
const maxWaiting = 1_000
const atOnce = 64
/** Tenants whose books are kept between changes. */
const maxKept = 64
// etcd takes 1.5 MiB at most, managed fields and all.
const ledgerBytes = 1_400_000
const ledgerEntries = 10_000
const linesBetweenPauses = 100

/**
 * The quota ledgers of all tenants. A change is made on the book as this process knows it and written with the resource version that was read: when somebody else was quicker,
 * the hub says Conflict, and it is judged anew on what is there now. Changes that wait in this process go in one write. A refusal is never said from what may be old.
 */
export class Ledgers {
  readonly #deps: LedgersDeps
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #ledgers = new Map<string, Ledger>()
  /** How often the hub was asked to write, and how often somebody else had been quicker. */
  readonly counts: { writes: number; conflicts: number } = { writes: 0, conflicts: 0 }

  constructor(deps: LedgersDeps, options: LedgersOptions = {}) {
    this.#deps = deps
    this.#maxEntries = options.maxEntries ?? ledgerEntries
    this.#maxBytes = options.maxBytes ?? ledgerBytes
  }

  /** Makes a change and writes it. Throws what `apply` throws, Conflict when others were quicker every time, TooManyRequests when a thousand wait already. */
  change<T>(tenant: string, change: Change<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> {
    const ledger = this.#ledger(tenant)
    if (ledger.waiting.length >= maxWaiting)
      throw new StatusError('TooManyRequests', `${maxWaiting} changes of the quotas of tenant ${tenant} are waiting already`, {
        details: { retryAfterSeconds: 1 },
      })
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    ledger.waiting.push({ change, signal, resolve, reject })
    if (!ledger.isBusy) void this.#work(ledger)
    return promise as Promise<T>
  }

  /** Reads the ledger as it is now and looks at it. Nothing that `look` does is written. */
  async read<T>(tenant: string, look: Change<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> {
    const { book } = await this.#load(tenant, signal)
    await look.prepare?.(book, { signal })
    return look.apply(book, { isFresh: true })
  }

  #ledger(tenant: string): Ledger {
    let ledger = this.#ledgers.get(tenant)
    if (ledger === undefined) this.#ledgers.set(tenant, (ledger = { tenant, waiting: [], isBusy: false, courtesyMs: 0, usedMs: 0, known: undefined }))
    ledger.usedMs = this.#deps.clock.monotonicMs()
    if (this.#ledgers.size > maxKept) this.#forgetOldest()
    return ledger
  }

  #forgetOldest(): void {
    let oldest: Ledger | undefined
    for (const ledger of this.#ledgers.values())
      if (!ledger.isBusy && ledger.waiting.length === 0 && ledger.usedMs < (oldest?.usedMs ?? Number.POSITIVE_INFINITY)) oldest = ledger
    if (oldest !== undefined) this.#ledgers.delete(oldest.tenant)
  }

  async #work(ledger: Ledger): Promise<void> {
    ledger.isBusy = true
    while (ledger.waiting.length > 0) {
      const together = ledger.waiting.splice(0, atOnce).filter(({ signal, reject }) => {
        if (signal.aborted) reject(signal.reason)
        return !signal.aborted
      })
      await this.#settleTogether(ledger, together)
      if (ledger.courtesyMs >= leastCourtesyMs) await this.#deps.clock.sleep(this.#deps.ids.random() * ledger.courtesyMs)
    }
    ledger.isBusy = false
  }

  async #settleTogether(ledger: Ledger, together: readonly Waiting[]): Promise<void> {
    try {
      if (together.length > 0 && (await this.#changeTogether(ledger, together))) return
    } catch (error) {
      // What has become of the write is not known: it is read again.
      ledger.known = undefined
      for (const { reject } of together) reject(error)
      return
    }
    // Together they are too long for the ledger: one by one, so that the last that fits still gets in.
    for (const one of together) await this.#settleTogether(ledger, [one])
  }

  /** False: too much for the ledger, and nothing has been done. */
  async #changeTogether(ledger: Ledger, together: readonly Waiting[]): Promise<boolean> {
    const { signal } = new AbortController()
    let isFresh = false
    for (let tries = 1; ;) {
      if (ledger.known === undefined) {
        ledger.known = await this.#load(ledger.tenant, signal)
        isFresh = true
      }
      const { known } = ledger
      const done: (() => void)[] = []
      let isRefused = false
      for (const { change, resolve, reject } of together) {
        try {
          await change.prepare?.(known.book, { signal })
          const value = known.book.attempt(() => change.apply(known.book, { isFresh }))
          done.push(() => resolve(value))
        } catch (error) {
          isRefused = true
          done.push(() => reject(error))
        }
      }
      if (isRefused && !isFresh) {
        ledger.known = undefined
        continue
      }
      if (known.book.changes.size === 0) {
        for (const tell of done) tell()
        return true
      }
      const next = withChanges(known)
      if ((next.lines.size > this.#maxEntries && next.lines.size > known.lines.size) || (next.bytes > this.#maxBytes && next.bytes > known.bytes)) {
        ledger.known = undefined
        if (together.length > 1) return false
        throw this.#full(ledger.tenant, known)
      }
      if (await this.#write(ledger, { known, next }, signal)) {
        ledger.courtesyMs /= 2
        for (const tell of done) tell()
        return true
      }
      isFresh = false
      ledger.known = undefined
      ledger.courtesyMs = Math.min(longestCourtesyMs, Math.max(leastCourtesyMs, ledger.courtesyMs) * 2)
      if (tries++ >= maxTries)
        throw new StatusError('Conflict', `the quotas of tenant ${ledger.tenant} are being changed by others: ${maxTries} tries were too late, ask again`)
      await this.#deps.clock.sleep(this.#deps.ids.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 6)), { signal })
    }
  }

  #full(tenant: string, { lines, bytes }: Known): StatusError {
    const most = `${this.#maxEntries} entries and ${this.#maxBytes} bytes`
    return new StatusError(
      'Forbidden',
      `the quota ledger of tenant ${tenant} is full: it has ${lines.size} entries in ${bytes} bytes, and can have ${most}; delete namespaces or projects, or make a second tenant`,
    )
  }

  async #load(tenant: string, signal: AbortSignal): Promise<Known> {
    const turns = turnBudgetOn(this.#deps.clock)
    const book = new QuotaBook(tenant)
    let object: QuotaLedger
    try {
      object = await this.#deps.hub.get<QuotaLedger>(quotaLedgerKind.ref, { namespace: tenantNamespace(tenant), name: tenant }, { signal })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      await this.#deps.begin(book, { signal })
      return { book, lines: new Map(), object: undefined, bytes: 0 }
    }
    const lines = new Map<string, string>()
    const scopes: QuotaRecord[] = []
    const namespaces: QuotaRecord[] = []
    let bytes = 0
    try {
      for (const [index, line] of object.spec.entries.entries()) {
        const record = recordOf(line)
        ;(record.kind === 'scope' ? scopes : namespaces).push(record)
        lines.set(recordId(record), line)
        bytes += line.length
        if (index % linesBetweenPauses === 0) await turns.pause()
      }
      for (const scope of downwards(scopes)) book.put(scope)
      for (const [index, namespace] of namespaces.entries()) {
        book.put(namespace)
        if (index % linesBetweenPauses === 0) await turns.pause()
      }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      throw new StatusError(
        'InternalError',
        `the quota ledger of tenant ${tenant} cannot be read: ${error.message}. Delete the object quotaledgers/${tenant} in ${tenantNamespace(tenant)}: it is made anew from the projects and namespaces`,
        { cause: error },
      )
    }
    book.takeChanges()
    return { book, lines, object: object.metadata, bytes }
  }

  /** False: somebody else was quicker. */
  async #write(
    ledger: Ledger,
    { known, next }: { readonly known: Known; readonly next: Pick<Known, 'lines' | 'bytes'> },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { hub } = this.#deps
    const { resourceVersion, uid } = known.object ?? {}
    const object: QuotaLedger = {
      apiVersion: quotaLedgerKind.apiVersion,
      kind: quotaLedgerKind.kind,
      metadata: {
        namespace: tenantNamespace(ledger.tenant),
        name: ledger.tenant,
        ...(resourceVersion === undefined || uid === undefined ? {} : { resourceVersion, uid }),
      },
      spec: { entries: [...next.lines.values()] },
    }
    this.counts.writes++
    try {
      const { metadata } =
        known.object === undefined ? await hub.create(quotaLedgerKind.ref, object, { signal }) : await hub.update(quotaLedgerKind.ref, object, { signal })
      known.book.takeChanges()
      ledger.known = { book: known.book, ...next, object: metadata }
      return true
    } catch (error) {
      // Gone since it was read: made anew from what there is.
      if (!isReason(error, 'Conflict') && !isReason(error, 'AlreadyExists') && !(known.object !== undefined && isReason(error, 'NotFound'))) throw error
      this.counts.conflicts++
      return false
    }
  }
}

function withChanges({ book, lines, bytes }: Known): Pick<Known, 'lines' | 'bytes'> {
  const next = { lines: new Map(lines), bytes }
  for (const [id, record] of book.changes) {
    next.bytes -= next.lines.get(id)?.length ?? 0
    if (record === undefined) next.lines.delete(id)
    else {
      const line = lineOf(record)
      next.lines.set(id, line)
      next.bytes += line.length
    }
  }
  return next
}

/** Each scope after the one it stands in. Throws Invalid when one stands in none. */
function downwards(scopes: readonly QuotaRecord[]): readonly QuotaRecord[] {
  const inside = new Map<string, QuotaRecord[]>()
  const sorted: QuotaRecord[] = []
  for (const scope of scopes) {
    if (scope.kind !== 'scope') continue
    const siblings = scope.project === root ? sorted : (inside.get(scope.parent) ?? [])
    siblings.push(scope)
    if (scope.project !== root) inside.set(scope.parent, siblings)
  }
  const reached = new Set<string>()
  for (let index = 0; index < sorted.length; index++) {
    const { project = root } = sorted[index] ?? {}
    if (reached.has(project)) continue
    reached.add(project)
    sorted.push(...(inside.get(project) ?? []))
  }
  if (sorted.length < scopes.length) throw new StatusError('Invalid', 'a project in it stands in none that is in it')
  return sorted
}
