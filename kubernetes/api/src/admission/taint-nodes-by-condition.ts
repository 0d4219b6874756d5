import type { AdmissionPlugin } from '@gantry/apiserver'
import type { Node } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAbout } from './admitted-resource.ts'

const key = 'node.kubernetes.io/not-ready'
const effect = 'NoSchedule'

/** A new node takes no pods until somebody has seen it ready (M12). */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  mutate(request) {
    if (request.operation !== 'CREATE' || !isAbout(request, '', 'nodes') || request.object === undefined) return
    const node = as<Node>(request.object)
    node.spec ??= {}
    const taints = node.spec.taints ?? []
    if (taints.some((taint) => taint.key === key && taint.effect === effect)) return
    node.spec.taints = [...taints, { key, effect }]
  },
}
