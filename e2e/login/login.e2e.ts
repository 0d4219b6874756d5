import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { accessibilityFindings, choosePassword, type ConsoleSession, launchBrowser, openConsole } from '../console/console-page.ts'
import { freePort } from '../free-port.ts'
import { gantry, startCommand, ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import type { Outcome } from '../program.ts'

interface Login {
  expirationTime: string
  readonly accessToken: string
  readonly refreshToken: string
}

/** What was there before `gantry login` came. */
const before_ = `apiVersion: v1
kind: Config
current-context: other
preferences: {colors: true}
clusters:
- name: other
  cluster: {server: "https://other.example:6443"}
contexts:
- name: other
  context: {cluster: other, user: other}
users:
- name: other
  user: {token: kept}
`

/** A person with a laptop, real kubectl and a browser: the CLI, the pages of the console, and the tokens between them. */
describe('gantry login', () => {
  let dir: string
  let platform: GantryProcess
  let browser: Browser
  let session: ConsoleSession
  let page: Page
  let host: string
  let file: string
  let cluster: Kubectl
  const env = (): Record<string, string> => ({
    HOME: dir,
    GANTRY_CONFIG_DIR: join(dir, 'config'),
    KUBECONFIG: '',
    DISPLAY: '',
    WAYLAND_DISPLAY: '',
    BROWSER: '',
  })
  const cli = (...args: string[]): Promise<Outcome> => gantry(args, { env: env() })
  const loginFile = (): string => join(dir, 'config', `login-${host.replace(':', '_')}.json`)
  const kept = async (): Promise<Login> => JSON.parse(await readFile(loginFile(), 'utf8')) as Login
  const get = (): Promise<Outcome> => cluster.run(['get', 'namespaces', '-o', 'name'], { env: env() })

  before(async () => {
    await buildGantry()
    dir = await mkdtemp(join(tmpdir(), 'gantry-login-'))
    platform = await startGantry({ dataDir: join(dir, 'data'), port: await freePort(), args: ['--node', 'none'] })
    host = new URL(platform.server).host
    file = join(dir, 'kubeconfig')
    await writeFile(file, before_, { mode: 0o600 })
    cluster = kubectl(file, `local@${host}`)
    browser = await launchBrowser()
    session = await openConsole(browser, { url: platform.server })
    page = session.page
  })
  after(async () => {
    await browser?.close()
    await platform?.[Symbol.asyncDispose]()
    if (dir !== undefined) await rm(dir, { recursive: true, force: true })
  })

  test('trusts no CA without a word, and names the one it was shown', async () => {
    const { code, stderr } = await cli('login', platform.server)

    assert.equal(code, 1)
    const fingerprint = /CA SHA-256 +(\S+)/.exec(platform.banner)?.[1] ?? ''
    assert.match(fingerprint, /^[0-9A-F:]{95}$/)
    assert.ok(stderr.includes(fingerprint))
    assert.match(stderr, /not trusted.*--ca FILE/)
  })

  test('asks in the browser, comes back by itself, and adds contexts beside those of before', async () => {
    await using login = startCommand(['login', platform.server, '--data', platform.dataDir, '--kubeconfig', file], { env: { ...env(), BROWSER: '/bin/true' } })
    const [, url = ''] = await login.says(/^\s+(https:\S+\/oidc\/auth\?\S+)$/m)
    const answer = await page.goto(url)
    assert.match(answer?.headers()['content-security-policy'] ?? '', /frame-ancestors 'none'/)
    await page.getByLabel('User name').fill('admin')
    await page.getByLabel('Password').fill(await platform.password())
    await page.getByRole('button', { name: 'Sign in' }).click()
    await choosePassword(page, ownPassword)
    await page.getByRole('heading', { name: 'Let "gantry login" in?' }).waitFor()
    assert.deepEqual(await accessibilityFindings(page), [])
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByText('go back to the terminal').waitFor()
    const { code, stdout, stderr } = await login.finishes()

    assert.equal(code, 0, stderr)
    assert.match(stdout, /as admin/)
    assert.deepEqual(session.complaints, [])
    const text = await readFile(file, 'utf8')
    assert.match(text, /token: kept/)
    assert.match(text, /colors: true/)
    assert.match(text, /current-context: other/)
    assert.ok(!text.includes((await kept()).accessToken))
    assert.equal((await stat(loginFile())).mode & 0o777, 0o600)
    const listed = await get()
    assert.equal(listed.code, 0, listed.stderr)
    assert.match(listed.stdout, /namespace\/default/)
  })

  test('keeps eight kubectl that come at once with an old token on one session', async () => {
    const login = await kept()
    await writeFile(loginFile(), JSON.stringify({ ...login, expirationTime: '2026-01-01T00:00:00Z' }))

    const outcomes = await Promise.all(Array.from({ length: 8 }, get))

    for (const { code, stderr } of outcomes) assert.equal(code, 0, stderr)
    assert.notEqual((await kept()).refreshToken, login.refreshToken)
    const { stdout } = await cli('session', 'list', '-o', 'json')
    const sessions = (JSON.parse(stdout) as { items: { spec: { type?: string } }[] }).items
    assert.equal(sessions.filter(({ spec }) => spec.type === 'CLI').length, 1)
  })

  test('is over within a second when its session is revoked, with the watch it has open', async () => {
    const { stdout } = await cli('session', 'list', '-o', 'json')
    const own = (JSON.parse(stdout) as { items: { metadata: { name: string }; spec: { type?: string } }[] }).items.find(({ spec }) => spec.type === 'CLI')
    await using watching = cluster.start(['get', 'namespaces', '--watch'], { env: env() })
    await watching.says(/default/)

    const revoked = await platform.cli('session', 'revoke', own?.metadata.name ?? '')
    const begunMs = performance.now()
    await watching.finishes(5_000)
    const tookMs = performance.now() - begunMs
    const refused = await get()

    assert.equal(revoked.code, 0, revoked.stderr)
    assert.ok(tookMs < 1_000, `the watch went on for ${Math.round(tookMs)} ms`)
    assert.notEqual(refused.code, 0)
  })

  test('by a device shows what asks, from where and since when, and confirms it anywhere', async () => {
    const ca = join(platform.dataDir, 'tls', 'ca.crt')
    await using login = startCommand(['login', platform.server, '--device', '--ca', ca, '--kubeconfig', file], { env: env() })
    const [, url = '', code = ''] = await login.says(/\s(https:\S+\/oidc\/device)\s+([A-Z]{4}-[A-Z]{4})\s/)
    await page.goto(url)
    await page.getByLabel('Code').fill(code.toLowerCase())
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('127.0.0.1').first().waitFor()
    await page.getByText('Did you start this yourself').waitFor()
    await page.getByText('gantry login', { exact: true }).waitFor()
    assert.deepEqual(await accessibilityFindings(page), [])
    await page.getByRole('button', { name: 'Let it in' }).click()
    await page.getByText('has been let in').waitFor()
    const outcome = await login.finishes()

    assert.equal(outcome.code, 0, outcome.stderr)
    assert.equal((await get()).code, 0)
    assert.equal((await cli('session', 'list')).code, 0)
  })

  test('ends by gantry logout, and says what to do then', async () => {
    const { code, stderr } = await cli('logout')
    const refused = await get()

    assert.equal(code, 0, stderr)
    assert.match(refused.stderr, /not logged in to .*gantry login/)
  })

  test('refused in the browser says so', async () => {
    await using login = startCommand(['login', platform.server, '--device', '--data', platform.dataDir, '--kubeconfig', join(dir, 'second')], { env: env() })
    const [, code = ''] = await login.says(/\s([A-Z]{4}-[A-Z]{4})\s/)
    await page.goto(`${platform.server}/oidc/device?user_code=${code}`)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('button', { name: 'Refuse' }).click()
    await page.getByText('has been refused').waitFor()
    const outcome = await login.finishes()

    assert.equal(outcome.code, 1)
    assert.match(outcome.stderr, /refused in the browser/)
    await assert.rejects(stat(join(dir, 'second')), { code: 'ENOENT' })
  })
})
