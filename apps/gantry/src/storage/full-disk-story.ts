import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { loadKubeconfig } from '@gantry/client'

// Runs on a small file system of its own: Gantry as a process on it, through the API alone. Prints what it has found as JSON.
const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: full-disk-story.ts FOLDER')

const main = join(import.meta.dirname, '..', 'main.ts')
const data = join(folder, 'data')
const ballast = join(folder, 'ballast')
const leftBytes = 2 << 20
const collection = '/api/v1/namespaces/default/configmaps'

interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: { readonly kind?: string; readonly reason?: string; readonly message?: string; readonly items?: readonly { metadata: { name: string } }[] }
}

interface Gantry {
  readonly send: (method: string, path: string, body?: unknown) => Promise<Answer>
  readonly kill: () => Promise<void>
}

async function start(): Promise<Gantry> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', main, 'up', '--data', data, '--listen', `127.0.0.1:${port}`, '--node', 'none'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  process.on('exit', () => child.kill('SIGKILL'))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let said = ''
  const ready = Promise.withResolvers<void>()
  const listen = (chunk: Buffer): void => {
    said += chunk.toString()
    if (/^ready\b/m.test(said)) ready.resolve()
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.once('exit', () => ready.reject(new Error(`gantry ended; it said:\n${said}`)))
  await ready.promise
  const server = /(https:\/\/\S+)\/console/.exec(said)?.[1] ?? ''
  const { transport } = loadKubeconfig(readFileSync(join(data, 'admin.kubeconfig'), 'utf8'))
  return {
    async send(method, path, body) {
      const answered = Promise.withResolvers<Answer>()
      const headers = { authorization: `Bearer ${transport.token?.() ?? ''}`, 'content-type': 'application/json' }
      // This machine's own process on loopback.
      const sent = request(`${server}${path}`, { method, headers, rejectUnauthorized: false }, (response) => {
        text(response).then(
          (all) => answered.resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body: bodyOf(all) }),
          answered.reject,
        )
      })
      sent.on('error', answered.reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
      return answered.promise
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((done, failed) => listener.once('error', failed).listen(0, '127.0.0.1', done))
  const { port: free } = listener.address() as AddressInfo
  await new Promise((done) => listener.close(done))
  return free
}

function bodyOf(all: string): Answer['body'] {
  return all.startsWith('{') ? (JSON.parse(all) as Answer['body']) : {}
}

function fill(): void {
  const { bavail, bsize } = statfsSync(folder!)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)))
}

const acknowledged: string[] = []
let next = 0

async function write(gantry: Gantry): Promise<Answer> {
  const name = `full-${next++}`
  const answer = await gantry.send('POST', collection, { metadata: { name }, data: { filling: 'x'.repeat(100_000) } })
  if (answer.status === 201) acknowledged.push(name)
  return answer
}

async function requireAll(gantry: Gantry): Promise<void> {
  const { status, body } = await gantry.send('GET', collection)
  assert.equal(status, 200)
  const found = new Set(body.items?.map(({ metadata }) => metadata.name))
  for (const name of acknowledged) assert.ok(found.has(name), `${name} is lost`)
}

async function untilRefused(gantry: Gantry): Promise<Answer> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await write(gantry)
    if (answer.status !== 201) return answer
  }
  throw new Error('the disk did not get full')
}

// One and the same: with another address the kubeconfig in the data folder would have to be written, on a full disk.
const port = await freePort()
let gantry = await start()
fill()
const refusal = await untilRefused(gantry)
await requireAll(gantry)
const whileFull = {
  readyz: (await gantry.send('GET', '/readyz')).status,
  dryRun: (await gantry.send('POST', `${collection}?dryRun=All`, { metadata: { name: 'dry' } })).status,
}
// In the middle of writes that are refused, on a disk that stays full.
const late = Array.from({ length: 8 }, () => write(gantry).catch(() => undefined))
await Promise.race(late)
await gantry.kill()
await Promise.all(late)
gantry = await start()
await requireAll(gantry)
const again = await untilRefused(gantry)
rmSync(ballast)
const resumed = (await write(gantry)).status
await requireAll(gantry)
await gantry.kill()
process.stdout.write(JSON.stringify({ refusal, again: again.status, whileFull, resumed, acknowledged: acknowledged.length }))
process.exit(0)
