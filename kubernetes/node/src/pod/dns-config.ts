import { identityOf, isHostNetwork } from './pod.ts'
import type { Pod } from './pod.ts'

export interface DnsConfig {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export interface ClusterDns {
  readonly servers: readonly string[]
  readonly domain: string
}

const maxServers = 3
const maxSearches = 32

/** What stands in a pod's resolv.conf; upstream: pkg/kubelet/network/dns. */
export function dnsConfigOf(pod: Pod, host: DnsConfig, cluster: ClusterDns | undefined): DnsConfig {
  const base = baseConfigOf(pod, host, cluster)
  const own = pod.spec.dnsConfig
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? '', option]))
  for (const { name = '', value } of own?.options ?? []) options.set(name, value === undefined || value === '' ? name : `${name}:${value}`)
  return {
    servers: unique([...base.servers, ...(own?.nameservers ?? [])]).slice(0, maxServers),
    searches: unique([...base.searches, ...(own?.searches ?? [])]).slice(0, maxSearches),
    options: [...options.values()],
  }
}

/** Reads a resolv.conf. */
export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = []
  let searches: string[] = []
  let options: string[] = []
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(rest[0])
    if (word === 'search') searches = rest
    if (word === 'options') options = rest
  }
  return { servers, searches, options }
}

function baseConfigOf(pod: Pod, host: DnsConfig, cluster: ClusterDns | undefined): DnsConfig {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst'
  if (policy === 'None') return { servers: [], searches: [], options: [] }
  const useHost = policy === 'Default' || (policy === 'ClusterFirst' && isHostNetwork(pod))
  if (useHost || cluster === undefined || cluster.servers.length === 0) return host
  const { namespace } = identityOf(pod)
  const { domain } = cluster
  return { servers: cluster.servers, searches: unique([`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches]), options: ['ndots:5'] }
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}
