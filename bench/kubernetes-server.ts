import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import type { BenchServer } from './server.ts'

/** A real control plane on an empty folder; etcd syncs to disk. */
export async function startKubernetesServer(options: { readonly controllers: boolean }): Promise<BenchServer> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-bench-kubernetes-'))
  const begunMs = performance.now()
  const plane = await startKubernetes({ dir, controllers: options.controllers })
  const { etcd, apiserver, controllerManager, scheduler } = plane.pids
  return {
    name: 'kubernetes',
    url: plane.server,
    token: plane.tokens.admin,
    readyMs: performance.now() - begunMs,
    serving: [apiserver, etcd].filter((pid) => pid !== undefined),
    beside: [controllerManager, scheduler].filter((pid) => pid !== undefined),
    async [Symbol.asyncDispose]() {
      await plane.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
