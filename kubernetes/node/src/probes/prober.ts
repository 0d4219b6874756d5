import type { Clock, Logger } from '@gantry/runtime'
import type { CheckOutcome } from './probe-io.ts'
import { isSidecar } from '../pod/pod.ts'
import type { Container, Pod, Probe } from '../pod/pod.ts'
import type { ProbeResults, ProbeVerdict } from '../pod/pod-plan.ts'
import type { ContainerState, PodRuntime } from '../pod/pod-runtime.ts'

export const probeKinds = ['startup', 'readiness', 'liveness'] as const
export type ProbeKind = (typeof probeKinds)[number]

export interface ProberDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Does one check against a running container. */
  readonly check: (target: ProbeTarget, probe: Probe) => Promise<CheckOutcome>
  /** Called when a verdict has changed. */
  readonly onChange: () => void
  readonly onUnhealthy: (target: ProbeTarget, kind: ProbeKind, message: string) => void
}

export interface ProbeTarget {
  readonly pod: Pod
  readonly container: Container
  readonly state: ContainerState
}

/** The probes of one pod: each runs beside the others, as long as its container does. */
export interface Prober {
  /** Starts the probes of containers that run and ends those of containers that do not. `terminating` leaves only readiness. */
  reconcile(pod: Pod, runtime: PodRuntime, options: { readonly terminating: boolean }): void
  resultsOf(containerId: string): ProbeResults
  stop(): void
}

interface Watched {
  results: ProbeResults
  readonly loops: Map<ProbeKind, AbortController>
}

const initially: Readonly<Record<ProbeKind, ProbeVerdict | undefined>> = { startup: undefined, readiness: 'failure', liveness: 'success' }

/** Upstream: pkg/kubelet/prober/worker.go. */
export function createProber(deps: ProberDeps): Prober {
  const watched = new Map<string, Watched>()

  function begin(target: ProbeTarget, kind: ProbeKind, probe: Probe): void {
    const entry = watched.get(target.state.id) ?? { results: {}, loops: new Map() }
    watched.set(target.state.id, entry)
    if (entry.loops.has(kind)) return
    const stop = new AbortController()
    entry.loops.set(kind, stop)
    const verdict = initially[kind]
    if (verdict !== undefined) entry.results = { ...entry.results, [kind]: verdict }
    run({ target, kind, probe, entry, signal: stop.signal }).catch((error: unknown) => {
      if (!stop.signal.aborted) deps.log.error('a probe has ended with an error', { container: target.container.name, kind, error })
    })
  }

  async function run(loop: { target: ProbeTarget; kind: ProbeKind; probe: Probe; entry: Watched; signal: AbortSignal }): Promise<void> {
    const { target, kind, probe, entry, signal } = loop
    const periodMs = (probe.periodSeconds ?? 10) * 1_000
    const age = deps.clock.now().getTime() - target.state.startedAtMs
    await deps.clock.sleep(Math.max(0, (probe.initialDelaySeconds ?? 0) * 1_000 - age), { signal })
    let last: ProbeVerdict | undefined
    let inARow = 0
    for (;;) {
      const gated = kind !== 'startup' && target.container.startupProbe !== undefined && entry.results.startup !== 'success'
      if (!gated) {
        const outcome = await deps.check(target, probe)
        signal.throwIfAborted()
        inARow = outcome.kind === last ? inARow + 1 : 1
        last = outcome.kind
        if (outcome.kind === 'failure') deps.onUnhealthy(target, kind, outcome.message)
        const threshold = outcome.kind === 'failure' ? (probe.failureThreshold ?? 3) : (probe.successThreshold ?? 1)
        if (inARow >= threshold && entry.results[kind] !== outcome.kind) {
          entry.results = { ...entry.results, [kind]: outcome.kind }
          deps.onChange()
        }
        // A container that is to be killed, or has started, needs no more of these checks.
        const final = (kind !== 'readiness' && entry.results[kind] === 'failure') || (kind === 'startup' && entry.results.startup === 'success')
        if (final) return
      }
      await deps.clock.sleep(gated ? Math.min(periodMs, 1_000) : periodMs, { signal })
    }
  }

  function end(id: string): void {
    for (const stop of watched.get(id)?.loops.values() ?? []) stop.abort(new Error('the container has ended'))
    watched.delete(id)
  }

  return {
    reconcile(pod, runtime, { terminating }) {
      const running = new Map(runtime.containers.filter(({ state }) => state === 'running').map((state) => [state.name, state]))
      const ids = new Set([...running.values()].map(({ id }) => id))
      for (const id of watched.keys()) if (!ids.has(id)) end(id)
      for (const container of [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers]) {
        const state = running.get(container.name)
        if (state === undefined) continue
        for (const kind of probeKinds) {
          const probe = container[`${kind}Probe`]
          if (terminating && kind !== 'readiness') watched.get(state.id)?.loops.get(kind)?.abort(new Error('the pod is ending'))
          else if (probe !== undefined) begin({ pod, container, state }, kind, probe)
        }
      }
    },
    resultsOf: (id) => watched.get(id)?.results ?? {},
    stop() {
      for (const id of watched.keys()) end(id)
    },
  }
}
