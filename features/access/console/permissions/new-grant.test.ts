import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Project, Tenant } from '@gantry/tenancy/api'
import { grantObject, placesOf, type NewGrant } from './new-grant.ts'

const nowMs = Date.parse('2026-03-01T10:00:00.250Z')
const asked: NewGrant = { role: 'reader', subject: { kind: 'User', name: 'ann' }, scope: { kind: 'platform' }, expiry: 'never', until: '', reason: ' ' }

test('makes a binding of what holds on the platform or in a cluster', () => {
  assert.deepEqual(grantObject(asked, nowMs), {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'AccessRoleBinding',
    metadata: { generateName: 'reader-ann-' },
    spec: { role: 'reader', subjects: [{ kind: 'User', name: 'ann' }] },
  })
  const scope = { kind: 'namespaces', cluster: 'prod', namespaces: ['shop'] } as const
  assert.deepEqual(grantObject({ ...asked, scope, expiry: 'h8', reason: 'incident 42' }, nowMs).spec, {
    role: 'reader',
    subjects: [{ kind: 'User', name: 'ann' }],
    cluster: 'prod',
    namespaces: ['shop'],
    expirationTime: '2026-03-01T18:00:00Z',
    reason: 'incident 42',
  })
})

test('makes a membership of what holds in a project', () => {
  const scope = { kind: 'project', tenant: 'acme', project: 'shop', namespace: 'project-acme--shop' } as const
  const made = grantObject({ ...asked, subject: { kind: 'Group', name: 'corp:Dev Team' }, scope }, nowMs)
  assert.equal(made.kind, 'Membership')
  assert.deepEqual(made.metadata, { generateName: 'reader-corp-dev-team-', namespace: 'project-acme--shop' })
})

test('takes a time that is typed as one of here', () => {
  const { expirationTime } = grantObject({ ...asked, expiry: 'at', until: '2026-03-02T08:30' }, nowMs).spec
  assert.equal(Date.parse(expirationTime ?? ''), new Date(2026, 2, 2, 8, 30).getTime())
})

test('gives a name to what has no letter in common with names', () => {
  assert.deepEqual(grantObject({ ...asked, subject: { kind: 'Group', name: '运维' } }, nowMs).metadata, { generateName: 'reader-group-' })
})

test('offers tenants and projects only once their namespace is certain', () => {
  const tenant = (name: string, namespace?: string): Tenant => ({
    apiVersion: 'tenancy.gantry.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name },
    spec: { clusters: [] },
    status: namespace === undefined ? {} : { namespace },
  })
  const project: Project = {
    apiVersion: 'tenancy.gantry.dev/v1alpha1',
    kind: 'Project',
    metadata: { name: 'shop', namespace: 'tenant-acme' },
    spec: { displayName: 'The shop' },
    status: { namespace: 'project-acme--shop', tenant: 'acme' },
  }
  const all = { tenants: [tenant('acme', 'tenant-acme'), tenant('new')], projects: [project, { ...project, status: {} }] }
  assert.deepEqual(
    placesOf('tenant', all).map(({ key, scope }) => [key, scope.namespace]),
    [['acme', 'tenant-acme']],
  )
  assert.deepEqual(placesOf('project', all), [
    { key: 'acme/shop', label: 'acme / The shop', scope: { kind: 'project', tenant: 'acme', project: 'shop', namespace: 'project-acme--shop' } },
  ])
  assert.deepEqual(placesOf('cluster', all), [])
})
