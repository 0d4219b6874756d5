import {
  addQuantities,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityOf,
  StatusError,
  subtractQuantities,
  type Quantity,
} from '@gantry/apimachinery'
import { canonicalResource, type Quota } from '../../api/index.ts'

/** Exact amounts by resource, under one name each: `requests.cpu` is what a ResourceQuota also calls `cpu`. */
export type Amounts = ReadonlyMap<string, Quantity>

/** Amounts in several places: what a scope may have, or what something takes from it. Keys are made by `at`. */
export type Vector = ReadonlyMap<string, Quantity>

export const zero: Quantity = quantityOf(0, 'DecimalSI')
export const one: Quantity = quantityOf(1, 'DecimalSI')

/** In all clusters together. */
export const everywhere = ''
/** How many namespaces there are: counted by the platform, no resource of a cluster. */
export const namespaceCount = '#|namespaces'

/** The key of a resource in a cluster, or in all together. No name of a cluster or resource holds a `|`. */
export const at = (cluster: string, resource: string): string => `${cluster}|${resource}`

export function placeOf(key: string): { readonly cluster: string; readonly resource: string } {
  const bar = key.indexOf('|')
  return { cluster: key.slice(0, bar), resource: key.slice(bar + 1) }
}

const resourceName = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/
const maxNameLength = 317
// What Kubernetes keeps of a quantity is an int64 at most.
const most = parseQuantity('9223372036854775807')

/** The one key of an amount, of a resource or of a place. */
export function canonicalKey(key: string): string {
  const bar = key.indexOf('|')
  return `${key.slice(0, bar + 1)}${canonicalResource(key.slice(bar + 1))}`
}

/** Reads a resource list; of two names of one resource the smaller amount counts. Throws Invalid, naming the field. */
export function readAmounts(list: Readonly<Record<string, string | number>> | undefined, field: string): Amounts {
  const amounts = new Map<string, Quantity>()
  for (const [written, value] of Object.entries(list ?? {})) {
    if (!resourceName.test(written) || written.length > maxNameLength)
      throw new StatusError(
        'Invalid',
        `${field}: "${written.slice(0, 80)}" is no resource that a ResourceQuota counts: write cpu, requests.nvidia.com/gpu or count/deployments.apps`,
      )
    const resource = canonicalResource(written)
    const amount = readAmount(String(value), `${field}.${written}`)
    const other = amounts.get(resource)
    amounts.set(resource, other === undefined ? amount : smaller(other, amount))
  }
  return amounts
}

function readAmount(text: string, field: string): Quantity {
  let amount: Quantity
  try {
    amount = parseQuantity(text)
  } catch (error) {
    if (error instanceof StatusError) throw new StatusError('Invalid', `${field}: "${text.slice(0, 80)}" is no quantity: write 4, 500m or 8Gi`)
    throw error
  }
  if (amount.unscaled < 0n || isMore(amount, most)) throw new StatusError('Invalid', `${field}: ${text.slice(0, 80)} is not between 0 and 2^63-1`)
  return amount
}

/** What a quota limits, in all its places. Throws Invalid, naming the field. */
export function vectorOfQuota(quota: Quota | undefined): Vector {
  const vector = new Map<string, Quantity>()
  for (const [resource, amount] of readAmounts(quota?.total, 'spec.quota.total')) vector.set(at(everywhere, resource), amount)
  for (const { cluster, hard } of quota?.clusters ?? [])
    for (const [resource, amount] of readAmounts(hard, `spec.quota.clusters[${cluster}].hard`)) vector.set(at(cluster, resource), amount)
  if (quota?.namespaces !== undefined) vector.set(namespaceCount, quantityOf(quota.namespaces, 'DecimalSI'))
  return vector
}

/** What a namespace with these amounts takes from what it stands in. */
export function vectorOfNamespace(cluster: string, amounts: Amounts): Vector {
  const vector = new Map<string, Quantity>([[namespaceCount, one]])
  for (const [resource, amount] of amounts) {
    vector.set(at(everywhere, resource), amount)
    vector.set(at(cluster, resource), amount)
  }
  return vector
}

export function listOf(amounts: Amounts): Record<string, string> {
  return Object.fromEntries([...amounts].map(([resource, amount]) => [resource, formatQuantity(amount)]))
}

/** By key the largest of all: what is certain to suffice for each of them. */
export function largestOf<K>(...all: readonly ReadonlyMap<K, Quantity>[]): ReadonlyMap<K, Quantity> {
  if (all.length === 1 && all[0] !== undefined) return all[0]
  return combined(all, larger)
}

/** By key the smallest of those that name it: what satisfies each of them. */
export function smallestOf<K>(...all: readonly ReadonlyMap<K, Quantity>[]): ReadonlyMap<K, Quantity> {
  if (all.length === 1 && all[0] !== undefined) return all[0]
  return combined(all, smaller)
}

function combined<K>(all: readonly ReadonlyMap<K, Quantity>[], choose: (a: Quantity, b: Quantity) => Quantity): ReadonlyMap<K, Quantity> {
  const result = new Map<K, Quantity>()
  for (const amounts of all)
    for (const [key, amount] of amounts) {
      const known = result.get(key)
      result.set(key, known === undefined ? amount : choose(known, amount))
    }
  return result
}

export function sameAmounts<K>(a: ReadonlyMap<K, Quantity>, b: ReadonlyMap<K, Quantity>): boolean {
  if (a.size !== b.size) return false
  for (const [key, amount] of a) {
    const other = b.get(key)
    if (other === undefined || compareQuantities(amount, other) !== 0) return false
  }
  return true
}

export const plus = addQuantities
export const minus = subtractQuantities
export const isMore = (a: Quantity, b: Quantity): boolean => compareQuantities(a, b) > 0
export const smaller = (a: Quantity, b: Quantity): Quantity => (isMore(a, b) ? b : a)
export const larger = (a: Quantity, b: Quantity): Quantity => (isMore(b, a) ? b : a)
/** Never below nothing. */
export const atLeastZero = (amount: Quantity): Quantity => (amount.unscaled < 0n ? zero : amount)
