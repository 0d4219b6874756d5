import type { AdmissionPlugin, ApiObject } from '@gantry/apiserver'
import type { Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAboutPods } from './admitted-resource.ts'

const topologyLabels = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'] as const

/** A pod carries the zone and the region of its node from the moment it is bound, so that it can read them without reading nodes. */
export function podTopologyLabels(nodeOf: (name: string) => ApiObject | undefined): AdmissionPlugin {
  return {
    name: 'PodTopologyLabels',
    mutate(request) {
      const { definition, operation, object, oldObject } = request
      if (object === undefined || definition.plural !== 'pods' || definition.group !== '') return
      const isBinding = request.subresource === 'binding' && operation === 'UPDATE'
      if (!isBinding && !(isAboutPods(request) && operation === 'CREATE')) return
      const { nodeName = '' } = as<Pod>(object).spec
      if (nodeName === '' || (oldObject !== undefined && as<Pod>(oldObject).spec.nodeName === nodeName)) return
      const labels = nodeOf(nodeName)?.metadata.labels
      if (labels === undefined) return
      for (const key of topologyLabels) if (labels[key] !== undefined) object.metadata.labels = { ...object.metadata.labels, [key]: labels[key] }
    },
  }
}
