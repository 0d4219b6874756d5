import {
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityOf,
  quantityOfMilli,
  quantityToNumber,
  subtractQuantities,
  type Quantity,
} from '@gantry/apimachinery'
import { canonicalResource, type Quota } from '../api/index.ts'

/** By resource, as a ResourceQuota names it: quantities. */
export type ResourceList = Readonly<Record<string, string | number>>

/** One line of a quota as it is typed. */
export interface AmountLine {
  /** '' is all clusters together. */
  readonly cluster: string
  readonly resource: string
  readonly amount: string
}

/** Keys of a ResourceQuota that are offered; any other can be typed. */
export const usualResources = [
  'requests.cpu',
  'requests.memory',
  'limits.cpu',
  'limits.memory',
  'pods',
  'requests.storage',
  'persistentvolumeclaims',
  'services.loadbalancers',
  'requests.nvidia.com/gpu',
] as const

/** A quantity that is at least nothing; undefined: it is none. */
export function amountOf(text: string | number | undefined): Quantity | undefined {
  if (text === undefined || text === '') return undefined
  try {
    const quantity = parseQuantity(String(text).trim())
    return quantity.unscaled < 0n ? undefined : quantity
  } catch {
    // Whatever is wrong with it: it is no quantity.
    return undefined
  }
}

export type LineProblem = 'resource' | 'amount' | 'twice'

const resourcePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/

/** What is wrong with the lines, by their index. A line of which nothing is filled in is none. */
export function problemsOfLines(lines: readonly AmountLine[]): ReadonlyMap<number, LineProblem> {
  const problems = new Map<number, LineProblem>()
  const seen = new Set<string>()
  lines.forEach(({ cluster, resource, amount }, index) => {
    if (resource.trim() === '' && amount.trim() === '') return
    const key = `${cluster}|${canonicalResource(resource.trim())}`
    if (!resourcePattern.test(resource.trim())) problems.set(index, 'resource')
    else if (seen.has(key)) problems.set(index, 'twice')
    else if (amountOf(amount) === undefined) problems.set(index, 'amount')
    seen.add(key)
  })
  return problems
}

export function linesOfQuota(quota: Quota | undefined): readonly AmountLine[] {
  const lines = (cluster: string, list: ResourceList | undefined): AmountLine[] =>
    Object.entries(list ?? {}).map(([resource, amount]) => ({ cluster, resource, amount: String(amount) }))
  return [...lines('', quota?.total), ...(quota?.clusters ?? []).flatMap(({ cluster, hard }) => lines(cluster, hard))]
}

/** The quota that the lines say; undefined: it limits nothing. */
export function quotaOfLines(lines: readonly AmountLine[], namespaces: number | undefined): Quota | undefined {
  const byCluster = new Map<string, Record<string, string>>()
  for (const { cluster, resource, amount } of lines) {
    if (resource.trim() === '' || amount.trim() === '') continue
    byCluster.set(cluster, { ...byCluster.get(cluster), [resource.trim()]: amount.trim() })
  }
  const total = byCluster.get('')
  const clusters = [...byCluster].filter(([cluster]) => cluster !== '').map(([cluster, hard]) => ({ cluster, hard }))
  if (total === undefined && clusters.length === 0 && namespaces === undefined) return undefined
  return {
    ...(total === undefined ? {} : { total }),
    ...(clusters.length === 0 ? {} : { clusters }),
    ...(namespaces === undefined ? {} : { namespaces }),
  }
}

const mebibyte = 2 ** 20

/** The same part of an amount for each of several, rounded down to what a person would write: thousandths, or whole Mi of what is written in Mi or Gi. */
export function evenShare(amount: string | number, among: number): string {
  const quantity = amountOf(amount)
  if (quantity === undefined || among < 1) return String(amount)
  const share = quantityToNumber(quantity) / among
  if (quantity.format !== 'BinarySI') return formatQuantity(quantityOfMilli(Math.floor(share * 1_000)))
  const step = share < mebibyte ? 1 : mebibyte
  return formatQuantity(quantityOf(Math.floor(share / step) * step, 'BinarySI'))
}

/** Each resource that the list names, shared evenly. What is counted in whole things is shared in whole ones. */
export function evenShares(list: ResourceList, among: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(list).map(([resource, amount]) => {
      const whole = isCount(resource) ? amountOf(amount) : undefined
      return [resource, whole === undefined || among < 1 ? evenShare(amount, among) : String(Math.floor(quantityToNumber(whole) / among))]
    }),
  )
}

const measured = /(?:^|\.)(?:cpu|memory|storage|ephemeral-storage|hugepages-.*)$/

/** Whether a resource is counted in whole things. */
export const isCount = (resource: string): boolean => !measured.test(resource)

/** How much of a limit is taken, 0 to 1 and above; of nothing everything is. */
export function fractionOf(taken: Quantity, limit: Quantity): number {
  const whole = quantityToNumber(limit)
  const part = quantityToNumber(taken)
  return whole === 0 ? (part === 0 ? 0 : 1) : part / whole
}

/** What is left of a limit, not below nothing. */
export function freeOf(limit: string | number, taken: string | number | undefined): string {
  const [whole, part] = [amountOf(limit), amountOf(taken ?? '0')]
  if (whole === undefined || part === undefined) return String(limit)
  return compareQuantities(part, whole) >= 0 ? '0' : formatQuantity(subtractQuantities(whole, part))
}

/** `cpu=4,memory=8Gi`, as the command line takes it. */
export const amountsText = (list: ResourceList): string =>
  Object.entries(list)
    .map(([resource, amount]) => `${resource}=${amount}`)
    .join(',')

/** Whether one quantity is not more than another; what is none is not. */
export function isAtMost(amount: string, other: string): boolean {
  const [left, right] = [amountOf(amount), amountOf(other)]
  return left !== undefined && right !== undefined && compareQuantities(left, right) <= 0
}
