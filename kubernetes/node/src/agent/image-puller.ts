import type { Clock, Logger } from '@gantry/runtime'
import type { CriClient } from '../cri/cri-client.ts'
import type { AuthConfig, Image } from '../cri/messages.ts'
import { crashLoopBackOff, goDuration, raised, waitUntil } from '../pod/back-off.ts'
import type { BackOffEntry } from '../pod/back-off.ts'
import { imageProblem, normalImageReference } from '../pod/image-reference.ts'
import type { Container } from '../pod/pod.ts'

export type ImageOutcome =
  | { readonly kind: 'present'; readonly image: Image }
  /** `retryAtMs` is when another attempt makes sense. */
  | { readonly kind: 'waiting'; readonly reason: string; readonly message: string; readonly retryAtMs: number }

export interface ImagePuller {
  /** Makes the image of a container present, as its pull policy says; `tell` gets the events to write. */
  ensure(container: Container, options: PullOptions): Promise<ImageOutcome>
}

export interface PullOptions {
  readonly podUid: string
  readonly auth: (registry: string) => AuthConfig | undefined
  readonly tell: (type: 'Normal' | 'Warning', reason: string, message: string) => void
  readonly signal: AbortSignal
}

const maxParallelPulls = 3
const maxEntries = 10_000
/** The kubelet's imagePullBackOff: 10 s doubling to 300 s. */
const pullBackOff = crashLoopBackOff

/** Upstream: pkg/kubelet/images/image_manager.go. At most three pulls run at once; one image is pulled once, however many containers wait for it. */
export function createImagePuller(deps: { readonly cri: CriClient; readonly clock: Clock; readonly log: Logger }): ImagePuller {
  const { cri, clock } = deps
  const failures = new Map<string, BackOffEntry & { readonly message: string; readonly failedAtMs: number }>()
  const pulling = new Map<string, Promise<string>>()
  const waiting: (() => void)[] = []
  let running = 0

  async function slot(): Promise<void> {
    if (running < maxParallelPulls) {
      running++
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    await promise
  }

  function release(): void {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }

  async function pull(reference: string, options: PullOptions): Promise<string> {
    await slot()
    try {
      options.signal.throwIfAborted()
      return await cri.pullImage(reference, options.auth(reference), { signal: options.signal })
    } finally {
      release()
    }
  }

  return {
    async ensure(container, options) {
      const written = container.image ?? ''
      const nowMs = clock.now().getTime()
      const problem = imageProblem(written)
      if (problem !== undefined) {
        const message = `Failed to apply default image tag "${written}": ${problem}`
        options.tell('Warning', 'InspectFailed', message)
        return { kind: 'waiting', reason: 'InvalidImageName', message, retryAtMs: nowMs + 10_000 }
      }
      const reference = normalImageReference(written)
      const policy = container.imagePullPolicy ?? (written.endsWith(':latest') || !/[:@]/.test(written.split('/').at(-1) ?? '') ? 'Always' : 'IfNotPresent')
      const present = await cri.imageStatus(reference, { signal: options.signal })
      if (present !== undefined && policy !== 'Always') {
        options.tell('Normal', 'Pulled', `Container image "${written}" already present on machine`)
        return { kind: 'present', image: present }
      }
      if (policy === 'Never') {
        const message = `Container image "${written}" is not present with pull policy of Never`
        options.tell('Warning', 'ErrImageNeverPull', message)
        return { kind: 'waiting', reason: 'ErrImageNeverPull', message, retryAtMs: nowMs + 10_000 }
      }
      const key = `${options.podUid} ${reference}`
      const failure = failures.get(key)
      const until = waitUntil(failure, failure?.failedAtMs ?? 0, nowMs, pullBackOff)
      if (failure !== undefined && until !== undefined) {
        const message = `Back-off pulling image "${written}"`
        options.tell('Normal', 'BackOff', message)
        return { kind: 'waiting', reason: 'ImagePullBackOff', message: `${message}: ErrImagePull: ${failure.message}`, retryAtMs: until }
      }
      options.tell('Normal', 'Pulling', `Pulling image "${written}"`)
      const startedMs = clock.monotonicMs()
      try {
        const flight = pulling.get(reference) ?? pull(reference, options).finally(() => pulling.delete(reference))
        pulling.set(reference, flight)
        const id = await flight
        const image = (await cri.imageStatus(id, { signal: options.signal })) ?? (await cri.imageStatus(reference, { signal: options.signal }))
        if (image === undefined) throw new Error(`the runtime does not know the image "${written}" that it has just pulled`)
        const took = goDuration(Math.round(clock.monotonicMs() - startedMs))
        options.tell('Normal', 'Pulled', `Successfully pulled image "${written}" in ${took} (${took} including waiting). Image size: ${image.size} bytes.`)
        failures.delete(key)
        return { kind: 'present', image }
      } catch (error) {
        options.signal.throwIfAborted()
        const message = error instanceof Error ? error.message : String(error)
        const failedAtMs = clock.now().getTime()
        const entry = { ...raised(failure, failure?.failedAtMs ?? failedAtMs, failedAtMs, pullBackOff), message, failedAtMs }
        failures.delete(key)
        failures.set(key, entry)
        const oldest = failures.keys().next().value
        if (failures.size > maxEntries && oldest !== undefined) failures.delete(oldest)
        options.tell('Warning', 'Failed', `Failed to pull image "${written}": ${message}`)
        options.tell('Warning', 'Failed', 'Error: ErrImagePull')
        return { kind: 'waiting', reason: 'ErrImagePull', message, retryAtMs: failedAtMs }
      }
    },
  }
}
