import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { APIKey, OwnAccount, Session } from '@gantry/access/api'
import { settle } from '@gantry/runtime/testing'
import { codeOf, enrolled, TestBrowser } from './test-browser.ts'
import { password, startTestPlatform, type TestPlatform } from './test-platform.ts'

const me = '/platform/v1/me'
const own = 'a password of my own'

async function signedIn(platform: TestPlatform, user: string): Promise<TestBrowser> {
  const browser = new TestBrowser(platform)
  await browser.login(user, password)
  return browser
}

describe('the own account', () => {
  test('is open to everybody who is signed in, without any role, and to nobody else', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    const browser = await signedIn(platform, 'eve')

    const account = (await browser.ask('GET', me)).json() as OwnAccount

    assert.equal(account.name, 'eve')
    assert.deepEqual(account.secondFactor, { isRequired: false, recoveryCodesLeft: 0 })
    assert.equal(account.hasPassword, true)
    assert.equal((await platform.ask('GET', me)).status, 401)
    assert.equal((await browser.ask('GET', `${me}/nothing`)).status, 404)
    assert.equal((await browser.ask('PUT', me)).status, 403)
    assert.equal((await browser.ask('POST', '/platform/v1/users/eve/password', { password: own })).status, 403, 'administrators only')
  })

  test('gets another password for the one it has, and its other sessions end', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    const [browser, other] = [await signedIn(platform, 'eve'), await signedIn(platform, 'eve')]

    const wrong = await browser.post(`${me}/password`, { password: 'not this one', newPassword: own })
    const weak = await browser.post(`${me}/password`, { password, newPassword: 'eve eve eve eve' })
    const done = await browser.post(`${me}/password`, { password, newPassword: own })

    assert.deepEqual([wrong.status, weak.status, done.status], [403, 422, 200])
    assert.equal(await browser.isSignedIn(), true)
    assert.equal(await other.isSignedIn(), false)
    assert.equal((await new TestBrowser(platform).login('eve', own)).status, 200)
  })

  test('is slowed down when its password is guessed with a session, wherever that comes from', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    const browser = await signedIn(platform, 'eve')
    const cookie = browser.cookies.get('__Host-gantry-session')
    const statuses: number[] = []
    for (let i = 0; i < 7; i++) {
      const body = { password: `guess number ${i}`, newPassword: own }
      // oxlint-disable-next-line no-await-in-loop -- one after another
      statuses.push((await platform.ask('POST', `${me}/password`, { cookie, body, address: `198.51.100.${i}` })).status)
    }

    assert.deepEqual(statuses, [403, 403, 403, 403, 403, 429, 429])
    assert.equal((await new TestBrowser(platform).login('eve', password)).status, 200, 'signing in is another matter')
  })
})

describe('a second factor of one’s own', () => {
  test('takes the password to be set up and counts from its first code on', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    const browser = await signedIn(platform, 'eve')

    const without = await browser.post(`${me}/second-factor`, { password: 'not this one' })
    const begun = await browser.post(`${me}/second-factor`, { password })
    const { secret } = begun.json() as { secret: string }
    const wrong = await browser.post(`${me}/second-factor/confirm`, { code: '000000' })
    const before = (await browser.ask('GET', me)).json() as OwnAccount
    const confirmed = await browser.post(`${me}/second-factor/confirm`, { code: await codeOf(platform, secret) })
    const after = (await browser.ask('GET', me)).json() as OwnAccount
    const again = await browser.post(`${me}/second-factor`, { password })

    assert.deepEqual([without.status, begun.status, wrong.status, confirmed.status, again.status], [403, 200, 422, 200, 409])
    assert.equal(before.secondFactor.enrolledTime, undefined)
    assert.equal(after.secondFactor.recoveryCodesLeft, 10)
    assert.notEqual(after.secondFactor.enrolledTime, undefined)
  })

  test('is forgotten when it is not confirmed within ten minutes', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    const browser = await signedIn(platform, 'eve')
    const { secret } = (await browser.post(`${me}/second-factor`, { password })).json() as { secret: string }
    await platform.clock.advance(10 * 60_000)

    assert.equal((await browser.post(`${me}/second-factor/confirm`, { code: await codeOf(platform, secret) })).status, 409)
  })

  test('is removed by the password and a code together', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    const { browser, secret, recoveryCodes } = await enrolled(platform, 'eve', password)

    const noCode = await browser.post(`${me}/second-factor/remove`, { password })
    const noPassword = await browser.post(`${me}/second-factor/remove`, { code: recoveryCodes[0] })
    await platform.clock.advance(60_000)
    const replaced = await browser.post(`${me}/second-factor/recovery-codes`, { password, code: await codeOf(platform, secret) })
    const old = await browser.post(`${me}/second-factor/remove`, { password, code: recoveryCodes[1] })
    const [code] = (replaced.json() as { recoveryCodes: string[] }).recoveryCodes
    const done = await browser.post(`${me}/second-factor/remove`, { password, code })

    assert.deepEqual([noCode.status, noPassword.status, replaced.status, old.status, done.status], [400, 403, 200, 403, 200])
    assert.equal((await new TestBrowser(platform).login('eve', password)).text.includes('ticket'), false)
  })

  test('is reset by an administrator who has all that its user has', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('eve')
    await enrolled(platform, 'eve', password)
    const path = '/platform/v1/users/eve/reset-second-factor'

    const byItself = await platform.ask('POST', path, { token: await platform.keyOf('eve') })
    const byAdmin = await platform.ask('POST', path, { token: await platform.keyOf('ann') })
    const again = await platform.ask('POST', path, { token: await platform.keyOf('ann') })

    assert.deepEqual([byItself.status, byAdmin.status, again.status], [403, 200, 409])
    assert.equal((await new TestBrowser(platform).login('eve', password)).text.includes('ticket'), false)
  })
})

describe('sessions and keys of one’s own', () => {
  test('are listed with where they are from, and end one by one or all others at once', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    await platform.addUser('bob')
    const [browser, second, third] = [await signedIn(platform, 'eve'), await signedIn(platform, 'eve'), await signedIn(platform, 'eve')]
    const bobs = await signedIn(platform, 'bob')
    await settle()
    const { items } = (await browser.ask('GET', `${me}/sessions`)).json() as { items: Session[] }
    const nameOf = (of: TestBrowser): string => of.cookies.get('__Host-gantry-session')?.split('.')[0] ?? ''

    const foreign = await browser.ask('DELETE', `${me}/sessions/${nameOf(bobs)}`)
    const ended = await browser.ask('DELETE', `${me}/sessions/${nameOf(second)}`)
    const secondAfter = await second.isSignedIn()
    const thirdBefore = await third.isSignedIn()
    await browser.post(`${me}/sessions/end-others`)

    assert.equal(items.length, 3)
    assert.deepEqual(
      items.filter(({ metadata }) => metadata.annotations?.['access.gantry.dev/current'] === 'true').map(({ metadata }) => metadata.name),
      [nameOf(browser)],
    )
    assert.deepEqual([items[0]?.spec.address, items[0]?.spec.userAgent], ['192.0.2.1', 'test'])
    assert.deepEqual([foreign.status, ended.status], [404, 200])
    assert.deepEqual(
      [secondAfter, thirdBefore, await third.isSignedIn(), await browser.isSignedIn(), await bobs.isSignedIn()],
      [false, true, false, true, true],
    )
  })

  test('of others are not there', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    await platform.addUser('bob')
    const browser = await signedIn(platform, 'eve')
    const bobs = await platform.keyOf('bob')
    await browser.post('/platform/v1/apikeys', { description: 'mine', expiresInSeconds: 3_600 })
    const { items } = (await browser.ask('GET', `${me}/apikeys`)).json() as { items: APIKey[] }

    const foreign = await browser.ask('DELETE', `${me}/apikeys/${bobs.split('_')[1]}`)
    const revoked = await browser.ask('DELETE', `${me}/apikeys/${items[0]?.metadata.name}`)

    assert.deepEqual(
      items.map(({ spec }) => spec.description),
      ['mine'],
    )
    assert.notEqual(items[0]?.spec.expirationTime, undefined)
    assert.deepEqual([foreign.status, revoked.status], [404, 200])
    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: bobs })).status, 200)
    assert.deepEqual((await browser.ask('GET', `${me}/apikeys`)).json(), { items: [] })
  })
})
