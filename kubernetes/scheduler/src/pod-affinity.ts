import { labelSelectorFromObject } from '@gantry/apimachinery'
import type { LabelSelector } from '@gantry/apimachinery'
import type { Pod, PodAffinityTerm } from '@gantry/kube-api'
import type { NodeInfo } from './node-info.ts'

/** A pod's demands on where other pods are, worked out once for one scheduling attempt. Upstream: plugins/interpodaffinity and plugins/podtopologyspread. */
export interface PlacementRules {
  /** Why a node will not do; undefined when it will. */
  check(info: NodeInfo): string | undefined
}

const noRules: PlacementRules = { check: () => undefined }

interface Term {
  readonly topologyKey: string
  readonly selector: LabelSelector
  readonly namespaces: ReadonlySet<string> | undefined
}

/** `othersRefuse`: whether any pod of the cluster has required anti-affinity (then its say counts for this one too). */
export function placementRules(pod: Pod, nodes: Iterable<NodeInfo>, options: { readonly othersRefuse: boolean }): PlacementRules {
  const { affinity, topologySpreadConstraints = [] } = pod.spec
  const wanted = termsOf(pod, affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution)
  const unwanted = termsOf(pod, affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution)
  const hard = topologySpreadConstraints.filter((constraint) => constraint.whenUnsatisfiable === 'DoNotSchedule')
  if (wanted.length + unwanted.length + hard.length === 0 && !options.othersRefuse) return noRules
  const all = [...nodes]
  const checks: ((info: NodeInfo) => string | undefined)[] = []
  if (wanted.length > 0) checks.push(affinityCheck(pod, wanted, all))
  if (unwanted.length > 0) checks.push(antiAffinityCheck(unwanted, all))
  if (options.othersRefuse) checks.push(existingAntiAffinityCheck(pod, all))
  for (const constraint of hard) {
    checks.push(
      spreadCheck(pod, all, {
        topologyKey: constraint.topologyKey,
        maxSkew: constraint.maxSkew,
        selector: labelSelectorFromObject(constraint.labelSelector),
        minDomains: constraint.minDomains ?? 1,
      }),
    )
  }
  return {
    check(info) {
      for (const check of checks) {
        const reason = check(info)
        if (reason !== undefined) return reason
      }
      return undefined
    },
  }
}

export function hasRequiredAntiAffinity(pod: Pod): boolean {
  return (pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0
}

function termsOf(pod: Pod, terms: readonly PodAffinityTerm[] | undefined): Term[] {
  return (terms ?? []).map((term) => {
    const everywhere = term.namespaceSelector !== undefined && labelSelectorFromObject(term.namespaceSelector).matchesEverything
    const named = term.namespaces ?? []
    return {
      topologyKey: term.topologyKey,
      selector: labelSelectorFromObject(term.labelSelector),
      namespaces: everywhere ? undefined : new Set(named.length === 0 ? [pod.metadata.namespace ?? ''] : named),
    }
  })
}

function matches(term: Term, pod: Pod): boolean {
  if (term.namespaces !== undefined && !term.namespaces.has(pod.metadata.namespace ?? '')) return false
  return term.selector.matches(pod.metadata.labels)
}

function domainOf(info: NodeInfo, topologyKey: string): string | undefined {
  return info.node.metadata.labels?.[topologyKey]
}

/** The domains of a topology in which a pod that matches already is. */
function occupied(term: Term, nodes: readonly NodeInfo[]): Set<string> {
  const domains = new Set<string>()
  for (const info of nodes) {
    const domain = domainOf(info, term.topologyKey)
    if (domain === undefined || domains.has(domain)) continue
    for (const other of info.pods.values()) {
      if (matches(term, other)) {
        domains.add(domain)
        break
      }
    }
  }
  return domains
}

function affinityCheck(pod: Pod, terms: readonly Term[], nodes: readonly NodeInfo[]): (info: NodeInfo) => string | undefined {
  const found = terms.map((term) => ({ term, domains: occupied(term, nodes) }))
  // The first pod of a group that wants to be with its own kind has nobody to join yet.
  const isFirst = found.every(({ term, domains }) => domains.size === 0 && matches(term, pod))
  return (info) => {
    const fits = found.every(({ term, domains }) => {
      const domain = domainOf(info, term.topologyKey)
      return domain !== undefined && (isFirst || domains.has(domain))
    })
    return fits ? undefined : "node(s) didn't match pod affinity rules"
  }
}

function antiAffinityCheck(terms: readonly Term[], nodes: readonly NodeInfo[]): (info: NodeInfo) => string | undefined {
  const found = terms.map((term) => ({ term, domains: occupied(term, nodes) }))
  return (info) => {
    const clash = found.some(({ term, domains }) => {
      const domain = domainOf(info, term.topologyKey)
      return domain !== undefined && domains.has(domain)
    })
    return clash ? "node(s) didn't match pod anti-affinity rules" : undefined
  }
}

function existingAntiAffinityCheck(pod: Pod, nodes: readonly NodeInfo[]): (info: NodeInfo) => string | undefined {
  const refused = new Set<string>()
  for (const info of nodes) {
    for (const other of info.pods.values()) {
      if (!hasRequiredAntiAffinity(other)) continue
      for (const term of termsOf(other, other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution)) {
        const domain = domainOf(info, term.topologyKey)
        if (domain !== undefined && matches(term, pod)) refused.add(`${term.topologyKey}=${domain}`)
      }
    }
  }
  const keys = new Set([...refused].map((entry) => entry.slice(0, entry.indexOf('='))))
  return (info) => {
    for (const key of keys) {
      const domain = domainOf(info, key)
      if (domain !== undefined && refused.has(`${key}=${domain}`)) return "node(s) didn't satisfy existing pods anti-affinity rules"
    }
    return undefined
  }
}

interface Spread {
  readonly topologyKey: string
  readonly maxSkew: number
  readonly selector: LabelSelector
  readonly minDomains: number
}

function spreadCheck(pod: Pod, nodes: readonly NodeInfo[], spread: Spread): (info: NodeInfo) => string | undefined {
  const counts = new Map<string, number>()
  for (const info of nodes) {
    const domain = domainOf(info, spread.topologyKey)
    if (domain === undefined) continue
    let count = counts.get(domain) ?? 0
    for (const other of info.pods.values()) {
      if (
        other.metadata.namespace === pod.metadata.namespace &&
        other.metadata.deletionTimestamp === undefined &&
        spread.selector.matches(other.metadata.labels)
      )
        count++
    }
    counts.set(domain, count)
  }
  const least = counts.size < spread.minDomains ? 0 : Math.min(...counts.values())
  const self = spread.selector.matches(pod.metadata.labels) ? 1 : 0
  return (info) => {
    const domain = domainOf(info, spread.topologyKey)
    if (domain === undefined) return "node(s) didn't match pod topology spread constraints (missing required label)"
    return (counts.get(domain) ?? 0) + self - least > spread.maxSkew ? "node(s) didn't match pod topology spread constraints" : undefined
  }
}
