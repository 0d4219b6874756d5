import assert from 'node:assert/strict'
import { createHash, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { generate } from 'otplib'
import { buildGantry } from '../built-gantry.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import { ask, type Got } from './raw-requests.ts'

// Two gateways, processes on one real kube-apiserver. The attacker chooses which one hears what, and when.

const password = 'harbour pilot, tug, mooring'
const parts = new AsyncDisposableStack()
const ports: number[] = []
let gantry: GantryProcess
let hub: Kubectl
/** Of ann, who has a second factor. */
let secret: string
let recoveryCodes: readonly string[]

/** A browser's cookies, and the gateways it asks. */
class Jar {
  readonly cookies = new Map<string, string>()

  async post(gateway: number, target: string, body: unknown): Promise<Got> {
    const port = ports[gateway] ?? 0
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = [
      `Origin: https://127.0.0.1`,
      'X-Gantry-Request: console',
      'Content-Type: application/json',
      ...(cookie === '' ? [] : [`Cookie: ${cookie}`]),
    ]
    const got = await ask(port, { method: 'POST', target, headers, body: JSON.stringify(body) })
    for (const [, name = '', value = ''] of got.head.matchAll(/^set-cookie: ([^=]+)=([^;]*);/gim)) {
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return got
  }

  /** Right after the password. */
  async ticket(gateway: number): Promise<string> {
    const got = await this.post(gateway, '/auth/login', { username: 'ann', password })
    return (JSON.parse(got.body) as { ticket: string }).ticket
  }

  copy(): Jar {
    const other = new Jar()
    for (const [name, value] of this.cookies) other.cookies.set(name, value)
    return other
  }
}

const isSignedIn = async (jar: Jar, gateway: number): Promise<boolean> => {
  const cookie = `Cookie: __Host-gantry-session=${jar.cookies.get('__Host-gantry-session') ?? ''}`
  return (await ask(ports[gateway] ?? 0, { target: '/auth/session', headers: [cookie] })).status === 200
}

before(async () => {
  await buildGantry()
  const dir = await mkdtemp(join(tmpdir(), 'gantry-sign-in-attacked-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const plane = await startKubernetes({ dir: join(dir, 'plane') })
  parts.defer(() => plane.stop())
  for (const name of ['one', 'two']) {
    const port = await freePort()
    ports.push(port)
    const started = parts.use(await startGantry({ dataDir: join(dir, name), port, args: ['--hub-kubeconfig', plane.kubeconfig] }))
    if (name === 'one') gantry = started
  }
  hub = kubectl(plane.kubeconfig)
  const file = join(dir, 'password')
  await writeFile(file, password, { mode: 0o600 })
  assert.equal((await gantry.cli('user', 'create', 'ann')).code, 0)
  const made = await gantry.cli('user', 'passwd', 'ann', '--password-file', file)
  assert.equal(made.code, 0, made.stderr)
  const policy = {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'SignInPolicy',
    metadata: { name: 'default' },
    spec: { secondFactor: { requiredForGroups: ['system:authenticated'] } },
  }
  await hub.apply(JSON.stringify(policy))
  const jar = new Jar()
  // Somebody else has set the password: it is changed and back again before the factor.
  const first = JSON.parse((await jar.post(0, '/auth/login', { username: 'ann', password })).body) as { ticket: string }
  const second = JSON.parse((await jar.post(1, '/auth/login/step', { ticket: first.ticket, newPassword: `${password}, first` })).body) as {
    ticket: string
    enrolment: { secret: string }
  }
  secret = second.enrolment.secret
  const last = await jar.post(0, '/auth/login/step', { ticket: second.ticket, code: await generate({ secret }) })
  assert.equal(last.status, 200, last.body)
  recoveryCodes = (JSON.parse(last.body) as { recoveryCodes: readonly string[] }).recoveryCodes
  const own = await jar.post(1, '/platform/v1/me/password', { password: `${password}, first`, newPassword: password })
  assert.equal(own.status, 200, own.body)
})
after(() => parts.disposeAsync())

describe('over two gateways', () => {
  test('a ticket that has served is worth nothing at the other, with a code that has not been used', async () => {
    const jar = new Jar()
    const ticket = await jar.ticket(0)
    const thief = jar.copy()
    const served = await jar.post(1, '/auth/login/step', { ticket, code: recoveryCodes[0] })

    const replays = [
      await thief.post(0, '/auth/login/step', { ticket, code: recoveryCodes[1] }),
      await thief.post(1, '/auth/login/step', { ticket, code: recoveryCodes[1] }),
    ]

    assert.equal(served.status, 200, served.body)
    for (const { status, body } of replays) {
      assert.equal(status, 401)
      assert.match(body, /this sign-in is over/)
    }
    assert.equal(await isSignedIn(thief, 0), false)
  })

  test('a ticket at both in the same moment opens one session, and so does a code', async () => {
    const jar = new Jar()
    const ticket = await jar.ticket(0)
    const other = jar.copy()
    const byTicket = await Promise.all([
      jar.post(0, '/auth/login/step', { ticket, code: recoveryCodes[2] }),
      other.post(1, '/auth/login/step', { ticket, code: recoveryCodes[3] }),
    ])
    const [a, b] = [new Jar(), new Jar()]
    const tickets = [await a.ticket(0), await b.ticket(1)]
    const byCode = await Promise.all([
      a.post(0, '/auth/login/step', { ticket: tickets[0], code: recoveryCodes[4] }),
      b.post(1, '/auth/login/step', { ticket: tickets[1], code: recoveryCodes[4] }),
    ])

    assert.deepEqual(new Set(byTicket.map(({ status }) => status)), new Set([200, 401]))
    assert.deepEqual(new Set(byCode.map(({ status }) => status)), new Set([200, 401]))
  })

  test('half a ticket, one of another browser and one that was changed are worth nothing', async () => {
    const jar = new Jar()
    const ticket = await jar.ticket(0)
    const stranger = new Jar()
    await stranger.ticket(1)
    const changed = `${ticket.slice(0, 40)}${ticket[40] === 'A' ? 'B' : 'A'}${ticket.slice(41)}`

    assert.equal((await new Jar().post(1, '/auth/login/step', { ticket, code: recoveryCodes[5] })).status, 401)
    assert.equal((await stranger.post(1, '/auth/login/step', { ticket, code: recoveryCodes[5] })).status, 401)
    assert.equal((await jar.copy().post(1, '/auth/login/step', { ticket: changed, code: recoveryCodes[5] })).status, 401)
    assert.equal((await jar.post(1, '/auth/login/step', { ticket, code: recoveryCodes[5] })).status, 200, 'it is good where it belongs')
  })

  test('forged logout tokens end nobody', async () => {
    const name = 'attacked'
    const session = 'canary-session-secret'
    const hash = `sha256:${createHash('sha256').update(session).digest('base64url')}`
    const issuer = `https://127.0.0.1:${ports[0]}/oidc`
    const ca = await readFile(join(gantry.dataDir, 'tls', 'ca.crt'))
    const object = (kind: string, metadata: object, spec: object) => ({ apiVersion: 'access.gantry.dev/v1alpha1', kind, metadata, spec })
    await hub.apply(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [
          object('IdentityProvider', { name }, { type: 'OIDC', oidc: { issuer, clientID: 'gantry', caData: ca.toString('base64') } }),
          object('User', { name: `${name}.eve` }, { identity: { provider: name, subject: 'sub-eve' } }),
          object(
            'Session',
            { name: 'attacked' },
            { user: `${name}.eve`, hash, providerSession: 's1', expirationTime: new Date(Date.now() + 3_600_000).toISOString() },
          ),
        ],
      }),
    )
    const eve = new Jar()
    eve.cookies.set('__Host-gantry-session', `attacked.${session}`)
    await eventually('eve is signed in at both', 5_000, async () => ((await isSignedIn(eve, 0)) && (await isSignedIn(eve, 1)) ? true : undefined))
    const { keys } = JSON.parse((await ask(ports[0] ?? 0, { target: '/oidc/jwks' })).body) as { keys: { kid: string; n: string }[] }
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
    const now = Math.floor(Date.now() / 1_000)
    const claims = {
      iss: issuer,
      aud: 'gantry',
      iat: now,
      exp: now + 120,
      jti: 'j1',
      sub: 'sub-eve',
      sid: 's1',
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    }
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const [{ kid, n } = assert.fail('no keys')] = keys
    const signed = (header: object, make: (text: Buffer) => string): string => {
      const text = `${part({ typ: 'logout+jwt', ...header })}.${part(claims)}`
      return `${text}.${make(Buffer.from(text))}`
    }
    const forged = [
      signed({ alg: 'none' }, () => ''),
      signed({ alg: 'None', kid }, () => ''),
      signed({ alg: 'RS256', kid }, (text) => sign('sha256', text, privateKey).toString('base64url')),
      signed({ alg: 'RS256', kid: 'mine', jku: 'https://evil.example/keys' }, (text) => sign('sha256', text, privateKey).toString('base64url')),
      signed({ alg: 'RS256', jwk: privateKey.export({ format: 'jwk' }) }, (text) => sign('sha256', text, privateKey).toString('base64url')),
      signed({ alg: 'HS256', kid }, (text) => createHmac('sha256', n).update(text).digest('base64url')),
      signed({ alg: 'RS256', kid, crit: ['exp'], b64: false }, (text) => sign('sha256', text, privateKey).toString('base64url')),
    ]
    for (const token of forged)
      for (const port of ports) {
        const headers = ['Content-Type: application/x-www-form-urlencoded']
        const got = await ask(port, { method: 'POST', target: `/auth/backchannel-logout/${name}`, headers, body: `logout_token=${token}` })
        assert.equal(got.status, 400, got.body)
        assert.ok(!got.body.includes(token))
      }
    for (const gateway of [0, 1]) assert.equal(await isSignedIn(eve, gateway), true)
  })

  // The last one: it locks the account.
  test('of many guesses in the same moment three are judged at each, which add up, and then none at either', async () => {
    await hub.ok('patch', 'signinpolicy', 'default', '--type=merge', '-p', '{"spec":{"lockout":{"failures":3,"firstSeconds":600}}}')
    const begun = []
    for (let i = 0; i < 10; i++) {
      const jar = new Jar()
      begun.push({ jar, gateway: i % 2, ticket: await jar.ticket(i % 2) })
    }
    const wrong = await Promise.all(begun.map(({ jar, gateway, ticket }) => jar.post(gateway, '/auth/login/step', { ticket, code: '000000' })))
    for (const { status } of wrong) assert.ok(status === 401 || status === 429, String(status))
    const status = async (field: string): Promise<string> => hub.ok('get', 'users.access.gantry.dev', 'ann', '-o', `jsonpath={.status.${field}}`)

    await eventually('the account is locked', 5_000, async (seen) => {
      const until = await status('lockedUntilTime')
      seen(until)
      return until === '' ? undefined : true
    })
    const failures = Number(await status('failedSignIns'))
    assert.ok(failures >= 3 && failures <= 6, `${failures} were judged`)
    for (const gateway of [0, 1]) {
      const got = await new Jar().post(gateway, '/auth/login', { username: 'ann', password })
      assert.ok(got.status === 401 || got.status === 429, `${got.status} with the right password`)
    }
    assert.equal(Number(await status('failedSignIns')), failures, 'nothing is counted while it is locked')
  })
})
