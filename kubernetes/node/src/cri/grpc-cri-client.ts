import { fileURLToPath } from 'node:url'
import { Client, credentials, status as grpcStatus } from '@grpc/grpc-js'
import type { MethodDefinition, ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { CriError } from './cri-client.ts'
import type { CriCallOptions, CriClient } from './cri-client.ts'
import type { Container, ContainerStatus, ExecResult, Image, PodSandbox, PodSandboxStatus, RuntimeCondition } from './messages.ts'

/** As the kubelet's runtimeRequestTimeout. */
const callTimeoutMs = 120_000
/** The kubelet gives up on a pull without progress; the runtime does not tell progress, so this is a bound on the whole pull. */
const pullTimeoutMs = 30 * 60_000
const maxMessageBytes = 16 << 20

type Method = 'RuntimeService' | 'ImageService'

/** A client of the CRI at a unix socket. Nothing is connected before the first call; a lost connection is made again. */
export function createCriClient(options: { readonly socketPath: string }): CriClient {
  const definitions = loadSync(fileURLToPath(new URL('./runtime-v1.proto', import.meta.url)), {
    longs: String,
    enums: String,
    defaults: true,
    arrays: true,
    objects: true,
  })
  // Without an authority grpc-js sends the socket's path as :authority, which Go's HTTP/2 server refuses.
  const channel = new Client(`unix://${options.socketPath}`, credentials.createInsecure(), {
    'grpc.default_authority': 'localhost',
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    // A restarted runtime is back within a second: do not back off to minutes.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
  })

  function call<T>(service: Method, method: string, request: object, limits: CriCallOptions & { readonly timeoutMs?: number } = {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const { signal, timeoutMs = callTimeoutMs } = limits
    if (signal?.aborted) {
      reject(signal.reason)
      return promise
    }
    const definition = methodOf(definitions, service, method)
    const pending = channel.makeUnaryRequest<object, T>(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize as (bytes: Buffer) => T,
      request,
      { deadline: deadlineIn(timeoutMs) },
      (error, answer) => {
        signal?.removeEventListener('abort', cancel)
        if (error === null && answer !== undefined) resolve(answer)
        else reject(signal?.aborted ? signal.reason : criErrorOf(method, error))
      },
    )
    function cancel(): void {
      pending.cancel()
    }
    signal?.addEventListener('abort', cancel, { once: true })
    return promise
  }

  const runtime = <T>(method: string, request: object, limits?: CriCallOptions & { readonly timeoutMs?: number }): Promise<T> =>
    call<T>('RuntimeService', method, request, limits)
  const images = <T>(method: string, request: object, limits?: CriCallOptions & { readonly timeoutMs?: number }): Promise<T> =>
    call<T>('ImageService', method, request, limits)

  return {
    version: (limits) => runtime('Version', { version: 'v1' }, limits),
    async conditions(limits) {
      const answer = await runtime<{ status: { conditions: RuntimeCondition[] } | null }>('Status', {}, limits)
      return answer.status?.conditions ?? []
    },
    async runPodSandbox(config, limits) {
      // The network of a sandbox may take its time: twice the usual bound, as the kubelet does.
      const answer = await runtime<{ podSandboxId: string }>('RunPodSandbox', { config }, { ...limits, timeoutMs: 2 * callTimeoutMs })
      return answer.podSandboxId
    },
    async stopPodSandbox(podSandboxId, limits) {
      await runtime('StopPodSandbox', { podSandboxId }, limits)
    },
    async removePodSandbox(podSandboxId, limits) {
      await runtime('RemovePodSandbox', { podSandboxId }, limits)
    },
    async podSandboxStatus(podSandboxId, limits) {
      return (await runtime<{ status: PodSandboxStatus }>('PodSandboxStatus', { podSandboxId }, limits)).status
    },
    async listPodSandboxes(labelSelector, limits) {
      return (await runtime<{ items: PodSandbox[] }>('ListPodSandbox', { filter: { labelSelector } }, limits)).items
    },
    async createContainer(sandbox, config, limits) {
      const request = { podSandboxId: sandbox.id, config, sandboxConfig: sandbox.config }
      return (await runtime<{ containerId: string }>('CreateContainer', request, limits)).containerId
    },
    async startContainer(containerId, limits) {
      await runtime('StartContainer', { containerId }, limits)
    },
    async stopContainer(containerId, timeoutSeconds, limits) {
      await runtime('StopContainer', { containerId, timeout: timeoutSeconds }, { ...limits, timeoutMs: callTimeoutMs + timeoutSeconds * 1_000 })
    },
    async removeContainer(containerId, limits) {
      await runtime('RemoveContainer', { containerId }, limits)
    },
    async listContainers(labelSelector, limits) {
      return (await runtime<{ containers: Container[] }>('ListContainers', { filter: { labelSelector } }, limits)).containers
    },
    async containerStatus(containerId, limits) {
      return (await runtime<{ status: ContainerStatus }>('ContainerStatus', { containerId }, limits)).status
    },
    async reopenContainerLog(containerId, limits) {
      await runtime('ReopenContainerLog', { containerId }, limits)
    },
    execSync(containerId, cmd, timeoutSeconds) {
      return runtime<ExecResult>('ExecSync', { containerId, cmd, timeout: timeoutSeconds }, { timeoutMs: callTimeoutMs + timeoutSeconds * 1_000 })
    },
    async execUrl(containerId, cmd, flags) {
      return (await runtime<{ url: string }>('Exec', { containerId, cmd, ...flags })).url
    },
    async attachUrl(containerId, flags) {
      return (await runtime<{ url: string }>('Attach', { containerId, ...flags })).url
    },
    async portForwardUrl(podSandboxId, port) {
      return (await runtime<{ url: string }>('PortForward', { podSandboxId, port: [port] })).url
    },
    async listImages(limits) {
      return (await images<{ images: Image[] }>('ListImages', {}, limits)).images
    },
    async imageStatus(image, limits) {
      return (await images<{ image: Image | null }>('ImageStatus', { image: { image } }, limits)).image ?? undefined
    },
    async pullImage(image, auth, limits) {
      return (await images<{ imageRef: string }>('PullImage', { image: { image }, auth }, { ...limits, timeoutMs: pullTimeoutMs })).imageRef
    },
    async removeImage(image, limits) {
      await images('RemoveImage', { image: { image } }, limits)
    },
    async imageFilesystem(limits) {
      type Usage = { fsId: { mountpoint: string } | null; usedBytes: { value: string } | null }
      const { imageFilesystems } = await images<{ imageFilesystems: Usage[] }>('ImageFsInfo', {}, limits)
      const first = imageFilesystems[0]
      return first === undefined ? undefined : { mountpoint: first.fsId?.mountpoint ?? '', usedBytes: Number(first.usedBytes?.value ?? 0) }
    },
    [Symbol.dispose]() {
      channel.close()
    },
  }
}

function methodOf(definitions: ReturnType<typeof loadSync>, service: Method, method: string): MethodDefinition<object, object> {
  const methods = definitions[`runtime.v1.${service}`] as Readonly<Record<string, MethodDefinition<object, object>>> | undefined
  const definition = methods?.[method]
  if (definition === undefined) throw new Error(`runtime-v1.proto has no method ${service}.${method}`)
  return definition
}

/** grpc-js takes deadlines as wall-clock time and arms a real timer with it: the one place of this package where machine time is not a port. */
function deadlineIn(timeoutMs: number): Date {
  return new Date(new Date().getTime() + timeoutMs)
}

function criErrorOf(method: string, error: ServiceError | null): CriError {
  if (error === null) return new CriError(method, 'INTERNAL', `${method}: the runtime gave no answer`)
  return new CriError(method, grpcStatus[error.code] ?? 'UNKNOWN', error.details, { cause: error })
}
