import { silentLogger } from '@gantry/runtime'
import { createInformers, timestamp } from '@gantry/controller'
import { FakeApi } from '@gantry/controller/testing'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { resources } from '@gantry/kube-api'
import type { KubeObject } from '@gantry/client'
import type { Event, Pod } from '@gantry/kube-api'
import type { Running, Service } from '@gantry/runtime'
import type { ControllerDeps } from './deps.ts'

/** Controllers over an API in memory and time that a test moves, with a stand-in for the kubelet. */
export interface TestCluster extends AsyncDisposable {
  readonly api: FakeApi
  readonly clock: FakeClock
  /** Lets all work that is due at this instant run, in rounds, until no request is made any more. */
  settle(): Promise<void>
  /** Makes every pod run and be ready (unless `ready` says no), and removes those that are on their way out. */
  runPods(options?: { readonly ready?: (pod: Pod) => boolean }): Promise<void>
  /** Reason and message of events, oldest first. */
  events(): string[]
}

export async function startTestCluster(create: (deps: ControllerDeps) => readonly Service[]): Promise<TestCluster> {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const ids = createFakeIds()
  const informers = createInformers({ client: api, clock, ids, log: silentLogger })
  const services = [...create({ client: api, informers, clock, ids, log: silentLogger }), informers]
  const stop = new AbortController()
  const running: Running[] = []
  for (const service of services) running.push(await service.start({ signal: stop.signal }))

  async function quiet(): Promise<void> {
    for (let rounds = 0; rounds < 200; rounds++) {
      const before = api.writes.length
      await settle(8)
      // Conflicts and first failures come back within 5 ms.
      await clock.advance(6)
      if (api.writes.length === before) return
    }
    throw new Error('the controllers do not come to rest')
  }

  return {
    api,
    clock,
    settle: quiet,
    async runPods(options = {}) {
      for (const pod of api.all<Pod>(resources.pods)) {
        const { name = '', namespace } = pod.metadata
        if (pod.metadata.deletionTimestamp !== undefined) {
          await api.delete(resources.pods, { namespace, name }, { gracePeriodSeconds: 0 })
          continue
        }
        const status = options.ready?.(pod) === false ? 'False' : 'True'
        const old = pod.status?.conditions?.find((condition) => condition.type === 'Ready')
        if (old?.status === status) continue
        const lastTransitionTime = timestamp(clock.now())
        await api.patch(
          resources.pods,
          { namespace, name },
          {
            type: 'merge',
            subresource: 'status',
            body: { status: { phase: 'Running', conditions: [{ type: 'Ready', status, lastTransitionTime }] } },
          },
        )
      }
      await quiet()
    },
    events: () => api.all<Event & KubeObject>(resources.events).map((event) => `${event.reason} ${event.message}`),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test has ended'))
      for (const one of running.toReversed()) await one[Symbol.asyncDispose]()
    },
  }
}
