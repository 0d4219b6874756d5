import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, loadKubeconfig, openHttpTransport, type HttpTransport, type KubeClient, type KubeObject } from '@gantry/client'
import { clusterKind } from '@gantry/clusters/api'
import { installKinds } from '@gantry/clusters/server'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { systemClock, systemIds, type Clock } from '@gantry/runtime'
import { quotaName, tenancyKinds } from '../api/index.ts'
import { Quotas } from '../server/quota/quotas.ts'
import { raceReservers } from './quota-race.ts'
import { makeNamespace, makeProject, makeProjectNamespace, makeTenant, resourceQuotas } from './test-hub.ts'

const options = { signal: new AbortController().signal }
const confirmedWithinMs = 30_000

// A real kube-apiserver as the hub, and as the cluster, with Kubernetes' own controller and admission of ResourceQuotas.
describe('quotas on a real Kubernetes', () => {
  const parts = new AsyncDisposableStack()
  let hub: KubeClient
  /** Which tenants are this run's. */
  const run = systemIds.suffix(5)

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-quota-'))
    parts.defer(() => rm(dir, { recursive: true }))
    const plane = await startKubernetes({ dir: join(dir, 'plane'), controllers: true })
    parts.defer(() => plane.stop())
    const { transport } = loadKubeconfig(await readFile(plane.kubeconfig, 'utf8'))
    const http: HttpTransport = openHttpTransport({ ...transport, streams: 100 })
    parts.defer(() => http.close())
    hub = createClient({ handle: http.handle })
    await installKinds({ hub, clock: systemClock }, [clusterKind, ...tenancyKinds], options)
  })
  after(() => parts.disposeAsync())

  test('gateways that race and die never give more than there is', async (t) => {
    let aheadMs = 0
    const clock: Clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + aheadMs) }
    const report = await raceReservers(
      { hub, clock, ids: systemIds },
      {
        tenant: `race-${run}`,
        seed: 7,
        gateways: 8,
        steps: 30,
        dawdle: (random) => sleep(random() * 3),
        pass: (ms) => Promise.resolve(void (aheadMs += ms)),
      },
    )
    t.diagnostic(JSON.stringify(report))
    assert.ok(report.made > 30 && report.refused > 20 && report.crashed > 10 && report.conflicts > 20, JSON.stringify(report))
  })

  test('what is lowered is given to others when admission judges by it, and not before', async () => {
    const tenant = `low-${run}`
    await makeTenant(hub, tenant)
    await makeProject(hub, `${tenant}/shop`, { quota: { total: { 'count/configmaps': '10' } } })
    const [a, b] = [`${tenant}-a`, `${tenant}-b`]
    for (const name of [a, b]) await makeNamespace(hub, name)
    const quotas = new Quotas({ hub, clock: systemClock, ids: systemIds })
    const one = await makeProjectNamespace(hub, `${tenant}/shop`, `real/${a}`, { quota: { 'count/configmaps': '8' } })
    await quotas.enforce(hub, one, options)
    await confirmed(a, '8')
    const before = await configMapsThatFit(a, 9)
    assert.ok(before >= 6 && before <= 8, `${before} fit, beside the one that Kubernetes makes itself`)

    const lowered = { ...one, spec: { ...one.spec, quota: { 'count/configmaps': '2' } } }
    const two = await makeProjectNamespace(hub, `${tenant}/shop`, `real/${b}`, { quota: { 'count/configmaps': '8' } })
    await quotas.enforce(hub, lowered, options)
    assert.equal((await quotas.enforce(hub, two, options)).kind, 'Refused')
    await confirmed(a, '2')
    await quotas.enforce(hub, lowered, options)
    assert.match(JSON.stringify(await quotas.enforce(hub, two, options)), /want 8, free 2 /, 'eight are in use')

    const maps = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true }
    for (const { metadata } of (await hub.list(maps, { namespace: a })).items)
      if (metadata.name?.startsWith('m')) await hub.delete(maps, { namespace: a, name: metadata.name })
    await confirmed(a, '2', '1')
    await quotas.enforce(hub, lowered, options)
    assert.equal((await quotas.enforce(hub, two, options)).kind, 'Given')
    assert.ok((await configMapsThatFit(a, 3)) <= 1)
  })

  async function confirmed(namespace: string, hard: string, used?: string): Promise<void> {
    const deadline = performance.now() + confirmedWithinMs
    for (;;) {
      const { status } = await hub.get<KubeObject & { status?: { hard?: Record<string, string>; used?: Record<string, string> } }>(resourceQuotas, {
        namespace,
        name: quotaName,
      })
      if (status?.hard?.['count/configmaps'] === hard && (used === undefined || status.used?.['count/configmaps'] === used)) return
      if (performance.now() > deadline) assert.fail(`the ResourceQuota says ${JSON.stringify(status)} after ${confirmedWithinMs} ms`)
      await sleep(100)
    }
  }

  async function configMapsThatFit(namespace: string, count: number): Promise<number> {
    const maps = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true }
    let fit = 0
    for (let index = 0; index < count; index++)
      try {
        await hub.create(maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'm', namespace } } as KubeObject)
        fit++
      } catch (error) {
        assert.match(String(error), /exceeded quota/)
      }
    return fit
  }
})
