import { connect, constants, type ClientHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import { transportError } from '@gantry/client'
import type { Clock, Logger } from '@gantry/runtime'
import { defaultHeartbeat, keepHeartbeat, type HeartbeatOptions } from './heartbeat.ts'
import { connectionWindowBytes, maxHeaderBytes, maxHeaderCount, maxSessionMemoryMib, streamWindowBytes, tunnelAuthority } from './protocol.ts'

/** One connection that an agent has made to us; we are its HTTP/2 client. */
export interface TunnelConnection {
  readonly session: ClientHttp2Session
  /** Streams in use: the next request takes the connection with the fewest. */
  streams: number
  readonly lossOf: () => Error
}

export interface TunnelDeparture {
  readonly at: Date
  /** Why, for people. */
  readonly why: string
}

export interface TunnelOptions {
  /** `cluster "x"`, for messages. */
  readonly subject: string
  readonly heartbeat?: HeartbeatOptions | undefined
  /** Told when a connection has come or gone. */
  readonly onChange?: (() => void) | undefined
}

/** A third one would only be one more to keep alive: when it comes, the oldest is taken to be dead. */
const maxConnections = 2

/** The connections of one member's agent: at most two, so that one may die. Requests go over the one with the fewest streams. */
export class Tunnel {
  readonly #deps: { readonly clock: Clock; readonly log: Logger }
  readonly #options: TunnelOptions
  readonly #connections: TunnelConnection[] = []
  #departure: TunnelDeparture | undefined

  constructor(deps: { readonly clock: Clock; readonly log: Logger }, options: TunnelOptions) {
    this.#deps = deps
    this.#options = options
  }

  get size(): number {
    return this.#connections.length
  }

  /** When and why the last connection went that has gone. */
  get departure(): TunnelDeparture | undefined {
    return this.#departure
  }

  /** Takes over a socket: answers its upgrade with `head` and asks from then on. Resolves when the connection has ended. */
  async serve(socket: Duplex, head: string): Promise<void> {
    const { clock, log } = this.#deps
    const { subject, onChange } = this.#options
    if (!(await written(socket, head))) return
    const oldest = this.#connections[0]
    if (oldest !== undefined && this.#connections.length >= maxConnections) this.#end(oldest, 'a newer connection of its agent took its place')

    const session = connect(`http://${tunnelAuthority}`, {
      createConnection: () => socket,
      settings: { initialWindowSize: streamWindowBytes, enablePush: false, maxHeaderListSize: maxHeaderBytes },
      maxSessionMemory: maxSessionMemoryMib,
      maxHeaderListPairs: maxHeaderCount,
      maxReservedRemoteStreams: 0,
    })
    let why: string | undefined
    const connection: TunnelConnection = {
      session,
      streams: 0,
      lossOf: () => transportError('ConnectionLost', `the agent of ${subject} has gone: ${why ?? 'the connection ended'}`),
    }
    this.#reasons.set(connection, (reason) => (why ??= reason))
    const closed = Promise.withResolvers<void>()
    session.once('close', () => closed.resolve())
    session.on('error', (error) => (why ??= explain(error)))
    session.on('goaway', (code, _last, data) => {
      why ??= wordsOf(data) ?? `it said goodbye (HTTP/2 code ${code})`
      this.#remove(connection)
    })
    const readBytes = (): number => Number(Reflect.get(socket, 'bytesRead') ?? 0)
    using _heartbeat = keepHeartbeat(
      {
        clock,
        session,
        bytesRead: readBytes,
        onSilence: () => this.#end(connection, `it gave no sign of life for ${(this.#options.heartbeat ?? defaultHeartbeat).timeoutMs / 1_000} s`),
      },
      this.#options.heartbeat,
    )
    // Before its settings are here it may be anything: a request would wait for them.
    session.once('remoteSettings', () => {
      if (session.destroyed || session.closed) return
      session.setLocalWindowSize(connectionWindowBytes)
      this.#connections.push(connection)
      onChange?.()
    })
    try {
      await closed.promise
    } finally {
      this.#reasons.delete(connection)
      this.#departure = { at: clock.now(), why: why ?? 'the connection ended without a goodbye: something between the two may have cut it' }
      this.#remove(connection)
      log.info('a connection of an agent ended', { of: subject, why: this.#departure.why })
      onChange?.()
    }
  }

  readonly #reasons = new Map<TunnelConnection, (reason: string) => void>()

  /** The connection for the next request; undefined when there is none. */
  pick(): TunnelConnection | undefined {
    let best: TunnelConnection | undefined
    for (const connection of this.#connections) {
      // One that has just been destroyed tells so a turn later.
      if (connection.session.destroyed || connection.session.closed) continue
      if (best === undefined || connection.streams < best.streams) best = connection
    }
    return best
  }

  /** Ends every connection, and what runs over it, now. The agent is told `why`. */
  close(why: string): void {
    for (const connection of this.#reasons.keys()) this.#end(connection, why)
  }

  #end(connection: TunnelConnection, why: string): void {
    this.#reasons.get(connection)?.(why)
    this.#remove(connection)
    const { session } = connection
    if (session.destroyed) return
    session.goaway(constants.NGHTTP2_NO_ERROR, 0, Buffer.from(why))
    session.destroy()
  }

  #remove(connection: TunnelConnection): void {
    const at = this.#connections.indexOf(connection)
    if (at !== -1) this.#connections.splice(at, 1)
  }
}

/**
 * Resolves when the socket itself has done with the bytes; false when it is gone. HTTP/2 takes a socket over below its JavaScript: a write that is still on its way would report
 * its end to the session, and Node ends the process for that.
 */
async function written(socket: Duplex, text: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const onClose = (): void => resolve(false)
  socket.once('close', onClose)
  if (socket.destroyed) return false
  socket.write(text, 'latin1', (error) => resolve(error === undefined || error === null))
  try {
    return (await promise) && !socket.destroyed
  } finally {
    socket.off('close', onClose)
  }
}

function explain(error: Error): string {
  const code: unknown = Reflect.get(error, 'code')
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was reset'
    case 'ERR_HTTP2_ERROR':
    case 'ERR_HTTP2_SESSION_ERROR':
      return `what it sent is no HTTP/2 that this side takes (${error.message})`
    default:
      return `the connection failed: ${error.message}`
  }
}

const longestGoodbye = 200

/** What the other side says at its end: text of a stranger's. */
export function wordsOf(data: Uint8Array | undefined): string | undefined {
  if (data === undefined || data.byteLength === 0) return undefined
  return Buffer.from(data)
    .toString('utf8', 0, longestGoodbye)
    .replaceAll(/\p{Cc}/gu, ' ')
}
