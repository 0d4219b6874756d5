import type { ContainerConfig, Image, LinuxContainerSecurityContext, Mount } from '../cri/messages.ts'
import { linuxResourcesOf } from './container-resources.ts'
import type { NodeCapacity } from './container-resources.ts'
import { ContainerConfigError } from './environment.ts'
import { expand } from './expansion.ts'
import { identityOf } from './pod.ts'
import type { Container, Pod } from './pod.ts'
import { runtimeAnnotations, runtimeLabels } from './pod-runtime.ts'
import { containerHash, namespaceOptionsOf, seccompOf } from './sandbox-config.ts'

export interface ContainerConfigInput {
  readonly pod: Pod
  readonly container: Container
  readonly restartCount: number
  readonly environment: ReadonlyMap<string, string>
  readonly mounts: readonly Mount[]
  /** The image as the runtime knows it. */
  readonly image: Image
  readonly capacity: NodeCapacity
  /** Where the container's termination message lands on the host. */
  readonly terminationMessageFile: string
  /** The container whose processes an ephemeral container is to see. */
  readonly targetId?: string | undefined
}

export const defaultTerminationMessagePath = '/dev/termination-log'

// Upstream: pkg/securitycontext/util.go.
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** What the runtime is asked to make. Throws ContainerConfigError when the definition cannot be met. */
export function containerConfigOf(input: ContainerConfigInput): ContainerConfig {
  const { pod, container, restartCount, environment, image } = input
  const { namespace, name, uid } = identityOf(pod)
  const lookup = (variable: string): string | undefined => environment.get(variable)
  return {
    metadata: { name: container.name, attempt: restartCount },
    // By id, so that a tag that moves between pull and create cannot slip in another image.
    image: { image: image.id },
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? '',
    envs: [...environment].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: input.mounts,
    labels: {
      [runtimeLabels.podName]: name,
      [runtimeLabels.podNamespace]: namespace,
      [runtimeLabels.podUid]: uid,
      [runtimeLabels.containerName]: container.name,
    },
    annotations: {
      [runtimeAnnotations.hash]: containerHash(container),
      [runtimeAnnotations.restartCount]: String(restartCount),
      [runtimeAnnotations.terminationMessagePath]: container.terminationMessagePath ?? defaultTerminationMessagePath,
      [runtimeAnnotations.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
      [runtimeAnnotations.terminationMessageFile]: input.terminationMessageFile,
      [runtimeAnnotations.podGracePeriod]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    },
    logPath: `${container.name}/${restartCount}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    linux: { resources: linuxResourcesOf(pod, container, input.capacity), securityContext: securityOf(input) },
  }
}

function securityOf({ pod, container, image, targetId }: ContainerConfigInput): LinuxContainerSecurityContext {
  const own = container.securityContext ?? {}
  const ofPod = pod.spec.securityContext ?? {}
  const runAsUser = own.runAsUser ?? ofPod.runAsUser
  const runAsGroup = own.runAsGroup ?? ofPod.runAsGroup
  const privileged = own.privileged ?? false
  if (own.runAsNonRoot ?? ofPod.runAsNonRoot) refuseRoot(pod, container, { runAsUser, image })
  const groups = [...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]), ...(ofPod.supplementalGroups ?? [])]
  const unmasked = privileged || own.procMount === 'Unmasked'
  return {
    privileged,
    namespaceOptions: namespaceOptionsOf(pod, targetId),
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    seccomp: seccompOf(own.seccompProfile ?? ofPod.seccompProfile),
    ...userOf(runAsUser, image),
    // The runtime refuses a group without a user.
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: String(runAsGroup) } }),
    ...(own.capabilities === undefined ? {} : { capabilities: { addCapabilities: own.capabilities.add ?? [], dropCapabilities: own.capabilities.drop ?? [] } }),
    ...(groups.length === 0 ? {} : { supplementalGroups: groups.map(String) }),
  }
}

function userOf(runAsUser: number | undefined, image: Image): Pick<LinuxContainerSecurityContext, 'runAsUser' | 'runAsUsername'> {
  if (runAsUser !== undefined) return { runAsUser: { value: String(runAsUser) } }
  if (image.uid !== null) return { runAsUser: { value: image.uid.value } }
  return image.username === '' ? { runAsUser: { value: '0' } } : { runAsUsername: image.username }
}

/** Upstream: security_context_others.go verifyRunAsNonRoot. */
function refuseRoot(pod: Pod, container: Container, user: { readonly runAsUser: number | undefined; readonly image: Image }): void {
  const { runAsUser, image } = user
  const { name, namespace, uid } = identityOf(pod)
  const where = `(pod: "${name}_${namespace}(${uid})", container: ${container.name})`
  if (runAsUser !== undefined) {
    if (runAsUser === 0) throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`)
    return
  }
  if (image.uid === null && image.username !== '') {
    const message = `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`
    throw new ContainerConfigError(message)
  }
  if (image.uid === null || image.uid.value === '0') throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`)
}
