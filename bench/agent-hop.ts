// node tools/run.js bench/agent-hop.ts: one real cluster, reached directly and through its agent, in turn, in one run. Needs Go (once) and wrk.
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { Connection } from './connection.ts'
import { startGantryServer } from './gantry-server.ts'
import { importMember } from './member.ts'
import { cpuSeconds, residentMb, type BenchServer } from './server.ts'
import { measure } from './wrk.ts'

const rounds = 3
const secondsEach = 5
const maps = 1_500
const mapBytes = 16 << 10
const largeLists = 6
const launcher = join(import.meta.dirname, '../gantry')
const env = { ...process.env, GANTRY_QUIET: '1' }
const run = promisify(execFile)

const folder = await mkdtemp(join(tmpdir(), 'gantry-hop-'))
const kubernetes = await startKubernetes({ dir: join(folder, 'kubernetes') })
const gantry = await startGantryServer(launcher)
const { origin } = new URL(gantry.url)
const hub = new Connection({ url: origin, token: gantry.token })
let stopAgent = (): void => {}
try {
  const member: BenchServer = { ...gantry, name: 'kubernetes', url: kubernetes.server, token: kubernetes.tokens.admin }
  const direct = await importMember(gantry, member)
  const made = JSON.parse(await hub.post('/platform/v1/clusters/import', JSON.stringify({ name: 'behind', agent: { hub: origin, access: 'admin' } }))) as {
    readonly agent: { readonly manifest: string }
  }
  const manifest = join(folder, 'agent.yaml')
  await writeFile(manifest, made.agent.manifest)
  await run('kubectl', ['--kubeconfig', kubernetes.kubeconfig, 'apply', '-f', manifest])
  const agent = spawn(launcher, ['agent', '--kubeconfig', kubernetes.kubeconfig], { env, stdio: 'ignore' })
  stopAgent = () => void agent.kill('SIGTERM')
  const through: BenchServer = { ...gantry, url: `${origin}/clusters/behind` }
  await answering(through)
  await fill(member)

  const ways = [
    ['direct', direct],
    ['agent', through],
  ] as const
  const figures: Record<string, Record<string, number[]>> = { direct: {}, agent: {} }
  const note = (way: string, name: string, value: number): void => void ((figures[way] ?? {})[name] ??= []).push(value)
  for (let round = 0; round <= rounds; round++) {
    for (const [name, server] of ways) {
      const one = await measure(server, { path: '/api/v1/namespaces/default/configmaps/small', clients: 1, seconds: secondsEach })
      const many = await measure(server, { path: '/api/v1/namespaces/default/configmaps/small', clients: 32, seconds: secondsEach })
      const list = await stream(server, '/api/v1/namespaces/default/configmaps', largeLists)
      const watch = await stream(
        server,
        '/api/v1/namespaces/default/configmaps?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=3',
        1,
      )
      if (round === 0) continue // warming up
      note(name, 'p50 ms, 1 client', one.p50Ms)
      note(name, 'req/s, 32 clients', many.requests / many.seconds)
      note(name, 'req/s a core of the platform', 1_000 / many.cpuPerThousand)
      note(name, 'list MB/s', list.mbPerSecond)
      note(name, 'list MB a CPU second of the platform', list.mbPerCpuSecond)
      note(name, 'watch MB/s', watch.mbPerSecond)
    }
  }
  const middle = (values: readonly number[] = []): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
  for (const name of Object.keys(figures['direct'] ?? {})) {
    const [a, b] = [middle(figures['direct']?.[name]), middle(figures['agent']?.[name])]
    process.stdout.write(`${name.padEnd(38)} direct ${a.toFixed(2).padStart(10)}   agent ${b.toFixed(2).padStart(10)}   ${((b / a) * 100).toFixed(0)} %\n`)
  }
  process.stdout.write(
    `memory of the agent ${Math.round(await residentMb([agent.pid ?? 0]))} MB, of the platform ${Math.round(await residentMb(gantry.serving))} MB\n`,
  )
} finally {
  stopAgent()
  hub.close()
  await gantry[Symbol.asyncDispose]()
  await kubernetes.stop()
  await rm(folder, { recursive: true, force: true })
}

async function answering(server: BenchServer): Promise<void> {
  for (let tries = 0; ; tries++) {
    const connection = new Connection(server)
    try {
      await connection.send('GET', '/version')
      return
    } catch (error) {
      if (tries === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    } finally {
      connection.close()
    }
  }
}

async function fill(server: BenchServer): Promise<void> {
  const connection = new Connection(server)
  const text = (await readFile(import.meta.filename, 'utf8')).repeat(4).slice(0, mapBytes)
  const create = (name: string, data: string): Promise<string> =>
    connection.post('/api/v1/namespaces/default/configmaps', JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { data } }))
  await create('small', 'x')
  for (let at = 0; at < maps; at += 25) await Promise.all(Array.from({ length: 25 }, (_none, by) => create(`map-${at + by}`, text)))
  connection.close()
}

/** Bytes of a path read one time after the other, to the last byte that is not a keep-alive. */
async function stream(server: BenchServer, path: string, times: number): Promise<{ readonly mbPerSecond: number; readonly mbPerCpuSecond: number }> {
  const connection = new Connection(server)
  const cpuBefore = await cpuSeconds(gantry.serving)
  let [bytes, ms] = [0, 0]
  for (let time = 0; time < times; time++) {
    const begunMs = performance.now()
    let lastMs = begunMs
    const answer = connection.open('GET', path)
    for await (const chunk of answer) {
      bytes += (chunk as Buffer).length
      if ((chunk as Buffer).length > 1_024) lastMs = performance.now()
    }
    ms += lastMs - begunMs
  }
  connection.close()
  const cpu = (await cpuSeconds(gantry.serving)) - cpuBefore
  return { mbPerSecond: bytes / 1e6 / (ms / 1_000), mbPerCpuSecond: bytes / 1e6 / cpu }
}
