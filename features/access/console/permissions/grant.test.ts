import assert from 'node:assert/strict'
import { test } from 'node:test'
import { baseRow } from '@gantry/console-kit/model'
import type { Membership } from '@gantry/tenancy/api'
import type { AccessRoleBinding, IdentityProvider, User } from '../../api/index.ts'
import {
  fitsGrant,
  grantOfBinding,
  grantOfMembership,
  isLastAdministrator,
  isOver,
  lossesOf,
  subjectKey,
  subjectOfKey,
  subjectsAs,
  type Grant,
} from './grant.ts'
import { groupsOf } from './group.ts'

const nowMs = Date.parse('2026-03-01T10:00:00Z')
const later = '2026-03-01T12:00:00Z'
const ann = { kind: 'User', name: 'ann' } as const
const ops = { kind: 'Group', name: 'ops' } as const

function binding(name: string, spec: Partial<AccessRoleBinding['spec']>, labels: Record<string, string> = {}): Grant {
  const object: AccessRoleBinding = {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'AccessRoleBinding',
    metadata: { name, labels },
    spec: { role: 'reader', subjects: [ann], ...spec },
  }
  return grantOfBinding(object, baseRow('local', object))
}

function membership(namespace: string, role = 'project-viewer'): Grant | undefined {
  const object: Membership = {
    apiVersion: 'tenancy.gantry.dev/v1alpha1',
    kind: 'Membership',
    metadata: { name: 'one', namespace },
    spec: { role, subjects: [ann] },
  }
  return grantOfMembership(object, baseRow('local', object))
}

test('tells where a binding and a membership hold', () => {
  assert.deepEqual(binding('a', {}).scope, { kind: 'platform' })
  assert.deepEqual(binding('a', { cluster: 'prod' }).scope, { kind: 'cluster', cluster: 'prod' })
  assert.deepEqual(binding('a', { cluster: 'prod', namespaces: ['shop'] }).scope, { kind: 'namespaces', cluster: 'prod', namespaces: ['shop'] })
  assert.deepEqual(membership('tenant-acme')?.scope, { kind: 'tenant', tenant: 'acme' })
  assert.deepEqual(membership('project-acme--shop')?.scope, { kind: 'project', tenant: 'acme', project: 'shop' })
  assert.equal(membership('default'), undefined)
})

test('says who loses a role with a binding, and who keeps it by another', () => {
  const gone = binding('gone', { cluster: 'prod', namespaces: ['shop'], subjects: [ann, ops] })
  const keptBy = (...others: Grant[]): readonly (string | undefined)[] => lossesOf(gone, [gone, ...others], nowMs).map((loss) => loss.keptBy)
  assert.deepEqual(keptBy(), [undefined, undefined])
  assert.deepEqual(keptBy(binding('wide', { cluster: 'prod' })), ['wide', undefined])
  assert.deepEqual(keptBy(binding('wider', { subjects: [ops] })), [undefined, 'wider'])
  assert.deepEqual(keptBy(binding('elsewhere', { cluster: 'test' })), [undefined, undefined])
  assert.deepEqual(keptBy(binding('narrow', { cluster: 'prod', namespaces: ['other'] })), [undefined, undefined])
  assert.deepEqual(keptBy(binding('another role', { role: 'writer' })), [undefined, undefined])
  assert.deepEqual(keptBy(binding('for a while', { expirationTime: later })), [undefined, undefined], 'what ends sooner keeps nothing')
})

test('takes a binding that is over for none', () => {
  const gone = binding('gone', { expirationTime: '2026-03-01T09:00:00Z' })
  assert.equal(isOver(gone, nowMs), true)
  assert.equal(isOver(binding('a', { expirationTime: later }), nowMs), false)
  const short = binding('short', { expirationTime: later })
  assert.deepEqual(
    lossesOf(short, [short, gone], nowMs).map((loss) => loss.keptBy),
    [undefined],
  )
})

test('knows the last binding that gives everything for good', () => {
  const admin = binding('admin', { role: 'platform-admin' })
  assert.equal(isLastAdministrator(admin, [admin]), true)
  assert.equal(isLastAdministrator(admin, [admin, binding('for a while', { role: 'platform-admin', expirationTime: later })]), true)
  assert.equal(isLastAdministrator(admin, [admin, binding('in one', { role: 'platform-admin', cluster: 'prod' })]), true)
  assert.equal(isLastAdministrator(admin, [admin, binding('other', { role: 'platform-admin', subjects: [ops] })]), false)
  assert.equal(isLastAdministrator(binding('other', {}), [admin]), false)
})

test('filters by subject, role and where', () => {
  const grant = binding('a', { cluster: 'prod' })
  const fits = (filter: Partial<Parameters<typeof fitsGrant>[1]>): boolean => fitsGrant(grant, { subjects: new Set(), role: '', scope: '', ...filter })
  assert.equal(fits({}), true)
  assert.equal(fits({ role: 'reader', scope: 'cluster', subjects: new Set(['User/ann']) }), true)
  assert.equal(fits({ role: 'writer' }), false)
  assert.equal(fits({ scope: 'platform' }), false)
  assert.equal(fits({ subjects: new Set(['Group/ann']) }), false)
})

test('reads a subject back from an address', () => {
  assert.deepEqual(subjectOfKey(subjectKey({ kind: 'Group', name: 'corp:Dept/Ops team' })), { kind: 'Group', name: 'corp:Dept/Ops team' })
  assert.equal(subjectOfKey('ann'), undefined)
  assert.equal(subjectOfKey('Robot/ann'), undefined)
})

function user(name: string, groups: string[] = [], provider?: string): User {
  return {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'User',
    metadata: { name },
    spec: provider === undefined ? {} : { identity: { provider, subject: name } },
    status: { groups },
  }
}

const meta = { apiVersion: 'access.gantry.dev/v1alpha1', kind: 'Group' }
const corp = { apiVersion: meta.apiVersion, kind: 'IdentityProvider', metadata: { name: 'corp' }, spec: { tenant: 'acme' } } as unknown as IdentityProvider
const groups = groupsOf({
  groups: [{ ...meta, metadata: { name: 'ops' }, spec: { members: ['ann', 'nobody'] } }],
  users: [user('ann'), user('bob', ['corp:dev'], 'corp')],
  providers: [corp],
})

test('knows groups of the platform, of providers and of tenants, and members that are no users', () => {
  assert.deepEqual(
    groups.map(({ name, kind, members, unknown }) => [name, kind, members, unknown]),
    [
      ['system:authenticated', 'everybody', ['ann', 'bob'], []],
      ['corp:dev', 'provider', ['bob'], []],
      ['ops', 'own', ['ann', 'nobody'], ['nobody']],
      ['tenant:acme', 'provider', ['bob'], []],
    ],
  )
})

test('what a user has is also what its groups have', () => {
  assert.deepEqual([...subjectsAs(ann, groups)].toSorted(), ['Group/ops', 'Group/system:authenticated', 'User/ann'])
  assert.deepEqual([...subjectsAs({ kind: 'User', name: 'bob' }, groups)].toSorted(), [
    'Group/corp:dev',
    'Group/system:authenticated',
    'Group/tenant:acme',
    'User/bob',
  ])
  assert.deepEqual([...subjectsAs(ops, groups)], ['Group/ops'])
  assert.deepEqual([...subjectsAs(undefined, groups)], [])
})
