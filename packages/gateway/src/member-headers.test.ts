import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { HttpHeaders, HttpRequest } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { createMemberConnection } from './member-connection.ts'
import { headersForMember, headersFromMember } from './member-headers.ts'

const identities: HttpHeaders = {
  authorization: 'Bearer gantry_a_b',
  cookie: '__Host-gantry-session=a.b',
  'proxy-authorization': 'Basic eDp5',
  'x-remote-user': 'admin',
  'x-remote-group': 'system:masters',
  'x-remote-extra-a': 'b',
  x_remote_user: 'admin',
  'x-forwarded-for': '1.2.3.4',
  'x-forwarded-user': 'admin',
  'x-forwarded-client-cert': 'x',
  forwarded: 'for=1.2.3.4',
  'x-gantry-request': 'console',
  origin: 'https://localhost',
  referer: 'https://localhost/console/',
  'x-original-user': 'admin',
  te: 'trailers',
  trailer: 'Impersonate-User',
  'keep-alive': 'timeout=5',
  'proxy-connection': 'keep-alive',
}

describe('headers to a member', () => {
  test('hold nothing of the caller that could be an identity, in no spelling', () => {
    const headers = headersForMember({ ...identities, accept: 'application/json', 'user-agent': 'kubectl' }, { isUpgrade: false })

    assert.deepEqual(headers, { accept: 'application/json', 'user-agent': 'kubectl' })
  })

  test('leave out what Connection names, and Connection itself', () => {
    const headers = headersForMember({ connection: 'close, Accept, Authorization', accept: 'x', authorization: 'y', 'user-agent': 'z' }, { isUpgrade: false })

    assert.deepEqual(headers, { 'user-agent': 'z' })
  })

  test('of an upgrade carry the protocols without the token that browsers hide among them', () => {
    const headers = headersForMember(
      {
        ...identities,
        connection: 'Upgrade, Authorization',
        upgrade: 'websocket',
        'sec-websocket-key': 'k',
        'sec-websocket-protocol': 'v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.Z2FudHJ5',
      },
      { isUpgrade: true },
    )

    assert.deepEqual(headers, { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'k', 'sec-websocket-protocol': 'v5.channel.k8s.io' })
  })

  test('of an answer set no cookie in the console and open it to no other origin', () => {
    const headers = headersFromMember({
      'content-type': 'text/html',
      'set-cookie': ['__Host-gantry-session=x'],
      'access-control-allow-origin': '*',
      'x-a': 'b',
    })

    assert.deepEqual(headers, { 'content-type': 'text/html', 'x-a': 'b' })
  })
})

describe('a member connection', () => {
  function request(headers: HttpHeaders, signal = new AbortController().signal): HttpRequest {
    return { method: 'POST', path: '/api', query: '', headers, signal, body: bodyOf('{}') }
  }

  for (const name of ['impersonate-user', 'impersonate-group', 'impersonate-uid', 'impersonate-extra-scopes', 'impersonate_user']) {
    test(`refuses ${name} instead of running the request with more rights than it asks for`, async () => {
      let reached = false
      const member = createMemberConnection(
        {
          clock: new FakeClock(),
          transport: {
            handle() {
              reached = true
              return Promise.resolve({ status: 200, headers: {} })
            },
            upgrade: () => Promise.resolve(),
          },
        },
        { name: 'prod' },
      )

      const response = await member.handle(request({ [name]: 'root' }))

      assert.equal(response.status, 403)
      assert.equal(reached, false)
    })
  }

  test('answers 503 with its name at its deadline, even when the transport never gives up', async () => {
    const clock = new FakeClock()
    const member = createMemberConnection(
      { clock, transport: { handle: () => new Promise(() => {}), upgrade: () => Promise.resolve() } },
      { name: 'prod', headersTimeoutMs: 30_000 },
    )
    const answer = member.handle(request({}))
    await clock.advance(30_000)
    const response = await answer

    assert.equal(response.status, 503)
    assert.match((await readWholeBody(response)).toString(), /cluster \\"prod\\" did not answer within 30 s/)
    assert.equal(clock.pending, 0)
  })

  test('puts no deadline on a stream once its headers are here, and ends it when the caller goes', async () => {
    const clock = new FakeClock()
    const seen = Promise.withResolvers<AbortSignal>()
    const caller = new AbortController()
    const member = createMemberConnection(
      {
        clock,
        transport: {
          handle(inner) {
            seen.resolve(inner.signal)
            return Promise.resolve({ status: 200, headers: {}, body: () => new Promise(() => {}) })
          },
          upgrade: () => Promise.resolve(),
        },
      },
      { name: 'prod', headersTimeoutMs: 1_000 },
    )
    await member.handle(request({}, caller.signal))
    const signal = await seen.promise
    await clock.advance(60_000)
    const before = signal.aborted
    caller.abort()
    await settle()

    assert.equal(before, false)
    assert.equal(signal.aborted, true)
  })
})
