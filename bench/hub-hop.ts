// node tools/run.js bench/hub-hop.ts: a real cluster that is the platform's hub, reached directly and through the platform, in turn, in one run. Needs Go (once) and wrk.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { Connection } from './connection.ts'
import { installRelease, startGantryServer } from './gantry-server.ts'
import { residentMb, type BenchServer } from './server.ts'
import { measure } from './wrk.ts'

const rounds = 3
const secondsEach = 4
const path = '/api/v1/namespaces/default/configmaps/small'

const folder = await mkdtemp(join(tmpdir(), 'gantry-hub-hop-'))
const kubernetes = await startKubernetes({ dir: join(folder, 'kubernetes') })
const gantry = await startGantryServer(await installRelease(folder), { args: ['--hub-kubeconfig', kubernetes.kubeconfig] })
try {
  const { apiserver, etcd } = kubernetes.pids
  const direct: BenchServer = {
    ...gantry,
    name: 'kubernetes',
    url: kubernetes.server,
    token: kubernetes.tokens.admin,
    serving: etcd === undefined ? [apiserver] : [apiserver, etcd],
  }
  const connection = new Connection(direct)
  await connection.post(
    '/api/v1/namespaces/default/configmaps',
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'small' }, data: { data: 'x' } }),
  )
  connection.close()
  const figures = new Map<string, { readonly direct: number[]; readonly through: number[] }>()
  for (let round = 0; round <= rounds; round++) {
    for (const [way, server] of [
      ['direct', direct],
      ['through', gantry],
    ] as const) {
      const one = await measure(server, { path, clients: 1, seconds: secondsEach })
      const many = await measure(server, { path, clients: 32, seconds: secondsEach })
      if (round === 0) continue // warming up
      note('get, p50 ms, 1 client', way, one.p50Ms)
      note('get, p50 ms, 32 clients', way, many.p50Ms)
      note('get, req/s, 32 clients', way, many.requests / many.seconds)
      note('get, ms of CPU each, of who is asked', way, many.cpuPerThousand)
    }
  }
  for (const [name, { direct: a, through: b }] of figures)
    process.stdout.write(`${name.padEnd(38)} direct ${middle(a).toFixed(2).padStart(10)}   through the platform ${middle(b).toFixed(2).padStart(10)}\n`)
  process.stdout.write(`the platform: ready after ${Math.round(gantry.readyMs)} ms, ${Math.round(await residentMb(gantry.serving))} MB\n`)

  function note(name: string, way: 'direct' | 'through', value: number): void {
    let figure = figures.get(name)
    if (figure === undefined) figures.set(name, (figure = { direct: [], through: [] }))
    figure[way].push(value)
  }
} finally {
  await gantry[Symbol.asyncDispose]()
  await kubernetes.stop()
  await rm(folder, { recursive: true, force: true })
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
