import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { Attributes } from '@gantry/apiserver'
import { silentLogger } from '@gantry/runtime'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { createAuditor } from './audit.ts'
import { compileAuditPolicy, parseAuditPolicy } from './audit-policy.ts'
import { AuditWebhook } from './audit-webhook.ts'

const asked = (verb: string, resource: string, rest: Partial<Attributes> = {}): Attributes => ({
  user: { username: 'jane', groups: ['dev'] },
  verb,
  isResource: true,
  path: `/api/v1/namespaces/a/${resource}`,
  group: '',
  version: 'v1',
  resource,
  subresource: '',
  namespace: 'a',
  name: '',
  ...rest,
})
const request = (headers: Record<string, string> = {}): HttpRequest => ({
  method: 'POST',
  path: '/api/v1/namespaces/a/secrets',
  query: 'dryRun=All',
  headers: { 'user-agent': 'kubectl', ...headers },
  signal: new AbortController().signal,
  peer: { address: '10.0.0.1' },
})
const policy = (rules: readonly object[], rest: object = {}) =>
  parseAuditPolicy(JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules, ...rest })).policy

describe('an audit policy', () => {
  test('takes the first rule that matches, and records nothing when none does', () => {
    const configOf = compileAuditPolicy(
      policy(
        [
          { level: 'None', users: ['system:kube-proxy'] },
          { level: 'Metadata', resources: [{ group: '', resources: ['secrets', 'pods/log'] }], omitStages: ['ResponseStarted'] },
          { level: 'Request', verbs: ['create'], namespaces: ['a'] },
          { level: 'RequestResponse', resources: [{ group: 'apps' }], userGroups: ['dev'] },
          { level: 'Metadata', nonResourceURLs: ['/api*'] },
        ],
        { omitStages: ['RequestReceived'] },
      ),
    )
    const level = (attributes: Attributes): string => configOf(attributes).level

    assert.deepEqual([...configOf(asked('get', 'secrets')).omitStages], ['RequestReceived', 'ResponseStarted'])
    assert.equal(level(asked('get', 'pods', { subresource: 'log' })), 'Metadata')
    assert.equal(level(asked('get', 'pods')), 'None')
    assert.equal(level(asked('create', 'pods')), 'Request')
    assert.equal(level(asked('get', 'deployments', { group: 'apps' })), 'RequestResponse')
    assert.equal(level(asked('create', 'secrets', { user: { username: 'system:kube-proxy', groups: [] } })), 'None')
    assert.equal(level(asked('get', '', { isResource: false, path: '/apis' })), 'Metadata')
    assert.equal(level(asked('get', '', { isResource: false, path: '/healthz' })), 'None')
  })

  test('is refused with every problem that it has', () => {
    assert.throws(() => policy([]), /has no rules/)
    assert.throws(
      () => parseAuditPolicy('{apiVersion: audit.k8s.io/v1beta1, kind: Policy, rules: [{level: None}]}'),
      /expected Policy of audit\.k8s\.io\/v1, got/,
    )
    assert.throws(() => parseAuditPolicy('rules: ['), /yaml/i)
    assert.throws(() => parseAuditPolicy(' '), /^Error: empty config data$/)
    assert.throws(() => policy([{ level: 'None', users: 'jane' }]), /cannot unmarshal string into Go struct field PolicyRule\.rules\.users of type \[\]string/)
    assert.throws(() => policy([{ level: 3 }]), /cannot unmarshal number into Go struct field PolicyRule\.rules\.level of type string/)
    // As upstream's Go has it, null is a rule without anything.
    assert.throws(() => policy([null as unknown as object]), /rules\[0\]\.level: Required value/)
    assert.throws(
      () => policy([{ level: 'All', nonResourceURLs: ['x'], resources: [{ group: '' }] }, {}]),
      /rules\[0\]\.level: Unsupported value: "All".*must begin with a '\/' character.*both regular resources and non-resource URLs.*rules\[1\]\.level: Required value/,
    )
  })
})

test('an audit policy with unknown or repeated fields counts without them, and tells of them', () => {
  const { policy: read, ignored } = parseAuditPolicy(
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nmetadata: {name: x}\nrules: [{level: None, user: jane, level: Metadata, omitManagedFields: false}]',
  )

  assert.deepEqual(ignored, ['line 4: key "level" already set in map', 'unknown field "rules[0].user"'])
  assert.deepEqual(read.rules, [{ level: 'Metadata', omitManagedFields: false }])
})

describe('an audit trail', () => {
  const record = (level: string, rest: object = {}) => {
    const lines: string[] = []
    const auditor = createAuditor({ clock: new FakeClock(), sinks: [{ write: (line) => void lines.push(line) }] }, policy([{ level, ...rest }]))
    return { lines, auditor, events: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
  }
  const secret = { kind: 'Secret', metadata: { name: 's', managedFields: [{ manager: 'm' }] }, data: { password: 'hush' } }

  test('tells who did what to which object, with the decision', () => {
    const { auditor, events } = record('Metadata')
    const trail = auditor.begin(request(), asked('create', 'secrets'), 'id-1')
    trail?.impersonated({ username: 'bob', groups: [] }, 'impersonate:user-info')
    trail?.decided({ allowed: true, reason: 'RBAC: allowed' })
    trail?.requestObject(secret)
    trail?.completed({ code: 201, body: secret })

    const begun = {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: 'id-1',
      requestURI: '/api/v1/namespaces/a/secrets?dryRun=All',
      verb: 'create',
      user: { username: 'jane', groups: ['dev'] },
      sourceIPs: ['10.0.0.1'],
      userAgent: 'kubectl',
      requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
      stageTimestamp: '2026-01-01T00:00:00.000000Z',
    }
    const ref = { resource: 'secrets', namespace: 'a', apiVersion: 'v1' }
    assert.deepEqual(events(), [
      { ...begun, stage: 'RequestReceived', objectRef: ref },
      {
        ...begun,
        stage: 'ResponseComplete',
        objectRef: { ...ref, name: 's' },
        impersonatedUser: { username: 'bob' },
        authenticationMetadata: { impersonationConstraint: 'impersonate:user-info' },
        responseStatus: { metadata: {}, code: 201 },
        annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': 'RBAC: allowed' },
      },
    ])
  })

  test('holds bodies only from the level on that asks for them', () => {
    for (const [level, hasRequest, hasResponse] of [
      ['Metadata', false, false],
      ['Request', true, false],
      ['RequestResponse', true, true],
    ] as const) {
      const { auditor, events, lines } = record(level, { omitManagedFields: true })
      const trail = auditor.begin(request(), asked('create', 'secrets'), 'id')
      trail?.requestObject(secret)
      trail?.completed({ code: 201, body: secret })
      const last = events().at(-1)

      assert.deepEqual([last?.['requestObject'] !== undefined, last?.['responseObject'] !== undefined], [hasRequest, hasResponse], level)
      assert.equal(lines.join('').includes('hush'), hasRequest, level)
      assert.ok(!lines.join('').includes('managedFields'), level)
    }
  })

  test('never names the credential that was refused', () => {
    const { auditor, events, lines } = record('RequestResponse')
    const status = new StatusError('Unauthorized', 'Unauthorized').toStatus()
    auditor.unauthenticated(request({ authorization: 'Bearer very-secret' }), asked('get', 'pods', { user: { username: '', groups: [] } }), {
      auditID: 'id',
      status,
    })

    assert.deepEqual(events()[0]?.['responseObject'], status)
    assert.ok(!lines.join('').includes('very-secret'))
  })
})

describe('the audit webhook', () => {
  test('posts what has come together, tries again, and drops what finds no room', async () => {
    const clock = new FakeClock()
    const batches: string[][] = []
    let status = 500
    const handle = async ({ body }: HttpRequest): Promise<HttpResponse> => {
      const { kind, items } = JSON.parse((await body?.bytes(1 << 20))?.toString() ?? '') as { kind: string; items: string[] }
      assert.equal(kind, 'EventList')
      batches.push(items)
      return { status, headers: {} }
    }
    await using webhook = new AuditWebhook({ clock, log: silentLogger, handle }, { path: '/audit', batchEvents: 2, batchWaitMs: 1_000, bufferEvents: 3 })

    webhook.write('1')
    await clock.advance(1_000)
    assert.deepEqual(batches, [[1]])
    status = 200
    for (const event of ['2', '3', '4', '5']) webhook.write(event)
    assert.equal(webhook.dropped, 1)
    await clock.advance(10_000)

    assert.deepEqual(batches, [[1], [1], [2, 3], [4]])
    assert.equal(webhook.dropped, 1)
  })
})
