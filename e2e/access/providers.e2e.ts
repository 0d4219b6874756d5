import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { generate } from 'otplib'
import type { Browser } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { accessibilityFindings, launchBrowser, openConsole } from '../console/console-page.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'

const parts = new AsyncDisposableStack()
let browser: Browser
let provider: GantryProcess
let platform: GantryProcess

before(async () => {
  await buildGantry()
  const dir = await mkdtemp(join(tmpdir(), 'gantry-providers-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  provider = parts.use(await startGantry({ dataDir: join(dir, 'provider'), port: await freePort(), args: ['--node', 'none'] }))
  platform = parts.use(await startGantry({ dataDir: join(dir, 'platform'), port: await freePort(), args: ['--node', 'none'] }))
  await provider.setOwnPassword()
  browser = await launchBrowser()
  parts.defer(() => browser.close())
})
after(() => parts.disposeAsync())

test('somebody signs in to one Gantry with an account of another one, on another site, and is signed out when that ends', async () => {
  // For a browser "localhost" and "127.0.0.1" are two sites: cookies are kept apart as they are between companies.
  const elsewhere = provider.server.replace('127.0.0.1', 'localhost')
  const redirect = `${platform.server}/auth/callback/sister`
  const group = { apiVersion: 'access.gantry.dev/v1alpha1', kind: 'Group', metadata: { name: 'ops' }, spec: { members: ['admin'] } }
  await kubectl(provider.kubeconfig).apply(JSON.stringify(group))
  const made = await provider.cli('oidc-client', 'create', 'platform', '--redirect', redirect)
  assert.equal(made.code, 0, made.stderr)
  const secret = /^client secret: (\S+)$/m.exec(made.stdout)?.[1] ?? ''
  const ca = await readFile(join(provider.dataDir, 'tls', 'ca.crt'))
  await kubectl(platform.kubeconfig).apply(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'sister', namespace: 'gantry-system' }, stringData: { 'client-secret': secret } },
        {
          apiVersion: 'access.gantry.dev/v1alpha1',
          kind: 'IdentityProvider',
          metadata: { name: 'sister' },
          spec: {
            type: 'OIDC',
            displayName: 'Sister platform',
            createUsers: true,
            oidc: { issuer: `${elsewhere}/oidc`, clientID: 'platform', clientSecret: 'sister', caData: ca.toString('base64'), scopes: ['profile', 'groups'] },
          },
        },
      ],
    }),
  )
  const tried = await platform.cli('access', 'providers', 'test', 'sister')
  assert.equal(tried.code, 0, tried.stdout)
  const granted = await platform.cli('access', 'grant', 'platform-viewer', '--group', 'sister:ops')
  assert.equal(granted.code, 0, granted.stderr)

  await using session = await openConsole(browser, { url: platform.server })
  const { page } = session
  await page.getByRole('link', { name: 'Continue with Sister platform' }).click()
  await page.waitForURL((url) => url.hostname === 'localhost')
  await page.locator('input[name=username]').fill('admin')
  await page.locator('input[name=password]').fill(ownPassword)
  await page.locator('button[type=submit]').click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.waitForURL((url) => url.hostname === '127.0.0.1')
  await page.locator('#main h1').waitFor()

  const who = (await (await page.request.get(`${platform.server}/auth/session`)).json()) as {
    readonly user: { readonly name: string; readonly roles: readonly string[] }
  }
  assert.deepEqual([who.user.name, who.user.roles], ['sister.admin', ['platform-viewer']])
  assert.deepEqual(session.complaints, [])

  await kubectl(platform.kubeconfig).ok('patch', 'identityprovider', 'sister', '--type=merge', '-p', '{"spec":{"disabled":true}}')
  assert.equal((await page.request.get(`${platform.server}/auth/session`)).status(), 401)
})

test('a platform asks for a second factor of its own after that, ends with the sign-in over there, and signs out over there too', async () => {
  const [here, there] = [kubectl(platform.kubeconfig), kubectl(provider.kubeconfig)]
  const ca = await readFile(join(platform.dataDir, 'tls', 'ca.crt'))
  const client = {
    backchannelLogoutURI: `${platform.server}/auth/backchannel-logout/sister`,
    backchannelLogoutCAData: ca.toString('base64'),
    postLogoutRedirectURIs: [`${platform.server}/console/login`],
  }
  await there.ok('patch', 'oidcclient', 'platform', '--type=merge', '-p', JSON.stringify({ spec: client }))
  await here.ok('patch', 'identityprovider', 'sister', '--type=merge', '-p', '{"spec":{"disabled":false,"oidc":{"rpInitiatedLogout":true}}}')
  const policy = {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'SignInPolicy',
    metadata: { name: 'default' },
    spec: { secondFactor: { requiredForProviders: ['sister'] } },
  }
  await here.apply(JSON.stringify(policy))
  await using session = await openConsole(browser, { url: platform.server })
  const { page } = session
  const status = async (): Promise<number> => (await page.request.get(`${platform.server}/auth/session`)).status()

  await page.goto(`${platform.server}/console/pods`)
  await page.getByRole('link', { name: 'Continue with Sister platform' }).click()
  await page.waitForURL((url) => url.hostname === 'localhost')
  await page.locator('input[name=username]').fill('admin')
  await page.locator('input[name=password]').fill(ownPassword)
  await page.locator('button[type=submit]').click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('heading', { name: 'Set up a second factor' }).waitFor()
  assert.deepEqual(await accessibilityFindings(page), [])
  assert.equal(await status(), 401, 'not before the second factor')
  const secret = (await page.locator('code').innerText()).replaceAll(' ', '')
  await page.locator('input[name=code]').fill(await generate({ secret }))
  await page.locator('button[type=submit]').click()
  await page.getByRole('button', { name: 'I have kept them' }).click()
  await page.waitForURL((url) => url.pathname === '/console/pods')
  await page.locator('#main h1').waitFor()
  assert.equal(await status(), 200)

  // Ended over there, by whoever: the application that the other platform is for this one.
  const { stdout } = await provider.cli('session', 'list', '--all', '-o', 'json')
  const sessions = (JSON.parse(stdout) as { items: { metadata: { name: string }; spec: { type?: string } }[] }).items
  for (const { metadata, spec } of sessions) if (spec.type === 'Application') assert.equal((await provider.cli('session', 'revoke', metadata.name)).code, 0)
  await eventually('the session has ended here', 5_000, async (seen) => {
    const now = await status()
    seen(now)
    return now === 401 ? true : undefined
  })

  await page.goto(`${platform.server}/console/account`)
  await page.getByRole('link', { name: 'Continue with Sister platform' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('heading', { name: 'Second factor' }).waitFor()
  await page.locator('input[name=code]').fill(await generate({ secret, epoch: Math.floor(Date.now() / 1_000) + 30 }))
  await page.locator('button[type=submit]').click()
  await page.getByText('Signs in with').waitFor()
  assert.deepEqual(await accessibilityFindings(page), [])
  await page.getByRole('button', { name: /^Account of/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL((url) => url.hostname === 'localhost' && url.pathname.startsWith('/oidc/session/end'))
  await page.getByRole('button', { name: /^Sign out/ }).click()
  await page.waitForURL(`${platform.server}/console/login`)
  assert.equal(await status(), 401)
  assert.deepEqual(session.complaints, [])
})
