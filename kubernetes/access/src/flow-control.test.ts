import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiObject, Attributes, FlowTicket } from '@gantry/apiserver'
import { FlowRejected } from '@gantry/apiserver'
import { FakeClock } from '@gantry/runtime/testing'
import { PriorityAndFairness } from './flow-control.ts'

const never = new AbortController().signal

function asking(username: string, asked: Partial<Attributes> & { readonly groups?: readonly string[] } = {}): Attributes {
  const { groups = ['system:authenticated'], ...rest } = asked
  const user = { username, groups }
  return {
    user,
    verb: 'list',
    isResource: true,
    path: '/api/v1/pods',
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: '',
    namespace: undefined,
    name: '',
    ...rest,
  }
}

const level = (name: string, spec: object): ApiObject => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name, uid: `level-${name}`, creationTimestamp: null },
  spec,
})
const limited = (shares: number, queuing?: object): object => ({
  type: 'Limited',
  limited: { nominalConcurrencyShares: shares, lendablePercent: 0, limitResponse: queuing === undefined ? { type: 'Reject' } : { type: 'Queue', queuing } },
})
const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }
const schema = (name: string, priorityLevel: string, precedence: number, rest: { readonly group?: string; readonly rule?: object } = {}): ApiObject => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  metadata: { name, uid: `schema-${name}`, creationTimestamp: null },
  spec: {
    matchingPrecedence: precedence,
    priorityLevelConfiguration: { name: priorityLevel },
    distinguisherMethod: { type: 'ByUser' },
    rules: [{ subjects: [{ kind: 'Group', group: { name: rest.group ?? 'system:authenticated' } }], ...(rest.rule ?? { resourceRules: [everything] }) }],
  },
})

function control(objects: readonly ApiObject[], totalSeats = 2): { readonly clock: FakeClock; readonly flows: PriorityAndFairness } {
  const clock = new FakeClock()
  const flows = new PriorityAndFairness({ clock }, { totalSeats })
  for (const object of objects) flows.set(object)
  return { clock, flows }
}

const one = [level('l', limited(1, { queues: 8, handSize: 2, queueLengthLimit: 2 })), schema('s', 'l', 100)]

describe('priority and fairness', () => {
  test('names who decided, the first schema by precedence whose level exists', async () => {
    const { flows } = control([
      level('l', limited(1)),
      level('e', { type: 'Exempt' }),
      schema('z', 'l', 5),
      schema('b', 'e', 1, { group: 'masters' }),
      schema('a', 'gone', 1),
    ])
    const headers = async (attributes: Attributes): Promise<unknown> => (await flows.enter(attributes, never)).headers

    assert.deepEqual(await headers(asking('jane')), { 'x-kubernetes-pf-flowschema-uid': 'schema-z', 'x-kubernetes-pf-prioritylevel-uid': 'level-l' })
    assert.deepEqual(await headers(asking('root', { groups: ['masters'] })), {
      'x-kubernetes-pf-flowschema-uid': 'schema-b',
      'x-kubernetes-pf-prioritylevel-uid': 'level-e',
    })
    assert.deepEqual(await headers(asking('x', { groups: [] })), {})
  })

  test('lets wait who finds no seat and serves flows in turn', async () => {
    const { flows } = control(one)
    const held = [await flows.enter(asking('busy'), never), await flows.enter(asking('busy'), never)]
    const order: string[] = []
    const waits = ['busy', 'busy', 'quiet'].map(async (user) => {
      const ticket = await flows.enter(asking(user), never)
      order.push(user)
      return ticket
    })
    assert.deepEqual(flows.levels(), [{ name: 'l', seats: 2, running: 2, waiting: 3 }])

    held[0]?.release()
    held[0]?.release()
    await new Promise(setImmediate)
    assert.equal(order.length, 1)
    held[1]?.release()
    await Promise.all(waits.map(async (wait) => (await wait).release()))

    assert.ok(order.indexOf('quiet') < 2, `quiet waited behind all of busy: ${order.join()}`)
    assert.deepEqual(flows.levels(), [{ name: 'l', seats: 2, running: 0, waiting: 0 }])
  })

  test('refuses with 429 when the queues of a flow are full, and after the longest wait', async () => {
    const { flows, clock } = control(one)
    await flows.enter(asking('busy'), never)
    await flows.enter(asking('busy'), never)
    const waiting = [1, 2, 3, 4].map(async () => flows.enter(asking('busy'), never))
    const refused = waiting.map((wait) => assert.rejects(wait, FlowRejected))

    // A hand of two queues with two places each.
    await assert.rejects(async () => flows.enter(asking('busy'), never), FlowRejected)
    assert.equal(flows.levels()[0]?.waiting, 4)
    await clock.advance(15_000)
    await Promise.all(refused)
    assert.equal(flows.levels()[0]?.waiting, 0)
    assert.equal(clock.pending, 0)
  })

  test('forgets who has gone while he waited', async () => {
    const { flows, clock } = control(one)
    const held = [await flows.enter(asking('a'), never), await flows.enter(asking('a'), never)]
    const caller = new AbortController()
    const gone = assert.rejects(async () => flows.enter(asking('a'), caller.signal), FlowRejected)
    caller.abort()
    await gone

    for (const ticket of held) ticket?.release()
    assert.deepEqual([flows.levels()[0]?.running, flows.levels()[0]?.waiting, clock.pending], [0, 0, 0])
  })

  test('refuses at once at a level without queues, and never at an exempt one', async () => {
    const { flows } = control([level('l', limited(1)), level('e', { type: 'Exempt' }), schema('s', 'l', 100), schema('m', 'e', 1, { group: 'masters' })], 1)
    await flows.enter(asking('a'), never)

    await assert.rejects(async () => flows.enter(asking('b'), never), FlowRejected)
    for (let i = 0; i < 50; i++) await flows.enter(asking('root', { groups: ['masters'] }), never)
  })

  test('lends idle seats of one level to another, as many as it may lend', async () => {
    const lending = { type: 'Limited', limited: { nominalConcurrencyShares: 1, lendablePercent: 50, limitResponse: { type: 'Reject' } } }
    const { flows } = control([level('l', limited(1)), level('x', lending), schema('s', 'l', 100), schema('t', 'x', 1, { group: 'x' })], 8)
    const tickets: FlowTicket[] = []
    for (let i = 0; i < 6; i++) tickets.push(await flows.enter(asking('a'), never))

    await assert.rejects(async () => flows.enter(asking('a'), never), FlowRejected)
    tickets[0]?.release()
    await flows.enter(asking('a'), never)
  })

  test('matches paths with what lies below them, and namespaces by name', async () => {
    const { flows } = control([
      level('e', { type: 'Exempt' }),
      schema('paths', 'e', 1, { rule: { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }] } }),
      schema('kube', 'e', 2, { rule: { resourceRules: [{ ...everything, clusterScope: false, namespaces: ['kube-system'] }] } }),
    ])
    const matched = async (attributes: Attributes): Promise<string | undefined> =>
      (await flows.enter(attributes, never)).headers['x-kubernetes-pf-flowschema-uid']
    const path = (name: string, verb = 'get'): Attributes => asking('a', { isResource: false, path: name, verb })

    assert.equal(await matched(path('/healthz/etcd')), 'schema-paths')
    assert.equal(await matched(path('/healthzz')), undefined)
    assert.equal(await matched(path('/healthz', 'post')), undefined)
    assert.equal(await matched(asking('a', { namespace: 'kube-system' })), 'schema-kube')
    assert.equal(await matched(asking('a')), undefined)
  })
})
