import { identityOf } from '../pod/pod.ts'
import type { Pod } from '../pod/pod.ts'
import type { EventSubject } from '@gantry/controller'

export function podTarget(pod: Pod): EventSubject {
  return { apiVersion: 'v1', kind: 'Pod', ...identityOf(pod) }
}

/** A pod's container, by the path of its definition. */
export function containerTarget(pod: Pod, name: string): EventSubject {
  const list = (['initContainers', 'ephemeralContainers'] as const).find((kind) => pod.spec[kind]?.some((container) => container.name === name)) ?? 'containers'
  return { ...podTarget(pod), fieldPath: `spec.${list}{${name}}` }
}
