import type { CriClient } from '../cri/cri-client.ts'
import { isCriNotFound } from '../cri/cri-client.ts'
import type { Container, PodSandbox } from '../cri/messages.ts'
import { containerStateOf, emptyRuntime, runtimeLabels, sandboxStateOf } from '../pod/pod-runtime.ts'
import type { ContainerState, PodRuntime, SandboxState } from '../pod/pod-runtime.ts'
import { terminationMessageOf } from './termination-message.ts'

/** What the runtime holds, by pod. */
export interface RuntimeCache {
  get(uid: string): PodRuntime
  /** Pods the runtime holds something of. */
  uids(): readonly string[]
  /** Asks the runtime about one pod. */
  refresh(uid: string): Promise<PodRuntime>
  /** Asks the runtime what exists; gives the pods in which something has changed. */
  relist(signal?: AbortSignal): Promise<readonly string[]>
  /** Milliseconds since the last answer to a relist. */
  readonly ageMs: number
}

/**
 * The kubelet's PLEG: a cheap list of everything each second finds what has changed; details are asked for those pods only. A pod's worker refreshes its own pod after
 * every action.
 */
export function createRuntimeCache(deps: { readonly cri: CriClient; readonly monotonicMs: () => number }): RuntimeCache {
  const { cri } = deps
  const pods = new Map<string, PodRuntime>()
  /** Container and sandbox states of the last list, as one comparable text per pod. */
  let lastSeen = new Map<string, string>()
  const messages = new Map<string, string>()
  let answeredAt = deps.monotonicMs()

  async function details(sandboxes: readonly PodSandbox[], containers: readonly Container[]): Promise<PodRuntime> {
    const sandboxStates = await Promise.all(sandboxes.map((sandbox) => sandboxDetails(cri, sandbox)))
    const containerStates = await Promise.all(containers.map((container) => containerDetails(container)))
    return {
      sandboxes: sandboxStates.filter((state) => state !== undefined).sort((a, b) => b.createdAtMs - a.createdAtMs || b.attempt - a.attempt),
      containers: containerStates.filter((state) => state !== undefined).sort((a, b) => b.createdAtMs - a.createdAtMs || b.restartCount - a.restartCount),
    }
  }

  async function containerDetails(container: Container): Promise<ContainerState | undefined> {
    try {
      const status = await cri.containerStatus(container.id)
      let message = ''
      if (status.state === 'CONTAINER_EXITED') {
        message = messages.get(container.id) ?? (await terminationMessageOf(status))
        messages.set(container.id, message)
      }
      return containerStateOf(container, status, message === '' ? status.message : message)
    } catch (error) {
      if (isCriNotFound(error)) return undefined
      throw error
    }
  }

  function store(uid: string, runtime: PodRuntime): PodRuntime {
    for (const container of pods.get(uid)?.containers ?? []) {
      if (!runtime.containers.some(({ id }) => id === container.id)) messages.delete(container.id)
    }
    if (runtime.sandboxes.length === 0 && runtime.containers.length === 0) pods.delete(uid)
    else pods.set(uid, runtime)
    return runtime
  }

  return {
    get: (uid) => pods.get(uid) ?? emptyRuntime,
    uids: () => [...pods.keys()],
    get ageMs() {
      return deps.monotonicMs() - answeredAt
    },
    async refresh(uid) {
      const labels = { [runtimeLabels.podUid]: uid }
      const [sandboxes, containers] = await Promise.all([cri.listPodSandboxes(labels), cri.listContainers(labels)])
      return store(uid, await details(sandboxes, containers))
    },
    async relist(signal) {
      const [sandboxes, containers] = await Promise.all([cri.listPodSandboxes(undefined, { signal }), cri.listContainers(undefined, { signal })])
      answeredAt = deps.monotonicMs()
      const byPod = new Map<string, { sandboxes: PodSandbox[]; containers: Container[] }>()
      const of = (labels: Readonly<Record<string, string>>): { sandboxes: PodSandbox[]; containers: Container[] } | undefined => {
        const uid = labels[runtimeLabels.podUid]
        if (uid === undefined) return undefined
        const entry = byPod.get(uid) ?? { sandboxes: [], containers: [] }
        byPod.set(uid, entry)
        return entry
      }
      for (const sandbox of sandboxes) of(sandbox.labels)?.sandboxes.push(sandbox)
      for (const container of containers) of(container.labels)?.containers.push(container)

      const seen = new Map<string, string>()
      const changed: string[] = []
      for (const [uid, entry] of byPod) {
        const fingerprint = [...entry.sandboxes, ...entry.containers]
          .map(({ id, state }) => `${id} ${state}`)
          .sort()
          .join('\n')
        seen.set(uid, fingerprint)
        if (lastSeen.get(uid) === fingerprint) continue
        store(uid, await details(entry.sandboxes, entry.containers))
        changed.push(uid)
      }
      for (const uid of lastSeen.keys()) {
        if (seen.has(uid)) continue
        store(uid, emptyRuntime)
        changed.push(uid)
      }
      lastSeen = seen
      return changed
    },
  }
}

async function sandboxDetails(cri: CriClient, sandbox: PodSandbox): Promise<SandboxState | undefined> {
  try {
    return sandboxStateOf(sandbox, await cri.podSandboxStatus(sandbox.id))
  } catch (error) {
    if (isCriNotFound(error)) return undefined
    throw error
  }
}
