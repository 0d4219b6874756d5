import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signInPolicyKind, userKind, type SignInPolicy, type User } from '@gantry/access/api'
import { settle } from '@gantry/runtime/testing'
import { codeOf, enrolled, TestBrowser } from './test-browser.ts'
import { password, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const minute = 60_000
const own = 'a password of my own'

function ticketOf(answer: Answer): string {
  return (answer.json() as { ticket: string }).ticket
}

function nextOf(answer: Answer): string | undefined {
  return (answer.json() as { next?: string }).next
}

async function setPolicy(platform: TestPlatform, spec: SignInPolicy['spec']): Promise<void> {
  const { apiVersion, kind, ref } = signInPolicyKind
  await platform.hub.create<SignInPolicy>(ref, { apiVersion, kind, metadata: { name: 'default' }, spec })
  await settle()
}

async function statusOf(platform: TestPlatform, name: string): Promise<NonNullable<User['status']>> {
  await settle()
  return (await platform.hub.get<User>(userKind.ref, { name })).status ?? {}
}

describe('a second factor', () => {
  test('is asked for after the password, and opens the session', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { secret } = await enrolled(platform, 'ann', password)
    await platform.clock.advance(minute)
    const browser = new TestBrowser(platform)

    const first = await browser.login('ann', password)
    const isInBefore = await browser.isSignedIn()
    const second = await browser.step(ticketOf(first), { code: await codeOf(platform, secret) })

    assert.equal(nextOf(first), 'secondFactor')
    assert.equal(isInBefore, false)
    assert.equal(second.status, 200)
    assert.equal((second.json() as { user: { name: string } }).user.name, 'ann')
    assert.equal(await browser.isSignedIn(), true)
    assert.equal((await statusOf(platform, 'ann')).secondFactor, 'TOTP')
  })

  test('takes the codes of the step before and after, and no others', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    const { secret } = await enrolled(platform, 'ann', password)
    await platform.clock.advance(10 * minute)
    const statuses: number[] = []
    for (const steps of [-2, 2, -1, 0, 1]) {
      const browser = new TestBrowser(platform)
      // oxlint-disable-next-line no-await-in-loop -- one sign-in after another
      const ticket = ticketOf(await browser.login('ann', password))
      // oxlint-disable-next-line no-await-in-loop -- one sign-in after another
      statuses.push((await browser.step(ticket, { code: await codeOf(platform, secret, steps) })).status)
    }

    assert.deepEqual(statuses, [401, 401, 200, 200, 200])
  })

  test('takes each code once, also after a restart and from two at once', async () => {
    await using first = await startTestPlatform()
    await first.addUser('ann')
    const { secret } = await enrolled(first, 'ann', password)
    await first.clock.advance(minute)
    const code = await codeOf(first, secret)
    const [one, two] = [new TestBrowser(first), new TestBrowser(first)]
    const [ticketOne, ticketTwo] = [ticketOf(await one.login('ann', password)), ticketOf(await two.login('ann', password))]

    const both = await Promise.all([one.step(ticketOne, { code }), two.step(ticketTwo, { code })])
    await using second = await first.restart()
    const again = new TestBrowser(second)
    const replayed = await again.step(ticketOf(await again.login('ann', password)), { code })

    assert.deepEqual(new Set(both.map(({ status }) => status)), new Set([200, 401]))
    assert.equal(replayed.status, 401)
  })

  test('of one user is nothing for another', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    await platform.addUser('bob')
    await enrolled(platform, 'ann', password)
    const { secret } = await enrolled(platform, 'bob', password)
    await platform.clock.advance(minute)
    const browser = new TestBrowser(platform)

    const answer = await browser.step(ticketOf(await browser.login('ann', password)), { code: await codeOf(platform, secret) })

    assert.equal(answer.status, 401)
  })

  test('can be stood in for by each recovery code once', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    const { recoveryCodes } = await enrolled(platform, 'ann', password)
    const [code = ''] = recoveryCodes
    const signInWith = async (given: string): Promise<number> => {
      const browser = new TestBrowser(platform)
      return (await browser.step(ticketOf(await browser.login('ann', password)), { code: given })).status
    }

    assert.equal(new Set(recoveryCodes).size, 10)
    assert.match(code, /^[a-z0-9]{4}(?:-[a-z0-9]{4}){3}$/)
    assert.equal(await signInWith(code.toUpperCase().replaceAll('-', ' ')), 200)
    assert.equal(await signInWith(code), 401)
    assert.equal(await signInWith(recoveryCodes[1] ?? ''), 200)
  })

  test('is set up before the session when the policy asks for it, by group and by role', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('vic', 'viewer')
    await setPolicy(platform, { secondFactor: { requiredForRoles: ['platform-admin'] } })
    const browser = new TestBrowser(platform)

    const first = await browser.login('ann', password)
    const { enrolment } = first.json() as { enrolment: { secret: string; uri: string } }
    const wrong = await browser.step(ticketOf(first), { code: '000000' })
    const done = await browser.step(ticketOf(first), { code: await codeOf(platform, enrolment.secret) })
    const viewer = await new TestBrowser(platform).login('vic', password)
    await platform.hub.patch(
      signInPolicyKind.ref,
      { name: 'default' },
      { type: 'merge', body: { spec: { secondFactor: { requiredForGroups: ['system:authenticated'] } } } },
    )
    await settle()
    const viewerThen = await new TestBrowser(platform).login('vic', password)

    assert.equal(nextOf(first), 'enrolSecondFactor')
    assert.match(enrolment.uri, /^otpauth:\/\/totp\/Gantry:ann\?secret=[A-Z2-7]{32}&issuer=Gantry/)
    assert.equal(wrong.status, 401)
    assert.equal(done.status, 200)
    assert.equal((done.json() as { recoveryCodes: string[] }).recoveryCodes.length, 10)
    assert.equal(await browser.isSignedIn(), true)
    assert.equal(nextOf(viewer), undefined)
    assert.equal(nextOf(viewerThen), 'enrolSecondFactor')
  })

  test('and recovery codes are nowhere but in their Secret, and those only as hashes', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const { secret, recoveryCodes } = await enrolled(platform, 'ann', password)
    const stored = await platform.stored()
    const holders = (text: string): string[] =>
      stored.filter(({ value }) => value.includes(text) || value.includes(Buffer.from(text).toString('base64'))).map(({ key }) => key)

    assert.equal(holders(secret).length, 1)
    assert.match(holders(secret)[0] ?? '', /secrets\/gantry-system\/user-ann$/)
    for (const code of recoveryCodes) for (const form of [code, code.replaceAll('-', '')]) assert.deepEqual(holders(form), [])
    assert.ok(!JSON.stringify(platform.audit).includes(secret))
  })
})

describe('a ticket', () => {
  async function withTicket(platform: TestPlatform): Promise<{ readonly browser: TestBrowser; readonly ticket: string; readonly secret: string }> {
    await platform.addUser('ann', 'admin')
    const { secret } = await enrolled(platform, 'ann', password)
    await platform.clock.advance(minute)
    const browser = new TestBrowser(platform)
    return { browser, ticket: ticketOf(await browser.login('ann', password)), secret }
  }

  test('is worth nothing in another browser, and still good in its own', async () => {
    await using platform = await startTestPlatform()
    const { browser, ticket, secret } = await withTicket(platform)
    const code = await codeOf(platform, secret)
    const thief = new TestBrowser(platform)
    await thief.login('ann', password)

    const bare = await new TestBrowser(platform).step(ticket, { code })
    const stolen = await thief.step(ticket, { code })

    assert.equal(bare.status, 401)
    assert.equal(stolen.status, 401)
    assert.equal((await browser.step(ticket, { code })).status, 200)
  })

  test('works once', async () => {
    await using platform = await startTestPlatform()
    const { browser, ticket, secret } = await withTicket(platform)
    const cookies = new Map(browser.cookies)
    await browser.step(ticket, { code: await codeOf(platform, secret) })
    for (const [name, value] of cookies) browser.cookies.set(name, value)

    const again = await browser.step(ticket, { code: await codeOf(platform, secret, 1) })

    assert.equal(again.status, 401)
    assert.match(again.text, /this sign-in is over/)
  })

  test('is over after five minutes', async () => {
    await using platform = await startTestPlatform()
    const { browser, ticket, secret } = await withTicket(platform)
    await platform.clock.advance(5 * minute)

    assert.equal((await browser.step(ticket, { code: await codeOf(platform, secret) })).status, 401)
  })

  test('gives nothing but its step: neither a session nor another password', async () => {
    await using platform = await startTestPlatform()
    const { browser, ticket } = await withTicket(platform)

    const other = await browser.step(ticket, { newPassword: own })
    const asKey = await platform.ask('GET', '/platform/v1/info', { token: ticket })
    const asCookie = await platform.ask('GET', '/platform/v1/info', { cookie: ticket })

    assert.equal(other.status, 400)
    assert.equal(asKey.status, 401)
    assert.equal(asCookie.status, 401)
    assert.equal((await new TestBrowser(platform).login('ann', own)).status, 401)
  })

  test('ends when the password is changed, the user is disabled or made anew meanwhile', async () => {
    await using platform = await startTestPlatform()
    const { browser, ticket, secret } = await withTicket(platform)
    await platform.identities.setPassword('ann', own)
    const changed = await browser.step(ticket, { code: await codeOf(platform, secret) })
    const second = ticketOf(await browser.login('ann', own))
    await platform.hub.patch<User>(userKind.ref, { name: 'ann' }, { type: 'merge', body: { spec: { disabled: true } } })
    await settle()
    const disabled = await browser.step(second, { code: await codeOf(platform, secret) })

    assert.equal(changed.status, 401)
    assert.equal(disabled.status, 401)
  })
})

describe('a session', () => {
  test('is a new one after every sign-in: one that was planted is over', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('eve')
    await platform.addUser('ann', 'admin')
    const { secret } = await enrolled(platform, 'ann', password)
    await platform.clock.advance(minute)
    const planted = (await platform.signIn('eve', password)).cookie ?? ''
    const browser = new TestBrowser(platform)
    browser.cookies.set('__Host-gantry-session', planted)

    const first = await browser.login('ann', password)
    const between = browser.cookies.get('__Host-gantry-session')
    await browser.step(ticketOf(first), { code: await codeOf(platform, secret) })

    assert.equal(between, planted, 'a password alone changes nothing')
    assert.notEqual(browser.cookies.get('__Host-gantry-session'), planted)
    assert.equal((await platform.ask('GET', '/auth/session', { cookie: planted })).status, 401)
  })
})

describe('a password that somebody else has set', () => {
  test('is changed before the session, to another that holds', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    const token = await platform.keyOf('ann')
    await platform.ask('POST', '/platform/v1/users', { token, body: { name: 'vic', password } })
    const browser = new TestBrowser(platform)

    const first = await browser.login('vic', password)
    const statusBefore = await statusOf(platform, 'vic')
    const same = await browser.step(ticketOf(first), { newPassword: password })
    const common = await browser.step(ticketOf(first), { newPassword: '1q2w3e4r5t6y' })
    const done = await browser.step(ticketOf(first), { newPassword: own })

    assert.deepEqual(first.json(), { next: 'changePassword', ticket: ticketOf(first), shortestPassword: 10 })
    assert.equal(statusBefore.mustChangePassword, true)
    assert.equal(same.status, 422)
    assert.match(common.text, /tried first/)
    assert.equal(done.status, 200)
    assert.equal(await browser.isSignedIn(), true)
    assert.equal((await statusOf(platform, 'vic')).mustChangePassword, undefined)
    assert.equal((await new TestBrowser(platform).login('vic', password)).status, 401)
    assert.equal(nextOf(await new TestBrowser(platform).login('vic', own)), undefined)
  })

  test('comes after the second factor, so that a leaked one alone changes nothing', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('vic')
    const { secret } = await enrolled(platform, 'vic', password)
    await platform.ask('POST', '/platform/v1/users/vic/password', { token: await platform.keyOf('ann'), body: { password: own } })
    await platform.clock.advance(minute)
    const browser = new TestBrowser(platform)

    const first = await browser.login('vic', own)
    const second = await browser.step(ticketOf(first), { code: await codeOf(platform, secret) })
    const third = await browser.step(ticketOf(second), { newPassword: 'yet another one' })

    assert.deepEqual([nextOf(first), nextOf(second), third.status], ['secondFactor', 'changePassword', 200])
  })

  test('does not stop the keys of its user', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('vic', 'viewer')
    const key = await platform.keyOf('vic')
    await platform.ask('POST', '/platform/v1/users/vic/password', { token: await platform.keyOf('ann'), body: { password: own } })

    assert.equal((await platform.ask('GET', '/api/v1/namespaces', { token: key })).status, 200)
  })
})

describe('an account', () => {
  /** From so many addresses that none of them is slowed down. */
  async function guess(platform: TestPlatform, user: string, count: number): Promise<Answer[]> {
    const answers: Answer[] = []
    // oxlint-disable-next-line no-await-in-loop -- one after another
    for (let i = 0; i < count; i++) answers.push(await new TestBrowser(platform, `198.51.100.${i}`).login(user, `guess number ${i}`))
    await settle()
    return answers
  }

  test('is locked after ten failures from anywhere, for a time that doubles, and says nothing of it', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    const guesses = await guess(platform, 'ann', 10)
    const locked = await new TestBrowser(platform, '203.0.113.1').login('ann', password)
    const nobody = await guess(platform, 'nobody', 12)
    await platform.clock.advance(minute + 1_000)
    const wrongAgain = await new TestBrowser(platform, '203.0.113.2').login('ann', 'wrong again')
    await settle()
    await platform.clock.advance(minute + 1_000)
    const stillLocked = await new TestBrowser(platform, '203.0.113.3').login('ann', password)
    await platform.clock.advance(minute)
    const then = await new TestBrowser(platform, '203.0.113.4').login('ann', password)

    assert.equal(locked.status, 401)
    for (const answer of [...guesses, ...nobody, wrongAgain, stillLocked]) assert.deepEqual([answer.status, answer.text], [locked.status, locked.text])
    assert.equal(then.status, 200)
    assert.deepEqual([(await statusOf(platform, 'ann')).failedSignIns, (await statusOf(platform, 'ann')).lockedUntilTime], [undefined, undefined])
  })

  test('that is locked stays so after a restart, and no longer for what is tried meanwhile', async () => {
    await using first = await startTestPlatform()
    await first.addUser('ann')
    await guess(first, 'ann', 10)
    await using second = await first.restart()
    const before = await statusOf(second, 'ann')
    await guess(second, 'ann', 20)

    assert.equal(before.failedSignIns, 10)
    assert.equal((await second.signIn('ann', password, '203.0.113.1')).status, 401)
    assert.deepEqual(await statusOf(second, 'ann'), before)
  })

  test('that strangers have locked is open to a browser of the user, which has a count of its own', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    const browser = new TestBrowser(platform, '203.0.113.1')
    await browser.login('ann', password)
    await browser.post('/auth/logout')
    await guess(platform, 'ann', 30)

    const stranger = await new TestBrowser(platform, '203.0.113.2').login('ann', password)
    const known = await browser.login('ann', password)
    const lockedStill = (await statusOf(platform, 'ann')).lockedUntilTime
    // A cookie that was stolen is no way round: each try from another address.
    for (let i = 0; i < 5; i++) {
      const thief = new TestBrowser(platform, `198.51.100.${100 + i}`)
      thief.cookies.set('__Host-gantry-known-browser', browser.cookies.get('__Host-gantry-known-browser') ?? '')
      // oxlint-disable-next-line no-await-in-loop -- one after another
      assert.equal((await thief.login('ann', `guess number ${i}`)).status, 401)
    }
    const thief = new TestBrowser(platform, '198.51.100.200')
    thief.cookies.set('__Host-gantry-known-browser', browser.cookies.get('__Host-gantry-known-browser') ?? '')

    assert.equal(stranger.status, 401)
    assert.equal(known.status, 200)
    assert.notEqual(lockedStill, undefined, 'what strangers have done still counts against them')
    assert.equal((await thief.login('ann', password)).status, 401)
  })

  test('cannot be guessed faster by many at once', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    let judged = 0
    const { lock } = platform.identities
    const [begin, end] = [lock.begin.bind(lock), lock.end.bind(lock)]
    lock.begin = (user) => begin(user) && ++judged > 0
    lock.end = end

    await Promise.all(Array.from({ length: 20 }, (_, i) => new TestBrowser(platform, `198.51.100.${i}`).login('ann', `guess number ${i}`)))

    assert.equal(judged, 10)
  })

  test('is locked by wrong codes too, across tickets', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    const { secret } = await enrolled(platform, 'ann', password)
    await platform.clock.advance(10 * minute)
    const wrong = String((Number(await codeOf(platform, secret)) + 1) % 1_000_000).padStart(6, '0')
    for (let i = 0; i < 10; i++) {
      const browser = new TestBrowser(platform, `198.51.100.${i}`)
      // oxlint-disable-next-line no-await-in-loop -- one after another
      assert.equal((await browser.step(ticketOf(await browser.login('ann', password)), { code: wrong })).status, 401)
    }
    await settle()

    assert.equal((await new TestBrowser(platform, '203.0.113.1').login('ann', password)).status, 401)
    assert.equal((await statusOf(platform, 'ann')).failedSignIns, 10)
  })

  test('is unlocked by an administrator, not by its user', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann', 'admin')
    await platform.addUser('vic', 'viewer')
    await guess(platform, 'vic', 10)

    const byItself = await platform.ask('POST', '/platform/v1/users/vic/unlock', { token: await platform.keyOf('vic') })
    const byAdmin = await platform.ask('POST', '/platform/v1/users/vic/unlock', { token: await platform.keyOf('ann') })
    const unknown = await platform.ask('POST', '/platform/v1/users/nobody/unlock', { token: await platform.keyOf('ann') })

    assert.deepEqual([byItself.status, byAdmin.status, unknown.status], [403, 200, 404])
    assert.equal((await new TestBrowser(platform).login('vic', password)).status, 200)
  })

  test('is as slow to answer for a name that nobody has: the same hub is asked, and a hash is made', async () => {
    await using platform = await startTestPlatform()
    await platform.addUser('ann')
    const { credentials } = platform.identities
    const asked: string[] = []
    const [read, readNothing] = [credentials.read.bind(credentials), credentials.readNothing.bind(credentials)]
    credentials.read = (owner) => (asked.push('secret'), read(owner))
    credentials.readNothing = () => (asked.push('secret'), readNothing())

    await new TestBrowser(platform).login('ann', 'wrong password')
    await new TestBrowser(platform).login('nobody', 'wrong password')

    assert.deepEqual(asked, ['secret', 'secret'])
  })
})

test('who has an account elsewhere does not sign in with a password left here', async () => {
  await using platform = await startTestPlatform()
  await platform.addUser('ann')
  const identity = { provider: 'github', subject: '1' }
  await platform.hub.patch<User>(userKind.ref, { name: 'ann' }, { type: 'merge', body: { spec: { identity } } })
  await settle()

  assert.equal((await new TestBrowser(platform).login('ann', password)).status, 401)
})

describe('a password hash', () => {
  test('of less than what is asked for today is made again at the next sign-in', async () => {
    await using weak = await startTestPlatform({ hashCost: { memory: 64, passes: 1, parallelism: 1 } })
    await weak.addUser('ann')
    const owner = weak.identities.ownerOf('ann')
    const before = await weak.identities.credentials.read(owner)
    await using strong = await weak.restart({ hashCost: { memory: 128, passes: 1, parallelism: 1 } })

    const signedIn = await strong.signIn('ann', password)
    const after = await strong.identities.credentials.read(owner)

    assert.match(before.passwordHash ?? '', /\$m=64,/)
    assert.equal(signedIn.status, 200)
    assert.match(after.passwordHash ?? '', /\$m=128,/)
    assert.equal((await strong.signIn('ann', password)).status, 200)
  })
})

test('what a user had is not for the next one of the same name', async () => {
  await using platform = await startTestPlatform()
  await platform.addUser('ann')
  await enrolled(platform, 'ann', password)
  await platform.hub.delete(userKind.ref, { name: 'ann' })
  await settle()
  await platform.hub.create<User>(userKind.ref, { apiVersion: userKind.apiVersion, kind: userKind.kind, metadata: { name: 'ann' }, spec: {} })
  await settle()

  assert.equal((await new TestBrowser(platform).login('ann', password)).status, 401)
  assert.equal(await platform.identities.hasPassword('ann'), false)
})
