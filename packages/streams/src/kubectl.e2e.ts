import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { acceptPortForward, acceptRemoteCommand } from './index.ts'
import { openTestServer } from './testing/command-server.ts'
import type { TestServer } from './testing/command-server.ts'
import { runTestCommand } from './testing/echo-command.ts'

// The real client against these functions: kubectl 1.32 or later, and openssl for a certificate, must be on the PATH.
const pod = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'web', namespace: 'default', uid: '1' },
  spec: { containers: [{ name: 'app', image: 'x', stdin: true, tty: true }] },
  status: { phase: 'Running' },
}

// As much of discovery as kubectl needs to find pods.
const documents: Readonly<Record<string, unknown>> = {
  '/api': { kind: 'APIVersions', versions: ['v1'] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    groupVersion: 'v1',
    resources: [{ name: 'pods', singularName: 'pod', namespaced: true, kind: 'Pod', verbs: ['get'] }],
  },
  '/api/v1/namespaces/default/pods/web': pod,
}

let folder = ''
let server: TestServer
let backend: Server
const seenProtocols: string[] = []

before(async () => {
  for (const [program, ...args] of [
    ['kubectl', 'version', '--client'],
    ['openssl', 'version'],
  ]) {
    const { error } = spawnSync(program!, args)
    if (error !== undefined) throw new Error(`these tests need ${program} on the PATH, install it: ${error.message}`)
  }
  folder = await mkdtemp(join(tmpdir(), 'gantry-kubectl-'))
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      `${folder}/key.pem`,
      '-out',
      `${folder}/cert.pem`,
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
    ],
    { stdio: 'pipe' },
  )
  const [key, cert] = ['key', 'cert'].map((name) => execFileSync('cat', [`${folder}/${name}.pem`]).toString())
  server = await openTestServer({
    tls: { key: key!, cert: cert! },
    onRequest(request, response) {
      const url = new URL(request.url ?? '/', 'https://localhost')
      const body = documents[url.pathname]
      response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404, message: url.pathname }))
    },
    async upgrade(request, socket, head) {
      seenProtocols.push(
        `${request.method} ${String(request.headers.upgrade)} ${String(request.headers['sec-websocket-protocol'] ?? request.headers['x-stream-protocol-version'])}`,
      )
      const query = new URLSearchParams(request.query)
      if (request.path.endsWith('/portforward')) {
        return acceptPortForward(request, socket, head, async (port, signal) => {
          const target = connect({ port: port === 80 ? (backend.address() as AddressInfo).port : port, host: '127.0.0.1', allowHalfOpen: true, signal })
          await new Promise((resolve, reject) => target.once('connect', resolve).once('error', reject))
          return target
        })
      }
      const flag = (name: string): boolean => query.get(name) === 'true'
      const streams = await acceptRemoteCommand(request, socket, head, {
        stdin: flag('stdin'),
        stdout: flag('stdout'),
        stderr: flag('stderr'),
        tty: flag('tty'),
      })
      const command = request.path.endsWith('/attach') ? ['cat'] : query.getAll('command')
      return streams.finish(await runTestCommand(command, streams))
    },
  })
  // Answers like an HTTP/1.0 server: everything back after the client's half-close.
  backend = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
  await writeFile(
    join(folder, 'kubeconfig'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${server.port}`, 'certificate-authority': `${folder}/cert.pem` } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  )
})

after(async () => {
  await server[Symbol.asyncDispose]()
  await new Promise((resolve) => backend.close(resolve))
  await rm(folder, { recursive: true })
})

interface Outcome {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

function start(args: readonly string[], environment: Readonly<Record<string, string>>): ReturnType<typeof spawn> {
  return spawn('kubectl', args, {
    env: { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: join(folder, 'kubeconfig'), ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

async function kubectl(
  args: readonly string[],
  how: { readonly input?: Buffer | string; readonly environment: Readonly<Record<string, string>> },
): Promise<Outcome> {
  const child = start(args, how.environment)
  const stdout: Buffer[] = []
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin!.on('error', () => {})
  child.stdin!.end(how.input ?? '')
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  return { code, stdout: Buffer.concat(stdout), stderr }
}

const modes = [
  { name: 'WebSocket', environment: {} },
  { name: 'SPDY', environment: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } },
]

for (const { name, environment } of modes) {
  describe(`kubectl over ${name}`, () => {
    test('exec passes standard input through and ends with it', async () => {
      const input = Buffer.alloc(5 << 20, 'some input ')

      const outcome = await kubectl(['exec', '-i', 'web', '--', 'cat'], { input, environment })

      assert.equal(outcome.stderr, '')
      assert.equal(outcome.code, 0)
      assert.equal(sha(outcome.stdout), sha(input))
      assert.match(seenProtocols.at(-1)!, name === 'SPDY' ? /^POST SPDY\/3.1 v5.channel.k8s.io/ : /^GET websocket v5.channel.k8s.io$/)
    })

    test('exec keeps standard output and standard error apart', async () => {
      const outcome = await kubectl(['exec', 'web', '--', 'both'], { environment })

      assert.deepEqual([outcome.code, outcome.stdout.toString(), outcome.stderr], [0, 'to stdout\n', 'to stderr\n'])
    })

    test('exec ends with the exit code of the command', async () => {
      const outcome = await kubectl(['exec', 'web', '--', 'exit', '42'], { environment })

      assert.equal(outcome.code, 42)
      assert.match(outcome.stderr, /command terminated with exit code 42/)
    })

    test('exec tells an internal error', async () => {
      const outcome = await kubectl(['exec', 'web', '--', 'nonsense'], { environment })

      assert.equal(outcome.code, 1)
      assert.match(outcome.stderr, /Internal error occurred: no such command: nonsense/)
    })

    test('exec brings 50 MB out', async () => {
      const outcome = await kubectl(['exec', 'web', '--', 'say', String(50 << 20)], { environment })

      assert.deepEqual([outcome.code, outcome.stdout.length, outcome.stderr], [0, 50 << 20, ''])
    })

    test('attach passes standard input through', async () => {
      const outcome = await kubectl(['attach', '-i', 'web'], { input: 'hello\n', environment })

      assert.equal(outcome.code, 0)
      assert.equal(outcome.stdout.toString(), 'hello\n')
    })

    test('port-forward carries many connections, their half-closes, and the error of a closed port', async () => {
      const closedPort = await freePort()
      const child = start(['port-forward', 'web', ':80', `:${closedPort}`], environment)
      let stderr = ''
      child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
      const exited = new Promise((resolve) => child.once('exit', resolve))
      try {
        const [open, closed] = await forwardedPorts(child)
        const payload = Buffer.alloc(1 << 20, 'forward ')

        const echoes = await Promise.all(Array.from({ length: 8 }, () => roundTrip(open!, payload)))
        assert.deepEqual(
          echoes.map((echo) => echo.length),
          Array.from({ length: 8 }, () => payload.length),
        )
        assert.ok(echoes.every((echo) => sha(echo) === sha(payload)))

        assert.equal((await roundTrip(closed!, Buffer.from('x')).catch(() => Buffer.alloc(0))).length, 0)
        while (!stderr.includes('error forwarding')) await new Promise((resolve) => child.stderr!.once('data', resolve))
        assert.match(stderr, new RegExp(`error forwarding port ${closedPort} to pod web_default, uid : connect ECONNREFUSED`))
        assert.match(seenProtocols.at(-1)!, name === 'SPDY' ? /^POST SPDY\/3.1 portforward.k8s.io$/ : /^GET websocket SPDY\/3.1\+portforward.k8s.io$/)
      } finally {
        child.kill()
        await exited
      }
    })
  })
}

test('no upgrade failed on the way', () => {
  assert.deepEqual(server.failures, [])
})

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function forwardedPorts(child: ReturnType<typeof spawn>): Promise<number[]> {
  return new Promise((resolve, reject) => {
    let text = ''
    // It goes on reading: kubectl dies when nobody takes its output.
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const ports = [...text.matchAll(/Forwarding from 127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]))
      if (ports.length === 2) resolve(ports)
    })
    child.once('exit', () => reject(new Error(`kubectl ended early: ${text}`)))
  })
}

async function roundTrip(port: number, payload: Buffer): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.end(payload)
  const chunks: Buffer[] = []
  for await (const chunk of socket) if (Buffer.isBuffer(chunk)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
