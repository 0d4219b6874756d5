// One process of the bench: a thousand watchers of one object over twenty HTTP/2 connections, and its writer. Prints one line of JSON. Started by run.ts.
import { Connection, statusOf } from './connection.ts'
import type { Endpoint } from './connection.ts'

export interface FanOutTask extends Endpoint {
  readonly namespace: string
  readonly watchers: number
  readonly connections: number
  readonly writes: number
  readonly pacedPerSecond: number
  readonly pacedSeconds: number
}

export interface FanOut {
  readonly openedMs: number
  readonly events: number
  readonly seconds: number
  readonly pacedP50Ms: number
  readonly pacedP99Ms: number
}

/** Nothing for this long, and an event is lost. */
const silenceMs = 15_000
const warmUpWrites = 20

async function fanOut(task: FanOutTask): Promise<FanOut> {
  const collection = `/api/v1/namespaces/${task.namespace}/configmaps`
  const writer = new Connection(task)
  const created = JSON.parse(await writer.post(collection, beat('0'))) as { readonly metadata: { readonly resourceVersion: string } }
  const connections = Array.from({ length: task.connections }, () => new Connection(task))
  const sentAt = new Map<string, number>()
  let latencies: number[] = []
  let received = 0
  let wake = (): void => {}

  const path = `${collection}?watch=1&fieldSelector=metadata.name%3Dbeat&resourceVersion=${created.metadata.resourceVersion}`
  const openedAt = performance.now()
  await Promise.all(
    Array.from({ length: task.watchers }, async (_, at) => {
      const stream = connections[at % connections.length]?.open('GET', path)
      if (stream === undefined) throw new Error('no connection')
      let rest = ''
      stream.setEncoding('latin1')
      stream.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        const now = performance.now()
        for (const line of lines) {
          const from = line.indexOf('"beat":"') + 8
          const sent = sentAt.get(line.slice(from, line.indexOf('"', from)))
          if (sent !== undefined) latencies.push(now - sent)
        }
        received += lines.length
        wake()
      })
      stream.on('error', () => {})
      const status = await statusOf(stream)
      if (status !== 200) throw new Error(`a watch was answered with ${status}`)
    }),
  )
  const openedMs = performance.now() - openedAt

  let written = 0
  async function write(): Promise<void> {
    const number = String(++written)
    sentAt.set(number, performance.now())
    await writer.send('PATCH', `${collection}/beat`, { text: JSON.stringify({ data: { beat: number } }), contentType: 'application/merge-patch+json' })
  }
  async function allReceived(): Promise<void> {
    while (received < written * task.watchers) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const silent = setTimeout(() => reject(new Error(`${received} of ${written * task.watchers} events came, then none for ${silenceMs} ms`)), silenceMs)
      wake = resolve
      await promise
      clearTimeout(silent)
    }
  }

  for (let count = 0; count < warmUpWrites; count++) await write()
  await allReceived()
  const before = received
  const begun = performance.now()
  for (let count = 0; count < task.writes; count++) await write()
  await allReceived()
  const seconds = (performance.now() - begun) / 1000
  const events = received - before

  latencies = []
  for (let count = 0; count < task.pacedPerSecond * task.pacedSeconds; count++) {
    const due = performance.now() + 1000 / task.pacedPerSecond
    await write()
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
  }
  await allReceived()
  latencies.sort((a, b) => a - b)
  for (const connection of [writer, ...connections]) connection.close()
  return { openedMs, events, seconds, pacedP50Ms: quantile(latencies, 0.5), pacedP99Ms: quantile(latencies, 0.99) }
}

function beat(number: string): string {
  return JSON.stringify({ metadata: { name: 'beat' }, data: { beat: number, padding: 'x'.repeat(1_500) } })
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

if (import.meta.main) {
  const task = JSON.parse(process.argv[2] ?? '') as FanOutTask
  process.stdout.write(`${JSON.stringify(await fanOut(task))}\n`)
}
