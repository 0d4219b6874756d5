import { formatQuantity, type Quantity } from '@gantry/apimachinery'
import type { QuotaLine, ScopeUse } from '../../api/index.ts'
import { atLeastZero, everywhere, listOf, minus, namespaceCount, placeOf, plus, readAmounts, zero, type Amounts } from './amounts.ts'
import { root, type QuotaBook } from './quota-book.ts'

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

/** What of every scope is taken and used. `pause` is asked between namespaces. */
export async function usageOf(
  book: QuotaBook,
  {
    usedBy,
    pause,
  }: { readonly usedBy: (uid: string) => Readonly<Record<string, string | number>> | undefined; readonly pause: () => Promise<void> | undefined },
): Promise<ReadonlyMap<string, ScopeUse>> {
  const usage = new Map<string, ScopeUse>()
  const used = new Map<string, Amounts>()
  for (const { uid, cluster, namespace } of book.namespacesBelow(root)) {
    used.set(uid, readAmounts(usedBy(uid), `status.used of ${cluster}/${namespace}`))
    await pause()
  }
  for (const scope of book.scopesBelow(root)) {
    const clusters = new Map<string, { namespaces: number; readonly reserved: Map<string, Quantity>; readonly used: Map<string, Quantity> }>()
    const all = new Map<string, Quantity>()
    let namespaces = 0
    for (const { cluster, reserved, uid } of book.namespacesBelow(scope)) {
      let inCluster = clusters.get(cluster)
      if (inCluster === undefined) clusters.set(cluster, (inCluster = { namespaces: 0, reserved: new Map(), used: new Map() }))
      inCluster.namespaces++
      namespaces++
      add(inCluster.reserved, reserved)
      add(inCluster.used, used.get(uid) ?? new Map())
      add(all, used.get(uid) ?? new Map())
      await pause()
    }
    const total = new Map(
      [...book.takenOf(scope)].filter(([place]) => placeOf(place).cluster === everywhere).map(([place, amount]) => [placeOf(place).resource, amount]),
    )
    usage.set(scope, {
      namespaces,
      reserved: listOf(total),
      used: listOf(all),
      clusters: [...clusters].map(([cluster, one]) => ({ cluster, namespaces: one.namespaces, reserved: listOf(one.reserved), used: listOf(one.used) })),
    })
  }
  return usage
}

function add(sums: Map<string, Quantity>, amounts: Amounts): void {
  for (const [resource, amount] of amounts) sums.set(resource, plus(sums.get(resource) ?? zero, amount))
}
