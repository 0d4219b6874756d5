import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import {
  identityProviderKind,
  sessionKind,
  signInPolicyKind,
  signInPolicyName,
  userKind,
  type IdentityProvider,
  type LdapSettings,
  type ProviderTest,
  type SignInPolicy,
  type User,
} from '@gantry/access/api'
import type { OutboundDeps } from '@gantry/access/server'
import { createDialer, openHttpTransport, systemLookup, type ResourceRef } from '@gantry/client'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { generate } from 'otplib'
import { startSlapd, type Slapd } from './slapd.ts'
import { startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }
const starName = '*)(uid=*'
const ldif = `dn: dc=test
objectClass: dcObject
objectClass: organization
dc: test
o: test

dn: ou=people,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=test
objectClass: organizationalUnit
ou: groups

${person('ann', 'Ann Lee', 'ann secret')}
${person('bo', 'Bo', 'bo secret', 'seeAlso: cn=devs,ou=groups,dc=test\nseeAlso: cn=ops,ou=people,dc=test\n')}
${person('gone', 'Gone Soon', 'gone secret')}
dn: cn=locked,ou=people,dc=test
objectClass: inetOrgPerson
cn: locked
sn: locked
uid: locked

dn: uid=\\2a\\29\\28uid=\\2a,ou=people,dc=test
objectClass: inetOrgPerson
cn: Star
sn: Star
uid: ${starName}
userPassword: star secret

dn: cn=devs,ou=groups,dc=test
objectClass: groupOfNames
cn: devs
member: uid=ann,ou=people,dc=test
member: uid=bo,ou=people,dc=test

dn: cn=ops\\2C night,ou=groups,dc=test
objectClass: groupOfNames
cn: ops, night
member: uid=ann,ou=people,dc=test
`

/** Turns of the event loop until something is so. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const untilMs = performance.now() + 30_000; !(await isSo()); await settle()) {
    if (performance.now() > untilMs) assert.fail(`${what}: not within 30 s`)
  }
}

function person(uid: string, cn: string, userPassword: string, more = ''): string {
  return `dn: uid=${uid},ou=people,dc=test
objectClass: inetOrgPerson
cn: ${cn}
sn: ${cn}
uid: ${uid}
mail: ${uid}@example.com
userPassword: ${userPassword}
${more}`
}

/** Sign-ins against OpenLDAP's own server: what its protocol, its TLS and its filters really do. */
describe('signing in with LDAP', () => {
  const clock = new FakeClock()
  const outbound: OutboundDeps = {
    clock,
    lookup: systemLookup,
    openTransport: (options) => openHttpTransport(options, { clock }),
    dial: (options, signal) => createDialer({ clock }, options)(signal),
  }
  let slapd: Slapd
  let platform: TestPlatform
  let adminKey = ''

  before(async () => {
    slapd = await startSlapd(ldif)
    platform = await startTestPlatform({ clock, outbound, isEmbedded: true })
    const data = { 'bind-password': Buffer.from(slapd.adminPassword).toString('base64') }
    await platform.hub.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ldap', namespace: 'gantry-system' }, data } as never)
    await platform.addUser('root', 'admin')
    adminKey = await platform.keyOf('root')
  })
  after(async () => {
    await platform[Symbol.asyncDispose]()
    await slapd[Symbol.asyncDispose]()
  })

  const settings = (more: Partial<LdapSettings> = {}): LdapSettings => ({
    url: slapd.ldaps,
    caData: slapd.caData,
    bindDN: slapd.adminDN,
    bindSecret: 'ldap',
    userSearch: { base: 'ou=people,dc=test', filter: '(objectClass=inetOrgPerson)', nameAttributes: ['uid', 'mail'] },
    groupSearch: { base: 'ou=groups,dc=test', filter: '(objectClass=groupOfNames)' },
    ...more,
  })

  let made = 0
  /** A provider of its own for each test, so that none sees the users of another. */
  async function provider(more: Partial<LdapSettings> = {}, spec: Partial<IdentityProvider['spec']> = {}): Promise<string> {
    const name = `ldap${++made}`
    const { apiVersion, kind, ref } = identityProviderKind
    const object: IdentityProvider = { apiVersion, kind, metadata: { name }, spec: { type: 'LDAP', createUsers: true, ldap: settings(more), ...spec } }
    await platform.hub.create<IdentityProvider>(ref, object)
    await settle()
    return name
  }

  const signIn = (name: string, username: string, password: string): Promise<Answer> =>
    platform.ask('POST', '/auth/login', { headers: { 'x-gantry-request': 'console' }, body: { provider: name, username, password } })
  const tried = async (name: string, username?: string): Promise<ProviderTest> =>
    (await platform.ask('POST', `/platform/v1/identityproviders/${name}/test`, { token: adminKey, body: { username } })).json() as ProviderTest
  const userOf = (name: string): Promise<User> => platform.hub.get<User>(userKind.ref, { name })

  test('makes a user whose identity is what the directory never changes, with its groups', async () => {
    const name = await provider()

    const answer = await signIn(name, 'ann', 'ann secret')

    assert.equal(answer.status, 200, answer.text)
    const user = await userOf(`${name}.ann`)
    assert.equal(user.spec.displayName, 'Ann Lee')
    assert.match(user.spec.identity?.subject ?? '', /^[0-9a-f]{8}-[0-9a-f-]{27}$/)
    assert.deepEqual(user.status?.groups, [`${name}:devs`, `${name}:ops, night`])
    assert.equal(user.status?.email, 'ann@example.com')
  })

  test('reads groups from an attribute of the account, and only those below the base', async () => {
    const name = await provider({ groupSearch: { memberOfAttribute: 'seeAlso', base: 'ou=groups,dc=test' } }) // as memberOf, without the overlay behind it

    assert.equal((await signIn(name, 'bo', 'bo secret')).status, 200)

    assert.deepEqual((await userOf(`${name}.bo`)).status?.groups, [`${name}:devs`])
  })

  test('takes any of the names that are allowed for one and the same user', async () => {
    const name = await provider()

    assert.equal((await signIn(name, 'ann', 'ann secret')).status, 200)
    const byMail = await signIn(name, 'ANN@example.com', 'ann secret')

    assert.equal((byMail.json() as { user: { name: string } }).user.name, `${name}.ann`)
  })

  test('works over StartTLS too', async () => {
    const name = await provider({ url: slapd.ldap, startTLS: true })

    assert.equal((await signIn(name, 'bo', 'bo secret')).status, 200)
  })

  test('says the same for a wrong password, an empty one and a name that is not there', async () => {
    const name = await provider()

    const wrong = await signIn(name, 'ann', 'bo secret')
    const answers = [await signIn(name, 'ann', ''), await signIn(name, 'nobody', 'x'), await signIn(name, 'locked', 'x'), await signIn(name, 'locked', '')]

    assert.equal(wrong.status, 401)
    for (const answer of answers) assert.deepEqual([answer.status, answer.text], [401, wrong.text])
  })

  test('slows down a guesser, in whatever spelling of the name', async () => {
    const name = await provider()
    for (const spelling of ['bo', 'Bo', 'bO', 'BO', ' bo ']) assert.equal((await signIn(name, spelling, 'guess')).status, 401)

    assert.equal((await signIn(name, 'bo', 'bo secret')).status, 429)
    await clock.advance(60_000)
  })

  test('takes what is typed for a name, never for a part of the filter', async () => {
    const name = await provider()

    const guesses = ['*', 'an*', 'ann)(uid=*', 'ann)(|(uid=*', '\\61nn', 'ann\0', '(', ')', '\\', '*)(objectClass=*']
    for (const [at, guess] of guesses.entries()) {
      if (at % 4 === 3) await clock.advance(31 * 60_000)
      assert.equal((await signIn(name, guess, 'ann secret')).status, 401, guess)
    }
    const star = await signIn(name, starName, 'star secret')

    assert.equal(star.status, 200)
    assert.equal((await tried(name, starName)).account?.login, starName)
    assert.equal((await tried(name, '*')).ok, false)
  })

  test('asks for a second factor where the platform does', async () => {
    const name = await provider()
    const { apiVersion, kind, ref } = signInPolicyKind
    const spec = { secondFactor: { requiredForGroups: [`${name}:devs`] } }
    await platform.hub.create<SignInPolicy>(ref, { apiVersion, kind, metadata: { name: signInPolicyName }, spec })
    await settle()
    const step = (answer: Answer, body: object): Promise<Answer> =>
      platform.ask('POST', '/auth/login/step', {
        headers: { 'x-gantry-request': 'console', cookie: /__Host-gantry-sign-in=[^;]+/.exec(String(answer.headers['set-cookie']))?.[0] },
        body: { ticket: (answer.json() as { ticket: string }).ticket, ...body },
      })
    const codeOf = (secret: string): Promise<string> => generate({ secret, epoch: Math.floor(clock.now().getTime() / 1_000) })

    const first = await signIn(name, 'ann', 'ann secret')
    const { next, enrolment } = first.json() as { next: string; enrolment: { secret: string } }
    const enrolled = await step(first, { code: await codeOf(enrolment.secret) })
    await clock.advance(60_000)
    const second = await signIn(name, 'ann', 'ann secret')
    const wrong = await step(second, { code: '000000' })
    const right = await step(second, { code: await codeOf(enrolment.secret) })

    assert.deepEqual([next, enrolled.status, enrolled.text.includes('recoveryCodes')], ['enrolSecondFactor', 200, true])
    assert.equal((second.json() as { next: string }).next, 'secondFactor')
    assert.equal(String(second.headers['set-cookie']).includes('gantry-session'), false)
    assert.deepEqual([wrong.status, right.status], [401, 200])
    await platform.hub.delete(ref, { name: signInPolicyName })
    await settle()
  })

  test('lets its users set up a second factor by themselves, which the next sign-in asks for, and an administrator reset it', async () => {
    const name = await provider()
    const first = await signIn(name, 'bo', 'bo secret')
    const cookie = /__Host-gantry-session=([^;]+)/.exec(String(first.headers['set-cookie']))?.[1]
    const post = (what: string, body: object): Promise<Answer> => platform.ask('POST', `/platform/v1/me/second-factor${what}`, { cookie, body })
    const { user } = first.json() as { user: { name: string } }

    const { secret } = (await post('', {})).json() as { secret: string }
    const confirmed = await post('/confirm', { code: await generate({ secret, epoch: Math.floor(clock.now().getTime() / 1_000) }) })
    const asked = await signIn(name, 'bo', 'bo secret')
    const reset = await platform.ask('POST', `/platform/v1/users/${user.name}/reset-second-factor`, { token: adminKey, body: {} })
    const free = await signIn(name, 'bo', 'bo secret')

    assert.equal(confirmed.status, 200, confirmed.text)
    assert.equal((asked.json() as { next?: string }).next, 'secondFactor')
    assert.equal(reset.status, 200, reset.text)
    assert.equal((free.json() as { next?: string }).next, undefined)
  })

  test('names what is wrong with the settings, and what mends it', async () => {
    const { base } = settings().userSearch
    const failures: readonly (readonly [Partial<LdapSettings>, string, RegExp])[] = [
      [{ caData: undefined }, 'connect', /its certificate is not signed by/],
      [{ url: slapd.ldaps.replace('127.0.0.1', 'localhost') }, 'connect', /its certificate is not for localhost/],
      [{ url: slapd.ldap, startTLS: true, caData: undefined }, 'connect', /its certificate is not signed by/],
      [{ url: slapd.ldaps.replace(/:\d+$/, ':1') }, 'connect', /connection refused; nothing listens/],
      [{ url: 'ldaps://directory.invalid' }, 'connect', /(does not exist in DNS|DNS did not answer)/],
      [{ url: slapd.ldaps.replace('ldaps:', 'ldap:'), allowPlaintext: true }, 'bind', /closed the connection|connection to .* failed/],
      [{ bindDN: 'cn=other,dc=test' }, 'bind', /refuses to let bindDN "cn=other,dc=test" in; check it, and the key bind-password/],
      [{ bindSecret: 'missing' }, 'credentials', /Secret gantry-system\/missing does not exist; create it with the key bind-password/],
      [{ userSearch: { base: 'ou=nowhere,dc=test' } }, 'search', /has no entry "ou=nowhere,dc=test" to search below/],
      [{ userSearch: { base, filter: '(&(uid=x)' } }, 'search', /is no LDAP filter/],
      [{ userSearch: { base, idAttribute: 'employeeNumber' } }, 'search', /no entry below "ou=people,dc=test" has the attribute employeeNumber/],
    ]
    for (const [more, step, message] of failures) {
      const result = await tried(await provider(more))
      const last = result.steps.at(-1)
      assert.deepEqual([result.ok, last?.name], [false, step], last?.message)
      assert.match(last?.message ?? '', message)
    }
  })

  test('shows what would be found for a name', async () => {
    const name = await provider({}, { allowedGroups: ['devs'] })

    const ann = await tried(name, 'ann')
    const star = await tried(name, starName)

    assert.deepEqual([ann.ok, ann.account?.user, ann.account?.groups], [true, `${name}.ann`, ['devs', 'ops, night']])
    assert.deepEqual([star.ok, star.steps.at(-1)?.message], [false, 'the account is in none of spec.allowedGroups'])
  })

  test('does not let in whoever has the right password and is not allowed', async () => {
    const name = await provider({}, { allowedGroups: ['nobody'] })

    const answer = await signIn(name, 'ann', 'ann secret')

    assert.equal(answer.status, 403)
    await assert.rejects(userOf(`${name}.ann`), /not found/)
  })

  test('does not let in a name that belongs to two accounts', async () => {
    const name = await provider({ userSearch: { base: 'ou=people,dc=test', nameAttributes: ['objectClass'] } })

    assert.equal((await signIn(name, 'inetOrgPerson', 'ann secret')).status, 503)
    assert.match((await tried(name, 'inetOrgPerson')).steps.at(-1)?.message ?? '', /several accounts match what was typed/)
  })

  test('gives up a server that takes connections and says nothing, and holds up no other', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    try {
      const slow = await provider({ url: `ldap://127.0.0.1:${(silent.address() as AddressInfo).port}`, allowPlaintext: true, timeoutSeconds: 2 })
      const good = await provider()
      const waiting = signIn(slow, 'ann', 'ann secret')
      await until('a connection', () => sockets.length > 0)

      assert.equal((await signIn(good, 'ann', 'ann secret')).status, 200)
      await clock.advance(2_000)

      const answer = await waiting
      assert.equal(answer.status, 503)
      assert.ok(!answer.text.includes('127.0.0.1'), 'a stranger is not told where the directory is')
      const { status } = await platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name: slow })
      assert.match(status?.conditions?.[0]?.message ?? '', /did not answer within 2 s/)
    } finally {
      for (const socket of sockets) socket.destroy()
      silent.close()
    }
  })

  test('never asks again without TLS when the server ends the connection after StartTLS', async () => {
    let connections = 0
    const { port, hostname } = new URL(slapd.ldap)
    // Passes StartTLS on, and ends the connection with the first byte after it.
    const cutting = createServer((socket) => {
      connections++
      const up = connect(Number(port), hostname)
      let sent = 0
      socket.on('data', (bytes) => (sent++ < 1 ? up.write(bytes) : socket.destroy()))
      up.on('data', (bytes) => socket.write(bytes))
      for (const end of [socket, up]) end.on('error', () => {}).on('close', () => (socket.destroy(), up.destroy()))
    }).listen(0, '127.0.0.1')
    await once(cutting, 'listening')
    try {
      const name = await provider({ url: `ldap://127.0.0.1:${(cutting.address() as AddressInfo).port}`, startTLS: true })
      const answer = await signIn(name, 'ann', 'ann secret')
      assert.equal(answer.status, 503)
      assert.equal(connections, 1)
    } finally {
      cutting.close()
    }
  })

  test('ends the sessions of an account that has gone, keeps those of the others, and ends nobody when the directory is away', async () => {
    const filter = '(!(cn=Gone Soon))'
    const name = await provider({ recheckMinutes: 1 })
    const [ann, gone] = [await signIn(name, 'ann', 'ann secret'), await signIn(name, 'gone', 'gone secret')]
    assert.deepEqual([ann.status, gone.status], [200, 200])
    const key = await platform.keyOf(`${name}.gone`)
    const sessionsOf = async (user: string): Promise<number> =>
      (await platform.hub.list<{ spec: { user: string } } & User>(sessionKind.ref)).items.filter(
        ({ spec }) => (spec as unknown as { user: string }).user === user,
      ).length
    const patch = (ldap: Partial<LdapSettings>): Promise<unknown> =>
      platform.hub.patch(identityProviderKind.ref, { name }, { type: 'merge', body: { spec: { ldap } } })
    const condition = async (): Promise<string | undefined> =>
      (await platform.hub.get<IdentityProvider>(identityProviderKind.ref, { name })).status?.conditions?.[0]?.status

    await patch({ url: slapd.ldaps.replace(/:\d+$/, ':1') })
    await settle()
    await clock.advance(120_000)
    await until('the failure is told', async () => (await condition()) === 'False')
    assert.deepEqual([await sessionsOf(`${name}.ann`), await sessionsOf(`${name}.gone`)], [1, 1])

    await patch({ url: slapd.ldaps, userSearch: { ...settings().userSearch, filter } })
    await settle()
    await clock.advance(120_000)
    await until('the directory is back', async () => (await condition()) === 'True')

    assert.deepEqual([await sessionsOf(`${name}.ann`), await sessionsOf(`${name}.gone`)], [1, 0])
    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: key })).status, 401)
    assert.equal((await userOf(`${name}.gone`)).status?.accountGone, 'the account is gone or disabled')

    await patch({ userSearch: settings().userSearch })
    await settle()
    assert.equal((await signIn(name, 'gone', 'gone secret')).status, 200)
    assert.equal((await platform.ask('GET', '/platform/v1/info', { token: key })).status, 200)
  })
})
