import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { CommandStatus, RemoteCommandStreams } from '../contract.ts'
import { acceptWebSocket, chooseSubprotocol } from '../websocket/accept-websocket.ts'
import { ChannelSocket } from '../websocket/channel-socket.ts'
import type { ChannelProtocol } from '../websocket/channel-socket.ts'
import { ClientGone } from './accepted-request.ts'
import type { AcceptedCommand } from './accepted-request.ts'
import { encodeStatus } from './command-status.ts'
import type { StatusForm } from './command-status.ts'
import { TerminalSizes } from './terminal-sizes.ts'

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const

// A client that names no subprotocol speaks the first, unnumbered one.
const protocols: Readonly<Record<string, ChannelProtocol & { readonly statusForm: StatusForm }>> = {
  'v5.channel.k8s.io': { codec: 'binary', hasHalfClose: true, statusForm: 'json' },
  'v4.channel.k8s.io': { codec: 'binary', hasHalfClose: false, statusForm: 'json' },
  'v3.channel.k8s.io': { codec: 'binary', hasHalfClose: false, statusForm: 'text' },
  'v2.channel.k8s.io': { codec: 'binary', hasHalfClose: false, statusForm: 'text' },
  'channel.k8s.io': { codec: 'binary', hasHalfClose: false, statusForm: 'text' },
  'v4.base64.channel.k8s.io': { codec: 'base64', hasHalfClose: false, statusForm: 'json' },
  'v3.base64.channel.k8s.io': { codec: 'base64', hasHalfClose: false, statusForm: 'text' },
  'v2.base64.channel.k8s.io': { codec: 'base64', hasHalfClose: false, statusForm: 'text' },
  'base64.channel.k8s.io': { codec: 'base64', hasHalfClose: false, statusForm: 'text' },
  '': { codec: 'binary', hasHalfClose: false, statusForm: 'text' },
}

export function acceptWebSocketCommand({ request, socket, head, options, clock }: AcceptedCommand): RemoteCommandStreams {
  const name = chooseSubprotocol(request, socket, Object.keys(protocols))
  const { statusForm, ...protocol } = protocols[name]!
  const channelSocket = new ChannelSocket(acceptWebSocket(request, socket, head, name), { clock }, protocol)

  const stdin = options.stdin ? channelSocket.reader(channels.stdin) : undefined
  const stdout = options.stdout ? channelSocket.writer(channels.stdout) : undefined
  const stderr = options.stderr ? channelSocket.writer(channels.stderr) : undefined
  const resizes = new TerminalSizes()
  channelSocket.reader(channels.resize).on('data', (bytes: Buffer) => resizes.push(bytes))
  // An empty message on the lowest channel that is written tells the client that the connection stands.
  const greeting = options.stdout ? channels.stdout : options.stderr ? channels.stderr : channels.error
  channelSocket.send(greeting, Buffer.alloc(0), () => {})

  const gone = new AbortController()
  const outputs = [stdout, stderr].filter((output) => output !== undefined)
  const terminate = (): void => channelSocket.terminate()
  if (request.signal.aborted) terminate()
  request.signal.addEventListener('abort', terminate)
  void channelSocket.closed.then(() => {
    request.signal.removeEventListener('abort', terminate)
    resizes.end()
    gone.abort(new ClientGone())
    for (const output of outputs) output.destroy(new ClientGone())
  })

  async function finish(status: CommandStatus): Promise<void> {
    await Promise.all(outputs.map(flush))
    const bytes = encodeStatus(status, statusForm)
    if (bytes.length > 0) channelSocket.send(channels.error, bytes, () => {})
    await channelSocket.close()
  }
  return { stdin, stdout, stderr, resizes, signal: gone.signal, finish }
}

/** Resolves when everything written has left, or cannot leave any more. */
export async function flush(output: Writable): Promise<void> {
  output.end()
  // A client that has gone takes no output; that is told by the signal.
  await finished(output, { readable: false }).catch(() => {})
}
