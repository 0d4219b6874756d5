import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aggregatedRules, bootstrapObjects, reconciled } from './bootstrap-objects.ts'
import type { BootstrapObject } from './bootstrap-objects.ts'

const find = (kind: string, name: string): BootstrapObject => {
  const object = bootstrapObjects().find((candidate) => candidate.kind === kind && candidate.metadata.name === name)
  assert.ok(object)
  return object
}

describe('the bootstrap policy', () => {
  test('gives admin what edit has and edit what view has', () => {
    const text = (name: string): string[] => (find('ClusterRole', name).rules ?? []).map((rule) => JSON.stringify(rule))

    assert.ok(text('view').length > 5)
    assert.ok(text('view').every((rule) => text('edit').includes(rule)))
    assert.ok(text('edit').every((rule) => text('admin').includes(rule)))
  })

  test('leaves alone what says everything already', () => {
    for (const object of bootstrapObjects()) assert.equal(reconciled(structuredClone(object), object), undefined, object.metadata.name)
  })

  test('adds rules, subjects and marks that are missing and keeps what was added', () => {
    const role = find('ClusterRole', 'system:basic-user')
    const binding = find('ClusterRoleBinding', 'cluster-admin')
    const extra = { verbs: ['get'], apiGroups: [''], resources: ['pods'] }
    const me = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'me' }

    const grown = reconciled({ ...role, metadata: { name: role.metadata.name, labels: { mine: 'yes' } }, rules: [extra] }, role)?.object as BootstrapObject
    const bound = reconciled({ ...binding, subjects: [me] }, binding)

    assert.deepEqual(grown.rules, [extra, ...(role.rules ?? [])])
    assert.deepEqual(grown.metadata.labels, { mine: 'yes', ...role.metadata.labels })
    assert.ok(bound)
    assert.deepEqual((bound.object as BootstrapObject).subjects, [me, ...(binding.subjects ?? [])])
    assert.equal(bound.recreate, false)
  })

  test('makes a binding to another role anew and keeps off what is marked so', () => {
    const binding = find('ClusterRoleBinding', 'cluster-admin')
    const other = { ...binding, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' } }

    assert.deepEqual(reconciled(other, binding), { object: binding, recreate: true })
    assert.equal(
      reconciled({ ...other, metadata: { ...binding.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } }, binding),
      undefined,
    )
  })

  test('aggregates the rules of all selected roles once each, without its own', () => {
    const rule = { verbs: ['get'], apiGroups: ['x'], resources: ['y'] }
    const selector = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }, { matchExpressions: [{ key: 'c', operator: 'Exists' }] }] }
    const role = { kind: 'ClusterRole', metadata: { name: 'm', labels: { a: 'b' } }, aggregationRule: selector, rules: [{ ...rule, verbs: ['own'] }] }
    const one = { kind: 'ClusterRole', metadata: { name: 'z', labels: { a: 'b', c: 'd' } }, rules: [rule] }
    const two = { kind: 'ClusterRole', metadata: { name: 'b', labels: { a: 'b' } }, rules: [{ ...rule, verbs: ['list'] }, rule] }
    const not = { kind: 'ClusterRole', metadata: { name: 'n', labels: { a: 'x' } }, rules: [{ ...rule, verbs: ['no'] }] }

    assert.deepEqual(aggregatedRules(role, [role, one, two, not]), [{ ...rule, verbs: ['list'] }, rule])
  })
})
