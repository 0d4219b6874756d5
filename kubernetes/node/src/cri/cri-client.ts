import type {
  AuthConfig,
  Container,
  ContainerConfig,
  ContainerStatus,
  ExecResult,
  Image,
  Labels,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  RuntimeCondition,
} from './messages.ts'

/** A failed call: what the runtime said, and the gRPC code by name (`NOT_FOUND`, `UNAVAILABLE`, `DEADLINE_EXCEEDED`, …). */
export class CriError extends Error {
  readonly code: string

  constructor(method: string, code: string, message: string, options?: ErrorOptions) {
    super(message === '' ? `${method}: ${code}` : message, options)
    this.code = code
  }
}

export function isCriNotFound(error: unknown): boolean {
  return error instanceof CriError && error.code === 'NOT_FOUND'
}

export interface CriCallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface StreamFlags {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

/** The container runtime, over CRI v1. Every call ends: with its answer, with a CriError, or with the signal's reason. */
export interface CriClient extends Disposable {
  version(options?: CriCallOptions): Promise<{ readonly runtimeName: string; readonly runtimeVersion: string }>
  conditions(options?: CriCallOptions): Promise<readonly RuntimeCondition[]>
  runPodSandbox(config: PodSandboxConfig, options?: CriCallOptions): Promise<string>
  stopPodSandbox(id: string, options?: CriCallOptions): Promise<void>
  removePodSandbox(id: string, options?: CriCallOptions): Promise<void>
  podSandboxStatus(id: string, options?: CriCallOptions): Promise<PodSandboxStatus>
  listPodSandboxes(labels?: Labels, options?: CriCallOptions): Promise<readonly PodSandbox[]>
  createContainer(sandbox: { readonly id: string; readonly config: PodSandboxConfig }, config: ContainerConfig, options?: CriCallOptions): Promise<string>
  startContainer(id: string, options?: CriCallOptions): Promise<void>
  /** Sends the stop signal and kills after `timeoutSeconds`; resolves when the container has ended. */
  stopContainer(id: string, timeoutSeconds: number, options?: CriCallOptions): Promise<void>
  removeContainer(id: string, options?: CriCallOptions): Promise<void>
  listContainers(labels?: Labels, options?: CriCallOptions): Promise<readonly Container[]>
  containerStatus(id: string, options?: CriCallOptions): Promise<ContainerStatus>
  reopenContainerLog(id: string, options?: CriCallOptions): Promise<void>
  /** `timeoutSeconds` 0 waits without limit of its own (the call's own deadline holds). Code `DEADLINE_EXCEEDED` when it ran too long. */
  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<ExecResult>
  execUrl(id: string, command: readonly string[], flags: StreamFlags): Promise<string>
  attachUrl(id: string, flags: StreamFlags): Promise<string>
  portForwardUrl(sandboxId: string, port: number): Promise<string>
  listImages(options?: CriCallOptions): Promise<readonly Image[]>
  /** Undefined when the image is not on this node. */
  imageStatus(image: string, options?: CriCallOptions): Promise<Image | undefined>
  pullImage(image: string, auth: AuthConfig | undefined, options?: CriCallOptions): Promise<string>
  removeImage(image: string, options?: CriCallOptions): Promise<void>
  imageFilesystem(options?: CriCallOptions): Promise<{ readonly mountpoint: string; readonly usedBytes: number } | undefined>
}
