import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { accessibilityFindings, choosePassword, launchBrowser, load, openConsole, type ConsoleSession } from '../console/console-page.ts'
import { ownPassword } from '../gantry-process.ts'
import { kubectl, type Kubectl } from '../kubectl.ts'
import { note } from '../note.ts'
import { run } from '../program.ts'
import { readiness } from './importing.ts'
import { webManifest } from './manifests.ts'
import type { World } from './world.ts'

/** For people who look at a run; the next run writes over it. */
const screens = join(tmpdir(), 'gantry-e2e-screens')
/** A cluster is looked at every ten seconds, and a look may take eight. */
const probedWithinMs = 25_000
const liveWithinMs = 10_000

const rowOf = (page: Page, name: string | RegExp): Locator => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })

export function consoleStory(world: () => World): void {
  let browser: Browser
  let session: ConsoleSession
  let page: Page
  let local: Kubectl
  let prod: Kubectl

  const shot = async (name: string): Promise<void> => void (await page.screenshot({ path: join(screens, `${name}.png`) }))
  const seen = (locator: Locator, withinMs = liveWithinMs): Promise<void> => locator.first().waitFor({ state: 'visible', timeout: withinMs })
  const gone = (locator: Locator, withinMs = liveWithinMs): Promise<void> => locator.waitFor({ state: 'hidden', timeout: withinMs })
  /** Keeps what the browser showed when a step failed. */
  const step = (name: string, work: () => Promise<void>): void =>
    void test(name, async () => {
      try {
        await work()
      } catch (error) {
        await shot(`failed-${name.replaceAll(/[^a-z]+/gi, '-').slice(0, 60)}`).catch(() => {}) // the failure itself is what tells
        throw error
      }
    })
  const isReal = (): boolean => world().noContainers === undefined

  before(async () => {
    await mkdir(screens, { recursive: true })
    local = kubectl(world().gantry.kubeconfig, 'local')
    prod = kubectl(world().gantry.kubeconfig, 'prod')
    browser = await launchBrowser()
    session = await openConsole(browser, { url: world().gantry.server })
    page = session.page
  })
  after(async () => {
    await browser.close()
    note(`what the browser showed is in ${screens}`)
  })

  step('a wrong password is refused, the first one signs in once the administrator has chosen another', async () => {
    await page.getByLabel('User name').fill('admin')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await seen(page.getByRole('alert').filter({ hasText: 'user name or password is wrong' }))
    assert.deepEqual(await accessibilityFindings(page), [])
    await shot('sign-in')
    const first = await world().gantry.password()
    await page.getByLabel('Password').fill(first)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await seen(page.getByRole('heading', { name: 'Choose a password of your own' }))
    assert.deepEqual(await accessibilityFindings(page), [])
    await shot('first-password')
    for (const [chosen, problem] of [
      [first, 'the new password is the one you have'],
      ['qwertyuiop', 'one of those that are tried first'],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after another, in one page
      await choosePassword(page, chosen)
      // oxlint-disable-next-line no-await-in-loop -- one after another, in one page
      await seen(page.getByRole('alert').filter({ hasText: problem }))
    }
    await choosePassword(page, ownPassword)

    await seen(page.getByRole('heading', { name: 'Clusters', level: 1 }))
  })

  step('the clusters page shows every cluster with its health, version and nodes', async () => {
    const version = world().real?.kubernetesVersion ?? ''
    await seen(
      rowOf(page, 'Local cluster')
        .filter({ hasText: 'Ready' })
        .filter({ hasText: /v1\.\d+\.\d+/ })
        .filter({ hasText: isReal() ? '4/4 ready' : '3/3 ready' })
        .filter({ hasText: /3 simulated/ }),
    )
    await seen(rowOf(page, 'Production').filter({ hasText: 'Ready' }).filter({ hasText: version }).filter({ hasText: '0/0 ready' }))
    await seen(rowOf(page, 'edge').filter({ hasText: 'Ready' }))
    assert.equal(await page.getByRole('status').filter({ hasText: 'simulated, because' }).count(), isReal() ? 0 : 1)
    await shot('clusters')
  })

  step('a node that joins a member is counted without a reload', async () => {
    await prod.apply('apiVersion: v1\nkind: Node\nmetadata: { name: worker-1 }\n')
    const status = { conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'the test says so' }] }
    await prod.ok('patch', 'node', 'worker-1', '--subresource=status', '--type=merge', '--patch', JSON.stringify({ status }))
    await seen(rowOf(page, 'Production').filter({ hasText: '1/1 ready' }), probedWithinMs)
  })

  step('a cluster that is removed leaves the page, and is imported again in the console', async () => {
    await world().gantry.cli('cluster', 'remove', 'edge')
    await gone(rowOf(page, 'edge'))

    await page.getByRole('button', { name: 'Import cluster' }).click()
    const dialog = page.getByRole('dialog', { name: 'Import a cluster' })
    await dialog
      .getByLabel('Kubeconfig', { exact: true })
      .last()
      .fill(await readFile(join(world().dir, 'kubernetes', 'admin.kubeconfig'), 'utf8'))
    await dialog.getByLabel('Name', { exact: true }).fill('twice')
    await dialog.getByRole('button', { name: 'Import' }).click()
    await seen(dialog.getByRole('alert').filter({ hasText: 'it is the cluster "prod", which is imported already' }))
    await shot('import-refused')
    await dialog
      .getByLabel('Kubeconfig', { exact: true })
      .last()
      .fill(await readFile(join(world().dir, 'edge.kubeconfig'), 'utf8'))
    await dialog.getByLabel('Name', { exact: true }).fill('edge')
    await dialog.getByRole('button', { name: 'Import' }).click()
    await seen(rowOf(page, 'edge').filter({ hasText: 'Ready' }))
    // Chromium cuts every transfer when a network interface comes or goes anywhere on the machine; then the dialog cannot know that the import went well.
    await gone(dialog).catch(async (error: unknown) => {
      if (!(await dialog.innerText()).includes('Failed to fetch')) throw error
      await page.keyboard.press('Escape')
    })
  })

  step('a deployment is created from YAML', async () => {
    await session.go('/create?cluster=local')
    await page.locator('.cm-content').click()
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText(webManifest(isReal(), { name: 'shop' }))
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    await seen(page.getByText('Deployment/shop is created'))
    await seen(page.getByText('Service/shop is created'))
    await shot('create')
    await local.ok('rollout', 'status', 'deployment/shop', '--timeout=60s')
  })

  step('tables of one and of all clusters follow what happens', async () => {
    await prod.apply(webManifest(isReal(), { name: 'storefront', replicas: 1 }))
    await session.go('/deployments')
    await seen(rowOf(page, 'shop').filter({ hasText: 'local' }).filter({ hasText: '2/2' }))
    await seen(rowOf(page, 'storefront').filter({ hasText: /prod/i }).filter({ hasText: '0/1' }))
    await shot('deployments')
    await session.go('/pods?cluster=local')
    await seen(rowOf(page, /^shop-/).filter({ hasText: 'Running' }))
    assert.equal(await rowOf(page, /^storefront-/).count(), 0)
    assert.equal(await rowOf(page, /^shop-/).count(), 2)

    await session.go('/pods')
    await seen(rowOf(page, /^storefront-/).filter({ hasText: 'Pending' }))
    await local.ok('scale', 'deployment/shop', '--replicas=4')
    await seen(
      rowOf(page, /^shop-/)
        .filter({ hasText: 'Running' })
        .nth(3),
    )
    await shot('pods')
    await local.ok('scale', 'deployment/shop', '--replicas=1')
    await gone(rowOf(page, /^shop-/).nth(1), 20_000)
  })

  step('an object shows its state, its YAML, its events and its log', async () => {
    const name = await local.ok('get', 'pods', '-l', 'app=shop', '-o', 'jsonpath={.items[0].metadata.name}')
    await session.go('/pods?cluster=local')
    await rowOf(page, name).getByRole('link', { name }).click()
    await seen(page.getByRole('heading', { name }))
    await seen(page.getByText('web:1.0'))
    await shot('pod')
    await page.getByRole('tab', { name: 'Events' }).click()
    await seen(page.getByRole('table', { name: 'Events' }).getByText(/Started/))
    await page.getByRole('tab', { name: 'YAML' }).click()
    await seen(page.locator('.cm-content').filter({ hasText: 'generateName: shop-' }))
    await page.getByRole('tab', { name: 'Logs' }).click()
    if (isReal()) {
      await using forwarding = local.start(['port-forward', 'service/shop', ':80'])
      const [, port] = await forwarding.says(/127\.0\.0\.1:(\d+) ->/, 20_000)
      await seen(page.getByText('live', { exact: true }))
      // The web server writes a line for every request, while the page looks.
      await run('curl', ['--silent', '--max-time', '10', `http://127.0.0.1:${port}/passwd`])
      await seen(page.getByRole('log', { name: 'Logs' }).getByText('response:200'))
    } else {
      await seen(page.getByRole('log', { name: 'Logs' }).getByText('This node is simulated'))
    }
    await shot('logs')
  })

  step('a deployment is deleted, with what it owns', async () => {
    await session.go('/object/local/apps/v1/deployments/default/shop')
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog', { name: 'Delete shop?' }).getByRole('button', { name: 'Delete' }).click()
    await seen(page.getByText('This object has been deleted'))
    await session.go('/pods?cluster=local')
    await gone(rowOf(page, /^shop-/), 20_000)

    assert.equal(await local.ok('get', 'deployments,pods', '-l', 'app=shop', '-o', 'name'), '')
  })

  step('no page has accessibility findings, in English and light, in Chinese and dark', async () => {
    for (const path of ['/clusters', '/clusters/prod', '/deployments', '/pods', '/events', '/object/prod/apps/v1/deployments/default/storefront']) {
      // oxlint-disable-next-line no-await-in-loop -- one page after another, in one browser
      await assertAccessible(session, path)
    }
    const credentials = { username: 'admin', password: ownPassword }
    await using chinese = await openConsole(browser, { url: world().gantry.server, credentials, language: 'zh', theme: 'dark' })
    await seen(chinese.page.getByRole('heading', { name: '集群', level: 1 }))
    for (const path of ['/clusters', '/pods', '/object/prod/apps/v1/deployments/default/storefront']) {
      // oxlint-disable-next-line no-await-in-loop -- one page after another, in one browser
      await assertAccessible(chinese, path)
      // oxlint-disable-next-line no-await-in-loop -- one page after another, in one browser
      await chinese.page.screenshot({ path: join(screens, `chinese-dark${path.replaceAll('/', '-')}.png`) })
    }

    assert.deepEqual(await chinese.page.evaluate('[document.documentElement.dataset.theme, document.documentElement.lang]'), ['dark', 'zh-CN'])
    assert.deepEqual([...session.complaints, ...chinese.complaints], [])
  })

  step('a real cluster that dies turns unhealthy with the reason, while the local one goes on', async () => {
    await session.go('/clusters')
    await seen(rowOf(page, 'Production').filter({ hasText: 'Ready' }))
    const killedMs = performance.now()
    process.kill(world().real?.pids.apiserver ?? 0, 'SIGKILL')
    await seen(rowOf(page, 'Production').filter({ hasText: 'Unreachable' }).filter({ hasText: 'refused' }), probedWithinMs)
    note(`the page showed a killed control plane after ${Math.round(performance.now() - killedMs)} ms`)
    await shot('clusters-one-dead')

    assert.match(await readiness(world(), 'prod'), /^False ConnectionRefused .*refused/)
    await session.go('/pods')
    await seen(page.getByRole('status').filter({ hasText: 'prod does not answer' }))
    await local.apply(webManifest(isReal(), { name: 'lifeboat', replicas: 1 }))
    await seen(rowOf(page, /^lifeboat-/).filter({ hasText: 'Running' }), 20_000)
    await shot('pods-one-dead')
    await local.ok('delete', 'deployment/lifeboat', 'service/lifeboat')
    await gone(rowOf(page, /^lifeboat-/), 20_000)
  })

  step('signing out ends the session', async () => {
    await page.getByRole('button', { name: /^Account of/ }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await seen(page.getByRole('heading', { name: 'Sign in to Gantry' }))
    await load(page, `${world().gantry.server}/console/pods`)
    await seen(page.getByRole('heading', { name: 'Sign in to Gantry' }))
  })

  async function assertAccessible(on: ConsoleSession, path: string): Promise<void> {
    await on.go(path)
    await seen(on.page.locator('h1'))
    await seen(on.page.locator('tbody tr, [data-row-link], dl'))
    // Colors fade in: contrast is measured when they have arrived.
    await on.page.evaluate(
      'Promise.all(document.getAnimations().filter((each) => each.effect.getTiming().iterations === 1).map((each) => each.finished.catch(() => undefined)))',
    )
    assert.deepEqual(await accessibilityFindings(on.page), [], path)
  }
}
