import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason, StatusError } from '@gantry/apimachinery'
import { createClient } from './create-client.ts'
import type { Handler, HttpRequest, HttpResponse } from '@gantry/runtime'
import type { ResourceRef, WatchEvent } from './client.ts'

const widgets: ResourceRef = { group: 'example.dev', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }
const rooms: ResourceRef = { group: '', version: 'v1', resource: 'rooms', kind: 'Room', namespaced: false }

function answering(...answers: HttpResponse[]): { readonly handle: Handler; readonly seen: HttpRequest[]; readonly bodies: string[] } {
  const seen: HttpRequest[] = []
  const bodies: string[] = []
  return {
    seen,
    bodies,
    async handle(request) {
      seen.push(request)
      if (request.body !== undefined) bodies.push((await request.body.bytes(1 << 20)).toString())
      const answer = answers.shift()
      assert.ok(answer)
      return answer
    },
  }
}

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const event of events) all.push(event)
  return all
}

function json(status: number, value: unknown, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

test('addresses objects of named and core groups, with and without a namespace', async () => {
  const api = answering(json(200, {}), json(200, {}), json(200, { items: [] }))
  const client = createClient({ handle: api.handle })

  await client.get(widgets, { namespace: 'a', name: 'x:y' }, { subresource: 'status' })
  await client.get(rooms, { name: 'r' })
  await client.list(widgets, { labelSelector: 'a in (b,c)', limit: 5 })

  assert.deepEqual(
    api.seen.map((request) => `${request.method} ${request.path}?${request.query}`),
    [
      'GET /apis/example.dev/v1/namespaces/a/widgets/x%3Ay/status?',
      'GET /api/v1/rooms/r?',
      'GET /apis/example.dev/v1/widgets?labelSelector=a%20in%20(b%2Cc)&limit=5',
    ],
  )
})

test('hands its user to an in-process server and names none in headers', async () => {
  const user = { username: 'system:controller', groups: ['system:masters'] }
  const api = answering(json(200, {}))

  await createClient({ handle: api.handle, user }, { userAgent: 'gantry-test/1' }).get(rooms, { name: 'r' })

  assert.equal(api.seen[0]?.user, user)
  assert.deepEqual(Object.keys(api.seen[0]?.headers ?? {}).toSorted(), ['accept', 'user-agent'])
})

test('sends the content type, force and field manager of a patch', async () => {
  const api = answering(json(200, {}))

  await createClient({ handle: api.handle }).patch(
    widgets,
    { namespace: 'a', name: 'x' },
    { type: 'apply', body: { spec: {} }, force: true, fieldManager: 'me', subresource: 'status' },
  )

  const [request] = api.seen
  assert.equal(request?.headers['content-type'], 'application/apply-patch+yaml')
  assert.equal(`${request?.method} ${request?.path}?${request?.query}`, 'PATCH /apis/example.dev/v1/namespaces/a/widgets/x/status?fieldManager=me&force=true')
})

test('an empty list is a list, even where the server writes null', async () => {
  const api = answering(json(200, { metadata: { resourceVersion: '1' }, items: null }))

  const list = await createClient({ handle: api.handle }).list(widgets, { metadataOnly: true })

  assert.deepEqual(list.items, [])
  assert.equal(api.seen[0]?.headers['accept'], 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')
})

test('posts a subresource below the name of its object and an object to its collection', async () => {
  const api = answering(json(201, {}), json(201, {}))
  const client = createClient({ handle: api.handle })

  await client.create(widgets, { metadata: { name: 'x', namespace: 'a' } }, { subresource: 'binding' })
  await client.create(widgets, { metadata: { generateName: 'x-', namespace: 'a' } }, { dryRun: true })

  assert.deepEqual(
    api.seen.map((request) => `${request.path}?${request.query}`),
    ['/apis/example.dev/v1/namespaces/a/widgets/x/binding?', '/apis/example.dev/v1/namespaces/a/widgets?dryRun=All'],
  )
})

test('refuses an empty name, which would address the whole collection', async () => {
  const client = createClient({ handle: answering().handle })
  await assert.rejects(client.delete(widgets, { namespace: 'a', name: '' }), (error) => isReason(error, 'BadRequest'))
})

test('throws the Status of the server with its reason, details and retry hint', async () => {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'slow down', reason: 'TooManyRequests', code: 429 }
  const api = answering(json(429, status, { 'retry-after': '7' }))

  await assert.rejects(createClient({ handle: api.handle }).get(rooms, { name: 'r' }), (error) => {
    assert.ok(error instanceof StatusError)
    assert.equal(error.reason, 'TooManyRequests')
    assert.equal(error.message, 'slow down')
    assert.equal(error.details?.retryAfterSeconds, 7)
    return true
  })
})

test("gives an answer without a Status client-go's reason and words", async () => {
  const api = answering(
    { status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found\n' },
    { status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>bad gateway</h1>' },
    { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>sign in</h1>' },
  )
  const client = createClient({ handle: api.handle })

  await assert.rejects(client.get(rooms, { name: 'r' }), /the server could not find the requested resource \(get rooms r\)/)
  await assert.rejects(
    client.list(widgets),
    /an error on the server \("<h1>bad gateway<\/h1>"\) has prevented the request from succeeding \(list widgets.example.dev\)/,
  )
  await assert.rejects(client.get(rooms, { name: 'r' }), /answered 200 with text\/html that is not JSON/)
})

test('turns a broken transport into ServiceUnavailable with its cause', async () => {
  const broken = new Error('socket hang up')
  const client = createClient({ handle: () => Promise.reject(broken) })

  await assert.rejects(client.list(rooms), (error) => isReason(error, 'ServiceUnavailable') && error.cause === broken)
})

test('reads watch events across any split of the bytes, and ends when the server ends', async () => {
  const events = ['a', 'b', 'c'].map((name) => ({ type: 'ADDED', object: { metadata: { name } } }))
  const text = events.map((event) => `${JSON.stringify(event)}\n`).join('')
  for (const size of [1, 7, 50, 1000]) {
    const api = answering({
      status: 200,
      headers: {},
      async body(sink) {
        for (let at = 0; at < text.length; at += size) {
          if (!sink.write(text.slice(at, at + size))) await sink.drained()
        }
      },
    })
    const got: WatchEvent<{ metadata: { name?: string } }>[] = []
    for await (const event of createClient({ handle: api.handle }).watch(rooms, { resourceVersion: '5', allowBookmarks: true, timeoutSeconds: 9 }))
      got.push(event)

    assert.deepEqual(got, events)
    assert.equal(api.seen[0]?.query, 'watch=true&allowWatchBookmarks=true&timeoutSeconds=9&resourceVersion=5')
  }
})

test('throws the Status of an ERROR event', async () => {
  const status = { kind: 'Status', message: 'too old resource version: 1 (9)', reason: 'Expired', code: 410 }
  const api = answering({ status: 200, headers: {}, body: `${JSON.stringify({ type: 'ERROR', object: status })}\n` })

  await assert.rejects(collect(createClient({ handle: api.handle }).watch(rooms, {})), (error) => isReason(error, 'Expired') && error.code === 410)
})

test('takes a watch line of 3 MB and refuses one over the limit', async () => {
  const event = { type: 'ADDED', object: { metadata: { name: 'big' }, data: 'x'.repeat(3 << 20) } }
  const line = Buffer.from(`${JSON.stringify(event)}\n`)
  const streaming = (): HttpResponse => ({
    status: 200,
    headers: {},
    async body(sink) {
      for (let at = 0; at < line.length; at += 65_536) if (!sink.write(line.subarray(at, at + 65_536))) await sink.drained()
    },
  })

  const got = await collect(createClient({ handle: answering(streaming()).handle }).watch(rooms, {}))
  assert.deepEqual(got, [event])

  const small = createClient({ handle: answering(streaming()).handle }, { maxWatchLineBytes: 1 << 20 })
  await assert.rejects(collect(small.watch(rooms, {})), /longer than 1048576 bytes/)
})

test('ends a silent watch at once when its signal aborts, and tells the producer', async () => {
  const stop = new AbortController()
  let producerSignal: AbortSignal | undefined
  let requestSignal: AbortSignal | undefined
  const client = createClient({
    async handle(request) {
      requestSignal = request.signal
      return {
        status: 200,
        headers: {},
        body(sink) {
          producerSignal = sink.signal
          queueMicrotask(() => stop.abort(new Error('enough')))
          return new Promise(() => {})
        },
      }
    },
  })

  await assert.rejects(collect(client.watch(rooms, { signal: stop.signal })), /enough/)
  assert.equal(producerSignal?.aborted, true)
  assert.equal(requestSignal?.aborted, true)
})

test('leaving a watch early ends the request', async () => {
  let requestSignal: AbortSignal | undefined
  const client = createClient({
    async handle(request) {
      requestSignal = request.signal
      return {
        status: 200,
        headers: {},
        async body(sink) {
          sink.write(`${JSON.stringify({ type: 'ADDED', object: { metadata: {} } })}\n`)
          await new Promise(() => {})
        },
      }
    },
  })

  for await (const _ of client.watch(rooms, {})) break

  assert.equal(requestSignal?.aborted, true)
})

test('holds a fast producer back until events are read', async () => {
  let written = 0
  const line = `${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'x'.repeat(100_000) } } })}\n`
  const client = createClient({
    handle: async () => ({
      status: 200,
      headers: {},
      async body(sink) {
        for (let i = 0; i < 100; i++) {
          written++
          if (!sink.write(line)) await sink.drained()
        }
      },
    }),
  })

  let read = 0
  for await (const _ of client.watch(rooms, {})) {
    read++
    assert.ok(written - read <= 12, `${written} written, ${read} read`)
  }
  assert.equal(read, 100)
})
