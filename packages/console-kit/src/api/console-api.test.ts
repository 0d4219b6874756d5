import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from './api-error.ts'
import { createConsoleApi, type ConsoleApi } from './console-api.ts'

interface Sent {
  readonly path: string
  readonly init: RequestInit
}

function apiAnswering(...answers: readonly (() => Response)[]): { readonly api: ConsoleApi; readonly sent: Sent[]; readonly ended: () => number } {
  const sent: Sent[] = []
  let ended = 0
  const rest = [...answers]
  const api = createConsoleApi({
    fetch: (path, init) => {
      sent.push({ path: typeof path === 'string' ? path : '', init: init ?? {} })
      const answer = rest.shift()
      return answer === undefined ? Promise.reject(new TypeError('network')) : Promise.resolve().then(answer)
    },
    sleep: () => Promise.resolve(),
    onUnauthorized: () => ended++,
  })
  return { api, sent, ended: () => ended }
}

const broken = (): Response => {
  throw new TypeError('Failed to fetch')
}
const status = (code: number, body: unknown) => (): Response =>
  new Response(JSON.stringify(body), { status: code, headers: { 'content-type': 'application/json' } })
const headersOf = (sent: Sent | undefined): Headers => new Headers(sent?.init.headers)

test('marks every write, and no read, with the header that forbids cross-site requests', async () => {
  const { api, sent } = apiAnswering(status(200, {}), status(200, {}))
  await api.json('/x')
  await api.json('/x', { method: 'DELETE' })
  assert.equal(headersOf(sent[0]).get('x-gantry-request'), null)
  assert.equal(headersOf(sent[1]).get('x-gantry-request'), 'console')
})

test('throws the message, reason and causes of a Status', async () => {
  const causes = [{ field: 'spec.replicas', message: 'must be greater than or equal to 0' }]
  const { api } = apiAnswering(status(422, { kind: 'Status', message: 'web is invalid', reason: 'Invalid', code: 422, details: { causes } }))
  await assert.rejects(api.json('/x'), (error: unknown) => {
    assert.ok(error instanceof ApiError)
    assert.deepEqual([error.code, error.reason, error.message, error.causes], [422, 'Invalid', 'web is invalid', causes])
    return true
  })
})

test('shows the start of an answer that is no Status', async () => {
  const { api } = apiAnswering(() => new Response('<html>bad gateway</html>', { status: 502 }))
  await assert.rejects(api.json('/x'), { code: 502, message: 'HTTP 502: <html>bad gateway</html>' })
})

test('reads again after a broken connection, but writes only once', async () => {
  const reading = apiAnswering(broken, status(200, { ok: true }))
  assert.deepEqual(await reading.api.json('/x'), { ok: true })
  assert.equal(reading.sent.length, 2)

  const writing = apiAnswering(broken, status(200, {}))
  await assert.rejects(writing.api.json('/x', { method: 'POST' }), { reason: 'Unreachable' })
  assert.equal(writing.sent.length, 1)
})

test('says that the session may be over on any 401 but that of the sign-in', async () => {
  const unauthorized = status(401, { kind: 'Status', message: 'Unauthorized', reason: 'Unauthorized', code: 401 })
  const { api, ended } = apiAnswering(unauthorized, unauthorized)
  await assert.rejects(api.json('/auth/login', { method: 'POST' }))
  assert.equal(ended(), 0)
  await assert.rejects(api.json('/apis/fleet.gantry.dev/v1alpha1/clusters'))
  assert.equal(ended(), 1)
})
