import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { groupKind, userKind, type Group, type User } from '@gantry/access/api'
import { runCommandLine } from '@gantry/cli-kit'
import { namespaceCommands, projectCommands, tenantCommands } from '@gantry/tenancy/cli'
import {
  membershipKind,
  projectKind,
  projectNamespaceKind,
  tenantKind,
  type Membership,
  type Project,
  type ProjectNamespace,
  type Tenant,
} from '../api/index.ts'
import { namespaces, startTestTenancy, type TestTenancy } from './test-tenancy.ts'

let platform: TestTenancy

before(async () => {
  platform = await startTestTenancy({ members: ['one'] })
})
after(() => platform[Symbol.asyncDispose]())

/** A command as it is typed; then the controllers come to rest. */
async function gantry(...argv: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const deps = { clock: platform.clock }
  const commands = [...tenantCommands(deps), ...projectCommands(deps), ...namespaceCommands(deps)]
  let [out, err] = ['', '']
  const code = await runCommandLine({ program: 'gantry', summary: '', globalOptions: {}, commands }, argv, {
    context: () => ({
      signal: new AbortController().signal,
      connect: () =>
        Promise.resolve({
          server: 'https://gantry.test',
          hub: platform.hub,
          call: () => Promise.reject(new Error('these commands write plain objects')),
          [Symbol.asyncDispose]: () => Promise.resolve(),
        }),
      readFile: () => Promise.reject(new Error('no files')),
      print: () => Promise.resolve(),
      note: (line) => void (err += `${line}\n`),
    }),
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  await platform.idle()
  return { code, out, err }
}

async function done(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await gantry(...argv)
  assert.deepEqual([code, err], [0, ''])
  return out
}

const rowsOf = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {3,}/))

const membershipsOf = async (namespace: string): Promise<readonly Membership[]> =>
  (await platform.hub.list<Membership>(membershipKind.ref, { namespace })).items

describe('tenants, projects and namespaces on the command line', () => {
  test('makes a tenant and projects in it, one below the other, and shows them', async () => {
    await done('tenants', 'create', 'acme', '--clusters', 'one,two', '--total', 'cpu=40,memory=80Gi', '--namespaces', '20')
    const { spec } = await platform.hub.get<Tenant>(tenantKind.ref, { name: 'acme' })
    assert.deepEqual(spec, { clusters: ['one', 'two'], quota: { total: { cpu: '40', memory: '80Gi' }, namespaces: 20 } })

    await done('projects', 'create', 'acme/shop', '--total', 'cpu=10,memory=20Gi', '--namespaces', '8', '--environments', 'none', '--mode', 'Consumption')
    await done('projects', 'create', 'acme/web', '--in', 'shop', '--environments', 'test=one', '--total', 'cpu=1,memory=1Gi')
    const web = await platform.hub.get<Project>(projectKind.ref, { namespace: 'project-acme--shop', name: 'web' })
    assert.deepEqual(web.spec.environments, [{ name: 'test', cluster: 'one' }])

    assert.deepEqual(rowsOf(await done('tenants', 'list'))[1]?.slice(0, 3), ['acme', 'one,two', '2'])
    const projects = rowsOf(await done('projects', 'list', '--tenant', 'acme')).map((row) => row.slice(0, 2).join(' '))
    assert.deepEqual(projects.toSorted(), ['PROJECT IN', 'acme/shop acme', 'acme/web acme/shop'])
    assert.equal(await done('projects', 'list', '--tenant', 'other'), 'No resources found\n')
    const shown = await done('tenants', 'show', 'acme')
    assert.match(shown, /^tenant acme, Ready\nclusters: one, two\nquota: cpu=40,memory=80Gi, namespaces: \d+ of 20\n/)
    assert.match(shown, /^web +acme\/shop +Ready$/m)
  })

  test('gives a user a role in a project, for a time, and takes exactly that user out again', async () => {
    await platform.hub.create(userKind.ref, { apiVersion: userKind.apiVersion, kind: userKind.kind, metadata: { name: 'ann' }, spec: {} } as User)
    await platform.hub.create(groupKind.ref, {
      apiVersion: groupKind.apiVersion,
      kind: groupKind.kind,
      metadata: { name: 'devs' },
      spec: { members: [] },
    } as Group)
    await done('projects', 'members', 'acme/shop', '--add', 'ann', '--role', 'project-owner')
    await done('projects', 'members', 'acme/shop', '--add', 'devs', '--group', '--role', 'project-viewer', '--for', '7d', '--reason', 'a sprint')
    const [byGroup] = (await membershipsOf('project-acme--shop')).filter(({ spec }) => spec.role === 'project-viewer')
    const until = new Date(platform.clock.now().getTime() + 7 * 86_400_000).toISOString().slice(0, 10)
    assert.deepEqual([byGroup?.spec.reason, byGroup?.spec.expirationTime?.slice(0, 10)], ['a sprint', until])
    await platform.hub.create<Membership>(membershipKind.ref, {
      apiVersion: membershipKind.apiVersion,
      kind: membershipKind.kind,
      metadata: { name: 'both', namespace: 'project-acme--shop' },
      spec: {
        role: 'project-editor',
        subjects: [
          { kind: 'User', name: 'ann' },
          { kind: 'Group', name: 'ann' },
        ],
      },
    })
    const rows = rowsOf(await done('projects', 'members', 'acme/shop')).map(([member, role]) => `${member} ${role}`)
    assert.deepEqual(rows.slice(1).toSorted(), ['group ann project-editor', 'group devs project-viewer', 'user ann project-editor', 'user ann project-owner'])

    await done('projects', 'members', 'acme/shop', '--remove', 'ann')
    const left = (await membershipsOf('project-acme--shop')).map(
      ({ spec }) => `${spec.role}: ${spec.subjects.map(({ kind, name }) => `${kind} ${name}`).join()}`,
    )
    assert.deepEqual(left.toSorted(), ['project-editor: Group ann', 'project-viewer: Group devs'])
    const again = await gantry('projects', 'members', 'acme/shop', '--remove', 'ann')
    assert.deepEqual([again.code, /user ann has no membership of acme\/shop: "gantry projects members acme\/shop" lists them/.test(again.err)], [1, true])
  })

  test('warns of a member whom nobody has made yet, and adds them: an account elsewhere may come later', async () => {
    const add = (...argv: readonly string[]) => gantry('projects', 'members', 'acme/shop', '--add', ...argv, '--role', 'project-viewer')

    const [user, group, outside] = [await add('corp.zoe'), await add('ops', '--group'), await add('corp:ops', '--group')]

    assert.deepEqual([user.code, group.code, outside.code], [0, 0, 0])
    assert.match(user.err, /^warning: there is no user corp\.zoe yet; .*<provider>\.<login>/)
    assert.match(group.err, /^warning: there is no group ops yet; .*<provider>:<group>/)
    assert.equal(outside.err, '', 'groups of providers are no objects')
    for (const argv of [['corp.zoe'], ['ops', '--group'], ['corp:ops', '--group']]) await done('projects', 'members', 'acme/shop', '--remove', ...argv)
  })

  test('makes a namespace in a cluster, says why one is not made, and what becomes of one that is deleted', async () => {
    await done('namespaces', 'create', 'acme/shop', 'db', '--cluster', 'one', '--quota', 'cpu=1,memory=1Gi')
    assert.ok(await platform.member('one').client.get(namespaces, { name: 'acme-shop-db' }))
    await platform.member('one').client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'old' } })
    await done('namespaces', 'create', 'acme/shop', 'old', '--cluster', 'one', '-n', 'old')
    const rows = rowsOf(await done('namespaces', 'list', 'acme/shop', '--cluster', 'one')).map((row) => row.slice(0, 5).join(' '))
    assert.deepEqual(rows.slice(1).toSorted(), ['acme/shop db one acme-shop-db Ready', 'acme/shop old one old Conflict'])
    assert.match(await done('projects', 'show', 'acme/shop'), /^old +one +old +Conflict: .*set spec\.adopt to take it/m)

    assert.match(await done('namespaces', 'delete', 'acme/shop', 'db', '--reclaim-policy', 'Retain'), /acme-shop-db of cluster one stays, without a project/)
    assert.deepEqual(
      (await platform.hub.list<ProjectNamespace>(projectNamespaceKind.ref, { namespace: 'project-acme--shop' })).items.map(({ metadata }) => metadata.name),
      ['old'],
    )
    assert.ok(await platform.member('one').client.get(namespaces, { name: 'acme-shop-db' }))
  })

  for (const [name, argv, code, message] of [
    ['a project without its tenant', ['projects', 'show', 'shop'], 2, /"shop" is no project: write TENANT\/PROJECT/],
    ['a project that is not there', ['namespaces', 'list', 'acme/none'], 1, /there is no project acme\/none that you see: "gantry projects list"/],
    [
      'a project of a tenant that is not there',
      ['projects', 'create', 'none/shop'],
      1,
      /there is no tenant none, or it is not ready yet: "gantry tenants list"/,
    ],
    ['a name that is too long', ['tenants', 'create', 'a'.repeat(25)], 1, /a tenant's name has at most 24 lower-case letters/],
    ['a namespace without a cluster', ['namespaces', 'create', 'acme/shop', 'x'], 2, /needs --cluster: "gantry cluster list"/],
    ['a quota that is none', ['tenants', 'create', 'x', '--total', 'cpu'], 2, /"cpu" is no amount: write cpu=4,memory=8Gi/],
    ['an environment that is none', ['projects', 'create', 'acme/x', '--environments', 'test='], 2, /"test=" is no environment/],
    ['another reclaim policy', ['namespaces', 'delete', 'acme/shop', 'old', '--reclaim-policy', 'Keep'], 2, /it is Retain or Delete/],
    ['a member without a role', ['projects', 'members', 'acme/shop', '--add', 'bob'], 2, /--add needs --role: project-owner/],
    ['a role for nobody', ['projects', 'members', 'acme/shop', '--role', 'project-owner'], 2, /--role needs --add or --remove/],
    ['a time for a member who leaves', ['projects', 'members', 'acme/shop', '--remove', 'bob', '--for', '2h'], 2, /--for needs --add/],
    ['a time that is none', ['projects', 'members', 'acme/shop', '--add', 'bob', '--role', 'project-owner', '--for', 'soon'], 2, /write 30m, 2h or 7d/],
  ] as const)
    test(`refuses ${name} and says what mends it`, async () => {
      const said = await gantry(...argv)
      assert.equal(said.code, code)
      assert.match(said.err, message)
    })
})
