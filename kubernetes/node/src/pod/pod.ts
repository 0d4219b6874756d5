import type { KubeObject } from '@gantry/client'

/** The parts of a Pod the agent reads and writes, in the API's own words. What it does not look at is left out and kept as it is. */
export interface Pod extends KubeObject {
  spec: PodSpec
  status?: PodStatus
}

export interface PodSpec {
  nodeName?: string
  hostname?: string
  subdomain?: string
  setHostnameAsFQDN?: boolean
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  shareProcessNamespace?: boolean
  serviceAccountName?: string
  enableServiceLinks?: boolean
  restartPolicy?: RestartPolicy
  activeDeadlineSeconds?: number
  terminationGracePeriodSeconds?: number
  dnsPolicy?: string
  dnsConfig?: { nameservers?: string[]; searches?: string[]; options?: { name?: string; value?: string }[] }
  hostAliases?: { ip: string; hostnames?: string[] }[]
  imagePullSecrets?: { name?: string }[]
  readinessGates?: { conditionType: string }[]
  securityContext?: PodSecurityContext
  volumes?: Volume[]
  initContainers?: Container[]
  containers: Container[]
  ephemeralContainers?: EphemeralContainer[]
}

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never'

export interface PodSecurityContext {
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  supplementalGroups?: number[]
  fsGroup?: number
  sysctls?: { name: string; value: string }[]
  seccompProfile?: SeccompProfile
}

export interface SeccompProfile {
  type: string
  localhostProfile?: string
}

export interface Container {
  name: string
  image?: string
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  command?: string[]
  args?: string[]
  workingDir?: string
  env?: EnvVar[]
  envFrom?: EnvFromSource[]
  ports?: ContainerPort[]
  resources?: { limits?: Record<string, string | number>; requests?: Record<string, string | number> }
  /** `Always` on an init container makes it a sidecar. */
  restartPolicy?: RestartPolicy
  volumeMounts?: VolumeMount[]
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
  lifecycle?: { postStart?: LifecycleHandler; preStop?: LifecycleHandler }
  terminationMessagePath?: string
  terminationMessagePolicy?: string
  securityContext?: SecurityContext
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
}

/** Added to a pod that runs, to look into it (`kubectl debug`); started once, never again. */
export interface EphemeralContainer extends Container {
  /** Whose processes it sees. */
  targetContainerName?: string
}

export interface ContainerPort {
  name?: string
  containerPort: number
  hostPort?: number
  hostIP?: string
  protocol?: 'TCP' | 'UDP' | 'SCTP'
}

export interface SecurityContext {
  runAsUser?: number
  runAsGroup?: number
  runAsNonRoot?: boolean
  privileged?: boolean
  readOnlyRootFilesystem?: boolean
  allowPrivilegeEscalation?: boolean
  capabilities?: { add?: string[]; drop?: string[] }
  procMount?: string
  seccompProfile?: SeccompProfile
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: {
    fieldRef?: { fieldPath: string }
    resourceFieldRef?: ResourceFieldSelector
    configMapKeyRef?: KeySelector
    secretKeyRef?: KeySelector
  }
}

export interface KeySelector {
  name?: string
  key: string
  optional?: boolean
}

export interface ResourceFieldSelector {
  containerName?: string
  resource: string
  divisor?: string | number
}

export interface EnvFromSource {
  prefix?: string
  configMapRef?: { name?: string; optional?: boolean }
  secretRef?: { name?: string; optional?: boolean }
}

export interface VolumeMount {
  name: string
  mountPath: string
  readOnly?: boolean
  subPath?: string
  subPathExpr?: string
  mountPropagation?: string
}

export interface KeyToPath {
  key: string
  path: string
  mode?: number
}

export interface Volume {
  name: string
  emptyDir?: { medium?: string; sizeLimit?: string | number }
  hostPath?: { path: string; type?: string }
  configMap?: { name?: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean }
  secret?: { secretName?: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean }
  downwardAPI?: { items?: DownwardItem[]; defaultMode?: number }
  projected?: { sources?: ProjectedSource[]; defaultMode?: number }
}

export interface DownwardItem {
  path: string
  fieldRef?: { fieldPath: string }
  resourceFieldRef?: ResourceFieldSelector
  mode?: number
}

export interface ProjectedSource {
  configMap?: { name?: string; items?: KeyToPath[]; optional?: boolean }
  secret?: { name?: string; items?: KeyToPath[]; optional?: boolean }
  downwardAPI?: { items?: DownwardItem[] }
  serviceAccountToken?: { audience?: string; expirationSeconds?: number; path: string }
}

export interface HttpGetAction {
  path?: string
  port: number | string
  host?: string
  scheme?: string
  httpHeaders?: { name: string; value: string }[]
}

export interface ProbeHandler {
  exec?: { command?: string[] }
  httpGet?: HttpGetAction
  tcpSocket?: { port: number | string; host?: string }
  grpc?: { port: number; service?: string }
}

export interface LifecycleHandler {
  exec?: { command?: string[] }
  httpGet?: HttpGetAction
  tcpSocket?: { port: number | string; host?: string }
  sleep?: { seconds: number }
}

export interface Probe extends ProbeHandler {
  initialDelaySeconds?: number
  timeoutSeconds?: number
  periodSeconds?: number
  successThreshold?: number
  failureThreshold?: number
  terminationGracePeriodSeconds?: number
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

export interface PodStatus {
  phase?: PodPhase
  conditions?: PodCondition[]
  message?: string
  reason?: string
  hostIP?: string
  hostIPs?: { ip: string }[]
  podIP?: string
  podIPs?: { ip: string }[]
  startTime?: string
  qosClass?: string
  observedGeneration?: number
  initContainerStatuses?: ContainerStatus[]
  containerStatuses?: ContainerStatus[]
  ephemeralContainerStatuses?: ContainerStatus[]
}

export interface PodCondition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  observedGeneration?: number
  lastProbeTime?: string | null
  lastTransitionTime?: string | null
  reason?: string
  message?: string
}

export interface ContainerStatus {
  name: string
  state?: ContainerStateValue
  lastState?: ContainerStateValue
  ready: boolean
  started?: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; recursiveReadOnly?: string }[]
}

/** At most one of the three; none means waiting. */
export interface ContainerStateValue {
  waiting?: { reason?: string; message?: string }
  running?: { startedAt?: string | null }
  terminated?: TerminatedState
}

export interface TerminatedState {
  exitCode: number
  signal?: number
  reason?: string
  message?: string
  startedAt?: string | null
  finishedAt?: string | null
  containerID?: string
}

/** A pod that is known to be stored: everything identity is made of. */
export interface PodIdentity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export function identityOf(pod: Pod): PodIdentity {
  return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' }
}

/** The spelling upstream uses in messages: `pod_namespace(uid)`. */
export function describePod(pod: PodIdentity): string {
  return `${pod.name}_${pod.namespace}(${pod.uid})`
}

/** An init container that keeps running beside the others. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

export function restartPolicyOf(pod: Pod): RestartPolicy {
  return pod.spec.restartPolicy ?? 'Always'
}

export function isHostNetwork(pod: Pod): boolean {
  return pod.spec.hostNetwork === true
}

export function isTerminalPhase(phase: PodPhase | undefined): phase is 'Succeeded' | 'Failed' {
  return phase === 'Succeeded' || phase === 'Failed'
}
