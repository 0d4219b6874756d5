import { lookup } from 'node:dns/promises'
import { posix } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { goQuote, StatusError } from '@gantry/apimachinery'
import type { ApiObject, Subresource, SubresourceCall } from '@gantry/apiserver'
import { notFound } from '@gantry/apiserver'
import { createDialer, explainNetworkError, transportFailureOf } from '@gantry/client'
import type { Clock, Ids } from '@gantry/runtime'
import type { Endpoints, Node, Pod, Service } from '../../generated/types.ts'
import { as } from '../../kind.ts'
import type { NodeBackend } from '../../node-backend.ts'
import { networkText } from '../../webhook-client.ts'
import { isGlobalUnicast } from '../ip-validation.ts'
import type { ProxiedCall } from './http-proxy.ts'

// HTTP through the API server to pods, services and nodes (S10). A connection to a pod goes through the agent of its node, where that has one: this server need not be in the pods'
// network. What passes the requests on is loaded by the first of them.

export interface ProxyDeps {
  readonly clock: Clock
  readonly ids: Pick<Ids, 'random'>
  readonly backendOf: (nodeName: string) => NodeBackend | undefined
  readonly find: (plural: 'pods' | 'services' | 'endpoints' | 'nodes', namespace: string | undefined, name: string) => ApiObject | undefined
}

/** Where a request goes. */
interface ProxyTarget {
  readonly isTls: boolean
  readonly host: string
  readonly port: string
  /** A way to it of its own; absent: over the network of this machine. */
  readonly through?: ((port: number, signal: AbortSignal) => Promise<Duplex>) | undefined
}

const verbs = ['create', 'delete', 'get', 'patch', 'update'] as const
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const
const connectTimeoutMs = 30_000
/** Where kubelets listen unless their Node says so. */
const kubeletPort = 10_250
/** Addresses of a node in the order in which they are tried. */
const nodeAddressTypes = ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP']

export function podProxy(deps: ProxyDeps): Subresource {
  return proxySubresource('PodProxyOptions', deps, (call) => podTarget(call, deps))
}

export function serviceProxy(deps: ProxyDeps): Subresource {
  return proxySubresource('ServiceProxyOptions', deps, (call) => serviceTarget(call, deps))
}

export function nodeProxy(deps: ProxyDeps): Subresource {
  return proxySubresource('NodeProxyOptions', deps, (call) => nodeTarget(call, deps))
}

function proxySubresource(kind: string, deps: ProxyDeps, targetOf: (call: SubresourceCall) => ProxyTarget | Promise<ProxyTarget>): Subresource {
  const proxied = async (call: SubresourceCall): Promise<ProxiedCall> => {
    const target = await targetOf(call)
    const { request, subpath } = call
    const prefix = request.path.split('/', call.namespace === undefined ? 6 : 8).join('/')
    const path = joined(subpath, request.path.endsWith('/'))
    return { request, prefix, path, target: hostPort(target), dial: (signal) => dial(target, deps.clock, signal) }
  }
  return {
    kind: { group: '', version: 'v1', kind },
    verbs,
    methods,
    handle: async (call) => {
      const target = await proxied(call)
      const { forward } = await import('./http-proxy.ts')
      return forward(target)
    },
    upgrade: async (call, socket, head) => {
      const target = await proxied(call)
      const { forwardUpgrade } = await import('./http-proxy.ts')
      return forwardUpgrade(target, socket, head)
    },
  }
}

/** The path behind the proxy as it is asked of the target, without detours. Empty when there is none, not even a slash. */
function joined(subpath: string, endsWithSlash: boolean): string {
  if (subpath === '') return endsWithSlash ? '/' : ''
  const path = posix.normalize(`/${subpath}`)
  return endsWithSlash && !path.endsWith('/') ? `${path}/` : path
}

function hostPort({ host, port }: ProxyTarget): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function dial(target: ProxyTarget, clock: Clock, signal: AbortSignal): Promise<Duplex> {
  const number = Number(target.port)
  if (!/^\d+$/.test(target.port) || number > 65_535) throw new Error(`dial tcp: address ${target.port}: invalid port`)
  const url = new URL(`${target.isTls ? 'https' : 'http'}://${hostPort(target)}`)
  try {
    // Pods are known by their addresses: nothing that a certificate could be held against.
    if (target.through === undefined) return await createDialer({ clock }, { server: url, insecureSkipTlsVerify: true, connectTimeoutMs })(signal)
    const connection = await target.through(number, signal)
    return target.isTls ? await secured(connection) : connection
  } catch (error) {
    const explained = explainNetworkError(error, url.origin)
    const text = transportFailureOf(explained) === 'NotTls' ? 'tls: first record does not look like a TLS handshake' : networkText(explained, url)
    throw new Error(text, { cause: error })
  }
}

function secured(connection: Duplex): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const socket = connectTls({ socket: connection, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
  socket.once('secureConnect', () => {
    socket.off('error', reject)
    resolve(socket)
  })
  socket.once('error', (error) => {
    connection.destroy()
    reject(error)
  })
  return promise
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
    throw new StatusError('BadRequest', `invalid ${what} request ${goQuote(text)}`)
  return { scheme, name, port }
}

function podTarget({ name: text, namespace }: SubresourceCall, deps: ProxyDeps): ProxyTarget {
  const { scheme, name, port } = partsOf(text, 'pod')
  const found = deps.find('pods', namespace, name)
  if (found === undefined) throw notFound({ group: '', plural: 'pods' }, name)
  const pod = as<Pod>(found)
  const address = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? ''
  if (!isGlobalUnicast(address)) throw new StatusError('BadRequest', 'address not allowed')
  const first = (pod.spec.containers ?? []).flatMap(({ ports = [] }) => ports)[0]?.containerPort
  return {
    isTls: scheme === 'https',
    host: address,
    port: port === '' ? String(first ?? (scheme === 'https' ? 443 : 80)) : port,
    through: throughAgent(pod, deps),
  }
}

/** The agent of a pod's node leads into its network. */
function throughAgent(pod: Pod, { backendOf }: ProxyDeps): ProxyTarget['through'] {
  const backend = backendOf(pod.spec.nodeName ?? '')
  if (backend === undefined) return undefined
  const { namespace = '', name = '', uid = '' } = pod.metadata
  return (port, signal) => backend.dial({ namespace, pod: name, uid }, port, signal)
}

function serviceTarget({ name: text, namespace }: SubresourceCall, deps: ProxyDeps): ProxyTarget {
  const { scheme, name, port } = partsOf(text, 'service')
  let portName = port
  if (/^[+-]?\d+$/.test(port)) {
    const service = deps.find('services', namespace, name)
    if (service === undefined) throw notFound({ group: '', plural: 'services' }, name)
    const found = as<Service>(service).spec?.ports?.find((candidate) => candidate.port === Number(port))
    if (found === undefined) throw new StatusError('ServiceUnavailable', `no service port ${Number(port)} found for service ${goQuote(name)}`)
    portName = found.name ?? ''
  }
  const endpoints = deps.find('endpoints', namespace, name)
  // Upstream names the service that has none.
  if (endpoints === undefined) throw notFound({ group: '', plural: 'services' }, name)
  const { subsets = [] } = as<Endpoints>(endpoints)
  if (subsets.length === 0) throw new StatusError('ServiceUnavailable', `no endpoints available for service ${goQuote(name)}`)
  for (const { addresses = [], ports = [] } of fromAnywhere(subsets, deps)) {
    const number = ports.find((candidate) => (candidate.name ?? '') === portName)?.port
    if (number === undefined) continue
    for (const { ip, targetRef } of fromAnywhere(addresses, deps)) {
      // Only pods of the service's own namespace: anything else would lead wherever an Endpoints object says.
      const found = targetRef?.namespace === namespace ? deps.find('pods', namespace, targetRef?.name ?? '') : undefined
      const pod = found && as<Pod>(found)
      if (pod?.status?.podIPs?.some((address) => address.ip === ip) === true)
        return { isTls: scheme === 'https', host: ip ?? '', port: String(number), through: throughAgent(pod, deps) }
    }
  }
  throw new StatusError('ServiceUnavailable', `no endpoints available for service ${goQuote(text)}`)
}

/** The list from a random place on, and around: so no endpoint gets all requests. */
function fromAnywhere<T>(list: readonly T[], { ids }: ProxyDeps): readonly T[] {
  const start = Math.floor(ids.random() * list.length)
  return [...list.slice(start), ...list.slice(0, start)]
}

async function nodeTarget({ name: text }: SubresourceCall, deps: ProxyDeps): Promise<ProxyTarget> {
  const { scheme, name, port } = partsOf(text, 'node')
  const found = deps.find('nodes', undefined, name)
  if (found === undefined) throw notFound({ group: '', plural: 'nodes' }, name)
  const { addresses = [], daemonEndpoints } = as<Node>(found).status ?? {}
  const host = nodeAddressTypes.map((type) => addresses.find((one) => one.type === type)?.address ?? '').find((address) => address !== '')
  if (host === undefined) {
    const known = addresses.map(({ type, address }) => `{${type} ${address}}`).join(' ')
    throw new StatusError('', `no preferred addresses found; known addresses: [${known}]`, { code: 500 })
  }
  await checkHost(host)
  const kubelet = String(daemonEndpoints?.kubeletEndpoint?.Port || kubeletPort)
  if (port !== '' && port !== kubelet) return { isTls: scheme === 'https', host, port }
  // Our own agents are asked in process.
  if (deps.backendOf(name) !== undefined) throw new StatusError('ServiceUnavailable', `node ${goQuote(name)} serves no HTTP of its own`)
  return { isTls: true, host, port: kubelet }
}

/** Nothing of this machine itself, nor of its link, where clouds tell secrets. */
async function checkHost(host: string): Promise<void> {
  let found: readonly { readonly address: string }[]
  try {
    found = await lookup(host, { all: true })
  } catch (error) {
    throw new StatusError('BadRequest', `lookup ${host}: no such host`, { cause: error })
  }
  if (!found.every(({ address }) => isGlobalUnicast(address))) throw new StatusError('BadRequest', 'address not allowed')
}
