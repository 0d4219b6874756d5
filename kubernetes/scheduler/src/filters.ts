import type { Pod } from '@gantry/kube-api'
import { clashes, hostPortsOf } from './node-info.ts'
import type { NodeInfo } from './node-info.ts'
import { matchesNode, tolerates } from './node-match.ts'
import type { PlacementRules } from './pod-affinity.ts'
import { requestOf } from './pod-request.ts'

/** Why a pod does not fit a node, in upstream's words; several when resources are short. */
export interface Misfit {
  readonly reasons: readonly string[]
  /** Whether removing pods from the node could help. */
  readonly isResolvable: boolean
}

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** What objects to a pod on a node: the filters in upstream's order, up to the first that does. What of it depends on the pod alone is worked out once, for thousands of nodes. */
export function createFilter(pod: Pod, rules: PlacementRules): (info: NodeInfo) => Misfit | undefined {
  const { spec } = pod
  const ports = hostPortsOf(pod)
  const amounts = [...requestOf(pod).amounts].filter(([, amount]) => amount > 0)
  return (info) => {
    const { node } = info
    if (node.spec?.unschedulable === true && !tolerates(spec.tolerations, unschedulableTaint)) return never('node(s) were unschedulable')
    const taint = node.spec?.taints?.find((one) => one.effect !== 'PreferNoSchedule' && !tolerates(spec.tolerations, one))
    if (taint !== undefined) return never(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`)
    if (!matchesNode(spec, node)) return never("node(s) didn't match Pod's node affinity/selector")
    if (ports.some((port) => clashes(info, port))) return { reasons: ["node(s) didn't have free ports for the requested pod ports"], isResolvable: true }
    const short = shortages(amounts, info)
    if (short !== undefined) return { reasons: short, isResolvable: true }
    const placement = rules.check(info)
    return placement === undefined ? undefined : { reasons: [placement], isResolvable: true }
  }
}

function never(reason: string): Misfit {
  return { reasons: [reason], isResolvable: false }
}

function shortages(amounts: readonly (readonly [name: string, amount: number])[], info: NodeInfo): string[] | undefined {
  let reasons: string[] | undefined
  if (info.pods.size + 1 > info.maxPods) reasons = ['Too many pods']
  for (const [name, amount] of amounts) {
    if (amount > (info.allocatable.get(name) ?? 0) - (info.requested.get(name) ?? 0)) (reasons ??= []).push(`Insufficient ${name}`)
  }
  return reasons
}
