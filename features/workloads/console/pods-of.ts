import type { AnyObject, ObjectRef } from '@gantry/console-kit'
import { selectorText, type ReplicatedWorkload } from './replicas.ts'

/** Which pods belong to an object: a query of pods, or undefined when it selects none. */
export interface PodQuery {
  readonly namespace: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

/** Pods of a node run there; pods of a service carry its labels; pods of anything else are what its selector says. */
export function podsOf(target: ObjectRef, object: AnyObject): PodQuery | undefined {
  if (target.type.group === '' && target.type.plural === 'nodes') return { namespace: undefined, fieldSelector: `spec.nodeName=${target.name}` }
  const selector = (object as ReplicatedWorkload).spec?.selector
  const labelSelector = target.type.group === '' && target.type.plural === 'services' ? plainSelector(selector) : selectorText(selector)
  return labelSelector === '' ? undefined : { namespace: target.namespace, labelSelector }
}

/** A Service's selector is a map of labels, without operators. */
function plainSelector(selector: unknown): string {
  if (typeof selector !== 'object' || selector === null) return ''
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',')
}
