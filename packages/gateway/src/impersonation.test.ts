import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { openHttpTransport } from '@gantry/client'
import { systemClock } from '@gantry/runtime'
import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { impersonationHeaders } from './impersonation.ts'
import { createMemberConnection } from './member-connection.ts'

const ann: UserInfo = { username: 'ann', uid: 'u-1', groups: ['devs', 'a, system:masters'] }

function refusal(user: Partial<UserInfo>): string {
  try {
    impersonationHeaders({ ...ann, ...user })
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`it was made of ${JSON.stringify(user)}`)
}

describe('the headers that tell a member who asks', () => {
  test('carry user and groups with a prefix, each group by itself', () => {
    assert.deepEqual(impersonationHeaders(ann), {
      'impersonate-user': 'gantry:ann',
      'impersonate-uid': 'u-1',
      'impersonate-group': ['gantry:devs', 'gantry:a, system:masters'],
    })
  })

  test("never carry a group of Kubernetes' own, in any spelling, nor a user that is one of its accounts", () => {
    const groups = ['system:masters', 'System:Masters', ' system:masters', 'system:authenticated', 'system:serviceaccounts']
    assert.deepEqual(impersonationHeaders({ username: 'system:admin', groups }), { 'impersonate-user': 'gantry:system:admin' })
    assert.equal(
      impersonationHeaders({ username: 'system:serviceaccount:kube-system:x', groups: [] })['impersonate-user'],
      'gantry:system:serviceaccount:kube-system:x',
    )
    assert.equal(impersonationHeaders({ username: 'gantry:ann', groups: [] })['impersonate-user'], 'gantry:gantry:ann')
  })

  test('are refused for values with a second reading', () => {
    for (const evil of [
      'a\nImpersonate-Group: system:masters',
      'a\r\nb',
      'a\0b',
      'a\tb',
      'a\u0085b',
      'a\u2028b',
      'a\u007f',
      '\ud800',
      '',
      ' ',
      'a ',
      'a\u00a0',
      ' a',
      'a\ufeff',
      'x'.repeat(2_000),
    ]) {
      assert.match(refusal({ groups: [evil] }), /a group of the user (has a control|begins or ends|is no Unicode|is empty|is longer)/, JSON.stringify(evil))
      assert.match(refusal({ username: evil }), /the name of the user /, JSON.stringify(evil))
      assert.match(refusal({ extra: { 'example.org/a': [evil] } }), /a value of its extra /, JSON.stringify(evil))
      if (evil !== '') assert.match(refusal({ uid: evil }), /the uid of the user /, JSON.stringify(evil))
    }
    assert.match(refusal({ groups: Array.from({ length: 1_000 }, (_, i) => `a group with a long name ${i}`) }), /longer than 24576 bytes together/)
  })

  test('escape every byte of a key of extra that no header may have, and refuse keys that would become one', () => {
    const { 'impersonate-user': _, ...extra } = impersonationHeaders({
      username: 'ann',
      groups: [],
      extra: { 'example.org/a: b\r\nx': ['1', '2'], 'ü%': ['ä'] },
    })
    assert.deepEqual(extra, { 'impersonate-extra-example.org%2fa%3a%20b%0d%0ax': ['1', '2'], 'impersonate-extra-%c3%bc%25': ['Ã¤'] })
    for (const key of ['', 'Scopes', '\ud800', 'x'.repeat(2_000)]) assert.match(refusal({ extra: { [key]: ['a'] } }), /a key of its extra /)
  })
})

describe('a member that is told who asks', () => {
  /** What arrives on its socket. */
  async function seenBy(request: Partial<HttpRequest>): Promise<{ readonly status: number; readonly raw: readonly string[] | undefined }> {
    let raw: readonly string[] | undefined
    const server = createServer((incoming, answer) => {
      raw = incoming.rawHeaders
      answer.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await using transport = openHttpTransport(
      { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: () => 'stored' },
      { clock: systemClock },
    )
    try {
      const connection = createMemberConnection({ clock: systemClock, transport }, { name: 'm', impersonates: true })
      const { signal } = new AbortController()
      const { status, body } = await connection.handle({ method: 'GET', path: '/api', query: '', headers: {}, signal, ...request })
      if (typeof body === 'function') await body({ write: () => true, drained: () => Promise.resolve(), signal } as never)
      return { status, raw }
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  test('gets each group on a line of its own, in UTF-8, beside the stored credential', async () => {
    const { status, raw = [] } = await seenBy({
      user: { ...ann, groups: [...ann.groups, 'Prüfer'] },
      headers: { authorization: 'Bearer of-ann', 'x-remote-user': 'bob' },
    })
    const lines = raw.flatMap((name, at) =>
      at % 2 === 0 && /^(?:impersonate|authorization|x-remote)/i.test(name) ? [`${name.toLowerCase()}: ${Buffer.from(raw[at + 1]!, 'latin1').toString()}`] : [],
    )
    assert.equal(status, 200)
    assert.deepEqual(lines.toSorted(), [
      'authorization: Bearer stored',
      'impersonate-group: gantry:Prüfer',
      'impersonate-group: gantry:a, system:masters',
      'impersonate-group: gantry:devs',
      'impersonate-uid: u-1',
      'impersonate-user: gantry:ann',
    ])
  })

  test('gets no request without a user, of one who cannot be told, or that names somebody itself', async () => {
    for (const request of [
      {},
      { user: { ...ann, username: 'ann\n' } },
      { user: ann, headers: { 'impersonate-user': 'bob' } },
      { user: ann, headers: { 'impersonate_extra-a': 'b' } },
    ])
      assert.deepEqual(await seenBy(request), { status: 403, raw: undefined })
  })
})
