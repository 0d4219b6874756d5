import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SecuredCluster } from '../identity-config/secured-cluster.ts'
import type { Json } from '../src/json.ts'
import { auditedRequests, auditPolicy, payload, preparations } from './requests.ts'
import type { AuditedRequest } from './requests.ts'

const patienceMs = 15_000
const lastRequest = 'last'

/** An event holds JSON: upstream's file cannot write this one. */
const yamlPatch = 'asked-apply-yaml'

type Events = ReadonlyMap<string, readonly Json[]>

/** What the two servers record of the same requests, by the same policy, in files. */
describe('the audit log of a policy', () => {
  const parts = new AsyncDisposableStack()
  let kubernetes: Events = new Map()
  let gantry: Events = new Map()
  let texts: readonly string[] = []

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-audit-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    const policyFile = join(dir, 'policy.yaml')
    await writeFile(policyFile, JSON.stringify(auditPolicy))
    const recorded = await Promise.all(
      (['kubernetes', 'gantry'] as const).map(async (name) => {
        const logFile = join(dir, `${name}.log`)
        const cluster = await SecuredCluster.start(name, { dir, args: [`--audit-policy-file=${policyFile}`, `--audit-log-path=${logFile}`] })
        parts.use(cluster)
        for (const [path, body] of Object.entries(preparations)) {
          // Ours makes the account of a namespace by itself.
          const { code, text } = await cluster.call('POST', path, { body, certificate: 'admin' })
          assert.ok(code === 201 || code === 409, text)
        }
        for (const [id, request] of Object.entries(auditedRequests)) await send(cluster, id, request)
        await send(cluster, lastRequest, { method: 'GET', path: '/apis' })
        return readEvents(logFile)
      }),
    )
    ;[kubernetes, gantry] = recorded.map(({ events }) => events) as [Events, Events]
    texts = recorded.map(({ text }) => text)
  })
  after(() => parts.disposeAsync())

  for (const id of Object.keys(auditedRequests)) {
    if (id !== yamlPatch) test(`records the same of ${id} (G2)`, () => assert.deepEqual(gantry.get(id) ?? [], kubernetes.get(id) ?? []))
  }

  test('records a patch in YAML without its text, where upstream loses the event (G2)', () => {
    const completed = (events: Events): Json => events.get(yamlPatch)?.find(({ stage }) => stage === 'ResponseComplete')
    assert.equal(completed(kubernetes), undefined)
    const { responseStatus, requestObject, annotations } = completed(gantry) ?? {}
    assert.deepEqual([responseStatus?.code, requestObject], [201, undefined])
    assert.equal(annotations['audit.gantry.dev/request-object'], 'omitted: not JSON')
  })

  test('records nothing of what a rule leaves out, and of the rest every stage that it wants (G2)', () => {
    const stages = (id: string): string[] => (kubernetes.get(id) ?? []).map(({ stage }) => stage)
    for (const id of ['none-by-resource', 'none-by-verb', 'none-by-path', 'none-by-path-prefix']) assert.deepEqual(stages(id), [], id)
    assert.deepEqual(stages('deep-get'), ['RequestReceived', 'ResponseComplete'])
    assert.deepEqual(stages('deep-watch'), ['RequestReceived', 'ResponseStarted', 'ResponseComplete'])
    assert.deepEqual(stages('trimmed-watch'), ['ResponseComplete'])
  })

  test('keeps what a secret holds, and tokens, out of the log (G2)', () => {
    for (const text of texts) {
      assert.ok(!text.includes(payload))
      assert.ok(!/eyJ[\w-]{20}/.test(text))
    }
  })
})

async function send(cluster: SecuredCluster, id: string, { method, path, token, anonymous, headers, ...call }: AuditedRequest): Promise<void> {
  const bearer = token === undefined || token === 'unknown' ? token : cluster.plane.tokens[token]
  await cluster.call(method, path, {
    ...call,
    ...(bearer === undefined && anonymous !== true ? { certificate: 'admin' } : { token: bearer }),
    headers: { 'user-agent': 'audited/1.0', ...headers, 'audit-id': id },
  })
}

/** By request, in order; what differs from one cluster to the next by nature has been replaced. */
async function readEvents(file: string): Promise<{ readonly events: Events; readonly text: string }> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    // A line is whole when another one begins, or ends, behind it.
    const text = await readFile(file, 'utf8')
    const lines = text.split('\n').slice(0, -1)
    const all = lines.map((line) => JSON.parse(line) as Json)
    if (all.some(({ auditID, stage }) => auditID === lastRequest && stage === 'ResponseComplete')) {
      const events = new Map<string, Json[]>()
      for (const event of all) events.set(event.auditID, [...(events.get(event.auditID) ?? []), comparable(event)])
      return { events, text }
    }
    assert.ok(performance.now() < deadline, `${file} does not hold the last request`)
    await sleep(50)
  }
}

/** Keeps the form of times, uids, revisions and hashes, and not their value. */
function comparable(value: Json): Json {
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value === 'string') {
    return value
      .replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'MICRO TIME')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
      .replace(/\b[0-9a-f]{64}\b/g, 'HASH')
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      // What columns are for stands in no type table of ours (D9).
      if (key === 'columnDefinitions') return [key, (part as Json[]).map(({ description: _text, ...column }) => column)]
      if (key === 'cells') return [key, (part as Json[]).map((cell) => (/^\d+s$/.test(String(cell)) ? 'AGE' : cell))]
      // Their order is that of their times, which may or may not be of one second.
      if (key === 'managedFields' && Array.isArray(part))
        return [key, comparable(part.toSorted((a: Json, b: Json) => `${a.manager} ${a.operation}`.localeCompare(`${b.manager} ${b.operation}`)))]
      const isRevision = key === 'resourceVersion' && typeof part === 'string' && /^\d{2,}$/.test(part)
      const isGenerated = key === 'name' && typeof part === 'string' && /^g-\w{5}$/.test(part)
      return [key, isRevision ? 'REVISION' : isGenerated ? 'GENERATED' : comparable(part)]
    }),
  )
}
