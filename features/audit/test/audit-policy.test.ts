import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterRequestOf, type AuditLevel, type Exchange } from '@gantry/gateway'
import type { AuditRule } from '../api/index.ts'
import { auditLevels } from '../server/audit-policy.ts'

function exchangeOf(line: string, user?: string, groups: readonly string[] = []): Exchange {
  const [method = '', url = ''] = line.split(' ')
  const [path = '', query = ''] = url.split('?')
  const request = { method, path, query, headers: {}, signal: new AbortController().signal }
  const caller: Exchange['caller'] =
    user === undefined ? { kind: 'passThrough' } : { kind: 'platform', user: { username: user, groups }, credential: { kind: 'bearer', id: 'apikey/x' } }
  return {
    request,
    connection: undefined,
    auditId: '',
    startedMs: 0,
    route: undefined,
    target: clusterRequestOf(request, 'local'),
    caller,
    decision: undefined,
  }
}

const levelOf = (rules: readonly AuditRule[], line: string, user?: string, groups?: readonly string[]): AuditLevel =>
  auditLevels(rules)(exchangeOf(line, user, groups))

describe('the audit policy', () => {
  test('records by the first rule that fits, and metadata where none does', () => {
    const rules: AuditRule[] = [
      { level: 'None', users: ['probe'], verbs: ['get', 'list', 'watch'] },
      { level: 'None', clusters: ['lab-*'], namespaces: ['sandbox', 'tmp-*'] },
      { level: 'RequestResponse', userGroups: ['contractors'], resources: [{ group: 'apps', resources: ['deployments', '*/scale'] }] },
      { level: 'Request', clusters: ['prod'], resources: [{ resources: ['configmaps'], resourceNames: ['limits'] }] },
      { level: 'None', nonResourceURLs: ['/version', '/openapi/*'] },
    ]
    for (const [line, user, groups, level] of [
      ['GET /clusters/prod/api/v1/pods', 'probe', [], 'None'],
      ['DELETE /clusters/prod/api/v1/namespaces/a/pods/b', 'probe', [], 'Metadata'],
      ['GET /clusters/lab-1/api/v1/namespaces/tmp-7/pods', 'ann', [], 'None'],
      ['GET /clusters/lab-1/api/v1/pods', 'ann', [], 'Metadata'],
      ['GET /clusters/prod/api/v1/namespaces/sandbox/pods', 'ann', [], 'Metadata'],
      ['PUT /clusters/prod/apis/apps/v1/namespaces/a/deployments/web', 'eve', ['contractors'], 'RequestResponse'],
      ['PATCH /clusters/prod/apis/apps/v1/namespaces/a/statefulsets/db/scale', 'eve', ['contractors'], 'RequestResponse'],
      ['PATCH /clusters/prod/apis/apps/v1/namespaces/a/statefulsets/db', 'eve', ['contractors'], 'Metadata'],
      ['PUT /clusters/prod/apis/apps/v1/namespaces/a/deployments/web', 'ann', ['staff'], 'Metadata'],
      ['PUT /clusters/prod/api/v1/namespaces/a/configmaps/limits', 'ann', [], 'Request'],
      ['PUT /clusters/prod/api/v1/namespaces/a/configmaps/other', 'ann', [], 'Metadata'],
      ['GET /version', 'ann', [], 'None'],
      ['GET /clusters/prod/openapi/v3', 'ann', [], 'None'],
      ['GET /openapi', 'ann', [], 'Metadata'],
    ] as const)
      assert.equal(levelOf(rules, line, user, groups), level, `${user} ${line}`)
  })

  test('names nobody by a user name that only the hub itself knows', () => {
    assert.equal(levelOf([{ level: 'None', users: ['*'] }], 'GET /api/v1/pods'), 'Metadata')
    assert.equal(levelOf([{ level: 'None' }], 'GET /api/v1/pods'), 'None')
  })

  test('cannot hide what is done to it, nor who reads the log', () => {
    const silence: AuditRule[] = [{ level: 'None' }]
    const policies = '/apis/audit.gantry.dev/v1alpha1/auditpolicies'
    for (const [line, level] of [
      [`PUT ${policies}/platform`, 'Request'],
      [`PATCH ${policies}/platform`, 'Request'],
      [`POST ${policies}`, 'Request'],
      [`DELETE ${policies}/platform`, 'Request'],
      [`DELETE ${policies}`, 'Request'],
      [`PATCH ${policies}/platform/status`, 'Request'],
      [`PUT /clusters/local${policies}/platform`, 'Request'],
      ['DELETE /apis/apiextensions.k8s.io/v1/customresourcedefinitions/auditpolicies.audit.gantry.dev', 'Metadata'],
      ['DELETE /apis/apiextensions.k8s.io/v1/customresourcedefinitions', 'Metadata'],
      ['GET /platform/v1/audit', 'Metadata'],
      ['GET /platform/v1/audit/export', 'Metadata'],
      [`GET ${policies}`, 'None'],
      ['DELETE /apis/apiextensions.k8s.io/v1/customresourcedefinitions/websites.example.com', 'None'],
    ] as const)
      assert.equal(levelOf(silence, line, 'mallory'), level, line)
  })

  test('never records the bodies of Secrets, of credentials, of what runs programs and of what is no resource', () => {
    const everything: AuditRule[] = [{ level: 'RequestResponse' }]
    for (const line of [
      'POST /api/v1/namespaces/a/secrets',
      'GET /clusters/prod/api/v1/secrets',
      'PATCH /clusters/prod/api/v1/namespaces/a/secrets/b',
      'PUT /apis/external-secrets.io/v1/namespaces/a/externalsecrets/b',
      'POST /apis/bitnami.com/v1alpha1/namespaces/a/sealedsecrets',
      'POST /api/v1/namespaces/a/serviceaccounts/b/token',
      'POST /apis/authentication.k8s.io/v1/tokenreviews',
      'POST /apis/access.gantry.dev/v1alpha1/apikeys',
      'PUT /apis/access.gantry.dev/v1alpha1/users/ann',
      'POST /api/v1/namespaces/a/pods/b/exec',
      'POST /api/v1/namespaces/a/services/b/proxy/login',
      'GET /api/v1/namespaces/a/pods/b/log',
      'GET /api/v1/configmaps?watch=1',
      'POST /auth/login',
      'POST /platform/v1/users',
    ])
      assert.equal(levelOf(everything, line, 'ann'), 'Metadata', line)
    assert.equal(levelOf(everything, 'POST /api/v1/namespaces/a/configmaps', 'ann'), 'RequestResponse')
    assert.equal(levelOf(everything, 'PATCH /clusters/prod/apis/apps/v1/namespaces/a/deployments/b/scale', 'ann'), 'RequestResponse')
  })
})
