import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { createTestAuthority } from '@gantry/client/testing'
import { FakeClock } from '@gantry/runtime/testing'
import { createWebhookClient } from './webhook-client.ts'
import type { ServiceAddress, WebhookClient } from './webhook-client.ts'

const authority = createTestAuthority('webhooks', Date.now())
const caBundle = Buffer.from(authority.cert).toString('base64')
const serving = authority.issue({ commonName: 'hook', dns: ['hook.here.svc'], ip: ['127.0.0.1'] })

async function serve(t: TestContext, listener: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<ServiceAddress> {
  const server = createServer(serving, (request, response) => void listener(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

function client(t: TestContext, resolve: () => ServiceAddress, clock = new FakeClock()): WebhookClient {
  const made = createWebhookClient({ clock, resolve })
  t.after(() => made[Symbol.asyncDispose]())
  return made
}

const service = { namespace: 'here', name: 'hook', path: '/check' }

test('calls a service by its name at the address it resolves to', async (t) => {
  const seen: unknown[] = []
  const address = await serve(t, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    seen.push([request.method, request.url, request.headers.host, Buffer.concat(chunks).toString()])
    response.end('{"answer":1}')
  })

  const answer = await client(t, () => address).post({ service, caBundle }, { body: { question: 1 }, timeoutMs: 2500 })

  assert.deepEqual(answer, { answer: 1 })
  assert.deepEqual(seen, [['POST', '/check?timeout=3s', 'hook.here.svc', '{"question":1}']])
})

test('says in upstream words why a service cannot be called', async (t) => {
  const unresolved = client(t, () => {
    throw new StatusError('NotFound', 'service "hook" not found')
  })

  await assert.rejects(unresolved.post({ service, caBundle }, { body: {}, timeoutMs: 1000 }), {
    message: 'Post "https://hook.here.svc:443/check?timeout=1s": service "hook" not found',
  })
})

test('refuses a certificate for another name', async (t) => {
  const address = await serve(t, (_request, response) => void response.end('{}'))

  await assert.rejects(client(t, () => address).post({ service: { ...service, name: 'other' }, caBundle }, { body: {}, timeoutMs: 1000 }), {
    message:
      'Post "https://other.here.svc:443/check?timeout=1s": tls: failed to verify certificate: x509: certificate is valid for hook.here.svc, not other.here.svc',
  })
})

test('follows no redirect', async (t) => {
  const asked: (string | undefined)[] = []
  const address = await serve(t, (request, response) => {
    asked.push(request.url)
    response.writeHead(307, { location: '/elsewhere' }).end()
  })

  await assert.rejects(client(t, () => address).post({ service, caBundle }, { body: {}, timeoutMs: 1000 }), {
    message: 'the server responded with the status code 307 but did not return more information',
  })
  assert.deepEqual(asked, ['/check?timeout=1s'])
})

test('stops reading an answer that is too long', async (t) => {
  const gone = Promise.withResolvers<void>()
  const address = await serve(t, (_request, response) => {
    response.on('close', () => gone.resolve())
    const more = (): void => {
      while (!response.destroyed) if (!response.write(Buffer.alloc(65_536, 32))) return void response.once('drain', more)
    }
    more()
  })

  await assert.rejects(client(t, () => address).post({ service, caBundle }, { body: {}, timeoutMs: 1000, maxAnswerBytes: 1_000_000 }), {
    message: 'the answer is longer than 1000000 bytes',
  })
  await gone.promise
})

test('gives up when the time has passed', async (t) => {
  const clock = new FakeClock()
  const asked = Promise.withResolvers<void>()
  const address = await serve(t, () => asked.resolve())

  const answer = client(t, () => address, clock).post({ service, caBundle }, { body: {}, timeoutMs: 1000 })
  const failed = assert.rejects(answer, { message: 'Post "https://hook.here.svc:443/check?timeout=1s": context deadline exceeded' })
  await asked.promise
  await clock.advance(1000)

  await failed
})

test('calls nothing that is not https', async (t) => {
  const never = client(t, () => assert.fail('nothing to resolve'))

  for (const url of ['http://127.0.0.1:1/x', 'https://user@127.0.0.1:1/x', 'file:///etc/passwd', 'nonsense']) {
    await assert.rejects(never.post({ url }, { body: {}, timeoutMs: 1000 }), /Unparsable URL/)
  }
})
