import type { AdmissionPlugin } from '@gantry/apiserver'
import { refused } from '@gantry/apiserver'
import type { Pod } from '../generated/types.ts'
import { as } from '../kind.ts'

const graceSeconds = 300
const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const

/** Pods tolerate a node's silence for five minutes before they are moved (M3). */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  mutate({ operation, definition, object }) {
    if (operation !== 'CREATE' || definition.kind !== 'Pod' || definition.group !== '' || object === undefined) return
    const { spec } = as<Pod>(object)
    const tolerations = spec.tolerations ?? []
    for (const key of taints) {
      const covered = tolerations.some(
        (toleration) =>
          ((toleration.key ?? '') === '' || toleration.key === key) &&
          (toleration.effect === undefined || toleration.effect === '' || toleration.effect === 'NoExecute'),
      )
      if (!covered) tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: graceSeconds })
    }
    spec.tolerations = tolerations
  },
}

// The two classes every cluster has; priority classes of a cluster's own are a kind this server does not serve yet.
const builtinPriorities: Readonly<Record<string, number>> = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 }

/** A pod's priority is a number worked out from its class, never given (M4). */
export const priority: AdmissionPlugin = {
  name: 'Priority',
  mutate({ operation, definition, object, name }) {
    if (operation !== 'CREATE' || definition.kind !== 'Pod' || definition.group !== '' || object === undefined) return
    const { spec } = as<Pod>(object)
    const className = spec.priorityClassName ?? ''
    const value = className === '' ? 0 : builtinPriorities[className]
    if (value === undefined) throw refused(definition, name, `no PriorityClass with name ${className} was found`)
    if (spec.priority !== undefined && spec.priority !== value)
      throw refused(
        definition,
        name,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      )
    spec.priority = value
    spec.preemptionPolicy ??= 'PreemptLowerPriority'
  },
}
