import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { cpuSeconds } from './server.ts'
import type { BenchServer } from './server.ts'

export interface Load {
  readonly path: string
  readonly clients: number
  /** Posts this file with `@NAME@` replaced by a new name each time; gets without it. */
  readonly bodyFile?: string | undefined
  /** PATCH: the file is a merge patch, and `@OF100@` in the path goes through 100 names. */
  readonly method?: 'PATCH' | undefined
  /** Default: plain JSON. */
  readonly accept?: string | undefined
  /** What the names begin with; different for every load on the same path. */
  readonly namePrefix?: string | undefined
  readonly seconds: number
}

export interface Measured {
  readonly requests: number
  readonly seconds: number
  readonly bytes: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the processes that serve, per 1,000 requests. */
  readonly cpuPerThousand: number
}

interface WrkLine {
  readonly requests: number
  readonly seconds: number
  readonly bytes: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Compilers and caches get warm and heaps grow in this time; it is not counted. */
const warmUpSeconds = 2

/** Loads one server with wrk: one thread, HTTP/1.1 over TLS with keep-alive. Throws when an answer was not 2xx. */
export async function measure(server: BenchServer, load: Load): Promise<Measured> {
  await wrk(server, { ...load, seconds: warmUpSeconds, namePrefix: `${load.namePrefix}w` })
  const cpuBefore = await cpuSeconds(server.serving)
  const line = await wrk(server, load)
  const cpu = (await cpuSeconds(server.serving)) - cpuBefore
  return { ...line, cpuPerThousand: (cpu / line.requests) * 1000 }
}

async function wrk(server: BenchServer, load: Load): Promise<WrkLine> {
  const { path, clients, bodyFile, namePrefix, seconds, accept = 'application/json', method } = load
  const { origin, pathname } = new URL(server.url)
  const target = `${pathname === '/' ? '' : pathname}${path}`
  const options = ['--threads', '1', '--connections', String(clients), '--duration', `${seconds}s`, '--timeout', '30s']
  const work = bodyFile === undefined ? ['GET', target, server.token, accept] : [method ?? 'POST', target, server.token, accept, bodyFile, namePrefix ?? '']
  const child = spawn('wrk', [...options, '--script', join(import.meta.dirname, 'wrk.lua'), origin, '--', ...work], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = Promise.withResolvers<number | null>()
  child.on('close', exited.resolve)
  child.on('error', (error: NodeJS.ErrnoException) =>
    exited.reject(error.code === 'ENOENT' ? new Error('the bench loads servers with wrk, which is not installed: apt-get install --yes wrk') : error),
  )
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited.promise])
  const json = output.split('\n').find((line) => line.startsWith('{'))
  if (code !== 0 || json === undefined) throw new Error(`wrk ended with ${code}: ${output}${errors}`)
  const line = JSON.parse(json) as WrkLine
  if (line.failed > 0 || line.requests === 0)
    throw new Error(`${server.name} answered ${line.failed} of ${line.requests} requests to ${path} with an error or not at all`)
  return line
}
