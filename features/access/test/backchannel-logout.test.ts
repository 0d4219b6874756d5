import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { oidcStateKind, sessionKind, type OIDCState, type Session } from '@gantry/access/api'
import { startOidcWorld, type OidcWorld } from './oidc-world.ts'
import { TestBrowser } from './test-browser.ts'
import { settle, type Answer, type TestPlatform } from './test-platform.ts'

const minute = 60_000

/** As a provider's server sends it: no cookie, no header of the console. */
function send(platform: TestPlatform, token: string, provider = 'corp'): Promise<Answer> {
  return platform.send(`/auth/backchannel-logout/${provider}`, new URLSearchParams({ logout_token: token }).toString())
}

/** Ann, signed in at the provider's session `sid`. */
async function signedIn(at: OidcWorld, sid?: string, sub = 'sub-1'): Promise<TestBrowser> {
  at.idp.account = { claims: { sub, preferred_username: sub === 'sub-1' ? 'ann' : sub, ...(sid === undefined ? {} : { sid }) } }
  const browser = new TestBrowser(at.platform)
  await at.comeBack(browser)
  await settle()
  return browser
}

const ofSession = (sid: string) => (claims: Record<string, unknown>) => {
  delete claims['sub']
  claims['sid'] = sid
}

describe('a logout token of a provider', () => {
  test('ends the sign-in that it names, at every gateway at once, and no other', async () => {
    await using at = await startOidcWorld()
    const [home, work] = [await signedIn(at, 'home'), await signedIn(at, 'work')]
    const beside = await at.platform.beside()

    const answer = await send(at.platform, await at.idp.logoutToken(ofSession('home')))
    await settle()

    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.deepEqual([await home.isSignedIn(), await home.at(beside).isSignedIn()], [false, false])
    assert.deepEqual([await work.isSignedIn(), await work.at(beside).isSignedIn()], [true, true])
  })

  test('by its subject ends all of the account, and nobody of the same name elsewhere', async () => {
    await using at = await startOidcWorld()
    const ann = [await signedIn(at, 'home'), await signedIn(at)]
    const other = await signedIn(at, 'home', 'sub-2')
    await at.platform.addUser('sub-1')
    const local = await at.platform.signIn('sub-1', 'correct horse battery')
    at.idp.account = { claims: { sub: 'sub-1' } }

    const answer = await send(at.platform, await at.idp.logoutToken())

    assert.equal(answer.status, 200, answer.text)
    for (const browser of ann) assert.equal(await browser.isSignedIn(), false)
    assert.equal(await other.isSignedIn(), true)
    assert.equal((await at.platform.ask('GET', '/auth/session', { cookie: local.cookie })).status, 200)
  })

  test('with both ends that session of that account only, and one of which nobody knows whether it is that', async () => {
    await using at = await startOidcWorld()
    const [home, work, unknown] = [await signedIn(at, 'home'), await signedIn(at, 'work'), await signedIn(at)]
    const both = await at.idp.logoutToken((claims) => (claims['sid'] = 'home'))
    const foreign = await at.idp.logoutToken((claims) => Object.assign(claims, { sid: 'work', sub: 'sub-2' }))

    const answers = [await send(at.platform, both), await send(at.platform, foreign)]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    assert.deepEqual([await home.isSignedIn(), await work.isSignedIn(), await unknown.isSignedIn()], [false, true, false])
  })

  test('works once, at whatever gateway: a copy ends nothing that was opened since', async () => {
    await using at = await startOidcWorld()
    await signedIn(at, 'home')
    const beside = await at.platform.beside()
    const token = await at.idp.logoutToken(ofSession('home'))
    const first = await send(at.platform, token)
    const again = await signedIn(at, 'home')

    const copies = [await send(at.platform, token), await send(beside, token)]

    assert.equal(first.status, 200)
    for (const copy of copies) {
      assert.equal(copy.status, 400)
      assert.match(copy.text, /has been used already/)
    }
    assert.equal(await again.isSignedIn(), true)
    await at.platform.clock.advance(10 * minute)
    await settle()
    assert.deepEqual((await at.platform.hub.list<OIDCState>(oidcStateKind.ref)).items, [], 'what was used is forgotten when it has expired')
  })

  test('of one provider is nothing for another, nor for one that is not there; and there is one in a form', async () => {
    await using at = await startOidcWorld()
    const token = await at.idp.logoutToken()
    const twice = new URLSearchParams([
      ['logout_token', token],
      ['logout_token', token],
    ])

    assert.equal((await send(at.platform, token, 'nobody')).status, 404)
    assert.equal((await at.platform.send('/auth/backchannel-logout/corp', twice.toString())).status, 400)
    assert.equal((await at.platform.send('/auth/backchannel-logout/corp', '')).status, 400)
    assert.equal((await at.platform.send('/auth/backchannel-logout/corp', `logout_token=${'a'.repeat(20_000)}`)).status, 400)
    assert.equal((await at.platform.ask('GET', '/auth/backchannel-logout/corp')).status, 405)
  })

  test('with unknown keys makes this server ask the provider once in half a minute, and one with new keys is then taken', async () => {
    await using at = await startOidcWorld()
    await signedIn(at, 'home')
    await send(at.platform, await at.idp.logoutToken(ofSession('elsewhere')))
    at.idp.asked.length = 0

    for (let i = 0; i < 20; i++) await send(at.platform, await at.idp.logoutToken(undefined, { key: 'unknown' }))
    const soon = at.idp.asked.filter((path) => path.endsWith('/keys')).length
    await at.platform.clock.advance(minute)
    for (let i = 0; i < 20; i++) await send(at.platform, await at.idp.logoutToken(undefined, { key: 'unknown' }))

    assert.equal(soon, 0)
    assert.equal(at.idp.asked.filter((path) => path.endsWith('/keys')).length, 1)
  })

  test('is to be sent again when the keys cannot be read, and says nothing of why', async () => {
    await using at = await startOidcWorld()
    const browser = await signedIn(at, 'home')
    const token = await at.idp.logoutToken(ofSession('home'))
    at.idp.answers.set('/keys', () => ({ status: 500, headers: {}, body: 'internal words' }))

    const away = await send(at.platform, token)
    at.idp.answers.clear()
    const later = await send(at.platform, token)

    assert.equal(away.status, 503)
    assert.ok(!away.text.includes('internal words') && !away.text.includes('idp.test'))
    assert.equal(later.status, 200)
    assert.equal(await browser.isSignedIn(), false)
  })

  test('ends what a browser has let in with it: applications always, the command line when all of the account ends', async () => {
    await using at = await startOidcWorld()
    await signedIn(at, 'home')
    const open = async (type: 'CLI' | 'Application'): Promise<string> =>
      (await at.platform.identities.openGranted({ user: 'corp.ann', type, client: type === 'CLI' ? 'gantry-cli' : 'grafana', providerSession: 'home' }))
        .metadata.name ?? ''
    const [application, commandLine] = [await open('Application'), await open('CLI')]
    const there = async (): Promise<readonly string[]> =>
      (await at.platform.hub.list<Session>(sessionKind.ref)).items.map(({ metadata }) => metadata.name ?? '')

    await send(at.platform, await at.idp.logoutToken(ofSession('home')))
    const afterOne = await there()
    await send(at.platform, await at.idp.logoutToken())
    const afterAll = await there()

    assert.deepEqual([afterOne.includes(application), afterOne.includes(commandLine)], [false, true])
    assert.deepEqual(afterAll, [])
  })
})

describe('a forged logout token', () => {
  let at: OidcWorld
  let browser: TestBrowser
  before(async () => {
    at = await startOidcWorld()
    browser = await signedIn(at, 'home')
  })
  after(() => at[Symbol.asyncDispose]())

  const forged: readonly (readonly [string, (at: OidcWorld) => Promise<string>, RegExp])[] = [
    ['signed with another key', ({ idp }) => idp.logoutToken(undefined, { key: 'foreign' }), /ERR_JWS_SIGNATURE_VERIFICATION_FAILED/],
    ['signed with a key that nobody publishes', ({ idp }) => idp.logoutToken(undefined, { key: 'unknown' }), /key that the provider does not publish/],
    ['not signed', ({ idp }) => idp.logoutToken(undefined, { key: 'none' }), /ERR_/],
    ['signed with the client secret', ({ idp }) => idp.logoutToken(undefined, { key: 'client-secret' }), /ERR_JOSE_ALG_NOT_ALLOWED/],
    ['of another issuer', ({ idp }) => idp.logoutToken((claims) => (claims['iss'] = 'https://evil.test')), /iss/],
    ['for another application', ({ idp }) => idp.logoutToken((claims) => (claims['aud'] = 'other')), /aud/],
    [
      'that has expired',
      ({ idp }) => idp.logoutToken((claims) => Object.assign(claims, { iat: Number(claims['iat']) - 300, exp: Number(claims['iat']) - 60 })),
      /ERR_JWT_EXPIRED/,
    ],
    ['of last week that never ends', ({ idp }) => idp.logoutToken((claims) => (claims['iat'] = Number(claims['iat']) - 604_800)), /ERR_JWT_EXPIRED/],
    [
      'from the future',
      ({ idp }) => idp.logoutToken((claims) => Object.assign(claims, { iat: Number(claims['iat']) + 3_600, exp: Number(claims['iat']) + 7_200 })),
      /iat/,
    ],
    ['without an end', ({ idp }) => idp.logoutToken((claims) => delete claims['exp']), /exp/],
    ['without jti', ({ idp }) => idp.logoutToken((claims) => delete claims['jti']), /jti/],
    ['without events', ({ idp }) => idp.logoutToken((claims) => delete claims['events']), /events/],
    ['about another event', ({ idp }) => idp.logoutToken((claims) => (claims['events'] = { 'http://schemas.openid.net/event/other': {} })), /events/],
    [
      'with an event that is no object',
      ({ idp }) => idp.logoutToken((claims) => (claims['events'] = { 'http://schemas.openid.net/event/backchannel-logout': true })),
      /events/,
    ],
    ['with a nonce, as an ID token', ({ idp }) => idp.logoutToken((claims) => (claims['nonce'] = 'n')), /nonce/],
    ['of another type', ({ idp }) => idp.logoutToken(undefined, { typ: 'at+jwt' }), /typ/],
    ['about nobody', ({ idp }) => idp.logoutToken((claims) => delete claims['sub']), /neither sub nor sid/],
    ['about somebody who is no text', ({ idp }) => idp.logoutToken((claims) => (claims['sid'] = { a: 1 })), /sid/],
    ['that is none', () => Promise.resolve('not.a.token'), /ERR_/],
  ]
  for (const [what, make, why] of forged)
    test(`${what} is refused, and ends nothing`, async () => {
      const token = await make(at)

      const answer = await send(at.platform, token)

      assert.equal(answer.status, 400, answer.text)
      const { error, error_description: description } = answer.json() as { error: string; error_description: string }
      assert.equal(error, 'invalid_request')
      assert.match(description, why)
      assert.ok(!answer.text.includes(token))
      assert.equal(await browser.isSignedIn(), true)
    })
})

describe('signing out of the console', () => {
  test('goes to the provider too where it is told to, without a token in the address', async () => {
    await using at = await startOidcWorld({ rpInitiatedLogout: true })
    at.idp.metadata = { end_session_endpoint: `${at.idp.issuer}/end` }
    const browser = await signedIn(at, 'home')

    const answer = await browser.post('/auth/logout')

    assert.equal(answer.status, 200)
    const { location } = answer.json() as { location: string }
    const { origin, pathname, searchParams } = new URL(location)
    assert.equal(`${origin}${pathname}`, `${at.idp.issuer}/end`)
    assert.deepEqual(Object.fromEntries(searchParams), { client_id: at.idp.clientID, post_logout_redirect_uri: 'https://gantry.test/console/login' })
    assert.equal(await browser.isSignedIn(), false)
  })

  test('ends here, and goes nowhere else, when it is not told to, for local users, and whatever the provider does', async () => {
    await using at = await startOidcWorld()
    at.idp.metadata = { end_session_endpoint: `${at.idp.issuer}/end` }
    const quiet = await (await signedIn(at, 'home')).post('/auth/logout')
    await using told = await startOidcWorld({ rpInitiatedLogout: true })
    await told.platform.addUser('bob')
    const local = new TestBrowser(told.platform)
    await local.login('bob', 'correct horse battery')
    const ofLocal = await local.post('/auth/logout')
    const without = await (await signedIn(told, 'home')).post('/auth/logout')
    const browser = await signedIn(told, 'home')
    await told.platform.clock.advance(6 * minute)
    told.idp.answers.set('/.well-known/openid-configuration', () => ({ status: 500, headers: {}, body: '' }))
    const away = await browser.post('/auth/logout')

    assert.deepEqual([quiet.status, ofLocal.status, without.status, away.status], [204, 204, 204, 204])
    assert.equal(await browser.isSignedIn(), false)
  })
})
