import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { generate } from 'otplib'
import type { Browser, Locator, Page } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { accessibilityFindings, choosePassword, launchBrowser, openConsole, patienceMs } from '../console/console-page.ts'
import { freePort } from '../free-port.ts'
import { ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'

/** For people who look at a run; the next run writes over it. */
const screens = join(tmpdir(), 'gantry-e2e-screens')
const parts = new AsyncDisposableStack()
let browser: Browser
let hub: GantryProcess

before(async () => {
  await buildGantry()
  await mkdir(screens, { recursive: true })
  const dir = await mkdtemp(join(tmpdir(), 'gantry-sign-in-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  hub = parts.use(await startGantry({ dataDir: join(dir, 'hub'), port: await freePort(), args: ['--node', 'none'] }))
  browser = await launchBrowser()
  parts.defer(() => browser.close())
})
after(() => parts.disposeAsync())

const seen = (locator: Locator): Promise<void> => locator.first().waitFor({ state: 'visible', timeout: patienceMs })

async function look(page: Page, name: string): Promise<void> {
  assert.deepEqual(await accessibilityFindings(page), [], name)
  await page.screenshot({ path: join(screens, `${name}.png`), fullPage: true })
}

async function typePassword(page: Page, password: string): Promise<void> {
  await page.locator('input[name=username]').fill('admin')
  await page.locator('input[name=password]').fill(password)
  await page.locator('button[type=submit]').click()
}

async function typeCode(page: Page, code: string): Promise<void> {
  await page.locator('input[name=code]').fill(code)
  await page.locator('button[type=submit]').click()
}

test('the first password is changed, a second factor set up and asked for, and users are seen to, in a browser', async () => {
  const policy = {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'SignInPolicy',
    metadata: { name: 'default' },
    spec: { secondFactor: { requiredForRoles: ['platform-admin'] } },
  }
  const initialPassword = join(hub.dataDir, 'initial-password')
  await kubectl(hub.kubeconfig).apply(JSON.stringify(policy))
  await using session = await openConsole(browser, { url: hub.server })
  const { page, complaints } = session

  await typePassword(page, await hub.password())
  await seen(page.getByRole('heading', { name: 'Choose a password of your own' }))
  await look(page, 'sign-in-change-password')
  await choosePassword(page, ownPassword)
  await seen(page.getByRole('heading', { name: 'Set up a second factor' }))
  await seen(page.getByRole('img', { name: /Secret of the second factor/ }))
  await look(page, 'sign-in-enrol')
  const secret = (await page.locator('code').innerText()).replaceAll(' ', '')
  await typeCode(page, '000000')
  await seen(page.getByRole('alert').filter({ hasText: 'the code is not the one' }))
  const used = await generate({ secret })
  await typeCode(page, used)
  await seen(page.getByRole('list', { name: 'Recovery codes' }))
  await look(page, 'sign-in-recovery-codes')
  const [recovery = ''] = await page.getByRole('listitem').allInnerTexts()
  await page.getByRole('button', { name: 'I have kept them' }).click()
  await seen(page.getByRole('heading', { name: 'Clusters', level: 1 }))
  await assert.rejects(stat(initialPassword), { code: 'ENOENT' }, 'the first password is worth nothing any more')

  await using chinese = await openConsole(browser, { url: hub.server, language: 'zh', theme: 'dark' })
  await typePassword(chinese.page, ownPassword)
  await seen(chinese.page.getByRole('heading', { name: '第二因素' }))
  await look(chinese.page, 'sign-in-second-factor-chinese')
  await typeCode(chinese.page, used)
  await seen(chinese.page.getByRole('alert').filter({ hasText: 'has been used already' }))
  await typeCode(chinese.page, recovery)
  await seen(chinese.page.getByRole('heading', { name: '集群', level: 1 }))

  await chinese.go('/account')
  await seen(chinese.page.getByRole('table', { name: '会话' }))
  await look(chinese.page, 'account-chinese')
  await chinese.go('/users')
  await seen(chinese.page.getByRole('table', { name: '用户' }))
  await look(chinese.page, 'users-chinese')

  // One's own account, and everybody's.
  await page.getByRole('button', { name: /^Account of/ }).click()
  await page.getByRole('menuitem', { name: 'Your account' }).click()
  await seen(page.getByRole('heading', { name: 'Your account' }))
  await seen(page.getByRole('table', { name: 'Sessions' }).getByRole('row').nth(2))
  await look(page, 'account')
  await page.getByRole('button', { name: 'Create an API key' }).click()
  await page.locator('input[name=description]').fill('nightly backup')
  await page.getByRole('dialog').getByRole('button', { name: 'Create an API key' }).click()
  const key = await page.getByRole('dialog').locator('code').innerText()
  assert.match(key, /^gantry_/)
  await look(page, 'account-key')
  await page.getByRole('button', { name: 'Close' }).last().click()
  await seen(page.getByRole('row').filter({ hasText: 'nightly backup' }))
  await page.getByRole('button', { name: 'End all others' }).click()
  await page.getByRole('table', { name: 'Sessions' }).getByRole('row').nth(2).waitFor({ state: 'detached' })
  await chinese.page.reload()
  await seen(chinese.page.getByRole('heading', { name: '登录龙门 Gantry' }))
  await page.getByRole('button', { name: 'Change the password' }).click()
  await look(page, 'account-password')
  await page.keyboard.press('Escape')

  await session.go('/users')
  await page.getByRole('button', { name: 'Create a user' }).click()
  await page.locator('input[name=user-name]').fill('vic')
  await page.getByRole('combobox').selectOption('platform-viewer')
  await look(page, 'users-create')
  await page.getByRole('dialog').getByRole('button', { name: 'Create a user' }).click()
  const password = await page.getByRole('dialog').locator('code').innerText()
  assert.ok(password.length >= 12)
  await page.getByRole('button', { name: 'Close' }).last().click()
  const vic = page.getByRole('row').filter({ hasText: 'vic' })
  await seen(vic.filter({ hasText: 'has to change the password' }))
  await look(page, 'users')
  const choose = async (name: string): Promise<void> => {
    await page.getByRole('button', { name: 'Actions of vic' }).click()
    await page.getByRole('menuitem', { name }).click()
  }
  await choose('What may this user do?')
  await page.locator('input[name=resource]').fill('secrets')
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  await seen(page.getByText('Not allowed', { exact: true }))
  await session.go('/users')
  await choose('Sessions and keys')
  await seen(page.getByRole('dialog').getByText('There are no API keys.'))
  await page.keyboard.press('Escape')
  await choose('Disable')
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
  await seen(vic.filter({ hasText: 'disabled' }))
  assert.deepEqual([...complaints, ...chinese.complaints], [])
})
