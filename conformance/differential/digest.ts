import type { DifferenceGroup, DifferentialResult } from './differential.ts'

/** For people: how many requests of each kind, then each sort of difference with one example. */
export function formatDigest({ requests, unanswered, kinds, differences }: DifferentialResult): string {
  const unknown = differences.filter(({ because }) => because === undefined)
  const known = differences.filter(({ because }) => because !== undefined)
  const byKind = Map.groupBy(unknown, ({ kind }) => kind)
  const rows = [...kinds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, tally]) => {
      const sorts = byKind.get(kind) ?? []
      return `${kind.padEnd(44)} ${String(tally.requests).padStart(8)} ${String(tally.accepted).padStart(8)} ${String(sumOf(sorts)).padStart(9)} ${String(sorts.length).padStart(5)}`
    })
  return [
    `${'kind'.padEnd(44)} requests accepted different sorts`,
    ...rows,
    ...unknown.map((group) => formatGroup(group)),
    ...unanswered.map((trial) => `the real server panicked: ${trial}`),
    ...known.map(({ kind, way, sort, count, because }) => `known: ${kind}, ${way}, ${sort} (${count}): ${because}`),
    `${requests} requests to both; answered differently in what is not known: ${sumOf(unknown)}, in ${unknown.length} sorts`,
    '',
  ].join('\n')
}

/** One sort of difference with the request that shows it. */
export function formatGroup({ kind, way, sort, count, example }: DifferenceGroup): string {
  return [
    `\n${kind}, ${way}, ${sort} (${count})`,
    `  ${example.request.method} ${example.request.target}  ${example.change}`,
    `  real: ${example.real}`,
    `  ours: ${example.ours}`,
  ].join('\n')
}

function sumOf(groups: readonly DifferenceGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0)
}
