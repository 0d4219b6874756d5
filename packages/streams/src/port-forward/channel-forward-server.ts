import { ClientGone } from '../remote-command/accepted-request.ts'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { join } from '../upgrade/join.ts'
import { ChannelSocket } from '../websocket/channel-socket.ts'
import type { ChannelProtocol } from '../websocket/channel-socket.ts'
import type { ForwardDeps } from './forward-deps.ts'

/**
 * Serves one connection for each of the ports, over two channels each: data and errors. Both begin with the number of the port. Closes when all
 * connections have ended; the protocol cannot tell the end of one.
 */
export async function serveChannelForward(
  webSocket: WebSocket,
  options: { readonly ports: readonly number[]; readonly codec: ChannelProtocol['codec'] },
  deps: ForwardDeps,
): Promise<void> {
  const channelSocket = new ChannelSocket(webSocket, { clock: deps.clock }, { codec: options.codec, hasHalfClose: false })
  const gone = new AbortController()
  const terminate = (): void => channelSocket.terminate()
  deps.signal.addEventListener('abort', terminate)
  if (deps.signal.aborted) terminate()
  void channelSocket.closed.then(() => {
    deps.signal.removeEventListener('abort', terminate)
    gone.abort(new ClientGone())
  })

  await Promise.all(
    options.ports.map(async (port, index) => {
      const data = channelSocket.duplex(index * 2)
      const number = Buffer.alloc(2)
      number.writeUInt16LE(port)
      channelSocket.send(index * 2, number, () => {})
      channelSocket.send(index * 2 + 1, number, () => {})
      const words = await forward(port, data, { deps, signal: gone.signal })
      if (words === undefined || gone.signal.aborted) return
      channelSocket.send(index * 2 + 1, Buffer.from(`error forwarding port ${port} to pod ${deps.target}, uid : ${words}`), () => {})
    }),
  )
  await channelSocket.close()
}

/** Runs one connection to its end; returns what went wrong. */
async function forward(
  port: number,
  data: Duplex,
  { deps, signal }: { readonly deps: ForwardDeps; readonly signal: AbortSignal },
): Promise<string | undefined> {
  let socket: Duplex | undefined
  try {
    socket = await deps.dial(port, signal)
    const local = socket
    signal.addEventListener('abort', () => local.destroy(), { once: true })
    if (signal.aborted) local.destroy()
    // The pod's end is all the end there is: neither side can say that it has finished with one of many connections.
    data.once('finish', () => local.destroy())
    return (await join(local, data))?.message
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    socket?.destroy()
    data.destroy()
  }
}
