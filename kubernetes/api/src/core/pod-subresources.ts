import {
  canonicalTime,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  formatFieldError,
  invalidError,
  StatusError,
} from '@gantry/apimachinery'
import type { Definitions, FieldError } from '@gantry/apimachinery'
import type { Subresource, SubresourceCall } from '@gantry/apiserver'
import { formatTime, integerOf, notFound, valueResponse } from '@gantry/apiserver'
import type { HttpResponse } from '@gantry/runtime'
import type { Duplex } from 'node:stream'
import type { Binding, Node, Pod } from '../generated/types.ts'
import { as } from '../kind.ts'
import { evict } from '../policy/eviction.ts'
import type { DisruptionBudgets } from '../policy/eviction.ts'
import type { AttachOptions, ContainerTarget, LogOptions, NodeBackend, PodTarget } from '../node-backend.ts'
import type { ProxyDeps } from './proxy/proxy.ts'

// The streaming protocols are loaded by the first exec or port-forward: a start does not pay for them.

type Nodes = Pick<ProxyDeps, 'backendOf' | 'find'>

export function podSubresources(types: Definitions, nodes: Nodes, budgets: DisruptionBudgets): Readonly<Record<string, Subresource>> {
  const core = (kind: string): Subresource['kind'] => ({ group: '', version: 'v1', kind })
  const bindingSchema = types.get('io.k8s.api.core.v1.Binding')
  const evictionSchema = types.get('io.k8s.api.policy.v1.Eviction')
  if (bindingSchema === undefined || evictionSchema === undefined) throw new Error('the type table has no Binding or no Eviction')
  return {
    attach: {
      kind: core('PodAttachOptions'),
      verbs: ['create', 'get'],
      alsoNeeds: 'create',
      handle: (call) => upgradeRequired(() => runningContainer(call, nodes)),
      upgrade: (call, socket, head) => answered(attach(call, { nodes, socket, head })),
    },
    binding: { kind: core('Binding'), verbs: ['create'], schema: bindingSchema, handle: bind },
    eviction: { kind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'], schema: evictionSchema, handle: (call) => evict(call, budgets) },
    exec: {
      kind: core('PodExecOptions'),
      verbs: ['create', 'get'],
      alsoNeeds: 'create',
      handle: (call) => upgradeRequired(() => runningContainer(call, nodes)),
      upgrade: (call, socket, head) => answered(exec(call, { nodes, socket, head })),
    },
    log: { kind: core('Pod'), verbs: ['get'], options: 'io.k8s.api.core.v1.PodLogOptions', handle: (call) => log(call, nodes) },
    portforward: {
      kind: core('PodPortForwardOptions'),
      verbs: ['create', 'get'],
      alsoNeeds: 'create',
      handle: (call) => upgradeRequired(() => forwardedPod(call, nodes)),
      upgrade: (call, socket, head) => answered(portForward(call, { nodes, socket, head })),
    },
  }
}

async function upgradeRequired(checkTarget: () => unknown): Promise<HttpResponse> {
  checkTarget()
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

async function log(call: SubresourceCall, nodes: Nodes): Promise<HttpResponse> {
  const options = logOptionsOf(call)
  const pod = as<Pod>(call.parent())
  const container = containerOf(call, pod)
  if ((pod.spec.nodeName ?? '') === '') return { status: 204, headers: { 'content-type': 'text/plain' } }
  const body = await backend(pod, nodes).logs({ ...targetOf(pod), container }, options)
  return { status: 200, headers: { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' }, body }
}

/** Upstream: ValidatePodLogOptions. */
function logOptionsOf({ query, name }: SubresourceCall): LogOptions {
  const flag = (parameter: string): boolean => isTrue(query.get(parameter))
  const [sinceSeconds, tailLines, limitBytes] = [integerOf(query, 'sinceSeconds'), integerOf(query, 'tailLines'), integerOf(query, 'limitBytes')]
  const sinceTime = timeOf(query.get('sinceTime') ?? '')
  const errors: FieldError[] = []
  if (tailLines !== undefined && tailLines < 0) errors.push(fieldInvalid('tailLines', tailLines, 'must be greater than or equal to 0'))
  if (limitBytes !== undefined && limitBytes < 1) errors.push(fieldInvalid('limitBytes', limitBytes, 'must be greater than 0'))
  // Upstream's path without a name prints so.
  if (sinceSeconds !== undefined && sinceTime !== undefined) errors.push(fieldForbidden('[]', 'at most one of `sinceTime` or `sinceSeconds` may be specified'))
  else if (sinceSeconds !== undefined && sinceSeconds < 1) errors.push(fieldInvalid('sinceSeconds', sinceSeconds, 'must be greater than 0'))
  if (query.has('stream')) errors.push(fieldForbidden('stream', 'may not be specified'))
  if (errors.length > 0) throw invalidError({ group: '', kind: 'PodLogOptions' }, name, errors)
  return { follow: flag('follow'), previous: flag('previous'), timestamps: flag('timestamps'), sinceSeconds, sinceTime, tailLines, limitBytes }
}

function timeOf(text: string): string | undefined {
  if (text === '') return undefined
  try {
    return canonicalTime(text) ?? undefined
  } catch (error) {
    throw new StatusError('BadRequest', error instanceof Error ? error.message : String(error), { cause: error })
  }
}

interface Upgrade {
  readonly nodes: Nodes
  readonly socket: Duplex
  readonly head: Buffer
}

async function exec(call: SubresourceCall, { nodes, socket, head }: Upgrade): Promise<void> {
  const { node, target } = runningContainer(call, nodes)
  const command = call.query.getAll('command')
  if (command.length === 0) throw new StatusError('BadRequest', 'you must specify at least 1 command for the container')
  const options = streamOptionsOf(call.query)
  const { acceptRemoteCommand } = await import('@gantry/streams')
  const streams = await acceptRemoteCommand(call.request, socket, head, options)
  await streams.finish(await settled(() => node.exec(target, { ...options, command }, streams)))
}

async function attach(call: SubresourceCall, { nodes, socket, head }: Upgrade): Promise<void> {
  const { node, target } = runningContainer(call, nodes)
  const options = streamOptionsOf(call.query)
  const { acceptRemoteCommand } = await import('@gantry/streams')
  const streams = await acceptRemoteCommand(call.request, socket, head, options)
  await streams.finish(await settled(() => node.attach(target, options, streams)))
}

async function portForward(call: SubresourceCall, { nodes, socket, head }: Upgrade): Promise<void> {
  const { node, target } = forwardedPod(call, nodes)
  const { acceptPortForward } = await import('@gantry/streams')
  await acceptPortForward(call.request, socket, head, (port, signal) => node.dial(target, port, signal))
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

/** Upstream looks for the container before it looks for the host. What has ended is for the node to say. */
function runningContainer(call: SubresourceCall, nodes: Nodes): { readonly node: NodeBackend; readonly target: ContainerTarget } {
  const pod = as<Pod>(call.parent())
  const container = containerOf(call, pod)
  return { node: backend(placed(pod), nodes), target: { ...targetOf(pod), container } }
}

function forwardedPod(call: SubresourceCall, nodes: Nodes): { readonly node: NodeBackend; readonly target: PodTarget } {
  for (const port of call.query.getAll('ports')) {
    if (!/^\d+$/.test(port))
      throw new StatusError('BadRequest', `cannot convert to []int32: strconv.ParseUint: parsing ${JSON.stringify(port)}: invalid syntax`)
  }
  const pod = as<Pod>(call.parent())
  return { node: backend(placed(pod), nodes), target: targetOf(pod) }
}

function placed(pod: Pod): Pod {
  if ((pod.spec.nodeName ?? '') === '') throw new StatusError('BadRequest', `pod ${pod.metadata.name} does not have a host assigned`)
  return pod
}

/** The asked container, or the only one. */
function containerOf(call: SubresourceCall, { spec }: Pod): string {
  const asked = call.query.get('container') ?? ''
  const containers = spec.containers ?? []
  const { initContainers = [], ephemeralContainers = [] } = spec
  const all = [...initContainers, ...containers, ...ephemeralContainers].map((container) => container.name)
  if (asked !== '') {
    if (all.includes(asked)) return asked
    throw new StatusError('BadRequest', `container ${asked} is not valid for pod ${call.name}`)
  }
  const [only] = containers
  if (containers.length === 1 && only !== undefined) return only.name
  throw new StatusError('BadRequest', `a container name must be specified for pod ${call.name}, choose one of: [${all.join(' ')}]`)
}

function backend({ spec: { nodeName = '' } }: Pod, { backendOf, find }: Nodes): NodeBackend {
  const agent = backendOf(nodeName)
  if (agent !== undefined) return agent
  const node = find('nodes', undefined, nodeName)
  // Upstream says what it looked for by the kind of the request.
  if (node === undefined) throw notFound({ group: '', plural: 'pods' }, nodeName)
  if ((as<Node>(node).status?.addresses ?? []).length === 0) throw new StatusError('', 'no preferred addresses found; known addresses: []', { code: 500 })
  throw new StatusError('InternalError', `Internal error occurred: no node agent is connected for node ${JSON.stringify(nodeName)}`)
}

function targetOf({ metadata }: Pod): PodTarget {
  return { namespace: metadata.namespace ?? '', pod: metadata.name ?? '', uid: metadata.uid ?? '' }
}
