import type { Clock } from '@gantry/runtime'
import type { CriClient } from '../cri-client.ts'
import { CriError } from '../cri-client.ts'
import type { Container, ContainerConfig, ContainerStatus, ExecResult, Image, Labels, PodSandboxConfig, PodSandboxStatus } from '../messages.ts'

interface FakeContainer extends ContainerStatus {
  readonly sandboxId: string
  readonly config: ContainerConfig
}

/** A container runtime that only remembers. What a test wants to happen in a container, it makes happen. */
export interface FakeCri extends CriClient {
  readonly images: Map<string, Image>
  /** Images that can be pulled; what is not here fails to. */
  readonly registry: Map<string, Image>
  /** Every call that changes something, in order: `start c`. */
  readonly calls: string[]
  /** Containers that do not end when they are told to, until they are killed. */
  readonly deaf: Set<string>
  exec: (container: string, command: readonly string[]) => ExecResult
  /** The newest container of a name ends by itself. */
  exit(name: string, code: number): void
  config(name: string): ContainerConfig
}

export function fakeImage(reference: string): Image {
  return { id: `sha256:${reference}`, repoTags: [reference], repoDigests: [], size: '1000', uid: null, username: '', pinned: false }
}

export function createFakeCri(deps: { readonly clock: Clock }): FakeCri {
  const { clock } = deps
  const sandboxes = new Map<string, PodSandboxStatus>()
  const containers = new Map<string, FakeContainer>()
  const images = new Map<string, Image>()
  const registry = new Map<string, Image>()
  const calls: string[] = []
  const deaf = new Set<string>()
  let count = 0

  const nanoseconds = (): string => `${clock.now().getTime()}000000`
  const missing = (what: string): CriError => new CriError('Fake', 'NOT_FOUND', `${what} not found`)
  const matches = (labels: Labels, selector: Labels | undefined): boolean => Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value)

  function container(id: string): FakeContainer {
    const found = containers.get(id)
    if (found === undefined) throw missing(`container ${id}`)
    return found
  }

  function newest(name: string): FakeContainer {
    const found = [...containers.values()].filter(({ metadata }) => metadata.name === name).at(-1)
    if (found === undefined) throw missing(`container ${name}`)
    return found
  }

  function end(id: string, exitCode: number): void {
    const found = container(id)
    if (found.state !== 'CONTAINER_RUNNING') return
    containers.set(id, { ...found, state: 'CONTAINER_EXITED', exitCode, finishedAt: nanoseconds(), reason: exitCode === 0 ? 'Completed' : 'Error' })
  }

  const imageOf = (name: string): Image | undefined => [...images.values()].find(({ id, repoTags }) => id === name || repoTags.includes(name))

  const fake: FakeCri = {
    images,
    registry,
    calls,
    deaf,
    exec: () => ({ stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), exitCode: 0 }),
    exit: (name, code) => end(newest(name).id, code),
    config: (name) => newest(name).config,
    version: () => Promise.resolve({ runtimeName: 'fake', runtimeVersion: '1' }),
    conditions: () => Promise.resolve([{ type: 'RuntimeReady', status: true, reason: '', message: '' }]),
    runPodSandbox(config: PodSandboxConfig) {
      const id = `sandbox-${++count}`
      calls.push(`sandbox ${config.metadata.name}`)
      const { metadata, labels, annotations } = config
      const network = config.linux.securityContext.namespaceOptions.network === 'NODE' ? null : { ip: `10.42.0.${count}`, additionalIps: [] }
      sandboxes.set(id, { id, metadata, labels, annotations, network, state: 'SANDBOX_READY', createdAt: nanoseconds() })
      return Promise.resolve(id)
    },
    stopPodSandbox(id) {
      const found = sandboxes.get(id)
      if (found === undefined) return Promise.reject(missing(id))
      if (found.state === 'SANDBOX_READY') calls.push(`stop sandbox ${found.metadata.name}`)
      for (const { id: containerId, sandboxId } of containers.values()) if (sandboxId === id) end(containerId, 137)
      sandboxes.set(id, { ...found, state: 'SANDBOX_NOTREADY' })
      return Promise.resolve()
    },
    removePodSandbox(id) {
      sandboxes.delete(id)
      return Promise.resolve()
    },
    async podSandboxStatus(id) {
      const found = sandboxes.get(id)
      if (found === undefined) throw missing(id)
      return found
    },
    listPodSandboxes: (selector) => Promise.resolve([...sandboxes.values()].filter(({ labels }) => matches(labels, selector))),
    createContainer(sandbox, config) {
      const id = `container-${++count}`
      calls.push(`create ${config.metadata.name}`)
      containers.set(id, {
        id,
        sandboxId: sandbox.id,
        config,
        metadata: config.metadata,
        state: 'CONTAINER_CREATED',
        createdAt: nanoseconds(),
        startedAt: '0',
        finishedAt: '0',
        exitCode: 0,
        image: { image: imageOf(config.image.image)?.repoTags[0] ?? config.image.image },
        imageRef: config.image.image,
        reason: '',
        message: '',
        labels: config.labels,
        annotations: config.annotations,
        mounts: config.mounts,
        logPath: `${sandbox.config.logDirectory}/${config.logPath}`,
      })
      return Promise.resolve(id)
    },
    async startContainer(id) {
      calls.push(`start ${container(id).metadata.name}`)
      containers.set(id, { ...container(id), state: 'CONTAINER_RUNNING', startedAt: nanoseconds() })
    },
    async stopContainer(id, timeoutSeconds, options) {
      const { name } = container(id).metadata
      calls.push(`stop ${name} ${timeoutSeconds}`)
      if (!deaf.has(name)) return end(id, 143)
      await clock.sleep(timeoutSeconds * 1_000, options)
      end(id, 137)
    },
    removeContainer(id) {
      containers.delete(id)
      return Promise.resolve()
    },
    listContainers(selector) {
      const found = [...containers.values()].filter(({ labels }) => matches(labels, selector))
      return Promise.resolve(found.map((state): Container => ({ ...state, podSandboxId: state.sandboxId })))
    },
    async containerStatus(id) {
      return container(id)
    },
    reopenContainerLog: () => Promise.resolve(),
    async execSync(id, command) {
      return fake.exec(container(id).metadata.name, command)
    },
    execUrl: () => Promise.reject(new Error('the fake runtime streams nothing')),
    attachUrl: () => Promise.reject(new Error('the fake runtime streams nothing')),
    portForwardUrl: () => Promise.reject(new Error('the fake runtime streams nothing')),
    listImages: () => Promise.resolve([...images.values()]),
    imageStatus: (name) => Promise.resolve(imageOf(name)),
    pullImage(name) {
      calls.push(`pull ${name}`)
      const image = registry.get(name)
      if (image === undefined) return Promise.reject(new CriError('PullImage', 'UNKNOWN', `no ${name} in the registry`))
      images.set(name, image)
      return Promise.resolve(image.id)
    },
    removeImage(name) {
      images.delete(name)
      return Promise.resolve()
    },
    imageFilesystem: () => Promise.resolve(undefined),
    [Symbol.dispose]() {},
  }
  return fake
}
