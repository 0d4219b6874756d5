import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { turnBudgetOn, type Clock, type Ids, type TurnBudget } from '@gantry/runtime'
import { quotaLedgerKind, tenantNamespace, type QuotaLedger } from '../../api/index.ts'
import { entryOf, goneLine, lineOf, recordOf } from './ledger-lines.ts'
import { packPage, pageOf, unpackPage, type Page } from './ledger-pages.ts'
import { QuotaBook, root, type QuotaRecord, type ScopeRecord } from './quota-book.ts'

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
  /** Entries that stand in the ledger itself before they go into pages. */
  readonly maxNewer?: number | undefined
}

/** One change of a book. `prepare` may ask the hub for what `apply` needs; `apply` throws when it does not fit; `isFresh`: the ledger has just been read. Both may run several times. */
export interface Change<T> {
  readonly prepare?: (book: QuotaBook, options: { readonly signal: AbortSignal }) => Promise<void>
  readonly apply: (book: QuotaBook, how: { readonly isFresh: boolean }) => T
}

interface Waiting {
  readonly change: Change<unknown>
  /** Nothing of it is written. */
  readonly isLook: boolean
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
  readonly text: Text
  /** Undefined: there is no ledger yet. */
  readonly object: QuotaLedger['metadata'] | undefined
  /** The book has been made from what there is, and nothing of it is written yet. */
  readonly isBegun: boolean
}

/** What a ledger says, as text. */
interface Text {
  /** By page number: the name of the object, and what is in it. */
  readonly pages: ReadonlyMap<string, { readonly name: string; readonly lines: Page }>
  /** By id what is newer than the pages; undefined: gone. */
  readonly entries: ReadonlyMap<string, string | undefined>
  readonly size: Size
}

interface Size {
  readonly lines: number
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
const ledgerEntries = 20_000
// Packed they have a third of that: all of them would fit one object, which etcd takes up to 1.5 MiB.
const ledgerBytes = 4_000_000
// A quota of 500 amounts has some 15 kB.
const maxLineLength = 200_000
/** What is newer than the pages is written with each change: with more than this it goes into pages. */
const newerEntries = 200
const maxNewerBytes = 64_000
const pagesAtOnce = 4
/** A page may be gone when it is asked for: the ledger names others then. */
const readTries = 5
// A write of this process is over by then: its deadline is a minute.
const orphanMs = 3 * 60_000
const recordsBetweenPauses = 50
const pageLabel = 'tenancy.gantry.dev/quota-ledger-page'
/** When pages were last taken away. */
const sweptAnnotation = 'tenancy.gantry.dev/quota-ledger-swept'
const noText: Text = { pages: new Map(), entries: new Map(), size: { lines: 0, bytes: 0 } }

/**
 * The quota ledgers of all tenants. A change is made on the book as this process knows it and written with the resource version that was read: when somebody else was quicker,
 * the hub says Conflict, and it is judged anew on what is there now. Changes that wait in this process go in one write. A refusal is never said from what may be old.
 */
export class Ledgers {
  readonly #deps: LedgersDeps
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #maxNewer: number
  readonly #turns: TurnBudget
  readonly #ledgers = new Map<string, Ledger>()
  /** How often the hub was asked to write, and how often somebody else had been quicker. */
  readonly counts: { writes: number; conflicts: number } = { writes: 0, conflicts: 0 }

  constructor(deps: LedgersDeps, options: LedgersOptions = {}) {
    this.#deps = deps
    this.#maxEntries = options.maxEntries ?? ledgerEntries
    this.#maxBytes = options.maxBytes ?? ledgerBytes
    this.#maxNewer = options.maxNewer ?? newerEntries
    this.#turns = turnBudgetOn(deps.clock)
  }

  /** Makes a change and writes it. Throws what `apply` throws, Conflict when others were quicker every time, TooManyRequests when a thousand wait already. */
  change<T>(tenant: string, change: Change<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> {
    return this.#wait(tenant, { change, isLook: false, signal })
  }

  /** Looks at the ledger as it is now. Nothing that `look` does is written; the book is its own only while it runs. */
  read<T>(tenant: string, look: Change<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> {
    return this.#wait(tenant, { change: look, isLook: true, signal })
  }

  #wait<T>(tenant: string, what: Pick<Waiting, 'isLook' | 'signal'> & { readonly change: Change<T> }): Promise<T> {
    const ledger = this.#ledger(tenant)
    if (ledger.waiting.length >= maxWaiting)
      throw new StatusError('TooManyRequests', `${maxWaiting} changes of the quotas of tenant ${tenant} are waiting already`, {
        details: { retryAfterSeconds: 1 },
      })
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    ledger.waiting.push({ ...what, resolve, reject })
    if (!ledger.isBusy) void this.#work(ledger)
    return promise as Promise<T>
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
      const isLook = ledger.waiting[0]?.isLook === true
      const end = ledger.waiting.findIndex((one) => one.isLook !== isLook)
      const together = ledger.waiting.splice(0, end < 0 ? atOnce : Math.min(atOnce, end)).filter(({ signal, reject }) => {
        if (signal.aborted) reject(signal.reason)
        return !signal.aborted
      })
      await this.#settleTogether(ledger, together, isLook)
      if (ledger.courtesyMs >= leastCourtesyMs) await this.#deps.clock.sleep(this.#deps.ids.random() * ledger.courtesyMs)
    }
    ledger.isBusy = false
  }

  async #settleTogether(ledger: Ledger, together: readonly Waiting[], isLook: boolean): Promise<void> {
    if (together.length === 0) return
    try {
      if (isLook) return await this.#lookTogether(ledger, together)
      if (await this.#changeTogether(ledger, together)) return
    } catch (error) {
      // What has become of the write is not known: it is read again.
      ledger.known = undefined
      for (const { reject } of together) reject(error)
      return
    }
    // Together they are too long for the ledger: one by one, so that the last that fits still gets in.
    for (const one of together) await this.#settleTogether(ledger, [one], false)
  }

  async #lookTogether(ledger: Ledger, together: readonly Waiting[]): Promise<void> {
    const { signal } = new AbortController()
    const { book, isBegun } = await this.#refresh(ledger, signal)
    for (const { change, resolve, reject } of together) {
      try {
        await change.prepare?.(book, { signal })
        resolve(book.attempt(() => change.apply(book, { isFresh: true })))
      } catch (error) {
        reject(error)
      }
      book.undoChanges()
      await this.#turns.pause()
    }
    // What begins a ledger is not written by those who only look, and is read again by whoever writes.
    if (isBegun) ledger.known = undefined
  }

  /** False: too much for the ledger, and nothing has been done. */
  async #changeTogether(ledger: Ledger, together: readonly Waiting[]): Promise<boolean> {
    const { signal } = new AbortController()
    let isFresh = ledger.known === undefined
    for (let tries = 1; ;) {
      const known = ledger.known ?? (await this.#refresh(ledger, signal))
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
        await this.#turns.pause()
      }
      if (isRefused && !isFresh) {
        known.book.undoChanges()
        await this.#refresh(ledger, signal)
        isFresh = true
        continue
      }
      if (known.book.changes.size === 0) {
        for (const tell of done) tell()
        return true
      }
      const next = await this.#next(known)
      const [before, after] = [known.text.size, next.size]
      const isFull = (after.lines > this.#maxEntries && after.lines > before.lines) || (after.bytes > this.#maxBytes && after.bytes > before.bytes)
      if (isFull || next.problem !== undefined) {
        if (known.isBegun) ledger.known = undefined
        else known.book.undoChanges()
        if (together.length > 1) return false
        together[0]?.reject(next.problem ?? this.#full(ledger.tenant, before))
        return true
      }
      if (await this.#write(ledger, { known, next }, signal)) {
        ledger.courtesyMs /= 2
        for (const tell of done) tell()
        return true
      }
      ledger.courtesyMs = Math.min(longestCourtesyMs, Math.max(leastCourtesyMs, ledger.courtesyMs) * 2)
      if (tries++ >= maxTries)
        throw new StatusError('Conflict', `the quotas of tenant ${ledger.tenant} are being changed by others: ${maxTries} tries were too late, ask again`)
      await this.#deps.clock.sleep(this.#deps.ids.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(tries, 6)), { signal })
      known.book.undoChanges()
      await this.#refresh(ledger, signal, { hasChanged: true })
      isFresh = true
    }
  }

  #full(tenant: string, { lines, bytes }: Size): StatusError {
    const most = `${this.#maxEntries} entries and ${this.#maxBytes} bytes`
    return new StatusError(
      'Forbidden',
      `the quota ledger of tenant ${tenant} is full: it has ${lines} entries in ${bytes} bytes, and can have ${most}; delete namespaces or projects, or make a second tenant`,
    )
  }

  /** Sees to it that the ledger is known as it is now. What has been changed here and not written has to be undone before. */
  async #refresh(ledger: Ledger, signal: AbortSignal, { hasChanged = false } = {}): Promise<Known> {
    const { known, tenant } = ledger
    ledger.known = undefined
    const key = { namespace: tenantNamespace(tenant), name: tenant }
    const get = (metadataOnly: boolean): Promise<QuotaLedger | undefined> =>
      unlessGone(this.#deps.hub.get<QuotaLedger>(quotaLedgerKind.ref, key, { signal, metadataOnly }))
    if (known?.isBegun === false && !hasChanged && (await get(true))?.metadata.resourceVersion === known.object?.resourceVersion) return (ledger.known = known)
    for (let tries = 1; ; tries++) {
      const object = await get(false)
      try {
        return (ledger.known = await this.#read(tenant, { object, known: known?.isBegun === false ? known : undefined, signal }))
      } catch (error) {
        if (!isReason(error, 'NotFound') || object === undefined || tries >= readTries) throw error
      }
    }
  }

  async #read(
    tenant: string,
    { object, known, signal }: { readonly object: QuotaLedger | undefined; readonly known: Known | undefined; readonly signal: AbortSignal },
  ): Promise<Known> {
    if (object === undefined) {
      const book = new QuotaBook(tenant)
      await this.#deps.begin(book, { signal })
      return { book, text: noText, object: undefined, isBegun: true }
    }
    try {
      const { pages, entries } = await this.#textOf(object, known?.text ?? noText, signal)
      return { ...(await this.#follow(known, { pages, entries }, tenant)), object: object.metadata, isBegun: false }
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'Invalid') throw error
      throw new StatusError(
        'InternalError',
        `the quota ledger of tenant ${tenant} cannot be read: ${error.message}. Delete the object quotaledgers/${tenant} in ${tenantNamespace(tenant)}: it is made anew from the projects and namespaces`,
        { cause: error },
      )
    }
  }

  /** Reads the pages that are not known yet: none of them ever changes. Throws NotFound when one has been replaced meanwhile. */
  async #textOf({ metadata, spec }: QuotaLedger, known: Text, signal: AbortSignal): Promise<Omit<Text, 'size'>> {
    const pages = new Map<string, { readonly name: string; readonly lines: Page }>()
    const names = Object.entries(spec.pages ?? {})
    for (let from = 0; from < names.length; from += pagesAtOnce)
      await Promise.all(
        names.slice(from, from + pagesAtOnce).map(async ([number, name]) => {
          const before = known.pages.get(number)
          if (before?.name === name) return pages.set(number, before)
          const page = await this.#deps.hub.get<QuotaLedger>(quotaLedgerKind.ref, { namespace: metadata.namespace, name }, { signal })
          return pages.set(number, { name, lines: await unpackPage(page.spec.lines ?? '', this.#turns) })
        }),
      )
    const entries = new Map<string, string | undefined>()
    for (const [index, text] of (spec.entries ?? []).entries()) {
      const { id, line } = entryOf(text)
      entries.set(id, line)
      if (index % recordsBetweenPauses === 0) await this.#turns.pause()
    }
    return { pages, entries }
  }

  /** A book as the text says: the known one, changed where the text differs from what it was, or a new one. */
  async #follow(known: Known | undefined, text: Omit<Text, 'size'>, tenant: string): Promise<Pick<Known, 'book' | 'text'>> {
    const before = known?.text ?? noText
    const news = new Map<string, QuotaRecord>()
    const gone = new Set<string>()
    const seen = new Set<string>()
    let { lines, bytes } = before.size
    for (const ids of differing(before, text))
      for (const id of ids) {
        if (seen.has(id)) continue
        seen.add(id)
        if (seen.size % recordsBetweenPauses === 0) await this.#turns.pause()
        const [old, now] = [lineIn(before, id), lineIn(text, id)]
        if (old === now) continue
        lines += Number(now !== undefined) - Number(old !== undefined)
        bytes += (now?.length ?? 0) - (old?.length ?? 0)
        if (now === undefined) gone.add(id)
        else news.set(id, recordOf(now))
      }
    // Projects that come, go or move change what everything in them counts for: rare enough for a new book.
    if (known !== undefined && !isSameTree(known.book, { news, gone })) return this.#follow(undefined, text, tenant)
    const book = known?.book ?? new QuotaBook(tenant)
    let count = 0
    const scopes = [...news.values()].filter((record) => record.kind === 'scope')
    for (const scope of known === undefined ? downwards(scopes) : scopes) {
      book.put(scope)
      if (++count % recordsBetweenPauses === 0) await this.#turns.pause()
    }
    for (const id of gone) book.removeById(id)
    for (const record of news.values()) {
      if (record.kind === 'namespace') book.put(record)
      if (++count % recordsBetweenPauses === 0) await this.#turns.pause()
    }
    book.takeChanges()
    return { book, text: { ...text, size: { lines, bytes } } }
  }

  /** What is to be written, but for pages. */
  async #next({ book, text }: Known): Promise<Text & { readonly problem: StatusError | undefined }> {
    const entries = new Map(text.entries)
    let { lines, bytes } = text.size
    let problem: StatusError | undefined
    for (const [id, record] of book.changes) {
      const old = lineIn(text, id)
      const now = record && lineOf(record)
      lines += Number(now !== undefined) - Number(old !== undefined)
      bytes += (now?.length ?? 0) - (old?.length ?? 0)
      // What no page has needs no word that it is gone.
      if (now === undefined && lineIn({ ...text, entries: noText.entries }, id) === undefined) entries.delete(id)
      else entries.set(id, now)
      if (record !== undefined && now !== undefined && now.length > maxLineLength) {
        const what = record.kind === 'scope' ? book.nameOf(record.project) : `namespace ${record.cluster}/${record.namespace}`
        problem = new StatusError(
          'Forbidden',
          `the quota of ${what} names too many amounts: written down they have ${now.length} characters, and can have ${maxLineLength}`,
        )
      }
      await this.#turns.pause()
    }
    return { pages: text.pages, entries, size: { lines, bytes }, problem }
  }

  /** False: somebody else was quicker. */
  async #write(ledger: Ledger, { known, next }: { readonly known: Known; readonly next: Text }, signal: AbortSignal): Promise<boolean> {
    const { apiVersion, kind, ref } = quotaLedgerKind
    const { hub } = this.#deps
    const key = { namespace: tenantNamespace(ledger.tenant), name: ledger.tenant }
    let newerBytes = 0
    for (const line of next.entries.values()) newerBytes += line?.length ?? 0
    const isLong = next.entries.size > this.#maxNewer || newerBytes > maxNewerBytes
    // Which pages count only the ledger says: those of a write that fails are nobody's.
    const text = isLong ? await this.#turnPages(ledger.tenant, next, signal) : next
    const outdated = (of: Text, than: Text): string[] =>
      [...of.pages].filter(([number, { name }]) => than.pages.get(number)?.name !== name).map(([, { name }]) => name)
    const spec = { entries: [...text.entries].map(([id, line]) => line ?? goneLine(id)) }
    this.counts.writes++
    try {
      const { metadata } =
        known.object === undefined
          ? await hub.create<KubeObject>(ref, { apiVersion, kind, metadata: key, spec: { ...spec, pages: namesOf(text) } } as KubeObject, {
              signal,
              metadataOnly: true,
            })
          : await hub.patch<KubeObject>(ref, key, {
              type: 'merge',
              // With the version that was read: a patch without one would be made on whatever is there.
              body: {
                metadata: { resourceVersion: known.object.resourceVersion },
                spec: isLong
                  ? { ...spec, pages: { ...Object.fromEntries([...known.text.pages.keys()].map((number) => [number, null])), ...namesOf(text) } }
                  : spec,
              },
              signal,
              metadataOnly: true,
            })
      known.book.takeChanges()
      ledger.known = { book: known.book, text, object: metadata, isBegun: false }
      await this.#removePages(ledger.tenant, outdated(known.text, text), signal)
      return true
    } catch (error) {
      // Gone since it was read: made anew from what there is.
      if (!isReason(error, 'Conflict') && !isReason(error, 'AlreadyExists') && !(known.object !== undefined && isReason(error, 'NotFound'))) throw error
      this.counts.conflicts++
      await this.#removePages(ledger.tenant, outdated(text, known.text), signal)
      return false
    }
  }

  /** Writes what is newer than the pages into new ones. */
  async #turnPages(tenant: string, text: Text, signal: AbortSignal): Promise<Text> {
    const changed = new Map<string, Map<string, string>>()
    for (const [id, line] of text.entries) {
      const number = pageOf(id)
      let page = changed.get(number)
      if (page === undefined) {
        changed.set(number, (page = new Map(text.pages.get(number)?.lines)))
        await this.#turns.pause()
      }
      if (line === undefined) page.delete(id)
      else page.set(id, line)
    }
    const pages = new Map(text.pages)
    const { apiVersion, kind, ref } = quotaLedgerKind
    const all = [...changed]
    for (let from = 0; from < all.length; from += pagesAtOnce)
      await Promise.all(
        all.slice(from, from + pagesAtOnce).map(async ([number, lines]) => {
          if (lines.size === 0) return pages.delete(number)
          await this.#turns.pause()
          const name = `${tenant}.${number}.${this.#deps.ids.suffix(10)}`
          const metadata = { namespace: tenantNamespace(tenant), name, labels: { [pageLabel]: number } }
          await this.#deps.hub.create<QuotaLedger>(ref, { apiVersion, kind, metadata, spec: { lines: packPage(lines) } }, { signal, metadataOnly: true })
          return pages.set(number, { name, lines })
        }),
      )
    return { pages, entries: noText.entries, size: text.size }
  }

  async #removePages(tenant: string, names: readonly string[], signal: AbortSignal): Promise<void> {
    for (let from = 0; from < names.length; from += pagesAtOnce)
      await Promise.all(
        names
          .slice(from, from + pagesAtOnce)
          .map((name) => unlessGone(this.#deps.hub.delete(quotaLedgerKind.ref, { namespace: tenantNamespace(tenant), name }, { signal }))),
      )
  }

  /** Deletes pages that a write which was interrupted has left behind; returns how many. */
  async sweepPages(tenant: string, { signal }: { readonly signal: AbortSignal }): Promise<number> {
    const { hub, clock } = this.#deps
    const { ref } = quotaLedgerKind
    const key = { namespace: tenantNamespace(tenant), name: tenant }
    const { items } = await hub.list<QuotaLedger>(ref, { namespace: key.namespace, labelSelector: pageLabel, metadataOnly: true, limit: 500, signal })
    const object = await unlessGone(hub.get<QuotaLedger>(ref, key, { signal }))
    const counts = new Set(Object.values(object?.spec.pages ?? {}))
    const old = clock.now().getTime() - orphanMs
    const names = items
      .filter(({ metadata }) => !counts.has(metadata.name ?? '') && Date.parse(metadata.creationTimestamp ?? '') < old)
      .map(({ metadata }) => metadata.name ?? '')
    if (names.length === 0) return 0
    // Whoever still means to name one of them in the ledger meets a newer version.
    if (object !== undefined)
      await hub.patch(ref, key, {
        type: 'merge',
        body: { metadata: { resourceVersion: object.metadata.resourceVersion, annotations: { [sweptAnnotation]: clock.now().toISOString() } } },
        signal,
        metadataOnly: true,
      })
    await this.#removePages(tenant, names, signal)
    return names.length
  }
}

function namesOf({ pages }: Text): Record<string, string> {
  return Object.fromEntries([...pages].map(([number, { name }]) => [number, name]))
}

function lineIn({ pages, entries }: Omit<Text, 'size'>, id: string): string | undefined {
  return entries.has(id) ? entries.get(id) : pages.get(pageOf(id))?.lines.get(id)
}

/** Ids of what may differ between two texts. */
function* differing(a: Omit<Text, 'size'>, b: Omit<Text, 'size'>): IterableIterator<Iterable<string>> {
  yield a.entries.keys()
  yield b.entries.keys()
  for (const number of new Set([...a.pages.keys(), ...b.pages.keys()])) {
    const [one, other] = [a.pages.get(number), b.pages.get(number)]
    if (one?.name === other?.name) continue
    yield one?.lines.keys() ?? []
    yield other?.lines.keys() ?? []
  }
}

/** Whether a book has the same projects in the same places after these changes. */
function isSameTree(book: QuotaBook, { news, gone }: { readonly news: ReadonlyMap<string, QuotaRecord>; readonly gone: ReadonlySet<string> }): boolean {
  for (const id of gone) {
    const record = book.recordOf(id)
    if (record?.kind === 'scope' && record.hold === '') return false
  }
  for (const record of news.values()) if (record.kind === 'scope' && book.scope(record.project)?.parent !== record.parent) return false
  return true
}

/** Each scope after the one it stands in. Throws Invalid when one stands in none. */
function downwards(scopes: readonly ScopeRecord[]): readonly ScopeRecord[] {
  const inside = new Map<string, ScopeRecord[]>()
  const sorted: ScopeRecord[] = []
  for (const scope of scopes) {
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
