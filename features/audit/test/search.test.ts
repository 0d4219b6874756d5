import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { filterQuery, parseFilter, type AuditFilter, type AuditRecord } from '@gantry/audit/api'
import type { AuditLog } from '@gantry/audit/server'
import type { AuditEvent } from '@gantry/gateway'
import { event, never, openLog, scratchFolder, searchOf, timeOf, writeAll } from './scratch.ts'

/** 300 requests, a second apart, over many small segments: users in turn, one rare one in the middle. */
async function writeStory(log: AuditLog): Promise<readonly AuditEvent[]> {
  const story = Array.from({ length: 300 }, (_, n) =>
    event({
      time: timeOf(n),
      auditID: `id-${n}`,
      user: n === 150 ? 'mallory' : `user-${n % 3}`,
      cluster: n % 2 === 0 ? 'local' : 'prod',
      verb: n % 5 === 0 ? 'delete' : 'get',
      name: `pod-${n}`,
      status: n % 50 === 0 ? 403 : 200,
      decision: n % 50 === 0 ? 'deny' : 'allow',
      userAgent: n === 42 ? 'curl/8 "quoted" 工具' : 'kubectl',
      recording: n === 77 ? 'id-77' : undefined,
      query: n === 7 ? 'labelSelector=user%3Dmallory' : undefined,
    }),
  )
  for (let from = 0; from < story.length; from += 10) await writeAll(log, story.slice(from, from + 10))
  return story
}

async function all(log: AuditLog, filter: AuditFilter, limit = 7): Promise<string[]> {
  const search = searchOf(log)
  const found: AuditRecord[] = []
  let token: string | undefined
  do {
    const page = await search.page(filter, { limit, token, signal: never })
    found.push(...page.items)
    token = page.continue
  } while (token !== undefined)
  return found.filter((record) => record.note === undefined).map(({ auditID }) => auditID)
}

describe('a search', () => {
  const cases: readonly (readonly [name: string, AuditFilter, (one: AuditEvent, n: number) => boolean])[] = [
    ['nothing asked', {}, () => true],
    ['a user', { user: 'user-1' }, ({ user }) => user === 'user-1'],
    ['a rare user', { user: 'mallory' }, ({ user }) => user === 'mallory'],
    ['nobody', { user: 'mallor' }, () => false],
    ['a name of Object.prototype', { user: 'constructor' }, () => false],
    ['a cluster and a verb', { cluster: 'prod', verb: 'delete' }, ({ cluster, verb }) => cluster === 'prod' && verb === 'delete'],
    ['an object', { namespace: 'shop', resource: 'pods', name: 'pod-9' }, ({ name }) => name === 'pod-9'],
    ['what was denied', { decision: 'deny' }, ({ decision }) => decision === 'deny'],
    ['a code', { status: '403' }, ({ status }) => status === 403],
    ['a class of codes', { status: '2xx' }, ({ status }) => status === 200],
    ['a text with quotes and characters', { text: '"quoted" 工具' }, (_, n) => n === 42],
    ['a text that is the name of a field', { text: 'userAgent' }, () => false],
    ['what was recorded', { recorded: true }, ({ recording }) => recording !== undefined],
    ['a time range', { since: timeOf(100), until: timeOf(120) }, (_, n) => n >= 100 && n < 120],
    ['a user in a time range', { user: 'user-0', since: timeOf(290) }, ({ user }, n) => user === 'user-0' && n >= 290],
  ]
  test('finds exactly what fits, newest first, page by page', async () => {
    await using dir = await scratchFolder()
    await using log = await openLog(dir.path, { segmentBytes: 4_000 })
    const story = await writeStory(log)
    assert.ok(log.segments.length > 20)
    for (const [name, filter, fits] of cases) {
      const expected = story
        .filter(fits)
        .map(({ auditID }) => auditID)
        .reverse()
      assert.deepEqual(await all(log, filter), expected, name)
      assert.deepEqual(await all(log, filter, 500), expected, `${name}, in one page`)
    }
  })

  test('goes on where it was while more is written and old segments leave', async () => {
    await using dir = await scratchFolder()
    await using log = await openLog(dir.path, { segmentBytes: 4_000, retention: { maxAgeMs: Number.MAX_SAFE_INTEGER, maxBytes: 40_000 } })
    const story = await writeStory(log)
    const search = searchOf(log)
    const first = await search.page({ cluster: 'prod' }, { limit: 5, signal: never })
    await writeAll(log, [event({ cluster: 'prod', auditID: 'new' })])
    const second = await search.page({ cluster: 'prod' }, { limit: 5, token: first.continue, signal: never })

    assert.deepEqual(
      [...first.items, ...second.items].map((record) => (record.note === undefined ? record.auditID : undefined)),
      story
        .filter(({ cluster }) => cluster === 'prod')
        .map(({ auditID }) => auditID)
        .reverse()
        .slice(0, 10),
    )
    for (let more = 0; more < 30; more++)
      await writeAll(
        log,
        Array.from({ length: 10 }, () => event({ cluster: 'other' })),
      )
    const gone = await search.page({ cluster: 'prod' }, { limit: 5, token: second.continue, signal: never })
    assert.deepEqual(gone, { items: [] }, 'the records are gone, and that is no error')
  })

  test('refuses a continue token of another search, and what is none', async () => {
    await using dir = await scratchFolder()
    await using log = await openLog(dir.path, { segmentBytes: 4_000 })
    await writeStory(log)
    const search = searchOf(log)
    const { continue: token } = await search.page({ user: 'user-0' }, { limit: 1, signal: never })
    for (const [filter, given] of [
      [{ user: 'user-1' }, token],
      [{ user: 'user-0' }, 'x'],
      [{ user: 'user-0' }, token?.slice(2)],
    ] as const)
      await assert.rejects(search.page(filter, { limit: 1, token: given, signal: never }), /"continue" is not of this search/)
  })

  test('ends when whoever asked has gone', async () => {
    await using dir = await scratchFolder()
    await using log = await openLog(dir.path)
    await writeStory(log)

    await assert.rejects(searchOf(log).page({}, { limit: 1, signal: AbortSignal.abort(new Error('gone')) }), /gone/)
  })
})

describe('the parameters of a search', () => {
  test('survive the way to the server', () => {
    const filter: AuditFilter = { user: 'a b', text: '&=%', status: '4xx', since: '2026-01-01T00:00:00.000Z', recorded: true }

    assert.deepEqual(JSON.parse(JSON.stringify(parseFilter(new URLSearchParams(filterQuery(filter).toString())))), filter)
  })

  for (const [query, message] of [
    ['status=4x', /"status" is a code like 403 or a class like 4xx/],
    ['since=yesterday', /"since" is no time/],
    [`user=${'x'.repeat(600)}`, /"user" is longer than 512 characters/],
  ] as const) {
    test(`refuse ${query.slice(0, 20)}`, () => {
      assert.throws(
        () => parseFilter(new URLSearchParams(query)),
        (error) => error instanceof StatusError && error.reason === 'BadRequest' && message.test(error.message),
      )
    })
  }
})
