import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createTestAuthority } from '@gantry/client/testing'
import type { KubeClient } from '@gantry/client'
import { readBody, silentLogger } from '@gantry/runtime'
import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import type { ApiObject, ForeignServer } from '@gantry/apiserver'
import { Aggregator } from './aggregator.ts'

const authority = createTestAuthority('extension', Date.now())
const frontProxy = createTestAuthority('front-proxy', Date.now())
const user: UserInfo = { username: 'jane', uid: '7', groups: ['dev', 'ops'], extra: { 'example.com/Team A': ['blue', 'red'] } }

/** An extension server, and the aggregator's way to it once the first check has passed. */
async function extend(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<ForeignServer> {
  const certificate = authority.issue({ commonName: 'ext', dns: ['ext.here.svc'] })
  const server = createServer({ ...certificate, ca: frontProxy.cert, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    if (request.url === '/apis/g/v1') response.end('{"resources":[]}')
    else if (request.url === '/apis' || request.url?.startsWith('/openapi/')) response.writeHead(404).end()
    else answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const checked = Promise.withResolvers<void>()
  const clock = new FakeClock()
  const apiService = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1.g', uid: '', creationTimestamp: null },
    spec: {
      group: 'g',
      version: 'v1',
      service: { namespace: 'here', name: 'ext', port },
      caBundle: Buffer.from(authority.cert).toString('base64'),
      groupPriorityMinimum: 1,
      versionPriority: 1,
    },
  }
  const client = { get: async () => apiService, update: async () => checked.resolve() } as unknown as KubeClient
  const service = { spec: { type: 'ExternalName' } } as unknown as ApiObject
  const aggregator = new Aggregator(
    { clock, log: silentLogger, client: () => client, serviceNamed: () => service, endpointSlicesOf: () => [], resolve: () => ({ host: '127.0.0.1', port }) },
    { clientCertificate: frontProxy.issue({ commonName: 'front-proxy-client' }) },
  )
  t.after(async () => {
    await aggregator[Symbol.asyncDispose]()
    server.closeAllConnections()
    server.close()
  })
  aggregator.set(apiService)
  await clock.advance(0)
  await checked.promise
  const found = aggregator.find('g', 'v1')
  assert.ok(found !== undefined)
  return found
}

function get(headers: HttpRequest['headers'], query = ''): HttpRequest {
  return { method: 'GET', path: '/apis/g/v1/things', query, headers, signal: new AbortController().signal }
}

test('shows its certificate and tells who the caller is, whatever the caller claims', async (t) => {
  const seen = Promise.withResolvers<readonly [string, IncomingMessage['headers']]>()
  const server = await extend(t, (request, response) => {
    seen.resolve([String((request.socket as TLSSocket).getPeerCertificate().subject.CN), request.headers])
    response.end('{}')
  })

  await server.handle(
    get({
      authorization: 'Bearer secret',
      cookie: 'session=secret',
      'x-remote-user': 'root',
      X_Remote_User: 'root',
      'x-remote-group': 'system:masters',
      'x-remote-extra-scopes': 'all',
      'impersonate-user': 'root',
      connection: 'x-remote-user, x-remote-group',
      'sec-websocket-protocol': 'v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0',
      'x-other': 'kept',
    }),
    user,
  )

  const [name, headers] = await seen.promise
  const { host: _host, connection: _connection, ...passed } = headers
  assert.equal(name, 'front-proxy-client')
  assert.deepEqual(passed, {
    'x-remote-user': 'jane',
    'x-remote-uid': '7',
    'x-remote-group': 'dev, ops',
    'x-remote-extra-example.com%2fteam%20a': 'blue, red',
    'sec-websocket-protocol': 'v4.channel.k8s.io',
    'x-other': 'kept',
  })
})

test('passes a watch on as it comes', async (t) => {
  const more = Promise.withResolvers<void>()
  const server = await extend(t, (_request, response) => {
    response.write('first')
    void more.promise.then(() => response.end('second'))
  })

  const response = await server.handle(get({}, 'watch=1'), user)
  const told: string[] = []
  for await (const chunk of readBody(response)) {
    told.push(Buffer.from(chunk).toString())
    more.resolve()
  }

  assert.deepEqual(told, ['first', 'second'])
})
