import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  accessRoleBindingKind,
  accessRoleKind,
  elevationRequestKind,
  type AccessRoleBinding,
  type AccessRule,
  type ElevationPage,
  type ElevationRequest,
} from '@gantry/access/api'
import { unlessGone } from '@gantry/apimachinery'
import { readBody } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { settle, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const path = '/platform/v1/access/elevations'
const kindPath = `/apis/${elevationRequestKind.apiVersion}/${elevationRequestKind.plural}`
const asked = { role: 'cluster-viewer', cluster: 'local', durationSeconds: 3_600, reason: 'incident 42' }
const hourMs = 60 * 60_000

interface Elevation extends TestPlatform {
  readonly vic: string
  readonly ann: string
  make(body?: unknown, token?: string): Promise<string>
  decide(name: string, what: string, token: string, body?: unknown): Promise<Answer>
  find(name: string): Promise<ElevationRequest | undefined>
  bindings(): Promise<readonly AccessRoleBinding[]>
}

/** vic has nothing, ann is an administrator; both with a key. */
async function start(): Promise<Elevation> {
  const platform = await startTestPlatform()
  await platform.addUser('vic')
  await platform.addUser('ann', 'admin')
  const [vic, ann] = [await platform.keyOf('vic'), await platform.keyOf('ann')]
  return Object.assign(platform, {
    vic,
    ann,
    async make(body: unknown = asked, token = vic) {
      const answer = await platform.ask('POST', path, { token, body })
      assert.equal(answer.status, 201, answer.text)
      return (answer.json() as ElevationRequest).metadata.name ?? ''
    },
    async decide(name: string, what: string, token: string, body?: unknown) {
      const answer = await platform.ask('POST', `${path}/${name}/${what}`, { token, body })
      await settle()
      return answer
    },
    find: (name: string) => unlessGone(platform.hub.get<ElevationRequest>(elevationRequestKind.ref, { name })),
    bindings: async () =>
      (await platform.hub.list<AccessRoleBinding>(accessRoleBindingKind.ref)).items.filter(({ metadata }) => metadata.name?.startsWith('elevation-')),
  })
}

/** The same data after a long time in which nothing ran. */
async function later(platform: TestPlatform, ms: number): Promise<TestPlatform> {
  const started = await platform.restart({ clock: new FakeClock(new Date(platform.clock.now().getTime() + ms).toISOString()) })
  await settle()
  return started
}

async function stateOf({ hub }: TestPlatform, name: string): Promise<string | undefined> {
  return (await hub.get<ElevationRequest>(elevationRequestKind.ref, { name })).status?.phase
}

async function phasesOf({ hub }: TestPlatform): Promise<readonly (string | undefined)[]> {
  return (await hub.list<ElevationRequest>(elevationRequestKind.ref)).items.map(({ status }) => status?.phase)
}

async function makeRole(platform: TestPlatform, name: string, rules: AccessRule[]): Promise<void> {
  await platform.hub.create(accessRoleKind.ref, { apiVersion: accessRoleKind.apiVersion, kind: 'AccessRole', metadata: { name }, spec: { rules } } as never)
  await settle()
}

async function bind(platform: TestPlatform, user: string, role: string): Promise<void> {
  const { apiVersion, kind, ref } = accessRoleBindingKind
  await platform.hub.create(ref, { apiVersion, kind, metadata: { name: `${user}-${role}` }, spec: { role, subjects: [{ kind: 'User', name: user }] } } as never)
  await settle()
}

const reads = async (platform: TestPlatform, token: string): Promise<number> => (await platform.ask('GET', '/api/v1/nodes', { token })).status

describe('a role for a while', () => {
  test('is asked for, seen by who may approve it, approved, and over at its time with what is open by it', async () => {
    await using platform = await start()
    const { vic, ann, clock } = platform
    assert.equal(await reads(platform, vic), 403)
    const name = await platform.make({ ...asked, durationSeconds: 300 })
    assert.equal(await reads(platform, vic), 403, 'asking gives nothing')
    const pages = await Promise.all([vic, ann].map(async (token) => (await platform.ask('GET', path, { token })).json() as ElevationPage))
    for (const { items } of pages) assert.deepEqual([items[0]?.metadata.name, items[0]?.status?.phase], [name, 'Pending'])

    const approved = await platform.decide(name, 'approve', ann, { message: 'be careful' })
    assert.equal(approved.status, 200, approved.text)
    const { status, metadata } = approved.json() as ElevationRequest
    const until = new Date(clock.now().getTime() + 300_000).toISOString().replace(/\.\d+Z/, 'Z')
    assert.deepEqual(status, { ...status, phase: 'Approved', decidedBy: 'ann', message: 'be careful', until, binding: `elevation-${metadata.uid}` })
    const [binding] = await platform.bindings()
    assert.deepEqual(binding?.spec, {
      role: 'cluster-viewer',
      subjects: [{ kind: 'User', name: 'vic' }],
      cluster: 'local',
      expirationTime: until,
      reason: `ElevationRequest ${name}, approved by ann: incident 42`,
    })
    assert.equal(await reads(platform, vic), 200)
    const open = async (): Promise<void> => {
      for await (const _ of readBody(await platform.open('/api/v1/nodes?watch=1', { token: vic })));
    }
    const cut = assert.rejects(open, /the permission has been revoked/)
    await settle()
    await clock.advance(300_000)
    await cut
    assert.equal(await reads(platform, vic), 403)
    await clock.advance(31_000)
    assert.equal((await platform.find(name))?.status?.phase, 'Ended')
    assert.deepEqual(await platform.bindings(), [])

    await using month = await later(platform, 30 * 24 * hourMs - 120_000)
    assert.deepEqual(await phasesOf(month), ['Ended'])
    await month.clock.advance(121_000)
    assert.deepEqual(await phasesOf(month), [], 'removed after thirty days')
  })

  test('ends at once for whoever gives it back, and for who may approve', async () => {
    await using platform = await start()
    const { vic, ann } = platform
    for (const token of [vic, ann]) {
      const name = await platform.make()
      await platform.decide(name, 'approve', ann)
      assert.equal(await reads(platform, vic), 200)
      assert.equal((await platform.decide(name, 'end', token)).status, 200)
      assert.equal(await reads(platform, vic), 403)
      assert.match((await platform.find(name))?.status?.message ?? '', token === vic ? /ended by vic/ : /ended by ann/)
      assert.equal((await platform.decide(name, 'end', token)).status, 409)
    }
    assert.deepEqual(await platform.bindings(), [])
  })

  test('expires when nobody answers in 24 hours, and cannot be approved from then on', async () => {
    await using platform = await start()
    const [name, other] = [await platform.make(), await platform.make()]
    await platform.decide(other, 'deny', platform.ann, { message: 'ask Bob' })
    assert.equal((await platform.find(other))?.status?.message, 'ask Bob')
    await using day = await later(platform, 24 * hourMs - 60_000)
    assert.equal(await stateOf(day, name), undefined)
    await day.clock.advance(91_000)
    assert.deepEqual([await stateOf(day, name), await stateOf(day, other)], ['Expired', 'Denied'])
    const answer = await day.ask('POST', `${path}/${name}/approve`, { token: platform.ann })
    assert.equal(answer.status, 409)
    assert.match(answer.text, /is Expired already/)
  })

  test('is not given back by the sweeper to somebody whose binding was removed', async () => {
    await using platform = await start()
    const name = await platform.make()
    await platform.decide(name, 'approve', platform.ann)
    const [binding] = await platform.bindings()
    await platform.hub.delete(accessRoleBindingKind.ref, { name: binding?.metadata.name ?? '' })
    await platform.clock.advance(61_000)
    assert.deepEqual(await platform.bindings(), [])
    assert.match((await platform.find(name))?.status?.message ?? '', /its binding has been removed/)
  })
})

describe('who decides', () => {
  test('is never the requester, whichever key or session they use, whatever they may do', async () => {
    await using platform = await start()
    const { ann } = platform
    const name = await platform.make(asked, ann)
    const { cookie } = await platform.signIn('ann', 'correct horse battery')
    for (const asking of [{ token: ann }, { token: await platform.keyOf('ann') }, { cookie }]) {
      const answer = await platform.ask('POST', `${path}/${name}/approve`, { ...asking, body: {} })
      assert.equal(answer.status, 403)
      assert.match(answer.text, /nobody approves their own request/)
    }
    assert.equal((await platform.find(name))?.status, undefined)
  })

  test('has the verb approve, and what the role gives, with nothing denied', async () => {
    await using platform = await start()
    await platform.addUser('bob')
    const bob = await platform.keyOf('bob')
    const name = await platform.make()
    assert.equal((await platform.decide(name, 'approve', bob)).status, 404, 'what is somebody else’s is not there')
    assert.deepEqual(((await platform.ask('GET', path, { token: bob })).json() as ElevationPage).items, [])

    await makeRole(platform, 'approver', [{ verbs: ['approve'], apiGroups: ['access.gantry.dev'], resources: ['elevationrequests'] }])
    await bind(platform, 'bob', 'approver')
    const lacking = await platform.decide(name, 'approve', bob)
    assert.equal(lacking.status, 403)
    assert.match(lacking.text, /it would give what they do not have themselves/)
    assert.deepEqual(await platform.bindings(), [])

    await bind(platform, 'bob', 'cluster-viewer')
    assert.equal((await platform.decide(name, 'approve', bob)).status, 200)

    await makeRole(platform, 'no-pods', [{ effect: 'Deny', verbs: ['get'], apiGroups: [''], resources: ['pods'] }])
    const denying = await platform.make({ ...asked, role: 'no-pods' })
    assert.match((await platform.decide(denying, 'approve', bob)).text, /it takes the verb escalate/)
  })

  test('decides once: the second of two, and who withdraws afterwards, get a Conflict', async () => {
    await using platform = await start()
    const { vic, ann } = platform
    const name = await platform.make()
    assert.equal((await platform.decide(name, 'approve', ann)).status, 200)
    for (const [what, token] of [
      ['approve', ann],
      ['deny', ann],
      ['withdraw', vic],
    ] as const) {
      const again = await platform.decide(name, what, token)
      assert.equal(again.status, 409)
      assert.match(again.text, /is Approved already by ann/)
    }
    assert.equal((await platform.bindings()).length, 1)
  })

  test('and whoever withdraws at the same moment: one of both has their way, and a binding is there only for an approval', async () => {
    await using platform = await start()
    const { vic, ann } = platform
    for (const order of [
      ['approve', 'withdraw', 'deny'],
      ['withdraw', 'approve', 'deny'],
      ['deny', 'withdraw', 'approve'],
    ]) {
      const name = await platform.make()
      const answers = await Promise.all(order.map((what) => platform.decide(name, what, what === 'withdraw' ? vic : ann)))
      assert.deepEqual(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 409, 409],
      )
      const phase = (await platform.find(name))?.status?.phase
      const winner = order[answers.findIndex(({ status }) => status === 200)]
      assert.equal(phase, { approve: 'Approved', withdraw: 'Withdrawn', deny: 'Denied' }[winner ?? ''])
      assert.equal((await platform.bindings()).length, phase === 'Approved' ? 1 : 0)
      if (phase === 'Approved') await platform.decide(name, 'end', vic)
    }
  })

  test('does not decide for a user who was made anew under the name', async () => {
    await using platform = await start()
    const name = await platform.make()
    await platform.hub.delete({ ...elevationRequestKind.ref, resource: 'users', kind: 'User' }, { name: 'vic' })
    await settle()
    await platform.addUser('vic')
    const answer = await platform.decide(name, 'approve', platform.ann)
    assert.equal(answer.status, 409)
    assert.match(answer.text, /is gone or disabled/)
  })
})

describe('after a crash', () => {
  /** As the route leaves it between its two writes. */
  async function leaveApproved(platform: Elevation): Promise<string> {
    const name = await platform.make()
    const request = await platform.find(name)
    assert.ok(request)
    const until = new Date(platform.clock.now().getTime() + hourMs).toISOString().replace(/\.\d+Z/, 'Z')
    const status = { phase: 'Approved', decidedBy: 'ann', until } as const
    await platform.hub.update<ElevationRequest>(elevationRequestKind.ref, { ...request, status }, { subresource: 'status' })
    return name
  }

  test('between status and binding, the binding is made when the platform is there again', async () => {
    await using platform = await start()
    const name = await leaveApproved(platform)
    assert.deepEqual(await platform.bindings(), [])
    await using again = await platform.restart()
    await settle()
    assert.equal(await reads(again, platform.vic), 200)
    const { items } = await again.hub.list<AccessRoleBinding>(accessRoleBindingKind.ref, { labelSelector: `access.gantry.dev/elevation-request=${name}` })
    assert.equal(items.length, 1)
    const request = await again.hub.get<ElevationRequest>(elevationRequestKind.ref, { name })
    assert.equal(request.status?.binding, items[0]?.metadata.name)
  })

  test('between the end and the removal of the binding, the binding is removed', async () => {
    await using platform = await start()
    const name = await platform.make()
    await platform.decide(name, 'approve', platform.ann)
    const request = await platform.find(name)
    assert.ok(request)
    await platform.hub.update<ElevationRequest>(
      elevationRequestKind.ref,
      { ...request, status: { ...request.status, phase: 'Ended' } },
      { subresource: 'status' },
    )
    await platform.clock.advance(31_000)
    assert.deepEqual(await platform.bindings(), [])
    assert.equal(await reads(platform, platform.vic), 403)
  })

  test('a binding whose request is gone is removed', async () => {
    await using platform = await start()
    const name = await platform.make()
    await platform.decide(name, 'approve', platform.ann)
    await platform.hub.delete(elevationRequestKind.ref, { name })
    await platform.clock.advance(31_000)
    assert.deepEqual(await platform.bindings(), [])
  })
})

describe('a request', () => {
  test('is for oneself, for an existing role, for 5 minutes to 24 hours, with a reason', async () => {
    await using platform = await start()
    const refused: readonly (readonly [unknown, number, RegExp])[] = [
      [{ ...asked, user: 'ann' }, 400, /asked for oneself/],
      [{ ...asked, role: 'no-such' }, 404, /there is no AccessRole \\"no-such\\"/],
      [{ ...asked, reason: undefined }, 400, /reason/],
      [{ ...asked, reason: '  ' }, 422, /spec\.reason/],
      [{ ...asked, durationSeconds: 299 }, 422, /spec\.durationSeconds/],
      [{ ...asked, durationSeconds: 86_401 }, 422, /spec\.durationSeconds/],
      [{ ...asked, durationSeconds: '3600' }, 400, /durationSeconds/],
      [{ ...asked, cluster: undefined, namespaces: ['shop'] }, 422, /namespaces are those of a cluster/],
    ]
    for (const [body, status, message] of refused) {
      const answer = await platform.ask('POST', path, { token: platform.vic, body })
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.text, message)
    }
    const name = await platform.make({ ...asked, user: 'vic', namespaces: ['shop'] })
    assert.deepEqual((await platform.find(name))?.spec.namespaces, ['shop'])
    assert.equal((await platform.ask('POST', path, { body: asked })).status, 401)

    const { key } = await platform.identities.createKey({ user: 'vic', scope: { tenant: 'acme' } })
    assert.equal((await platform.ask('POST', path, { token: key, body: asked })).status, 403, 'what is limited to a tenant asks for no more')
  })

  test('is one of five that wait at most, also when all are made at once', async () => {
    await using platform = await start()
    const { vic } = platform
    const names = await many(4, () => platform.make())
    const atOnce = await Promise.all([1, 2, 3].map(() => platform.ask('POST', path, { token: vic, body: asked })))
    assert.deepEqual(
      atOnce.map(({ status }) => status).toSorted((a, b) => a - b),
      [201, 429, 429],
    )
    const sixth = await platform.ask('POST', path, { token: vic, body: asked })
    assert.equal(sixth.status, 403)
    assert.match(sixth.text, /5 open requests already/)
    assert.equal((await platform.decide(names[0] ?? '', 'withdraw', vic)).status, 200)
    await platform.make()
  })

  test('that is over is kept among a hundred of its user', async () => {
    await using platform = await start()
    const { vic } = platform
    const names = await many(102, async () => {
      const name = await platform.make()
      await platform.ask('POST', `${path}/${name}/withdraw`, { token: vic })
      await platform.clock.advance(1_000)
      return name
    })
    const { items } = await platform.hub.list<ElevationRequest>(elevationRequestKind.ref)
    assert.equal(items.length, 100)
    assert.ok(!items.some(({ metadata }) => metadata.name === names[0]))
  })

  test('is written by its routes: not by the requester with kubectl, not by who may write all but permissions; its spec by nobody', async () => {
    await using platform = await start()
    const { vic, ann } = platform
    await makeRole(platform, 'writer', [
      { verbs: ['*'], apiGroups: ['access.gantry.dev'], resources: ['elevationrequests', 'elevationrequests/status'] },
      { verbs: ['get'], apiGroups: ['access.gantry.dev'], resources: ['accessroles'] },
    ])
    await bind(platform, 'vic', 'writer')
    const name = await platform.make()
    const object = {
      apiVersion: elevationRequestKind.apiVersion,
      kind: 'ElevationRequest',
      metadata: { name: 'mine' },
      spec: (await platform.find(name))?.spec,
    }
    const patch = { 'content-type': 'application/merge-patch+json' }
    const status = { phase: 'Approved', decidedBy: 'ann', until: '2036-01-01T00:00:00Z' }
    const tries: readonly (readonly [string, string, unknown])[] = [
      ['PATCH', `${kindPath}/${name}/status`, { status }],
      ['PATCH', `${kindPath}/${name}`, { metadata: { labels: { x: 'y' } } }],
      ['POST', kindPath, object],
      ['DELETE', `${kindPath}/${name}`, undefined],
      ['DELETE', kindPath, undefined],
      ['PATCH', `/clusters/local${kindPath}/${name}/status`, { status }],
    ]
    for (const [method, to, body] of tries) {
      const answer = await platform.ask(method, to, { token: vic, body, headers: method === 'PATCH' ? patch : { 'content-type': 'application/json' } })
      assert.equal(answer.status, 403, `${method} ${to}: ${answer.text}`)
      assert.match(answer.text, /it takes the verb escalate on accessroles/)
    }
    assert.equal((await platform.find(name))?.status, undefined)

    await platform.decide(name, 'approve', ann)
    const changed = await platform.ask('PATCH', `${kindPath}/${name}`, { token: ann, body: { spec: { role: 'platform-admin' } }, headers: patch })
    assert.equal(changed.status, 422)
    assert.match(changed.text, /a request cannot be changed/)
  })
})

async function many<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = []
  for (let at = 0; at < count; at++) made.push(await make())
  return made
}
