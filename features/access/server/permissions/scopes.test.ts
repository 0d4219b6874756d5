import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { projectKind, tenantKind } from '@gantry/tenancy/api'
import type { AccessRule } from '../../api/index.ts'
import { builtinRoles } from './builtin-roles.ts'
import { PermissionIndex, type AccessQuestion, type Subject } from './permission-index.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const subjectOf = (user: string, more: Partial<Subject> = {}): Subject => ({ user, groups: ['system:authenticated'], ...more })

/** Tenant acme with the projects shop and, below it, shop-eu; tenant bank with ledger. */
function indexWithTenants(): { readonly index: PermissionIndex; readonly clock: { nowMs: number } } {
  const clock = { nowMs: start }
  const index = new PermissionIndex(() => clock.nowMs, 'hub')
  for (const [name, { rules }] of Object.entries(builtinRoles)) index.setRole(name, rules)
  // What is below comes before what it stands in: watches keep no order between kinds.
  setProject(index, 'acme', 'shop-eu', 'project-acme--shop')
  setProject(index, 'acme', 'shop', 'tenant-acme')
  setTenant(index, 'acme')
  setTenant(index, 'bank')
  setProject(index, 'bank', 'ledger', 'tenant-bank')
  index.setPlace('prod', 'acme-shop-production', 'project-acme--shop')
  index.setPlace('test', 'acme-shop-test', 'project-acme--shop')
  index.setPlace('eu', 'shop-eu', 'project-acme--shop-eu')
  index.setPlace('prod', 'ledger', 'project-bank--ledger')
  index.setPlace('hub', 'shop-on-hub', 'project-acme--shop')
  return { index, clock }
}

function setTenant(index: PermissionIndex, name: string, suspended = false): void {
  const object = { group: tenantKind.group, resource: tenantKind.plural, namespace: undefined, name }
  index.setScope(`tenant-${name}`, { label: `tenant ${name}`, parent: undefined, object, suspended })
}

function setProject(index: PermissionIndex, tenant: string, name: string, parent: string): void {
  const object = { group: projectKind.group, resource: projectKind.plural, namespace: parent, name }
  index.setScope(`project-${tenant}--${name}`, { label: `project ${tenant}/${name}`, parent, object, suspended: false })
}

function give(index: PermissionIndex, namespace: string, role: string, user: string): void {
  index.setMembership({ namespace, name: `${role}-${user}` }, { role, subjects: [{ kind: 'User', name: user }] })
}

/** `prod get pods/log shop/web`, `prod list deployments.apps`. */
function ask(text: string): AccessQuestion {
  const [cluster = '', verb = '', what = '', where = ''] = text.split(' ')
  const none = { group: '', resource: '', subresource: '', namespace: undefined, name: '' }
  if (what.startsWith('/')) return { ...none, cluster: cluster === '-' ? '' : cluster, verb: verb.toLowerCase(), isResource: false, path: what }
  const [full = '', subresource = ''] = what.split('/')
  const [resource = '', ...group] = full.split('.')
  const [namespace = '', name = ''] = where.includes('/') ? where.split('/') : ['', where]
  // As a path is read: a namespace is in itself.
  const within = resource === 'namespaces' && name !== '' ? name : namespace
  return { cluster, verb, isResource: true, group: group.join('.'), resource, subresource, namespace: within === '' ? undefined : within, name, path: '' }
}

function verdict(index: PermissionIndex, subject: Subject, text: string): 'yes' | 'no' | 'part' {
  const { allowed, filter } = index.decide(subject, ask(text))
  return allowed ? (filter === undefined ? 'yes' : 'part') : 'no'
}

const table = (cases: Readonly<Record<string, 'yes' | 'no' | 'part'>>, decide: (text: string) => { readonly is: string; readonly why: string }): void => {
  for (const [text, expected] of Object.entries(cases))
    test(`${text}: ${expected}`, () => {
      const { is, why } = decide(text)
      assert.equal(is, expected, why)
    })
}

describe('the owner of a project', () => {
  const { index } = indexWithTenants()
  give(index, 'project-acme--shop', 'project-owner', 'ann')
  const ann = subjectOf('ann')
  table(
    {
      'prod get pods acme-shop-production/web': 'yes',
      'prod create pods/exec acme-shop-production/web': 'yes',
      'prod create deployments.apps acme-shop-production/': 'yes',
      'eu delete pods shop-eu/web': 'yes',
      'prod get pods ledger/web': 'no',
      'eu get pods acme-shop-production/web': 'no',
      'prod get pods kube-system/web': 'no',
      'prod list pods': 'part',
      'prod deletecollection pods': 'no',
      'prod list nodes': 'no',
      'prod get nodes n1': 'no',
      'other list pods': 'no',
      'other GET /api/v1': 'no',
      'prod GET /api/v1': 'yes',
      'prod GET /metrics': 'no',
      '- GET /platform/v1/storage': 'no',
      'prod list namespaces': 'part',
      'prod get namespaces acme-shop-production': 'yes',
      'prod delete namespaces acme-shop-production': 'no',
      'prod get namespaces ledger': 'no',
      '* list pods': 'part',
      '* list pods shop-eu/': 'part',
      '* list pods ledger/': 'no',
      'hub get pods shop-on-hub/web': 'yes',
      'hub list memberships.tenancy.gantry.dev project-acme--shop/': 'yes',
      'hub create memberships.tenancy.gantry.dev project-acme--shop-eu/': 'yes',
      'hub create projects.tenancy.gantry.dev project-acme--shop/': 'yes',
      'hub create memberships.tenancy.gantry.dev tenant-acme/': 'no',
      'hub create memberships.tenancy.gantry.dev project-bank--ledger/': 'no',
      'hub list memberships.tenancy.gantry.dev': 'part',
      'hub create pods project-acme--shop/': 'no',
      'hub get secrets project-acme--shop/x': 'no',
      'hub get configmaps tenant-acme/x': 'no',
      'prod create memberships.tenancy.gantry.dev acme-shop-production/': 'yes',
      'hub get projects.tenancy.gantry.dev tenant-acme/shop': 'yes',
      'hub update projects.tenancy.gantry.dev tenant-acme/shop': 'no',
      'hub update projects.tenancy.gantry.dev project-acme--shop/shop-eu': 'yes',
      'hub update projects.tenancy.gantry.dev/status project-acme--shop/shop-eu': 'no',
      'hub update projectnamespaces.tenancy.gantry.dev/status project-acme--shop/a': 'no',
      'hub list projects.tenancy.gantry.dev tenant-acme/': 'part',
      'hub list projects.tenancy.gantry.dev tenant-bank/': 'no',
      'hub get tenants.tenancy.gantry.dev acme': 'no',
      'hub list tenants.tenancy.gantry.dev': 'no',
      'hub get namespaces project-acme--shop': 'yes',
      'hub get namespaces tenant-acme': 'no',
      'hub list namespaces': 'part',
      'hub get accessroles.access.gantry.dev project-owner': 'no',
    },
    (text) => ({ is: verdict(index, ann, text), why: index.decide(ann, ask(text)).reason }),
  )

  test('sees of all clusters what is in the project and below, and nothing else', () => {
    const { filter } = index.decide(ann, ask('* list pods'))
    const seen = (cluster: string, namespace: string): boolean | undefined => filter?.({ cluster, namespace, name: 'a' })
    assert.deepEqual(
      [seen('prod', 'acme-shop-production'), seen('eu', 'shop-eu'), seen('hub', 'shop-on-hub'), seen('prod', 'ledger'), seen('eu', 'acme-shop-production')],
      [true, true, true, false, false],
    )
    const projects = index.decide(ann, ask('hub list projects.tenancy.gantry.dev')).filter
    assert.deepEqual(
      [
        projects?.({ namespace: 'tenant-acme', name: 'shop' }),
        projects?.({ namespace: 'project-acme--shop', name: 'shop-eu' }),
        projects?.({ namespace: 'tenant-bank', name: 'ledger' }),
      ],
      [true, true, false],
    )
    const namespaces = index.decide(ann, ask('hub list namespaces')).filter
    assert.deepEqual(
      ['project-acme--shop', 'shop-on-hub', 'tenant-acme', 'gantry-system'].map((name) => namespaces?.({ namespace: undefined, name })),
      [true, true, false, false],
    )
  })

  test('is told which membership decides', () => {
    assert.equal(
      index.decide(ann, ask('prod get pods acme-shop-production/web')).reason,
      'rule 0 of AccessRole "project-owner" by Membership "project-acme--shop/project-owner-ann" of project acme/shop',
    )
    const [first] = index.explain(ann, ask('prod get pods acme-shop-production/web'))
    assert.deepEqual([first?.matches, first?.scope, first?.binding], ['wholly', 'project acme/shop', 'project-acme--shop/project-owner-ann'])
  })

  test('may give what owners, editors and viewers have in the project and below, and nothing else anywhere else', () => {
    const rulesOf = (role: string): readonly AccessRule[] => builtinRoles[role]?.rules ?? []
    const missing = (role: string, scope: string): boolean =>
      index.missingOf(ann, rulesOf(role), { cluster: undefined, namespaces: undefined, scope }) !== undefined
    for (const role of ['project-owner', 'project-editor', 'project-viewer'])
      assert.deepEqual(
        ['project-acme--shop', 'project-acme--shop-eu', 'tenant-acme', 'project-bank--ledger', 'nowhere'].map((scope) => missing(role, scope)),
        [false, false, true, true, true],
      )
    for (const role of ['platform-admin', 'cluster-viewer', 'cluster-admin']) assert.equal(missing(role, 'project-acme--shop'), true, role)
    assert.notEqual(
      index.missingOf(ann, rulesOf('project-viewer'), { cluster: 'prod', namespaces: ['acme-shop-production'] }),
      undefined,
      'a binding outlives the project',
    )
  })
})

describe('a membership', () => {
  test('of a tenant reaches everything below it, the tenant itself to be read', () => {
    const { index } = indexWithTenants()
    give(index, 'tenant-acme', 'tenant-admin', 'tom')
    const tom = subjectOf('tom')
    assert.deepEqual(
      [
        'prod get pods acme-shop-production/web',
        'eu get pods shop-eu/web',
        'hub create projects.tenancy.gantry.dev tenant-acme/',
        'hub get tenants.tenancy.gantry.dev acme',
      ].map((text) => verdict(index, tom, text)),
      ['yes', 'yes', 'yes', 'yes'],
    )
    assert.deepEqual(
      ['hub update tenants.tenancy.gantry.dev acme', 'prod get pods ledger/x', 'hub get tenants.tenancy.gantry.dev bank'].map((text) =>
        verdict(index, tom, text),
      ),
      ['no', 'no', 'no'],
    )
    assert.deepEqual([...(index.clustersOf(tom) ?? [])].toSorted(), ['eu', 'hub', 'prod', 'test'])
  })

  test('gives nothing while its tenant is suspended, after it has expired, or in a namespace that is no scope', () => {
    const { index, clock } = indexWithTenants()
    const expirationTime = '2026-01-01T01:00:00Z'
    index.setMembership({ namespace: 'project-acme--shop', name: 'a' }, { role: 'project-viewer', subjects: [{ kind: 'User', name: 'ann' }], expirationTime })
    give(index, 'gantry-system', 'platform-admin', 'ann')
    give(index, 'project-acme--ghost', 'platform-admin', 'ann')
    const ann = subjectOf('ann')
    const asked = 'prod get pods acme-shop-production/web'
    assert.equal(verdict(index, ann, asked), 'yes')
    setTenant(index, 'acme', true)
    assert.equal(verdict(index, ann, asked), 'no')
    assert.equal(verdict(index, ann, 'prod GET /api/v1'), 'no')
    setTenant(index, 'acme')
    assert.equal(verdict(index, ann, asked), 'yes')
    clock.nowMs += 3_600_000
    assert.equal(verdict(index, ann, asked), 'no')
    assert.equal(verdict(index, ann, 'hub list secrets gantry-system/'), 'no')
    assert.equal(verdict(index, ann, 'hub list memberships.tenancy.gantry.dev project-acme--ghost/'), 'no')
  })

  test('loses a namespace in the moment in which it goes to another project', () => {
    const { index } = indexWithTenants()
    give(index, 'project-acme--shop', 'project-viewer', 'ann')
    give(index, 'project-bank--ledger', 'project-viewer', 'bob')
    index.setPlace('prod', 'acme-shop-production', 'project-bank--ledger')
    assert.equal(verdict(index, subjectOf('ann'), 'prod get pods acme-shop-production/web'), 'no')
    assert.equal(verdict(index, subjectOf('ann'), 'prod list pods'), 'no', 'the project has nothing left there')
    assert.equal(verdict(index, subjectOf('bob'), 'prod get pods acme-shop-production/web'), 'yes')
    index.setPlace('prod', 'acme-shop-production', undefined)
    assert.equal(verdict(index, subjectOf('bob'), 'prod get pods acme-shop-production/web'), 'no')
  })

  test('whose role denies takes it in its scope alone', () => {
    const { index } = indexWithTenants()
    index.setRole('no-secrets', [{ effect: 'Deny', verbs: ['*'], apiGroups: [''], resources: ['secrets'] }])
    index.setBinding('all', { metadata: {}, spec: { role: 'cluster-admin', cluster: 'prod', subjects: [{ kind: 'User', name: 'ann' }] } } as never)
    give(index, 'tenant-acme', 'no-secrets', 'ann')
    const ann = subjectOf('ann')
    assert.deepEqual(
      ['prod get secrets acme-shop-production/x', 'prod get secrets ledger/x', 'prod list secrets', 'prod deletecollection secrets', 'prod list pods'].map(
        (text) => verdict(index, ann, text),
      ),
      ['no', 'yes', 'part', 'no', 'yes'],
    )
  })

  test('goes with what it stands in, and comes back with it', () => {
    const { index } = indexWithTenants()
    give(index, 'project-acme--shop-eu', 'project-viewer', 'ann')
    const ann = subjectOf('ann')
    index.setScope('project-acme--shop', undefined)
    assert.equal(verdict(index, ann, 'eu get pods shop-eu/web'), 'no')
    setProject(index, 'acme', 'shop', 'tenant-acme')
    assert.equal(verdict(index, ann, 'eu get pods shop-eu/web'), 'yes')
    give(index, 'tenant-acme', 'project-viewer', 'tom')
    assert.equal(verdict(index, subjectOf('tom'), 'eu list pods'), 'part')
    index.setMembership({ namespace: 'tenant-acme', name: 'project-viewer-tom' }, undefined)
    assert.equal(verdict(index, subjectOf('tom'), 'eu list pods'), 'no')
  })
})

describe('a credential that is limited to a project', () => {
  const { index } = indexWithTenants()
  index.setBinding('root', { metadata: {}, spec: { role: 'platform-admin', subjects: [{ kind: 'User', name: 'root' }] } } as never)
  give(index, 'project-acme--shop', 'project-viewer', 'ann')
  const root = subjectOf('root', { within: 'project-acme--shop' })
  table(
    {
      'prod delete pods acme-shop-production/web': 'yes',
      'eu delete pods shop-eu/web': 'yes',
      'prod get pods ledger/web': 'no',
      'prod list pods': 'part',
      'prod deletecollection pods': 'no',
      'prod list nodes': 'part',
      'prod get nodes n1': 'no',
      'prod delete namespaces acme-shop-production': 'yes',
      'other list pods': 'no',
      'other GET /api': 'no',
      'prod GET /api': 'yes',
      'prod GET /metrics': 'no',
      '* list pods': 'part',
      '- GET /platform/v1/info': 'yes',
      '- POST /platform/v1/kubeconfig': 'no',
      '- POST /platform/v1/apikeys': 'no',
      '- POST /platform/v1/users': 'no',
      'hub create apikeys.access.gantry.dev': 'no',
      'hub create memberships.tenancy.gantry.dev project-acme--shop/': 'yes',
      'hub create memberships.tenancy.gantry.dev tenant-acme/': 'no',
      'hub create pods project-acme--shop/': 'no',
      'hub get secrets gantry-system/x': 'no',
      'hub get projects.tenancy.gantry.dev tenant-acme/shop': 'yes',
      'hub get projects.tenancy.gantry.dev tenant-bank/ledger': 'no',
    },
    (text) => ({ is: verdict(index, root, text), why: index.decide(root, ask(text)).reason }),
  )

  test('has what its user has, and no more', () => {
    const ann = subjectOf('ann', { within: 'project-acme--shop' })
    assert.equal(verdict(index, ann, 'prod get pods acme-shop-production/web'), 'yes')
    assert.equal(verdict(index, ann, 'prod delete pods acme-shop-production/web'), 'no')
    assert.equal(verdict(index, subjectOf('ann', { within: 'project-bank--ledger' }), 'prod get pods acme-shop-production/web'), 'no')
    const { filter } = index.decide(root, ask('prod list nodes'))
    assert.equal(filter?.({ namespace: undefined, name: 'n1' }), false)
  })
})

test('decides in microseconds among 10,000 projects, for a user in 500 of them, and a change of one namespace compiles nothing anew', () => {
  const { index } = indexWithTenants()
  setTenant(index, 'big')
  for (let at = 0; at < 10_000; at++) {
    setProject(index, 'big', `p${at}`, 'tenant-big')
    index.setPlace(`c${at % 100}`, `big-p${at}`, `project-big--p${at}`)
    if (at % 20 === 0) give(index, `project-big--p${at}`, 'project-editor', 'ann')
  }
  const ann = subjectOf('ann')
  const questions = [
    'c0 get pods big-p0/a',
    'c40 get pods big-p9940/a',
    'c1 get pods big-p1/a',
    'c0 list pods',
    'c1 list pods',
    '* list pods',
    'hub list projects.tenancy.gantry.dev',
  ].map(ask)
  const timeOf = (work: (at: number) => void, times: number): number => {
    for (let at = 0; at < times; at++) work(at)
    const before = process.cpuUsage()
    for (let at = 0; at < times; at++) work(at)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / times
  }
  for (const question of questions) {
    const micros = timeOf(() => index.decide(ann, question), 2_000)
    assert.ok(micros < 200, `${JSON.stringify(question)} took ${micros} us`)
  }
  const micros = timeOf((at) => index.setPlace('c7', `more-${at % 100}`, at % 2 === 0 ? 'project-big--p7' : undefined), 2_000)
  assert.ok(micros < 200, `a change took ${micros} us`)
})
