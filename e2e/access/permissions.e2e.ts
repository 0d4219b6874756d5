import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { buildGantry } from '../built-gantry.ts'
import {
  accessibilityFindings,
  choosePassword,
  launchBrowser,
  openConsole,
  patienceMs,
  type ConsoleSession,
  type SessionOptions,
} from '../console/console-page.ts'
import { freePort } from '../free-port.ts'
import { ownPassword, startGantry, type GantryProcess } from '../gantry-process.ts'
import { kubectl } from '../kubectl.ts'

/** For people who look at a run; the next run writes over it. */
const screens = join(tmpdir(), 'gantry-e2e-screens')
const vicsPassword = 'bollard, fairlead, hawser, capstan'
const phone = { width: 390, height: 844 }
const parts = new AsyncDisposableStack()
let browser: Browser
let hub: GantryProcess

before(async () => {
  await buildGantry()
  await mkdir(screens, { recursive: true })
  const dir = await mkdtemp(join(tmpdir(), 'gantry-permissions-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  hub = parts.use(await startGantry({ dataDir: join(dir, 'hub'), port: await freePort(), args: ['--node', 'none'] }))
  await hub.setOwnPassword()
  browser = await launchBrowser()
  parts.defer(() => browser.close())
})
after(() => parts.disposeAsync())

const seen = (locator: Locator): Promise<void> => locator.first().waitFor({ state: 'visible', timeout: patienceMs })

async function look(page: Page, name: string): Promise<void> {
  assert.deepEqual(await accessibilityFindings(page), [], name)
  await page.screenshot({ path: join(screens, `permissions-${name}.png`) })
}

const asAdmin = (options: Partial<SessionOptions> = {}): Promise<ConsoleSession> =>
  openConsole(browser, { url: hub.server, credentials: { username: 'admin', password: ownPassword }, ...options })

/** What the browser of a session gets for a request through the gateway. */
function statusOf({ page }: ConsoleSession, path: string, body?: unknown): Promise<number> {
  const init =
    body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json', 'x-gantry-request': 'console' }, body: JSON.stringify(body) }
  return page.evaluate(`fetch(${JSON.stringify(path)}, ${JSON.stringify(init)}).then((answer) => answer.status)`)
}

/** Waits until a request is answered so: what is open hears of a change at once, a page some milliseconds later. */
async function answers(session: ConsoleSession, path: string, status: number, body?: unknown): Promise<void> {
  const end = Date.now() + patienceMs
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- asks until the answer is the expected one
    const found = await statusOf(session, path, body)
    if (found === status) return
    assert.ok(Date.now() < end, `${path} is answered with ${found}, not ${status}`)
    // oxlint-disable-next-line no-await-in-loop -- see above
    await session.page.waitForTimeout(50)
  }
}

test('a role is made and given in the console, does exactly that, and is explained and taken away', async () => {
  await using admin = await asAdmin()
  const { page } = admin
  const dialog = page.getByRole('dialog')

  await admin.go('/users')
  await page.getByRole('button', { name: 'Create a user' }).click()
  await page.locator('input[name=user-name]').fill('vic')
  await dialog.getByRole('button', { name: 'Create a user' }).click()
  const first = await dialog.locator('code').innerText()
  await page.getByRole('button', { name: 'Close' }).last().click()

  await using vic = await openConsole(browser, { url: hub.server })
  await vic.page.locator('input[name=username]').fill('vic')
  await vic.page.locator('input[name=password]').fill(first)
  await vic.page.locator('button[type=submit]').click()
  await choosePassword(vic.page, vicsPassword)
  await seen(vic.page.getByRole('heading', { name: 'Projects', level: 1 }))
  await vic.go('/elevations')
  await seen(vic.page.getByText('Nobody asks for a role'))
  await look(vic.page, 'elevations-none')
  const [pods, secrets, others] = ['/namespaces/default/pods', '/namespaces/default/secrets', '/namespaces/kube-system/pods'].map(
    (path) => `/clusters/local/api/v1${path}`,
  )
  assert.equal(await statusOf(vic, pods ?? ''), 403)

  // A role, in the form.
  await admin.go('/roles')
  await seen(page.getByRole('link', { name: 'platform-admin' }))
  await look(page, 'roles')
  await page.getByRole('button', { name: 'Create a role' }).click()
  await page.locator('input[name=role-name]').fill('pod-watcher')
  await page.locator('input[name=role-description]').fill('Looks at pods, and nothing else.')
  await dialog.getByRole('button', { name: 'Add a rule' }).click()
  assert.equal(await dialog.getByRole('button', { name: 'Create a role' }).isDisabled(), true, 'a rule that says nothing')
  await page.locator('input[name=rule-0-verbs]').fill('get, list, watch')
  await page.locator('input[name=rule-0-apiGroups]').fill('core')
  await page.locator('input[name=rule-0-resources]').fill('pods')
  await look(page, 'role-create')
  await dialog.getByRole('button', { name: 'Create a role' }).click()
  await seen(page.getByRole('heading', { name: 'pod-watcher', level: 1 }))
  await seen(page.getByText('Nobody has it.'))
  await seen(page.getByRole('button', { name: 'Edit', exact: true }))
  await look(page, 'role')

  // A binding.
  await admin.go('/bindings')
  await page.getByRole('button', { name: 'Give a role' }).click()
  await page.locator('input[name=subject]').fill('vic')
  await dialog.locator('input[name=role]').fill('pod-watcher')
  await page.locator('select[name=scope]').selectOption('namespaces')
  await page.locator('input[name=namespaces]').fill('default')
  await page.locator('select[name=expiry]').selectOption('h8')
  await dialog.locator('input[name=reason]').fill('looks after the shop')
  await look(page, 'give')
  await dialog.getByRole('button', { name: 'Give a role' }).click()
  await seen(page.getByRole('row').filter({ hasText: 'pod-watcher' }).filter({ hasText: 'vic' }).filter({ hasText: 'left' }))
  await look(page, 'bindings')

  await answers(vic, pods ?? '', 200)
  assert.deepEqual(await Promise.all([secrets, others].map((path) => statusOf(vic, path ?? ''))), [403, 403])

  // What one may not see or do is not offered.
  await vic.go('/bindings')
  await seen(vic.page.getByText('Bindings: you may not see all of them'))
  assert.equal(await vic.page.getByRole('button', { name: 'Give a role' }).count(), 0)
  await vic.go('/roles')
  await seen(vic.page.getByText('Roles: you may not see all of them'))
  assert.equal(await vic.page.getByRole('button', { name: 'Create a role' }).count(), 0)
  await look(vic.page, 'roles-forbidden')

  // Why, at an address that can be sent to somebody.
  await admin.go('/explain?user=vic&verb=list&resource=pods&cluster=local&namespace=default')
  await seen(page.getByText('Allowed', { exact: true }))
  await seen(page.getByRole('table', { name: 'Rules' }).getByRole('row').filter({ hasText: 'pod-watcher' }).filter({ hasText: 'allows it' }))
  await look(page, 'explain')
  await page.locator('input[name=resource]').fill('secrets')
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  await seen(page.getByText('Not allowed', { exact: true }))
  assert.match(page.url(), /[?&]resource=secrets/)
  await vic.go('/explain?verb=list&resource=pods&cluster=local&namespace=default')
  await seen(vic.page.getByText('Allowed', { exact: true }))
  assert.equal(await vic.page.locator('input[name=user]').isDisabled(), true)

  await page.locator('select[name=asks]').selectOption('who')
  await page.locator('input[name=resource]').fill('pods')
  await page.getByRole('button', { name: 'Ask', exact: true }).click()
  const who = page.getByRole('table', { name: 'Who may do it' })
  await seen(who.getByRole('row').filter({ hasText: 'vic' }).filter({ hasText: 'pod-watcher' }))
  await seen(who.getByRole('row').filter({ hasText: 'admin' }).filter({ hasText: 'platform-admin' }))
  assert.match(page.url(), /[?&]user=\*/)
  await look(page, 'who')

  // Only what is wanted of many.
  await admin.go('/bindings?subject=User%2Fvic')
  await seen(page.getByRole('row').filter({ hasText: 'pod-watcher' }))
  await page.locator('select').filter({ hasText: 'Everywhere' }).selectOption('platform')
  await page.getByRole('row').filter({ hasText: 'pod-watcher' }).waitFor({ state: 'detached' })
  await page.locator('select').filter({ hasText: 'Everywhere' }).selectOption('')
  await page
    .getByRole('row')
    .filter({ hasText: 'pod-watcher' })
    .getByRole('button', { name: /^Actions of/ })
    .click()
  await page.getByRole('menuitem', { name: 'Take the role away' }).click()
  await seen(dialog.getByText('vic loses pod-watcher: default in the cluster local'))
  await look(page, 'take-away')
  await dialog.getByRole('button', { name: 'Take the role away' }).click()
  await page.getByRole('row').filter({ hasText: 'pod-watcher' }).waitFor({ state: 'detached' })
  await answers(vic, pods ?? '', 403)

  // A group gives what is bound to it.
  await admin.go('/groups')
  await page.getByRole('button', { name: 'Create a group' }).click()
  await page.locator('input[name=group-name]').fill('watchers')
  await dialog.getByRole('button', { name: 'Create a group' }).click()
  await seen(page.getByRole('heading', { name: 'watchers', level: 1 }))
  await page.getByRole('button', { name: 'Add members' }).click()
  await page.locator('input[name=new-members]').fill('vic')
  await dialog.getByRole('button', { name: 'Add members' }).click()
  await seen(page.getByRole('table', { name: 'Members' }).getByRole('link', { name: 'vic' }))
  await admin.go('/bindings?subject=Group%2Fwatchers')
  await page.getByRole('button', { name: 'Give a role' }).click()
  await dialog.locator('input[name=role]').fill('pod-watcher')
  await dialog.getByRole('button', { name: 'Give a role' }).click()
  await answers(vic, pods ?? '', 200)
  await admin.go('/groups/watchers')
  await seen(page.getByRole('table', { name: 'Bindings' }).getByRole('link', { name: 'pod-watcher', exact: true }))
  await look(page, 'group')
  await page.getByRole('button', { name: 'Remove', exact: true }).click()
  await seen(dialog.getByText('pod-watcher: cluster local'))
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
  await seen(page.getByText('Nobody is in it.'))
  await answers(vic, pods ?? '', 403)

  // Changed over the version that was read, and gone with a word about whom it concerns.
  await admin.go('/roles')
  await page.getByRole('link', { name: 'pod-watcher' }).click()
  await page.getByRole('button', { name: 'Edit', exact: true }).click()
  await dialog.getByRole('button', { name: 'Read logs' }).click()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await seen(page.getByRole('list', { name: 'Rules' }).getByText('pods/log'))
  await page.getByRole('button', { name: 'Delete the role' }).click()
  await seen(dialog.getByText('1 user or group loses it at once'))
  await dialog.getByRole('button', { name: 'Delete the role' }).click()
  await seen(page.getByText('This object has been deleted.'))

  // What the platform itself needs cannot be changed by mistake.
  await admin.go('/roles')
  await page.getByRole('link', { name: 'project-editor' }).click()
  await seen(page.getByText('A built-in role: the platform puts it back at every start.'))
  assert.equal(await page.getByRole('button', { name: 'Edit', exact: true }).count(), 0)
  assert.equal(await page.getByRole('button', { name: 'Delete the role' }).count(), 0)
  await seen(page.getByRole('button', { name: 'Begin another with it' }))
  await look(page, 'role-builtin')
  assert.deepEqual([...admin.complaints, ...vic.complaints], [])
})

test('a role in a project is given and taken away where all others are', async () => {
  const tenancy = { apiVersion: 'tenancy.gantry.dev/v1alpha1' }
  await kubectl(hub.kubeconfig).apply(JSON.stringify({ ...tenancy, kind: 'Tenant', metadata: { name: 'acme' }, spec: { clusters: ['local'] } }))
  await kubectl(hub.kubeconfig).ok('wait', '--for=condition=Ready', 'tenant/acme', '--timeout=30s')
  await kubectl(hub.kubeconfig).apply(
    JSON.stringify({ ...tenancy, kind: 'Project', metadata: { name: 'shop', namespace: 'tenant-acme' }, spec: { environments: [] } }),
  )
  await kubectl(hub.kubeconfig).ok('wait', '--for=condition=Ready', 'project/shop', '-n', 'tenant-acme', '--timeout=30s')
  await using vic = await openConsole(browser, { url: hub.server, credentials: { username: 'vic', password: vicsPassword } })
  await using admin = await asAdmin()
  const { page } = admin
  const members = '/clusters/local/apis/tenancy.gantry.dev/v1alpha1/namespaces/project-acme--shop/memberships'
  assert.equal(await statusOf(vic, members), 403)

  await admin.go('/bindings')
  await page.getByRole('button', { name: 'Give a role' }).click()
  const dialog = page.getByRole('dialog')
  await page.locator('input[name=subject]').fill('vic')
  await dialog.locator('input[name=role]').fill('project-viewer')
  await page.locator('select[name=scope]').selectOption('project')
  await seen(page.locator('select[name=place] option').filter({ hasText: 'acme / shop' }).locator('..'))
  await look(page, 'give-project')
  await dialog.getByRole('button', { name: 'Give a role' }).click()
  const row = page.getByRole('row').filter({ hasText: 'project acme / shop' })
  await seen(row.filter({ hasText: 'vic' }))
  await answers(vic, members, 200)

  // What one may see of it oneself, and no more.
  await vic.go('/bindings')
  await seen(vic.page.getByRole('row').filter({ hasText: 'project acme / shop' }))
  assert.equal(await vic.page.getByRole('row').filter({ hasText: 'platform-admin' }).count(), 0)
  await look(vic.page, 'bindings-of-a-member')

  // More for a while, in the project alone: whoever has a role in its tenant may ask.
  const membership = {
    ...tenancy,
    kind: 'Membership',
    metadata: { name: 'trial' },
    spec: { role: 'project-viewer', subjects: [{ kind: 'User', name: 'vic' }] },
  }
  const trial = `${members}?dryRun=All`
  assert.equal(await statusOf(vic, trial, membership), 403)
  await vic.go('/elevations')
  await vic.page.getByRole('button', { name: 'Ask for a role' }).click()
  const asked = vic.page.getByRole('dialog')
  await asked.locator('input[name=role]').fill('project-owner')
  await vic.page.locator('select[name=scope]').selectOption('project')
  await asked.locator('input[name=place]').fill('acme/shop')
  await asked.locator('input[name=reason]').fill('the till is stuck')
  await look(vic.page, 'elevation-ask-project')
  await asked.getByRole('button', { name: 'Ask', exact: true }).click()
  await seen(vic.page.getByRole('row').filter({ hasText: 'the till is stuck' }))
  await admin.go('/elevations')
  const request = page.getByRole('row').filter({ hasText: 'the till is stuck' }).filter({ hasText: 'project acme / shop' })
  await request.getByRole('button', { name: 'Approve' }).click()
  await dialog.getByRole('button', { name: 'Approve' }).click()
  await answers(vic, trial, 201, membership)
  await request.getByRole('button', { name: 'End now' }).click()
  await dialog.getByRole('button', { name: 'End now' }).click()
  await answers(vic, trial, 403, membership)
  await admin.go('/bindings')

  await row.getByRole('button', { name: /^Actions of/ }).click()
  await page.getByRole('menuitem', { name: 'Take the role away' }).click()
  await seen(dialog.getByText('vic loses project-viewer: project acme / shop'))
  await dialog.getByRole('button', { name: 'Take the role away' }).click()
  await row.waitFor({ state: 'detached' })
  await answers(vic, members, 403)
  assert.deepEqual([...admin.complaints, ...vic.complaints], [])
})

test('a role for a while is asked for, approved by somebody else, used, and ended', async () => {
  await using vic = await openConsole(browser, { url: hub.server, credentials: { username: 'vic', password: vicsPassword } })
  await using admin = await asAdmin()
  const nodes = '/clusters/local/api/v1/nodes'
  assert.equal(await statusOf(vic, nodes), 403)

  await vic.go('/elevations')
  const ask = async (reason: string): Promise<void> => {
    await vic.page.getByRole('button', { name: 'Ask for a role' }).click()
    const asked = vic.page.getByRole('dialog')
    await asked.locator('input[name=role]').fill('cluster-viewer')
    await asked.locator('input[name=cluster]').fill('local')
    await asked.locator('input[name=reason]').fill(reason)
    if (reason === 'incident 42') await look(vic.page, 'elevation-ask')
    await asked.getByRole('button', { name: 'Ask', exact: true }).click()
    await seen(vic.page.getByRole('table', { name: 'Waiting for an answer' }).getByRole('row').filter({ hasText: reason }))
  }
  await ask('incident 42')
  assert.equal(await vic.page.getByRole('button', { name: 'Approve' }).count(), 0, 'nobody approves their own')

  await admin.go('/elevations')
  await admin.page.getByRole('row').filter({ hasText: 'incident 42' }).getByRole('button', { name: 'Approve' }).click()
  await seen(admin.page.getByRole('dialog').getByText('What the role allows'))
  await look(admin.page, 'elevation-approve')
  await admin.page.locator('input[name=message]').fill('until the incident is over')
  await admin.page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click()
  await seen(admin.page.getByRole('table', { name: 'Running' }).getByRole('row').filter({ hasText: 'vic' }).filter({ hasText: 'left' }))
  // Live: nothing is loaded again.
  await seen(vic.page.getByRole('table', { name: 'Running' }).getByRole('row').filter({ hasText: 'until the incident is over' }))
  await answers(vic, nodes, 200)
  assert.equal(await statusOf(vic, '/clusters/local/api/v1/secrets'), 403)

  await ask('and another')
  await seen(admin.page.getByRole('row').filter({ hasText: 'and another' }))
  await look(admin.page, 'elevations')
  await using dark = await asAdmin({ language: 'zh', theme: 'dark' })
  await dark.go('/elevations')
  await seen(dark.page.getByRole('table', { name: '生效中' }))
  await look(dark.page, 'elevations-chinese')

  await admin.page.getByRole('row').filter({ hasText: 'and another' }).getByRole('button', { name: 'Deny' }).click()
  await admin.page.locator('input[name=message]').fill('one is enough')
  await admin.page.getByRole('dialog').getByRole('button', { name: 'Deny' }).click()
  await seen(vic.page.getByRole('table', { name: 'Over' }).getByRole('row').filter({ hasText: 'one is enough' }))

  await vic.page.getByRole('button', { name: 'End now' }).click()
  await vic.page.getByRole('dialog').getByRole('button', { name: 'End now' }).click()
  await seen(vic.page.getByText('Nobody has a role for a while at the moment.'))
  await answers(vic, nodes, 403)
  assert.deepEqual([...vic.complaints, ...admin.complaints, ...dark.complaints], [])
})

test('pages fit a phone and the dark theme, in Chinese too', async () => {
  await using narrow = await asAdmin({ viewport: phone })
  await using dark = await asAdmin({ language: 'zh', theme: 'dark' })
  for (const [path, english, chinese] of [
    ['/roles', 'Roles', '角色'],
    ['/bindings', 'Bindings', '角色绑定'],
    ['/groups', 'Groups', '用户组'],
    ['/elevations', 'Elevations', '临时提权'],
    ['/explain?user=vic&verb=list&resource=pods&cluster=local', 'Who may do what', '权限查询'],
  ] as const) {
    const name = path.slice(1).split('?')[0] ?? ''
    // oxlint-disable-next-line no-await-in-loop -- one page after another
    await Promise.all(
      [[narrow, english, 'narrow'] as const, [dark, chinese, 'chinese'] as const].map(async ([session, title, kind]) => {
        await session.go(path)
        await seen(session.page.getByRole('heading', { name: title, level: 1 }))
        await session.page
          .locator('[role=status]')
          .filter({ hasText: /Reading|Asking|正在/ })
          .waitFor({ state: 'detached' })
        await look(session.page, `${name}-${kind}`)
        const overflow = await session.page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
        assert.equal(overflow, 0, `${name} does not scroll sideways`)
      }),
    )
  }
  await narrow.go('/bindings')
  await narrow.page.getByRole('button', { name: 'Give a role' }).click()
  await look(narrow.page, 'give-narrow')
  await narrow.page.keyboard.press('Escape')
  await narrow.go('/roles')
  await narrow.page.getByRole('button', { name: 'Create a role' }).click()
  await narrow.page.getByRole('dialog').getByRole('button', { name: 'Read workloads' }).click()
  await look(narrow.page, 'role-create-narrow')
})
