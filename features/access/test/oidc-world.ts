import { identityProviderKind, type IdentityProvider, type OidcSettings } from '@gantry/access/api'
import type { ResourceRef } from '@gantry/client'
import { FakeClock } from '@gantry/runtime/testing'
import { FakeOidcProvider } from './fake-oidc-provider.ts'
import type { TestBrowser } from './test-browser.ts'
import { settle, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }

export interface OidcWorld extends AsyncDisposable {
  readonly platform: TestPlatform
  readonly idp: FakeOidcProvider
  /** To the provider and back. */
  comeBack(browser: TestBrowser, next?: string): Promise<Answer>
}

/** A platform whose users sign in with the OpenID provider "corp", which makes users. */
export async function startOidcWorld(settings: Partial<OidcSettings> = {}): Promise<OidcWorld> {
  // The library of our own provider stamps with the machine's time.
  const clock = new FakeClock(new Date().toISOString())
  const idp = await FakeOidcProvider.create(clock)
  const platform = await startTestPlatform({ clock, outbound: idp.outbound })
  const data = { 'client-secret': Buffer.from(idp.clientSecret).toString('base64') }
  await platform.hub.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'corp', namespace: 'gantry-system' }, data } as never)
  const { apiVersion, kind, ref } = identityProviderKind
  const oidc = { issuer: idp.issuer, clientID: idp.clientID, clientSecret: 'corp', ...settings }
  await platform.hub.create<IdentityProvider>(ref, { apiVersion, kind, metadata: { name: 'corp' }, spec: { type: 'OIDC', createUsers: true, oidc } })
  await settle()
  return {
    platform,
    idp,
    async comeBack(browser, next = '/pods') {
      const begun = await browser.ask('GET', `/auth/login/corp?next=${encodeURIComponent(next)}`)
      return browser.ask('GET', idp.agree(String(begun.headers['location'])))
    },
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  }
}
