import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { StatusError } from '@gantry/apimachinery'
import type { ApiObject, Subresource, SubresourceCall } from '@gantry/apiserver'
import { limits, notFound } from '@gantry/apiserver'
import type { HttpHeaders, HttpResponse } from '@gantry/runtime'
import type { Endpoints, Node, Pod, Service } from '../generated/types.ts'
import { as } from '../kind.ts'
import type { NodeBackend } from '../node-backend.ts'

// HTTP through the API server to pods, services and nodes (S10). A connection to a pod goes through the agent of its node: this server need not be in the pods' network.

export interface ProxyDeps {
  readonly backendOf: (nodeName: string) => NodeBackend | undefined
  readonly find: (plural: 'pods' | 'services' | 'endpoints' | 'nodes', namespace: string | undefined, name: string) => ApiObject | undefined
}

interface ProxyTarget {
  readonly pod: Pod
  readonly port: number
}

const verbs = ['create', 'delete', 'get', 'patch', 'update'] as const

export function podProxy(deps: ProxyDeps): Subresource {
  return proxySubresource('PodProxyOptions', deps, (call) => podTarget(call, deps))
}

export function serviceProxy(deps: ProxyDeps): Subresource {
  return proxySubresource('ServiceProxyOptions', deps, (call) => serviceTarget(call, deps))
}

/** Our nodes offer no HTTP of their own: agents are asked in process. What can be known is who was asked. */
export function nodeProxy(deps: ProxyDeps): Subresource {
  return {
    kind: { group: '', version: 'v1', kind: 'NodeProxyOptions' },
    verbs,
    async handle(call) {
      const { name } = partsOf(call.name, 'node')
      const found = deps.find('nodes', undefined, name)
      if (found === undefined) throw notFound({ group: '', plural: 'nodes' }, name)
      const addresses = as<Node>(found).status?.addresses ?? []
      if (addresses.length === 0) throw new StatusError('', 'no preferred addresses found; known addresses: []', { code: 500 })
      throw new StatusError('ServiceUnavailable', `node ${JSON.stringify(name)} serves no HTTP of its own`)
    },
  }
}

function proxySubresource(kind: string, deps: ProxyDeps, targetOf: (call: SubresourceCall) => ProxyTarget): Subresource {
  return {
    kind: { group: '', version: 'v1', kind },
    verbs,
    handle: (call) => forward(call, () => connect(call, deps, targetOf(call))),
  }
}

interface NameParts {
  readonly scheme: string
  readonly name: string
  readonly port: string
}

/** `name`, `name:port` or `scheme:name:port`. */
function partsOf(text: string, what: 'node' | 'pod' | 'service'): NameParts {
  const parts = text.split(':')
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts]
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme))
    throw new StatusError('BadRequest', `invalid ${what} request ${JSON.stringify(text)}`)
  return { scheme, name, port }
}

function podTarget({ name: text, namespace }: SubresourceCall, deps: ProxyDeps): ProxyTarget {
  const { name, port } = partsOf(text, 'pod')
  const found = deps.find('pods', namespace, name)
  if (found === undefined) throw notFound({ group: '', plural: 'pods' }, name)
  const pod = as<Pod>(found)
  if ((pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '') === '') throw new StatusError('BadRequest', 'address not allowed')
  const first = (pod.spec.containers ?? []).flatMap(({ ports = [] }) => ports)[0]?.containerPort
  return { pod, port: port === '' ? (first ?? 80) : Number(port) }
}

function serviceTarget({ name: text, namespace }: SubresourceCall, deps: ProxyDeps): ProxyTarget {
  const { name, port } = partsOf(text, 'service')
  let portName = port
  if (/^\d+$/.test(port)) {
    const service = deps.find('services', namespace, name)
    if (service === undefined) throw notFound({ group: '', plural: 'services' }, name)
    const found = as<Service>(service).spec?.ports?.find((candidate) => candidate.port === Number(port))
    if (found === undefined) throw new StatusError('ServiceUnavailable', `no service port ${port} found for service ${JSON.stringify(name)}`)
    portName = found.name ?? ''
  }
  const endpoints = deps.find('endpoints', namespace, name)
  // Upstream names the service that has none.
  if (endpoints === undefined) throw notFound({ group: '', plural: 'services' }, name)
  const { subsets = [] } = as<Endpoints>(endpoints)
  if (subsets.length === 0) throw new StatusError('ServiceUnavailable', `no endpoints available for service ${JSON.stringify(name)}`)
  for (const { addresses = [], ports = [] } of subsets) {
    const number = ports.find((candidate) => (candidate.name ?? '') === portName)?.port
    if (number === undefined) continue
    for (const { ip, targetRef } of addresses) {
      // Only pods of the service's own namespace: anything else would lead wherever an Endpoints object says.
      const pod = targetRef?.namespace === namespace ? deps.find('pods', namespace, targetRef?.name ?? '') : undefined
      if (pod !== undefined && (as<Pod>(pod).status?.podIPs ?? []).some((address) => address.ip === ip)) return { pod: as<Pod>(pod), port: number }
    }
  }
  throw new StatusError('ServiceUnavailable', `no endpoints available for service ${JSON.stringify(text)}`)
}

async function connect(call: SubresourceCall, { backendOf }: ProxyDeps, { pod, port }: ProxyTarget): Promise<Duplex> {
  const backend = backendOf(pod.spec.nodeName ?? '')
  if (backend === undefined) throw new StatusError('ServiceUnavailable', `no node agent is connected for node ${JSON.stringify(pod.spec.nodeName ?? '')}`)
  const { namespace = '', name = '', uid = '' } = pod.metadata
  return backend.dial({ namespace, pod: name, uid }, port, call.request.signal)
}

/** What belongs to one connection, and what is meant for this server alone: a pod gets no credential of its caller, and sets none. */
const notForwarded: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'authorization',
  'cookie',
  'set-cookie',
  'content-length',
  'host',
])

async function forward(call: SubresourceCall, dial: () => Promise<Duplex>): Promise<HttpResponse> {
  const { request } = call
  const body = (await request.body?.bytes(limits.bodyBytes)) ?? Buffer.alloc(0)
  const socket = await dial()
  const prefix = request.path.slice(0, request.path.indexOf(`/${call.name}/proxy`) + `/${call.name}/proxy`.length)
  const path = request.path.slice(prefix.length) || '/'
  const answered = Promise.withResolvers<IncomingMessage>()
  const outgoing = httpRequest({
    createConnection: () => socket,
    method: request.method,
    path: request.query === '' ? path : `${path}?${request.query}`,
    headers: {
      ...Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !notForwarded.has(name) && !name.startsWith('impersonate-') && !name.startsWith('x-remote-')),
      ),
      host: call.name,
      'x-forwarded-uri': request.path,
      ...(body.length === 0 ? {} : { 'content-length': body.length }),
    },
    signal: request.signal,
  })
  outgoing.once('response', answered.resolve)
  outgoing.once('error', answered.reject)
  outgoing.end(body)
  let incoming: IncomingMessage
  try {
    incoming = await answered.promise
  } catch (error) {
    socket.destroy()
    throw new StatusError('ServiceUnavailable', `error trying to reach service: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  return {
    status: incoming.statusCode ?? 502,
    headers: headersOf(incoming, prefix),
    async body(sink) {
      const stop = (): void => void incoming.destroy()
      sink.signal.addEventListener('abort', stop, { once: true })
      try {
        for await (const chunk of incoming as AsyncIterable<Buffer>) if (!sink.write(chunk)) await sink.drained()
      } finally {
        sink.signal.removeEventListener('abort', stop)
        socket.destroy()
      }
    },
  }
}

/** A redirect to a path of the target is one to that path below the proxy. */
function headersOf(incoming: IncomingMessage, prefix: string): HttpHeaders {
  // Pages of a pod are shown at this server's address and must not act as it.
  const headers: Record<string, string | string[]> = { 'content-security-policy': 'sandbox allow-forms allow-scripts' }
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined && !notForwarded.has(name) && name !== 'content-security-policy') headers[name] = value
  const location = incoming.headers.location
  if (location?.startsWith('/') === true && !location.startsWith('//')) headers['location'] = `${prefix}${location}`
  return headers
}
