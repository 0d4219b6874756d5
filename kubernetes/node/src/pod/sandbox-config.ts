import { createHash } from 'node:crypto'
import type { LinuxSandboxSecurityContext, NamespaceOption, PodSandboxConfig, SecurityProfile } from '../cri/messages.ts'
import { qosClassOf } from './container-resources.ts'
import type { DnsConfig } from './dns-config.ts'
import { identityOf, isHostNetwork } from './pod.ts'
import type { Pod, SeccompProfile } from './pod.ts'
import { runtimeLabels } from './pod-runtime.ts'

export interface SandboxConfigInput {
  readonly pod: Pod
  readonly attempt: number
  readonly logDirectory: string
  /** Undefined leaves the runtime's default: the host's own resolv.conf. */
  readonly dns: DnsConfig | undefined
  /** Undefined leaves it to the runtime where containers are accounted. */
  readonly cgroupParent: string | undefined
}

const maxHostnameLength = 63

export function sandboxConfigOf(input: SandboxConfigInput): PodSandboxConfig {
  const { pod, attempt, logDirectory, dns, cgroupParent } = input
  const { namespace, name, uid } = identityOf(pod)
  const sysctls = pod.spec.securityContext?.sysctls ?? []
  return {
    metadata: { name, namespace, uid, attempt },
    hostname: isHostNetwork(pod) ? '' : hostnameOf(pod),
    logDirectory,
    ...(dns === undefined ? {} : { dnsConfig: dns }),
    portMappings: isHostNetwork(pod) ? [] : portMappingsOf(pod),
    labels: { ...pod.metadata.labels, [runtimeLabels.podName]: name, [runtimeLabels.podNamespace]: namespace, [runtimeLabels.podUid]: uid },
    annotations: { ...pod.metadata.annotations },
    linux: {
      ...(cgroupParent === undefined ? {} : { cgroupParent }),
      securityContext: sandboxSecurityOf(pod),
      ...(sysctls.length === 0 ? {} : { sysctls: Object.fromEntries(sysctls.map((sysctl) => [sysctl.name, sysctl.value])) }),
    },
  }
}

/** Where a pod's containers are accounted: one folder per pod, below one per class. */
export function cgroupParentOf(pod: Pod, root: string): string {
  const qos = qosClassOf(pod)
  const folder = `pod${identityOf(pod).uid}`
  return qos === 'Guaranteed' ? `${root}/${folder}` : `${root}/${qos.toLowerCase()}/${folder}`
}

/** What the pod calls itself; upstream: pkg/kubelet/util truncatePodHostnameIfNeeded. */
export function hostnameOf(pod: Pod): string {
  const wanted = pod.spec.hostname !== undefined && pod.spec.hostname !== '' ? pod.spec.hostname : identityOf(pod).name
  return wanted.slice(0, maxHostnameLength).replace(/[-.]+$/, '')
}

/** Which namespaces a container shares with the machine, the pod, or the container it is to look into. */
export function namespaceOptionsOf(pod: Pod, targetId?: string): NamespaceOption {
  const { hostPID, hostIPC, shareProcessNamespace } = pod.spec
  return {
    network: isHostNetwork(pod) ? 'NODE' : 'POD',
    pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : targetId === undefined ? 'CONTAINER' : 'TARGET',
    ipc: hostIPC ? 'NODE' : 'POD',
    ...(targetId === undefined || hostPID || shareProcessNamespace ? {} : { targetId }),
  }
}

export function seccompOf(profile: SeccompProfile | undefined): SecurityProfile {
  if (profile?.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' }
  if (profile?.type === 'Localhost') return { profileType: 'Localhost', localhostRef: profile.localhostProfile ?? '' }
  return { profileType: 'Unconfined' }
}

/** A short digest of what makes a container another one; upstream hashes the same two fields. */
export function containerHash(container: { readonly name: string; readonly image?: string }): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 8)
}

function sandboxSecurityOf(pod: Pod): LinuxSandboxSecurityContext {
  const security = pod.spec.securityContext
  const groups = [...(security?.fsGroup === undefined ? [] : [security.fsGroup]), ...(security?.supplementalGroups ?? [])]
  return {
    namespaceOptions: namespaceOptionsOf(pod),
    privileged: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].some((container) => container.securityContext?.privileged === true),
    // The pause program needs no rights of its own: it is confined whatever the containers ask for.
    seccomp: seccompOf(security?.seccompProfile),
    ...(security?.runAsUser === undefined ? {} : { runAsUser: { value: String(security.runAsUser) } }),
    ...(security?.runAsUser === undefined || security.runAsGroup === undefined ? {} : { runAsGroup: { value: String(security.runAsGroup) } }),
    ...(groups.length === 0 ? {} : { supplementalGroups: groups.map(String) }),
  }
}

function portMappingsOf(pod: Pod): PodSandboxConfig['portMappings'] {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  return containers.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({ protocol: port.protocol ?? 'TCP', containerPort: port.containerPort, hostPort: port.hostPort ?? 0, hostIp: port.hostIP ?? '' })),
  )
}
