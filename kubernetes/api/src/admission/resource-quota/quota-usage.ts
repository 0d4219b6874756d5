import { addQuantities, formatQuantity, parseQuantity } from '@gantry/apimachinery'
import type { Quantity } from '@gantry/apimachinery'
import type { ResourceQuota } from '../../generated/types.ts'
import type { ReadonlyAmounts } from '../resource-amounts.ts'
import { quotaEvaluatorOf, scopesOf } from './quota-evaluators.ts'
import type { QuotaEvaluator } from './quota-evaluators.ts'

const special: readonly string[] = ['pods', 'services', 'persistentvolumeclaims', 'configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']
const countPrefix = 'count/'
const zero: Quantity = { unscaled: 0n, exponent: 0, format: 'DecimalSI' }

/** The resources whose objects a quota measures, as `<plural>.<group>`; that one of them is served is not said. */
export function measuredResources({ spec }: ResourceQuota): readonly string[] {
  const names = Object.keys(spec?.hard ?? {})
  const counted = names.filter((name) => name.startsWith(countPrefix)).map((name) => name.slice(countPrefix.length))
  const others = special.filter((id) => names.some((name) => quotaEvaluatorOf('', id)?.measures(name) === true))
  return [...new Set([...counted, ...others])].filter((id) => evaluatorOf(id) !== undefined)
}

function evaluatorOf(id: string): QuotaEvaluator | undefined {
  const dot = id.indexOf('.')
  return dot < 0 ? quotaEvaluatorOf('', id) : quotaEvaluatorOf(id.slice(dot + 1), id.slice(0, dot))
}

/** Adds up what the objects of a quota's namespace use of it. */
export class QuotaUsage {
  readonly #quota: ResourceQuota
  readonly #now: Date
  readonly #used = new Map<string, Quantity>()

  constructor(quota: ResourceQuota, now: Date) {
    this.#quota = quota
    this.#now = now
  }

  /** Says that the objects of a resource are going to be added, all of them: what they are measured by is known from then on. */
  begin(id: string): void {
    const evaluator = evaluatorOf(id)
    for (const name of Object.keys(this.#quota.spec?.hard ?? {})) if (evaluator?.measures(name) === true) this.#used.set(name, this.#used.get(name) ?? zero)
  }

  add(id: string, object: object): void {
    for (const [name, amount] of usedOf(this.#quota, { id, object, now: this.#now })) {
      const sum = this.#used.get(name)
      if (sum !== undefined) this.#used.set(name, addQuantities(sum, amount))
    }
  }

  /** As `status.used`: what has a limit and has been measured. */
  total(): Record<string, string> {
    return Object.fromEntries([...this.#used].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, amount]) => [name, formatQuantity(amount)]))
  }
}

const nothing: ReadonlyAmounts = new Map()

function usedOf(quota: ResourceQuota, { id, object, now }: { readonly id: string; readonly object: object; readonly now: Date }): ReadonlyAmounts {
  const evaluator = evaluatorOf(id)
  if (evaluator === undefined || !scopesOf(quota).every((scope) => evaluator.inScope(scope, object))) return nothing
  return evaluator.usage(object, now)
}

/** Whether a change of an object has changed what it uses of a quota. */
export function usesAnother(quota: ResourceQuota, change: { readonly id: string; readonly object: object; readonly old: object; readonly now: Date }): boolean {
  const [before, after] = [usedOf(quota, { ...change, object: change.old }), usedOf(quota, change)]
  return before.size !== after.size || [...after].some(([name, amount]) => formatQuantity(before.get(name) ?? zero) !== formatQuantity(amount))
}

/** Whether two lists name the same amounts, however these are written. */
export function isSameAmounts(a: Readonly<Record<string, string>> | undefined, b: Readonly<Record<string, string>> | undefined): boolean {
  const [names, others] = [Object.keys(a ?? {}), Object.keys(b ?? {})]
  const canonical = (text: string): string => formatQuantity({ ...parseQuantity(text), format: 'DecimalSI' })
  return names.length === others.length && names.every((name) => b?.[name] !== undefined && canonical(a?.[name] ?? '0') === canonical(b[name]))
}
