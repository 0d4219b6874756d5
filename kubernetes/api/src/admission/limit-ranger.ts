import { compareQuantities, formatQuantity, parseQuantity, quantityToMilli } from '@gantry/apimachinery'
import type { Quantity } from '@gantry/apimachinery'
import type { AdmissionPlugin, AdmissionRequest } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import type { ObjectIndex } from './object-index.ts'
import { amountsOf, podTotal } from './resource-amounts.ts'
import type { ReadonlyAmounts } from './resource-amounts.ts'

// Upstream: plugin/pkg/admission/limitranger.

const annotation = 'kubernetes.io/limit-ranger'
const podLevel: ReadonlySet<string> = new Set(['cpu', 'memory'])
const isPodLevel = (name: string): boolean => podLevel.has(name)

/** Containers, pods and claims of a namespace keep within its LimitRanges, and containers get the amounts these say when they have none (M5). */
export function limitRanger(ranges: ObjectIndex<LimitRange>): AdmissionPlugin {
  return {
    name: 'LimitRanger',
    mutate(request) {
      const { object, namespace = '' } = request
      if (object === undefined || limitedKind(request) !== 'pods') return
      for (const range of ranges.in(namespace)) fillResources(range, as<Pod>(object))
    },
    validate(request) {
      const { object, namespace = '' } = request
      if (object === undefined) return
      const kind = limitedKind(request)
      if (kind === undefined) return
      for (const range of ranges.in(namespace)) {
        const problems = kind === 'pods' ? podProblems(range, as<Pod>(object)) : claimProblems(range, as<PersistentVolumeClaim>(object))
        const [first, ...others] = new Set(problems)
        if (first !== undefined) throw refusal(request, others.length === 0 ? first : `[${[first, ...others].join(', ')}]`)
      }
    },
  }
}

/** Pods where their resources are set, and claims; nothing that is on its way out. */
function limitedKind({ operation, definition, subresource, oldObject }: AdmissionRequest): 'pods' | 'claims' | undefined {
  if (definition.group !== '' || (operation !== 'CREATE' && operation !== 'UPDATE')) return undefined
  if (oldObject?.metadata.deletionTimestamp !== undefined) return undefined
  if (definition.plural === 'pods')
    return (operation === 'CREATE' && subresource === '') || (operation === 'UPDATE' && subresource === 'resize') ? 'pods' : undefined
  return definition.plural === 'persistentvolumeclaims' && subresource === '' ? 'claims' : undefined
}

function fillResources({ spec }: LimitRange, pod: Pod): void {
  const requests: Record<string, string> = {}
  const limits: Record<string, string> = {}
  for (const item of spec.limits ?? []) {
    if (item.type !== 'Container') continue
    Object.assign(requests, item.defaultRequest)
    Object.assign(limits, item.default)
  }
  const notes = [
    ...(pod.spec.containers ?? []).flatMap((container) => fillContainer(container, 'container', { requests, limits })),
    ...(pod.spec.initContainers ?? []).flatMap((container) => fillContainer(container, 'init container', { requests, limits })),
  ]
  if (notes.length > 0) pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${notes.join('; ')}` }
}

function fillContainer(
  container: Container,
  what: string,
  defaults: { readonly requests: Readonly<Record<string, string>>; readonly limits: Readonly<Record<string, string>> },
): string[] {
  const notes: string[] = []
  for (const which of ['requests', 'limits'] as const) {
    const present = container.resources?.[which]
    const missing = Object.keys(defaults[which])
      .filter((name) => present?.[name] === undefined)
      .sort()
    if (missing.length === 0) continue
    const filled: Record<string, string> = { ...present }
    for (const name of missing) filled[name] = defaults[which][name] ?? '0'
    container.resources = { ...container.resources, [which]: filled }
    notes.push(`${missing.join(', ')} ${which === 'requests' ? 'request' : 'limit'} for ${what} ${container.name}`)
  }
  return notes
}

function podProblems({ spec }: LimitRange, pod: Pod): string[] {
  const problems: string[] = []
  for (const item of spec.limits ?? []) {
    if (item.type === 'Container') {
      for (const { resources } of [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])]) {
        problems.push(...itemProblems(item, amountsOf(resources?.requests), amountsOf(resources?.limits)))
      }
    } else if (item.type === 'Pod') {
      problems.push(...itemProblems(item, podTotal(pod, 'requests', { isPodLevel }), podTotal(pod, 'limits', { isPodLevel })))
    }
  }
  return problems
}

/** Claims have requests alone. */
function claimProblems({ spec }: LimitRange, claim: PersistentVolumeClaim): string[] {
  const problems: string[] = []
  const requests = amountsOf(claim.spec?.resources?.requests)
  for (const item of spec.limits ?? []) {
    if (item.type !== 'PersistentVolumeClaim') continue
    for (const [name, text] of sortedEntries(item.min)) problems.push(...minimumProblem(limitOf(item, name, text), requests, noAmounts))
    for (const [name, text] of sortedEntries(item.max)) {
      const limit = limitOf(item, name, text)
      const request = requests.get(name)
      if (request === undefined) problems.push(`maximum ${name} usage per ${item.type} is ${text}.  No request is specified`)
      else if (exceeds(request, limit.amount)) problems.push(`maximum ${name} usage per ${item.type} is ${text}, but request is ${formatQuantity(request)}`)
    }
  }
  return problems
}

const noAmounts: ReadonlyAmounts = new Map()

interface Limit {
  readonly type: string
  readonly name: string
  readonly text: string
  readonly amount: Quantity
}

function limitOf({ type }: LimitRangeItem, name: string, text: string): Limit {
  return { type, name, text, amount: parseQuantity(text) }
}

/** Upstream goes through a map in any order; ours is that of the names. */
function sortedEntries(list: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(list ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
}

function itemProblems(item: LimitRangeItem, requests: ReadonlyAmounts, limits: ReadonlyAmounts): string[] {
  return [
    ...sortedEntries(item.min).flatMap(([name, text]) => minimumProblem(limitOf(item, name, text), requests, limits)),
    ...sortedEntries(item.max).flatMap(([name, text]) => maximumProblem(limitOf(item, name, text), requests, limits)),
    ...sortedEntries(item.maxLimitRequestRatio).flatMap(([name, text]) => ratioProblem(limitOf(item, name, text), requests, limits)),
  ]
}

function minimumProblem({ type, name, text, amount }: Limit, requests: ReadonlyAmounts, limits: ReadonlyAmounts): string[] {
  const rule = `minimum ${name} usage per ${type} is ${text}`
  const request = requests.get(name)
  const limit = limits.get(name)
  if (request === undefined) return [`${rule}.  No request is specified`]
  if (exceeds(amount, request)) return [`${rule}, but request is ${formatQuantity(request)}`]
  if (limit !== undefined && exceeds(amount, limit)) return [`${rule}, but limit is ${formatQuantity(limit)}`]
  return []
}

function maximumProblem({ type, name, text, amount }: Limit, requests: ReadonlyAmounts, limits: ReadonlyAmounts): string[] {
  const rule = `maximum ${name} usage per ${type} is ${text}`
  const request = requests.get(name)
  const limit = limits.get(name)
  if (limit === undefined) return [`${rule}.  No limit is specified`]
  if (exceeds(limit, amount)) return [`${rule}, but limit is ${formatQuantity(limit)}`]
  if (request !== undefined && exceeds(request, amount)) return [`${rule}, but request is ${formatQuantity(request)}`]
  return []
}

function ratioProblem({ type, name, text, amount }: Limit, requests: ReadonlyAmounts, limits: ReadonlyAmounts): string[] {
  const rule = `${name} max limit to request ratio per ${type} is ${text}`
  const request = requests.get(name)
  const limit = limits.get(name)
  if (request === undefined || request.unscaled === 0n) return [`${rule}, but no request is specified or request is 0`]
  if (limit === undefined || limit.unscaled === 0n) return [`${rule}, but no limit is specified or limit is 0`]
  const ratio = quantityToMilli(limit) / quantityToMilli(request)
  return ratio * 1000 > quantityToMilli(amount) ? [`${rule}, but provided ratio is ${ratio.toFixed(6)}`] : []
}

function exceeds(a: Quantity, b: Quantity): boolean {
  return compareQuantities(a, b) > 0
}
