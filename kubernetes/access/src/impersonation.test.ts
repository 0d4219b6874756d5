import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Attributes } from '@gantry/apiserver'
import type { UserInfo } from '@gantry/runtime'
import { createImpersonation } from './impersonation.ts'

const caller: UserInfo = { username: 'proxy', groups: ['system:authenticated'] }
const listPods = (user: UserInfo): Attributes => ({
  user,
  verb: 'list',
  isResource: true,
  path: '/api/v1/pods',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: undefined,
  name: '',
})

/** Grants are written `verb resource[/subresource][.group] name`. */
function impersonator(grants: readonly string[], user: UserInfo = caller) {
  const asked: string[] = []
  const run = createImpersonation(({ verb, resource, subresource, group, namespace, name }) => {
    const full =
      `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`} ${namespace === undefined ? '' : `${namespace}/`}${name}`.trim()
    asked.push(full)
    return { allowed: grants.includes(full), reason: '' }
  })
  return {
    asked,
    as: (headers: Record<string, string | string[]>) =>
      run({ method: 'GET', path: '/api/v1/pods', query: '', headers, signal: new AbortController().signal }, listPods(user)),
  }
}

describe('impersonation', () => {
  test('takes plain impersonate for every part of the identity', async () => {
    const { as } = impersonator([
      'impersonate users bob',
      'impersonate groups dev',
      'impersonate uids.authentication.k8s.io 7',
      'impersonate userextras/a.io/b.authentication.k8s.io c',
    ])

    assert.deepEqual(await as({ 'impersonate-user': 'bob', 'impersonate-group': 'dev', 'impersonate-uid': '7', 'impersonate-extra-a.io%2fb': 'c' }), {
      user: { username: 'bob', uid: '7', groups: ['dev', 'system:authenticated'], extra: { 'a.io/b': ['c'] } },
      constraint: '',
    })
  })

  test('refuses when any part is not granted, in the words of the first way that was tried', async () => {
    const { as } = impersonator(['impersonate users bob', 'impersonate groups dev'])

    await assert.rejects(as({ 'impersonate-user': 'bob', 'impersonate-group': ['dev', 'system:masters'] }), {
      code: 403,
      message: 'pods is forbidden: User "proxy" cannot impersonate-on:user-info:list resource "pods" in API group "" at the cluster scope',
    })
    await assert.rejects(as({ 'impersonate-user': 'system:serviceaccount:a:b' }), /cannot impersonate-on:serviceaccount:list resource "pods"/)
    await assert.rejects(as({ 'impersonate-user': 'system:node:n' }), /cannot impersonate-on:arbitrary-node:list resource "pods"/)
    await assert.rejects(as({ 'impersonate-user': 'system:node:n', 'impersonate-group': 'x' }), {
      message: 'users "system:node:n" is forbidden: User "proxy" cannot impersonate resource "users" in API group "" at the cluster scope',
      details: { name: 'system:node:n', kind: 'users' },
    })
  })

  test('lets a constrained grant speak for users, only for the verbs that it names', async () => {
    const { as } = impersonator([
      'impersonate-on:user-info:list pods',
      'impersonate:user-info users.authentication.k8s.io bob',
      'impersonate:user-info groups.authentication.k8s.io system:masters',
    ])

    assert.equal((await as({ 'impersonate-user': 'bob' }))?.constraint, 'impersonate:user-info')
    // Nobody becomes a master that way, whatever he was granted.
    await assert.rejects(as({ 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' }), /impersonating the system:masters group is not allowed$/)
  })

  test('gives nodes their group, the one that the caller runs on by a grant of its own', async () => {
    const agent = { username: 'system:serviceaccount:kube-system:agent', groups: [], extra: { 'authentication.kubernetes.io/node-name': ['n1'] } }
    const grants = ['impersonate-on:associated-node:list pods', 'impersonate:associated-node nodes.authentication.k8s.io *']
    const { as } = impersonator(grants, agent)

    assert.deepEqual(await as({ 'impersonate-user': 'system:node:n1' }), {
      user: { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
      constraint: 'impersonate:associated-node',
    })
    await assert.rejects(as({ 'impersonate-user': 'system:node:n2' }), { code: 403 })
  })

  test('remembers the way that worked, so that it comes first', async () => {
    const { as, asked } = impersonator(['impersonate users bob'])
    await as({ 'impersonate-user': 'bob' })
    asked.length = 0

    await as({ 'impersonate-user': 'bob' })

    assert.deepEqual(asked, ['impersonate users bob'])
  })

  test('does nothing when the headers ask for nothing', async () => {
    assert.equal(await impersonator([]).as({ 'impersonate-user': '' }), undefined)
  })
})
