import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  accessRoleBindingKind,
  accessRoleKind,
  apiKeyKind,
  identityProviderKind,
  sessionKind,
  userKind,
  type AccessRole,
  type AccessRoleBinding,
  type IdentityProvider,
  type ProviderTest,
  type Session,
  type SessionInfo,
  type User,
} from '@gantry/access/api'
import type { ResourceRef } from '@gantry/client'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { FakeOidcProvider, json } from './fake-oidc-provider.ts'
import { password, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }

type Spec = IdentityProvider['spec']

interface World extends AsyncDisposable {
  /** Of the IdentityProvider. */
  readonly name: string
  /** Of the User that a sign-in makes. */
  readonly user: string
  readonly platform: TestPlatform
  readonly idp: FakeOidcProvider
  /** Goes to the provider and comes back; the browser keeps what it is given. */
  signIn(options?: { readonly next?: string }): Promise<SignedIn>
}

interface SignedIn {
  readonly begun: Answer
  /** The callback with its query. */
  readonly callback: string
  readonly answer: Answer
  /** Of the session. */
  readonly cookie: string | undefined
  readonly attempt: string
}

const oidc = (server: FakeOidcProvider, clientSecret: string): NonNullable<Spec['oidc']> => ({ issuer: server.issuer, clientID: server.clientID, clientSecret })

async function writeProvider(platform: TestPlatform, name: string, spec: Spec): Promise<void> {
  const { apiVersion, kind, ref } = identityProviderKind
  await platform.hub.create<IdentityProvider>(ref, { apiVersion, kind, metadata: { name }, spec })
  await settle()
}

async function writeSecret(platform: TestPlatform, name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
  const data = Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
  await platform.hub.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'gantry-system' }, data } as never)
}

function setCookie(answer: Answer, name: string): string | undefined {
  const all = answer.headers['set-cookie']
  return (Array.isArray(all) ? all : [])
    .map((text: string) => new RegExp(`^${name}=([^;]*);`).exec(text)?.[1])
    .find((value) => value !== undefined && value !== '')
}

/** One platform and one provider's server for all tests; an IdentityProvider of its own for each, so that none sees the users of another. */
const clock = new FakeClock()
let platform: TestPlatform
let idp: FakeOidcProvider
let worlds = 0
before(async () => {
  idp = await FakeOidcProvider.create(clock)
  platform = await startTestPlatform({ clock, outbound: idp.outbound })
})
after(() => platform[Symbol.asyncDispose]())

async function world(spec: Partial<Spec> = {}): Promise<World> {
  const name = `corp${++worlds}`
  idp.reset()
  platform.audit.length = 0
  await writeSecret(platform, name, { 'client-secret': idp.clientSecret })
  await writeProvider(platform, name, { type: 'OIDC', createUsers: true, oidc: oidc(idp, name), ...spec })
  return {
    name,
    user: `${name}.ann`,
    platform,
    idp,
    async signIn({ next } = {}) {
      const begun = await platform.ask('GET', `/auth/login/${name}${next === undefined ? '' : `?next=${encodeURIComponent(next)}`}`)
      assert.equal(begun.status, 303)
      const callback = idp.agree(String(begun.headers['location']))
      const attempt = setCookie(begun, '__Host-gantry-login') ?? ''
      const answer = await platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${attempt}` } })
      return { begun, callback, attempt, answer, cookie: setCookie(answer, '__Host-gantry-session') }
    },
    async [Symbol.asyncDispose]() {
      for (const { metadata } of platform.identities.providers.values()) await platform.hub.delete(identityProviderKind.ref, { name: metadata.name ?? '' })
      await settle()
    },
  }
}

const userOf = (platform: TestPlatform, name: string): Promise<User> => platform.hub.get<User>(userKind.ref, { name })
const problemOf = ({ answer }: Pick<SignedIn, 'answer'>): string | null => new URLSearchParams(String(answer.headers['location']).split('?')[1]).get('problem')

async function bindGroup(platform: TestPlatform, group: string, role: string): Promise<void> {
  const { apiVersion, kind, ref } = accessRoleBindingKind
  const spec = { role, subjects: [{ kind: 'Group' as const, name: group }] }
  await platform.hub.create<AccessRoleBinding>(ref, { apiVersion, kind, metadata: { name: `${group.replace(':', '-')}-${role}` }, spec })
  await settle()
}

describe('signing in with OpenID Connect', () => {
  test('makes a user at the first time, whose identity is provider and subject', async () => {
    await using at = await world()
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'Ann.Lee', name: 'Ann Lee', email: 'ann@example.com', groups: ['devs', 'ops'] } }

    const { answer, cookie } = await at.signIn({ next: '/pods?cluster=prod' })

    assert.equal(answer.status, 303)
    assert.equal(answer.headers['location'], '/console/pods?cluster=prod')
    const session = (await at.platform.ask('GET', '/auth/session', { cookie })).json() as SessionInfo
    assert.equal(session.user.name, `${at.name}.ann.lee`)
    const user = await userOf(at.platform, `${at.name}.ann.lee`)
    assert.deepEqual(user.spec, { displayName: 'Ann Lee', identity: { provider: at.name, subject: 'S-1' } })
    assert.deepEqual(user.status?.groups, [`${at.name}:devs`, `${at.name}:ops`])
    assert.equal(user.status?.email, 'ann@example.com')
  })

  test('asks with PKCE, state, nonce and an address of its own, and lets only the provider send back', async () => {
    await using at = await world()

    const { begun } = await at.signIn()

    const { origin, searchParams } = new URL(String(begun.headers['location']))
    assert.equal(origin, 'https://idp.test')
    assert.equal(searchParams.get('code_challenge_method'), 'S256')
    assert.equal(searchParams.get('redirect_uri'), `https://gantry.test/auth/callback/${at.name}`)
    assert.equal(searchParams.get('scope'), 'openid profile email')
    for (const name of ['state', 'nonce', 'code_challenge']) assert.match(searchParams.get(name) ?? '', /^[\w-]{43}$/)
    assert.match(String(begun.headers['set-cookie']), /; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/)
  })

  test('knows an account again by its subject, whatever it is called now', async () => {
    await using at = await world()
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'ann', email: 'ann@example.com' } }
    await at.signIn()
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'ann-smith', email: 'smith@example.com', name: 'Ann Smith' } }

    const { cookie } = await at.signIn()

    const session = (await at.platform.ask('GET', '/auth/session', { cookie })).json() as SessionInfo
    assert.deepEqual(session.user, { name: at.user, displayName: 'Ann Smith', roles: [] })
  })

  test('takes neither the name nor the address of somebody else for an identity', async () => {
    await using at = await world()
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'ann', email: 'ann@example.com' } }
    await at.signIn()
    at.idp.account = { claims: { sub: 'S-2', preferred_username: 'ann', email: 'ann@example.com', email_verified: true } }

    const second = await at.signIn()

    assert.equal(problemOf(second), 'name-taken')
    assert.equal(second.cookie, undefined)
  })

  test('does not take over a local user of the name it would make', async () => {
    await using at = await world()
    await at.platform.addUser(at.user, 'admin')

    const signedIn = await at.signIn()

    assert.equal(problemOf(signedIn), 'name-taken')
    assert.equal((await userOf(at.platform, at.user)).spec.identity, undefined)
  })

  test('gives a login that makes no name one of its subject', async () => {
    await using at = await world()
    at.idp.account = { claims: { sub: 'S-9', preferred_username: '张三' } }

    const { cookie } = await at.signIn()

    const { user } = (await at.platform.ask('GET', '/auth/session', { cookie })).json() as SessionInfo
    assert.match(user.name, new RegExp(`^${at.name}\\.[0-9a-f]{16}$`))
  })

  test('lets only known accounts in unless the provider makes users', async () => {
    await using at = await world({ createUsers: false })

    const unknown = await at.signIn()
    const { apiVersion, kind, ref } = userKind
    await at.platform.hub.create<User>(ref, { apiVersion, kind, metadata: { name: 'ann' }, spec: { identity: { provider: at.name, subject: 'sub-1' } } })
    await settle()
    const known = await at.signIn()

    assert.equal(problemOf(unknown), 'unknown-user')
    const { user } = (await at.platform.ask('GET', '/auth/session', { cookie: known.cookie })).json() as SessionInfo
    assert.equal(user.name, 'ann')
  })

  test('lets nobody in when two users have the account', async () => {
    await using at = await world()
    const { apiVersion, kind, ref } = userKind
    for (const name of ['first', 'second'])
      await at.platform.hub.create<User>(ref, { apiVersion, kind, metadata: { name }, spec: { identity: { provider: at.name, subject: 'sub-1' } } })
    await settle()

    assert.equal(problemOf(await at.signIn()), 'name-taken')
  })

  test('lets in only allowed groups, and only verified addresses of allowed domains', async () => {
    await using at = await world({ allowedGroups: ['eng-*'], allowedDomains: ['example.com'] })
    const attempt = async (claims: Readonly<Record<string, unknown>>): Promise<string | null> => {
      at.idp.account = { claims: { sub: 'S', preferred_username: 'ann', ...claims } }
      return problemOf(await at.signIn())
    }
    const good = { email: 'ann@example.com', email_verified: true, groups: ['eng-core'] }

    assert.equal(await attempt({ ...good, groups: ['sales'] }), 'not-allowed')
    assert.equal(await attempt({ ...good, email_verified: false }), 'not-allowed')
    assert.equal(await attempt({ ...good, email_verified: undefined }), 'not-allowed')
    assert.equal(await attempt({ ...good, email: 'ann@example.com.evil.example' }), 'not-allowed')
    assert.equal(await attempt(good), null)
  })

  test('reads claims that the ID token lacks from the user info', async () => {
    await using at = await world()
    at.idp.account = { claims: { sub: 'S-1' }, userInfo: { preferred_username: 'bo', groups: ['devs'] } }

    await at.signIn()

    assert.deepEqual((await userOf(at.platform, `${at.name}.bo`)).status?.groups, [`${at.name}:devs`])
  })

  test('goes nowhere but to a path of the console', async () => {
    await using at = await world()
    for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', '/\t/evil.example'])
      assert.equal((await at.signIn({ next })).answer.headers['location'], '/console/')
  })

  test('leaves no code, state or token in the audit log', async () => {
    await using at = await world()
    const { callback } = await at.signIn()

    const log = JSON.stringify(at.platform.audit)
    const { searchParams } = new URL(callback, 'https://x')
    for (const secret of [searchParams.get('code') ?? '', searchParams.get('state') ?? '', 'token-']) assert.ok(!log.includes(secret), secret)
    assert.ok(log.includes(`/auth/callback/${at.name}`))
  })
})

describe('an attack on the sign-in', () => {
  const refused: readonly (readonly [string, (idp: FakeOidcProvider) => void])[] = [
    ['a token of another issuer', (idp) => (idp.lie = (claims) => (claims['iss'] = 'https://evil.example'))],
    ['a token for another application', (idp) => (idp.lie = (claims) => (claims['aud'] = 'other'))],
    ['a token with the nonce of another sign-in', (idp) => (idp.lie = (claims) => (claims['nonce'] = 'other'))],
    ['a token without a nonce', (idp) => (idp.lie = (claims) => delete claims['nonce'])],
    ['a token that has expired', (idp) => (idp.lie = (claims) => (claims['exp'] = Number(claims['iat']) - 60))],
    ['a token that nobody has signed', (idp) => (idp.alg = 'none')],
    ['a token that somebody else has signed', (idp) => (idp.alg = 'foreign-key')],
    ['a token without a subject', (idp) => (idp.lie = (claims) => delete claims['sub'])],
    ['user info about somebody else', (idp) => (idp.account = { claims: { sub: 'S-1' }, userInfo: { sub: 'S-2', preferred_username: 'ann' } })],
  ]
  for (const [what, prepare] of refused)
    test(`by ${what} signs nobody in`, async () => {
      await using at = await world()
      prepare(at.idp)

      const signedIn = await at.signIn()

      assert.equal(signedIn.cookie, undefined)
      assert.equal(problemOf(signedIn), 'unavailable')
      const names = (await at.platform.hub.list<User>(userKind.ref)).items.map(({ metadata }) => metadata.name ?? '')
      assert.deepEqual(
        names.filter((each) => each.startsWith(at.name)),
        [],
      )
    })

  test('by a callback that another browser has begun is refused', async () => {
    await using at = await world()
    const begun = await at.platform.ask('GET', `/auth/login/${at.name}`)
    const callback = at.idp.agree(String(begun.headers['location']))

    const without = await at.platform.ask('GET', callback)
    const own = setCookie(await at.platform.ask('GET', `/auth/login/${at.name}`), '__Host-gantry-login')
    const withOwn = await at.platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${own}` } })

    for (const answer of [without, withOwn]) {
      assert.equal(answer.headers['location'], `/console/login?problem=expired&provider=${at.name}`)
      assert.equal(setCookie(answer, '__Host-gantry-session'), undefined)
    }
  })

  test('by the code of another sign-in fails at the challenge', async () => {
    await using at = await world()
    const victim = at.idp.agree(String((await at.platform.ask('GET', `/auth/login/${at.name}`)).headers['location']))
    const mine = await at.platform.ask('GET', `/auth/login/${at.name}`)
    const state = new URL(String(mine.headers['location'])).searchParams.get('state') ?? ''
    const code = new URL(victim, 'https://x').searchParams.get('code') ?? ''

    const answer = await at.platform.ask('GET', `/auth/callback/${at.name}?${new URLSearchParams({ code, state, iss: at.idp.issuer }).toString()}`, {
      headers: { cookie: `__Host-gantry-login=${setCookie(mine, '__Host-gantry-login')}` },
    })

    assert.equal(problemOf({ answer }), 'refused-there')
  })

  test('by repeating a callback is refused, also with the cookie of it', async () => {
    await using at = await world()
    const { callback, attempt } = await at.signIn()

    const answer = await at.platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${attempt}` } })

    assert.equal(problemOf({ answer }), 'expired')
  })

  test('by an answer that says another issuer is refused before the code is sent anywhere', async () => {
    await using at = await world()
    const begun = await at.platform.ask('GET', `/auth/login/${at.name}`)
    const callback = at.idp.agree(String(begun.headers['location'])).replace('idp.test', 'evil.example')
    const answer = await at.platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${setCookie(begun, '__Host-gantry-login')}` } })

    assert.equal(setCookie(answer, '__Host-gantry-session'), undefined)
    assert.ok(!at.idp.asked.some((line) => line.endsWith('/token')))
  })

  test('by an attempt of one provider at the callback of another is refused', async () => {
    await using at = await world()
    await writeProvider(at.platform, 'other', { type: 'OIDC', createUsers: true, oidc: oidc(at.idp, at.name) })
    const begun = await at.platform.ask('GET', `/auth/login/${at.name}`)
    const callback = at.idp.agree(String(begun.headers['location'])).replace(`/callback/${at.name}`, '/callback/other')

    const answer = await at.platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${setCookie(begun, '__Host-gantry-login')}` } })

    assert.equal(problemOf({ answer }), 'expired')
  })

  test('by a cookie that is sealed with another key is refused', async () => {
    await using at = await world()
    const begun = await at.platform.ask('GET', `/auth/login/${at.name}`)
    const callback = at.idp.agree(String(begun.headers['location']))
    await at.platform.hub.delete(secrets, { namespace: 'gantry-system', name: 'sign-in-attempts' })
    await clock.advance(60_000) // a key is kept for a minute

    const answer = await at.platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${setCookie(begun, '__Host-gantry-login')}` } })

    assert.equal(problemOf({ answer }), 'expired')
  })

  test('by waiting ten minutes is too late', async () => {
    await using at = await world()
    const begun = await at.platform.ask('GET', `/auth/login/${at.name}`)
    const callback = at.idp.agree(String(begun.headers['location']))
    await at.platform.clock.advance(600_000)

    const answer = await at.platform.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${setCookie(begun, '__Host-gantry-login')}` } })

    assert.equal(problemOf({ answer }), 'expired')
  })

  test('by a redirect of the token endpoint sends the code and the secret nowhere else', async () => {
    await using at = await world()
    at.idp.answers.set('/token', () => ({ status: 307, headers: { location: 'https://evil.example/token' } }))

    const signedIn = await at.signIn()

    assert.equal(problemOf(signedIn), 'unavailable')
    assert.ok(at.idp.asked.every((line) => line.startsWith('idp.test ')))
  })

  test('by a discovery document of another issuer, or one that is too long, is refused', async () => {
    await using at = await world()
    await clock.advance(300_000) // a document is kept for five minutes
    at.idp.answers.set('/.well-known/openid-configuration', () => json({ issuer: 'https://idp.test/{tenantid}' }))
    const foreign = await at.platform.ask('GET', `/auth/login/${at.name}`)
    at.idp.answers.set('/.well-known/openid-configuration', () => json({ issuer: at.idp.issuer, x: 'x'.repeat(300_000) }))
    const long = await at.platform.ask('GET', `/auth/login/${at.name}`)

    for (const answer of [foreign, long]) assert.equal(problemOf({ answer }), 'unavailable')
  })
})

describe('groups of a provider', () => {
  test('give what is bound to them, until the provider does not name them any more', async () => {
    await using at = await world()
    await bindGroup(at.platform, `${at.name}:ops`, 'platform-viewer')
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'ann', groups: ['ops'] } }
    const { cookie } = await at.signIn()
    const before = await at.platform.ask('GET', '/api/v1/namespaces', { cookie })
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'ann', groups: [] } }
    const again = await at.signIn()
    const after = await at.platform.ask('GET', '/api/v1/namespaces', { cookie: again.cookie })

    assert.equal(before.status, 200)
    assert.equal(after.status, 403)
  })

  test('are counted for their own provider alone, whatever its status says', async () => {
    await using at = await world()
    await bindGroup(at.platform, 'other:ops', 'platform-admin')
    await bindGroup(at.platform, 'tenant:acme', 'platform-admin')
    const { cookie } = await at.signIn()
    await at.platform.hub.patch<User>(
      userKind.ref,
      { name: at.user },
      { type: 'merge', subresource: 'status', body: { status: { groups: ['other:ops', 'tenant:acme', 'system:masters'] } } },
    )
    await settle()

    assert.equal((await at.platform.ask('GET', '/api/v1/namespaces', { cookie })).status, 403)
  })

  test('beyond two hundred are left out, and it says so', async () => {
    await using at = await world()
    at.idp.account = { claims: { sub: 'S-1', preferred_username: 'ann', groups: Array.from({ length: 250 }, (_, i) => `g${String(i).padStart(3, '0')}`) } }
    await at.signIn()

    const { status } = await userOf(at.platform, at.user)
    assert.equal(status?.groups?.length, 200)
    assert.match(status?.groupsMessage ?? '', /in 250 groups, of which the first 200/)
  })

  test('of a tenant are those of everybody who comes through its provider', async () => {
    await using at = await world({ tenant: 'tools' })
    await bindGroup(at.platform, 'tenant:tools', 'platform-viewer')

    const { cookie } = await at.signIn()

    assert.equal((await at.platform.ask('GET', '/api/v1/namespaces', { cookie })).status, 200)
  })
})

test('a sign-in that one process has begun is ended by the next one', async () => {
  const time = new FakeClock()
  const server = await FakeOidcProvider.create(time)
  await using first = await startTestPlatform({ clock: time, outbound: server.outbound })
  await writeSecret(first, 'idp', { 'client-secret': server.clientSecret })
  await writeProvider(first, 'corp', { type: 'OIDC', createUsers: true, oidc: oidc(server, 'idp') })
  const begun = await first.ask('GET', '/auth/login/corp')
  const callback = server.agree(String(begun.headers['location']))

  await using second = await first.restart()
  const answer = await second.ask('GET', callback, { headers: { cookie: `__Host-gantry-login=${setCookie(begun, '__Host-gantry-login')}` } })

  assert.equal(answer.headers['location'], '/console/')
})

describe('a provider', () => {
  for (const [what, end] of [
    ['disabled', ({ platform: { hub }, name }) => hub.patch(identityProviderKind.ref, { name }, { type: 'merge', body: { spec: { disabled: true } } })],
    ['deleted', ({ platform: { hub }, name }) => hub.delete(identityProviderKind.ref, { name })],
  ] as readonly (readonly [string, (at: World) => Promise<unknown>])[])
    test(`that is ${what} ends the sessions and keys of its users, and signs nobody in`, async () => {
      await using at = await world()
      const { cookie } = await at.signIn()
      const key = await at.platform.keyOf(at.user)
      assert.equal((await at.platform.ask('GET', '/platform/v1/info', { token: key })).status, 200)

      await end(at)
      await settle()

      assert.equal((await at.platform.ask('GET', '/auth/session', { cookie })).status, 401)
      assert.equal((await at.platform.ask('GET', '/platform/v1/info', { token: key })).status, 401)
      const ofUser = async (ref: ResourceRef): Promise<number> =>
        (await at.platform.hub.list<Session>(ref)).items.filter(({ spec }) => spec.user === at.user).length
      assert.equal(await ofUser(sessionKind.ref), 0)
      assert.equal(await ofUser(apiKeyKind.ref), 1, 'keys rest, and work again with the provider')
      assert.equal((await at.platform.ask('GET', `/auth/login/${at.name}`)).status, 404)
      assert.deepEqual((await at.platform.ask('GET', '/auth/providers')).json(), { providers: [] })
    })

  test('is shown to anybody by name and kind, and no more', async () => {
    await using at = await world({ displayName: 'Corp SSO', tenant: 'acme' })

    const answer = await at.platform.ask('GET', '/auth/providers')

    assert.deepEqual(answer.json(), { providers: [{ name: at.name, displayName: 'Corp SSO', kind: 'redirect' }] })
  })

  test('whose user is disabled here lets it in no more', async () => {
    await using at = await world()
    await at.signIn()
    await at.platform.hub.patch(userKind.ref, { name: at.user }, { type: 'merge', body: { spec: { disabled: true } } })
    await settle()

    assert.equal(problemOf(await at.signIn()), 'disabled')
  })

  test('gives its users no password, and a former one of that name is gone', async () => {
    await using at = await world()
    await at.platform.addUser(at.user)
    await at.platform.hub.delete(userKind.ref, { name: at.user })
    await settle()
    await at.signIn()

    assert.equal((await at.platform.signIn(at.user, password)).status, 401)
    await assert.rejects(at.platform.identities.setPassword(at.user, password), /has no password here/)
    await assert.rejects(at.platform.hub.get(secrets, { namespace: 'gantry-system', name: `user-${at.user}` }), /not found/)
  })

  test('that stands at an address of a metadata service is never asked', async () => {
    const clock = new FakeClock()
    const idp = await FakeOidcProvider.create(clock, 'https://metadata.test')
    await using platform = await startTestPlatform({ clock, outbound: { ...idp.outbound, lookup: () => Promise.resolve(['169.254.169.254']) } })
    await writeSecret(platform, 'idp', { 'client-secret': 'x' })
    await writeProvider(platform, 'corp', { type: 'OIDC', oidc: oidc(idp, 'idp') })

    const begun = await platform.ask('GET', '/auth/login/corp')

    assert.equal(problemOf({ answer: begun }), 'unavailable')
    assert.deepEqual(idp.asked, [])
    const { status } = await platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name: 'corp' })
    assert.match(status?.conditions?.[0]?.message ?? '', /is refused: it stands for 169\.254\.169\.254/)
  })

  test('that never answers is given up after its time', async () => {
    const clock = new FakeClock()
    const idp = await FakeOidcProvider.create(clock)
    const silent: typeof idp.outbound = {
      ...idp.outbound,
      openTransport: () => ({
        handle: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        close: () => Promise.resolve(),
      }),
    }
    await using platform = await startTestPlatform({ clock, outbound: silent })
    await writeSecret(platform, 'idp', { 'client-secret': 'x' })
    await writeProvider(platform, 'corp', { type: 'OIDC', oidc: { ...oidc(idp, 'idp'), timeoutSeconds: 3 } })

    const begun = platform.ask('GET', '/auth/login/corp')
    await clock.advance(3_000)

    assert.equal(problemOf({ answer: await begun }), 'unavailable')
    const { status } = await platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name: 'corp' })
    assert.match(status?.conditions?.[0]?.message ?? '', /did not answer within 3 s; check its server and the network, or raise timeoutSeconds/)
  })

  test('cannot take a name of the platform, or a setting that does not fit its type', async () => {
    await using at = await world()
    await assert.rejects(
      writeProvider(at.platform, 'system', { type: 'OIDC', oidc: oidc(at.idp, at.name) }),
      /not gantry, local, project, step, system or tenant/,
    )
    await assert.rejects(writeProvider(at.platform, 'x', { type: 'LDAP', oidc: oidc(at.idp, at.name) }), /spec\.oidc goes with the type OIDC/)
    await assert.rejects(writeProvider(at.platform, 'x', { type: 'OIDC', oidc: { ...oidc(at.idp, at.name), issuer: 'http://idp.test' } }), /issuer/)
    const ldap = { url: 'ldap://dir.test', userSearch: { base: 'dc=test' } }
    await assert.rejects(writeProvider(at.platform, 'x', { type: 'LDAP', ldap }), /passwords need TLS: use ldaps:\/\/, or startTLS/)
  })
})

describe('testing a provider', () => {
  const run = async (at: World, token: string): Promise<ProviderTest> =>
    (await at.platform.ask('POST', `/platform/v1/identityproviders/${at.name}/test`, { token, body: {} })).json() as ProviderTest

  test('says step by step what works and what does not', async () => {
    await using at = await world()
    await at.platform.addUser('root', 'admin')
    const key = await at.platform.keyOf('root')

    const good = await run(at, key)
    at.idp.answers.set('/keys', () => json({ keys: [] }))
    const noKeys = await run(at, key)
    await at.platform.hub.delete(secrets, { namespace: 'gantry-system', name: at.name })
    const noSecret = await run(at, key)

    assert.deepEqual(
      good.steps.map(({ name, ok }) => [name, ok]),
      [
        ['credentials', true],
        ['connect', true],
        ['keys', true],
      ],
    )
    assert.deepEqual(noKeys.steps.at(-1), { name: 'keys', ok: false, message: 'the key set https://idp.test/keys holds no keys' })
    assert.match(noSecret.steps[0]?.message ?? '', /the Secret gantry-system\/corp\d+ does not exist; create it with the key client-secret/)
    const { status } = await at.platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name: at.name })
    assert.equal(status?.conditions?.find(({ type }) => type === 'Reachable')?.status, 'False')
  })

  test('is for whoever may write it', async () => {
    await using at = await world()
    await at.platform.addUser('vic', 'viewer')

    const answer = await at.platform.ask('POST', `/platform/v1/identityproviders/${at.name}/test`, { token: await at.platform.keyOf('vic'), body: {} })

    assert.equal(answer.status, 403)
    assert.match(answer.text, /only who may update identityproviders/)
  })
})

describe('somebody who may write users and no more', () => {
  async function withWriter(at: World): Promise<string> {
    const { apiVersion, kind, ref } = accessRoleKind
    const rules = [{ verbs: ['*'], apiGroups: ['access.gantry.dev'], resources: ['users', 'users/status', 'identityproviders'] }]
    await at.platform.hub.create<AccessRole>(ref, { apiVersion, kind, metadata: { name: `user-writer-${at.name}` }, spec: { rules } })
    await at.platform.addUser(`wim-${at.name}`)
    await at.platform.identities.bindToPlatform(`wim-${at.name}`, `user-writer-${at.name}`)
    await at.platform.addUser(`boss-${at.name}`, 'admin')
    await settle()
    return at.platform.keyOf(`wim-${at.name}`)
  }
  const users = '/apis/access.gantry.dev/v1alpha1/users'
  const merge = { 'content-type': 'application/merge-patch+json' }

  test('cannot give an account elsewhere to a user who has more than they have', async () => {
    await using at = await world()
    const token = await withWriter(at)
    const body = { spec: { identity: { provider: at.name, subject: 'mine' } } }

    const boss = await at.platform.ask('PATCH', `${users}/boss-${at.name}`, { token, headers: merge, body })
    const own = await at.platform.ask('PATCH', `${users}/wim-${at.name}`, { token, headers: merge, body })

    assert.equal(boss.status, 403)
    assert.match(boss.text, /may not act for user/)
    assert.equal(own.status, 200)
  })

  test('cannot write groups into a status that give what they do not have', async () => {
    await using at = await world()
    await bindGroup(at.platform, `${at.name}:ops`, 'platform-admin')
    const token = await withWriter(at)
    await at.signIn()

    const ops = await at.platform.ask('PATCH', `${users}/${at.user}/status`, { token, headers: merge, body: { status: { groups: [`${at.name}:ops`] } } })
    const nothing = await at.platform.ask('PATCH', `${users}/${at.user}/status`, {
      token,
      headers: merge,
      body: { status: { groups: [`${at.name}:nothing`] } },
    })

    assert.equal(ops.status, 403)
    assert.match(ops.text, /would give what they do not have themselves/)
    assert.equal(nothing.status, 200)
  })

  test('cannot join a tenant by an account of its provider', async () => {
    await using at = await world({ tenant: 'mine' })
    await bindGroup(at.platform, 'tenant:mine', 'platform-admin')
    const token = await withWriter(at)

    const answer = await at.platform.ask('PATCH', `${users}/wim-${at.name}`, {
      token,
      headers: merge,
      body: { spec: { identity: { provider: at.name, subject: 'mine' } } },
    })

    assert.equal(answer.status, 403)
  })

  test('cannot write providers: these say who people are', async () => {
    await using at = await world()
    const token = await withWriter(at)

    const answer = await at.platform.ask('PATCH', `/apis/access.gantry.dev/v1alpha1/identityproviders/${at.name}`, {
      token,
      headers: merge,
      body: { spec: { oidc: { issuer: 'https://evil.example' } } },
    })

    assert.equal(answer.status, 403)
    assert.match(answer.text, /which says who people are: it takes the verb escalate/)
  })
})
