import { Connection } from './connection.ts'
import { fill } from './fill.ts'
import { middle, type Figure, type Sample } from './figures.ts'
import { importMember } from './member.ts'
import { configMapBody } from './objects.ts'
import { cpuSeconds, type BenchServer } from './server.ts'
import { measure } from './wrk.ts'

export type Compare = (
  figure: Pick<Figure, 'name' | 'unit' | 'better' | 'target'>,
  ways: readonly BenchServer[],
  sample: (way: BenchServer, round: number) => Promise<Sample>,
) => Promise<void>

export interface HopOptions {
  readonly seconds: number
  /** Of the stream: ConfigMaps of 16 KiB. */
  readonly streamed: number
  /** How many times in a row it is read for one sample. */
  readonly reads: number
}

const namespace = 'bench-hop'
const streamNamespace = 'bench-hop-stream'
const path = `/api/v1/namespaces/${namespace}/configmaps/small`
// Ends with the bookmark that says that everything there is has come.
const watch = `/api/v1/namespaces/${streamNamespace}/configmaps?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan`
const lastOfInitialEvents = 'k8s.io/initial-events-end'

/**
 * The way to a member: directly, and through the gateway, with the same load. Twice: a real cluster, whose API server needs most of this machine, and another Gantry, which needs
 * so little that the gateway is what is measured. Processor time is that of the process in the middle: directly, of who answers. Returns what it says of the targets.
 */
export async function measureHop(
  gateway: BenchServer,
  members: readonly { readonly name: string; readonly title: string; readonly server: BenchServer }[],
  { compare, options }: { readonly compare: Compare; readonly options: HopOptions },
): Promise<readonly string[]> {
  const facts: string[] = []
  for (const { name, title, server } of members) {
    const through = await importMember(gateway, server, name)
    await prepare(server, options)
    // The table has two columns, whoever the member is.
    const ways: readonly BenchServer[] = [{ ...server, name: 'kubernetes' }, through]
    const p50: Record<BenchServer['name'], Sample[]> = { kubernetes: [], gantry: [] }
    await compare({ name: `Get ConfigMap of a member, 1 client: ${title} directly, and through Gantry`, unit: 'ms', better: 'less' }, ways, async (way) => {
      const { p50Ms, p99Ms, cpuPerThousand } = await measure(way, { path, clients: 1, seconds: options.seconds })
      p50[way.name].push({ value: p50Ms })
      return { value: p50Ms, p50Ms, p99Ms, cpuPerThousand }
    })
    const cpu: Sample[] = []
    await compare({ name: `Get ConfigMap of a member, 32 clients: ${title} directly, and through Gantry`, unit: '/s', better: 'more' }, ways, async (way) => {
      const { requests, seconds, p50Ms, p99Ms, cpuPerThousand } = await measure(way, { path, clients: 32, seconds: options.seconds })
      if (way === through) cpu.push({ value: cpuPerThousand })
      return { value: requests / seconds, p50Ms, p99Ms, cpuPerThousand }
    })
    await compare(
      { name: `Watch of a member, its initial events: ${title} directly, and through Gantry`, unit: 'MB/s', better: 'more', target: 0.8 },
      ways,
      async (way) => {
        const cpuBefore = await cpuSeconds(way.serving)
        const { megabytes, seconds } = await readWatch(way, options.reads)
        return { value: megabytes / seconds, cpuPerThousand: (((await cpuSeconds(way.serving)) - cpuBefore) / megabytes) * 1_000 }
      },
    )
    const added = middle(p50.gantry, 'less').value - middle(p50.kubernetes, 'less').value
    const perCore = Math.round(1_000 / middle(cpu, 'less').value).toLocaleString('en-US')
    facts.push(
      `The hop to a member that is ${title} adds ${added.toFixed(2)} ms at p50 (target ≤ 0.3 ms); a core of the gateway carries ${perCore} such requests/s (target ≥ 3,000).`,
    )
  }
  return facts
}

async function prepare(server: BenchServer, { streamed }: HopOptions): Promise<void> {
  const connection = new Connection(server)
  for (const name of [namespace, streamNamespace]) await connection.post('/api/v1/namespaces', JSON.stringify({ metadata: { name } }))
  await connection.post(`/api/v1/namespaces/${namespace}/configmaps`, configMapBody('small'))
  connection.close()
  const text = 'the quick brown fox jumps over the lazy dog, '.repeat(400).slice(0, 16 << 10)
  await fill(server, {
    collection: `/api/v1/namespaces/${streamNamespace}/configmaps`,
    count: streamed,
    body: (name) => JSON.stringify({ metadata: { name }, data: { text } }),
  })
}

/** Opens the watch `times` times, one after the other, and reads each until it has said everything that is there. */
async function readWatch(server: BenchServer, times: number): Promise<{ readonly megabytes: number; readonly seconds: number }> {
  const connection = new Connection(server)
  const begunMs = performance.now()
  let bytes = 0
  for (let time = 0; time < times; time++) {
    const answer = connection.open('GET', watch)
    let tail = ''
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 2_048))).slice(-2_048)
      if (tail.includes(lastOfInitialEvents)) break // which closes the stream
    }
    if (!tail.includes(lastOfInitialEvents)) throw new Error(`the watch of ${server.name} ended before its initial events did: ${tail.slice(0, 300)}`)
  }
  connection.close()
  return { megabytes: bytes / 1e6, seconds: (performance.now() - begunMs) / 1_000 }
}
