import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { definitionsFromTable } from '@gantry/apimachinery'
import type { TypeTable } from '@gantry/apimachinery'
import { startLocalCluster } from '@gantry/kube-cluster'
import { bodyOf, readBody, readWholeBody, systemIds } from '@gantry/runtime'
import type { HttpResponse, LogFields, Logger, UserInfo } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import fc from 'fast-check'
import { hostileRequests } from './hostile-requests.ts'
import type { FuzzRequest, Resource } from './hostile-requests.ts'

/** `FUZZ_RUNS=100000 FUZZ_SEED=7 npm test -- conformance/fuzz` looks further than `npm test` does; without a seed it is always the same. */
const runs = Number(process.env['FUZZ_RUNS'] ?? 1_500)
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_121)
/** Far above what any answer takes: what is slower hangs. */
const answerWithinMs = 5_000
const admin: UserInfo = { username: 'fuzz', groups: ['system:masters', 'system:authenticated'] }

describe('whatever is sent to the API', () => {
  const parts = new AsyncDisposableStack()
  const errors: { readonly message: string; readonly fields: LogFields | undefined }[] = []
  const log: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message, fields) => void errors.push({ message, fields }),
    with: () => log,
  }
  let cluster: Awaited<ReturnType<typeof startLocalCluster>>

  before(async () => {
    const clock = new FakeClock()
    const store = parts.use(createMemoryStore({ log }))
    cluster = parts.use(await startLocalCluster({ store, clock, ids: systemIds, log }, { controllers: false }))
    await send({ method: 'POST', path: '/api/v1/namespaces', query: '', headers: {}, body: Buffer.from('{"metadata":{"name":"fuzz"}}') })
  })
  after(() => parts.disposeAsync())

  async function send(request: FuzzRequest): Promise<HttpResponse & { readonly text: string }> {
    const gone = new AbortController()
    const response = await cluster.handle({
      method: request.method,
      path: request.path,
      query: request.query,
      headers: request.headers,
      body: request.body === undefined ? undefined : bodyOf(request.body),
      user: admin,
      signal: gone.signal,
    })
    if (request.query.startsWith('watch=')) {
      // What it has to say at once; it would go on for as long as the clock stands.
      const first = readBody(response)
      if (response.status !== 200) return { ...response, text: (await readWholeBody(response)).toString() }
      gone.abort(new Error('seen enough'))
      await first.return()
      return { ...response, text: '' }
    }
    return { ...response, text: (await readWholeBody(response)).toString() }
  }

  async function resources(): Promise<Resource[]> {
    const found: Resource[] = []
    for (const path of ['/api', '/apis']) {
      const { text } = await send({
        method: 'GET',
        path,
        query: '',
        headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
      })
      const list = JSON.parse(text) as { items: { metadata?: { name?: string }; versions: { version: string; resources: DiscoveredResource[] }[] }[] }
      for (const { metadata, versions } of list.items) {
        for (const { version, resources: served } of versions) {
          for (const { resource, responseKind, scope, subresources = [] } of served) {
            found.push({
              group: metadata?.name ?? '',
              version,
              kind: responseKind.kind,
              plural: resource,
              namespaced: scope === 'Namespaced',
              subresources: subresources.map(({ subresource }) => subresource),
            })
          }
        }
      }
    }
    return found
  }

  test('gets an answer in time, never an error of the server itself', async () => {
    const table = JSON.parse(await readFile(new URL('../../kubernetes/api/generated/types.json', import.meta.url), 'utf8')) as TypeTable
    const served = await resources()
    assert.ok(served.length > 10)
    await fc.assert(
      fc.asyncProperty(hostileRequests(definitionsFromTable(table), served), async (request) => {
        errors.length = 0
        const { promise: late, reject } = Promise.withResolvers<never>()
        const timer = setTimeout(() => reject(new Error('no answer in time')), answerWithinMs)
        try {
          const answer = await Promise.race([send(request), late])
          assert.deepEqual(errors, [], 'the server logged an error of its own')
          assert.ok(answer.status >= 200 && answer.status < 600, `status ${answer.status}`)
          // Upstream's own answers with 500 have no reason (a bad resourceVersion); anything else is a fault of ours.
          if (answer.status >= 500) assert.doesNotMatch(answer.text, /InternalError/, answer.text)
          assert.equal(({} as { polluted?: unknown }).polluted, undefined, 'Object.prototype was changed')
        } finally {
          clearTimeout(timer)
        }
      }),
      { seed, numRuns: runs, endOnFailure: true },
    )
    const { status } = await send({ method: 'GET', path: '/api/v1/namespaces/fuzz', query: '', headers: {} })
    assert.equal(status, 200)
  })
})

interface DiscoveredResource {
  readonly resource: string
  readonly responseKind: { readonly kind: string }
  readonly scope: string
  readonly subresources?: readonly { readonly subresource: string }[]
}
