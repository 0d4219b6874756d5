import { controllerOf } from '@gantry/controller'
import type { Pod } from '@gantry/kube-api'
import type { NodeInfo } from './node-info.ts'
import { matchesTerm, tolerates } from './node-match.ts'
import { requestOf } from './pod-request.ts'

const most = 100
// Upstream: pkg/scheduler/apis/config/v1/default_plugins.go.
const weights = { taints: 3, nodeAffinity: 2, spread: 2, resources: 1, balance: 1 } as const

/** The best node for a pod; ties go to the node that comes first. Raw scores are made comparable (0 to 100) over the candidates, then weighed. */
export function bestNode(pod: Pod, candidates: readonly NodeInfo[]): NodeInfo | undefined {
  if (candidates.length <= 1) return candidates[0]
  const taints = normalize(
    candidates.map((info) => intolerable(pod, info)),
    true,
  )
  const affinity = normalize(
    candidates.map((info) => preference(pod, info)),
    false,
  )
  // Pods of the same controller on the node: what upstream's default spread constraints even out.
  const owner = controllerOf(pod)?.uid
  const siblings = normalize(
    candidates.map((info) => (owner === undefined ? 0 : (info.podsOf.get(owner) ?? 0))),
    true,
  )
  const { scored } = requestOf(pod)
  let best: NodeInfo | undefined
  let bestScore = -1
  candidates.forEach((info, index) => {
    const cpu = share(info.scored.cpu + scored.cpu, info.allocatable.get('cpu') ?? 0)
    const memory = share(info.scored.memory + scored.memory, info.allocatable.get('memory') ?? 0)
    const score =
      weights.taints * (taints[index] ?? 0) +
      weights.nodeAffinity * (affinity[index] ?? 0) +
      weights.spread * (siblings[index] ?? 0) +
      weights.resources * (((1 - cpu + (1 - memory)) / 2) * most) +
      weights.balance * ((1 - Math.abs(cpu - memory) / 2) * most)
    if (score > bestScore) {
      best = info
      bestScore = score
    }
  })
  return best
}

function share(used: number, capacity: number): number {
  return capacity <= 0 ? 1 : Math.min(1, used / capacity)
}

function normalize(raw: readonly number[], fewerIsBetter: boolean): number[] {
  const highest = Math.max(0, ...raw)
  return raw.map((value) => (highest === 0 ? (fewerIsBetter ? most : 0) : fewerIsBetter ? most - (value * most) / highest : (value * most) / highest))
}

/** Soft taints the pod does not tolerate. */
function intolerable(pod: Pod, { node }: NodeInfo): number {
  return (node.spec?.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod.spec.tolerations, taint)).length
}

function preference(pod: Pod, { node }: NodeInfo): number {
  let sum = 0
  for (const { weight, preference: term } of pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    if (matchesTerm(term, node)) sum += weight
  return sum
}
