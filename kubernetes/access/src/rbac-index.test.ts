import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiObject, Attributes } from '@gantry/apiserver'
import { RbacIndex } from './rbac-index.ts'

function object(kind: string, name: string, more: Record<string, unknown> & { namespace?: string }): ApiObject {
  const { namespace, ...rest } = more
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name, uid: name, creationTimestamp: null, ...(namespace === undefined ? {} : { namespace }) },
    ...rest,
  }
}

function ask(more: Partial<Attributes> & { username?: string; groups?: string[] }): Attributes {
  const { username = 'jane', groups = [], ...rest } = more
  return {
    user: { username, groups },
    verb: 'get',
    isResource: true,
    path: '',
    group: '',
    version: 'v1',
    resource: 'pods',
    subresource: '',
    namespace: 'team',
    name: '',
    ...rest,
  }
}

function indexWith(rules: unknown[], binding: Record<string, unknown> = {}): RbacIndex {
  const index = new RbacIndex()
  index.set(object('Role', 'reader', { namespace: 'team', rules }))
  index.set(
    object('RoleBinding', 'readers', { namespace: 'team', roleRef: { kind: 'Role', name: 'reader' }, subjects: [{ kind: 'User', name: 'jane' }], ...binding }),
  )
  return index
}

const readPods = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }]

describe('RbacIndex', () => {
  test('allows what a role binding grants, only in its namespace, and names the rule', () => {
    const index = indexWith(readPods)

    assert.deepEqual(index.authorize(ask({})), { allowed: true, reason: 'RBAC: allowed by RoleBinding "readers/team" of Role "reader" to User "jane"' })
    assert.equal(index.authorize(ask({ namespace: 'other' })).allowed, false)
    assert.equal(index.authorize(ask({ namespace: undefined })).allowed, false)
    assert.equal(index.authorize(ask({ verb: 'delete' })).allowed, false)
    assert.equal(index.authorize(ask({ username: 'joe' })).allowed, false)
  })

  test('does not take a resource for its subresources', () => {
    const index = indexWith(readPods)

    assert.equal(index.authorize(ask({ subresource: 'log' })).allowed, false)
  })

  test('takes */scale for that subresource everywhere and pods/* for nothing', () => {
    const index = indexWith([
      { verbs: ['get'], apiGroups: ['*'], resources: ['*/scale'] },
      { verbs: ['get'], apiGroups: [''], resources: ['pods/*'] },
    ])

    assert.equal(index.authorize(ask({ group: 'apps', resource: 'deployments', subresource: 'scale' })).allowed, true)
    assert.equal(index.authorize(ask({ subresource: 'log' })).allowed, false)
  })

  test('limits a rule to its resource names', () => {
    const index = indexWith([{ verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['web'] }])

    assert.equal(index.authorize(ask({ name: 'web' })).allowed, true)
    assert.equal(index.authorize(ask({ name: 'db' })).allowed, false)
    assert.equal(index.authorize(ask({ name: '' })).allowed, false)
  })

  test('reaches service accounts by their user name and groups by membership', () => {
    const index = indexWith(readPods, {
      subjects: [
        { kind: 'ServiceAccount', name: 'ci' },
        { kind: 'Group', name: 'devs' },
      ],
    })

    assert.equal(index.authorize(ask({ username: 'system:serviceaccount:team:ci' })).allowed, true)
    assert.equal(index.authorize(ask({ username: 'system:serviceaccount:other:ci' })).allowed, false)
    assert.equal(index.authorize(ask({ username: 'joe', groups: ['devs'] })).allowed, true)
  })

  test('matches non-resource paths exactly or by a trailing star', () => {
    const index = new RbacIndex()
    index.set(object('ClusterRole', 'info', { rules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/apis/*'] }] }))
    index.set(object('ClusterRoleBinding', 'info', { roleRef: { kind: 'ClusterRole', name: 'info' }, subjects: [{ kind: 'Group', name: 'all' }] }))
    const path = (url: string): boolean => index.authorize(ask({ isResource: false, path: url, groups: ['all'], namespace: undefined })).allowed

    assert.deepEqual([path('/healthz'), path('/healthz/etcd'), path('/apis/apps'), path('/metrics')], [true, false, true, false])
  })

  test('forgets a grant when its binding, its role or its subject goes', () => {
    const index = indexWith(readPods)
    assert.equal(index.authorize(ask({})).allowed, true)

    index.set(object('RoleBinding', 'readers', { namespace: 'team', roleRef: { kind: 'Role', name: 'reader' }, subjects: [{ kind: 'User', name: 'joe' }] }))
    assert.equal(index.authorize(ask({})).allowed, false)
    assert.equal(index.authorize(ask({ username: 'joe' })).allowed, true)

    index.remove(object('Role', 'reader', { namespace: 'team' }))
    assert.equal(index.authorize(ask({ username: 'joe' })).allowed, false)
  })
})
