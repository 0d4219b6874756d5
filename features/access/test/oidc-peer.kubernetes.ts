import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener } from 'node:http'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { identityProviderKind, userKind, type IdentityProvider, type User } from '@gantry/access/api'
import { createDialer, openHttpTransport, systemLookup, type ResourceRef } from '@gantry/client'
import { createTestAuthority } from '@gantry/client/testing'
import { systemClock } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { exportJWK, generateKeyPair } from 'jose'
import { startTestPlatform, type TestPlatform } from './test-platform.ts'

const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }
const clientSecret = 'a secret+with%things/that:must be escaped'
/** As much of the library as is used here. */
type Peer = new (issuer: string, configuration: object) => { callback(): RequestListener }

/** Sign-ins against a provider that somebody else has written, with real sockets and TLS. */
describe('signing in at an independent OpenID provider', () => {
  const clock = new FakeClock(systemClock.now().toISOString()) // the provider stamps with the machine's time
  const authority = createTestAuthority('authority of the peer', systemClock.now().getTime())
  let platform: TestPlatform
  let listener: RequestListener
  const server = createServer(authority.issue({ commonName: 'peer', ip: ['127.0.0.1'] }), (...args) => listener(...args))
  let issuer = ''

  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    listener = (await createPeer(issuer)).callback()
    platform = await startTestPlatform({
      clock,
      isEmbedded: true,
      outbound: {
        lookup: systemLookup,
        openTransport: (options) => openHttpTransport(options, { clock }),
        dial: (options, signal) => createDialer({ clock }, options)(signal),
      },
    })
    const data = { 'client-secret': Buffer.from(clientSecret).toString('base64') }
    await platform.hub.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'peer', namespace: 'gantry-system' }, data } as never)
    const caData = Buffer.from(authority.cert).toString('base64')
    const { apiVersion, kind, ref } = identityProviderKind
    for (const [name, scopes] of [
      ['peer', ['profile', 'email', 'groups']],
      ['post', ['profile', 'email', 'groups']],
    ] as const) {
      const oidc = { issuer, clientID: name, clientSecret: 'peer', caData, scopes: [...scopes] }
      const object: IdentityProvider = {
        apiVersion,
        kind,
        metadata: { name },
        spec: { type: 'OIDC', createUsers: true, allowedDomains: ['example.com'], oidc },
      }
      await platform.hub.create<IdentityProvider>(ref, object)
    }
    await settle()
  })
  after(async () => {
    await platform[Symbol.asyncDispose]()
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  })

  /** What a browser does on the pages there; returns where it is sent back to. */
  async function browse(start: string, login: string): Promise<URL> {
    const cookies = new Map<string, string>()
    let url = new URL(start)
    let form: URLSearchParams | undefined
    for (let step = 0; step < 12; step++) {
      if (url.origin !== issuer) return url
      const { response, body } = await visit(url, { ca: authority.cert, cookies, form })
      form = undefined
      const { location } = response.headers
      if (location !== undefined) {
        url = new URL(location, url)
        continue
      }
      assert.equal(response.statusCode, 200, body)
      const action = /<form[^>]*action="([^"]+)"/.exec(body)?.[1]
      const prompt = /name="prompt" value="([^"]+)"/.exec(body)?.[1]
      assert.ok(action !== undefined && prompt !== undefined, body)
      url = new URL(action, url)
      form = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login, password: 'anything' } : {}) })
    }
    throw new Error('the pages of the provider lead nowhere')
  }

  async function signIn(name: string, login: string): Promise<string | undefined> {
    const begun = await platform.ask('GET', `/auth/login/${name}?next=/pods`)
    const back = await browse(String(begun.headers['location']), login)
    const cookie = /^([^;]+);/.exec(String(begun.headers['set-cookie']))?.[1]
    const answer = await platform.ask('GET', `${back.pathname}${back.search}`, { headers: { cookie } })
    return String(answer.headers['location'])
  }

  for (const [name, what] of [
    ['peer', 'in a header'],
    ['post', 'in a body'],
  ] as const)
    test(`works with a secret ${what}`, async () => {
      assert.equal(await signIn(name, 'ann'), '/console/pods')

      const user = await platform.hub.get<User>(userKind.ref, { name: `${name}.ann` })
      assert.deepEqual(user.spec.identity, { provider: name, subject: 'ann' })
      assert.equal(user.spec.displayName, 'Name of ann')
      assert.deepEqual(user.status?.groups, [`${name}:devs`])
    })

  test('refuses an address that the provider has not checked', async () => {
    assert.equal(await signIn('peer', 'unchecked'), '/console/login?problem=not-allowed&provider=peer')
  })

  test('tells the wrong secret, and nobody gets in with it', async () => {
    const value = Buffer.from('another').toString('base64')
    await platform.hub.patch(secrets, { namespace: 'gantry-system', name: 'peer' }, { type: 'merge', body: { data: { 'client-secret': value } } })

    assert.equal(await signIn('peer', 'ann'), '/console/login?problem=unavailable&provider=peer')

    const { status } = await platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name: 'peer' })
    assert.match(status?.conditions?.[0]?.message ?? '', /client authentication failed/)
  })
})

async function createPeer(issuer: string): Promise<InstanceType<Peer>> {
  const library: string = 'oidc-provider'
  const { default: Provider } = (await import(library)) as { readonly default: Peer }
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const client = (id: string, method: string): object => ({
    client_id: id,
    client_secret: clientSecret,
    redirect_uris: [`https://gantry.test/auth/callback/${id}`],
    token_endpoint_auth_method: method,
  })
  return new Provider(issuer, {
    clients: [client('peer', 'client_secret_basic'), client('post', 'client_secret_post')],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', kid: 'k1' }] },
    cookies: { keys: ['keys of a test'] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
    ttl: Object.fromEntries(['Interaction', 'Session', 'Grant', 'AccessToken', 'IdToken'].map((name) => [name, 60])),
    features: { devInteractions: { enabled: true } },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () =>
        Promise.resolve({
          sub: id,
          name: `Name of ${id}`,
          preferred_username: id,
          email: `${id}@example.com`,
          email_verified: id !== 'unchecked',
          groups: ['devs'],
        }),
    }),
  })
}

async function visit(
  url: URL,
  { ca, cookies, form }: { readonly ca: string; readonly cookies: Map<string, string>; readonly form: URLSearchParams | undefined },
): Promise<{ readonly response: IncomingMessage; readonly body: string }> {
  const headers = {
    accept: 'text/html',
    cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
    ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  const sent = request(url, { ca, method: form === undefined ? 'GET' : 'POST', headers })
  sent.end(form?.toString())
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  for (const line of response.headers['set-cookie'] ?? []) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (value === '') cookies.delete(name)
    else cookies.set(name, value)
  }
  return { response, body: await text(response) }
}
