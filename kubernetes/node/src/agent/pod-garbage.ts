import { isCriNotFound } from '../cri/cri-client.ts'
import { identityOf } from '../pod/pod.ts'
import type { Pod } from '../pod/pod.ts'
import type { ContainerState, PodRuntime, SandboxState } from '../pod/pod-runtime.ts'
import { removeLogs } from './log-rotation.ts'
import type { NodeContext } from './node-context.ts'
import { unlinkLog } from './pod-files.ts'

/** Dead containers that are kept of every container: the one whose log `kubectl logs --previous` shows. */
const keptDeadContainers = 1

/** What the runtime may forget: older dead containers, and sandboxes that have been replaced and hold nothing any more. */
export function podGarbageOf(runtime: PodRuntime): { readonly containers: readonly ContainerState[]; readonly sandboxes: readonly SandboxState[] } {
  const kept = new Map<string, number>()
  const newest = new Set<string>()
  const containers = runtime.containers.filter(({ name, state }) => {
    const first = !newest.has(name)
    newest.add(name)
    if (first || state === 'running') return false
    const count = kept.get(name) ?? 0
    kept.set(name, count + 1)
    return count >= keptDeadContainers
  })
  const left = runtime.containers.filter((container) => !containers.includes(container))
  const sandboxes = runtime.sandboxes.slice(1).filter(({ id, ready }) => !ready && !left.some(({ sandboxId }) => sandboxId === id))
  return { containers, sandboxes }
}

export async function collectPodGarbage(context: NodeContext, pod: Pod): Promise<void> {
  const { uid } = identityOf(pod)
  const garbage = podGarbageOf(await context.cache.refresh(uid))
  for (const container of garbage.containers) {
    await ignoringNotFound(context.cri.removeContainer(container.id))
    await unlinkLog(context, identityOf(pod), container)
    if (container.logPath !== '') await removeLogs(container.logPath)
  }
  for (const sandbox of garbage.sandboxes) await ignoringNotFound(context.cri.removePodSandbox(sandbox.id))
}

async function ignoringNotFound(call: Promise<void>): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!isCriNotFound(error)) throw error
  }
}
