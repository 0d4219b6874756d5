// One process of the bench: a thousand watchers of one object, over twenty HTTP/2 connections or a thousand HTTP/1.1 ones, and its writer. Prints one line of JSON. Started by run.ts.
import { Agent, request } from 'node:https'
import type { Readable } from 'node:stream'
import { Connection, statusOf } from './connection.ts'
import type { Endpoint } from './connection.ts'

export interface FanOutTask extends Endpoint {
  readonly namespace: string
  readonly watchers: number
  /** HTTP/2 connections that the watchers share; 0: each has an HTTP/1.1 connection of its own. */
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
  const agent = new Agent({ maxSockets: Infinity, rejectUnauthorized: false })
  const open = (at: number): Promise<Readable> => {
    const connection = connections[at % connections.length]
    return connection === undefined ? watchH1(task, path, agent) : watchH2(connection, path)
  }
  const numbers = Array.from({ length: task.watchers }, (_, at) => at).values()
  async function lane(): Promise<void> {
    for (const number of numbers) {
      const stream = await open(number)
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
    }
  }
  // New TLS connections come a hundred at a time: more would wait for each other in the backlog.
  await Promise.all(Array.from({ length: task.connections === 0 ? 100 : task.watchers }, lane))
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
  agent.destroy()
  return { openedMs, events, seconds, pacedP50Ms: quantile(latencies, 0.5), pacedP99Ms: quantile(latencies, 0.99) }
}

async function watchH2(connection: Connection, path: string): Promise<Readable> {
  const stream = connection.open('GET', path)
  stream.on('error', () => {})
  const status = await statusOf(stream)
  if (status !== 200) throw new Error(`a watch was answered with ${status}`)
  return stream
}

function watchH1(task: FanOutTask, path: string, agent: Agent): Promise<Readable> {
  const { promise, resolve, reject } = Promise.withResolvers<Readable>()
  const headers = { authorization: `Bearer ${task.token}`, accept: 'application/json', 'user-agent': 'gantry-bench/1' }
  request(`${task.url}${path}`, { agent, headers }, (response) => {
    response.on('error', () => {})
    if (response.statusCode === 200) resolve(response)
    else reject(new Error(`a watch was answered with ${response.statusCode}`))
  })
    .on('error', reject)
    .end()
  return promise
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
