import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders, RequestListener } from 'node:http'
import { duplexPair } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import type { ApiObject, SubresourceCall } from '@gantry/apiserver'
import { readWholeBody } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import type { HttpHeaders, HttpResponse } from '@gantry/runtime'
import type { NodeBackend } from '../../node-backend.ts'
import { nodeProxy, podProxy, serviceProxy } from './proxy.ts'
import type { ProxyDeps } from './proxy.ts'

const pod = {
  metadata: { name: 'web', namespace: 'a', uid: 'u' },
  spec: { nodeName: 'n', containers: [{ name: 'c', ports: [{ containerPort: 8080 }] }] },
  status: { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] },
}
const service = { metadata: { name: 'web', namespace: 'a' }, spec: { ports: [{ name: 'http', port: 80 }] } }
const target = { kind: 'Pod', namespace: 'a', name: 'web' }
const endpoints = {
  metadata: { name: 'web', namespace: 'a' },
  subsets: [{ addresses: [{ ip: '10.9.9.9' }, { ip: '10.0.0.1', targetRef: target }], ports: [{ name: 'http', port: 8081 }] }],
}

interface Seen {
  port: number
  url: string
  headers: IncomingHttpHeaders
}

/** A pod that answers every request, behind the agent of its node. */
function cluster(listener: RequestListener = (_request, response) => void response.writeHead(302, { location: '/login', 'set-cookie': 'a=b' }).end('hello')): {
  readonly deps: ProxyDeps
  readonly seen: Seen[]
} {
  const seen: Seen[] = []
  const objects: Readonly<Record<string, object>> = { 'pods/web': pod, 'services/web': service, 'endpoints/web': endpoints }
  const dial = (_target: unknown, port: number) => {
    const server = createServer((request, response) => {
      seen.push({ port, url: request.url ?? '', headers: request.headers })
      listener(request, response)
    })
    const [ours, theirs] = duplexPair()
    server.emit('connection', theirs)
    return Promise.resolve(ours)
  }
  const deps: ProxyDeps = {
    clock: new FakeClock(),
    ids: { random: () => 0 },
    backendOf: (name) => (name === 'n' ? ({ dial } as unknown as NodeBackend) : undefined),
    find: (plural, _namespace, name) => objects[`${plural}/${name}`] as ApiObject | undefined,
  }
  return { deps, seen }
}

function call(plural: string, name: string, headers: HttpHeaders = {}): SubresourceCall {
  const path = `/api/v1/namespaces/a/${plural}/${name}/proxy/x/y`
  const request = { method: 'GET', path, query: 'q=1', headers, peer: { address: '192.0.2.9' }, signal: AbortSignal.timeout(5_000) }
  return { request, namespace: 'a', name, method: 'GET', subpath: 'x/y', query: new URLSearchParams('q=1') } as unknown as SubresourceCall
}

async function answerOf(response: Promise<HttpResponse> | undefined): Promise<HttpResponse & { readonly text: string }> {
  assert.ok(response !== undefined)
  const answer = await response
  return { ...answer, text: (await readWholeBody(answer)).toString() }
}

test('leads to the first port of a pod, with no credential either way, and keeps redirects below itself', async () => {
  const { deps, seen } = cluster()
  const answer = await answerOf(podProxy(deps).handle?.(call('pods', 'web', { authorization: 'Bearer x', cookie: 'session=y', accept: 'text/html' })))

  assert.deepEqual([answer.status, answer.text, answer.headers['location']], [302, 'hello', '/api/v1/namespaces/a/pods/web/proxy/login'])
  assert.equal(answer.headers['set-cookie'], undefined)
  assert.equal(answer.headers['content-security-policy'], 'sandbox allow-forms allow-scripts', 'a page of a pod does not act as the address it is seen at')
  const [request] = seen
  assert.deepEqual([request?.port, request?.url, request?.headers.accept], [8080, '/x/y?q=1', 'text/html'])
  assert.deepEqual([request?.headers.authorization, request?.headers.cookie], [undefined, undefined])
  assert.equal(request?.headers['x-forwarded-for'], '192.0.2.9')
})

test('leads to the port that is asked for', async () => {
  const { deps, seen } = cluster()
  await answerOf(podProxy(deps).handle?.(call('pods', 'http:web:9090')))

  assert.equal(seen[0]?.port, 9090)
})

test('leads to a pod behind a service, by name and by number of its port', async () => {
  const { deps, seen } = cluster()
  await answerOf(serviceProxy(deps).handle?.(call('services', 'web:http')))
  await answerOf(serviceProxy(deps).handle?.(call('services', 'web:80')))

  assert.deepEqual(
    seen.map(({ port }) => port),
    [8081, 8081],
  )
})

test('refuses what leads nowhere, in upstream’s words', async () => {
  const { deps } = cluster()
  const refusal = (plural: 'pods' | 'services', name: string): Promise<void> | undefined => {
    const subresource = plural === 'pods' ? podProxy(deps) : serviceProxy(deps)
    return subresource.handle?.(call(plural, name)).then(
      () => assert.fail('it was let through'),
      (error: unknown) => {
        throw error
      },
    )
  }
  await assert.rejects(async () => refusal('pods', 'ftp:web:1'), { message: 'invalid pod request "ftp:web:1"' })
  await assert.rejects(async () => refusal('pods', 'nope'), { message: 'pods "nope" not found' })
  await assert.rejects(async () => refusal('services', 'web:99'), { message: 'no service port 99 found for service "web"' })
  await assert.rejects(async () => refusal('services', 'web:other'), { message: 'no endpoints available for service "web:other"' })
})

test('reads no more of an answer than its reader takes', async () => {
  const chunk = Buffer.alloc(64 << 10)
  let written = 0
  const { deps } = cluster((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const go = (): void => {
      do written += chunk.length
      while (response.write(chunk))
      response.once('drain', go)
    }
    go()
  })
  const gone = new AbortController()
  const drained = Promise.withResolvers<void>()
  const answer = await podProxy(deps).handle?.(call('pods', 'web'))
  assert.ok(typeof answer?.body === 'function')
  const ended = answer.body({ write: () => false, drained: () => drained.promise, bufferedBytes: 0, signal: gone.signal })

  for (let i = 0; i < 200; i++) await turn()
  const held = written
  for (let i = 0; i < 200; i++) await turn()

  assert.equal(written, held, 'the pod writes on although nobody reads')
  assert.ok(held < 2 << 20, `${held} bytes are kept for a reader that reads nothing`)
  gone.abort()
  drained.resolve()
  await assert.rejects(ended)
})

test('asks nothing of the kubelet of a node whose agent is in this process', async () => {
  const { deps } = cluster()
  const status = { addresses: [{ type: 'InternalIP', address: '192.0.2.7' }] }
  const own: ProxyDeps = { ...deps, find: (plural) => (plural === 'nodes' ? ({ metadata: { name: 'n' }, status } as unknown as ApiObject) : undefined) }

  for (const name of ['n', 'n:10250'])
    await assert.rejects(async () => nodeProxy(own).handle?.({ ...call('nodes', name), namespace: undefined }), {
      message: 'node "n" serves no HTTP of its own',
    })
})

test('closes the connection to a pod whose answer has no body', async () => {
  const closed = Promise.withResolvers<void>()
  const { deps } = cluster((request, response) => {
    request.socket.once('close', () => closed.resolve())
    response.writeHead(204).end()
  })

  const answer = await podProxy(deps).handle?.(call('pods', 'web'))

  assert.deepEqual([answer?.status, answer?.body], [204, undefined])
  await closed.promise
})

test('joins nobody to a pod that switches to no protocol', async () => {
  const { deps } = cluster()
  const [theirs, ours] = duplexPair()
  const [pod, backend] = duplexPair()
  const broken: ProxyDeps = { ...deps, backendOf: () => ({ dial: () => Promise.resolve(backend) }) as unknown as NodeBackend }
  pod.once('data', () => pod.write('HTTP/1.1 101 Switching Protocols\r\n\r\nraw'))
  theirs.resume()

  const asked = call('pods', 'web', { connection: 'Upgrade', upgrade: 'websocket' })

  await assert.rejects(async () => podProxy(broken).upgrade?.(asked, ours, Buffer.alloc(0)), { code: 500 })
  assert.ok(backend.destroyed)
})
