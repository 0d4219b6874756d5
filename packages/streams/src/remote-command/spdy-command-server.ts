import type { CommandStatus, RemoteCommandStreams } from '../contract.ts'
import type { SpdyHeaders } from '../spdy/header-block.ts'
import { SpdyConnection } from '../spdy/spdy-connection.ts'
import type { SpdyStream } from '../spdy/spdy-stream.ts'
import { pingEveryMs } from '../upgrade/keep-alive.ts'
import { acceptSpdy } from '../upgrade/spdy-upgrade.ts'
import { ClientGone } from './accepted-request.ts'
import type { AcceptedCommand } from './accepted-request.ts'
import { encodeStatus } from './command-status.ts'
import { TerminalSizes } from './terminal-sizes.ts'
import { flush } from './websocket-command-server.ts'

// What upstream's SPDY servers accept. v5 exists on WebSocket only; clients that offer it offer v4 too.
const protocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']
const streamsWithinMs = 30_000

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize'

export async function acceptSpdyCommand({ request, socket, head, options, clock }: AcceptedCommand): Promise<RemoteCommandStreams> {
  const protocol = acceptSpdy(request, socket, protocols)
  const hasResize = options.tty && (protocol === 'v4.channel.k8s.io' || protocol === 'v3.channel.k8s.io')
  const missing = new Set<StreamType>(['error'])
  if (options.stdin) missing.add('stdin')
  if (options.stdout) missing.add('stdout')
  if (options.stderr) missing.add('stderr')
  if (hasResize) missing.add('resize')

  const streams = new Map<StreamType, SpdyStream>()
  const complete = Promise.withResolvers<void>()
  function onStream(headers: SpdyHeaders): ((stream: SpdyStream) => void) | undefined {
    const type = [...missing].find((candidate) => candidate === headers['streamtype'])
    if (type === undefined) return undefined
    missing.delete(type)
    return (stream) => {
      streams.set(type, stream)
      if (missing.size === 0) complete.resolve()
    }
  }
  if (head.length > 0) socket.unshift(head)
  const connection = new SpdyConnection(socket, { clock }, { role: 'server', onStream, pingEveryMs })

  const gone = new AbortController()
  const resizes = new TerminalSizes()
  const destroy = (): void => connection.destroy(new Error('the request was called off'))
  if (request.signal.aborted) destroy()
  request.signal.addEventListener('abort', destroy)
  void connection.closed.then((cause) => {
    request.signal.removeEventListener('abort', destroy)
    resizes.end()
    const error = new ClientGone({ cause })
    gone.abort(error)
    complete.reject(error)
  })
  const cancel = clock.schedule(() => {
    complete.reject(new Error(`the client did not open the streams ${[...missing].join(', ')} within ${streamsWithinMs / 1000} s`))
    connection.close()
  }, streamsWithinMs)
  try {
    await complete.promise
  } finally {
    cancel()
  }

  const [error, stdin, stdout, stderr, resize] = (['error', 'stdin', 'stdout', 'stderr', 'resize'] as const).map((type) => streams.get(type))
  resize?.on('data', (bytes: Buffer) => resizes.push(bytes))
  resize?.on('end', () => resizes.end())
  // Nothing comes on these; reading them lets them end.
  for (const stream of [error, stdout, stderr]) stream?.resume()

  async function finish(status: CommandStatus): Promise<void> {
    await Promise.all([stdout, stderr].filter((output) => output !== undefined).map(flush))
    const bytes = encodeStatus(status, protocol === 'v4.channel.k8s.io' ? 'json' : 'text')
    if (error !== undefined) {
      if (bytes.length > 0) error.write(bytes)
      await flush(error)
    }
    // A client waits for the server's end of every stream it opened.
    for (const stream of [stdin, resize]) stream?.end()
    connection.close()
    await connection.closed
  }
  return { stdin, stdout, stderr, resizes, signal: gone.signal, finish }
}
