import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { after, describe, test } from 'node:test'
import {
  cliClientId,
  groupKind,
  oidcClientKind,
  oidcStateKind,
  sessionKind,
  userKind,
  type Group,
  type OIDCClient,
  type Session,
  type User,
  signInPolicyKind,
  signInPolicyName,
  type SignInPolicy,
} from '@gantry/access/api'
import type { ClusterTarget } from '@gantry/gateway'
import { readBody } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import * as oidc from 'openid-client'
import { hashSecret } from '../server/secret-hash.ts'
import { Browser, fetchOf, origin } from './oidc-browser.ts'
import { password, startTestPlatform, type TestPlatform } from './test-platform.ts'

const secret = 'a-client-secret-of-32-random-bytes'
const redirect = 'https://grafana.example/login/generic_oauth'
const minute = 60_000

/** The library stamps with the machine's own time: the fake one begins there. */
const start = (options: Parameters<typeof startTestPlatform>[0] = {}): Promise<TestPlatform> =>
  startTestPlatform({ clock: new FakeClock(new Date().toISOString()), ...options })

async function addClient(platform: TestPlatform, spec: Partial<OIDCClient['spec']> = {}): Promise<void> {
  await platform.hub.create<OIDCClient>(oidcClientKind.ref, {
    apiVersion: oidcClientKind.apiVersion,
    kind: oidcClientKind.kind,
    metadata: { name: 'grafana' },
    spec: {
      displayName: 'Grafana',
      redirectURIs: [redirect],
      postLogoutRedirectURIs: ['https://grafana.example/bye'],
      secretHash: hashSecret(secret),
      ...spec,
    },
  })
}

async function discover(
  platform: TestPlatform,
  id = 'grafana',
  auth: oidc.ClientAuth | undefined = oidc.ClientSecretBasic(secret),
): Promise<oidc.Configuration> {
  const configuration = await oidc.discovery(new URL(`${origin}/oidc`), id, undefined, auth, { [oidc.customFetch]: fetchOf(platform) as oidc.CustomFetch })
  configuration[oidc.customFetch] = fetchOf(platform) as oidc.CustomFetch
  return configuration
}

const cli = (platform: TestPlatform): Promise<oidc.Configuration> => discover(platform, cliClientId, oidc.None())

interface Asked {
  readonly url: string
  readonly checks: { readonly pkceCodeVerifier: string; readonly expectedState: string; readonly expectedNonce: string }
}

async function ask(client: oidc.Configuration, parameters: Readonly<Record<string, string>> = {}): Promise<Asked> {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()]
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: redirect,
    scope: 'openid profile groups offline_access',
    prompt: 'consent',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...parameters,
  })
  return { url: url.href, checks: { pkceCodeVerifier, expectedState, expectedNonce } }
}

async function signIn(client: oidc.Configuration, browser: Browser): Promise<Awaited<ReturnType<typeof oidc.authorizationCodeGrant>>> {
  const { url, checks } = await ask(client)
  const back = await browser.authorize(url)
  return oidc.authorizationCodeGrant(client, new URL(back.url), checks)
}

/** `gantry login` with a browser. */
async function logIn(platform: TestPlatform, browser: Browser): Promise<{ readonly client: oidc.Configuration; readonly tokens: oidc.TokenEndpointResponse }> {
  const client = await cli(platform)
  const { url, checks } = await ask(client, { redirect_uri: 'http://127.0.0.1:54321/callback', scope: 'openid offline_access' })
  const back = await browser.authorize(url)
  return { client, tokens: await oidc.authorizationCodeGrant(client, new URL(back.url), checks) }
}

async function world(spec?: Partial<OIDCClient['spec']>): Promise<{ readonly platform: TestPlatform; readonly browser: Browser }> {
  const platform = await start()
  await platform.addUser('ann', 'admin')
  await addClient(platform, spec)
  const browser = new Browser(platform)
  await browser.become('ann')
  return { platform, browser }
}

let common: Promise<{ readonly platform: TestPlatform }> | undefined
after(async () => (await common)?.platform[Symbol.asyncDispose]())

/** One platform for the tests that leave it as it was but for sessions, which each begins without. */
async function shared(): Promise<{ readonly platform: TestPlatform; readonly browser: Browser }> {
  const { platform } = await (common ??= world())
  for (const { metadata } of platform.identities.sessions.values()) await platform.identities.endSession(metadata.name ?? '')
  const browser = new Browser(platform)
  await browser.become('ann')
  return { platform, browser }
}

const sessionsOf = (platform: TestPlatform, type: string): Session[] => [...platform.identities.sessions.values()].filter(({ spec }) => spec.type === type)

describe('an application', () => {
  test('signs a user in with code and PKCE, and learns name and groups', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    await platform.hub.create<Group>(groupKind.ref, { apiVersion: groupKind.apiVersion, kind: 'Group', metadata: { name: 'ops' }, spec: { members: ['ann'] } })
    await settle()
    const client = await discover(platform)

    const tokens = await signIn(client, browser)

    const claims = tokens.claims()
    assert.equal(claims?.iss, `${origin}/oidc`)
    assert.equal(claims?.sub, platform.identities.users.get('ann')?.metadata.uid)
    assert.equal(claims?.['preferred_username'], 'ann')
    assert.deepEqual(claims?.['groups'], ['ops'])
    const info = await oidc.fetchUserInfo(client, tokens.access_token, claims?.sub ?? '')
    assert.equal(info.preferred_username, 'ann')
    assert.deepEqual((await oidc.tokenIntrospection(client, tokens.access_token)).active, true)
    const [session] = sessionsOf(platform, 'Application')
    assert.equal(session?.spec.client, 'grafana')
    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: tokens.access_token })).status, 401, 'its token is none of the platform')
  })

  test('gets a new refresh token each time, and loses the session when an old one comes back', async () => {
    const { platform, browser } = await shared()
    const client = await discover(platform)
    const first = await signIn(client, browser)

    const second = await oidc.refreshTokenGrant(client, first.refresh_token ?? '')
    assert.notEqual(second.refresh_token, first.refresh_token)
    await assert.rejects(oidc.refreshTokenGrant(client, first.refresh_token ?? ''), { error: 'invalid_grant' })
    await assert.rejects(oidc.refreshTokenGrant(client, second.refresh_token ?? ''), { error: 'invalid_grant' })

    assert.deepEqual(sessionsOf(platform, 'Application'), [])
    assert.equal((await oidc.tokenIntrospection(client, second.access_token)).active, false)
  })

  test('does not lose it to somebody who knows no more than the name of the session', async () => {
    const { platform, browser } = await shared()
    const client = await discover(platform)
    const first = await signIn(client, browser)
    const [name = ''] = (first.refresh_token ?? '').split('.')

    await assert.rejects(oidc.refreshTokenGrant(client, `${name}.${'A'.repeat(43)}.${'A'.repeat(43)}`), { error: 'invalid_grant' })

    assert.ok((await oidc.refreshTokenGrant(client, first.refresh_token ?? '')).access_token)
  })

  test('keeps its session over a restart, where nothing of its tokens is stored in the clear', async () => {
    const { platform, browser } = await world()
    const client = await discover(platform)
    const first = await signIn(client, browser)
    const stored = (await platform.stored()).map(({ value }) => value)
    for (const text of [first.refresh_token, first.refresh_token?.split('.')[2], first.access_token, first.id_token, secret]) {
      assert.ok(text !== undefined && text.length > 20 && !stored.some((one) => one.includes(text)))
    }

    await using second = await platform.restart()

    assert.ok((await oidc.refreshTokenGrant(await discover(second), first.refresh_token ?? '')).access_token)
  })

  test('goes on in another process with what was begun in this one, of which nobody can read anything', async () => {
    const { platform, browser } = await world()
    const client = await discover(platform)
    const device = await oidc.initiateDeviceAuthorization(await cli(platform), { scope: 'openid' })
    const { url, checks } = await ask(client)
    const asked = await browser.visit(url)
    const id = new URL(asked.url).searchParams.get('interaction') ?? ''
    const other = await ask(client)
    const code = new URL((await browser.authorize(other.url)).url)
    const stored = (await platform.stored()).map(({ value }) => value)
    for (const text of [
      id,
      code.searchParams.get('code'),
      device.device_code,
      device.user_code,
      device.user_code.replace('-', ''),
      other.checks.expectedState,
      other.checks.expectedNonce,
    ]) {
      assert.ok(text !== null && text.length > 7 && !stored.some((one) => one.includes(text)))
    }

    await using second = await platform.restart()
    browser.moveTo(second)
    const again = await discover(second)

    assert.ok((await oidc.authorizationCodeGrant(again, code, other.checks)).access_token)
    const { json } = await browser.api('POST', `/platform/v1/oidc/interactions/${id}`, { allow: true })
    const back = await browser.visit(`${origin}${(json as { location: string }).location}`)
    assert.ok((await oidc.authorizationCodeGrant(again, new URL(back.url), checks)).access_token)
    assert.equal((await browser.api('POST', '/platform/v1/oidc/device', { userCode: device.user_code, allow: true })).status, 200)
  })

  test('leaves nothing behind that is over', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    await signIn(await discover(platform), browser)
    const count = async (): Promise<number> => (await platform.hub.list(oidcStateKind.ref)).items.length
    assert.ok((await count()) > 0)

    await platform.clock.advance(66 * minute)

    assert.equal(await count(), 0)
  })

  test('gets nothing more once the session is deleted, the user disabled or the client removed', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const client = await discover(platform)
    const [deleted, disabled] = [await signIn(client, browser), await signIn(client, browser)]

    await platform.hub.delete(sessionKind.ref, { name: (deleted.refresh_token ?? '').split('.')[0] ?? '' })
    await settle()
    await assert.rejects(oidc.refreshTokenGrant(client, deleted.refresh_token ?? ''), { error: 'invalid_grant' })
    await platform.hub.patch<User>(userKind.ref, { name: 'ann' }, { type: 'merge', body: { spec: { disabled: true } } })
    await settle()
    await assert.rejects(oidc.refreshTokenGrant(client, disabled.refresh_token ?? ''), { error: 'invalid_grant' })
    await assert.rejects(oidc.fetchUserInfo(client, disabled.access_token, oidc.skipSubjectCheck))
    await platform.hub.delete(oidcClientKind.ref, { name: 'grafana' })
    await assert.rejects(oidc.refreshTokenGrant(client, disabled.refresh_token ?? ''), { status: 401 })
  })

  test('ends the session by revoking its refresh token', async () => {
    const { platform, browser } = await shared()
    const client = await discover(platform)
    const tokens = await signIn(client, browser)

    await oidc.tokenRevocation(client, tokens.refresh_token ?? '')

    assert.deepEqual(sessionsOf(platform, 'Application'), [])
  })

  test('is let in for members of its groups only', async () => {
    const { platform, browser } = await world({ allowedGroups: ['ops'] })
    await using _ = platform
    const client = await discover(platform)
    const { url } = await ask(client)
    const asked = await browser.visit(url)
    const id = new URL(asked.url).searchParams.get('interaction') ?? ''

    const outside = await browser.api('POST', `/platform/v1/oidc/interactions/${id}`, { allow: true })
    await platform.hub.create<Group>(groupKind.ref, { apiVersion: groupKind.apiVersion, kind: 'Group', metadata: { name: 'ops' }, spec: { members: ['ann'] } })
    await settle()
    const tokens = await signIn(client, browser)
    await platform.hub.patch<Group>(groupKind.ref, { name: 'ops' }, { type: 'merge', body: { spec: { members: [] } } })
    await settle()

    assert.equal(outside.status, 403)
    assert.match(JSON.stringify(outside.json), /in none of the groups/)
    await assert.rejects(oidc.refreshTokenGrant(client, tokens.refresh_token ?? ''), { error: 'invalid_grant' })
  })

  test('is told when the user refuses', async () => {
    const { platform, browser } = await shared()
    const { url } = await ask(await discover(platform))
    const id = new URL((await browser.visit(url)).url).searchParams.get('interaction') ?? ''

    const { json } = await browser.api('POST', `/platform/v1/oidc/interactions/${id}`, { allow: false })
    const back = await browser.visit(`${origin}${(json as { location: string }).location}`)

    assert.equal(new URL(back.url).origin, 'https://grafana.example')
    assert.equal(new URL(back.url).searchParams.get('error'), 'access_denied')
  })

  test('signs its user out and sends them where it has registered', async () => {
    const { platform, browser } = await shared()
    const client = await discover(platform)
    const tokens = await signIn(client, browser)
    const url = oidc.buildEndSessionUrl(client, { id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: 'https://grafana.example/bye', state: 's' })

    const asked = await browser.visit(url.href)
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(asked.text)?.[1] ?? ''
    const done = await browser.submit(`${origin}/oidc/session/end/confirm`, { xsrf, logout: 'yes' })

    assert.equal(asked.status, 200)
    assert.equal(done.headers['location'], 'https://grafana.example/bye?state=s')
    assert.deepEqual(sessionsOf(platform, 'Application'), [])
    const elsewhere = oidc.buildEndSessionUrl(client, { id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: 'https://evil.example/' })
    assert.equal((await browser.visit(elsewhere.href)).status, 400)
  })

  test('of two users in one browser gets each for who they are', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    await platform.addUser('bob')
    const client = await discover(platform)
    await signIn(client, browser)
    await browser.become('bob')

    const { url, checks } = await ask(client)
    let page = await browser.authorize(url)
    // The library asks the browser to leave ann's session behind first.
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1]
    if (xsrf !== undefined) {
      const left = await browser.submit(`${origin}/oidc/session/end/confirm`, { xsrf, logout: 'yes' })
      page = await browser.visit(String(left.headers['location']))
    }
    const tokens = await oidc.authorizationCodeGrant(client, new URL(page.url), checks)

    assert.equal(tokens.claims()?.['preferred_username'], 'bob')
  })
})

describe('the provider refuses', () => {
  for (const [name, uri] of [
    ['another host', 'https://evil.example/login/generic_oauth'],
    ['a longer path', `${redirect}/more`],
    ['a query', `${redirect}?next=//evil.example`],
    ['another port', 'https://grafana.example:8443/login/generic_oauth'],
    ['a user before the host', 'https://grafana.example@evil.example/login/generic_oauth'],
    ['a path that leads back', 'https://grafana.example/x/../login/generic_oauth'],
    ['a fragment', `${redirect}#x`],
    ['a script', 'javascript:alert(1)'],
  ] as const) {
    test(`a redirect to ${name}, and sends nobody there`, async () => {
      const { platform, browser } = await shared()
      const { url } = await ask(await discover(platform), { redirect_uri: uri })

      const page = await browser.visit(url)

      assert.equal(page.status, 400)
      assert.equal(page.headers['location'], undefined)
      assert.ok(!page.text.includes('<script>alert'))
    })
  }

  test('a code without PKCE, with plain PKCE, and one redeemed with another verifier', async () => {
    const { platform, browser } = await shared()
    const client = await discover(platform)
    const without = new URL((await ask(client)).url)
    without.searchParams.delete('code_challenge')
    without.searchParams.delete('code_challenge_method')
    const plain = new URL((await ask(client)).url)
    plain.searchParams.set('code_challenge_method', 'plain')
    for (const url of [without, plain]) {
      assert.equal(new URL((await browser.visit(url.href)).url).searchParams.get('error'), 'invalid_request')
    }

    const { url, checks } = await ask(client)
    const back = await browser.authorize(url)
    const wrong = { ...checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }

    await assert.rejects(oidc.authorizationCodeGrant(client, new URL(back.url), wrong), { error: 'invalid_grant' })
  })

  test('a code that comes a second time, and takes back what the first one gave', async () => {
    const { platform, browser } = await shared()
    const client = await discover(platform)
    const { url, checks } = await ask(client)
    const back = new URL((await browser.authorize(url)).url)
    const tokens = await oidc.authorizationCodeGrant(client, back, checks)

    await assert.rejects(oidc.authorizationCodeGrant(client, back, checks), { error: 'invalid_grant' })

    await assert.rejects(oidc.refreshTokenGrant(client, tokens.refresh_token ?? ''), { error: 'invalid_grant' })
  })

  test('an answer of a browser that did not begin, so that nobody lets another one in', async () => {
    const { platform, browser } = await shared()
    const attacker = new Browser(platform, '203.0.113.9')
    const { url } = await ask(await discover(platform))
    const id = new URL((await attacker.visit(url)).url).searchParams.get('interaction') ?? ''

    const shown = await browser.api('GET', `/platform/v1/oidc/interactions/${id}`)
    const allowed = await browser.api('POST', `/platform/v1/oidc/interactions/${id}`, { allow: true })

    assert.deepEqual([shown.status, allowed.status], [404, 404])
    assert.deepEqual(sessionsOf(platform, 'Application'), [])
  })

  test('a consent that another site sends, or a key without a browser', async () => {
    const { platform, browser } = await shared()
    const { url } = await ask(await discover(platform))
    const id = new URL((await browser.visit(url)).url).searchParams.get('interaction') ?? ''
    const path = `/platform/v1/oidc/interactions/${id}`

    const form = await browser.api('POST', path, { allow: true }, { 'x-gantry-request': undefined })
    const foreign = await browser.api('POST', path, { allow: true }, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })
    const key = await platform.ask('POST', '/platform/v1/oidc/device', { token: await platform.keyOf('ann'), body: { userCode: 'BBBBBBBB', allow: true } })

    assert.deepEqual([form.status, foreign.status, key.status], [403, 403, 403])
    assert.deepEqual(sessionsOf(platform, 'Application'), [])
  })

  test('to be put into a frame, and to leak addresses', async () => {
    const { platform, browser } = await shared()
    const { url } = await ask(await discover(platform), { redirect_uri: 'https://evil.example/' })

    const { headers } = await browser.visit(url)

    assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/)
    assert.match(String(headers['content-security-policy']), /default-src 'none'/)
    assert.equal(headers['x-frame-options'], 'DENY')
    assert.equal(headers['referrer-policy'], 'no-referrer')
  })

  test('a wrong client secret, and the token of another client', async () => {
    const { platform, browser } = await shared()
    const tokens = await signIn(await discover(platform), browser)

    await assert.rejects(oidc.refreshTokenGrant(await discover(platform, 'grafana', oidc.ClientSecretBasic('wrong')), tokens.refresh_token ?? ''), {
      status: 401,
    })
    await assert.rejects(oidc.refreshTokenGrant(await cli(platform), tokens.refresh_token ?? ''), { error: 'invalid_grant' })
    assert.ok((await oidc.refreshTokenGrant(await discover(platform), tokens.refresh_token ?? '')).access_token)
  })

  for (const [name, spec] of [
    ['neither secret nor public', { redirectURIs: [redirect] }],
    ['a redirect without TLS', { redirectURIs: ['http://grafana.example/'], public: true }],
    ['no redirect', { public: true }],
  ] as const) {
    test(`an OIDCClient with ${name}`, async () => {
      const { platform } = await shared()
      const object = { apiVersion: oidcClientKind.apiVersion, kind: 'OIDCClient', metadata: { name: 'x' }, spec: spec as unknown as OIDCClient['spec'] }

      await assert.rejects(platform.hub.create<OIDCClient>(oidcClientKind.ref, object), { code: 422 })
    })
  }
})

describe('keys', () => {
  test('are rotated: new tokens bear the new one, old ones are good until they are over', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const { tokens } = await logIn(platform, browser)
    const kids = async (): Promise<(string | undefined)[]> =>
      ((await platform.ask('GET', '/oidc/jwks')).json() as { keys: { kid?: string }[] }).keys.map(({ kid }) => kid)
    const before = await kids()

    const rotated = await platform.ask('POST', '/platform/v1/oidc/keys/rotate', { token: await platform.keyOf('ann'), body: {} })
    const { kid } = rotated.json() as { kid: string }

    assert.deepEqual(await kids(), [kid, ...before])
    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: tokens.access_token })).status, 200)
    const fresh = await logIn(platform, browser)
    assert.equal((JSON.parse(Buffer.from(fresh.tokens.access_token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid, kid)
    await platform.clock.advance(66 * minute)
    assert.deepEqual(await kids(), [kid])
    const stored = await platform.ask('GET', '/oidc/jwks')
    assert.ok(!stored.text.includes('"d"') && !stored.text.includes('"p"'), 'no private part is published')
  })

  test('that have leaked are worth nothing within a minute of deleting their Secret', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const { tokens } = await logIn(platform, browser)
    const status = async (): Promise<number> => (await platform.ask('GET', '/platform/v1/info', { token: tokens.access_token })).status
    assert.equal(await status(), 200)
    const secrets = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }
    await platform.hub.delete(secrets, { namespace: 'gantry-system', name: 'oidc-signing-keys' })

    await platform.clock.advance(minute)
    const { keys } = (await platform.ask('GET', '/oidc/jwks')).json() as { keys: unknown[] }

    assert.equal(keys.length, 1)
    assert.equal(await status(), 401)
  })

  test('are rotated by who is allowed to, and nobody else', async () => {
    await using platform = await start()
    await platform.addUser('bob')

    assert.equal((await platform.ask('POST', '/platform/v1/oidc/keys/rotate', { token: await platform.keyOf('bob'), body: {} })).status, 403)
  })
})

describe('a login of the command line', () => {
  test('has a token that the gateway takes, as a Session that is listed', async () => {
    const { platform, browser } = await shared()

    const { tokens } = await logIn(platform, browser)

    assert.equal(tokens.expires_in, 600)
    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: tokens.access_token })).status, 200)
    const listed = (await platform.ask('GET', '/platform/v1/me/sessions', { token: tokens.access_token })).json() as { items: Session[] }
    const own = listed.items.find(({ spec }) => spec.type === 'CLI')
    assert.equal(own?.metadata.annotations?.['access.gantry.dev/current'], 'true')
    assert.deepEqual([own?.spec.hash, own?.spec.grant, own?.spec.refresh], [undefined, undefined, undefined])
    assert.equal(platform.audit.at(-1)?.credential, `session/${own?.metadata.name}`)
  })

  test('is a name to clusters that ask by TokenReview', async () => {
    const { platform, browser } = await shared()
    const { tokens } = await logIn(platform, browser)

    const review = await platform.ask('POST', '/platform/v1/webhooks/prod/authentication', {
      token: await platform.keyOf('ann'),
      body: { spec: { token: tokens.access_token } },
    })

    const { status } = review.json() as { status: { authenticated: boolean; user: { username: string } } }
    assert.deepEqual([status.authenticated, status.user.username], [true, 'ann'])
  })

  test('ends its token after ten minutes, and goes on by its refresh token', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const { client, tokens } = await logIn(platform, browser)
    await platform.clock.advance(11 * minute)

    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: tokens.access_token })).status, 401)
    assert.ok((await oidc.refreshTokenGrant(client, tokens.refresh_token ?? '')).access_token)
  })

  test('is over with its open watch in the same turn in which its owner ends the Session', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const { client, tokens } = await logIn(platform, browser)
    const watch = await platform.open('/api/v1/namespaces?watch=true', { token: tokens.access_token })
    const ended = (async () => {
      for await (const _event of readBody(watch)) {
        // only its end matters
      }
    })()
    await settle()
    const name = sessionsOf(platform, 'CLI')[0]?.metadata.name ?? ''

    const done = await browser.api('DELETE', `/platform/v1/me/sessions/${name}`)

    assert.equal(done.status, 200)
    await assert.rejects(ended, /revoked/)
    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: tokens.access_token })).status, 401)
    await assert.rejects(oidc.refreshTokenGrant(client, tokens.refresh_token ?? ''), { error: 'invalid_grant' })
  })

  test('is over with its open exec, too', async () => {
    const begun = Promise.withResolvers<void>()
    const member: ClusterTarget = {
      kind: 'member',
      handle: () => Promise.reject(new Error('only upgrades')),
      async upgrade(_request, socket) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        begun.resolve()
        await new Promise<void>((resolve) => void socket.once('close', resolve))
      },
    }
    await using platform = await start({ member })
    await platform.addUser('ann', 'admin')
    const browser = new Browser(platform)
    await browser.become('ann')
    const { tokens } = await logIn(platform, browser)
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const closed = new Promise<void>((resolve) => void socket.once('close', resolve))
    const headers = { host: 'gantry.test', authorization: `Bearer ${tokens.access_token}`, connection: 'Upgrade', upgrade: 'websocket' }
    const path = '/clusters/member/api/v1/namespaces/a/pods/b/exec'
    const exec = platform.upgrade({ method: 'GET', path, query: 'command=sh', headers, signal: new AbortController().signal }, socket, Buffer.alloc(0))
    await begun.promise

    await platform.identities.endSession(sessionsOf(platform, 'CLI')[0]?.metadata.name ?? '')

    await closed
    await exec
  })

  test('may be refreshed for as long as its Session lasts', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const { apiVersion, kind, ref } = signInPolicyKind
    await platform.hub.create<SignInPolicy>(ref, { apiVersion, kind, metadata: { name: signInPolicyName }, spec: { session: { absoluteHours: 720 } } })
    await settle()

    await logIn(platform, browser)

    const [session] = sessionsOf(platform, 'CLI')
    const until = Date.parse(session?.spec.expirationTime ?? '') / 1_000
    assert.ok(until - platform.clock.now().getTime() / 1_000 > 29 * 24 * 60 * 60)
    for (const text of [session?.spec.grant, session?.spec.refresh?.token]) {
      const { exp } = JSON.parse(text ?? '{}') as { exp: number }
      assert.ok(Math.abs(exp - until) < 60)
    }
  })

  test('survives a restart', async () => {
    const { platform, browser } = await world()
    const { tokens } = await logIn(platform, browser)

    await using second = await platform.restart()

    assert.equal((await second.ask('GET', '/api/v1/namespaces', { token: tokens.access_token })).status, 200)
  })

  test('is nobody once a user of the same name is another one', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    await platform.addUser('bob', 'admin')
    const bob = new Browser(platform)
    await bob.become('bob')
    const { tokens } = await logIn(platform, bob)
    await platform.hub.delete(userKind.ref, { name: 'bob' })
    await settle()
    await platform.clock.advance(1_000)
    await platform.addUser('bob', 'admin')

    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: tokens.access_token })).status, 401)
    assert.ok(browser)
  })

  test('takes no token with another signature, audience or algorithm', async () => {
    const { platform, browser } = await shared()
    const { tokens } = await logIn(platform, browser)
    const [head = '', body = '', signature = ''] = tokens.access_token.split('.')
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>
    const forged = [
      `${head}.${encode({ ...(JSON.parse(Buffer.from(body, 'base64url').toString()) as object), sub: 'x' })}.${signature}`,
      `${encode({ ...header, alg: 'none' })}.${body}.`,
      `${encode({ ...header, alg: 'HS256' })}.${body}.${signature}`,
      `${encode({ ...header, kid: 'gantry-other' })}.${body}.${signature}`,
      `${head}.${body}.`,
      tokens.id_token ?? '',
    ]

    for (const token of forged) assert.equal((await platform.ask('GET', '/platform/v1/info', { token })).status, 401)
  })
})

describe('a device', () => {
  async function begin(platform: TestPlatform): Promise<{ readonly client: oidc.Configuration; readonly device: oidc.DeviceAuthorizationResponse }> {
    const client = await cli(platform)
    return { client, device: await oidc.initiateDeviceAuthorization(client, { scope: 'openid offline_access' }) }
  }
  const poll = (client: oidc.Configuration, device: oidc.DeviceAuthorizationResponse): Promise<oidc.TokenEndpointResponse> =>
    oidc.genericGrantRequest(client, 'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code })

  test('is let in by who is signed in, who sees what asks, from where and since when', async () => {
    const { platform, browser } = await shared()
    const { client, device } = await begin(platform)
    await assert.rejects(poll(client, device), { error: 'authorization_pending' })
    const link = await browser.visit(device.verification_uri_complete ?? '')
    assert.equal(link.url, `${origin}/console/device?user_code=${device.user_code}`)

    const shown = await browser.api('POST', '/platform/v1/oidc/device/lookup', { userCode: device.user_code.toLowerCase() })
    const { since, userAgent, ...pending } = shown.json as Record<string, unknown>
    assert.deepEqual(pending, {
      client: { id: cliClientId, name: 'gantry login', isCommandLine: true },
      userCode: device.user_code,
      address: '198.51.100.7',
    })
    assert.match(String(userAgent), /^openid-client/)
    assert.ok(Math.abs(Date.parse(String(since)) - platform.clock.now().getTime()) < minute)
    assert.equal((await browser.api('POST', '/platform/v1/oidc/device', { userCode: device.user_code, allow: true })).status, 200)

    const tokens = await poll(client, device)
    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: tokens.access_token })).status, 200)
    assert.equal(sessionsOf(platform, 'CLI')[0]?.spec.address, '198.51.100.7')
    await assert.rejects(poll(client, device), { error: 'invalid_grant' })
  })

  test('is told when the user refuses, and a code is answered once', async () => {
    const { platform, browser } = await shared()
    const { client, device } = await begin(platform)

    assert.equal((await browser.api('POST', '/platform/v1/oidc/device', { userCode: device.user_code, allow: false })).status, 200)

    assert.equal((await browser.api('POST', '/platform/v1/oidc/device', { userCode: device.user_code, allow: true })).status, 404)
    await assert.rejects(poll(client, device), { error: 'access_denied' })
    assert.deepEqual(sessionsOf(platform, 'CLI'), [])
  })

  test('cannot be found by guessing codes', async () => {
    const { platform, browser } = await world()
    await using _ = platform
    const { device } = await begin(platform)
    for (let i = 0; i < 5; i++) assert.equal((await browser.api('POST', '/platform/v1/oidc/device/lookup', { userCode: 'BBBB-BBBB' })).status, 404)

    assert.equal((await browser.api('POST', '/platform/v1/oidc/device/lookup', { userCode: device.user_code })).status, 429)
  })

  test('leaves an application without the device grant outside', async () => {
    const { platform } = await shared()

    await assert.rejects(oidc.initiateDeviceAuthorization(await discover(platform), { scope: 'openid' }), { error: 'invalid_request' })
  })
})

describe('a kubeconfig', () => {
  test('names the program that has a token instead of a secret, when it is asked for that', async () => {
    await using platform = await start()
    await platform.addUser('ann', 'admin')
    const { cookie } = await platform.signIn('ann', password)

    const { status, text } = await platform.ask('GET', '/platform/v1/kubeconfig?auth=exec', { cookie })
    const wrong = await platform.ask('GET', '/platform/v1/kubeconfig?auth=x', { cookie })

    assert.equal(status, 200)
    assert.match(
      text,
      /apiVersion: client\.authentication\.k8s\.io\/v1\n\s+command: gantry\n\s+args:\n\s+- token\n\s+- '?--server'?\n\s+- https:\/\/gantry\.test/,
    )
    assert.doesNotMatch(text, /token: /)
    assert.equal(platform.identities.keys.size, 0)
    assert.equal(wrong.status, 400)
  })
})

describe('what is one’s own', () => {
  test('is listed and ended without any role, and nothing of others', async () => {
    await using platform = await start()
    await platform.addUser('bob')
    await platform.addUser('eve')
    const [{ cookie }, other] = [await platform.signIn('bob', password), await platform.signIn('eve', password)]
    const key = await platform.keyOf('bob')
    const evesKey = (await platform.keyOf('eve')).split('_')[1] ?? ''

    const keys = (await platform.ask('GET', '/platform/v1/me/apikeys', { cookie })).json() as {
      items: { metadata: { name: string }; spec: Record<string, unknown> }[]
    }
    const ended = await platform.ask('DELETE', `/platform/v1/me/apikeys/${keys.items[0]?.metadata.name}`, { cookie })
    const foreign = await platform.ask('DELETE', `/platform/v1/me/apikeys/${evesKey}`, { cookie })
    const session = await platform.ask('DELETE', `/platform/v1/me/sessions/${other.cookie?.split('.')[0]}`, { cookie })

    assert.equal(keys.items.length, 1)
    assert.equal(keys.items[0]?.spec['hash'], undefined)
    assert.deepEqual([ended.status, foreign.status, session.status], [200, 404, 404])
    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: key })).status, 401)
    assert.equal((await platform.ask('GET', '/platform/v1/info', { cookie: other.cookie })).status, 200)
  })
})
