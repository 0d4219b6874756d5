import { identityOf } from '../pod/pod.ts'
import type { Pod } from '../pod/pod.ts'
import type { EventTarget } from './event-recorder.ts'

export function podTarget(pod: Pod): EventTarget {
  return { apiVersion: 'v1', kind: 'Pod', ...identityOf(pod) }
}

/** A pod's container, by the path of its definition. */
export function containerTarget(pod: Pod, name: string): EventTarget {
  const list = (pod.spec.initContainers ?? []).some((container) => container.name === name) ? 'initContainers' : 'containers'
  return { ...podTarget(pod), fieldPath: `spec.${list}{${name}}` }
}
