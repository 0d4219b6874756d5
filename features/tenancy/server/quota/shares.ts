import { compareQuantities, formatQuantity, parseQuantity, type Quantity } from '@gantry/apimachinery'
import { atLeastZero, isMore, larger, minus, plus, smaller, zero, type Amounts } from './amounts.ts'
import { QuotaExceeded, type NamespaceKey, type QuotaBook } from './quota-book.ts'

/*
 * In the mode Consumption a namespace has a share of what is left above it: what it uses, and a chunk beside it. A tenth of what remains, so that no cluster can take all of it and
 * many can grow at once; at least a hundredth of the limit, so that the last of it is not given out in crumbs.
 */
const chunkOfRemaining = 10n
const leastOfLimit = 100n

export interface Wanted {
  /** What the namespace's ResourceQuota counts as used; undefined: not known, what it has stays. */
  readonly used: Amounts | undefined
  /** What it asks for as an upper bound, by resource. */
  readonly bound: Amounts
  /** What is to be free beside what is used, for pods that are larger than a chunk. */
  readonly headroom: Amounts
  /** What it has now; undefined: nothing yet. */
  readonly target: Amounts | undefined
}

/**
 * The share of a namespace, never more than there is room for; `isShort`: it is less than it should be, for want of room. What it has stays while between half a chunk and two are free, so
 * that a share does not follow every pod. Throws QuotaExceeded for a new one when nothing is left: a quota of zero would fail silently.
 */
export function shareOf(book: QuotaBook, key: NamespaceKey, { used, bound, headroom, target }: Wanted): { readonly share: Amounts; readonly isShort: boolean } {
  const share = new Map<string, Quantity>()
  const problems: string[] = []
  const rooms = book.roomOf(key)
  let isShort = false
  for (const [resource, { room, limit }] of rooms) {
    const most = smaller(atLeastZero(room), bound.get(resource) ?? room)
    const taken = used?.get(resource) ?? zero
    const has = target?.get(resource)
    if (used === undefined && has !== undefined) {
      share.set(resource, smaller(has, bound.get(resource) ?? has))
      continue
    }
    if (has === undefined && most.unscaled <= 0n && limit.unscaled > 0n && bound.get(resource)?.unscaled !== 0n) {
      problems.push(`${book.nameOf(key.project)} cluster ${key.cluster} ${resource}: want some, free 0 (limit ${formatQuantity(limit)} is used or leased out)`)
      continue
    }
    const asked = { resource, most: atLeastZero(most), taken, limit, headroom: headroom.get(resource) ?? zero, has }
    const beside = besideOf(asked)
    share.set(resource, next(asked, beside))
    if (isMore(plus(taken, beside), most)) isShort = true
  }
  for (const [resource, amount] of bound) if (!rooms.has(resource)) share.set(resource, amount)
  if (problems.length > 0) throw new QuotaExceeded(problems)
  return { share, isShort }
}

interface Share {
  readonly resource: string
  readonly most: Quantity
  readonly taken: Quantity
  readonly limit: Quantity
  readonly headroom: Quantity
  readonly has: Quantity | undefined
}

/** What is to be free beside what is used. */
function besideOf({ resource, most, taken, limit, headroom }: Share): Quantity {
  const remaining = atLeastZero(minus(most, taken))
  return larger(larger(portion(remaining, chunkOfRemaining, resource), portion(limit, leastOfLimit, resource)), headroom)
}

function next({ most, taken, has }: Share, beside: Quantity): Quantity {
  const wanted = smaller(most, plus(taken, beside))
  // What is used is not taken away; above what there is room for it is not given anew either.
  const share = larger(wanted, smaller(taken, has ?? zero))
  if (has === undefined) return share
  const free = minus(has, taken)
  const isTight = isMore(beside, plus(free, free))
  const isIdle = isMore(free, plus(beside, beside))
  if (isMore(has, most)) return share
  if (isTight) return larger(has, share)
  return isIdle ? share : has
}

const grains: readonly { readonly of: RegExp; readonly grain: Quantity }[] = [
  { of: /(?:^|\.)cpu$/, grain: parseQuantity('10m') },
  { of: /(?:memory|storage|hugepages-[^/]*)$/, grain: parseQuantity('1Mi') },
]
const whole = parseQuantity('1')

/** The n-th part, rounded to what makes sense of this resource: 10m of CPU, 1Mi of memory and storage, one of everything else. */
export function portion(amount: Quantity, n: bigint, resource: string, rounded: 'up' | 'down' = 'up'): Quantity {
  const { grain } = grains.find(({ of }) => of.test(resource)) ?? { grain: whole }
  const exponent = Math.min(amount.exponent, grain.exponent)
  const scaled = ({ unscaled, exponent: own }: Quantity): bigint => unscaled * 10n ** BigInt(own - exponent)
  const step = scaled(grain) * n
  const grainsNeeded = (scaled(amount) + (rounded === 'up' ? step - 1n : 0n)) / step
  return { unscaled: grainsNeeded * scaled(grain), exponent, format: grain.format }
}

/** Whether a cluster's ResourceQuota has just these amounts. */
export function isHard(hard: Amounts, target: Amounts): boolean {
  return (
    hard.size === target.size && [...target].every(([resource, amount]) => compareQuantities(hard.get(resource) ?? { ...zero, unscaled: -1n }, amount) === 0)
  )
}
