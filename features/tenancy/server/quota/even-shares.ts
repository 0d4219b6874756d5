import type { Quantity } from '@gantry/apimachinery'
import { withProjectDefaults, type Environment, type Project } from '../../api/index.ts'
import { atLeastZero, everywhere, listOf, minus, namespaceCount, placeOf, plus, readAmounts, smaller, zero, type Amounts } from './amounts.ts'
import type { QuotaBook } from './quota-book.ts'
import { portion } from './shares.ts'

/**
 * What of a project's quota each of these environments has where nobody says: what is free is divided evenly, so that a project with a quota has its environments at once. Never zero, where
 * the quota is not: everything in such a namespace would fail silently. In the mode Consumption shares are leased, and nothing has to be said.
 */
export function evenShares(book: QuotaBook, project: Project, environments: readonly Environment[]): ReadonlyMap<string, Record<string, string> | string> {
  const name = project.metadata.name ?? ''
  if (book.modeOf(name) === 'Consumption') return new Map(environments.map((one) => [one.name, {}]))
  const said = new Map(environments.map((one) => [one.name, saidBy(project, one)]))
  const shares = new Map(environments.map((one) => [one.name, new Map<string, Quantity>()]))
  const problems = new Map<string, string[]>()
  for (const [place, limit] of book.limitsOf(name)) {
    if (place === namespaceCount) continue
    const { cluster, resource } = placeOf(place)
    const here = environments.filter((one) => cluster === everywhere || cluster === one.cluster)
    const silent = here.filter((one) => said.get(one.name)?.has(resource) !== true)
    const spoken = here.reduce((sum, one) => plus(sum, said.get(one.name)?.get(resource) ?? zero), zero)
    const free = atLeastZero(minus(limit, plus(book.takenOf(name).get(place) ?? zero, spoken)))
    const share = portion(free, BigInt(Math.max(1, silent.length)), resource, 'down')
    for (const one of silent) {
      const other = shares.get(one.name)?.get(resource)
      shares.get(one.name)?.set(resource, other === undefined ? share : smaller(other, share))
      if (share.unscaled > 0n || limit.unscaled === 0n) continue
      const all = problems.get(one.name) ?? []
      problems.set(one.name, all)
      all.push(`too little ${resource} is free of the quota of ${book.nameOf(name)}${cluster === everywhere ? '' : ` in cluster ${cluster}`} to share it`)
    }
  }
  return new Map(
    environments.map((one) => {
      const inTheWay = problems.get(one.name)
      return [
        one.name,
        inTheWay === undefined
          ? listOf(shares.get(one.name) ?? new Map())
          : `${inTheWay.join('; ')}: raise it, lower others, or say in spec.environments what ${one.name} is to have`,
      ]
    }),
  )
}

function saidBy(project: Project, { quota }: Environment): Amounts {
  const { spec } = withProjectDefaults({ metadata: {}, spec: { cluster: '', namespace: '', quota } }, project)
  return readAmounts(spec.quota, 'spec.environments.quota')
}
