import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubernetes } from '../kubernetes/kubernetes.ts'
import { startGantryProcess } from '../src/gantry-process.ts'

export interface ClientCluster {
  readonly name: string
  readonly kubeconfig: string
  /** Discovery caches and whatever else a client keeps: one folder per cluster. */
  readonly home: string
}

export interface ClientClusters {
  /** The whole product, with controllers of its own. */
  readonly gantry: ClientCluster
  /** Its API server alone, under Kubernetes' own controllers: what differs here is the API's doing. */
  readonly gantryApi: ClientCluster
  readonly kubernetes: ClientCluster
}

/** Gantry, its API server and a real Kubernetes, all with controllers and without a node, for clients that are programs. */
export async function startClientClusters(parts: AsyncDisposableStack): Promise<ClientClusters> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-clients-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const kubernetes = parts.use(await startKubernetes({ dir: join(dir, 'kubernetes'), controllers: true }))
  const gantryApi = parts.use(await startKubernetes({ dir: join(dir, 'gantry-api'), controllers: true, apiServer: 'gantry' }))
  const gantry = parts.use(await startGantryProcess())
  const cluster = (name: string, { kubeconfig }: { readonly kubeconfig: string }): ClientCluster => ({ name, kubeconfig, home: join(dir, `${name}-home`) })
  return { gantry: cluster('gantry', gantry), gantryApi: cluster('gantry-api', gantryApi), kubernetes: cluster('kubernetes', kubernetes) }
}
