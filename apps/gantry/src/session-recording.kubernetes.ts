import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parseAsciicastEvent, parseAsciicastHeader, type RequestRecord } from '@gantry/audit/api'
import { createClient, loadKubeconfig, openHttpTransport } from '@gantry/client'
import type { KubeObject } from '@gantry/client'
import { startKubelet } from '@gantry/conformance/kubelet'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import type { CommandStatus, RemoteCommandStreams } from '@gantry/streams'
import { runTestCommand } from '@gantry/streams/testing'
import type { Platform } from './platform.ts'
import { gantry, startTestPlatform } from './testing/test-platform.ts'

// kubectl through the gateway to a real kube-apiserver, whose kubelet is ours.
const refused = (): Promise<never> => Promise.reject(new Error('not asked for here'))
const cleanups: (() => Promise<void>)[] = []
let dir = ''
let platform: Platform

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gantry-recording-'))
  cleanups.push(() => rm(dir, { recursive: true }))
  const plane = await startKubernetes({ dir: join(dir, 'plane') })
  cleanups.push(() => plane.stop())
  const { transport } = loadKubeconfig(await readFile(plane.kubeconfig, 'utf8'))
  const http = openHttpTransport(transport)
  cleanups.push(() => http.close())
  const kubelet = await startKubelet(
    {
      logs: refused,
      exec: (_target, { command }, streams) => (command[0] === 'first-size' ? sayFirstSize(streams) : runTestCommand(command, streams)),
      attach: (_target, _options, streams) => runTestCommand(['cat'], streams),
      dial: refused,
    },
    { clientCa: transport.ca ?? '' },
  )
  cleanups.push(async () => kubelet[Symbol.asyncDispose]())

  const member = createClient({ handle: http.handle })
  const core = { group: '', version: 'v1', kind: '' }
  const nodes = { ...core, resource: 'nodes', namespaced: false }
  const pods = { ...core, resource: 'pods', namespaced: true }
  await member.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } })
  const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }]
  const status = { addresses, daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } } }
  await member.patch(nodes, { name: 'n' }, { type: 'merge', subresource: 'status', body: { status } })
  // No controller makes it here.
  const accounts = { ...core, resource: 'serviceaccounts', namespaced: true }
  await member.create(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } })
  const container = { name: 'app', image: 'example.com/app:1', stdin: true, tty: true }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default' }, spec: { nodeName: 'n', containers: [container] } }
  await member.create(pods, pod as KubeObject)
  await member.patch(pods, { namespace: 'default', name: 'web' }, { type: 'merge', subresource: 'status', body: { status: { phase: 'Running' } } })

  const data = join(dir, 'data')
  platform = await startTestPlatform(data)
  cleanups.push(async () => platform[Symbol.asyncDispose]())
  const imported = await gantry(data, 'cluster', 'import', 'prod', '--kubeconfig', plane.kubeconfig)
  assert.equal(imported.code, 0, imported.err)
})

after(async () => {
  for (const clean of cleanups.reverse()) await clean()
})

/** A program that begins with the size of its terminal, and ends with 3. */
async function sayFirstSize({ resizes, stdout }: RemoteCommandStreams): Promise<CommandStatus> {
  for await (const { width, height } of resizes) {
    stdout?.write(`${width}x${height}\n`)
    break
  }
  return { status: 'Failure', reason: 'NonZeroExitCode', exitCode: 3 }
}

/** Runs kubectl against the member. */
async function kubectl(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string; readonly isTerminal?: boolean } = {},
) {
  const whole = ['--kubeconfig', join(dir, 'data', 'admin.kubeconfig'), '--cache-dir', join(dir, 'cache'), '--context', 'prod', ...args]
  const [program, ...rest] =
    options.isTerminal === true ? ['script', '-qefc', `stty cols 132 rows 43; kubectl ${whole.join(' ')}`, '/dev/null'] : ['kubectl', ...whole]
  const child = spawn(program ?? '', rest, { env: { ...process.env, TERM: 'xterm', ...options.env } })
  let out = ''
  for (const output of [child.stdout, child.stderr]) output.on('data', (chunk: Buffer) => (out += chunk.toString()))
  if (options.input !== undefined) child.stdin.end(options.input)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, out }
}

/** The newest session on record, once it has ended. */
async function lastSession(subresource: string): Promise<RequestRecord> {
  for (let tries = 0; tries < 100; tries++) {
    const { out } = await gantry(join(dir, 'data'), 'audit', 'search', '--cluster', 'prod', '--recorded', '--limit', '1', '-o', 'json')
    const [record] = (JSON.parse(out) as { readonly items: readonly RequestRecord[] }).items
    if (record?.stage === 'ended' && record.subresource === subresource) return record
  }
  throw new Error('the session is not on record')
}

async function castOf({ recording = '' }: RequestRecord) {
  const { code, out, err } = await gantry(join(dir, 'data'), 'audit', 'replay', recording, '--raw')
  assert.equal(code, 0, err)
  const [header = '', ...lines] = out.split('\n').slice(0, -1)
  const events = lines.map((line) => parseAsciicastEvent(line))
  return { header: parseAsciicastHeader(header), output: events.map((event) => (event?.[1] === 'o' ? event[2] : '')).join(''), last: events.at(-1) }
}

describe('kubectl on a real member', () => {
  for (const [protocol, env] of [
    ['WebSocket v5', {}],
    ['SPDY', { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }],
  ] as const) {
    test(`exec over ${protocol} is recorded`, async () => {
      const { code, out } = await kubectl(['exec', 'web', '--', 'both'], { env })
      assert.deepEqual([code, out.includes('to stdout\n'), out.includes('to stderr\n')], [0, true, true], out)

      const session = await lastSession('exec')
      assert.deepEqual(
        [session.user, session.name, session.namespace, session.status, session.query?.includes('command=both')],
        ['admin', 'web', 'default', 101, true],
      )
      const { header, output } = await castOf(session)
      assert.equal(header?.title, 'prod/default/web/app')
      assert.match(output, /to stdout\n/)
      assert.match(output, /to stderr\n/)
    })

    test(`exec over ${protocol} in a terminal is recorded with its size`, async () => {
      const { code, out } = await kubectl(['exec', '-it', 'web', '--', 'first-size'], { env, isTerminal: true })
      assert.equal(code, 3, out)
      const { header, last, output } = await castOf(await lastSession('exec'))

      assert.deepEqual([header?.width, header?.height], [132, 43])
      assert.equal(output, '132x43\n')
      assert.deepEqual(last?.slice(1), ['m', 'exit code 3'])
    })

    test(`attach over ${protocol} is recorded, without what was typed`, async () => {
      const { code, out } = await kubectl(['attach', '-i', 'web'], { env, input: 'over and out\n' })
      assert.deepEqual([code, out.includes('over and out')], [0, true], out)
      const { output } = await castOf(await lastSession('attach'))

      assert.equal(output, 'over and out\n', 'once: as the program has printed it')
    })

    test(`what fills a recording many times over ${protocol} arrives whole, whatever becomes of its recording`, async () => {
      const bytes = 64 << 20
      const { code, out } = await kubectl(['exec', 'web', '--', 'say', String(bytes)], { env })
      assert.deepEqual([code, out.length], [0, bytes])

      const { recordingCut } = await lastSession('exec')
      assert.match(recordingCut ?? '', /it is longer than|faster than it could be recorded/)
    })
  }

  test('an exec that the member refuses has its status on record and no recording', async () => {
    const { code } = await kubectl(['exec', 'nosuch', '--', 'both'])
    assert.notEqual(code, 0)
    const { out } = await gantry(join(dir, 'data'), 'audit', 'search', '--cluster', 'prod', '--name', 'nosuch', '-o', 'json')
    const { items } = JSON.parse(out) as { readonly items: readonly RequestRecord[] }

    assert.ok(items.length > 0)
    assert.ok(items.every(({ recording, status }) => recording === undefined && status === 404))
  })
})
