import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@gantry/runtime'
import { mountsBelow } from '../volumes/pod-volumes.ts'
import { bridgeNameOf, cgroupRootOf } from './containerd-config.ts'
import { hasCode } from './file-errors.ts'
import type { RunCommand } from './run-command.ts'

/**
 * Takes away what a node leaves on the machine outside its data folder, and the mounts below it: for a node that is given up. Its pods have been removed and its
 * containerd is stopped. What cannot be removed is named in the log.
 */
export async function cleanMachine(deps: { readonly run: RunCommand; readonly log: Logger }, dataDir: string): Promise<void> {
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      deps.log.warn('something of the node could not be removed', { what, error })
    }
  }
  for (const mountPoint of await mountsBelow(dataDir)) await attempt(mountPoint, () => deps.run('umount', ['--lazy', mountPoint]))
  const bridge = bridgeNameOf(dataDir)
  const interfaces = await readdir('/sys/class/net')
  if (interfaces.includes(bridge)) await attempt(`bridge ${bridge}`, () => deps.run('ip', ['link', 'delete', bridge]))
  await attempt('result cache of the network plugins', () => removeCniResults(bridge))
  await attempt('cgroups', () => removeCgroupTrees(cgroupRootOf(dataDir)))
  await attempt('firewall rules', () => removeCniChains(deps.run))
}

/** Where libcni keeps what the plugins answered; named after the network, which is named after the bridge. */
async function removeCniResults(bridge: string): Promise<void> {
  const folder = '/var/lib/cni/results'
  const names = await readdir(folder).catch(() => [])
  for (const name of names) if (name.startsWith(`${bridge}-`)) await rm(join(folder, name), { force: true })
}

/** Every hierarchy, in both versions of cgroups; only empty ones go. */
async function removeCgroupTrees(root: string): Promise<void> {
  const hierarchies = await readdir('/sys/fs/cgroup')
  for (const hierarchy of ['', ...hierarchies]) await removeCgroupTree(join('/sys/fs/cgroup', hierarchy, root))
}

async function removeCgroupTree(folder: string): Promise<void> {
  const children = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (children === undefined) return
  for (const child of children) if (child.isDirectory()) await removeCgroupTree(join(folder, child.name))
  await rmdir(folder).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error
  })
}

/** Chains that the portmap and firewall plugins make once for all pods of a machine, and leave. */
const sharedChains = {
  nat: ['CNI-HOSTPORT-DNAT', 'CNI-HOSTPORT-SETMARK', 'CNI-HOSTPORT-MASQ'],
  filter: ['CNI-FORWARD', 'CNI-ADMIN'],
} as const

/** Removes the plugins' shared chains, unless another network on this machine still has rules of its own. */
async function removeCniChains(run: RunCommand): Promise<void> {
  for (const [table, chains] of Object.entries(sharedChains)) {
    const rules = (await run('iptables', ['-w', '-t', table, '-S'])).split('\n')
    const present = chains.filter((chain) => rules.includes(`-N ${chain}`))
    const ofOthers = rules.some((rule) => rule.startsWith('-N CNI-') && !present.some((chain) => rule === `-N ${chain}`))
    const perPod = rules.some((rule) => /^-A CNI-FORWARD .*-[sd] /.test(rule))
    if (present.length === 0 || ofOthers || perPod) continue
    for (const rule of rules) {
      if (rule.startsWith('-A ') && present.some((chain) => rule.includes(`-j ${chain}`))) await run('iptables', ['-w', '-t', table, ...deletionOf(rule)])
    }
    for (const chain of present) await run('iptables', ['-w', '-t', table, '-F', chain])
    for (const chain of present) await run('iptables', ['-w', '-t', table, '-X', chain])
  }
}

/** `-A CHAIN -m comment --comment "a b" -j X` as the arguments that delete the same rule. */
function deletionOf(rule: string): readonly string[] {
  const words = [...rule.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => match[1]?.replaceAll(/\\(.)/g, '$1') ?? match[2] ?? '')
  return ['-D', ...words.slice(1)]
}
