import { fieldNotSupported, fieldRequired, formatFieldError, StatusError } from '@gantry/apimachinery'
import type { Definitions, FieldError } from '@gantry/apimachinery'
import type { Subresource, SubresourceCall } from '@gantry/apiserver'
import { formatTime, valueResponse } from '@gantry/apiserver'
import type { HttpResponse } from '@gantry/runtime'
import type { Duplex } from 'node:stream'
import type { Binding, Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import { evict } from '../policy/eviction.ts'
import type { DisruptionBudgets } from '../policy/eviction.ts'
import type { AttachOptions, ContainerTarget, LogOptions, NodeBackend, PodTarget } from '../node-backend.ts'

// The streaming protocols are loaded by the first exec or port-forward: a start does not pay for them.

type BackendOf = (nodeName: string) => NodeBackend | undefined

export function podSubresources(types: Definitions, backendOf: BackendOf, budgets: DisruptionBudgets): Readonly<Record<string, Subresource>> {
  const core = (kind: string): Subresource['kind'] => ({ group: '', version: 'v1', kind })
  const bindingSchema = types.get('io.k8s.api.core.v1.Binding')
  const evictionSchema = types.get('io.k8s.api.policy.v1.Eviction')
  if (bindingSchema === undefined || evictionSchema === undefined) throw new Error('the type table has no Binding or no Eviction')
  return {
    attach: {
      kind: core('PodAttachOptions'),
      verbs: ['create', 'get'],
      handle: (call) => upgradeRequired(call, runningContainer),
      upgrade: (call, socket, head) => answered(attach(call, { backendOf, socket, head })),
    },
    binding: { kind: core('Binding'), verbs: ['create'], schema: bindingSchema, handle: bind },
    eviction: { kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'], schema: evictionSchema, handle: (call) => evict(call, budgets) },
    exec: {
      kind: core('PodExecOptions'),
      verbs: ['create', 'get'],
      handle: (call) => upgradeRequired(call, runningContainer),
      upgrade: (call, socket, head) => answered(exec(call, { backendOf, socket, head })),
    },
    log: { kind: core('Pod'), verbs: ['get'], handle: (call) => log(call, backendOf) },
    portforward: {
      kind: core('PodPortForwardOptions'),
      verbs: ['create', 'get'],
      handle: (call) => upgradeRequired(call, forwardedPod),
      upgrade: (call, socket, head) => answered(portForward(call, { backendOf, socket, head })),
    },
  }
}

async function upgradeRequired(call: SubresourceCall, checkTarget: (call: SubresourceCall) => unknown): Promise<HttpResponse> {
  checkTarget(call)
  throw new StatusError('BadRequest', 'Upgrade request required')
}

/** POST …/binding: the scheduler's decision (S3). */
async function bind(call: SubresourceCall): Promise<HttpResponse> {
  const binding = as<Binding>(await call.body())
  const target = binding.target
  if ((binding.metadata?.name ?? '') !== call.name) throw new StatusError('BadRequest', 'name in URL does not match name in Binding object')
  const errors: FieldError[] = []
  if ((target.kind ?? '') !== '' && target.kind !== 'Node') errors.push(fieldNotSupported('target.kind', target.kind, ['Node', '<empty>']))
  if ((target.name ?? '') === '') errors.push(fieldRequired('target.name', ''))
  // Upstream does not make an Invalid of these.
  const texts = errors.map(formatFieldError).join(', ')
  if (errors.length > 0) throw new StatusError('', errors.length === 1 ? texts : `[${texts}]`, { code: 500 })
  await call.change((parent) => {
    const pod = as<Pod>(parent)
    const conflict = (text: string): StatusError =>
      new StatusError('Conflict', `Operation cannot be fulfilled on pods/binding ${JSON.stringify(call.name)}: ${text}`, {
        details: { name: call.name, kind: 'pods/binding' },
      })
    if (pod.metadata.deletionTimestamp !== undefined) throw conflict(`pod ${call.name} is being deleted, cannot be assigned to a host`)
    if ((pod.spec.nodeName ?? '') !== '') throw conflict(`pod ${call.name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`)
    if ((pod.spec.schedulingGates ?? []).length > 0) throw conflict(`pod ${call.name} has non-empty .spec.schedulingGates`)
    if (binding.metadata?.uid !== undefined && binding.metadata.uid !== '' && binding.metadata.uid !== pod.metadata.uid)
      throw conflict(`the UID in the binding (${binding.metadata.uid}) is not the pod's`)
    pod.spec.nodeName = target.name ?? ''
    const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: formatTime(call.context.now) }
    const others = (pod.status?.conditions ?? []).filter((condition) => condition.type !== 'PodScheduled')
    pod.status = { ...pod.status, conditions: [...others, scheduled] }
    if (binding.metadata?.annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations }
  })
  return success()
}

function success(): HttpResponse {
  return valueResponse(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, { media: 'json', pretty: false })
}

async function log(call: SubresourceCall, backendOf: BackendOf): Promise<HttpResponse> {
  const pod = as<Pod>(call.parent())
  const container = containerOf(call, pod)
  if ((pod.spec.nodeName ?? '') === '') return { status: 204, headers: { 'content-type': 'text/plain' } }
  const body = await backend(pod, backendOf).logs({ ...targetOf(pod), container }, logOptionsOf(call.query))
  return { status: 200, headers: { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' }, body }
}

function logOptionsOf(query: URLSearchParams): LogOptions {
  const flag = (name: string): boolean => isTrue(query.get(name))
  const count = (name: string, minimum: number): number | undefined => {
    const text = query.get(name)
    if (text === null || text === '') return undefined
    const value = Number(text)
    if (!Number.isInteger(value)) throw new StatusError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
    if (value < minimum) {
      const message = `Invalid value: ${value}: must be greater than or equal to ${minimum}`
      throw new StatusError('Invalid', `PodLogOptions "" is invalid: ${name}: ${message}`, {
        details: { kind: 'PodLogOptions', causes: [{ reason: 'FieldValueInvalid', message, field: name }] },
      })
    }
    return value
  }
  const sinceTime = query.get('sinceTime') ?? undefined
  const sinceSeconds = count('sinceSeconds', 1)
  if (sinceTime !== undefined && sinceSeconds !== undefined)
    throw new StatusError('BadRequest', 'at most one of `sinceTime` or `sinceSeconds` may be specified')
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime)))
    throw new StatusError('BadRequest', `sinceTime ${JSON.stringify(sinceTime)} is not an RFC 3339 time`)
  return {
    follow: flag('follow'),
    previous: flag('previous'),
    timestamps: flag('timestamps'),
    sinceSeconds,
    sinceTime,
    tailLines: count('tailLines', 0),
    limitBytes: count('limitBytes', 1),
  }
}

interface Upgrade {
  readonly backendOf: BackendOf
  readonly socket: Duplex
  readonly head: Buffer
}

async function exec(call: SubresourceCall, { backendOf, socket, head }: Upgrade): Promise<void> {
  const { pod, container } = runningContainer(call)
  const target: ContainerTarget = { ...targetOf(pod), container }
  const command = call.query.getAll('command')
  if (command.length === 0) throw new StatusError('BadRequest', 'you must specify at least 1 command for the container')
  const options = streamOptionsOf(call.query)
  const node = backend(pod, backendOf)
  const { acceptRemoteCommand } = await import('@gantry/streams')
  const streams = await acceptRemoteCommand(call.request, socket, head, options)
  await streams.finish(await settled(() => node.exec(target, { ...options, command }, streams)))
}

async function attach(call: SubresourceCall, { backendOf, socket, head }: Upgrade): Promise<void> {
  const { pod, container } = runningContainer(call)
  const target: ContainerTarget = { ...targetOf(pod), container }
  const options = streamOptionsOf(call.query)
  const node = backend(pod, backendOf)
  const { acceptRemoteCommand } = await import('@gantry/streams')
  const streams = await acceptRemoteCommand(call.request, socket, head, options)
  await streams.finish(await settled(() => node.attach(target, options, streams)))
}

async function portForward(call: SubresourceCall, { backendOf, socket, head }: Upgrade): Promise<void> {
  const pod = forwardedPod(call)
  const node = backend(pod, backendOf)
  const { acceptPortForward } = await import('@gantry/streams')
  await acceptPortForward(call.request, socket, head, (port, signal) => node.dial(targetOf(pod), port, signal))
}

/** What the client asked for in a way that nobody speaks has been answered already, and one that left before it was served needs no answer: neither is a fault of ours. */
async function answered(conversation: Promise<void>): Promise<number | undefined> {
  try {
    await conversation
    return undefined
  } catch (error) {
    const { ClientGone, UpgradeRefused } = await import('@gantry/streams')
    if (error instanceof ClientGone) return undefined
    if (error instanceof UpgradeRefused) return error.status
    throw error
  }
}

/** After the 101 an error can only be told on the error channel (S7). */
async function settled(run: () => ReturnType<NodeBackend['exec']>): ReturnType<NodeBackend['exec']> {
  try {
    return await run()
  } catch (error) {
    return { status: 'Failure', reason: 'InternalError', message: `Internal error occurred: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function streamOptionsOf(query: URLSearchParams): AttachOptions {
  const flag = (name: string): boolean => isTrue(query.get(name))
  const options = { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr'), tty: flag('tty') }
  if (!options.stdin && !options.stdout && !options.stderr) throw new StatusError('BadRequest', 'you must specify at least one of stdin, stdout, stderr')
  if (options.tty && options.stderr) return { ...options, stderr: false }
  return options
}

function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0'
}

/** Upstream looks for the container before it looks for the host. */
function runningContainer(call: SubresourceCall): { readonly pod: Pod; readonly container: string } {
  const pod = as<Pod>(call.parent())
  return { container: containerOf(call, pod), pod: running(call, pod) }
}

function forwardedPod(call: SubresourceCall): Pod {
  for (const port of call.query.getAll('ports')) {
    if (!/^\d+$/.test(port))
      throw new StatusError('BadRequest', `cannot convert to []int32: strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`)
  }
  return running(call, as<Pod>(call.parent()))
}

function running(call: SubresourceCall, pod: Pod): Pod {
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
    throw new StatusError('BadRequest', `cannot exec into a container in a completed pod; current phase is ${pod.status.phase}`)
  }
  if ((pod.spec.nodeName ?? '') === '') throw new StatusError('BadRequest', `pod ${call.name} does not have a host assigned`)
  return pod
}

/** The asked container, or the only one, or the one that the default-container annotation names. */
function containerOf(call: SubresourceCall, pod: Pod): string {
  const asked = call.query.get('container') ?? ''
  const names = (pod.spec.containers ?? []).map((container) => container.name)
  const init = (pod.spec.initContainers ?? []).map((container) => container.name)
  const all = [...names, ...init, ...(pod.spec.ephemeralContainers ?? []).map((container) => container.name)]
  if (asked !== '') {
    if (all.includes(asked)) return asked
    throw new StatusError('BadRequest', `container ${asked} is not valid for pod ${call.name}`)
  }
  const [only] = names
  if (names.length === 1 && only !== undefined) return only
  const suffix = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : ''
  throw new StatusError('BadRequest', `a container name must be specified for pod ${call.name}, choose one of: [${names.join(' ')}]${suffix}`)
}

function backend(pod: Pod, backendOf: BackendOf): NodeBackend {
  const node = backendOf(pod.spec.nodeName ?? '')
  if (node === undefined)
    throw new StatusError('InternalError', `Internal error occurred: no node agent is connected for node ${JSON.stringify(pod.spec.nodeName)}`)
  return node
}

function targetOf({ metadata }: Pod): PodTarget {
  return { namespace: metadata.namespace ?? '', pod: metadata.name ?? '', uid: metadata.uid ?? '' }
}
