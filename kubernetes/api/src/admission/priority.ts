import type { AdmissionPlugin, AdmissionRequest } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { Pod, PriorityClass } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAbout, isAboutPods } from './admitted-resource.ts'
import type { ObjectIndex } from './object-index.ts'

interface Resolved {
  readonly name: string
  readonly value: number
  readonly preemptionPolicy: string | undefined
}

const unclassed: Resolved = { name: '', value: 0, preemptionPolicy: 'PreemptLowerPriority' }

/** A pod's priority is a number worked out from its class, never given; one class may be the default of all pods without one (M4). */
export function priority(classes: ObjectIndex<PriorityClass>): AdmissionPlugin {
  /** Where a race has made several, the lowest counts. */
  const globalDefault = (): PriorityClass | undefined => {
    let lowest: PriorityClass | undefined
    for (const one of classes.in('')) if (one.globalDefault === true && (lowest === undefined || valueOf(lowest) > valueOf(one))) lowest = one
    return lowest
  }
  const resolve = (request: AdmissionRequest, name: string): Resolved => {
    const found = name === '' ? globalDefault() : classes.get('', name)
    if (found !== undefined) return { name: found.metadata.name ?? '', value: valueOf(found), preemptionPolicy: found.preemptionPolicy }
    if (name === '') return unclassed
    throw refusal(request, `no PriorityClass with name ${name} was found`)
  }
  return {
    name: 'Priority',
    mutate(request) {
      if (!isAboutPods(request) || request.object === undefined) return
      const { spec } = as<Pod>(request.object)
      if (request.operation === 'UPDATE') {
        const old = request.oldObject === undefined ? undefined : as<Pod>(request.oldObject).spec
        if (old?.priority !== undefined) spec.priority ??= old.priority
        if (old?.preemptionPolicy !== undefined) spec.preemptionPolicy ??= old.preemptionPolicy
        return
      }
      if (request.operation !== 'CREATE') return
      const { name, value, preemptionPolicy } = resolve(request, spec.priorityClassName ?? '')
      if (name !== '') spec.priorityClassName = name
      if (spec.priority !== undefined && spec.priority !== value) {
        throw refusal(
          request,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        )
      }
      spec.priority = value
      if (preemptionPolicy === undefined) return
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== preemptionPolicy) {
        throw refusal(
          request,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${preemptionPolicy} from the given PriorityClass name`,
        )
      }
      spec.preemptionPolicy = preemptionPolicy
    },
    validate(request) {
      if (!isAbout(request, 'scheduling.k8s.io', 'priorityclasses') || request.object === undefined) return
      if (as<PriorityClass>(request.object).globalDefault !== true) return
      const present = globalDefault()?.metadata.name
      if (present === undefined || (request.operation === 'UPDATE' && present === request.object.metadata.name)) return
      throw refusal(request, `PriorityClass ${present} is already marked as default. Only one default can exist`)
    },
  }
}

function valueOf({ value = 0 }: PriorityClass): number {
  return value
}
