import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signInPolicyKind, userKind, type SignInPolicy, type User } from '@gantry/access/api'
import { codeOf, enrolled, TestBrowser } from './test-browser.ts'
import { password, settle, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const minute = 60_000
const own = 'a password of my own'
const me = '/platform/v1/me'

interface World extends AsyncDisposable {
  readonly one: TestPlatform
  readonly two: TestPlatform
}

/** Two gateways on one hub. */
async function world(): Promise<World> {
  const one = await startTestPlatform()
  return { one, two: await one.beside(), [Symbol.asyncDispose]: () => one[Symbol.asyncDispose]() }
}

interface Step {
  readonly next?: string
  readonly ticket: string
  readonly enrolment?: { readonly secret: string }
}

const stepOf = (answer: Answer): Step => answer.json() as Step
const requireFactor = async ({ one }: World): Promise<void> => {
  const { apiVersion, kind, ref } = signInPolicyKind
  const spec = { secondFactor: { requiredForGroups: ['system:authenticated'] } }
  await one.hub.create<SignInPolicy>(ref, { apiVersion, kind, metadata: { name: 'default' }, spec })
  await settle()
}
/** Ann, with a second factor whose first code is over. */
async function withFactor({ one }: World): Promise<string> {
  await one.addUser('ann')
  const { secret } = await enrolled(one, 'ann', password)
  await one.clock.advance(minute)
  await settle()
  return secret
}

describe('a sign-in over two gateways', () => {
  test('goes on at the one that did not begin it, and opens a session at both', async () => {
    await using at = await world()
    const secret = await withFactor(at)
    const browser = new TestBrowser(at.one)

    const { ticket } = stepOf(await browser.login('ann', password))
    const done = await browser.at(at.two).step(ticket, { code: await codeOf(at.one, secret) })
    await settle()

    assert.equal(done.status, 200, done.text)
    assert.equal(await browser.at(at.two).isSignedIn(), true)
    assert.equal(await browser.at(at.one).isSignedIn(), true)
  })

  test('sets up what the policy asks for, and changes a password that somebody else has set, each step at another gateway', async () => {
    await using at = await world()
    await requireFactor(at)
    await at.one.identities.createUser({ name: 'vic', password, mustChangePassword: true })
    await settle()
    const browser = new TestBrowser(at.one)

    const first = stepOf(await browser.login('vic', password))
    const second = stepOf(await browser.at(at.two).step(first.ticket, { newPassword: own }))
    const last = await browser.at(at.one).step(second.ticket, { code: await codeOf(at.one, second.enrolment?.secret ?? '') })

    assert.deepEqual([first.next, second.next], ['changePassword', 'enrolSecondFactor'])
    assert.equal(last.status, 200, last.text)
    assert.equal((last.json() as { recoveryCodes: string[] }).recoveryCodes.length, 10)
  })

  test('ends at both when the password is changed at either', async () => {
    await using at = await world()
    const secret = await withFactor(at)
    const browser = new TestBrowser(at.one)
    const { ticket } = stepOf(await browser.login('ann', password))
    await at.two.identities.setPassword('ann', own)
    const code = await codeOf(at.one, secret)

    const answers = [await browser.step(ticket, { code }), await browser.at(at.two).step(ticket, { code })]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401],
    )
    assert.match(answers[0]?.text ?? '', /this sign-in is over/)
  })

  test('lets a factor be set up on the account page, begun at one and confirmed at the other', async () => {
    await using at = await world()
    await at.one.addUser('ann')
    await settle()
    const browser = new TestBrowser(at.one)
    await browser.login('ann', password)
    await settle()

    const { secret } = (await browser.post(`${me}/second-factor`, { password })).json() as { secret: string }
    const confirmed = await browser.at(at.two).post(`${me}/second-factor/confirm`, { code: await codeOf(at.one, secret) })
    const again = await browser.at(at.one).post(`${me}/second-factor/confirm`, { code: await codeOf(at.one, secret) })

    assert.equal(confirmed.status, 200, confirmed.text)
    assert.equal(again.status, 409)
  })
})

describe('over two gateways nothing counts twice:', () => {
  test('a ticket that has served at one is over at the other, with another code too', async () => {
    await using at = await world()
    const secret = await withFactor(at)
    const browser = new TestBrowser(at.one)
    const { ticket } = stepOf(await browser.login('ann', password))
    const replay = browser.copy(at.two)

    const first = await browser.step(ticket, { code: await codeOf(at.one, secret) })
    const second = await replay.step(ticket, { code: await codeOf(at.one, secret, 1) })

    assert.equal(first.status, 200)
    assert.equal(second.status, 401)
    assert.match(second.text, /this sign-in is over/)
    assert.equal(await replay.isSignedIn(), false)
  })

  test('a ticket at both in the same moment serves one, with a code for each', async () => {
    await using at = await world()
    const { recoveryCodes } = await (async () => {
      await at.one.addUser('ann')
      const made = await enrolled(at.one, 'ann', password)
      await settle()
      return made
    })()
    const browser = new TestBrowser(at.one)
    const { ticket } = stepOf(await browser.login('ann', password))
    const other = browser.copy(at.two)

    const answers = await Promise.all([browser.step(ticket, { code: recoveryCodes[0] ?? '' }), other.step(ticket, { code: recoveryCodes[1] ?? '' })])

    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 401]))
    const { recoveryCodes: left } = await at.one.identities.credentials.read(at.one.identities.ownerOf('ann'))
    assert.equal(left.length, 9, 'the other code was not used up')
  })

  test('a ticket for setting up a factor serves once, also when that factor is gone again', async () => {
    await using at = await world()
    await requireFactor(at)
    await at.one.addUser('ann')
    await settle()
    const browser = new TestBrowser(at.one)
    const { ticket, enrolment } = stepOf(await browser.login('ann', password))
    const replay = browser.copy(at.two)
    await browser.step(ticket, { code: await codeOf(at.one, enrolment?.secret ?? '') })
    await at.one.identities.removeSecondFactor('ann')

    const second = await replay.step(ticket, { code: await codeOf(at.one, enrolment?.secret ?? '', 1) })

    assert.equal(second.status, 401)
    assert.match(second.text, /this sign-in is over/)
  })

  test('a code is taken once, at both in the same moment and afterwards', async () => {
    await using at = await world()
    const secret = await withFactor(at)
    const code = await codeOf(at.one, secret)
    const [a, b, c] = [new TestBrowser(at.one), new TestBrowser(at.two), new TestBrowser(at.two)]
    const [ticketA, ticketB, ticketC] = [await a.login('ann', password), await b.login('ann', password), await c.login('ann', password)].map(
      (answer) => stepOf(answer).ticket,
    )

    const both = await Promise.all([a.step(ticketA ?? '', { code }), b.step(ticketB ?? '', { code })])
    const later = await c.step(ticketC ?? '', { code })

    assert.deepEqual(new Set(both.map(({ status }) => status)), new Set([200, 401]))
    assert.equal(later.status, 401)
  })

  test('guesses add up to the lock of the account, however they are spread, and none in the same moment is lost', async () => {
    await using at = await world()
    const secret = await withFactor(at)
    let from = 0
    const stranger = async (gateway: TestPlatform): Promise<{ readonly browser: TestBrowser; readonly ticket: string }> => {
      const browser = new TestBrowser(gateway, `198.51.100.${++from}`)
      return { browser, ticket: stepOf(await browser.login('ann', password)).ticket }
    }
    for (let i = 0; i < 5; i++) {
      const both = [await stranger(at.one), await stranger(at.two)]
      await Promise.all(both.map(({ browser, ticket }) => browser.step(ticket, { code: '000000' })))
      await Promise.all([at.one.identities.lock.saved(), at.two.identities.lock.saved()])
      await settle()
    }

    const { status } = await at.one.hub.get<User>(userKind.ref, { name: 'ann' })
    assert.equal(status?.failedSignIns, 10)
    for (const gateway of [at.one, at.two]) {
      assert.equal(gateway.identities.lock.isLocked('ann'), true)
      const late = new TestBrowser(gateway, '198.51.100.200')
      assert.equal((await late.login('ann', password)).status, 401)
    }
    await at.one.clock.advance(2 * minute)
    const { browser, ticket } = await stranger(at.two)
    assert.equal((await browser.step(ticket, { code: await codeOf(at.one, secret) })).status, 200, 'after a minute the owner gets in')
  })

  test('a browser of the user has five failures at all gateways together', async () => {
    await using at = await world()
    await at.one.addUser('ann')
    const known = new TestBrowser(at.one)
    await known.login('ann', password)
    const failures = async (): Promise<readonly number[]> =>
      (await at.one.identities.credentials.read(at.one.identities.ownerOf('ann'))).knownBrowsers.map((browser) => browser.failures)

    for (const gateway of [at.one, at.two, at.one, at.two]) await known.copy(gateway, '198.51.100.7').login('ann', 'not this one')
    const after4 = await failures()
    await known.copy(at.one, '198.51.100.8').login('ann', 'not this one')
    const after5 = await failures()

    assert.deepEqual([after4, after5], [[4], []])
    await settle()
    assert.equal((await at.one.hub.get<User>(userKind.ref, { name: 'ann' })).status?.failedSignIns, undefined, 'the account itself is not locked by it')
  })
})
