import type { Duplex, Readable, Writable } from 'node:stream'
import type { CommandStatus, TerminalSize } from '@gantry/streams'

/** A command that runs in a container, as its caller holds it. */
export interface RemoteCommand {
  readonly stdin?: Writable | undefined
  readonly stdout?: Readable | undefined
  readonly stderr?: Readable | undefined
  resize(size: TerminalSize): void
  /** How it ended. Rejects when the connection broke before that. */
  readonly status: Promise<CommandStatus>
}

export interface RemoteCommandFlags {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
  readonly signal: AbortSignal
}

/** Speaks to the runtime's streaming server. */
export interface StreamDialer {
  command(url: string, flags: RemoteCommandFlags): Promise<RemoteCommand>
  port(url: string, port: number, signal: AbortSignal): Promise<Duplex>
}

/** Over SPDY/3.1, as every runtime's streaming server speaks it. Loaded by its first use. */
export const spdyDialer: StreamDialer = {
  async command(url, flags) {
    const { dialRemoteCommand } = await import('@gantry/streams')
    return dialRemoteCommand(url, flags)
  },
  async port(url, port, signal) {
    const { dialPortForward } = await import('@gantry/streams')
    return dialPortForward(url, port, signal)
  },
}
