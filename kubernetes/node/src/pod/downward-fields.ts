import { identityOf } from './pod.ts'
import type { Pod } from './pod.ts'

export interface PodAddresses {
  readonly hostIPs: readonly string[]
  readonly podIPs: readonly string[]
}

/** The value of a downward API field; upstream: pkg/fieldpath and kubelet_pods.go podFieldSelectorRuntimeValue. */
export function downwardField(pod: Pod, fieldPath: string, addresses: PodAddresses): string {
  const { namespace, name, uid } = identityOf(pod)
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath)
  if (subscript?.[2] !== undefined) return pod.metadata[subscript[1] === 'labels' ? 'labels' : 'annotations']?.[subscript[2]] ?? ''
  switch (fieldPath) {
    case 'metadata.name':
      return name
    case 'metadata.namespace':
      return namespace
    case 'metadata.uid':
      return uid
    case 'metadata.labels':
      return formatMap(pod.metadata.labels)
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations)
    case 'spec.nodeName':
      return pod.spec.nodeName ?? ''
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? ''
    case 'status.hostIP':
      return addresses.hostIPs[0] ?? ''
    case 'status.hostIPs':
      return addresses.hostIPs.join(',')
    case 'status.podIP':
      return addresses.podIPs[0] ?? ''
    case 'status.podIPs':
      return addresses.podIPs.join(',')
    default:
      throw new Error(`unsupported fieldPath: ${fieldPath}`)
  }
}

/** One `key="value"` a line, sorted by key, values quoted as Go does. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}
