import { initialEventsProblems, invalidError, isTrueParameter, StatusError } from '@gantry/apimachinery'
import type { Caller } from '@gantry/gateway'
import { turnBudgetOn, type ByteSink, type HttpResponse, type Ids } from '@gantry/runtime'
import { clustersAnnotation } from '../api/index.ts'
import type { KindSight } from './kind-sight.ts'
import type { OpenKind } from './fleet-cache.ts'
import type { RowChange } from './member-feed.ts'
import { changeFor, rowTest, type Selection } from './selection.ts'
import { jsonHeaders } from './table-list.ts'
import { TablePrinter } from './table-printer.ts'
import { clusterStates, freshnessHeaders, mayReadRow, visibleFreshness, type FleetCall, type FleetView } from './view.ts'

/** A change that this caller may see, as this caller's selection makes it. */
export interface VisibleChange {
  readonly type: RowChange['type']
  readonly change: Pick<RowChange, 'cluster' | 'row'>
  /** What a watch that ends after this event goes on from. */
  readonly version: number
}

/** Writes one event. What it returns is waited for. */
export type EventWriter = (sink: ByteSink, event: VisibleChange) => Promise<void> | undefined

/** How a kind of answer writes what a watch says. */
export interface EventForm {
  readonly writer: EventWriter
  /** A BOOKMARK as a line. */
  readonly bookmark: (version: number, annotations: Readonly<Record<string, string>>) => string
  /** Writes everything that is there, where it is not written from the cache. Throws a StatusError when that cannot be whole. */
  readonly initial?: ((sink: ByteSink, isOver: () => boolean) => Promise<void>) | undefined
}

/** What a slow reader may leave unread before its watch is ended. */
const maxBufferedBytes = 1 << 20
const maxPending = 20_000
const bookmarkEveryMs = 60_000
/** A cluster that comes and goes is not told more often than that. */
const statesEveryMs = 1_000
const initialEventsEnd = { 'k8s.io/initial-events-end': 'true' } as const
const shortestSeconds = 1_800

/**
 * Every change of a kind that is selected and that the caller may see, from a version on; without one (or with `sendInitialEvents`) everything that is there first, and a bookmark that says so. Bookmarks
 * also say which clusters are not whole, when that changes. A watch that cannot keep up, or whose permissions changed, is told to list again.
 */
export function watchKind(
  { view, caller, info }: FleetCall,
  open: OpenKind,
  how: { readonly selection: Selection; readonly ids: Ids; readonly form: EventForm },
): HttpResponse {
  const { kind } = open
  const { selection } = how
  const { query } = info
  try {
    const problems = initialEventsProblems(query)
    if (problems.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', problems)
    const version = sequenceOf(query.get('resourceVersion') ?? '')
    if (version !== undefined && version > view.cache.sequence) throw new StatusError('Expired', `the resource version ${version} is of another process`)
    const sendInitial = query.get('sendInitialEvents')
    const isWhole = sendInitial === null ? version === undefined : isTrueParameter(sendInitial)
    const from = isWhole ? undefined : (version ?? view.cache.sequence)
    // Told here, so that it is an answer and no broken stream.
    if (from !== undefined) kind.remembered(from)
    const timeoutSeconds = Number(query.get('timeoutSeconds') ?? '') || Math.round(shortestSeconds * (1 + how.ids.random()))
    return {
      status: 200,
      headers: { ...jsonHeaders, ...freshnessHeaders(visibleFreshness(view, caller, kind.freshness, selection.hasCluster), view.clock.now().getTime()) },
      async body(sink) {
        using _open = open
        await new Watch(view, caller, {
          ...how,
          kind,
          from,
          timeoutMs: timeoutSeconds * 1_000,
          bookmarks: isTrueParameter(query.get('allowWatchBookmarks')),
        }).run(sink)
      },
    }
  } catch (error) {
    open[Symbol.dispose]()
    throw error
  }
}

interface WatchPlan {
  readonly kind: KindSight
  readonly selection: Selection
  readonly form: EventForm
  /** Undefined: everything that is there, first. */
  readonly from: number | undefined
  readonly timeoutMs: number
  readonly bookmarks: boolean
}

class Watch {
  readonly #view: FleetView
  readonly #caller: Caller
  readonly #plan: WatchPlan
  readonly #pending: RowChange[] = []
  readonly #ended = Promise.withResolvers<void>()
  #failure: StatusError | undefined
  #wake: (() => void) | undefined
  #isOver = false
  /** The freshness of the clusters may be another than was told. */
  #mayHaveNews = false
  #toldStates = '[]'

  constructor(view: FleetView, caller: Caller, plan: WatchPlan) {
    this.#view = view
    this.#caller = caller
    this.#plan = plan
  }

  async run(sink: ByteSink): Promise<void> {
    const { clock, permissions } = this.#view
    const { kind, from, timeoutMs, bookmarks, form } = this.#plan
    const epoch = permissions.epoch(this.#caller)
    const end = (): void => {
      this.#isOver = true
      this.#wake?.()
      this.#ended.resolve()
    }
    const leave = [
      kind.subscribe((change) => {
        if (change === undefined) return
        if (this.#pending.push(change) > maxPending) this.#fail('more changes at once than a watch can hold')
        this.#wake?.()
      }),
      permissions.onEpoch(() => {
        if (permissions.epoch(this.#caller) !== epoch) this.#fail('what you may see has changed')
      }),
      clock.schedule(end, timeoutMs),
    ]
    sink.signal.addEventListener('abort', end, { once: true })
    if (sink.signal.aborted) end()
    let cancelBookmark = (): void => {}
    try {
      const begun = this.#view.cache.sequence
      if (from === undefined && form.initial !== undefined) await form.initial(sink, () => this.#isOver)
      else await this.#replay(sink, from)
      if (bookmarks && !this.#isOver) {
        if (from === undefined) sink.write(this.#bookmark(begun, initialEventsEnd))
        const later = (): void => {
          cancelBookmark = clock.schedule(() => {
            // Nothing that is still on its way may be behind it.
            if (this.#pending.length === 0 && !this.#isOver) sink.write(this.#bookmark(this.#view.cache.sequence))
            later()
          }, bookmarkEveryMs)
        }
        later()
        leave.push(this.#listenForNews())
      }
      await this.#follow(sink)
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      this.#failure ??= error
    } finally {
      cancelBookmark()
      for (const stop of leave) stop()
    }
    if (this.#failure !== undefined && !sink.signal.aborted) sink.write(errorLine(this.#failure))
  }

  /** Bookmarks say when the freshness of a cluster has changed: soon, and not for each of many changes. */
  #listenForNews(): () => void {
    const { clock } = this.#view
    let cancel: (() => void) | undefined
    const soon = (): void => {
      cancel ??= clock.schedule(() => {
        cancel = undefined
        this.#mayHaveNews = true
        this.#wake?.()
      }, statesEveryMs)
    }
    // What has changed since the answer began is not known: it is looked at once.
    this.#mayHaveNews = true
    const leave = this.#plan.kind.subscribe((change) => {
      if (change === undefined) soon()
    })
    return () => {
      leave()
      cancel?.()
    }
  }

  #bookmark(version: number, annotations: Readonly<Record<string, string>> = {}): string {
    this.#toldStates = this.#states()
    return this.#plan.form.bookmark(version, { ...annotations, [clustersAnnotation]: this.#toldStates })
  }

  #states(): string {
    const { kind, selection } = this.#plan
    return JSON.stringify(clusterStates(visibleFreshness(this.#view, this.#caller, kind.freshness, selection.hasCluster)))
  }

  /** What has happened since: the rows that changed, and what is remembered of rows that went. */
  async #replay(sink: ByteSink, since: number | undefined): Promise<void> {
    const { kind, selection } = this.#plan
    const from = since ?? 0
    const budget = turnBudgetOn(this.#view.clock)
    const isSelected = rowTest(selection)
    const gone = since === undefined ? [] : kind.remembered(since)
    // Of these the head of the answer has told.
    const withheld = kind.withheld()
    const changed = kind.feeds
      .filter(({ cluster }) => selection.hasCluster(cluster) && !withheld.has(cluster))
      .map((feed) => ({ feed, table: feed.table, slots: feed.table.changedAfter(from) }))
    for (const change of gone) {
      // Whether it has come back since is told by its row.
      if (changeFor(selection, change) === 'DELETED') await this.#emit(sink, 'DELETED', change, from)
      await budget.pause()
      if (this.#isOver) return
    }
    for (const { feed, table, slots } of changed) {
      for (const slot of slots) {
        if (feed.table === table && table.sequenceOf(slot) > from && isSelected(feed, slot)) {
          const type = table.addedAt(slot) > from ? 'ADDED' : 'MODIFIED'
          // Rows come in no order of versions: whoever goes on from one in the middle begins where this watch began; the first look ends with a bookmark.
          await this.#emit(sink, type, { cluster: feed.cluster, row: table.row(slot) }, since ?? table.sequenceOf(slot))
          // Its reader sets the pace: nobody waits for this one.
          if (sink.bufferedBytes > maxBufferedBytes / 2) await sink.drained()
        }
        await budget.pause()
        if (this.#isOver) return
      }
    }
  }

  async #follow(sink: ByteSink): Promise<void> {
    const budget = turnBudgetOn(this.#view.clock)
    while (!this.#isOver) {
      const changes = this.#pending.splice(0)
      if (changes.length === 0) {
        if (this.#mayHaveNews) {
          this.#mayHaveNews = false
          if (this.#states() !== this.#toldStates) sink.write(this.#bookmark(this.#view.cache.sequence))
        }
        if (this.#plan.kind.isClosed) return this.#fail('the kind is not followed any more')
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#wake = resolve
        await promise
        this.#wake = undefined
        continue
      }
      for (const change of changes) {
        const type = changeFor(this.#plan.selection, change)
        if (type !== undefined) await this.#emit(sink, type, change, change.sequence)
        if (sink.bufferedBytes > maxBufferedBytes) return this.#fail('the watch is not read fast enough')
        await budget.pause()
        if (this.#isOver) return
      }
    }
  }

  #emit(sink: ByteSink, type: RowChange['type'], change: Pick<RowChange, 'cluster' | 'row'>, version: number): Promise<void> | undefined {
    const mayLeave = this.#plan.kind.mayLeave(change.cluster, 'watch')
    if (mayLeave === true) return this.#write(sink, type, change, version)
    return mayLeave.then((may) => (may ? this.#write(sink, type, change, version) : this.#fail(`cluster "${change.cluster}" does not let you watch any more`)))
  }

  #write(sink: ByteSink, type: RowChange['type'], change: Pick<RowChange, 'cluster' | 'row'>, version: number): Promise<void> | undefined {
    const { namespace, name } = change.row
    // Asked now, not when it was put in the queue.
    if (!mayReadRow(this.#view, this.#caller, this.#plan.kind.resource, { cluster: change.cluster, namespace, name })) return undefined
    return this.#plan.form.writer(sink, { type, change, version })
  }

  #fail(why: string): void {
    this.#failure ??= new StatusError('Expired', `${why}: list again`)
    this.#isOver = true
    this.#wake?.()
  }
}

/** Events as Tables of one row; the columns come with the first. */
export function tableEvents(view: FleetView, kind: KindSight, withObject: boolean): EventForm {
  const printer = new TablePrinter(kind, { withObject })
  let columns = `,"columnDefinitions":${printer.columnsJson}`
  return {
    writer(sink, { type, change: { cluster, row }, version }) {
      const feed = kind.feed(cluster) ?? { cluster, columns: printer.columns }
      const rows = printer.row(feed, row, version, view.clock.now().getTime())
      sink.write(
        `{"type":"${type}","object":{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"${version}"}${columns},"rows":[${rows}]}}\n`,
      )
      columns = ',"columnDefinitions":null'
      return undefined
    },
    bookmark(version, annotations) {
      const metadata = { resourceVersion: String(version), annotations }
      const rows = [{ cells: [], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }]
      return `${JSON.stringify({
        type: 'BOOKMARK',
        object: { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: String(version) }, columnDefinitions: null, rows },
      })}\n`
    },
  }
}

function errorLine(error: StatusError): string {
  return `${JSON.stringify({ type: 'ERROR', object: error.toStatus() })}\n`
}

function sequenceOf(text: string): number | undefined {
  if (text === '' || text === '0') return undefined
  const sequence = Number(text)
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw new StatusError('Expired', `"${text}" is no resource version of the fleet`)
  return sequence
}
