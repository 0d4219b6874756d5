import { formatQuantity, quantityToNumber, type Quantity } from '@gantry/apimachinery'
import type { QuotaLine, ScopeUse } from '../../api/index.ts'
import { keyOfSeries, type UsageSeries } from '../usage/usage-chunk.ts'
import type { UsageSample } from '../usage/usage-history.ts'
import { atLeastZero, everywhere, listOf, minus, namespaceCount, placeOf, plus, readAmounts, zero, type Amounts, type Vector } from './amounts.ts'
import { root, type NamespaceRecord, type QuotaBook } from './quota-book.ts'

/** What limits a project: its own limits and those of all it stands in, with what is taken of them. */
export function linesOf(book: QuotaBook, project: string): QuotaLine[] {
  return book.chain(project).flatMap((scope) => {
    const taken = book.takenOf(scope)
    return [...book.limitsOf(scope)].map(([place, limit]): QuotaLine => {
      const { cluster, resource } = placeOf(place)
      const has = taken.get(place) ?? zero
      return {
        scope: book.nameOf(scope),
        ...(cluster === everywhere || place === namespaceCount ? {} : { cluster }),
        resource,
        limit: formatQuantity(limit),
        taken: formatQuantity(has),
        free: formatQuantity(atLeastZero(minus(limit, has))),
      }
    })
  })
}

/** What a book says at one moment, to be added up while it goes on changing. */
export interface BookView {
  readonly scopes: readonly { readonly project: string; readonly uid: string; readonly chain: readonly string[]; readonly taken: Vector }[]
  readonly namespaces: readonly NamespaceRecord[]
}

export function viewOf(book: QuotaBook): BookView {
  return {
    scopes: [...book.scopesBelow(root)].map((project) => ({
      project,
      uid: book.scope(project)?.uid ?? '',
      chain: book.chain(project),
      taken: new Map(book.takenOf(project)),
    })),
    namespaces: [...book.namespacesBelow(root)],
  }
}

interface Sums {
  namespaces: number
  readonly used: Map<string, Quantity>
  readonly clusters: Map<string, { namespaces: number; readonly reserved: Map<string, Quantity>; readonly used: Map<string, Quantity> }>
}

/** What of every scope is taken and used. `pause` is asked between namespaces and scopes. */
export async function usageOf(
  { scopes, namespaces }: BookView,
  {
    usedBy,
    pause,
  }: { readonly usedBy: (uid: string) => Readonly<Record<string, string | number>> | undefined; readonly pause: () => Promise<void> | undefined },
): Promise<ReadonlyMap<string, ScopeUse>> {
  const sums = new Map<string, Sums>(scopes.map(({ project }) => [project, { namespaces: 0, used: new Map(), clusters: new Map() }]))
  const chains = new Map(scopes.map(({ project, chain }) => [project, chain]))
  for (const { uid, project, cluster, namespace, reserved } of namespaces) {
    const used = readAmounts(usedBy(uid), `status.used of ${cluster}/${namespace}`)
    for (const scope of chains.get(project) ?? []) {
      const sum = sums.get(scope)
      if (sum === undefined) continue
      let inCluster = sum.clusters.get(cluster)
      if (inCluster === undefined) sum.clusters.set(cluster, (inCluster = { namespaces: 0, reserved: new Map(), used: new Map() }))
      inCluster.namespaces++
      sum.namespaces++
      add(inCluster.reserved, reserved)
      add(inCluster.used, used)
      add(sum.used, used)
    }
    await pause()
  }
  const usage = new Map<string, ScopeUse>()
  for (const { project, taken } of scopes) {
    const { namespaces: count = 0, used = new Map(), clusters = new Map() } = sums.get(project) ?? {}
    const total = new Map([...taken].filter(([place]) => placeOf(place).cluster === everywhere).map(([place, amount]) => [placeOf(place).resource, amount]))
    usage.set(project, {
      namespaces: count,
      reserved: listOf(total),
      used: listOf(used),
      clusters: [...clusters].map(([cluster, one]) => ({ cluster, namespaces: one.namespaces, reserved: listOf(one.reserved), used: listOf(one.used) })),
    })
    await pause()
  }
  return usage
}

/** What each project has in each cluster, by resource, without those below it. `pause` is asked between namespaces. */
export async function samplesOf(
  { scopes, namespaces }: BookView,
  {
    usedBy,
    pause,
  }: { readonly usedBy: (uid: string) => Readonly<Record<string, string | number>> | undefined; readonly pause: () => Promise<void> | undefined },
): Promise<readonly UsageSample[]> {
  const uids = new Map(scopes.map(({ project, uid }) => [project, uid]))
  const samples = new Map<string, { readonly of: UsageSeries; reserved: Quantity; used: Quantity }>()
  for (const { uid, project, cluster, namespace, reserved } of namespaces) {
    const used = readAmounts(usedBy(uid), `status.used of ${cluster}/${namespace}`)
    for (const resource of new Set([...reserved.keys(), ...used.keys()])) {
      const of = { project, uid: uids.get(project) ?? '', cluster, resource }
      const key = keyOfSeries(of)
      const sample = samples.get(key) ?? { of, reserved: zero, used: zero }
      samples.set(key, { of, reserved: plus(sample.reserved, reserved.get(resource) ?? zero), used: plus(sample.used, used.get(resource) ?? zero) })
    }
    await pause()
  }
  return [...samples.values()].map(({ of, reserved, used }) => ({ ...of, reserved: quantityToNumber(reserved), used: quantityToNumber(used) }))
}

function add(sums: Map<string, Quantity>, amounts: Amounts): void {
  for (const [resource, amount] of amounts) sums.set(resource, plus(sums.get(resource) ?? zero, amount))
}
