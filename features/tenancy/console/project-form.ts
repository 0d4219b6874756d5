import { canonicalResource, type Project, type Quota, type QuotaLine } from '../api/index.ts'
import { evenShares, isAtMost, quotaOfLines, type AmountLine } from './amounts.ts'
import { isName } from './scope.ts'

export type Mode = NonNullable<Project['spec']['mode']>

/** Something limited above a new project: in the mode Allocation the project has to say how much of it it is to have. */
export interface LimitAbove {
  readonly cluster: string
  readonly resource: string
  readonly free: string
  readonly limit: string
  /** `tenant acme`, as the platform names it. */
  readonly scope: string
}

const namespacesResource = 'namespaces'
const longestNamespace = 63

/** What limits a tenant or project, for a project that is to stand in it: of several limits of one resource the one of which least is free. */
export function limitsOfLines(lines: readonly QuotaLine[]): readonly LimitAbove[] {
  const byPlace = new Map<string, LimitAbove>()
  for (const { scope, cluster = '', resource, limit, free } of lines) {
    const key = `${cluster}|${canonicalResource(resource)}`
    const known = byPlace.get(key)
    if (known !== undefined && isAtMost(known.free, free)) continue
    byPlace.set(key, { cluster, resource, limit, free, scope })
  }
  return [...byPlace.values()]
}

/** Limits that have to be set in lines of a form. */
export const resourceLimits = (limits: readonly LimitAbove[]): readonly LimitAbove[] => limits.filter(({ resource }) => resource !== namespacesResource)
export const namespaceLimit = (limits: readonly LimitAbove[]): LimitAbove | undefined => limits.find(({ resource }) => resource === namespacesResource)

/** The lines, with one for each limit above that none of them is about. */
export function withLimits(lines: readonly AmountLine[], limits: readonly LimitAbove[]): readonly AmountLine[] {
  const missing = limits.filter(
    ({ cluster, resource }) => !lines.some((line) => line.cluster === cluster && canonicalResource(line.resource) === canonicalResource(resource)),
  )
  return [...lines, ...missing.map(({ cluster, resource }) => ({ cluster, resource, amount: '' }))]
}

export interface EnvironmentLine {
  readonly name: string
  /** '' is the first cluster that is ready. */
  readonly cluster: string
  /** What was typed, by resource; what was not is the even share. */
  readonly amounts: Readonly<Record<string, string>>
}

export interface ProjectForm {
  readonly name: string
  readonly displayName: string
  readonly description: string
  /** None: all of what it stands in. */
  readonly clusters: readonly string[]
  /** '' is that of what it stands in. */
  readonly mode: Mode | ''
  readonly lines: readonly AmountLine[]
  readonly namespaces: string
  /** What namespaces have that do not say; all of them about all clusters. */
  readonly defaults: readonly AmountLine[]
  readonly environments: readonly EnvironmentLine[]
}

export const usualEnvironments: readonly EnvironmentLine[] = ['test', 'production'].map((name) => ({ name, cluster: '', amounts: {} }))

/** What each environment has unless something else is typed: what namespaces have that do not say, or an even share of each limit, of all clusters or of its own. By environment, in their order. */
export function environmentShares({
  lines,
  defaults,
  environments,
}: Pick<ProjectForm, 'lines' | 'defaults' | 'environments'>): readonly Readonly<Record<string, string>>[] {
  const quota = quotaOfLines(lines, undefined)
  const total = evenShares(quota?.total ?? {}, environments.length)
  return environments.map(({ cluster }) => {
    const hard = quota?.clusters?.find((one) => one.cluster === cluster)?.hard
    const inCluster = hard === undefined ? {} : evenShares(hard, environments.filter((one) => one.cluster === cluster).length)
    return instead(smallestOf(total, inCluster), listOfLines(defaults))
  })
}

/** A list with amounts of another one in place of its own. */
function instead(list: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const named = new Set(Object.keys(other).map(canonicalResource))
  return { ...Object.fromEntries(Object.entries(list).filter(([resource]) => !named.has(canonicalResource(resource)))), ...other }
}

const textList = (list: Readonly<Record<string, string | number>> = {}): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(list).map(([resource, amount]) => [resource, String(amount)]))

/** What lines say that are about all clusters together. */
export const listOfLines = (lines: readonly AmountLine[]): Readonly<Record<string, string>> => textList(quotaOfLines(lines, undefined)?.total)

function smallestOf(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const result: Record<string, string> = { ...left }
  for (const [resource, amount] of Object.entries(right)) {
    const same = Object.keys(result).find((name) => canonicalResource(name) === canonicalResource(resource))
    if (same === undefined) result[resource] = amount
    else if (isAtMost(amount, result[same] ?? '')) result[same] = amount
  }
  return result
}

/** Resources of which environments need a part: those that the quota names. */
export const environmentResources = (shares: readonly Readonly<Record<string, string>>[]): readonly string[] => [
  ...new Set(shares.flatMap((share) => Object.keys(share))),
]

/** The namespace that an environment is made as. */
export const environmentNamespace = (tenant: string, project: string, environment: string): string => `${tenant}-${project}-${environment}`

export type EnvironmentProblem = 'name' | 'twice' | 'long'

/** What is wrong with the environments, by their index. */
export function environmentProblems(
  tenant: string,
  { name, environments }: Pick<ProjectForm, 'name' | 'environments'>,
): ReadonlyMap<number, EnvironmentProblem> {
  const problems = new Map<number, EnvironmentProblem>()
  const seen = new Set<string>()
  environments.forEach((environment, index) => {
    if (!isName(environment.name)) problems.set(index, 'name')
    else if (seen.has(environment.name)) problems.set(index, 'twice')
    else if (environmentNamespace(tenant, name, environment.name).length > longestNamespace) problems.set(index, 'long')
    seen.add(environment.name)
  })
  return problems
}

/** How many namespaces a text says; undefined: it is empty. NaN: it is no such number. */
export function countOf(text: string): number | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  return /^\d{1,5}$/.test(trimmed) && Number(trimmed) <= 10_000 ? Number(trimmed) : Number.NaN
}

/** What is written of a new project. `mode` is the one in force: environments have no shares of their own where use counts. */
export function projectSpec(form: ProjectForm, mode: Mode): Project['spec'] {
  const shares = environmentShares(form)
  const defaults = listOfLines(form.defaults)
  return {
    ...scopeSpec(form),
    ...(Object.keys(defaults).length === 0 ? {} : { namespaceDefaultQuota: defaults }),
    ...(form.clusters.length === 0 ? {} : { clusters: [...form.clusters] }),
    environments: form.environments.map(({ name, cluster, amounts }, index) => {
      const quota = Object.fromEntries(Object.entries({ ...shares[index], ...amounts }).filter(([, amount]) => amount.trim() !== ''))
      return {
        name,
        ...(cluster === '' ? {} : { cluster }),
        ...(mode === 'Consumption' || Object.keys(quota).length === 0 ? {} : { quota }),
      }
    }),
  }
}

/** What tenants and projects have alike. */
export function scopeSpec({
  displayName,
  description,
  mode,
  lines,
  namespaces,
}: Pick<ProjectForm, 'displayName' | 'description' | 'mode' | 'lines' | 'namespaces'>): {
  displayName?: string
  description?: string
  mode?: Mode
  quota?: Quota
} {
  const quota = quotaOfLines(lines, countOf(namespaces))
  return {
    ...(displayName.trim() === '' ? {} : { displayName: displayName.trim() }),
    ...(description.trim() === '' ? {} : { description: description.trim() }),
    ...(mode === '' ? {} : { mode }),
    ...(quota === undefined ? {} : { quota }),
  }
}
