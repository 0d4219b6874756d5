import type { Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { systemClock } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import type { CommandStatus, TerminalSize } from '../contract.ts'
import type { SpdyStream } from '../spdy/spdy-stream.ts'
import { dialSpdy } from '../upgrade/dial-spdy.ts'
import type { SpdyDialed } from '../upgrade/dial-spdy.ts'
import { decodeStatus } from './command-status.ts'
import type { StatusForm } from './command-status.ts'
import { encodeSize } from './terminal-sizes.ts'

const protocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']
const statusLimitBytes = 64 << 10

export interface RemoteCommandClientOptions {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
  /** Ends the conversation, also after it has begun. */
  readonly signal: AbortSignal
  readonly clock?: Clock | undefined
}

/** The client's side of one exec or attach. */
export interface RemoteCommandClient {
  /** Ending it closes the command's standard input. */
  readonly stdin?: Writable | undefined
  /** Read it (or `resume()` it): without a reader the whole conversation stands still. */
  readonly stdout?: Readable | undefined
  readonly stderr?: Readable | undefined
  /** Does nothing when the server's protocol has no terminal sizes. */
  resize(size: TerminalSize): void
  /** How the command ended. Rejects when the connection broke before that was known. */
  readonly status: Promise<CommandStatus>
}

/** Opens an exec or attach on a CRI streaming server (or any Kubernetes server of it) over SPDY/3.1. */
export async function dialRemoteCommand(url: string | URL, options: RemoteCommandClientOptions): Promise<RemoteCommandClient> {
  const dialed = await dialSpdy(url, { clock: options.clock ?? systemClock }, { protocols, signal: options.signal })
  try {
    return await openStreams(dialed, options)
  } catch (error) {
    dialed.connection.close()
    throw error
  }
}

async function openStreams({ connection, protocol }: SpdyDialed, options: RemoteCommandClientOptions): Promise<RemoteCommandClient> {
  const hasStatusObject = protocol === 'v4.channel.k8s.io'
  const hasResize = hasStatusObject || protocol === 'v3.channel.k8s.io'
  const open = (streamType: string, isWanted: boolean): Promise<SpdyStream> | undefined => (isWanted ? connection.open({ streamtype: streamType }) : undefined)
  // Upstream's order. All before any data: servers begin when all are there, and drop what comes before a stream is accepted.
  const [error, stdin, stdout, stderr, resize] = await Promise.all([
    open('error', true),
    open('stdin', options.stdin),
    open('stdout', options.stdout),
    open('stderr', options.stderr && !options.tty),
    open('resize', options.tty && hasResize),
  ])
  if (error === undefined) throw new Error('no error stream')
  // As upstream, nothing is written that need not be, not even an end: to a command that is over already it would break the connection with what has not been read of it.
  for (const input of [stdin, resize]) input?.resume()
  const status = statusOf(error, hasStatusObject ? 'json' : 'text')
  // It is awaited by whoever wants it; the connection ends either way.
  status.catch(() => {})
  void Promise.allSettled([status, ...[stdout, stderr].map(ended)]).then(() => connection.close())
  return {
    stdin,
    stdout,
    stderr,
    resize(size) {
      if (resize !== undefined && !resize.wasReset && resize.writable) resize.write(encodeSize(size))
    },
    status,
  }
}

async function statusOf(error: SpdyStream, form: StatusForm): Promise<CommandStatus> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of error.iterator({ destroyOnReturn: false })) {
      if (!Buffer.isBuffer(chunk)) continue
      size += chunk.length
      if (size > statusLimitBytes) throw new Error(`its status is longer than ${statusLimitBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    throw new Error(`the connection broke before the command ended: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  // An error stream that ends without a word means success before v4; since then there is always a status.
  if (form === 'json' && size === 0) throw new Error('the connection ended before the command did')
  return decodeStatus(Buffer.concat(chunks), form)
}

function ended(output: Readable | undefined): Promise<void> {
  return output === undefined ? Promise.resolve() : finished(output, { writable: false })
}
