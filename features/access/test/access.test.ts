import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accessRoleBindingKind, apiKeyKind, sessionKind, signInPolicyKind, userKind, type Session, type SignInPolicy, type User } from '@gantry/access/api'
import { loadKubeconfig } from '@gantry/client'
import { readBody } from '@gantry/runtime'
import { password, settle, startTestPlatform } from './test-platform.ts'

const minute = 60_000
const hour = 60 * minute

describe('signing in', () => {
  test('opens a session that the cookie alone proves, and tells who it is', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')

    const { status, cookie, headers, json } = await platform.signIn('ann', password)

    assert.equal(status, 200)
    assert.deepEqual((json() as { user: unknown }).user, { name: 'ann', displayName: 'ann', roles: ['platform-admin'] })
    for (const one of headers['set-cookie'] ?? []) assert.match(one, /^__Host-[a-z-]+=[^;]*; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/)
    assert.match(String(headers['set-cookie']), /^__Host-gantry-session=[^;]+;[^,]* Max-Age=(?:604800|604799),/)
    assert.equal((await platform.ask('GET', '/auth/session', { cookie })).status, 200)
    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { cookie })).status, 200)
    assert.equal((await platform.ask('GET', '/auth/session')).status, 401)
  })

  test('says the same for a wrong password and for a user who is not there', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')

    const wrong = await platform.signIn('ann', 'not the password')
    const nobody = await platform.signIn('nobody', 'not the password')

    assert.equal(wrong.status, 401)
    assert.equal(wrong.text, nobody.text)
    assert.equal(wrong.cookie, undefined)
  })

  test('is refused from another page, with and without a session', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const body = { username: 'ann', password }

    const plain = await platform.ask('POST', '/auth/login', { body })
    const foreign = await platform.ask('POST', '/auth/login', { body, headers: { 'x-gantry-request': 'console', origin: 'https://evil.example' } })

    assert.equal(plain.status, 403)
    assert.equal(foreign.status, 403)
  })

  test('slows down a guesser and nobody else', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    for (let i = 0; i < 5; i++) assert.equal((await platform.signIn('ann', `guess ${i} guess`)).status, 401)

    const locked = await platform.signIn('ann', password)
    const elsewhere = await platform.signIn('ann', password, '192.0.2.9')
    await platform.clock.advance(16_000)
    const later = await platform.signIn('ann', password)

    assert.equal(locked.status, 429)
    assert.equal(locked.headers['retry-after'], '15')
    assert.equal(elsewhere.status, 200)
    assert.equal(later.status, 200)
  })

  test('of a disabled user fails, and disabling ends what is open', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { cookie } = await platform.signIn('ann', password)
    const key = await platform.keyOf('ann')
    await platform.hub.patch<User>(userKind.ref, { name: 'ann' }, { type: 'merge', body: { spec: { disabled: true } } })
    await settle()

    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { cookie })).status, 401)
    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: key })).status, 401)
    assert.equal((await platform.signIn('ann', password)).status, 401)
  })
})

describe('a session', () => {
  test('survives a restart', async () => {
    await using first = await startTestPlatform()
    await first.addUser('ann', 'admin')
    const { cookie } = await first.signIn('ann', password)

    await using second = await first.restart()

    assert.equal((await second.ask('GET', '/auth/session', { cookie })).status, 200)
  })

  test('is nowhere stored but as a hash', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { cookie = '' } = await platform.signIn('ann', password)
    const key = await platform.keyOf('ann')

    const stored = (await platform.stored()).map(({ value }) => value)
    for (const secret of [cookie.split('.')[1] ?? '', key.split('_').slice(2).join('_'), password]) {
      assert.ok(secret.length > 10)
      assert.ok(!stored.some((text) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64'))))
    }
  })

  test('ends when it has been idle, and after its time however busy', async () => {
    await using platform = await startTestPlatform()
    await platform.hub.create<SignInPolicy>(signInPolicyKind.ref, {
      apiVersion: signInPolicyKind.apiVersion,
      kind: signInPolicyKind.kind,
      metadata: { name: 'default' },
      spec: { session: { idleMinutes: 10, absoluteHours: 1 } },
    })
    await settle()
    await platform.addUser('ann', 'admin')
    const idle = await platform.signIn('ann', password)
    const busy = await platform.signIn('ann', password)
    const visit = async (cookie: string | undefined): Promise<number> => (await platform.ask('GET', '/auth/session', { cookie })).status

    for (let passed = 0; passed < 18; passed += 6) {
      await platform.clock.advance(6 * minute)
      assert.equal(await visit(busy.cookie), 200)
    }
    const idleAfter = await visit(idle.cookie)
    for (let passed = 18; passed < 60; passed += 6) {
      assert.equal(await visit(busy.cookie), 200)
      await platform.clock.advance(6 * minute)
    }

    assert.equal(idleAfter, 401)
    assert.equal(await visit(busy.cookie), 401)
    assert.equal((await platform.hub.list(sessionKind.ref)).items.length, 0, 'what has ended is removed')
  })

  test('ends at once with its watch when it signs out', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { cookie } = await platform.signIn('ann', password)
    const watch = await platform.open('/api/v1/namespaces?watch=true', { cookie })
    const toTheEnd = async (): Promise<void> => {
      for await (const _ of readBody(watch)) {
        // only its end matters
      }
    }
    const ended = assert.rejects(toTheEnd, /revoked/)
    await settle()

    const out = await platform.ask('POST', '/auth/logout', { cookie })

    assert.equal(out.status, 204)
    await ended
    assert.equal((await platform.ask('GET', '/auth/session', { cookie })).status, 401)
  })

  test('ends at once when its object is deleted, by whatever way', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { cookie } = await platform.signIn('ann', password)
    const [session] = (await platform.hub.list<Session>(sessionKind.ref)).items
    await platform.hub.delete(sessionKind.ref, { name: session?.metadata.name ?? '' })
    await settle()

    assert.equal((await platform.ask('GET', '/auth/session', { cookie })).status, 401)
  })

  test('cannot be used with a guessed or cut secret', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { cookie = '' } = await platform.signIn('ann', password)
    const [name] = cookie.split('.')

    for (const forged of [`${name}.`, `${name}`, `${name}.${'A'.repeat(43)}`, cookie.slice(0, -1), `.${cookie}`, '']) {
      assert.equal((await platform.ask('GET', '/api/v1/namespaces', { cookie: forged })).status, 401, forged)
    }
  })

  test('does not write without the header of the console', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { cookie } = await platform.signIn('ann', password)
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } }

    assert.equal((await platform.ask('POST', '/api/v1/namespaces', { cookie, body, headers: { 'x-gantry-request': undefined } })).status, 403)
    assert.equal((await platform.ask('POST', '/api/v1/namespaces', { cookie, body })).status, 201)
  })
})

describe('an API key', () => {
  test('works as its user until it expires', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const created = await platform.ask('POST', '/platform/v1/apikeys', { token: await platform.keyOf('ann'), body: { expiresInSeconds: 3_600 } })
    const { key } = created.json() as { key: string }

    const before = await platform.ask('GET', '/api/v1/namespaces', { token: key })
    await platform.clock.advance(hour)
    const after = await platform.ask('GET', '/api/v1/namespaces', { token: key })

    assert.equal(created.status, 201)
    assert.match(key, /^gantry_[a-z0-9]{10}_[A-Za-z0-9_-]{43}$/)
    assert.equal(before.status, 200)
    assert.equal(after.status, 401)
  })

  test('ends at once when it is deleted', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const key = await platform.keyOf('ann')
    await platform.hub.delete(apiKeyKind.ref, { name: key.split('_')[1] ?? '' })
    await settle()

    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: key })).status, 401)
  })

  test('is not told whether its name or its secret is wrong', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const key = await platform.keyOf('ann')

    const wrongSecret = await platform.ask('GET', '/api', { token: `${key.slice(0, -3)}xyz` })
    const wrongName = await platform.ask('GET', '/api', { token: 'gantry_bbbbbbbbbb_secret' })
    const cut = await platform.ask('GET', '/api', { token: 'gantry_' })

    assert.equal(wrongSecret.status, 401)
    assert.equal(wrongSecret.text, wrongName.text)
    assert.equal(cut.text, wrongName.text)
  })

  test('of somebody else is made by an admin only', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('vic', 'viewer')

    const byViewer = await platform.ask('POST', '/platform/v1/apikeys', { token: await platform.keyOf('vic'), body: { user: 'ann' } })
    const byAdmin = await platform.ask('POST', '/platform/v1/apikeys', { token: await platform.keyOf('ann'), body: { user: 'vic' } })

    assert.equal(byViewer.status, 403)
    assert.equal(byAdmin.status, 201)
  })

  test('counts when it is used, at most every five minutes in the store', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const token = await platform.keyOf('ann')
    for (let i = 0; i < 10; i++) await platform.ask('GET', '/api', { token })
    await settle()
    const before = platform.written()
    for (let i = 0; i < 10; i++) await platform.ask('GET', '/api', { token })
    await settle()
    const same = platform.written()
    await platform.clock.advance(6 * minute)
    await platform.ask('GET', '/api', { token })
    await settle()

    assert.equal(same, before)
    assert.equal(platform.written(), before + 1)
  })
})

describe('roles', () => {
  const reads = [
    '/api/v1/namespaces',
    '/api/v1/pods',
    '/apis/apps/v1/deployments',
    '/version',
    '/clusters/local/api/v1/nodes',
    '/apis/access.gantry.dev/v1alpha1/users',
  ]
  const refused = [
    '/api/v1/secrets',
    '/api/v1/namespaces/default/secrets',
    '/api/v1/namespaces/default/secrets/x',
    '/api/v1/watch/secrets',
    '/api/v1/watch/namespaces/default/secrets/x',
    '/clusters/local/api/v1/secrets',
    '/clusters/local/api/v1/namespaces/gantry-system/secrets/user-ann',
    '/api/v1/%73ecrets',
    '/api/v1/namespaces/default%2fsecrets',
    '/api/v1//secrets',
    '/api//v1/secrets',
    '/api/v1/secrets;x',
    '/api/v1/secrets%253b',
    '/api/v1/namespaces/default/pods/x/exec?command=sh',
    '/api/v1/namespaces/default/pods/x/attach',
    '/api/v1/namespaces/default/pods/x/portforward',
    '/api/v1/namespaces/default/pods/x/proxy/',
    '/api/v1/namespaces/default/services/x/proxy/',
    '/api/v1/nodes/x/proxy/',
    '/api/v1/proxy/nodes/x/',
    '/apis/access.gantry.dev/v1alpha1/sessions',
    '/apis/access.gantry.dev/v1alpha1/apikeys/x',
    '/metrics',
    '/logs/x',
  ]

  test('a viewer reads everything but secrets, and writes nothing', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('vic', 'viewer')
    const token = await platform.keyOf('vic')
    const statusOf = async (method: string, path: string): Promise<number> => (await platform.ask(method, path, { token })).status

    for (const path of reads) assert.equal(await statusOf('GET', path), 200, path)
    for (const path of refused) assert.equal(await statusOf('GET', path), 403, path)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) assert.equal(await statusOf(method, '/api/v1/namespaces/default'), 403, method)
    assert.equal(await statusOf('POST', '/platform/v1/users'), 403)
    assert.equal(await statusOf('POST', '/platform/v1/users/vic/password'), 403)
    assert.equal(await statusOf('POST', '/platform/v1/clusters/import'), 404)
  })

  test('a change of role counts at once', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const token = await platform.keyOf('ann')
    const before = await platform.ask('GET', '/api/v1/secrets', { token })
    await platform.hub.patch(accessRoleBindingKind.ref, { name: 'platform-admin-ann' }, { type: 'merge', body: { spec: { role: 'platform-viewer' } } })
    await settle()

    assert.equal(before.status, 200)
    assert.equal((await platform.ask('GET', '/api/v1/secrets', { token })).status, 403)
  })
})

describe('users', () => {
  test('are made with a random password that works once, and then have one of their own', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const token = await platform.keyOf('ann')

    const created = await platform.ask('POST', '/platform/v1/users', { token, body: { name: 'vic', role: 'platform-viewer' } })
    const { password: random } = created.json() as { password: string }
    const first = await platform.signIn('vic', random)

    assert.equal(created.status, 201)
    assert.equal(first.status, 200)
    assert.equal((first.json() as { next: string }).next, 'changePassword')
    assert.equal(first.cookie, undefined)
  })

  test('whose password is set are signed out everywhere', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('vic', 'viewer')
    const token = await platform.keyOf('ann')
    const session = await platform.signIn('vic', password)
    assert.equal((await platform.ask('GET', '/auth/session', { cookie: session.cookie })).status, 200)

    const short = await platform.ask('POST', '/platform/v1/users/vic/password', { token, body: { password: 'short' } })
    const changed = await platform.ask('POST', '/platform/v1/users/vic/password', { token, body: { password: 'another long one' } })

    assert.equal(short.status, 422)
    assert.equal(changed.status, 200)
    assert.equal((await platform.ask('GET', '/auth/session', { cookie: session.cookie })).status, 401)
    assert.equal((await platform.signIn('vic', password)).status, 401)
    assert.equal((await platform.signIn('vic', 'another long one')).status, 200)
  })

  test('cannot be made twice, nor with a name that means something else', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const token = await platform.keyOf('ann')
    const create = async (name: string): Promise<number> =>
      (await platform.ask('POST', '/platform/v1/users', { token, body: { name, role: 'platform-viewer' } })).status

    assert.equal(await create('ann'), 409)
    for (const name of ['system:masters', 'a/b', '', '..', 'A', 'a b']) assert.equal(await create(name), 422, name)
    assert.equal((await platform.signIn('ann', password)).status, 200, 'the password of the one who is there is untouched')
  })
})

test('a kubeconfig works for kubectl where it was downloaded, and says whose it is', async () => {
  await using platform = await startTestPlatform()
  await platform.addUser('vic', 'viewer')
  const { cookie } = await platform.signIn('vic', password)

  const answer = await platform.ask('POST', '/platform/v1/kubeconfig', { cookie, headers: { host: 'ops.example:7443', origin: 'https://ops.example:7443' } })
  const target = loadKubeconfig(answer.text)

  assert.equal(answer.status, 200)
  assert.equal(target.transport.server, 'https://ops.example:7443/clusters/local')
  assert.equal(target.user, 'gantry-vic')
  assert.equal((await platform.ask('GET', '/clusters/local/api/v1/pods', { token: target.transport.token?.() })).status, 200)
  assert.ok(!JSON.stringify(platform.audit).includes(target.transport.token?.() ?? '?'))
})
