import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from 'node:tls'
import { openEdge, openServingCertificate } from '@gantry/gateway'
import type { Edge } from '@gantry/gateway'
import { startLocalCluster } from '@gantry/kube-cluster'
import { systemClock, systemIds } from '@gantry/runtime'
import type { HttpRequest, LogFields, Logger, UserInfo } from '@gantry/runtime'
import { createMemoryStore } from '@gantry/storage'
import fc from 'fast-check'
import { hostileBytes } from './hostile-bytes.ts'

/** `FUZZ_RUNS=20000 FUZZ_SEED=7 npm test -- conformance/fuzz/sockets` looks further; each run is a connection of its own. */
const runs = Number(process.env['FUZZ_RUNS'] ?? 150)
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_121)
/** Far above what it takes to answer and close: what is open by then hangs. */
const closedWithinMs = 10_000
/** No answer to one small request is longer. */
const mostBytes = 8 * 1024 * 1024
const admin: UserInfo = { username: 'fuzz', groups: ['system:masters', 'system:authenticated'] }

describe('whatever bytes come over a connection', () => {
  const parts = new AsyncDisposableStack()
  const errors: { readonly message: string; readonly fields: LogFields | undefined }[] = []
  const log: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message, fields) => void errors.push({ message, fields }),
    with: () => log,
  }
  let edge: Edge
  let ca: string

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-fuzz-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    const clock = systemClock
    const store = parts.use(createMemoryStore({ log }))
    const cluster = parts.use(await startLocalCluster({ store, clock, ids: systemIds, log }, { controllers: false, simulatedNodes: ['n1'] }))
    const asAdmin = (request: HttpRequest): HttpRequest => ({ ...request, user: admin })
    const certificate = await openServingCertificate({ clock, log }, { dir, hosts: ['localhost'] })
    ca = certificate.ca
    edge = parts.use(
      await openEdge(
        {
          clock,
          log,
          handle: (request) => cluster.handle(asAdmin(request)),
          upgrade: (request, socket, head) => cluster.upgrade(asAdmin(request), socket, head),
        },
        { host: '127.0.0.1', port: 0, tls: certificate, drainMs: 200 },
      ),
    )
    await send(post('/api/v1/namespaces', { metadata: { name: 'fuzz' } }))
    await send(post('/api/v1/namespaces/fuzz/serviceaccounts', { metadata: { name: 'default' } }))
    const made = await send(
      post('/api/v1/namespaces/fuzz/pods', { metadata: { name: 'a' }, spec: { nodeName: 'n1', containers: [{ name: 'a', image: 'a' }] } }),
    )
    assert.match(made, /^HTTP\/1\.1 201 /)
  })
  after(() => parts.disposeAsync())

  /** Sends these bytes and says that no more come; everything that is said until the connection is closed. */
  async function send(bytes: Uint8Array): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const socket = connect({ host: '127.0.0.1', port: edge.port, ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] }, () => socket.end(bytes))
    const timer = setTimeout(() => {
      reject(new Error(`still open after ${closedWithinMs} ms`))
      socket.destroy()
    }, closedWithinMs)
    let said = ''
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1')
      if (said.length > mostBytes) socket.destroy(new Error(`more than ${mostBytes} bytes came back`))
    })
    // A server may cut off who sends garbage, in the middle of what is being written to it.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(said)
    })
    return promise
  }

  test('is answered or cut off, and hurts nobody else', async () => {
    await fc.assert(
      fc.asyncProperty(hostileBytes, async (bytes) => {
        errors.length = 0
        const said = await send(bytes)
        assert.deepEqual(errors, [], 'the server logged an error of its own')
        // What follows a 101 is the word of the node: a simulated one has no container to attach to.
        assert.doesNotMatch(said.split('HTTP/1.1 101')[0] ?? '', /InternalError/)
        assert.ok(said === '' || said.startsWith('HTTP/1.1 '), said.slice(0, 100))
      }),
      { seed, numRuns: runs, endOnFailure: true },
    )
    const alive = await send(Buffer.from('GET /api/v1/namespaces/fuzz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))
    assert.match(alive, /^HTTP\/1\.1 200 /)
  })
})

function post(path: string, object: unknown): Buffer {
  const body = JSON.stringify(object)
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
}
