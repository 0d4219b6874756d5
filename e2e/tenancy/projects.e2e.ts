import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { accessibilityFindings, choosePassword, type ConsoleSession, launchBrowser, openConsole } from '../console/console-page.ts'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'

const annsPassword = 'lashing rods and corner castings'

/** An administrator and the owner of a project, each in a browser of their own, on the real platform. */
describe('tenants and projects in the console', () => {
  let dir: string
  let platform: GantryProcess
  let browser: Browser
  let admin: ConsoleSession
  let ann: ConsoleSession

  const cli = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await platform.cli(...args)
    assert.equal(code, 0, stderr)
  }
  const section = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
  const title = (page: Page, name: string) => page.getByRole('heading', { name, exact: true, level: 1 })
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
  const seen = async (session: ConsoleSession): Promise<void> => {
    assert.deepEqual(await accessibilityFindings(session.page), [], session.page.url())
    assert.deepEqual(session.complaints, [])
  }
  /** Types one limit into the lines of a dialog. */
  const limit = async (page: Page, resource: string, amount: string): Promise<void> => {
    await button(page, 'Add a resource: Quota').click()
    await page.getByLabel('Resource', { exact: true }).last().fill(resource)
    await page.getByLabel(`Amount of ${resource}`).last().fill(amount)
  }

  before(async () => {
    await buildGantry()
    dir = await mkdtemp(join(tmpdir(), 'gantry-tenancy-'))
    platform = await startGantry({ dataDir: join(dir, 'data'), port: await freePort(), args: ['--node', 'none'] })
    await platform.setOwnPassword()
    const file = join(dir, 'first-password')
    await writeFile(file, 'a first password of hers', { mode: 0o600 })
    await cli('user', 'create', 'ann', '--password-file', file)
    browser = await launchBrowser()
    admin = await openConsole(browser, { url: platform.server, credentials: { username: 'admin', password: ownPassword } })
  })
  after(async () => {
    await browser?.close()
    await platform?.[Symbol.asyncDispose]()
    if (dir !== undefined) await rm(dir, { recursive: true, force: true })
  })

  test('a tenant is made with a quota', async () => {
    const { page, go } = admin
    await go('/tenants')
    await page.getByText('No tenant yet').waitFor()
    await button(page, 'New tenant').click()
    await page.getByLabel('Name', { exact: true }).fill('acme')
    await page.getByLabel('Display name').fill('Acme Ltd')
    await limit(page, 'requests.cpu', '20')
    await limit(page, 'requests.memory', '40 gigs')
    await page.getByText('Write an amount').waitFor()
    assert.equal(await button(page, 'Create').isDisabled(), true)
    await page.getByLabel('Amount of requests.memory').fill('40Gi')
    await page.getByText('--total requests.cpu=20,requests.memory=40Gi').waitFor()
    await seen(admin)
    await button(page, 'Create').click()

    await title(page, 'Acme Ltd').waitFor()
    await section(page, 'Quota').getByText('0 of 20 given out, 20 free').waitFor()
    await seen(admin)
  })

  test('a project asks for its part of what is limited above, and gives each environment an even share', async () => {
    const { page } = admin
    await button(page, 'New project').click()
    await page.getByLabel('Name', { exact: true }).fill('shop')
    await page.getByText('20 of 20 are free in tenant acme').waitFor()
    assert.equal(await button(page, 'Create').isDisabled(), true)
    await page.getByLabel('Amount of requests.cpu').fill('8')
    await page.getByLabel('Amount of requests.memory').fill('16Gi')
    const shares = page.getByRole('table', { name: 'Environments' })
    assert.equal(await shares.getByLabel('requests.cpu of test').inputValue(), '4')
    assert.equal(await shares.getByLabel('requests.memory of production').inputValue(), '8Gi')
    await shares.getByLabel('requests.cpu of test').fill('2')
    await page.getByText('acme-shop-test, acme-shop-production').waitFor()
    await seen(admin)
    await button(page, 'Create').click()

    await title(page, 'shop').waitFor()
    const namespaces = section(page, 'Environments and namespaces')
    await namespaces.getByRole('row', { name: /acme-shop-test .*Ready/ }).waitFor()
    await namespaces.getByRole('row', { name: /acme-shop-production .*Ready/ }).waitFor()
    await section(page, 'Quota').getByText('6 of 8 given out, 2 free').waitFor()
    await seen(admin)
  })

  test('a member is added, signs in, and sees their project and nothing else', async () => {
    await cli('projects', 'create', 'acme/bank', '--environments', 'none', '--total', 'requests.cpu=1,requests.memory=8Gi')
    const members = section(admin.page, 'Members')
    await members.getByRole('button', { name: 'Add member' }).click()
    await admin.page.getByRole('dialog').getByLabel('Name', { exact: true }).fill('ann')
    await admin.page.getByLabel('Role', { exact: true }).selectOption('project-owner')
    await seen(admin)
    await admin.page.getByRole('dialog').getByRole('button', { name: 'Add member' }).click()
    await members.getByRole('row', { name: /ann project-owner For good/ }).waitFor()

    ann = await openConsole(browser, { url: platform.server, theme: 'dark', viewport: { width: 420, height: 900 } })
    const { page } = ann
    await page.locator('input[name=username]').fill('ann')
    await page.locator('input[name=password]').fill('a first password of hers')
    await page.locator('button[type=submit]').click()
    await choosePassword(page, annsPassword)

    await title(page, 'Projects').waitFor()
    await page.getByRole('link', { name: 'shop' }).waitFor()
    assert.equal(await page.getByText('bank').count(), 0)
    await seen(ann)
    await button(page, 'Open navigation').click()
    const nav = page.getByRole('navigation', { name: 'Main' })
    await nav.getByRole('link', { name: 'Projects' }).waitFor()
    assert.deepEqual(await nav.getByRole('link', { name: /^(Clusters|Tenants|Users|Roles|Audit)$/ }).allTextContents(), [])
    await page.keyboard.press('Escape')
  })

  test('their page offers what they may do in the project, and not what is done to it', async () => {
    const { page, go } = ann
    await go('/projects/acme/shop')
    await button(page, 'New namespace').waitFor()
    await button(page, 'Add member').waitFor()
    await section(page, 'Members')
      .getByRole('row', { name: /ann project-owner/ })
      .waitFor()
    assert.equal(await button(page, 'Actions of shop').count(), 0)
    assert.equal(await page.getByRole('alert').count(), 0)
    await seen(ann)
    await go('/pods')
    await title(page, 'Pods').waitFor()
    assert.equal(await page.getByRole('alert').count(), 0)
    await go('/projects/acme/bank')
    await page.getByText('There is no project acme/bank that you see').waitFor()
    await go('/tenants/acme')
    await page.getByText('There is no tenant acme that you see').waitFor()
  })

  test('their kubeconfig is asked for by POST, works in the project, and nowhere else', async () => {
    const { page, go } = ann
    await go('/projects/acme/shop')
    await button(page, 'Kubeconfig').click()
    await page.getByLabel('Its key is good for').selectOption('1 day')
    await seen(ann)
    const [request, download] = await Promise.all([
      page.waitForRequest('**/platform/v1/kubeconfig**'),
      page.waitForEvent('download'),
      button(page, 'Download').click(),
    ])
    const file = join(dir, 'anns-kubeconfig')
    await download.saveAs(file)
    const key = /token: (\S+)/.exec(await readFile(file, 'utf8'))?.[1] ?? ''

    assert.equal(request.method(), 'POST')
    assert.equal(download.suggestedFilename(), 'acme-shop.kubeconfig')
    assert.ok(key.length > 20 && !page.url().includes(key) && !(await page.content()).includes(key))
    const hers = kubectl(file, 'local/acme-shop-test')
    await hers.ok('create', 'configmap', 'made-by-ann', '--from-literal=a=b')
    assert.match(await hers.ok('get', 'configmaps'), /made-by-ann/)
    const elsewhere = await hers.run(['get', 'configmaps', '-n', 'default'])
    assert.match(elsewhere.stderr, /forbidden/i)
    await page.keyboard.press('Escape')
  })

  test('a namespace that does not fit elsewhere stays, and the refusal says why; then it moves', async () => {
    const { page, go } = admin
    await go('/projects/acme/shop')
    const row = section(page, 'Environments and namespaces').getByRole('row', { name: /acme-shop-test/ })
    await row.getByRole('button').click()
    await page.getByRole('menuitem', { name: 'Move' }).click()
    await button(page, 'Check').click()
    await page.getByRole('alert').getByText('It cannot go to acme/bank').waitFor()
    await page
      .getByRole('alert')
      .getByText(/does not fit there: .*want 2, free 1/)
      .waitFor()
    await seen(admin)
    await page.keyboard.press('Escape')

    await go('/projects/acme/bank')
    await button(page, 'Actions of bank').click()
    await page.getByRole('menuitem', { name: 'Edit' }).click()
    await page.getByLabel('Amount of requests.cpu').fill('4')
    await button(page, 'Save').click()
    await section(page, 'Quota').getByText('0 of 4 given out, 4 free').waitFor()

    await go('/projects/acme/shop')
    await row.getByRole('button').click()
    await page.getByRole('menuitem', { name: 'Move' }).click()
    await button(page, 'Check').click()
    await page.getByText('It can go to acme/bank').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click()
    await row.waitFor({ state: 'detached' })
    await go('/projects/acme/bank')
    await section(page, 'Environments and namespaces')
      .getByRole('row', { name: /acme-shop-test .*Ready/ })
      .waitFor()
  })

  test('a namespace is made with its part of the quota, and deleted by the rule that was chosen', async () => {
    const { page, go } = admin
    await go('/projects/acme/bank')
    await button(page, 'New namespace').click()
    await page.getByLabel('Name', { exact: true }).fill('db')
    await page.getByLabel('requests.cpu', { exact: true }).fill('1')
    await page.getByLabel('requests.memory', { exact: true }).fill('0')
    await seen(admin)
    await button(page, 'Create').click()
    const row = section(page, 'Environments and namespaces').getByRole('row', { name: /acme-bank-db .*Ready/ })
    await row.getByRole('button').click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByLabel('What is in it').selectOption('Delete everything in it')
    const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete' })
    assert.equal(await confirm.isDisabled(), true)
    await page.getByLabel('Type acme-bank-db to confirm').fill('acme-bank-db')
    await seen(admin)
    await confirm.click()
    await section(page, 'Environments and namespaces')
      .getByRole('row', { name: /acme-bank-db/ })
      .waitFor({ state: 'detached' })
  })

  test('a member who is removed loses the project at once, in what is open too', async () => {
    const { page, go } = admin
    await go('/projects/acme/shop')
    const members = section(page, 'Members')
    await members.getByRole('button', { name: 'Actions of ann' }).click()
    await page.getByRole('menuitem', { name: 'Remove' }).click()
    await page.getByText('Remove ann from acme/shop?').waitFor()
    await seen(admin)
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await members.getByText('Nobody of its own.').waitFor()

    const refused = await eventually('the key of the kubeconfig is good for nothing', 5_000, async (note) => {
      const outcome = await kubectl(join(dir, 'anns-kubeconfig'), 'local/acme-shop-production').run(['get', 'configmaps'])
      note(outcome.stdout)
      return outcome.code === 0 ? undefined : outcome.stderr
    })
    assert.match(refused, /forbidden/i)
    await ann.go('/projects')
    await ann.page.getByText('No project yet').waitFor()
    await seen(ann)
  })
})
