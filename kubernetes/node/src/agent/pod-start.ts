import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { containerConfigOf, defaultTerminationMessagePath } from '../pod/container-config.ts'
import { dnsConfigOf, parseResolvConf } from '../pod/dns-config.ts'
import { ContainerConfigError, environmentOf } from '../pod/environment.ts'
import { registryOf } from '../pod/image-reference.ts'
import { identityOf, isHostNetwork } from '../pod/pod.ts'
import type { Container, Pod } from '../pod/pod.ts'
import { newestContainer } from '../pod/pod-runtime.ts'
import { credentialsFor } from '../pod/pull-secrets.ts'
import { cgroupParentOf, sandboxConfigOf } from '../pod/sandbox-config.ts'
import type { Mount, PodSandboxConfig } from '../cri/messages.ts'
import { checkHandler } from '../probes/handler-check.ts'
import { mountsOf, setUpVolumes } from '../volumes/pod-volumes.ts'
import { containerTarget, podTarget } from './event-targets.ts'
import type { NodeContext } from './node-context.ts'
import { linkLog, logFolder, makeTerminationFile, podFolder, volumesFolder, writeHostsFile } from './pod-files.ts'

export type StartOutcome =
  | { readonly kind: 'started'; readonly id: string }
  | { readonly kind: 'waiting'; readonly reason: string; readonly message: string; readonly retryAtMs: number }

/** How long after a failure that has no back-off of its own the next attempt is made. Upstream: kubelet.go backOffPeriod. */
export const retryMs = 10_000

const resolvConf = '/etc/resolv.conf'

/** Makes the volumes of a pod; gives where they stand. */
export async function prepareVolumes(context: NodeContext, pod: Pod, podIPs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { namespace, uid } = identityOf(pod)
  await mkdir(podFolder(context, uid), { recursive: true, mode: 0o750 })
  let tokenMissing = false
  const places = await setUpVolumes(context, volumesFolder(context, uid), {
    pod,
    source: context.api.source(namespace),
    addresses: { hostIPs: context.hostIPs, podIPs },
    capacity: context.capacity,
    token: async (request) => {
      const token = await context.api.token(pod, request)
      tokenMissing ||= token === undefined
      return token
    },
  })
  if (tokenMissing) {
    const message = 'The API server issues no service account tokens (TokenRequest): the pod runs without one'
    context.events.warning(podTarget(pod), 'NoServiceAccountToken', message)
  }
  return places
}

export async function sandboxConfig(context: NodeContext, pod: Pod, attempt: number): Promise<PodSandboxConfig> {
  const host = parseResolvConf(await readFile(resolvConf, 'utf8').catch(() => ''))
  return sandboxConfigOf({
    pod,
    attempt,
    logDirectory: logFolder(context, identityOf(pod)),
    dns: dnsConfigOf(pod, host, context.clusterDns),
    cgroupParent: context.cgroupRoot === undefined ? undefined : cgroupParentOf(pod, context.cgroupRoot),
  })
}

export interface StartOptions {
  readonly container: Container
  readonly restartCount: number
  readonly sandbox: { readonly id: string; readonly config: PodSandboxConfig }
  readonly podIPs: readonly string[]
  readonly places: ReadonlyMap<string, string>
  readonly signal: AbortSignal
}

/** Pulls, creates and starts one container, and runs its postStart hook. Upstream: kuberuntime_container.go startContainer. */
export async function startContainer(context: NodeContext, pod: Pod, options: StartOptions): Promise<StartOutcome> {
  const { container, signal } = options
  const identity = identityOf(pod)
  const target = containerTarget(pod, container.name)
  const fail = (reason: string, error: unknown): StartOutcome => {
    signal.throwIfAborted()
    const message = error instanceof Error ? error.message : String(error)
    context.events.warning(target, 'Failed', `Error: ${message}`)
    return { kind: 'waiting', reason, message, retryAtMs: context.clock.now().getTime() + retryMs }
  }

  const pullSecrets = await readPullSecrets(context, pod)
  const outcome = await context.images.ensure(container, {
    podUid: identity.uid,
    signal,
    auth: (reference) => (registryOf(reference) === '' ? undefined : credentialsFor(reference, pullSecrets)),
    tell: (type, reason, message) => (type === 'Normal' ? context.events.normal(target, reason, message) : context.events.warning(target, reason, message)),
  })
  if (outcome.kind === 'waiting') return outcome

  let config: ReturnType<typeof containerConfigOf>
  try {
    const environment = await environmentOf({
      pod,
      container,
      addresses: { hostIPs: context.hostIPs, podIPs: options.podIPs },
      capacity: context.capacity,
      source: context.api.source(identity.namespace),
      serviceVariables: await context.api.serviceVariables(pod),
    })
    const terminationMessageFile = await makeTerminationFile(context, identity.uid, { name: container.name, restartCount: options.restartCount })
    const own = await mountsOf(container, { pod, places: options.places, environment })
    const mounts = [...own, ...(await managedMounts(context, pod, { ...options, own, terminationMessageFile }))]
    config = containerConfigOf({
      pod,
      container,
      restartCount: options.restartCount,
      environment,
      mounts,
      image: outcome.image,
      capacity: context.capacity,
      terminationMessageFile,
      targetId: targetIdOf(context, pod, container),
    })
  } catch (error) {
    return fail('CreateContainerConfigError', error)
  }

  let id: string
  try {
    await mkdir(join(options.sandbox.config.logDirectory, container.name), { recursive: true })
    id = await context.cri.createContainer(options.sandbox, config, { signal })
  } catch (error) {
    return fail('CreateContainerError', error)
  }
  context.events.normal(target, 'Created', `Created container: ${container.name}`)
  try {
    await context.cri.startContainer(id, { signal })
  } catch (error) {
    return fail('RunContainerError', error)
  }
  context.events.normal(target, 'Started', `Started container ${container.name}`)
  await linkLog(context, identity, { id, name: container.name, logPath: join(options.sandbox.config.logDirectory, config.logPath) })
  return (await postStart(context, pod, { ...options, id })) ?? { kind: 'started', id }
}

/** The files every container gets from the agent, unless the pod mounts something of its own there. */
async function managedMounts(
  context: NodeContext,
  pod: Pod,
  options: StartOptions & { readonly own: readonly Mount[]; readonly terminationMessageFile: string },
): Promise<readonly Mount[]> {
  const { container, own, podIPs } = options
  const mount = (containerPath: string, hostPath: string): Mount => ({ containerPath, hostPath, readonly: false, propagation: 'PROPAGATION_PRIVATE' })
  const taken = new Set(own.map(({ containerPath }) => containerPath))
  const mounts = [mount(container.terminationMessagePath ?? defaultTerminationMessagePath, options.terminationMessageFile)]
  if (!taken.has('/etc/hosts')) mounts.push(mount('/etc/hosts', await writeHostsFile(context, pod, isHostNetwork(pod) ? context.hostIPs : podIPs)))
  return mounts
}

async function postStart(context: NodeContext, pod: Pod, options: StartOptions & { readonly id: string }): Promise<StartOutcome | undefined> {
  const { container, id, podIPs, signal } = options
  const handler = container.lifecycle?.postStart
  if (handler === undefined) return undefined
  if (handler.sleep !== undefined) {
    await context.clock.sleep(handler.sleep.seconds * 1_000, { signal })
    return undefined
  }
  const target = { container, containerId: id, podIP: podIPs[0] ?? context.hostIPs[0] ?? '' }
  const outcome = await checkHandler(context, target, { handler, timeoutSeconds: postStartSeconds })
  if (outcome.kind === 'success') return undefined
  context.events.warning(containerTarget(pod, container.name), 'FailedPostStartHook', 'PostStartHook failed')
  context.events.normal(containerTarget(pod, container.name), 'Killing', 'FailedPostStartHook')
  await context.cri.stopContainer(id, pod.spec.terminationGracePeriodSeconds ?? 30, { signal })
  return { kind: 'waiting', reason: 'PostStartHookError', message: outcome.message, retryAtMs: context.clock.now().getTime() }
}

/** The running container that an ephemeral one names as its target. */
function targetIdOf(context: NodeContext, pod: Pod, container: Container): string | undefined {
  const name = pod.spec.ephemeralContainers?.find((ephemeral) => ephemeral === container)?.targetContainerName
  if (name === undefined || name === '') return undefined
  const target = newestContainer(context.cache.get(identityOf(pod).uid), name)
  if (target?.state !== 'running') throw new ContainerConfigError(`unable to find target container "${name}"`)
  return target.id
}

/** A hook that hangs would hold its pod's worker for ever. */
const postStartSeconds = 300

async function readPullSecrets(context: NodeContext, pod: Pod): Promise<Parameters<typeof credentialsFor>[1]> {
  const source = context.api.source(identityOf(pod).namespace)
  const names = (pod.spec.imagePullSecrets ?? []).map(({ name }) => name).filter((name) => name !== undefined && name !== '')
  const secrets = await Promise.all(names.map((name) => source.secret(name ?? '')))
  return secrets.filter((secret) => secret !== undefined)
}
