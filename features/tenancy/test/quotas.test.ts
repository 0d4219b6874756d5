import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { systemIds, type Clock } from '@gantry/runtime'
import {
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  quotaLedgerKind,
  quotaName,
  tenantKind,
  type Project,
  type ProjectNamespace,
  type QuotaLedger,
  type Tenant,
} from '../api/index.ts'
import { graceMs, Quotas } from '../server/quota/quotas.ts'
import {
  linesOfLedger,
  makeProject,
  makeProjectNamespace,
  makeTenant,
  namespaceObject,
  makeNamespace,
  resourceQuotas,
  startTestHub,
  type TestHub,
} from './test-hub.ts'

const options = { signal: new AbortController().signal }

let started: TestHub
before(async () => void (started = await startTestHub()))
after(() => started[Symbol.asyncDispose]())

interface ResourceQuota extends KubeObject {
  spec: { hard: Record<string, string> }
  status?: unknown
}

interface Story extends TestHub {
  readonly quotas: Quotas
  /** Another process on the same hub. */
  readonly other: Quotas
  /** Whoever waits on it moves time. */
  readonly moving: Clock
  /** The hub is a cluster too: each namespace is made in it. */
  readonly make: (project: string, place: string, spec?: Partial<ProjectNamespace['spec']>) => Promise<ProjectNamespace>
  readonly change: (object: ProjectNamespace, spec: Partial<ProjectNamespace['spec']>) => Promise<ProjectNamespace>
  readonly quotaIn: (namespace: string) => Promise<ResourceQuota>
  /** The cluster's controller comes to the ResourceQuota and counts what is used. */
  readonly confirm: (namespace: string, used?: Record<string, string>) => Promise<void>
  readonly ledger: () => Promise<QuotaLedger>
}

/** Tenant acme with the projects and their quotas; time passes by itself. */
async function startStory(tenant: Partial<Tenant['spec']>, projects: Readonly<Record<string, Project['spec']>>): Promise<Story> {
  const { hub, clock } = started
  // Whoever waits moves time.
  const moving: Clock = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    schedule: (callback, afterMs) => clock.schedule(callback, afterMs),
    sleep: (ms) => clock.advance(ms),
  }
  const deps = { hub, clock: moving, ids: systemIds }
  await makeTenant(hub, 'acme', tenant)
  for (const [path, spec] of Object.entries(projects)) {
    const [above, name = above] = path.includes('/') ? path.split('/') : [undefined, path]
    await makeProject(hub, `acme/${name}`, spec, above)
  }
  return {
    ...started,
    quotas: new Quotas(deps),
    other: new Quotas(deps),
    moving,
    async make(project, place, spec) {
      const [, name = ''] = place.split('/')
      await makeNamespace(hub, name)
      return makeProjectNamespace(hub, `acme/${project}`, place, spec)
    },
    change: ({ metadata }, spec) =>
      hub.patch(projectNamespaceKind.ref, { namespace: metadata.namespace, name: metadata.name ?? '' }, { type: 'merge', body: { spec } }),
    quotaIn: (namespace) => hub.get(resourceQuotas, { namespace, name: quotaName }),
    async confirm(namespace, used = {}) {
      const { spec } = await hub.get<ResourceQuota>(resourceQuotas, { namespace, name: quotaName })
      const all = Object.fromEntries(Object.keys(spec.hard).map((resource) => [resource, used[resource] ?? '0']))
      await hub.patch(
        resourceQuotas,
        { namespace, name: quotaName },
        { type: 'merge', subresource: 'status', body: { status: { hard: spec.hard, used: all } } },
      )
    },
    async [Symbol.asyncDispose]() {
      for (const ref of [...[projectNamespaceKind, projectKind, tenantKind, quotaLedgerKind].map((kind) => kind.ref), resourceQuotas])
        for (const { metadata } of (await hub.list(ref)).items) await hub.delete(ref, { namespace: metadata.namespace, name: metadata.name ?? '' })
    },
    ledger: () => hub.get(quotaLedgerKind.ref, { namespace: 'tenant-acme', name: 'acme' }),
  }
}

const shop = { shop: { quota: { total: { 'requests.cpu': '10' } } } }

describe('a namespace', () => {
  test('gets the ResourceQuota that it asks for, by the names it uses, and nothing is written when that is so', async () => {
    await using story = await startStory({}, { shop: { quota: { total: { 'requests.cpu': '10', 'requests.nvidia.com/gpu': '1' } } } })
    const { quotas, hub } = story
    const object = await story.make('shop', 'a/web', { quota: { 'requests.cpu': '4', 'requests.nvidia.com/gpu': '1', 'count/deployments.apps': 9 } })
    const hard = { 'requests.cpu': '4', 'requests.nvidia.com/gpu': '1', 'count/deployments.apps': '9' }

    const outcome = await quotas.enforce(hub, object, options)
    assert.deepEqual(outcome, { kind: 'Given', hard, generation: outcome.kind === 'Given' && outcome.generation })
    const written = await story.quotaIn('web')
    const { writes } = quotas.ledgers.counts
    await quotas.enforce(hub, object, options)

    assert.deepEqual(written.spec.hard, hard)
    assert.equal((await story.quotaIn('web')).metadata.resourceVersion, written.metadata.resourceVersion)
    assert.equal(quotas.ledgers.counts.writes, writes)
  })

  test('that does not fit has nothing at all, never a quota of zero', async () => {
    await using story = await startStory({}, shop)
    await story.quotas.enforce(story.hub, await story.make('shop', 'a/one', { quota: { 'requests.cpu': '8' } }), options)
    const two = await story.make('shop', 'a/two', { quota: { 'requests.cpu': '3' } })

    assert.deepEqual(await story.other.enforce(story.hub, two, options), {
      kind: 'Refused',
      message: 'project acme/shop cluster a requests.cpu: want 3, free 2 (limit 10 of project acme/shop)',
    })
    await assert.rejects(story.quotaIn('two'), { reason: 'NotFound' })
  })

  test('that wants more than there is keeps what it has', async () => {
    await using story = await startStory({}, shop)
    const object = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '8' } })
    await story.quotas.enforce(story.hub, object, options)
    const outcome = await story.quotas.enforce(story.hub, await story.change(object, { quota: { 'requests.cpu': '11' } }), options)
    assert.deepEqual(
      [outcome.kind, outcome.kind === 'Kept' && [outcome.hard, outcome.message]],
      ['Kept', [{ 'requests.cpu': '8' }, 'project acme/shop cluster a requests.cpu: want 11, free 10 (limit 10 of project acme/shop)']],
    )
    assert.deepEqual((await story.quotaIn('one')).spec.hard, { 'requests.cpu': '8' })
  })

  test('that is lowered counts in full until its cluster judges by the lower quota, and then with what is used', async () => {
    await using story = await startStory({}, shop)
    const { quotas, other, hub } = story
    const one = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '8' } })
    await quotas.enforce(hub, one, options)
    await story.confirm('one', { 'requests.cpu': '3' })
    const two = await story.make('shop', 'b/two', { quota: { 'requests.cpu': '5' } })
    const lowered = await story.change(one, { quota: { 'requests.cpu': '2' } })

    await quotas.hardFor(lowered, options)
    assert.match(JSON.stringify(await other.hardFor(two, options)), /want 5, free 2 /, 'the cluster has not been told')
    await quotas.enforce(hub, lowered, options)
    assert.match(JSON.stringify(await other.hardFor(two, options)), /want 5, free 2 /, 'the cluster still judges by what was')
    await story.confirm('one', { 'requests.cpu': '3' })
    await quotas.enforce(hub, lowered, options)
    assert.match(
      JSON.stringify(await other.hardFor(await story.change(two, { quota: { 'requests.cpu': '8' } }), options)),
      /want 8, free 7 /,
      'three are in use',
    )
    assert.equal((await other.hardFor(await story.change(two, { quota: { 'requests.cpu': '7' } }), options)).kind, 'Given')
  })

  test('is not raised by a writer whose answer is older than what the cluster has confirmed', async () => {
    await using story = await startStory({}, shop)
    const { quotas, other, hub } = story
    const object = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '2' } })
    await quotas.enforce(hub, object, options)
    const raised = await story.change(object, { quota: { 'requests.cpu': '8' } })
    const asked = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const slow: KubeClient = {
      ...hub,
      async update<T extends KubeObject>(...args: Parameters<KubeClient['update']>): Promise<T> {
        asked.resolve()
        await goOn.promise
        return hub.update(...args) as Promise<T>
      },
    }
    const late = quotas.enforce(slow, raised, options)
    await asked.promise
    const lowered = await story.change(object, { quota: { 'requests.cpu': '2' } })
    await other.enforce(hub, lowered, options)
    await story.confirm('one')
    await other.enforce(hub, lowered, options)
    const two = await story.make('shop', 'b/two', { quota: { 'requests.cpu': '8' } })
    assert.equal((await other.enforce(hub, two, options)).kind, 'Given', 'what was raised has been taken back')

    goOn.resolve()
    const outcome = await late
    assert.equal(outcome.kind, 'Kept')
    assert.deepEqual((await story.quotaIn('one')).spec.hard, { 'requests.cpu': '2' })
  })

  test('of a project that is locked, or of a tenant that is suspended, is not made; what is there goes on', async () => {
    await using story = await startStory({}, shop)
    const one = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '2' } })
    await story.quotas.enforce(story.hub, one, options)
    const lock = await story.hub.patch<Project>(
      projectKind.ref,
      { namespace: 'tenant-acme', name: 'shop' },
      { type: 'merge', body: { spec: { locked: true } } },
    )
    assert.equal(await story.quotas.settle(lock, options), undefined)
    const two = await story.make('shop', 'a/two', { quota: { 'requests.cpu': '2' } })
    assert.match(JSON.stringify(await story.other.hardFor(two, options)), /Refused.*project acme\/shop is locked/)
    assert.equal((await story.other.enforce(story.hub, one, options)).kind, 'Given')
    assert.match(
      JSON.stringify(await story.quotas.hardFor(await story.change(one, { quota: { 'requests.cpu': '3' } }), options)),
      /Kept.*project acme\/shop is locked/,
    )

    const suspended = await story.hub.patch<Tenant>(tenantKind.ref, { name: 'acme' }, { type: 'merge', body: { spec: { suspended: true } } })
    await story.quotas.settle(suspended, options)
    await assert.rejects(
      story.quotas.holdNamespace(namespaceObject('acme/shop', 'a/x', { quota: { 'requests.cpu': '1' } }), options),
      /is locked: nothing of it can be made/,
    )
    await assert.rejects(story.quotas.holdScope({ ...lock, metadata: { namespace: 'tenant-acme', name: 'new' } }, options), /tenant acme is suspended/)
  })
})

describe('a project', () => {
  test('whose quota does not fit any more keeps the former one in force', async () => {
    await using story = await startStory({}, shop)
    await story.quotas.enforce(story.hub, await story.make('shop', 'a/one', { quota: { 'requests.cpu': '8' } }), options)
    const less = await story.hub.patch<Project>(
      projectKind.ref,
      { namespace: 'tenant-acme', name: 'shop' },
      { type: 'merge', body: { spec: { quota: { total: { 'requests.cpu': '4' } } } } },
    )
    assert.match((await story.quotas.settle(less, options)) ?? '', /limit 4 is less than the 8 reserved below it/)
    assert.equal((await story.other.hardFor(await story.make('shop', 'a/two', { quota: { 'requests.cpu': '2' } }), options)).kind, 'Given')
  })

  test('below another takes from it what it is given, and its namespaces from itself', async () => {
    await using story = await startStory({ quota: { total: { 'requests.cpu': 12 } } }, { ...shop, 'shop/web': { quota: { total: { 'requests.cpu': '6' } } } })
    const { quotas } = story
    assert.equal((await quotas.hardFor(await story.make('web', 'a/w', { quota: { 'requests.cpu': '6' } }), options)).kind, 'Given')
    assert.match(
      JSON.stringify(await quotas.hardFor(await story.make('shop', 'a/s', { quota: { 'requests.cpu': '5' } }), options)),
      /want 5, free 4 \(limit 10 of project acme\/shop\)/,
    )
    assert.match(
      JSON.stringify(await quotas.hardFor(await story.make('web', 'a/w2', { quota: { 'requests.cpu': '1' } }), options)),
      /want 1, free 0 \(limit 6 of project acme\/web\)/,
    )
  })
})

describe('where use is counted', () => {
  const consuming: Readonly<Record<string, Project['spec']>> = { shop: { mode: 'Consumption', quota: { total: { 'requests.cpu': '10' } } } }

  test('a namespace leases a tenth of what remains, more when it uses that, and gives back when it is idle', async () => {
    await using story = await startStory({}, consuming)
    const { quotas, hub } = story
    const one = await story.make('shop', 'a/one')
    const look = async (used?: string): Promise<string | undefined> => {
      if (used !== undefined) await story.confirm('one', { 'requests.cpu': used })
      await quotas.enforce(hub, one, options)
      return (await story.quotaIn('one')).spec.hard['requests.cpu']
    }
    assert.equal(await look(), '1')
    assert.equal(await look('400m'), '1', 'more than half a chunk is free')
    assert.equal(await look('900m'), '1810m')
    assert.equal(await look('1800m'), '2620m')
    assert.equal(await look('2600m'), '3340m')
    assert.equal(await look('0'), '1', 'two chunks and more are free')
  })

  test("what an idle namespace gives back is another one's only after its cluster has confirmed it", async () => {
    await using story = await startStory({}, consuming)
    const { quotas, other, hub } = story
    const one = await story.make('shop', 'a/one', { headroom: { 'requests.cpu': '9' } })
    const two = await story.make('shop', 'b/two', { headroom: { 'requests.cpu': '9' } })
    const hardOf = async (namespace: string): Promise<string | undefined> => (await story.quotaIn(namespace)).spec.hard['requests.cpu']
    await quotas.enforce(hub, one, options)
    await other.enforce(hub, two, options)
    assert.deepEqual([await hardOf('one'), await hardOf('two')], ['9', '1'])
    await story.confirm('two', { 'requests.cpu': '1' })
    await other.enforce(hub, two, options)
    assert.equal(await hardOf('two'), '1', 'nothing is left')

    const modest = await story.change(one, { headroom: { 'requests.cpu': '1' } })
    await story.confirm('one', { 'requests.cpu': '500m' })
    await quotas.enforce(hub, modest, options)
    assert.equal(await hardOf('one'), '1500m')
    await other.enforce(hub, two, options)
    assert.equal(await hardOf('two'), '1', 'cluster a may still judge by nine')
    await story.confirm('one', { 'requests.cpu': '500m' })
    await quotas.enforce(hub, modest, options)
    await other.enforce(hub, two, options)
    assert.equal(await hardOf('two'), '8500m')
  })

  test('a cluster that cannot be reached keeps what it was given, and a new namespace gets nothing of it', async () => {
    await using story = await startStory({}, consuming)
    const { quotas, hub } = story
    const one = await story.make('shop', 'a/one', { headroom: { 'requests.cpu': '10' } })
    await quotas.enforce(hub, one, options)
    const dead: KubeClient = { ...hub, get: () => Promise.reject(new StatusError('ServiceUnavailable', 'cluster "a" is unavailable')) }
    await assert.rejects(quotas.enforce(dead, await story.change(one, { quota: { 'requests.cpu': '1' } }), options), /cluster "a" is unavailable/)
    assert.deepEqual(await story.other.hardFor(await story.make('shop', 'b/two'), options), {
      kind: 'Refused',
      message: 'project acme/shop cluster b requests.cpu: want some, free 0 (limit 10 is used or leased out)',
    })
  })

  test('switching to it keeps what is reserved; switching back takes that all fits as given', async () => {
    await using story = await startStory({}, shop)
    const { quotas, hub } = story
    const mode = (value: string): Promise<Project> =>
      hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'shop' }, { type: 'merge', body: { spec: { mode: value } } })
    const one = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '8' } })
    await quotas.enforce(hub, one, options)
    assert.equal(await quotas.settle(await mode('Consumption'), options), undefined)
    assert.deepEqual((await quotas.hardFor(one, options)).kind, 'Given')
    assert.deepEqual((await story.quotaIn('one')).spec.hard, { 'requests.cpu': '8' })
    await story.confirm('one', { 'requests.cpu': '1' })
    await quotas.enforce(hub, one, options)
    assert.deepEqual((await story.quotaIn('one')).spec.hard, { 'requests.cpu': '1700m' })
    await quotas.hardFor(await story.make('shop', 'b/two'), options)

    assert.match((await quotas.settle(await mode('Allocation'), options)) ?? '', /namespace b\/two of project acme\/shop does not set it/)
  })
})

describe('the ledger', () => {
  test('is made anew from what there is when it has been lost', async () => {
    await using story = await startStory({}, shop)
    const { quotas, other, hub } = story
    const one = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '8' } })
    const given = await quotas.enforce(hub, one, options)
    await hub.patch(
      projectNamespaceKind.ref,
      { namespace: one.metadata.namespace, name: one.metadata.name ?? '' },
      { type: 'merge', subresource: 'status', body: { status: { reserved: { 'requests.cpu': '8' } } } },
    )
    await hub.delete(quotaLedgerKind.ref, { namespace: 'tenant-acme', name: 'acme' })
    await story.clock.advance(1)

    const two = await story.make('shop', 'a/two', { quota: { 'requests.cpu': '3' } })
    assert.match(JSON.stringify(await quotas.hardFor(two, options)), /want 3, free 2 /)
    const again = await other.enforce(hub, one, options)
    assert.ok(again.kind === 'Given' && given.kind === 'Given' && again.generation > given.generation)
    assert.equal((await story.ledger()).spec.entries?.filter((line) => line.startsWith('namespace ')).length, 1)
  })

  test('that is full says so and takes nothing more, but less', async () => {
    await using story = await startStory({}, shop)
    const small = new Quotas({ hub: story.hub, clock: story.clock, ids: systemIds }, { maxEntries: 3 })
    const one = await story.make('shop', 'a/one', { quota: { 'requests.cpu': '1' } })
    await small.hardFor(one, options)
    const two = await story.make('shop', 'a/two', { quota: { 'requests.cpu': '1' } })
    await assert.rejects(
      small.hardFor(two, options),
      /the quota ledger of tenant acme is full: it has 3 entries in \d+ bytes, and can have 3 entries and \d+ bytes; delete namespaces/,
    )
    await small.release(one, options)
    assert.equal((await small.hardFor(two, options)).kind, 'Given')
  })

  test('has pages for what does not fit it, and who reads it then counts the same', async () => {
    await using story = await startStory({}, shop)
    const deps = { hub: story.hub, clock: story.clock, ids: systemIds }
    const inPages = new Quotas(deps, { maxNewer: 3 })
    const made: ProjectNamespace[] = []
    for (let index = 0; index < 9; index++) {
      const object = await story.make('shop', `a/n${index}`, { quota: { 'requests.cpu': '1' } })
      made.push(object)
      assert.equal((await inPages.hardFor(object, options)).kind, 'Given')
      if (index === 4) assert.equal((await story.other.hardFor(object, options)).kind, 'Given')
    }
    const { entries = [], pages = {} } = (await story.ledger()).spec
    assert.ok(entries.length <= 3 && Object.keys(pages).length > 1, JSON.stringify({ entries, pages }))
    assert.equal((await linesOfLedger(story.hub, 'acme')).filter((line) => line.startsWith('namespace ')).length, 9)

    const more = await story.make('shop', 'b/more', { quota: { 'requests.cpu': '2' } })
    const refusal = { kind: 'Refused', message: 'project acme/shop cluster b requests.cpu: want 2, free 1 (limit 10 of project acme/shop)' }
    for (const quotas of [inPages, story.other, new Quotas(deps)]) assert.deepEqual(await quotas.hardFor(more, options), refusal)

    for (const object of made.slice(1)) await story.other.release(object, options)
    for (const quotas of [inPages, new Quotas(deps)])
      assert.equal((await quotas.usageOf('acme', () => undefined, options)).get('shop')?.reserved['requests.cpu'], '1')
  })

  test('is written once for what waits together, and by a write of what is new alone', async () => {
    await using story = await startStory({}, { shop: { quota: { total: { 'requests.cpu': '1000' } } } })
    let largest = 0
    const patch: KubeClient['patch'] = (resource, key, how) => {
      largest = Math.max(largest, JSON.stringify(how.body).length)
      return story.hub.patch(resource, key, how)
    }
    const quotas = new Quotas({ hub: { ...story.hub, patch }, clock: story.clock, ids: systemIds })
    const all = Array.from({ length: 600 }, (_, index) => {
      const object = namespaceObject('acme/shop', `a/n${index}`, { quota: { 'requests.cpu': '1' } })
      return { ...object, metadata: { ...object.metadata, uid: systemIds.uid() } }
    })
    await Promise.all(all.map((object) => quotas.hardFor(object, options)))
    const { writes } = quotas.ledgers.counts
    assert.ok(writes <= Math.ceil(600 / 64) + 1, `${writes} writes`)
    assert.ok(largest < 40_000, `${largest} bytes at most, of 600 entries`)
  })

  test('sees to it that pages of a write that was interrupted go, and that such a write comes too late', async () => {
    await using story = await startStory({}, shop)
    const deps = { hub: story.hub, clock: story.clock, ids: systemIds }
    const first = new Quotas(deps, { maxNewer: 0 })
    await first.hardFor(await story.make('shop', 'a/one', { quota: { 'requests.cpu': '1' } }), options)
    const pages = async (): Promise<string[]> => {
      const { items } = await story.hub.list(quotaLedgerKind.ref, { namespace: 'tenant-acme' })
      return items.map(({ metadata }) => metadata.name ?? '').toSorted()
    }
    const before = await pages()
    // Its pages are written when it stops for a long time.
    const stopped = Promise.withResolvers<void>()
    const going = Promise.withResolvers<void>()
    const patch: KubeClient['patch'] = async (resource, key, how) => {
      stopped.resolve()
      await going.promise
      return story.hub.patch(resource, key, how)
    }
    const slow = new Quotas({ ...deps, clock: story.moving, hub: { ...story.hub, patch } }, { maxNewer: 0 })
    const late = slow.hardFor(await story.make('shop', 'a/two', { quota: { 'requests.cpu': '2' } }), options)
    await stopped.promise
    assert.ok((await pages()).length > before.length)
    assert.equal(await first.ledgers.sweepPages('acme', options), 0, 'not while it may be under way')
    await story.clock.advance(graceMs + 1_000)
    assert.ok((await first.ledgers.sweepPages('acme', options)) > 0)
    assert.deepEqual(await pages(), before)
    going.resolve()
    assert.equal((await late).kind, 'Given')
    assert.equal(slow.ledgers.counts.conflicts, 1)
    assert.equal((await new Quotas(deps).usageOf('acme', () => undefined, options)).get('shop')?.reserved['requests.cpu'], '3')
  })

  test('that somebody has spoilt says how to mend it', async () => {
    await using story = await startStory({}, shop)
    await story.quotas.hardFor(await story.make('shop', 'a/one', { quota: { 'requests.cpu': '1' } }), options)
    await story.hub.patch(
      quotaLedgerKind.ref,
      { namespace: 'tenant-acme', name: 'acme' },
      { type: 'merge', body: { spec: { entries: ['namespace shop a one'] } } },
    )
    await assert.rejects(
      story.other.hardFor(await story.make('shop', 'a/two', { quota: { 'requests.cpu': '1' } }), options),
      /cannot be read: "namespace shop a one" is no entry of a quota ledger. Delete the object quotaledgers\/acme in tenant-acme/,
    )
  })

  test('gives back what a write has left behind, but not while it may be under way', async () => {
    await using story = await startStory({}, shop)
    const { quotas, other, clock } = story
    await quotas.holdNamespace(namespaceObject('acme/shop', 'a/one', { quota: { 'requests.cpu': '9' } }), options)
    const nothingIsThere = (): Promise<boolean> => Promise.resolve(false)
    const two = await story.make('shop', 'a/two', { quota: { 'requests.cpu': '9' } })
    assert.equal(await other.sweep('acme', nothingIsThere, options), 0)
    assert.equal((await other.hardFor(two, options)).kind, 'Refused')
    await clock.advance(graceMs + 1)
    assert.equal(await other.sweep('acme', (record) => Promise.resolve(record.kind === 'scope'), options), 1)
    assert.equal((await other.hardFor(two, options)).kind, 'Given')
  })

  test('keeps projects of unlike name and namespaces of one name apart', async () => {
    await using story = await startStory({}, { ...shop, bank: { quota: { total: { 'requests.cpu': '1' } } } })
    assert.equal((await story.quotas.hardFor(await story.make('bank', 'a/one', { quota: { 'requests.cpu': '1' } }), options)).kind, 'Given')
    assert.equal(projectNamespace('acme', 'bank'), 'project-acme--bank')
    await assert.rejects(story.quotas.hardFor({ ...namespaceObject('acme/none', 'a/z', { quota: {} }) }, options), /there is no project acme\/none/)
  })
})
