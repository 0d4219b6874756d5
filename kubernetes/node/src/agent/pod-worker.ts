import { isReason } from '@gantry/apimachinery'
import { CriError } from '../cri/cri-client.ts'
import { crashLoopBackOff, goDuration, raised, waitUntil } from '../pod/back-off.ts'
import type { BackOffEntry } from '../pod/back-off.ts'
import { describePod, identityOf, isHostNetwork, isSidecar, isTerminalPhase } from '../pod/pod.ts'
import type { Container, Pod, PodStatus } from '../pod/pod.ts'
import { nextActions } from '../pod/pod-plan.ts'
import type { ContainerKill, ContainerStart, PodPlan } from '../pod/pod-plan.ts'
import { newestContainer, readySandbox } from '../pod/pod-runtime.ts'
import type { PodRuntime } from '../pod/pod-runtime.ts'
import { podStatusOf } from '../pod/pod-status.ts'
import type { WaitingReason } from '../pod/pod-status.ts'
import { containerHash } from '../pod/sandbox-config.ts'
import { checkProbe } from '../probes/handler-check.ts'
import { createProber } from '../probes/prober.ts'
import type { Prober } from '../probes/prober.ts'
import { VolumeError } from '../volumes/volume-files.ts'
import { containerTarget, podTarget } from './event-targets.ts'
import { collectPodGarbage } from './pod-garbage.ts'
import type { NodeContext } from './node-context.ts'
import { releaseResources, removePodFiles, unlinkLog } from './pod-files.ts'
import { prepareVolumes, retryMs, sandboxConfig, startContainer } from './pod-start.ts'
import { killContainer, killContainers, killingKey, removeFromRuntime, stopSandboxes } from './pod-stop.ts'

/** How often a pod in order is looked at again: its volumes follow what they were made of. Upstream: syncFrequency. */
const resyncMs = 60_000
const unavailableRetryMs = 1_000
/** For a pod that has vanished from the API without a deadline of its own. */
const vanishedGraceSeconds = 2
const nearMs = 0

/** A step of the loop ends with the time until the next one, or with everything of the pod gone. */
type Step = { readonly kind: 'again'; readonly afterMs: number } | { readonly kind: 'done' }

/**
 * Brings one pod, and only it, to what the API says, one step after the other. Every step looks at what is there and decides anew, so a lost wake-up costs time and
 * nothing else. Adopts what an earlier agent has started.
 */
export class PodWorker {
  readonly uid: string
  readonly #context: NodeContext
  readonly #prober: Prober
  readonly #waiting = new Map<string, WaitingReason>()
  readonly #backOffs = new Map<string, BackOffEntry>()
  readonly #retries = new Map<string, number>()
  readonly #hooked = new Set<string>()
  readonly #stop = new AbortController()
  #pod: Pod
  #gone = false
  #finished = false
  #failure: { readonly reason: string; readonly message: string } | undefined
  #ended = false
  #status: PodStatus | undefined
  #written = ''
  #volumesAtMs = 0
  #step = new AbortController()
  #woken = false
  #wake: (() => void) | undefined

  constructor(context: NodeContext, pod: Pod) {
    this.#context = context
    this.#pod = pod
    this.uid = identityOf(pod).uid
    this.#prober = createProber({
      clock: context.clock,
      log: context.log,
      check: ({ pod: probed, container, state }, probe) =>
        checkProbe(context, { container, containerId: state.id, podIP: this.#podIPs(probed)[0] ?? '' }, probe),
      onChange: () => this.poke(),
      onUnhealthy: (target, kind, message) => {
        const name = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`
        context.events.warning(containerTarget(target.pod, target.container.name), 'Unhealthy', `${name} probe failed: ${message}`)
      },
    })
  }

  /** The pod as it was last seen in the API. */
  get pod(): Pod {
    return this.#pod
  }

  /** The status last computed; what the API holds while there is none. */
  get status(): PodStatus {
    return this.#status ?? this.#pod.status ?? {}
  }

  update(pod: Pod): void {
    const before = this.#pod
    this.#pod = pod
    // An end that is asked for, or asked for sooner, does not wait for a pull or a grace period under way.
    if (this.#endGrace(pod) !== this.#endGrace(before)) this.#step.abort(new Error('the pod is to end'))
    this.poke()
  }

  /** The API does not know the pod any more. */
  gone(): void {
    this.#gone = true
    this.#step.abort(new Error('the pod has been removed'))
    this.poke()
  }

  poke(): void {
    this.#woken = true
    this.#wake?.()
  }

  /** Lets go of the pod and leaves it running. */
  stop(): void {
    this.#stop.abort(new Error('the node agent is stopping'))
    this.#step.abort(this.#stop.signal.reason)
    this.#prober.stop()
    this.#wake?.()
  }

  /** Resolves when everything of the pod is gone, or after `stop`. */
  async run(): Promise<void> {
    const { log, clock } = this.#context
    while (!this.#stop.signal.aborted) {
      this.#step = new AbortController()
      this.#woken = false
      let step: Step
      try {
        step = await this.#sync(this.#step.signal)
      } catch (error) {
        if (this.#step.signal.aborted) continue
        const unavailable = error instanceof CriError && error.code === 'UNAVAILABLE'
        log.warn('a pod could not be brought to its spec, trying again', { pod: describePod(identityOf(this.#pod)), error })
        step = { kind: 'again', afterMs: unavailable ? unavailableRetryMs : retryMs }
      }
      if (step.kind === 'done') break
      if (!this.#woken && !this.#stop.signal.aborted && step.afterMs > 0) await this.#pause(step.afterMs, clock)
    }
    this.#prober.stop()
  }

  async #pause(ms: number, clock: NodeContext['clock']): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const cancel = clock.schedule(resolve, ms)
    await promise
    cancel()
    this.#wake = undefined
  }

  #sync(signal: AbortSignal): Promise<Step> {
    const pod = this.#pod
    const late = this.#secondsPastDeadline(pod)
    if (late !== undefined && late >= 0) {
      this.#failure ??= { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
    }
    const ending = this.#endGrace(pod) !== undefined || this.#gone || this.#finished || this.#failure !== undefined || isTerminalPhase(pod.status?.phase)
    return ending ? this.#end(pod, signal) : this.#bringUp(pod, signal)
  }

  async #bringUp(pod: Pod, signal: AbortSignal): Promise<Step> {
    const { cache } = this.#context
    this.#prober.reconcile(pod, cache.get(this.uid), { terminating: false })
    const plan = this.#plan(pod, cache.get(this.uid))
    if (plan.killPod && plan.sandbox.kind === 'none') {
      this.#finished = true
      return this.#end(pod, signal)
    }
    await this.#writeStatus(pod)
    await this.#carryOutKills(pod, plan, signal)

    const nowMs = this.#nowMs()
    const start = plan.start.filter(({ container }) => (this.#retries.get(container.name) ?? 0) <= nowMs)
    const stale = nowMs - this.#volumesAtMs >= resyncMs
    if (start.length === 0 && plan.sandbox.kind !== 'create' && !stale) return this.#againSoonEnough(pod, plan)

    const places = await this.#mountVolumes(pod)
    if (places === undefined) return { kind: 'again', afterMs: retryMs }
    const sandbox = await this.#sandbox(pod, plan, signal)
    if (sandbox === undefined) return { kind: 'again', afterMs: retryMs }

    let started = 0
    for (const wanted of start) {
      signal.throwIfAborted()
      const running = await this.#start(pod, wanted, { sandbox, places, signal })
      if (running) started++
      else if (wanted.init) break
    }
    if (started > 0) await collectPodGarbage(this.#context, pod)
    const runtime = await cache.refresh(this.uid)
    this.#forgetHooks(runtime)
    this.#prober.reconcile(pod, runtime, { terminating: false })
    await this.#writeStatus(pod)
    return started > 0 ? { kind: 'again', afterMs: nearMs } : this.#againSoonEnough(pod, plan)
  }

  #plan(pod: Pod, runtime: PodRuntime): PodPlan {
    return nextActions({ pod, runtime, probesOf: (id) => this.#prober.resultsOf(id), hashOf: containerHash })
  }

  async #carryOutKills(pod: Pod, plan: PodPlan, signal: AbortSignal): Promise<void> {
    const { cache, events } = this.#context
    const grace = pod.spec.terminationGracePeriodSeconds ?? 30
    if (plan.killPod && cache.get(this.uid).sandboxes.length > 0) {
      events.normal(podTarget(pod), 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.')
      await killContainers(this.#context, pod, { graceSeconds: grace, signal, hooked: this.#hooked })
      await stopSandboxes(this.#context, this.uid)
    }
    for (const kill of plan.kill) {
      const graceSeconds = probeGrace(pod, kill) ?? grace
      await killContainer(this.#context, pod, { state: kill.container, message: kill.message, graceSeconds, signal, hooked: this.#hooked })
    }
    if (plan.killPod || plan.kill.length > 0) await cache.refresh(this.uid)
  }

  async #mountVolumes(pod: Pod): Promise<ReadonlyMap<string, string> | undefined> {
    try {
      const places = await prepareVolumes(this.#context, pod, this.#podIPs(pod))
      this.#volumesAtMs = this.#nowMs()
      return places
    } catch (error) {
      if (!(error instanceof VolumeError)) throw error
      this.#context.events.warning(podTarget(pod), 'FailedMount', error.message)
      return undefined
    }
  }

  async #sandbox(
    pod: Pod,
    plan: PodPlan,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly config: Awaited<ReturnType<typeof sandboxConfig>> } | undefined> {
    const { cri, cache, events } = this.#context
    if (plan.sandbox.kind !== 'create') {
      const ready = readySandbox(cache.get(this.uid))
      return ready === undefined ? undefined : { id: ready.id, config: await sandboxConfig(this.#context, pod, ready.attempt) }
    }
    const config = await sandboxConfig(this.#context, pod, plan.sandbox.attempt)
    try {
      const id = await cri.runPodSandbox(config, { signal })
      await cache.refresh(this.uid)
      await this.#writeStatus(pod)
      return { id, config }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof CriError)) throw error
      events.warning(podTarget(pod), 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${error.message}`)
      await cache.refresh(this.uid)
      return undefined
    }
  }

  async #start(
    pod: Pod,
    { container }: ContainerStart,
    options: {
      readonly sandbox: { readonly id: string; readonly config: Awaited<ReturnType<typeof sandboxConfig>> }
      readonly places: ReadonlyMap<string, string>
      readonly signal: AbortSignal
    },
  ): Promise<boolean> {
    const { cache, events } = this.#context
    const runtime = cache.get(this.uid)
    const nowMs = this.#nowMs()
    const exited = runtime.containers.find(({ name, state }) => name === container.name && state === 'exited')
    if (exited !== undefined) {
      const entry = this.#backOffs.get(container.name)
      const until = waitUntil(entry, exited.finishedAtMs, nowMs, crashLoopBackOff)
      if (entry !== undefined && until !== undefined) {
        const where = describePod(identityOf(pod))
        const message = `back-off ${goDuration(entry.delayMs)} restarting failed container=${container.name} pod=${where}`
        if (this.#waiting.get(container.name)?.message !== message) {
          events.warning(containerTarget(pod, container.name), 'BackOff', `Back-off restarting failed container ${container.name} in pod ${where}`)
        }
        this.#waiting.set(container.name, { reason: 'CrashLoopBackOff', message })
        this.#retries.set(container.name, until)
        return false
      }
      this.#backOffs.set(container.name, raised(entry, exited.finishedAtMs, nowMs, crashLoopBackOff))
    }
    const restartCount = this.#restartCount(runtime, container)
    const outcome = await startContainer(this.#context, pod, { ...options, container, restartCount, podIPs: this.#podIPs(pod) })
    if (outcome.kind === 'started') {
      this.#waiting.delete(container.name)
      this.#retries.delete(container.name)
      return true
    }
    this.#waiting.set(container.name, { reason: outcome.reason, message: outcome.message })
    // The step after a failure shows what follows from it (ErrImagePull becomes ImagePullBackOff), then the wait begins.
    this.#retries.set(container.name, Math.max(outcome.retryAtMs, nowMs + unavailableRetryMs))
    return false
  }

  #restartCount(runtime: PodRuntime, container: Container): number {
    const newest = newestContainer(runtime, container.name)
    if (newest !== undefined) return newest.restartCount + 1
    const statuses = [...(this.status.containerStatuses ?? []), ...(this.status.initContainerStatuses ?? [])]
    const before = statuses.find(({ name }) => name === container.name)
    return before?.containerID === undefined ? 0 : before.restartCount + 1
  }

  #forgetHooks(runtime: PodRuntime): void {
    const known = new Set(runtime.containers.flatMap(({ id }) => [id, killingKey(id)]))
    for (const key of this.#hooked) if (!known.has(key)) this.#hooked.delete(key)
  }

  async #end(pod: Pod, signal: AbortSignal): Promise<Step> {
    const { cache, api } = this.#context
    if (!this.#ended) {
      const running = cache.get(this.uid).containers.some(({ state }) => state === 'running' || state === 'unknown')
      this.#prober.reconcile(pod, cache.get(this.uid), { terminating: true })
      if (running && !this.#gone) await this.#writeStatus(pod)
      const graceSeconds = this.#endGrace(pod) ?? (this.#gone ? vanishedGraceSeconds : (pod.spec.terminationGracePeriodSeconds ?? 30))
      await killContainers(this.#context, pod, { graceSeconds, signal, hooked: this.#hooked })
      await cache.refresh(this.uid)
      await stopSandboxes(this.#context, this.uid)
      await cache.refresh(this.uid)
      this.#prober.stop()
      await releaseResources(this.#context, pod)
      this.#finished = true
      this.#ended = true
    }
    if (!this.#gone) {
      await this.#writeStatus(pod)
      if (pod.metadata.deletionTimestamp !== undefined) await api.confirmDeletion(identityOf(pod))
      return { kind: 'again', afterMs: resyncMs }
    }
    for (const container of cache.get(this.uid).containers) await unlinkLog(this.#context, identityOf(pod), container)
    await removeFromRuntime(this.#context, this.uid)
    await removePodFiles(this.#context, identityOf(pod))
    api.forget(this.uid)
    return { kind: 'done' }
  }

  async #writeStatus(pod: Pod): Promise<void> {
    const { api, cache, hostIPs } = this.#context
    const runtime = cache.get(this.uid)
    const status = podStatusOf({
      pod,
      runtime,
      previous: this.#status ?? pod.status ?? {},
      waitingOf: (name) => this.#waiting.get(name),
      probesOf: (id) => this.#prober.resultsOf(id),
      hostIPs,
      nowMs: this.#nowMs(),
      finished: this.#ended,
      failure: this.#failure,
    })
    this.#status = status
    const text = JSON.stringify(status)
    if (text === this.#written) return
    try {
      await api.writeStatus(identityOf(pod), status)
      this.#written = text
    } catch (error) {
      // The pod has gone, or another one has its name: the watch is about to say so.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }

  #podIPs(pod: Pod): readonly string[] {
    if (isHostNetwork(pod)) return this.#context.hostIPs
    return readySandbox(this.#context.cache.get(this.uid))?.ips ?? []
  }

  #againSoonEnough(pod: Pod, plan: PodPlan): Step {
    const nowMs = this.#nowMs()
    const waits = [resyncMs]
    for (const { container } of plan.start) {
      const atMs = this.#retries.get(container.name)
      if (atMs !== undefined) waits.push(Math.max(atMs - nowMs, 1))
    }
    const late = this.#secondsPastDeadline(pod)
    if (late !== undefined) waits.push(Math.max(-late * 1_000, 1))
    return { kind: 'again', afterMs: Math.min(...waits) }
  }

  /** Negative while the pod may still run. */
  #secondsPastDeadline(pod: Pod): number | undefined {
    const { startTime } = this.status
    const { activeDeadlineSeconds } = pod.spec
    if (startTime === undefined || activeDeadlineSeconds === undefined || this.#ended) return undefined
    return (this.#nowMs() - Date.parse(startTime)) / 1_000 - activeDeadlineSeconds
  }

  /** How long the API lets the pod take to end; undefined while it is not to end. */
  #endGrace(pod: Pod): number | undefined {
    if (pod.metadata.deletionTimestamp === undefined) return undefined
    return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30
  }

  #nowMs(): number {
    return this.#context.clock.now().getTime()
  }
}

function probeGrace(pod: Pod, kill: ContainerKill): number | undefined {
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)].find(({ name }) => name === kill.container.name)
  if (kill.because === 'livenessProbe') return container?.livenessProbe?.terminationGracePeriodSeconds
  if (kill.because === 'startupProbe') return container?.startupProbe?.terminationGracePeriodSeconds
  return undefined
}
