import { isTrueParameter, StatusError, type RequestInfo } from '@gantry/apimachinery'
import { turnBudgetOn, type HttpResponse } from '@gantry/runtime'
import type { KindSight } from './kind-sight.ts'
import type { MemberFeed } from './member-feed.ts'
import { rowWord, type RowTable } from './row-table.ts'
import { rowTest, type RowTest, type Selection } from './selection.ts'
import { TablePrinter } from './table-printer.ts'
import { freshnessHeaders, mayReadRow, visibleFreshness, type FleetCall } from './view.ts'

/** Where a page begins: behind this object of this cluster. */
interface Position {
  readonly cluster: string
  readonly namespace: string
  readonly name: string
  /** The fleet's sequence number of the first page: what a watch goes on from. */
  readonly sequence: number
}

const maxLimit = 10_000
const chunkChars = 1 << 16

export const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-cache, private', 'x-content-type-options': 'nosniff' } as const

/** A Table of rows that the cache holds: cluster by cluster, in each by namespace and name. */
export async function listTable({ view, caller, info }: FleetCall, kind: KindSight, selection: Selection): Promise<HttpResponse> {
  const limit = limitOf(info)
  const list = listName(info, 'table')
  const token = info.query.get('continue') ?? ''
  const from = token === '' ? undefined : (view.tokens.open(token, list) as Position)
  const nowMs = view.clock.now().getTime()
  const sequence = from?.sequence ?? view.cache.sequence
  const printer = new TablePrinter(kind, { withObject: info.query.get('includeObject') !== 'None' })
  const headers = { ...jsonHeaders, ...freshnessHeaders(visibleFreshness(view, caller, kind.freshness, selection.hasCluster), nowMs) }
  const head = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":${printer.columnsJson},"rows":[`
  const rows = rowsFrom({ view, caller }, kind, { hasCluster: selection.hasCluster, isSelected: rowTest(selection) }, from)

  let last: Position | undefined
  async function write(emit: (text: string) => Promise<void> | undefined): Promise<void> {
    let buffer = head
    let count = 0
    let next = ''
    for await (const { feed, slot } of rows) {
      if (count === limit) {
        // The last object shown: the caller knows it, and may not know what follows.
        next = view.tokens.seal(last, list)
        break
      }
      const row = feed.table.row(slot)
      last = { cluster: feed.cluster, namespace: row.namespace, name: row.name, sequence }
      buffer += (count++ === 0 ? '' : ',') + printer.row(feed, row, feed.table.sequenceOf(slot), nowMs)
      if (buffer.length < chunkChars) continue
      await emit(buffer)
      buffer = ''
    }
    const more = next === '' ? '' : `,"continue":"${next}"`
    await emit(`${buffer}],"metadata":{"resourceVersion":"${sequence}"${more}}}\n`)
  }

  if (limit <= maxLimit) {
    const parts: string[] = []
    await write((text) => void parts.push(text))
    return { status: 200, headers, body: parts.join('') }
  }
  return {
    status: 200,
    headers,
    async body(sink) {
      await write((text) => {
        sink.signal.throwIfAborted()
        return sink.write(text) ? undefined : sink.drained()
      })
    },
  }
}

/** Slots that are selected and that the caller may see. The loop of events has its turn in between, so rows come and go meanwhile; none is shown twice. */
export async function* rowsFrom(
  { view, caller }: Pick<FleetCall, 'view' | 'caller'>,
  kind: KindSight,
  selection: { readonly hasCluster: (cluster: string) => boolean; readonly isSelected: RowTest },
  from?: { readonly cluster: string; readonly namespace: string; readonly name: string },
): AsyncGenerator<{ readonly feed: MemberFeed; readonly slot: number }, void> {
  // Of these the caller has been told.
  const withheld = kind.withheld()
  const budget = turnBudgetOn(view.clock)
  const order = view.members.names()
  // A cluster that has left meanwhile stood where its name would.
  const begin =
    from === undefined ? 0 : Math.max(0, order.includes(from.cluster) ? order.indexOf(from.cluster) : order.findIndex((name) => name > from.cluster))
  for (const cluster of order.slice(begin)) {
    const feed = kind.feed(cluster)
    if (feed === undefined || !selection.hasCluster(cluster) || withheld.has(cluster)) continue
    if (feed.table.size > 0) {
      const mayLeave = kind.mayLeave(cluster, 'list')
      // No hole without a word: the head of the answer is out.
      if (mayLeave !== true && !(await mayLeave)) throw new StatusError('ServiceUnavailable', `cluster "${cluster}" has just refused to show more: ask again`)
    }
    let { table } = feed
    let index = cluster === from?.cluster ? table.indexAfter(from.namespace, from.name) : 0
    for (; index < table.size; index++) {
      if (index % 64 === 0) {
        const pause = budget.pause()
        if (pause !== undefined) {
          const before = index === 0 ? undefined : keyAt(table, index - 1)
          await pause
          table = feed.table
          index = before === undefined ? 0 : table.indexAfter(before.namespace, before.name)
          if (index >= table.size) break
        }
      }
      const slot = table.slotAt(index)
      if (!selection.isSelected(feed, slot)) continue
      const at = { cluster, namespace: table.text(slot, rowWord.namespace), name: table.text(slot, rowWord.name) }
      if (!mayReadRow(view, caller, kind.resource, at)) continue
      const { size } = table
      yield { feed, slot }
      // Whoever took it may have waited.
      if (feed.table !== table || table.size !== size || table.slotAt(index) !== slot) {
        table = feed.table
        index = table.indexAfter(at.namespace, at.name) - 1
      }
    }
  }
}

function keyAt(table: RowTable, index: number): { readonly namespace: string; readonly name: string } {
  const slot = table.slotAt(index)
  return { namespace: table.text(slot, rowWord.namespace), name: table.text(slot, rowWord.name) }
}

export function limitOf({ query }: RequestInfo): number {
  const text = query.get('limit') ?? ''
  const limit = Number(text)
  if (text !== '' && (!Number.isSafeInteger(limit) || limit < 0)) throw new StatusError('BadRequest', `limit must be a whole number, not "${text}"`)
  return limit === 0 ? Number.POSITIVE_INFINITY : limit
}

/** What a continue token is good for. */
export function listName({ path, query }: RequestInfo, how: string): string {
  return [how, path, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? ''].join('\n')
}

export function isWatchParameter(info: RequestInfo): boolean {
  return info.verb === 'watch' || isTrueParameter(info.query.get('watch'))
}
