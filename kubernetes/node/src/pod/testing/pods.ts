import type { Container, Pod, PodSpec } from '../pod.ts'
import type { ContainerState, PodRuntime, SandboxState } from '../pod-runtime.ts'
import { containerHash } from '../sandbox-config.ts'

/** A pod `web` of one container `c`, for tests. */
export function podWith(spec: Partial<PodSpec> = {}, more: Partial<Pod> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'busybox' }], ...spec },
    ...more,
    metadata: { name: 'web', namespace: 'ns', uid: 'uid-1', ...more.metadata },
  }
}

export const readySandboxState: SandboxState = { id: 's0', attempt: 0, ready: true, createdAtMs: 0, ips: ['10.42.0.2'] }

/** A container in the state wanted; `c` of the first sandbox when nothing else is said. */
export function containerIn(state: ContainerState['state'], more: Partial<ContainerState> = {}): ContainerState {
  const name = more.name ?? 'c'
  return {
    id: `${name}-${more.restartCount ?? 0}`,
    name,
    restartCount: 0,
    sandboxId: 's0',
    state,
    createdAtMs: 1_000,
    startedAtMs: 1_000,
    finishedAtMs: state === 'exited' ? 2_000 : 0,
    exitCode: 0,
    reason: state === 'exited' ? 'Completed' : '',
    message: '',
    image: 'docker.io/library/busybox:latest',
    imageRef: 'sha256:1',
    hash: containerHash({ name, image: 'busybox' }),
    logPath: `/logs/${name}/0.log`,
    ...more,
  }
}

export function runtimeOf(containers: readonly ContainerState[], sandboxes: readonly SandboxState[] = [readySandboxState]): PodRuntime {
  return { containers, sandboxes }
}

export function containerNamed(name: string, more: Partial<Container> = {}): Container {
  return { name, image: 'busybox', ...more }
}
