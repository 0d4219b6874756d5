import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GantryProcess } from '../gantry-process.ts'
import type { RunningProgram } from '../program.ts'
import { createPrivateNetwork, whyNoNetworks, type PrivateNetwork } from './private-network.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const kubernetes = here('../../conformance/kubernetes/kubernetes.ts')
const launcher = here('../../gantry')
const env = { GANTRY_QUIET: '1' }

/** A real Kubernetes in a network of its own, behind NAT: its API server listens on that network's loopback, so that nothing but an agent can reach it. */
export interface ClusterBehindNat extends AsyncDisposable {
  readonly network: PrivateNetwork
  /** Of an administrator, for whoever is inside. */
  readonly kubeconfig: string
  /** kubectl inside; fails with its own words. */
  readonly inside: (...args: string[]) => Promise<string>
  /** Makes it known to a Gantry that listens on `network.outside`, and applies the agent's manifest inside. */
  importInto(gantry: GantryProcess, cluster: string, port: number): Promise<void>
  startAgent(): RunningProgram
}

/** `name`: at most eight letters, of its network; `folder`: what it keeps. Throws where there can be no networks. */
export async function startClusterBehindNat(name: string, folder: string): Promise<ClusterBehindNat> {
  const problem = await whyNoNetworks()
  if (problem !== undefined) throw new Error(problem)
  const network = await createPrivateNetwork(name)
  const dir = join(folder, 'kubernetes')
  const end = async (): Promise<void> => {
    await network.run(process.execPath, [kubernetes, 'down', '--dir', dir])
    await network[Symbol.asyncDispose]()
  }
  try {
    const up = await network.run(process.execPath, [kubernetes, 'up', '--dir', dir, '--controllers'], { withinMs: 200_000 })
    assert.equal(up.code, 0, up.stderr)
    const kubeconfig = /^ready (.+)$/m.exec(up.stdout)?.[1] ?? assert.fail(up.stdout)
    const inside = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await network.run('kubectl', ['--kubeconfig', kubeconfig, ...args])
      assert.equal(code, 0, stderr)
      return stdout
    }
    return {
      network,
      kubeconfig,
      inside,
      async importInto(gantry, cluster, port) {
        const hub = `https://${network.outside}:${port}`
        const imported = await gantry.cli('cluster', 'import', cluster, '--agent', '--hub', hub, '--access', 'admin', '--image', 'gantry:test')
        assert.equal(imported.code, 0, imported.stderr)
        const manifest = join(folder, `${cluster}-agent.yaml`)
        await writeFile(manifest, imported.stdout, { mode: 0o600 })
        await inside('apply', '-f', manifest)
      },
      startAgent: () => network.start(launcher, ['agent', '--kubeconfig', kubeconfig], { env }),
      [Symbol.asyncDispose]: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}
