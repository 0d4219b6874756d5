import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { createClient, loadKubeconfig, openHttpTransport } from '@gantry/client'
import { startKubernetes } from './kubernetes/kubernetes.ts'
import { createInformers } from '@gantry/controller'
import { createControllers } from '@gantry/kube-controllers'
import { createSimulatedNodes } from '@gantry/kube-node/simulated'
import { createScheduler } from '@gantry/kube-scheduler'
import { createLogger, Supervisor, systemClock as clock, systemIds as ids } from '@gantry/runtime'
import { describeControllers } from '@gantry/kube-controllers/testing'
import type { KubeClient } from '@gantry/client'

const patienceMs = 60_000

// A kube-apiserver without its controller manager and scheduler: ours do their work, over HTTP.
describe('our controllers and scheduler over a real API server', () => {
  let client: KubeClient
  const open = new AsyncDisposableStack()

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-controllers-'))
    open.defer(() => rm(dir, { recursive: true }))
    const plane = await startKubernetes({ dir })
    open.defer(() => plane.stop())
    const http = openHttpTransport(loadKubeconfig(await readFile(plane.kubeconfig, 'utf8')).transport)
    open.use(http)
    client = createClient(http)

    const log = createLogger({ clock, write: (line) => void process.stderr.write(line) }, { level: 'error' })
    const deps = { client, clock, ids, log, informers: createInformers({ client, clock, ids, log }) }
    const simulated = createSimulatedNodes(deps, { names: ['sim-1', 'sim-2'], kubernetesVersion: 'v1.36.3' })
    const services = new Supervisor(deps, { stopWithinMs: 5000 })
    open.use(services)
    for (const service of [deps.informers, ...createControllers(deps), createScheduler(deps), simulated.service]) await services.start(service)
  })
  after(() => open.disposeAsync())

  describeControllers(() =>
    Promise.resolve({
      client,
      async until(what, condition) {
        for (const start = clock.monotonicMs(); clock.monotonicMs() - start < patienceMs; await clock.sleep(50)) if (await condition()) return
        assert.fail(what)
      },
      async [Symbol.asyncDispose]() {},
    }),
  )
})
