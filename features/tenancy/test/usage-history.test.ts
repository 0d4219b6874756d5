import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Exchange } from '@gantry/gateway'
import { readWholeBody, systemIds, type Clock, type HttpResponse } from '@gantry/runtime'
import { usageHistoryKind, type Project, type UsageReport, type UsageStep } from '../api/index.ts'
import { Quotas } from '../server/quota/quotas.ts'
import { stepMs, type UsageValue } from '../server/usage/usage-chunk.ts'
import { UsageHistories, type UsageHistoryOptions, type UsageSample } from '../server/usage/usage-history.ts'
import { usageRoutes } from '../server/usage/usage-routes.ts'
import { makeNamespace, makeProject, makeProjectNamespace, makeTenant, startTestHub, type TestHub } from './test-hub.ts'

const options = { signal: new AbortController().signal }
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const day = Date.UTC(2026, 4, 1)

let started: TestHub
before(async () => void (started = await startTestHub()))
after(() => started[Symbol.asyncDispose]())

/** A clock that only the test moves: days pass at once. */
class Calendar implements Clock {
  nowMs = day
  readonly now = (): Date => new Date(this.nowMs)
  readonly monotonicMs = (): number => performance.now()
  readonly schedule = (): never => assert.fail('nobody waits here')
  readonly sleep = (): never => assert.fail('nobody waits here')
}

const sampleOf = (used: number, more: Partial<UsageSample> = {}): UsageSample => ({
  project: 'shop',
  uid: 'u1',
  cluster: 'prod',
  resource: 'requests.cpu',
  reserved: 4,
  used,
  ...more,
})

async function startHistory(
  tenant: string,
  limits: UsageHistoryOptions = {},
): Promise<{
  readonly calendar: Calendar
  readonly histories: UsageHistories
  readonly other: UsageHistories
  readonly record: (samples: readonly UsageSample[]) => Promise<void>
  readonly known: (step: UsageStep) => Promise<readonly (readonly [string, UsageValue])[]>
  readonly objects: () => Promise<readonly string[]>
}> {
  const { hub } = started
  await makeTenant(hub, tenant)
  const calendar = new Calendar()
  const histories = new UsageHistories({ hub, clock: calendar }, limits)
  return {
    calendar,
    histories,
    other: new UsageHistories({ hub, clock: calendar }, limits),
    record: (samples) => histories.record(tenant, () => Promise.resolve(samples), options),
    async known(step) {
      const all: (readonly [string, UsageValue])[] = []
      for await (const { taken, series } of histories.read(tenant, { step, fromMs: 0, toMs: calendar.nowMs + stepMs['1d'] }, options))
        for (const slot of taken)
          for (const { values } of series.values()) {
            const value = values.get(slot)
            if (value !== undefined) all.push([new Date(slot * stepMs[step]).toISOString().slice(5, 16), value])
          }
      return all
    },
    objects: async () => (await hub.list(usageHistoryKind.ref, { namespace: `tenant-${tenant}` })).items.map(({ metadata }) => metadata.name ?? ''),
  }
}

describe('the usage history', () => {
  test('has what was seen every five minutes, means and peaks of hours and days that are over, and nothing of times in which nobody looked', async () => {
    const { calendar, record, known } = await startHistory('means')
    for (const [minutes, used] of [
      [0, 1],
      [5, 3],
      [6, 100], // in the same five minutes
      [90, 2],
      [26 * 60, 2],
    ] as const) {
      calendar.nowMs = day + minutes * minuteMs
      await record([sampleOf(used)])
    }
    const cpu = (used: number, peak = used): UsageValue => ({ reserved: 4, used, peak })
    assert.deepEqual(await known('5m'), [
      ['05-01T00:00', cpu(1)],
      ['05-01T00:05', cpu(3)],
      ['05-01T01:30', cpu(2)],
      ['05-02T02:00', cpu(2)],
    ])
    assert.deepEqual(await known('1h'), [
      ['05-01T00:00', cpu(2, 3)],
      ['05-01T01:00', cpu(2)],
    ])
    assert.deepEqual(await known('1d'), [['05-01T00:00', cpu(2, 3)]])
  })

  test('counts what was there for a part of an hour for that part', async () => {
    const { calendar, record, known } = await startHistory('parts')
    for (let minutes = 0; minutes <= 60; minutes += 5) {
      calendar.nowMs = day + minutes * minuteMs
      await record(minutes < 30 ? [sampleOf(2)] : [])
    }
    assert.deepEqual(await known('1h'), [['05-01T00:00', { reserved: 2, used: 1, peak: 2 }]])
  })

  test('is bounded: new objects begin when one is full, and old ones go', async () => {
    const { calendar, record, known, objects } = await startHistory('bounded', { maxSlots: 4 })
    // Every six hours for 34 days.
    for (let hours = 0; hours < 34 * 24; hours += 6) {
      calendar.nowMs = day + hours * hourMs
      await record([sampleOf(hours % 7)])
    }
    const names = await objects()
    const of = (step: UsageStep): number => names.filter((name) => name.startsWith(`${step}.`)).length
    // A day has four samples, thirty days 120 hours; one object more at each end.
    assert.ok(of('5m') <= 2 && of('1h') <= 120 / 4 + 1 && of('1d') === 9, JSON.stringify([of('5m'), of('1h'), of('1d')]))
    assert.equal((await known('1d')).length, 33)
    assert.equal((await known('1h')).at(-1)?.[0], '06-03T12:00')
  })

  test('has one sample of five minutes when two gateways write', async () => {
    const { histories, other, known } = await startHistory('two')
    await Promise.all([histories, other].map((one) => one.record('two', () => Promise.resolve([sampleOf(1)]), options)))
    assert.equal((await known('5m')).length, 1)
  })

  test('counts together what is beyond the number of series, so that sums stay right', async () => {
    const { record, histories } = await startHistory('many', { maxSeries: 2 })
    await record(['a', 'b', 'c', 'd'].map((project) => sampleOf(1, { project, uid: project })))
    for await (const { series } of histories.read('many', { step: '5m', fromMs: 0, toMs: day + hourMs }, options)) {
      const used = [...series.values()].map(({ of, values }) => [of.project, [...values.values()][0]?.used])
      assert.deepEqual(used, [
        ['a', 1],
        ['b', 1],
        ['(others)', 2],
      ])
    }
  })

  test('that somebody has spoilt says how to mend it', async () => {
    const { record, objects } = await startHistory('spoilt')
    await record([sampleOf(1)])
    const [name = ''] = await objects()
    await started.hub.patch(usageHistoryKind.ref, { namespace: 'tenant-spoilt', name }, { type: 'merge', body: { spec: { samples: 'x' } } })
    await assert.rejects(record([sampleOf(1)]), new RegExp(`usagehistories/${name} in tenant-spoilt cannot be read: it is no packed text. Delete it`))
  })
})

describe('reports of usage', () => {
  async function startReports(name: string): Promise<{
    readonly get: (user: string, path: string) => Promise<HttpResponse>
    readonly report: (user: string, path: string) => Promise<UsageReport>
  }> {
    const { hub } = started
    const calendar = new Calendar()
    await makeTenant(hub, name)
    const projects: Project[] = [
      await makeProject(hub, `${name}/shop`, { quota: { total: { cpu: '10' } } }),
      await makeProject(hub, `${name}/below`, { quota: { total: { cpu: '4' } } }, 'shop'),
      await makeProject(hub, `${name}/bank`),
    ]
    const quotas = new Quotas({ hub, clock: calendar, ids: systemIds })
    const used: Record<string, Record<string, string>> = {}
    for (const [project, quota] of [
      ['shop', { 'requests.cpu': '4' }],
      ['below', { 'requests.cpu': '3' }],
      ['bank', { 'requests.memory': '2Gi' }],
    ] as const) {
      await makeNamespace(hub, `${name}-${project}`)
      const object = await makeProjectNamespace(hub, `${name}/${project}`, `prod/${name}-${project}`, { quota: { ...quota } })
      await quotas.hardFor(object, options)
      used[object.metadata.uid ?? ''] = Object.fromEntries(Object.keys(quota).map((resource) => [resource, resource === 'requests.cpu' ? '500m' : '1Gi']))
    }
    const histories = new UsageHistories({ hub, clock: calendar })
    const gone = sampleOf(1, { project: 'gone', uid: 'long-ago' })
    for (const minutes of [0, 5, 60, 65]) {
      calendar.nowMs = day + minutes * minuteMs
      await histories.record(name, async () => [...(await quotas.usageSample(name, (uid) => used[uid], options)), gone], options)
    }
    // ann has all of the tenant, bob the project bank; eve nothing.
    const may: Record<string, readonly string[]> = {
      ann: [
        `tenants //${name}`,
        `projects /tenant-${name}/`,
        `projects /tenant-${name}/shop`,
        `projects /tenant-${name}/bank`,
        `projects /project-${name}--shop/below`,
      ],
      bob: [`tenants //${name}`, `projects /tenant-${name}/bank`],
    }
    const usage = usageRoutes({
      clock: calendar,
      histories,
      projectsOf: (tenant) => (tenant === name ? projects : []),
      mayGet: ({ username }, { resource, namespace, name: object }) => may[username]?.includes(`${resource} /${namespace}/${object}`) === true,
    })
    const get = async (user: string, path: string): Promise<HttpResponse> => {
      const [pathname = '', query = ''] = path.split('?')
      const exchange = {
        request: { method: 'GET', path: `/platform/v1/${pathname}`, query, headers: {}, signal: options.signal },
        caller: { kind: 'platform', user: { username: user, groups: [] } },
      } as unknown as Exchange
      return pathname.startsWith('tenants/') ? usage.tenants.serve(exchange) : usage.ofProject(exchange)
    }
    return { get, report: async (user, path) => JSON.parse((await readWholeBody(await get(user, path), 1 << 20)).toString()) as UsageReport }
  }

  test('add up what each project had, show the projects that somebody may read, and of those that are gone to who may read any', async () => {
    const { report } = await startReports('sums')
    const cpu = { cluster: 'prod', resource: 'requests.cpu' }
    const { rows, observedSteps, step } = await report('ann', 'tenants/sums/usage?resource=requests.cpu&cluster=prod')
    // The five minutes that go on are not in it.
    assert.deepEqual([observedSteps, step], [3, '5m'])
    assert.deepEqual(rows, [
      { project: 'sums/below', ...cpu, reserved: 3, used: 0.5, peak: 0.5, reservedHours: 0.75, usedHours: 0.125 },
      { project: 'sums/gone', ...cpu, reserved: 4, used: 1, peak: 1, reservedHours: 1, usedHours: 0.25 },
      { project: 'sums/shop', ...cpu, reserved: 4, used: 0.5, peak: 0.5, reservedHours: 1, usedHours: 0.125 },
    ])
    const bob = await report('bob', 'tenants/sums/usage')
    assert.deepEqual(
      bob.rows.map(({ project, resource, reserved, used }) => [project, resource, reserved, used]),
      [['sums/bank', 'requests.memory', 2 ** 31, 2 ** 30]],
    )
    const below = await report('ann', 'projects/sums/shop/usage')
    assert.deepEqual(
      below.rows.map(({ project }) => project),
      ['sums/below', 'sums/shop'],
    )
  })

  test('have a row for each step when asked, as a table for spreadsheets too', async () => {
    const { get, report } = await startReports('each')
    const path = 'projects/each/below/usage?each=true&step=1h&from=2026-05-01T00:00:00Z'
    const { rows } = await report('ann', path)
    assert.deepEqual(rows, [
      { time: '2026-05-01T00:00:00.000Z', project: 'each/below', cluster: 'prod', resource: 'requests.cpu', reserved: 3, used: 0.5, peak: 0.5 },
    ])
    const csv = await get('ann', `${path}&format=csv`)
    assert.match(String(csv.headers['content-type']), /^text\/csv/)
    assert.equal(
      (await readWholeBody(csv, 1 << 20)).toString(),
      'time,project,cluster,resource,reserved,used,peak,reservedHours,usedHours\n2026-05-01T00:00:00.000Z,each/below,prod,requests.cpu,3,0.5,0.5,,\n',
    )
  })

  test('are for who may read the tenant or project, and say what is wrong with a question', async () => {
    const { get } = await startReports('ask')
    await assert.rejects(get('eve', 'tenants/ask/usage'), /there is no tenant ask that user "eve" may read/)
    await assert.rejects(get('bob', 'projects/ask/shop/usage'), /there is no project ask\/shop that user "bob" may read/)
    await assert.rejects(get('ann', 'projects/ask/none/usage'), /there is no project ask\/none/)
    for (const [query, problem] of [
      ['from=yesterday', /"from" is no time: write 2026-01-31T12:00:00Z/],
      ['from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z', /"from" is not before "to"/],
      ['step=2h', /"step" is none of 5m, 1h, 1d/],
      ['since=1', /"since" is unknown: give from, to, step/],
    ] as const)
      await assert.rejects(get('ann', `tenants/ask/usage?${query}`), problem)
    await assert.rejects(get('ann', 'tenants/ask/other'), /could not find/)
  })
})
