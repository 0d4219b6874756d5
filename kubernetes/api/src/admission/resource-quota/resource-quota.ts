import { addQuantities, compareQuantities, formatQuantity, subtractQuantities } from '@gantry/apimachinery'
import type { AdmissionPlugin, AdmissionRequest, ApiObject } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { ResourceQuota } from '../../generated/types.ts'
import { as } from '../../kind.ts'
import type { ObjectIndex } from '../object-index.ts'
import { amountsOf } from '../resource-amounts.ts'
import type { Amounts, ReadonlyAmounts } from '../resource-amounts.ts'
import { quotaEvaluatorOf, scopesOf } from './quota-evaluators.ts'
import type { QuotaEvaluator } from './quota-evaluators.ts'

// Upstream: apiserver pkg/admission/plugin/resourcequota.

export interface ResourceQuotaDeps {
  readonly quotas: ObjectIndex<ResourceQuota>
  /** The newest state of a quota, with writes that are still on their way to the disk. */
  readonly quotaOf: (namespace: string, name: string) => ApiObject | undefined
  /** Writes `status.used`; throws Conflict when the quota has changed since it was read. */
  readonly updateUsed: (quota: ResourceQuota) => Promise<unknown>
}

const conflictRetries = 3

/** One request that waits for its quotas to be charged. */
interface Charge {
  readonly request: AdmissionRequest
  readonly evaluator: QuotaEvaluator
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A quota while requests are counted against it. */
interface Account {
  readonly quota: ResourceQuota
  readonly name: string
  readonly hard: ReadonlyAmounts
  used: ReadonlyAmounts
  isChanged: boolean
}

/**
 * Nothing is created beyond the quotas of its namespace (M6). The charge is in the status of the quota, on the disk, before the object is written: requests of one namespace
 * are charged one after the other, those that come while a charge is being written share the next write. What was charged for an object that was then not written, the
 * controller of quotas gives back.
 */
export function resourceQuota(deps: ResourceQuotaDeps): AdmissionPlugin {
  const waiting = new Map<string, Charge[]>()

  /** Charges what waits for a namespace, until nothing does. */
  async function work(namespace: string): Promise<void> {
    for (;;) {
      const batch = waiting.get(namespace) ?? []
      if (batch.length === 0) return void waiting.delete(namespace)
      waiting.set(namespace, [])
      try {
        await charge(deps, namespace, batch)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
  }

  return {
    name: 'ResourceQuota',
    validate(request) {
      const { namespace, definition } = request
      if (namespace === undefined || !definition.namespaced || deps.quotas.in(namespace).length === 0) return undefined
      const evaluator = quotaEvaluatorOf(definition.group, definition.plural)
      if (evaluator === undefined || !concerns(evaluator, request)) return undefined
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const queue = waiting.get(namespace)
      if (queue !== undefined) queue.push({ request, evaluator, resolve, reject })
      else {
        waiting.set(namespace, [{ request, evaluator, resolve, reject }])
        void work(namespace)
      }
      return promise
    },
  }
}

function concerns(evaluator: QuotaEvaluator, { operation, subresource, object, oldObject }: AdmissionRequest): boolean {
  if (object === undefined) return false
  if (operation === 'CREATE') return subresource === ''
  return operation === 'UPDATE' && oldObject !== undefined && evaluator.countsUpdate?.(subresource, object, oldObject) === true
}

async function charge(deps: ResourceQuotaDeps, namespace: string, batch: readonly Charge[]): Promise<void> {
  let accounts = open(
    deps,
    namespace,
    deps.quotas.in(namespace).map(({ metadata }) => metadata.name ?? ''),
  )
  let charges = batch
  for (let attempt = 0; ; attempt++) {
    const charged = charges.filter((one) => isCharged(one, accounts))
    const failures: { readonly name: string; readonly error: unknown }[] = []
    for (const account of accounts) {
      if (!account.isChanged) continue
      try {
        await deps.updateUsed({ ...account.quota, status: { ...account.quota.status, used: textOf(account.used) } })
      } catch (error) {
        failures.push({ name: account.name, error })
      }
    }
    const [failure] = failures
    if (failure === undefined) {
      for (const { resolve } of charged) resolve()
      return
    }
    if (attempt >= conflictRetries) {
      for (const { reject } of charged) reject(failures.at(-1)?.error)
      return
    }
    // The quotas that took the charge keep it: only the others are asked once more.
    charges = charged
    accounts = open(
      deps,
      namespace,
      failures.map(({ name }) => name),
    )
  }
}

function open(deps: ResourceQuotaDeps, namespace: string, names: readonly string[]): Account[] {
  return names.flatMap((name) => {
    const found = deps.quotaOf(namespace, name)
    if (found === undefined) return []
    const quota = as<ResourceQuota>(found)
    return [{ quota, name, hard: amountsOf(quota.status?.hard), used: amountsOf(quota.status?.used), isChanged: false }]
  })
}

/** Counts a request against the accounts. False: it is settled already, refused or let through for it uses nothing; true: it waits for the accounts to be written. */
function isCharged(one: Charge, accounts: readonly Account[]): boolean {
  let uses: ReadonlyMap<Account, ReadonlyAmounts>
  try {
    uses = newUsage(one, accounts)
  } catch (error) {
    one.reject(error)
    return false
  }
  if (uses.size === 0 || one.request.context.dryRun) {
    one.resolve()
    return false
  }
  for (const [account, used] of uses) {
    account.used = used
    account.isChanged = true
  }
  return true
}

/** The usage of each account that a request changes. Throws Forbidden when one of them does not allow it. */
function newUsage({ request, evaluator }: Charge, accounts: readonly Account[]): ReadonlyMap<Account, ReadonlyAmounts> {
  const { object, oldObject, operation, subresource, context } = request
  const relevant: { readonly account: Account; readonly measured: readonly string[] }[] = []
  for (const account of accounts) {
    const measured = [...account.hard.keys()].filter(evaluator.measures)
    if (measured.length === 0 || !scopesOf(account.quota).every((scope) => evaluator.inScope(scope, object))) continue
    const unstated = evaluator.unstated?.(measured, object)
    if (unstated !== undefined) throw refusal(request, `failed quota: ${account.name}: ${unstated}`)
    if (measured.some((name) => !account.used.has(name))) {
      throw refusal(request, `status unknown for quota: ${account.name}, resources: ${measured.toSorted().join(',')}`)
    }
    relevant.push({ account, measured })
  }
  const usages = new Map<Account, ReadonlyAmounts>()
  if (relevant.length === 0) return usages
  const usage = evaluator.usage(object, context.now)
  const negative = [...usage].filter(([, amount]) => amount.unscaled < 0n).map(([name]) => name)
  if (negative.length > 0) throw refusal(request, `quota usage is negative for resource(s): ${negative.sort().join(',')}`)
  const before = operation === 'UPDATE' ? evaluator.usage(oldObject, context.now) : undefined
  for (const { account } of relevant) {
    // What was in the scope of the quota before has been charged before.
    const wasIn = before !== undefined && scopesOf(account.quota).every((scope) => evaluator.inScope(scope, oldObject))
    const more = within(wasIn ? increase(usage, before) : usage, account.hard)
    if (more.size === 0) continue
    const used = new Map(account.used)
    for (const [name, amount] of more) used.set(name, addQuantities(used.get(name) ?? { ...amount, unscaled: 0n }, amount))
    if (subresource !== 'status') checkHard(request, account, { more, used })
    usages.set(account, used)
  }
  return usages
}

function checkHard(request: AdmissionRequest, account: Account, { more, used }: { readonly more: ReadonlyAmounts; readonly used: ReadonlyAmounts }): void {
  const exceeded = [...more.keys()].filter((name) => {
    const [now, hard] = [used.get(name), account.hard.get(name)]
    return now !== undefined && hard !== undefined && compareQuantities(now, hard) > 0
  })
  if (exceeded.length === 0) return
  const show = (amounts: ReadonlyAmounts): string =>
    exceeded
      .filter((name) => amounts.has(name))
      .sort()
      .map((name) => `${name}=${formatQuantity(amounts.get(name) ?? noAmount)}`)
      .join(',')
  throw refusal(request, `exceeded quota: ${account.name}, requested: ${show(more)}, used: ${show(account.used)}, limited: ${show(account.hard)}`)
}

const noAmount = { unscaled: 0n, exponent: 0, format: 'DecimalSI' } as const

/** Amounts that are not zero, of resources that are limited. */
function within(amounts: ReadonlyAmounts, hard: ReadonlyAmounts): Amounts {
  return new Map([...amounts].filter(([name, amount]) => amount.unscaled !== 0n && hard.has(name)))
}

/** How much more is used than before; what is given back, the controller of quotas finds. */
function increase(usage: ReadonlyAmounts, before: ReadonlyAmounts): Amounts {
  const more: Amounts = new Map()
  for (const [name, amount] of usage) {
    const old = before.get(name)
    const difference = old === undefined ? amount : subtractQuantities(amount, old)
    if (difference.unscaled > 0n) more.set(name, difference)
  }
  return more
}

function textOf(amounts: ReadonlyAmounts): Record<string, string> {
  return Object.fromEntries([...amounts].map(([name, amount]) => [name, formatQuantity(amount)]))
}
