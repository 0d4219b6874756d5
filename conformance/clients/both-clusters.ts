import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import { startGantryProcess } from '../src/gantry-process.ts'

export interface ClientCluster {
  readonly name: 'gantry' | 'kubernetes'
  readonly kubeconfig: string
  /** Discovery caches and whatever else a client keeps: one folder per cluster. */
  readonly home: string
}

/** Gantry and a real Kubernetes, both with controllers and without a node, for clients that are programs. */
export async function startBothClusters(parts: AsyncDisposableStack): Promise<readonly [gantry: ClientCluster, kubernetes: ClientCluster]> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-clients-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const kubernetes = parts.use(await startKubernetes({ dir: join(dir, 'kubernetes'), controllers: true }))
  const gantry = parts.use(await startGantryProcess())
  return [
    { name: 'gantry', kubeconfig: gantry.kubeconfig, home: join(dir, 'gantry-home') },
    { name: 'kubernetes', kubeconfig: kubernetes.kubeconfig, home: join(dir, 'kubernetes-home') },
  ]
}
