import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  accessRoleBindingKind,
  identityProviderKind,
  signInPolicyKind,
  type AccessRoleBinding,
  type OwnAccount,
  type SignInPolicy,
  type WaitingStep,
} from '@gantry/access/api'
import { startOidcWorld, type OidcWorld } from './oidc-world.ts'
import { codeOf, TestBrowser } from './test-browser.ts'
import { settle, type Answer, type TestPlatform } from './test-platform.ts'

const me = '/platform/v1/me'
const minute = 60_000

async function world(policy?: SignInPolicy['spec']): Promise<OidcWorld> {
  const at = await startOidcWorld()
  if (policy !== undefined) await setPolicy(at.platform, policy)
  return at
}

async function setPolicy(platform: TestPlatform, spec: SignInPolicy['spec']): Promise<void> {
  const { apiVersion, kind, ref } = signInPolicyKind
  await platform.hub.create<SignInPolicy>(ref, { apiVersion, kind, metadata: { name: 'default' }, spec })
  await settle()
}

const waiting = async (browser: TestBrowser): Promise<WaitingStep> => (await browser.ask('GET', '/auth/login/step')).json() as WaitingStep
const account = async (browser: TestBrowser): Promise<OwnAccount> => (await browser.ask('GET', me)).json() as OwnAccount

describe('a second factor of users of an OpenID provider', () => {
  test('is not asked for by group or role: the provider has its own', async () => {
    await using at = await world({ secondFactor: { requiredForGroups: ['system:authenticated'], requiredForProviders: ['other'] } })
    const browser = new TestBrowser(at.platform)

    const answer = await at.comeBack(browser)

    assert.equal(answer.headers['location'], '/console/pods')
    assert.equal(await browser.isSignedIn(), true)
    assert.equal((await account(browser)).secondFactor.isRequired, false)
  })

  test('is set up at the sign-in where the policy names the provider, and asked for from then on, at any gateway', async () => {
    await using at = await world({ secondFactor: { requiredForProviders: ['corp'] } })
    const browser = new TestBrowser(at.platform)

    const back = await at.comeBack(browser)
    const isInBefore = await browser.isSignedIn()
    const first = await waiting(browser)
    const done = await browser.step(first.ticket, { code: await codeOf(at.platform, first.enrolment?.secret ?? '') })
    await at.platform.clock.advance(minute)
    const other = new TestBrowser(await at.platform.beside())
    await at.comeBack(other)
    const second = await waiting(other)
    const wrong = await other.step(second.ticket, { code: '000000' })
    const right = await other.step(second.ticket, { code: await codeOf(at.platform, first.enrolment?.secret ?? '') })

    assert.equal(back.headers['location'], '/console/login?step=&next=%2Fpods')
    assert.equal(isInBefore, false)
    assert.equal(first.next, 'enrolSecondFactor')
    assert.equal(done.status, 200, done.text)
    assert.equal((done.json() as { recoveryCodes: string[] }).recoveryCodes.length, 10)
    assert.equal(second.next, 'secondFactor')
    assert.equal(second.enrolment, undefined)
    assert.deepEqual([wrong.status, right.status], [401, 200])
    assert.equal(await other.isSignedIn(), true)
  })

  test('leaves no ticket in an address, nor with a page of another site, nor behind', async () => {
    await using at = await world({ secondFactor: { requiredForProviders: ['corp'] } })
    const browser = new TestBrowser(at.platform)

    const back = await at.comeBack(browser)
    const cookies = [...browser.cookies.values()]
    const foreign = await at.platform.ask('GET', '/auth/login/step', {
      headers: { cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; '), origin: 'https://evil.test' },
    })
    const half = new TestBrowser(at.platform)
    half.cookies.set('__Host-gantry-sign-in-ticket', browser.cookies.get('__Host-gantry-sign-in-ticket') ?? '')
    const { ticket, enrolment } = await waiting(browser)
    await browser.step(ticket, { code: await codeOf(at.platform, enrolment?.secret ?? '') })

    for (const value of cookies) assert.ok(!String(back.headers['location']).includes(value))
    for (const line of back.headers['set-cookie'] ?? []) if (line.includes('sign-in')) assert.match(line, /; Secure; HttpOnly; SameSite=Strict; Max-Age=300$/)
    assert.equal(foreign.status, 403)
    assert.equal((await half.ask('GET', '/auth/login/step')).status, 401)
    assert.deepEqual([...browser.cookies.keys()].toSorted(), ['__Host-gantry-known-browser', '__Host-gantry-session'])
    assert.equal((await browser.ask('GET', '/auth/login/step')).status, 404)
  })

  test('can be set up and removed on the account page, after a sign-in of the last ten minutes and with nothing less', async () => {
    await using at = await world()
    const browser = new TestBrowser(at.platform)
    await at.comeBack(browser)
    const key = await at.platform.keyOf('corp.ann')

    const byKey = await at.platform.ask('POST', `${me}/second-factor`, { token: key, body: {} })
    await at.platform.clock.advance(11 * minute)
    const late = await browser.post(`${me}/second-factor`, {})
    await at.comeBack(browser)
    const { secret } = (await browser.post(`${me}/second-factor`, {})).json() as { secret: string }
    const confirmed = await browser.post(`${me}/second-factor/confirm`, { code: await codeOf(at.platform, secret) })
    const shown = await account(browser)
    const without = await browser.post(`${me}/second-factor/remove`, {})
    const wrong = await browser.post(`${me}/second-factor/remove`, { code: '000000' })
    await at.platform.clock.advance(minute)
    const removed = await browser.post(`${me}/second-factor/remove`, { code: await codeOf(at.platform, secret) })

    assert.deepEqual([byKey.status, late.status, confirmed.status], [403, 403, 200])
    assert.match(late.text, /sign-in with \\"corp\\" in the console that is at most 10 minutes old: sign out, sign in again/)
    assert.deepEqual([shown.identityProvider, shown.hasPassword, shown.secondFactor.recoveryCodesLeft], ['corp', false, 10])
    assert.deepEqual([without.status, wrong.status, removed.status], [403, 403, 200])
    assert.equal((await at.comeBack(new TestBrowser(at.platform))).headers['location'], '/console/pods')
  })

  test('is reset by an administrator, and by nobody who has less', async () => {
    await using at = await world({ secondFactor: { requiredForProviders: ['corp'] } })
    const browser = new TestBrowser(at.platform)
    await at.comeBack(browser)
    const { ticket, enrolment } = await waiting(browser)
    await browser.step(ticket, { code: await codeOf(at.platform, enrolment?.secret ?? '') })
    const { apiVersion, kind, ref } = accessRoleBindingKind
    await at.platform.hub.create<AccessRoleBinding>(ref, {
      apiVersion,
      kind,
      metadata: { name: 'ann' },
      spec: { role: 'platform-viewer', subjects: [{ kind: 'User', name: 'corp.ann' }] },
    })
    await at.platform.addUser('root', 'admin')
    await at.platform.addUser('eve')
    await settle()
    const reset = async (who: string): Promise<Answer> =>
      at.platform.ask('POST', '/platform/v1/users/corp.ann/reset-second-factor', { token: await at.platform.keyOf(who), body: {} })

    const refused = await reset('eve')
    const done = await reset('root')
    const again = new TestBrowser(at.platform)
    await at.comeBack(again)

    assert.deepEqual([refused.status, done.status], [403, 200])
    assert.equal((await waiting(again)).next, 'enrolSecondFactor')
  })

  test('locks the account by wrong codes, and a provider that is disabled meanwhile ends the sign-in', async () => {
    await using at = await world({ secondFactor: { requiredForProviders: ['corp'] } })
    const browser = new TestBrowser(at.platform)
    await at.comeBack(browser)
    const { ticket, enrolment } = await waiting(browser)
    await browser.step(ticket, { code: await codeOf(at.platform, enrolment?.secret ?? '') })
    await at.platform.clock.advance(minute)
    for (let i = 0; i < 10; i++) {
      const stranger = new TestBrowser(at.platform, `198.51.100.${i}`)
      // oxlint-disable-next-line no-await-in-loop -- one after another
      await at.comeBack(stranger)
      // oxlint-disable-next-line no-await-in-loop -- one after another
      await stranger.step((await waiting(stranger)).ticket, { code: '000000' })
    }
    const isLocked = at.platform.identities.lock.isLocked('corp.ann')
    await at.platform.clock.advance(2 * minute)
    const late = new TestBrowser(at.platform)
    await at.comeBack(late)
    const begun = await waiting(late)
    await at.platform.hub.patch(identityProviderKind.ref, { name: 'corp' }, { type: 'merge', body: { spec: { disabled: true } } })
    await settle()
    const ended = await late.step(begun.ticket, { code: await codeOf(at.platform, enrolment?.secret ?? '') })

    assert.equal(isLocked, true)
    assert.equal(ended.status, 401)
    assert.match(ended.text, /this sign-in is over/)
  })
})
