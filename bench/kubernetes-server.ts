import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import type { ControlPlaneOptions } from '@gantry/conformance/kubernetes'
import type { BenchServer } from './server.ts'

/**
 * How fast controller manager and scheduler may ask: `harness` is quick to start (200/s and the scheduler's 50/s), `default` is what they do without a flag, `none` lets
 * them ask as fast as they can.
 */
export type ClientLimits = 'harness' | 'default' | 'none'

const unlimited = ['--kube-api-qps=10000', '--kube-api-burst=20000']
/** On a busy machine the leases of 5,000 nodes come late, and no kubelet is there to call a node ready again that once counted as dead. */
const patience = ['--node-monitor-grace-period=10m']
const limitArgs: Readonly<Record<ClientLimits, Pick<ControlPlaneOptions, 'extraControllerManagerArgs' | 'extraSchedulerArgs'>>> = {
  harness: {},
  default: { extraControllerManagerArgs: ['--kube-api-qps=20', '--kube-api-burst=30', ...patience] },
  none: { extraControllerManagerArgs: [...unlimited, ...patience], extraSchedulerArgs: unlimited },
}

/** A real control plane on an empty folder; etcd syncs to disk. */
export async function startKubernetesServer(options: { readonly controllers: boolean; readonly clientLimits?: ClientLimits }): Promise<BenchServer> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-bench-kubernetes-'))
  const begunMs = performance.now()
  const plane = await startKubernetes({ dir, controllers: options.controllers, ...limitArgs[options.clientLimits ?? 'harness'] })
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
