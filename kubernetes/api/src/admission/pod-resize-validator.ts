import { compareQuantities, quantityToMilli, quantityToUnits } from '@gantry/apimachinery'
import type { AdmissionPlugin, AdmissionRequest, ApiObject } from '@gantry/apiserver'
import { refused } from '@gantry/apiserver'
import type { Node, Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import { addAmounts, amountsOf, podTotal } from './resource-amounts.ts'

/** A pod that is resized still fits on its node as far as that one is empty, and runs on an operating system that can do it. */
export function podResizeValidator(nodeOf: (name: string) => ApiObject | undefined): AdmissionPlugin {
  return {
    name: 'PodResizeValidator',
    validate(request) {
      const { definition, operation, subresource, object, oldObject } = request
      if (operation !== 'UPDATE' || subresource !== 'resize' || definition.plural !== 'pods' || definition.group !== '') return
      if (object === undefined || oldObject === undefined || object.metadata.generation === oldObject.metadata.generation) return
      const pod = as<Pod>(object)
      const { nodeName = '' } = pod.spec
      if (nodeName === '') return
      const found = nodeOf(nodeName)
      if (found === undefined) throw refused(definition, request.name, `node ${JSON.stringify(nodeName)} not found`)
      const system = found.metadata.labels?.['kubernetes.io/os']
      if (system !== undefined && system !== 'linux') {
        throw resizeRefusal(request, {
          reason: 'UnsupportedPlatform',
          text: `pod resize is only supported on linux nodes, node ${JSON.stringify(nodeName)} is ${JSON.stringify(system)}`,
        })
      }
      const lacking = lackingOn(as<Node>(found), pod)
      if (lacking.length > 0) {
        throw resizeRefusal(request, { reason: 'NodeCapacity', text: `node didn't have enough allocatable resources: ${lacking.join('; ')}` })
      }
    },
  }
}

function resizeRefusal({ definition, name }: AdmissionRequest, why: { readonly reason: string; readonly text: string }): Error {
  return refused(definition, name, why.text, [{ reason: why.reason, message: '', field: '' }])
}

const isPodLevel = (name: string): boolean => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')

function lackingOn(node: Node, pod: Pod): string[] {
  const requests = podTotal(pod, 'requests', { isPodLevel })
  addAmounts(requests, amountsOf(pod.spec.overhead))
  const allocatable = amountsOf(node.status?.allocatable)
  return (['cpu', 'memory'] as const).flatMap((name) => {
    const asked = requests.get(name)
    if (asked === undefined) return []
    const there = allocatable.get(name) ?? { ...asked, unscaled: 0n }
    const inNumbers = name === 'cpu' ? quantityToMilli : quantityToUnits
    return compareQuantities(asked, there) > 0 ? [`${name}, requested: ${inNumbers(asked)}, allocatable: ${inNumbers(there)}`] : []
  })
}
