import { after } from 'node:test'
import type { KubeClient } from '@gantry/client'
import { startLocalCluster } from '@gantry/kube-cluster'
import type { LocalCluster } from '@gantry/kube-cluster'
import { silentLogger, systemClock, systemIds } from '@gantry/runtime'
import { createMemoryStore } from '@gantry/storage'
import { describeRefusals } from '../testing/export-refusals.ts'

let cluster: Promise<LocalCluster> | undefined
after(async () => (await cluster)?.[Symbol.asyncDispose]())

// As the real one of export.kubernetes.ts: without controllers.
describeRefusals(async (): Promise<KubeClient> => {
  cluster ??= startLocalCluster({ store: createMemoryStore(), clock: systemClock, ids: systemIds, log: silentLogger }, { controllers: false })
  return (await cluster).client
})
