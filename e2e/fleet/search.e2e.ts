import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import { accessibilityFindings, launchBrowser, openConsole } from '../console/console-page.ts'
import { freePort } from '../free-port.ts'
import { gantry, ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'

const parts = new AsyncDisposableStack()
let browser: Browser
let hub: GantryProcess
let east: GantryProcess

before(async () => {
  await buildGantry()
  const dir = await mkdtemp(join(tmpdir(), 'gantry-search-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const start = async (name: string): Promise<GantryProcess> => startGantry({ dataDir: join(dir, name), port: await freePort(), args: ['--node', 'none'] })
  hub = parts.use(await start('hub'))
  east = parts.use(await start('east'))
  const { code, stderr } = await gantry(['cluster', 'import', 'east', '--data', hub.dataDir, '--kubeconfig', east.kubeconfig])
  assert.equal(code, 0, stderr)
  await hub.setOwnPassword()
  browser = await launchBrowser()
  parts.defer(() => browser.close())
})
after(() => parts.disposeAsync())

for (const [language, title] of [
  ['en', 'Search'],
  ['zh', '搜索'],
] as const) {
  test(`the page ${title} finds objects of every cluster, and shows what changes while it is open`, async () => {
    await using session = await openConsole(browser, { url: hub.server, credentials: { username: 'admin', password: ownPassword }, language })
    const { page, go, complaints } = session
    await kubectl(hub.kubeconfig).ok('create', 'configmap', `tower-here-${language}`)
    await go('/search')
    await page.getByRole('heading', { name: title }).waitFor()
    assert.deepEqual(await accessibilityFindings(page), [])

    await page.getByRole('searchbox').fill(`kind:cm name:tower-*-${language}`)
    const link = (name: string) => page.getByRole('link', { name, exact: true })
    await link(`tower-here-${language}`).waitFor()
    await kubectl(east.kubeconfig).ok('create', 'configmap', `tower-there-${language}`)
    await link(`tower-there-${language}`).waitFor()
    assert.match(page.url(), /\/search\?q=kind/)
    assert.deepEqual(await accessibilityFindings(page), [])
    await kubectl(east.kubeconfig).ok('delete', 'configmap', `tower-there-${language}`)
    await link(`tower-there-${language}`).waitFor({ state: 'detached' })

    await link(`tower-here-${language}`).click()
    await page.getByRole('heading', { name: `tower-here-${language}` }).waitFor()
    assert.deepEqual(complaints, [])
  })
}
