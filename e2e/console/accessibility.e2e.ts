import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { buildConsole, type BuiltConsole } from './built-console.ts'
import { accessibilityFindings, launchBrowser, openConsole } from './console-page.ts'
import { resources } from './fake-fleet.ts'
import { mockUser, startMockGateway, type MockGateway } from './mock-gateway.ts'

let gateway: MockGateway
let browser: Browser
let built: BuiltConsole

before(async () => {
  built = await buildConsole()
  gateway = await startMockGateway({ console: built.folder, isSecure: true, pods: 400 })
  browser = await launchBrowser()
})
after(async () => {
  await browser.close()
  await gateway[Symbol.asyncDispose]()
  await built[Symbol.asyncDispose]()
})

interface Scene {
  readonly name: string
  readonly path: string
  /** Shown once the page is whole. */
  readonly ready: string
  readonly open?: (page: Page) => Promise<void>
}

const pod = '/object/prod/-/v1/pods/default/'
const scenes = (podName: string): readonly Scene[] => [
  { name: 'clusters', path: '/clusters', ready: 'tbody tr' },
  { name: 'import', path: '/clusters', ready: 'tbody tr', open: async (page) => page.locator('header button').nth(1).click() },
  { name: 'kubeconfig', path: '/clusters', ready: 'tbody tr', open: async (page) => page.locator('header button').nth(0).click() },
  { name: 'cluster', path: '/clusters/edge-9', ready: 'tbody tr' },
  { name: 'pods', path: '/pods', ready: '[data-row-link]' },
  { name: 'deployments', path: '/deployments', ready: '[data-row-link]' },
  { name: 'replica sets', path: '/replicasets', ready: '[data-row-link]' },
  { name: 'events', path: '/events', ready: '[data-row-link]' },
  { name: 'nodes', path: '/resources/-/v1/nodes', ready: '[data-row-link]' },
  { name: 'a kind without objects', path: '/resources/-/v1/services?search=nothing', ready: 'h1' },
  { name: 'all kinds', path: '/resources', ready: 'main li a' },
  { name: 'pod', path: pod + podName, ready: 'dl' },
  { name: 'logs', path: `${pod}${podName}?tab=logs`, ready: '[role=log]' },
  { name: 'pod events', path: `${pod}${podName}?tab=events`, ready: 'tbody tr' },
  { name: 'yaml', path: `${pod}${podName}?tab=yaml`, ready: '.cm-content' },
  { name: 'deployment', path: '/object/prod/apps/v1/deployments/default/checkout', ready: 'dl' },
  { name: 'deployment pods', path: '/object/prod/apps/v1/deployments/default/checkout?tab=pods', ready: '[data-row-link]' },
  {
    name: 'delete',
    path: '/object/prod/apps/v1/deployments/default/checkout',
    ready: 'dl',
    open: async (page) => page.locator('header button').last().click(),
  },
  { name: 'node', path: '/object/prod/-/v1/nodes/-/prod-node-001', ready: 'dl' },
  { name: 'config map', path: '/object/prod/-/v1/configmaps/default/settings', ready: 'dl' },
  { name: 'secret', path: '/object/prod/-/v1/secrets/default/registry', ready: 'dl' },
  { name: 'create', path: '/create', ready: '.cm-content' },
  { name: 'palette', path: '/clusters', ready: 'tbody tr', open: async (page) => page.keyboard.press('Control+k') },
  { name: 'shortcuts', path: '/clusters', ready: 'tbody tr', open: async (page) => page.keyboard.press('?') },
  { name: 'cluster picker', path: '/pods', ready: '[data-row-link]', open: async (page) => page.locator('main button[aria-haspopup=dialog]').first().click() },
]

for (const theme of ['light', 'dark'] as const) {
  test(`has no accessibility findings on any page, ${theme}`, async () => {
    await using signedOut = await openConsole(browser, { url: gateway.url, theme })
    await signedOut.page.getByRole('link', { name: 'Corp SSO' }).waitFor()
    assert.deepEqual(await accessibilityFindings(signedOut.page), [], 'sign-in')

    await using session = await openConsole(browser, { url: gateway.url, credentials: mockUser, theme, language: theme === 'dark' ? 'zh' : 'en' })
    const { page, go } = session
    const podName = gateway.members.get('prod')?.list(resources.pods, 'default')[0]?.metadata.name ?? ''
    for (const scene of scenes(podName)) {
      // oxlint-disable no-await-in-loop -- one page after another, in one browser
      await go(scene.path)
      await page.locator(scene.ready).first().waitFor()
      await scene.open?.(page)
      if (scene.open !== undefined) await page.locator('[role=dialog]').waitFor()
      // Colors fade in: contrast is measured when they have arrived.
      await page.evaluate(
        'Promise.all(document.getAnimations().filter((each) => each.effect.getTiming().iterations === 1).map((each) => each.finished.catch(() => undefined)))',
      )
      assert.deepEqual(await accessibilityFindings(page), [], scene.name)
      if (scene.open !== undefined) await page.keyboard.press('Escape')
      // oxlint-enable no-await-in-loop
    }
    assert.deepEqual(session.complaints, [])
  })
}
