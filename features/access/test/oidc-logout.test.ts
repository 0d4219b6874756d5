import assert from 'node:assert/strict'
import { test } from 'node:test'
import { oidcClientKind, signInPolicyKind, userKind, type OIDCClient, type SignInPolicy } from '@gantry/access/api'
import type { OutboundDeps } from '@gantry/access/server'
import { FakeClock } from '@gantry/runtime/testing'
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { hashSecret } from '../server/secret-hash.ts'
import { Browser, fetchOf, origin } from './oidc-browser.ts'
import { settle, startTestPlatform, type TestPlatform } from './test-platform.ts'

const secret = 'a-client-secret-of-32-random-bytes'
const redirect = 'https://grafana.test/login'
const told = 'https://grafana.test/logged-out?from=gantry'

interface Post {
  readonly to: string
  readonly method: string
  readonly token: string
}

interface World extends AsyncDisposable {
  readonly platform: TestPlatform
  readonly browser: Browser
  readonly client: oidc.Configuration
  addClient(): Promise<void>
  /** What the application's server was sent. */
  readonly posts: Post[]
  /** Resolves when so many have been sent and no more come of what has happened. Time stands still meanwhile: what is sent has a deadline, and is signed in a thread. */
  sent(count: number): Promise<void>
  /** Resolves when the name of its server has been looked up. */
  lookedUp(): Promise<void>
  signIn(): Promise<oidc.IDToken>
}

/** An application that wants to be told of logouts; its server answers `answer`. */
async function world(
  answer: () => number = () => 200,
  { spec = {}, address = '192.0.2.90' }: { readonly spec?: Partial<OIDCClient['spec']>; readonly address?: string } = {},
): Promise<World> {
  const posts: Post[] = []
  const lookedUp = Promise.withResolvers<void>()
  let posted = Promise.withResolvers<void>()
  const outbound: Pick<OutboundDeps, 'lookup' | 'openTransport'> = {
    lookup() {
      lookedUp.resolve()
      return Promise.resolve([address])
    },
    openTransport: ({ server, connectTo }) => ({
      async handle({ method, path, query, body }) {
        assert.equal(connectTo?.().host, address)
        const form = new URLSearchParams((await body?.bytes(20_000))?.toString())
        posts.push({ to: `${server}${path}?${query}`, method, token: form.get('logout_token') ?? '' })
        posted.resolve()
        posted = Promise.withResolvers()
        const status = answer()
        return { status, headers: status === 302 ? { location: 'https://elsewhere.test/' } : {}, body: '' }
      },
      close: () => Promise.resolve(),
    }),
  }
  // The library stamps with the machine's own time: the fake one begins there.
  const platform = await startTestPlatform({ clock: new FakeClock(new Date().toISOString()), outbound })
  await platform.addUser('ann', 'admin')
  async function addClient(): Promise<void> {
    const { apiVersion, kind, ref } = oidcClientKind
    await platform.hub.create<OIDCClient>(ref, {
      apiVersion,
      kind,
      metadata: { name: 'grafana' },
      spec: {
        redirectURIs: [redirect],
        postLogoutRedirectURIs: ['https://grafana.test/bye'],
        backchannelLogoutURI: told,
        secretHash: hashSecret(secret),
        ...spec,
      },
    })
  }
  await addClient()
  const browser = new Browser(platform)
  await browser.become('ann')
  const fetch = fetchOf(platform) as oidc.CustomFetch
  const client = await oidc.discovery(new URL(`${origin}/oidc`), 'grafana', undefined, oidc.ClientSecretBasic(secret), { [oidc.customFetch]: fetch })
  client[oidc.customFetch] = fetch
  return {
    platform,
    browser,
    client,
    addClient,
    posts,
    async sent(count) {
      while (posts.length < count) await posted.promise
      for (let turn = 0; turn < 10; turn++) await settle()
      assert.equal(posts.length, count)
    },
    lookedUp: () => lookedUp.promise,
    async signIn() {
      const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
      const url = oidc.buildAuthorizationUrl(client, {
        redirect_uri: redirect,
        scope: 'openid',
        code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      })
      const back = await browser.authorize(url.href)
      return (await oidc.authorizationCodeGrant(client, new URL(back.url), { pkceCodeVerifier, idTokenExpected: true })).claims() as oidc.IDToken
    },
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  }
}

const application = ({ platform }: World) => [...platform.identities.sessions.values()].find(({ spec }) => spec.type === 'Application')?.metadata.name ?? ''

test('an application is told of the end of a session, whoever has ended it, by a token that names the session of its ID token', async () => {
  await using at = await world()
  const claims = await at.signIn()
  const session = application(at)

  await at.platform.identities.endSession(session)
  await at.sent(1)

  const [post] = at.posts
  assert.deepEqual([post?.method, post?.to], ['POST', told])
  const keys = createRemoteJWKSet(new URL(`${origin}/oidc/jwks`), { [customFetch]: fetchOf(at.platform) as never })
  const { payload, protectedHeader } = await jwtVerify(post?.token ?? '', keys, { issuer: `${origin}/oidc`, audience: 'grafana', typ: 'logout+jwt' })
  assert.equal(protectedHeader.alg, 'RS256')
  assert.deepEqual([payload.sub, payload['sid']], [claims.sub, claims['sid']])
  assert.equal(payload['sid'], session)
  assert.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} })
  assert.ok(payload.jti !== undefined && payload['nonce'] === undefined)
  assert.equal(at.client.serverMetadata()['backchannel_logout_supported'], true)
  assert.equal(at.client.serverMetadata()['backchannel_logout_session_supported'], true)
})

test('an application that signs its user out here is told once', async () => {
  await using at = await world()
  await at.signIn()
  const page = await at.browser.visit(oidc.buildEndSessionUrl(at.client, { post_logout_redirect_uri: 'https://grafana.test/bye' }).href)
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
  await at.browser.submit(`${origin}/oidc/session/end/confirm`, { xsrf, logout: 'yes' })

  await at.sent(1)

  assert.equal(application(at), '')
})

test('an application is told when its user is disabled, and when the session is over', async () => {
  await using at = await world()
  const { apiVersion, kind, ref } = signInPolicyKind
  await at.platform.hub.create<SignInPolicy>(ref, { apiVersion, kind, metadata: { name: 'default' }, spec: { session: { absoluteHours: 1 } } })
  await settle()
  await at.signIn()
  await at.platform.hub.patch(userKind.ref, { name: 'ann' }, { type: 'merge', body: { spec: { disabled: true } } })
  await at.sent(1)
  await at.platform.clock.advance(59 * 60_000)
  // Not further than to its end: the time to tell it counts from there.
  while (application(at) !== '') await at.platform.clock.advance(1_000)

  await at.sent(2)
})

test('nothing is asked for an application without an address, nor for one that is not there any more', async () => {
  await using at = await world()
  await at.signIn()
  await at.platform.hub.patch(oidcClientKind.ref, { name: 'grafana' }, { type: 'merge', body: { spec: { backchannelLogoutURI: null } } })
  await at.platform.identities.endSession(application(at))
  await at.sent(0)
  await at.signIn()
  await at.platform.hub.delete(oidcClientKind.ref, { name: 'grafana' })
  await at.platform.identities.endSession(application(at))
  await at.sent(0)
  await at.addClient()
  await at.signIn()
  await at.platform.identities.endSession(application(at))

  await at.sent(1)
})

test('an application that does not take it is told again, three times in all; no redirect of it is followed', async () => {
  const answers = [503, 302, 500, 200]
  await using at = await world(() => answers[at.posts.length - 1] ?? 200)
  await at.signIn()
  await at.platform.identities.endSession(application(at))
  await at.sent(1)
  await at.platform.clock.advance(2_000)
  await at.sent(2)
  await at.platform.clock.advance(30_000)
  await at.sent(3)
  await at.platform.clock.advance(600_000)

  await at.sent(3)
  assert.deepEqual(new Set(at.posts.map(({ to }) => to)), new Set([told]))
})

test('the address of a metadata service is never asked, whatever name it has', async () => {
  await using at = await world(undefined, { address: '169.254.169.254' })
  await at.signIn()
  await at.platform.identities.endSession(application(at))
  await at.lookedUp()

  await at.sent(0)
})

for (const [what, address] of [
  ['without TLS', 'http://grafana.test/logout'],
  ['with a password in it', 'https://user:password@grafana.test/logout'],
  ['with a fragment', 'https://grafana.test/logout#here'],
] as const)
  test(`an address ${what} is refused when it is written`, async () => {
    await assert.rejects(world(undefined, { spec: { backchannelLogoutURI: address } }), { reason: 'Invalid' })
  })
