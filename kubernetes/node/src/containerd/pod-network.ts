import { readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from '@gantry/runtime'
import { bridgeNameOf, isBridgeName, subnetOfCniConfig } from './containerd-config.ts'
import { choosePodRange, firstAddressOf, interfacesIn } from './pod-range.ts'
import type { MachineAddress } from './pod-range.ts'
import type { RunCommand } from './run-command.ts'

export interface PodNetworkOptions {
  readonly wanted: string
  readonly bridge: string
  /** The configuration of the network plugins that an earlier start has written, if any. */
  readonly cniFile: string
}

/**
 * Decides the range of a node's pods and holds it by its bridge, so that another node of this machine sees that it is taken. Bridges of nodes that are gone are removed: a
 * route through a dead bridge would swallow the traffic of this node's pods.
 */
export async function openPodNetwork(deps: { readonly run: RunCommand; readonly log: Logger }, options: PodNetworkOptions): Promise<string> {
  const { wanted, bridge, cniFile } = options
  const before = subnetOfCniConfig(await readFile(cniFile, 'utf8').catch(() => ''))
  const plugged = await portsOf(bridge)
  // Pods of before are running in it.
  if (before !== undefined && plugged !== undefined && plugged.length > 0) return before

  const alive = await bridgesOfLiveNodes()
  for (const name of interfacesIn(wanted, await machineAddresses(deps.run))) {
    const isGone = isBridgeName(name) && name !== bridge && !alive.has(name) && (await portsOf(name))?.length === 0
    if (!isGone) continue
    deps.log.info('removing the bridge of a node that is gone', { bridge: name })
    await deps.run('ip', ['link', 'delete', name])
  }
  const chosen = choosePodRange({ before, wanted, ownBridge: bridge, addresses: await machineAddresses(deps.run) })
  if (chosen !== (before ?? wanted))
    deps.log.warn('the range for pods is in use on this machine, another one is taken', { wanted: before ?? wanted, taken: chosen })
  if (plugged !== undefined) await deps.run('ip', ['link', 'delete', bridge])
  await deps.run('ip', ['link', 'add', 'name', bridge, 'type', 'bridge'])
  // The plugin takes a bridge that has the address it would give it.
  await deps.run('ip', ['address', 'add', firstAddressOf(chosen), 'dev', bridge])
  await deps.run('ip', ['link', 'set', bridge, 'up'])
  return chosen
}

/** All IPv4 addresses of the machine. Node tells only of interfaces with a carrier, and a bridge without pods has none. */
async function machineAddresses(run: RunCommand): Promise<readonly MachineAddress[]> {
  const links = JSON.parse(await run('ip', ['-json', '-4', 'address', 'show'])) as readonly {
    readonly ifname?: string
    readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[]
  }[]
  return links.flatMap(({ ifname = '', addr_info: addresses = [] }) =>
    addresses.flatMap(({ local, prefixlen }) => (local === undefined || prefixlen === undefined ? [] : [{ name: ifname, address: local, bits: prefixlen }])),
  )
}

/** The interfaces plugged into a bridge; undefined when there is no such bridge. */
async function portsOf(bridge: string): Promise<readonly string[] | undefined> {
  return readdir(join('/sys/class/net', bridge, 'brif')).catch(() => undefined)
}

/** Bridges whose node has its containerd running now. */
async function bridgesOfLiveNodes(): Promise<ReadonlySet<string>> {
  const bridges = new Set<string>()
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const words = (await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')).split('\0')
    const config = words[words.indexOf('--config') + 1]
    if (config?.endsWith('/containerd/config.toml')) bridges.add(bridgeNameOf(dirname(dirname(config))))
  }
  return bridges
}
