// node tools/run.js bench/neighbours.ts: small GETs of one member while fifty others are dead, slow or flapping, and while they are not; in turn, in one run. Needs Go (once) and wrk.
import { createHash, randomBytes } from 'node:crypto'
import { performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { Connection } from './connection.ts'
import { startGantryServer } from './gantry-server.ts'
import { importMember } from './member.ts'
import { cpuSeconds, residentMb } from './server.ts'
import { measure } from './wrk.ts'

const rounds = 3
const secondsEach = 6
const count = 50
/** Requests to each bad neighbour a second. */
const asksPerSecond = 1

const folder = await mkdtemp(join(tmpdir(), 'gantry-neighbours-'))
const kubernetes = await startKubernetes({ dir: join(folder, 'kubernetes') })
const gantry = await startGantryServer(join(import.meta.dirname, '../gantry'))
const { origin, hostname, port } = new URL(gantry.url)
const hub = new Connection({ url: origin, token: gantry.token })
try {
  const direct = await importMember(gantry, { ...gantry, name: 'kubernetes', url: kubernetes.server, token: kubernetes.tokens.admin })
  // With another key: how much one may have on its way at once is bounded.
  const { key } = JSON.parse(await hub.post('/platform/v1/apikeys', '{}')) as { readonly key: string }
  const asker = new Connection({ url: origin, token: key })
  const credentials: string[] = []
  for (let at = 0; at < count; at++) credentials.push(await enrolled(`bad-${at}`))
  const load = { path: '/api/v1/namespaces/default', clients: 8, seconds: secondsEach }
  await measure(direct, load)
  const quiet: { p50: number; p99: number }[] = []
  const noisy: { p50: number; p99: number }[] = []
  for (let round = 0; round < rounds; round++) {
    const a = await measure(direct, load)
    quiet.push({ p50: a.p50Ms, p99: a.p99Ms })
    const stop = misbehave(credentials, asker)
    const b = await measure(direct, load)
    noisy.push({ p50: b.p50Ms, p99: b.p99Ms })
    await stop()
    process.stdout.write(
      `quiet p50 ${a.p50Ms.toFixed(2)} p99 ${a.p99Ms.toFixed(2)} ms   beside ${count} bad neighbours p50 ${b.p50Ms.toFixed(2)} p99 ${b.p99Ms.toFixed(2)} ms\n`,
    )
  }
  // What they cost by themselves, which other work on the machine does not change.
  const idleFrom = await cpuSeconds(gantry.serving)
  await new Promise((resolve) => setTimeout(resolve, secondsEach * 1_000))
  const idle = (await cpuSeconds(gantry.serving)) - idleFrom
  const stopAlone = misbehave(credentials, asker)
  const busyFrom = await cpuSeconds(gantry.serving)
  await new Promise((resolve) => setTimeout(resolve, 2 * secondsEach * 1_000))
  const busy = ((await cpuSeconds(gantry.serving)) - busyFrom) / 2
  await stopAlone()
  process.stdout.write(
    `without them the platform uses ${((idle / secondsEach) * 100).toFixed(1)} % of a core, with them ${((busy / secondsEach) * 100).toFixed(1)} %\n`,
  )
  const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
  for (const name of ['p50', 'p99'] as const) {
    const [a, b] = [middle(quiet.map((one) => one[name])), middle(noisy.map((one) => one[name]))]
    process.stdout.write(`${name}: quiet ${a.toFixed(2)} ms, beside them ${b.toFixed(2)} ms (${((b / a - 1) * 100).toFixed(1)} %)\n`)
  }
  process.stdout.write(`memory of the platform ${Math.round(await residentMb(gantry.serving))} MB\n`)
} finally {
  hub.close()
  await gantry[Symbol.asyncDispose]()
  await kubernetes.stop()
  await rm(folder, { recursive: true, force: true })
}

async function enrolled(name: string): Promise<string> {
  const { agent } = JSON.parse(await hub.post('/platform/v1/clusters/import', JSON.stringify({ name, agent: { hub: origin } }))) as {
    readonly agent: { readonly manifest: string }
  }
  const token = /^ {2}token: (\S+)$/m.exec(agent.manifest)?.[1] ?? ''
  const credential = `gantry-agent.${name}.${randomBytes(32).toString('base64url')}`
  await hub.post('/agent/v1/enroll', JSON.stringify({ token, credentialHash: createHash('sha256').update(credential).digest('base64url') }))
  return credential
}

/** A third never answers, a third sends a byte a second, a third comes and goes every second. All of them are asked all the time. */
function misbehave(credentials: readonly string[], asker: Connection): () => Promise<void> {
  const sockets = new Set<TLSSocket>()
  const timers: NodeJS.Timeout[] = []
  let stopped = false
  const dial = (credential: string, onSocket: (socket: TLSSocket) => void): void => {
    if (stopped) return
    const headers = { authorization: `Bearer ${credential}`, connection: 'Upgrade', upgrade: 'gantry-tunnel' }
    const outgoing = request({ host: hostname, port, path: '/agent/v1/connect', headers, agent: false, rejectUnauthorized: false })
    outgoing.on('error', () => {})
    outgoing.on('upgrade', (_answer, socket) => {
      socket.on('error', () => {})
      sockets.add(socket as TLSSocket)
      socket.once('close', () => sockets.delete(socket as TLSSocket))
      onSocket(socket as TLSSocket)
    })
    outgoing.end()
  }
  for (const [at, credential] of credentials.entries()) {
    const serve = (socket: TLSSocket): void => {
      const session = performServerHandshake(socket)
      session.on('error', () => {})
      session.on('stream', (stream: ServerHttp2Stream) => {
        stream.on('error', () => {})
        if (at % 3 !== 1) return
        stream.respond({ ':status': 200 })
        const drip = setInterval(() => stream.write('x'), 1_000)
        stream.once('close', () => clearInterval(drip))
      })
    }
    dial(credential, serve)
    if (at % 3 === 2) {
      timers.push(
        setInterval(() => {
          dial(credential, (socket) => {
            serve(socket)
            setTimeout(() => socket.destroy(), 900)
          })
        }, 1_000),
      )
    }
  }
  const asking = new Set<ReturnType<Connection['open']>>()
  timers.push(
    setInterval(() => {
      for (let at = 0; at < credentials.length; at++) {
        const stream = asker.open('GET', `/clusters/bad-${at}/api/v1/pods`)
        asking.add(stream)
        stream.on('error', () => {})
        stream.once('close', () => asking.delete(stream))
        stream.resume()
      }
    }, 1_000 / asksPerSecond),
  )
  return async () => {
    stopped = true
    for (const timer of timers) clearInterval(timer)
    for (const stream of asking) stream.close(8)
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
