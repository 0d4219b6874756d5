import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { AuditRecord } from '@gantry/audit/api'
import { loadKubeconfig, openHttpTransport } from '@gantry/client'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { Platform } from './platform.ts'
import { hubUnderTest } from './testing/hub-under-test.ts'
import { gantry } from './testing/test-platform.ts'

const { startPlatform } = hubUnderTest(import.meta.url)

let dir = ''
let platform: Platform

async function request(method: string, path: string, body?: unknown, token?: string): Promise<{ readonly status: number; readonly text: string }> {
  const { transport } = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8'))
  await using http = openHttpTransport({ ...transport, server: platform.server, token: () => token ?? transport.token?.() })
  const content = body === undefined ? undefined : bodyOf(JSON.stringify(body))
  const [pathname = '', query = ''] = path.split('?')
  const response = await http.handle({
    method,
    path: pathname,
    query,
    headers: { 'content-type': 'application/json', 'user-agent': '=cmd|calc' },
    body: content,
    signal: new AbortController().signal,
  })
  return { status: response.status, text: (await readWholeBody(response)).toString() }
}

/** For the tests of a suite. */
function runningPlatform(): void {
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-audit-cli-'))
    platform = await startPlatform(dir)
  })
  after(async () => {
    await platform[Symbol.asyncDispose]()
    await rm(dir, { recursive: true, force: true })
  })
}

describe('gantry audit', () => {
  runningPlatform()
  before(async () => {
    for (const name of ['a', 'b', 'c']) await request('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name } })
    await request('DELETE', '/api/v1/namespaces/default/configmaps/b')
  })

  test('finds who did what, newest first, as a table and as JSON', async () => {
    const table = await gantry(dir, 'audit', 'search', '--resource', 'configmaps', '--cluster', 'local', '--since', '1h')
    assert.deepEqual(
      table.out
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(/ {2,}/).slice(1, 8)),
      [
        ['admin', 'local', 'delete', 'configmaps b', 'default', 'allow', '200'],
        ['admin', 'local', 'create', 'configmaps', 'default', 'allow', '201'],
        ['admin', 'local', 'create', 'configmaps', 'default', 'allow', '201'],
        ['admin', 'local', 'create', 'configmaps', 'default', 'allow', '201'],
      ],
    )
    const { items } = JSON.parse((await gantry(dir, 'audit', 'search', '--verb', 'delete', '-o', 'json')).out) as { items: { name: string }[] }
    assert.deepEqual(
      items.map(({ name }) => name),
      ['b'],
    )
  })

  test('exports JSON lines whose chain stands, and CSV that no spreadsheet runs', async () => {
    const jsonl = await gantry(dir, 'audit', 'export')
    const records = jsonl.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditRecord)
    assert.deepEqual(
      records.map(({ seq }) => seq),
      records.map((_, at) => at + 1),
    )
    const csv = (await gantry(dir, 'audit', 'export', '--format', 'csv', '--verb', 'delete')).out.split('\r\n')
    assert.equal(csv.length, 3)
    assert.match(csv[1] ?? '', /,admin,system:masters [^,]+,apikey\/[^,]+,,127\.0\.0\.1,'=cmd\|calc,DELETE,local,delete,,v1,configmaps,,default,b,/)
  })

  test('verifies the running log and a copy of it, with an anchor that was kept, and names what was changed', async () => {
    const anchor = (await gantry(dir, 'audit', 'head')).out.trim()
    assert.match(anchor, /^\d+:[0-9a-f]{64}$/)
    await request('GET', '/api/v1/namespaces')
    const running = await gantry(dir, 'audit', 'verify', '--anchor', anchor)
    assert.match(running.out, /^intact: \d+ records in 1 segments, from 1 to \d+:[0-9a-f]{64}\n$/)

    const copy = await mkdtemp(join(tmpdir(), 'gantry-audit-copy-'))
    try {
      const text = await readFile(join(dir, 'audit', '0000000000000001.jsonl'), 'utf8')
      await writeFile(join(copy, '0000000000000001.jsonl'), text)
      assert.equal((await gantry(dir, 'audit', 'verify', '--dir', copy, '--anchor', anchor)).code, 0)
      await writeFile(join(copy, '0000000000000001.jsonl'), text.replace('"verb":"delete"', '"verb":"patch"'))
      const changed = await gantry(dir, 'audit', 'verify', '--dir', copy)
      assert.equal(changed.code, 1)
      assert.match(changed.err, /the audit log is not intact: 0000000000000001\.jsonl, line \d+ \(record \d+\): its hash does not follow/)
    } finally {
      await rm(copy, { recursive: true })
    }
  })

  test('is for those alone who have a permission for it', async () => {
    const created = await gantry(dir, 'user', 'create', 'eve', '--role', 'platform-viewer')
    assert.equal(created.code, 0, created.err)
    const key = /gantry_\S+/.exec((await gantry(dir, 'apikey', 'create', '--user', 'eve')).out)?.[0]
    assert.ok(key !== undefined)
    for (const path of [
      '/platform/v1/audit',
      '/platform/v1/audit/export',
      '/platform/v1/audit/head',
      '/platform/v1/audit/verify',
      '/platform/v1/audit/recordings/x',
    ]) {
      assert.equal((await request('GET', path, undefined, key)).status, 403, path)
      assert.equal((await request('GET', path, undefined, 'gantry_not_valid')).status, 401, path)
    }
    assert.equal((await request('DELETE', '/platform/v1/audit')).status, 405)
  })

  for (const [name, argv, message] of [
    ['a time', ['search', '--since', 'noon'], /"since" is no time/],
    ['a format', ['export', '--format', 'xml'], /--format "xml" is none of jsonl, csv/],
    ['an anchor', ['verify', '--anchor', '1'], /--anchor "1" is no SEQ:HASH/],
    ['a speed', ['replay', 'x', '--speed', '0'], /--speed "0" is no number above 0/],
  ] as const) {
    test(`refuses ${name} that is none before it asks`, async () => {
      const { code, err } = await gantry(dir, 'audit', ...argv)

      assert.equal(code, 2)
      assert.match(err, message)
    })
  }

  test('says that there is no such recording', async () => {
    const { code, err } = await gantry(dir, 'audit', 'replay', '0'.repeat(36))

    assert.deepEqual([code, /there is no recording/.test(err)], [1, true])
  })
})

describe('the audit policy', () => {
  runningPlatform()
  const policies = '/apis/audit.gantry.dev/v1alpha1/auditpolicies'
  const policy = (rules: readonly unknown[]): object => ({
    apiVersion: 'audit.gantry.dev/v1alpha1',
    kind: 'AuditPolicy',
    metadata: { name: 'platform' },
    spec: { rules },
  })
  const records = async (): Promise<readonly AuditRecord[]> =>
    (await gantry(dir, 'audit', 'export')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditRecord)

  test('is an object: what it says holds for the next request, and its own changes are on record with their rules whatever it says', async () => {
    assert.equal((await request('POST', policies, { ...policy([]), metadata: { name: 'other' } })).status, 422)
    const rules = [
      { level: 'RequestResponse', resources: [{ resources: ['configmaps', 'secrets'] }], verbs: ['create'] },
      { level: 'None', namespaces: ['kube-public'] },
    ]
    assert.equal((await request('POST', policies, policy(rules))).status, 201)
    await request('GET', '/api/v1/namespaces/kube-public/configmaps/hidden-by-policy')
    await request('GET', '/api/v1/namespaces/default/configmaps/not-hidden')
    await request('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'written' }, data: { colour: 'teal' } })
    await request('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'hush' }, stringData: { password: 'canary-7f3a' } })
    assert.equal((await request('PUT', `${policies}/platform`, policy([{ level: 'None' }]))).status, 422)
    assert.equal((await request('DELETE', `${policies}/platform`)).status, 200)
    await request('GET', '/api/v1/namespaces/kube-public/configmaps/seen-again')

    const all = await records()
    const names = all.flatMap((record) => (record.note === undefined && record.name !== undefined ? [record.name] : []))
    assert.deepEqual(
      ['hidden-by-policy', 'not-hidden', 'seen-again'].map((name) => names.includes(name)),
      [false, true, true],
    )
    const written = all.find((record) => record.note === undefined && record.requestBody?.includes('teal') === true)
    assert.ok(written?.note === undefined && written?.responseBody?.includes('"resourceVersion"') === true)
    assert.ok(!JSON.stringify(all).includes('canary-7f3a'))
    assert.ok(!JSON.stringify(all).includes(Buffer.from('canary-7f3a').toString('base64')))
    const ofPolicy = all.flatMap((record) => (record.note === undefined && record.resource === 'auditpolicies' ? [[record.verb, record.status]] : []))
    assert.deepEqual(ofPolicy.slice(-3), [
      ['create', 201],
      ['update', 422],
      ['delete', 200],
    ])
    assert.ok(all.some((record) => record.note === undefined && record.verb === 'update' && record.requestBody?.includes('"None"') === true))
    const notes = all.flatMap((record) => (record.note === 'policy' ? [record.rules] : []))
    assert.deepEqual(notes.slice(-2), [JSON.stringify(rules), '[]'])
  })
})
