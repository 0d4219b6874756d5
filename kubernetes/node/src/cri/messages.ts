/**
 * The messages of `runtime-v1.proto` as proto-loader gives and takes them: camel case, 64-bit numbers as decimal text, enums by name, every field present in
 * answers. What may be left out of a request is optional.
 */

export type Labels = Readonly<Record<string, string>>

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata
  readonly hostname: string
  readonly logDirectory: string
  readonly dnsConfig?: { readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] } | undefined
  readonly portMappings: readonly PortMapping[]
  readonly labels: Labels
  readonly annotations: Labels
  readonly linux: {
    readonly cgroupParent?: string | undefined
    readonly securityContext: LinuxSandboxSecurityContext
    readonly sysctls?: Labels | undefined
  }
}

export interface PodSandboxMetadata {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  readonly attempt: number
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly containerPort: number
  readonly hostPort: number
  readonly hostIp: string
}

export interface NamespaceOption {
  readonly network: NamespaceMode
  readonly pid: NamespaceMode
  readonly ipc: NamespaceMode
  readonly targetId?: string | undefined
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET'

export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost'
  readonly localhostRef?: string | undefined
}

export interface LinuxSandboxSecurityContext {
  readonly namespaceOptions: NamespaceOption
  readonly runAsUser?: { readonly value: string } | undefined
  readonly runAsGroup?: { readonly value: string } | undefined
  readonly supplementalGroups?: readonly string[] | undefined
  readonly privileged: boolean
  readonly seccomp?: SecurityProfile | undefined
}

export interface LinuxContainerSecurityContext {
  readonly capabilities?: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] } | undefined
  readonly privileged: boolean
  readonly namespaceOptions: NamespaceOption
  readonly runAsUser?: { readonly value: string } | undefined
  readonly runAsGroup?: { readonly value: string } | undefined
  readonly runAsUsername?: string | undefined
  readonly readonlyRootfs: boolean
  readonly supplementalGroups?: readonly string[] | undefined
  readonly noNewPrivs: boolean
  readonly maskedPaths?: readonly string[] | undefined
  readonly readonlyPaths?: readonly string[] | undefined
  readonly seccomp?: SecurityProfile | undefined
}

export interface LinuxContainerResources {
  readonly cpuPeriod?: number | undefined
  readonly cpuQuota?: number | undefined
  readonly cpuShares?: number | undefined
  readonly memoryLimitInBytes?: number | undefined
  readonly oomScoreAdj?: number | undefined
}

export interface Mount {
  readonly containerPath: string
  readonly hostPath: string
  readonly readonly: boolean
  readonly propagation: 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL'
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata
  readonly image: { readonly image: string }
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir: string
  readonly envs: readonly { readonly key: string; readonly value: Buffer }[]
  readonly mounts: readonly Mount[]
  readonly labels: Labels
  readonly annotations: Labels
  /** Below the sandbox's log directory. */
  readonly logPath: string
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly tty: boolean
  readonly linux: { readonly resources: LinuxContainerResources; readonly securityContext: LinuxContainerSecurityContext }
}

export interface ContainerMetadata {
  readonly name: string
  readonly attempt: number
}

export interface PodSandbox {
  readonly id: string
  readonly metadata: PodSandboxMetadata
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY'
  /** Nanoseconds since the epoch. */
  readonly createdAt: string
  readonly labels: Labels
  readonly annotations: Labels
}

export interface PodSandboxStatus extends PodSandbox {
  /** Null for a pod in the host's network. */
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | null
}

export type ContainerStateName = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN'

export interface Container {
  readonly id: string
  readonly podSandboxId: string
  readonly metadata: ContainerMetadata
  readonly image: { readonly image: string } | null
  readonly imageRef: string
  readonly state: ContainerStateName
  readonly createdAt: string
  readonly labels: Labels
  readonly annotations: Labels
}

export interface ContainerStatus {
  readonly id: string
  readonly metadata: ContainerMetadata
  readonly state: ContainerStateName
  /** Nanoseconds since the epoch, `0` when it has not happened. */
  readonly createdAt: string
  readonly startedAt: string
  readonly finishedAt: string
  readonly exitCode: number
  readonly image: { readonly image: string } | null
  readonly imageRef: string
  readonly reason: string
  readonly message: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly mounts: readonly Mount[]
  readonly logPath: string
}

export interface Image {
  /** Digest of the image's configuration. */
  readonly id: string
  readonly repoTags: readonly string[]
  readonly repoDigests: readonly string[]
  readonly size: string
  readonly uid: { readonly value: string } | null
  readonly username: string
  readonly pinned: boolean
}

export interface RuntimeCondition {
  readonly type: string
  readonly status: boolean
  readonly reason: string
  readonly message: string
}

export interface ExecResult {
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly exitCode: number
}

export interface AuthConfig {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly auth?: string | undefined
  readonly serverAddress?: string | undefined
  readonly identityToken?: string | undefined
  readonly registryToken?: string | undefined
}
