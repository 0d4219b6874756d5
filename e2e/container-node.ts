import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startLocalCluster } from '@gantry/kube-cluster'
import { createNodeAgent, detectContainerd } from '@gantry/kube-node'
import { importTestImages } from '@gantry/kube-node/testing'
import { createLogger, systemClock, systemIds } from '@gantry/runtime'
import { createMemoryStore } from '@gantry/storage'
import { eventually } from './eventually.ts'

/** What the platform's own node agent leaves in a Gantry data folder. */
const nodeFolder = (dataDir: string): string => join(dataDir, 'node')
const removeWithinMs = 60_000
const joinsWithinMs = 60_000

/** Why real containers cannot run on this machine; undefined when they can. */
export async function whyNoContainers(): Promise<string | undefined> {
  const found = await detectContainerd()
  return found.available ? undefined : found.missing.map(({ why, install }) => `${why} (${install})`).join('; ')
}

/** Brings the images of the tests, which need no registry, to the containerd of a running Gantry; that one starts once Gantry answers. */
export async function bringImages(dataDir: string): Promise<void> {
  await eventually('containerd takes images', joinsWithinMs, async () => {
    await importTestImages({ ctrAddress: await containerdSocket(dataDir) })
    return true
  })
}

export async function containerdSocket(dataDir: string): Promise<string> {
  const config = await readFile(join(nodeFolder(dataDir), 'containerd', 'config.toml'), 'utf8')
  const address = /\[grpc\]\s+address = "([^"]+)"/.exec(config)?.[1]
  if (address === undefined) throw new Error(`the containerd configuration below ${dataDir} names no socket`)
  return address
}

/**
 * Takes the node of a stopped Gantry off this machine: pods, mounts, bridge, cgroups, firewall rules. Pods outlive Gantry on purpose, so stopping it is not enough. It is
 * the agent's own clean-up, started over an empty cluster.
 */
export async function removeNode(dataDir: string): Promise<void> {
  const warnings: string[] = []
  const log = createLogger({ clock: systemClock, write: (line) => warnings.push(line) }, { level: 'warn' })
  const deps = { clock: systemClock, ids: systemIds, log }
  // The product's timers do not hold the process.
  const hold = setInterval(() => {}, 1_000)
  try {
    await using cluster = await startLocalCluster({ ...deps, store: createMemoryStore() }, { controllers: false })
    const options = { nodeName: 'given-up', dataDir: nodeFolder(dataDir), podCidr: '10.42.0.0/24', removePodsOnStop: true }
    const agent = createNodeAgent({ ...deps, client: cluster.client }, options)
    const running = await agent.start({ signal: AbortSignal.timeout(removeWithinMs) })
    await running[Symbol.asyncDispose]()
    const left = warnings.filter((line) => line.includes('could not be removed'))
    if (left.length > 0) throw new Error(`the node below ${dataDir} was not removed as a whole:\n${left.join('')}`)
  } finally {
    clearInterval(hold)
  }
}
