import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:http2'
import type { IncomingMessage } from 'node:http'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { SecuredCluster } from '../identity-config/secured-cluster.ts'
import { isOurs } from '../kubernetes/daemon.ts'

const watchesOfOneConnection = 100
const patienceMs = 30_000
const pollMs = 50
const configMaps = '/api/v1/namespaces/default/configmaps'

interface Identity {
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}

/** What clients see of the sockets of a server, and of its end. */
for (const name of ['kubernetes', 'gantry'] as const) {
  describe(`the front door of ${name}`, () => {
    const parts = new AsyncDisposableStack()
    let cluster: SecuredCluster
    let identity: Identity
    before(async () => {
      const dir = await mkdtemp(join(tmpdir(), 'gantry-front-door-'))
      parts.defer(() => rm(dir, { recursive: true, force: true }))
      // Without it kube-apiserver keeps its watches for the whole minute that it gives its other requests.
      const args = name === 'kubernetes' ? ['--shutdown-watch-termination-grace-period=1s'] : []
      cluster = parts.use(await SecuredCluster.start(name, { dir, args }))
      const { caFile, adminCertFile, adminKeyFile } = cluster.plane
      const [ca, cert, key] = await Promise.all([readFile(caFile), readFile(adminCertFile), readFile(adminKeyFile)])
      identity = { ca, cert, key }
    })
    after(() => parts.disposeAsync())

    function openSession(): ClientHttp2Session {
      const session = connect(cluster.plane.server, identity)
      parts.defer(() => session.destroy())
      return session
    }

    /** A watch of ConfigMaps from now on, once its answer has begun. */
    async function openWatch(session: ClientHttp2Session): Promise<ClientHttp2Stream> {
      const { metadata } = await cluster.asAdmin('GET', configMaps)
      const stream = session.request({ ':path': `${configMaps}?watch=true&resourceVersion=${metadata.resourceVersion}` })
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
      assert.equal(headers[':status'], 200)
      return stream
    }

    test('speaks HTTP/2 to those who offer it and HTTP/1.1 to the others (W1)', async () => {
      const { hostname, port } = new URL(cluster.plane.server)
      const spoken = async (ALPNProtocols: string[]): Promise<unknown> => {
        const socket = connectTls({ ...identity, host: hostname, port: Number(port), ALPNProtocols })
        await once(socket, 'secureConnect')
        const { alpnProtocol } = socket
        socket.destroy()
        return alpnProtocol
      }

      assert.deepEqual([await spoken(['h2', 'http/1.1']), await spoken(['http/1.1'])], ['h2', 'http/1.1'])
    })

    test(`carries ${watchesOfOneConnection} watches and a write on two connections, and tells each the same (W1, L25)`, async () => {
      const session = openSession()
      const [{ maxConcurrentStreams }] = (await once(session, 'remoteSettings')) as [{ maxConcurrentStreams: number }]
      const watches = await Promise.all(Array.from({ length: watchesOfOneConnection }, () => openWatch(session)))

      await cluster.asAdmin('POST', configMaps, { metadata: { name: 'seen-by-all' } })
      const events = await Promise.all(watches.map((stream) => lineOf(stream)))
      for (const stream of watches) stream.close()

      assert.ok(maxConcurrentStreams >= watchesOfOneConnection, String(maxConcurrentStreams))
      assert.match(events[0] ?? '', /^\{"type":"ADDED","object":\{"kind":"ConfigMap".*"name":"seen-by-all"/)
      assert.deepEqual([...new Set(events)], events.slice(0, 1))
    })

    // The last one: it ends the server.
    test('ends its watches cleanly, says goodbye and takes nobody more when it is told to stop (W20)', async () => {
      const session = openSession()
      const goodbye = once(session, 'goaway') as Promise<[number]>
      const watch = await openWatch(session)
      const older = request(`${cluster.plane.server}${configMaps}?watch=true`, { ...identity, agent: false }).end()
      const [answer] = (await once(older, 'response')) as [IncomingMessage]
      const ends = [cleanEndOf(watch), cleanEndOf(answer)]

      process.kill(cluster.plane.pids.apiserver, 'SIGTERM')

      assert.deepEqual(await Promise.all(ends), ['end', 'end'])
      const [code] = await goodbye
      assert.equal(code, 0)
      await gone(cluster.plane.pids.apiserver, cluster.plane.certsDir)
      await assert.rejects(cluster.asAdmin('GET', configMaps), /ECONNREFUSED/)
    })
  })
}

/** The first line of a stream. */
async function lineOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += String(chunk)
    const end = text.indexOf('\n')
    if (end >= 0) return text.slice(0, end)
  }
  throw new Error(`the stream ended after ${JSON.stringify(text)}`)
}

/** `end` when everything has come that was sent, else what broke it. */
async function cleanEndOf(stream: NodeJS.ReadableStream & { on(event: 'aborted', listener: () => void): unknown }): Promise<string> {
  const ended = Promise.withResolvers<string>()
  stream.on('aborted', () => ended.resolve('aborted'))
  stream.on('error', (error: Error) => ended.resolve(error.message))
  stream.on('end', () => ended.resolve('end'))
  stream.resume()
  return ended.promise
}

async function gone(pid: number, marker: string): Promise<void> {
  for (const deadline = performance.now() + patienceMs; await isOurs(pid, marker); await sleep(pollMs)) {
    assert.ok(performance.now() < deadline, `process ${pid} did not end within ${patienceMs} ms`)
  }
}
