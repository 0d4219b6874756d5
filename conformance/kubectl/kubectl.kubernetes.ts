import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, test } from 'node:test'
import { kubectlDifferences } from '../differences.ts'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import { startGantryProcess } from '../src/gantry-process.ts'
import { uniqueName } from '../src/target.ts'
import { commands } from './commands.ts'
import type { Command } from './commands.ts'
import { normalOutput } from './normal-output.ts'
import { runKubectl } from './run-kubectl.ts'

/** What controllers do in their own time is done by then. */
const settlesWithinMs = 20_000
const pollMs = 200

interface Cluster {
  readonly name: string
  readonly kubeconfig: string
  readonly cacheDir: string
}

// One story told to Gantry and to a real Kubernetes, both with controllers and without a node; a person at the terminal must see the same.
describe('kubectl sees the same on Gantry as on Kubernetes', () => {
  const namespace = uniqueName('kubectl')
  const parts = new AsyncDisposableStack()
  let clusters: readonly Cluster[] = []

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-kubectl-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    const kubernetes = parts.use(await startKubernetes({ dir: join(dir, 'kubernetes'), controllers: true }))
    const gantry = parts.use(await startGantryProcess())
    clusters = [
      { name: 'gantry', kubeconfig: gantry.kubeconfig, cacheDir: join(dir, 'gantry-cache') },
      { name: 'kubernetes', kubeconfig: kubernetes.kubeconfig, cacheDir: join(dir, 'kubernetes-cache') },
    ]
    await Promise.all(clusters.map((cluster) => runKubectl(['create', 'namespace', namespace], cluster)))
    await Promise.all(clusters.map((cluster) => see(cluster, { line: 'get serviceaccount default -n NAMESPACE', until: /exit 0/ })))
  })
  after(() => parts.disposeAsync())

  async function see(cluster: Cluster, command: Command): Promise<string> {
    // Arguments hold no spaces, so that a line reads as one types it.
    const args = command.line.replaceAll('NAMESPACE', namespace).split(' ')
    const options = { ...cluster, input: command.input?.replaceAll('NAMESPACE', namespace) }
    const deadline = performance.now() + settlesWithinMs
    for (;;) {
      const output = await runKubectl(args, options)
      if (command.until === undefined || command.until.test(output) || performance.now() > deadline) return output
      await sleep(pollMs)
    }
  }

  const told = new Map<string, number>()
  for (const command of commands) {
    const count = (told.get(command.line) ?? 0) + 1
    told.set(command.line, count)
    const name = count === 1 ? command.line : `${command.line} (${count})`
    test(name, async (t) => {
      const [gantry = '', kubernetes = ''] = await Promise.all(clusters.map(async (cluster) => normal(await see(cluster, command), command)))
      const because = kubectlDifferences[name]
      if (because === undefined) assert.equal(gantry, kubernetes)
      else if (gantry !== kubernetes) t.skip(`differs: ${because}`)
      else assert.fail(`both look the same now: remove the line from conformance/differences.ts (it said: ${because})`)
    })
  }

  function normal(output: string, { only }: Command): string {
    const lines = normalOutput(output, { [namespace]: 'NAMESPACE' }).split('\n')
    return lines.filter((line) => only === undefined || only.test(line)).join('\n')
  }
})
