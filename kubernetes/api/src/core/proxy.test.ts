import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import type { ApiObject, SubresourceCall } from '@gantry/apiserver'
import { readWholeBody } from '@gantry/runtime'
import type { HttpHeaders, HttpResponse } from '@gantry/runtime'
import type { NodeBackend } from '../node-backend.ts'
import { podProxy, serviceProxy } from './proxy.ts'
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
function cluster(): { readonly deps: ProxyDeps; readonly seen: Seen[] } {
  const seen: Seen[] = []
  const objects: Readonly<Record<string, object>> = { 'pods/web': pod, 'services/web': service, 'endpoints/web': endpoints }
  const dial = (_target: unknown, port: number) => {
    const server = createServer((request, response) => {
      seen.push({ port, url: request.url ?? '', headers: request.headers })
      response.writeHead(302, { location: '/login', 'set-cookie': 'a=b' }).end('hello')
    })
    const [ours, theirs] = duplexPair()
    server.emit('connection', theirs)
    return Promise.resolve(ours)
  }
  const deps: ProxyDeps = {
    backendOf: (name) => (name === 'n' ? ({ dial } as unknown as NodeBackend) : undefined),
    find: (plural, _namespace, name) => objects[`${plural}/${name}`] as ApiObject | undefined,
  }
  return { deps, seen }
}

function call(plural: string, name: string, headers: HttpHeaders = {}): SubresourceCall {
  const path = `/api/v1/namespaces/a/${plural}/${name}/proxy/x/y`
  const request = { method: 'GET', path, query: 'q=1', headers, signal: AbortSignal.timeout(5_000) }
  return { request, namespace: 'a', name, method: 'GET' } as unknown as SubresourceCall
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
  const [request] = seen
  assert.deepEqual([request?.port, request?.url, request?.headers.accept], [8080, '/x/y?q=1', 'text/html'])
  assert.deepEqual([request?.headers.authorization, request?.headers.cookie], [undefined, undefined])
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
