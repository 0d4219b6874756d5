import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { explainNetworkError, transportError } from './transport-failure.ts'

const mostAddresses = 4

// What answers there gives credentials to whoever asks from this machine, or is no server at all.
const refused = new BlockList()
for (const [net, prefix, family] of [
  ['169.254.0.0', 16, 'ipv4'], // link-local: the metadata service of most clouds
  ['100.100.100.200', 32, 'ipv4'], // Alibaba Cloud
  ['168.63.129.16', 32, 'ipv4'], // Azure
  ['192.0.0.192', 32, 'ipv4'], // Oracle Cloud
  ['0.0.0.0', 8, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'], // multicast, reserved, broadcast
  ['::', 128, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
  ['fd00:ec2::254', 128, 'ipv6'], // AWS
  ['fd20:ce::254', 128, 'ipv6'], // Google Cloud
] as const)
  refused.addSubnet(net, prefix, family)

export type Lookup = (host: string) => Promise<readonly string[]>

/** By the name servers of this machine. */
export const systemLookup: Lookup = async (host) => (await lookup(host, { all: true })).map(({ address }) => address)

/**
 * Addresses of a server that somebody else has chosen, at most four: connect to these and not to the name, which may mean another address the next time. Throws a StatusError for a
 * name that does not resolve, or one that means an address of a metadata service of a cloud, or of no server at all.
 */
export async function safeAddresses(server: URL, lookupName: Lookup): Promise<readonly string[]> {
  const host = server.hostname.startsWith('[') ? server.hostname.slice(1, -1) : server.hostname
  const address = `${server.protocol}//${server.host}`
  let found: readonly string[]
  try {
    found = isIP(host) === 0 ? await lookupName(host) : [host]
  } catch (error) {
    throw explainNetworkError(error, address)
  }
  const bad = found.find(isRefused)
  if (bad !== undefined)
    throw transportError('BadRequest', `${address} is refused: it stands for ${bad}, an address where machines find their own credentials, or of no server`)
  if (found.length === 0) throw transportError('NameNotResolved', `cannot reach ${address}: the host name has no address; check the name servers`)
  return found.slice(0, mostAddresses)
}

function isRefused(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return true
  return refused.check(address, family === 4 ? 'ipv4' : 'ipv6')
}
