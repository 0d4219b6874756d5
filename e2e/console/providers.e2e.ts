import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { buildConsole, type BuiltConsole } from './built-console.ts'
import { accessibilityFindings, launchBrowser, openConsole } from './console-page.ts'
import { startMockGateway, type MockGateway } from './mock-gateway.ts'

let gateway: MockGateway
let browser: Browser
let built: BuiltConsole

before(async () => {
  built = await buildConsole()
  gateway = await startMockGateway({ console: built.folder, isSecure: true, pods: 1 })
  browser = await launchBrowser()
})
after(async () => {
  await browser.close()
  await gateway[Symbol.asyncDispose]()
  await built[Symbol.asyncDispose]()
})

test('goes to the pages of a provider, and says where to come back to', async () => {
  await using session = await openConsole(browser, { url: gateway.url })
  const { page } = session
  await page.goto(`${gateway.url}/console/login?next=%2Fpods%3Fcluster%3Dprod`)

  const link = page.getByRole('link', { name: 'Continue with Corp SSO' })
  await link.waitFor()

  assert.equal(await link.getAttribute('href'), '/auth/login/corp?next=%2Fpods%3Fcluster%3Dprod')
  assert.equal(await page.getByRole('link', { name: 'Corp directory' }).count(), 0)
})

test('sends the chosen directory along with name and password', async () => {
  await using session = await openConsole(browser, { url: gateway.url })
  const { page } = session
  await page.getByLabel('Account', { exact: true }).selectOption('Corp directory')
  await page.getByLabel('User name').fill('ann')
  await page.getByLabel('Password').fill('some password')
  const [request] = await Promise.all([page.waitForRequest('**/auth/login'), page.getByRole('button', { name: 'Sign in' }).click()])

  assert.deepEqual(request.postDataJSON(), { username: 'ann', password: 'some password', provider: 'directory' })
})

for (const [language, heading, remedy] of [
  ['en', 'GitHub cannot sign anybody in at the moment', /condition Reachable/],
  ['zh', 'GitHub 暂时无法登录', /Reachable 状况/],
] as const)
  test(`says why a provider has not signed somebody in, ${language}`, async () => {
    await using session = await openConsole(browser, { url: gateway.url, language })
    const { page } = session
    await page.goto(`${gateway.url}/console/login?problem=unavailable&provider=github`)
    const alert = page.getByRole('alert')
    await alert.filter({ hasText: heading }).waitFor()

    assert.match((await alert.textContent()) ?? '', remedy)
    assert.deepEqual(await accessibilityFindings(page), [])
    assert.deepEqual(session.complaints, [])
  })

test('shows nothing that somebody else has put into the address', async () => {
  await using session = await openConsole(browser, { url: gateway.url })
  const { page } = session
  await page.goto(`${gateway.url}/console/login?problem=call-0900-123&provider=%3Cb%3Eyour+bank%3C%2Fb%3E`)
  await page.getByRole('link', { name: 'GitHub' }).waitFor()

  assert.equal(await page.getByRole('alert').count(), 0)
  assert.ok(!(await page.locator('body').innerText()).includes('bank'))
})
