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

/** Runs the filters in upstream's order and stops at the first that objects. */
export function misfitOf(pod: Pod, info: NodeInfo, rules: PlacementRules): Misfit | undefined {
  const { spec } = pod
  const { node } = info
  if (node.spec?.unschedulable === true && !tolerates(spec.tolerations, unschedulableTaint)) return never('node(s) were unschedulable')
  const taint = (node.spec?.taints ?? []).find(({ effect, ...rest }) => effect !== 'PreferNoSchedule' && !tolerates(spec.tolerations, { effect, ...rest }))
  if (taint !== undefined) return never(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`)
  if (!matchesNode(spec, node)) return never("node(s) didn't match Pod's node affinity/selector")
  if (hostPortsOf(pod).some((port) => clashes(info, port)))
    return { reasons: ["node(s) didn't have free ports for the requested pod ports"], isResolvable: true }
  const short = shortages(pod, info)
  if (short.length > 0) return { reasons: short, isResolvable: true }
  const placement = rules.check(info)
  return placement === undefined ? undefined : { reasons: [placement], isResolvable: true }
}

function never(reason: string): Misfit {
  return { reasons: [reason], isResolvable: false }
}

function shortages(pod: Pod, info: NodeInfo): string[] {
  const reasons: string[] = []
  if (info.pods.size + 1 > info.maxPods) reasons.push('Too many pods')
  for (const [name, amount] of requestOf(pod).amounts) {
    if (amount > 0 && amount > (info.allocatable.get(name) ?? 0) - (info.requested.get(name) ?? 0)) reasons.push(`Insufficient ${name}`)
  }
  return reasons
}
