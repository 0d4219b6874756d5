import type { Readable, Writable } from 'node:stream'

/** The streams of one exec or attach, whatever protocol carried them (WebSocket channels v1–v5 or SPDY/3.1): the server's side. */
export interface RemoteCommandStreams {
  /** Ends when the client closes its standard input. Absent when the request did not ask for it. */
  readonly stdin?: Readable | undefined
  readonly stdout?: Writable | undefined
  /** Absent with a terminal. */
  readonly stderr?: Writable | undefined
  /** Terminal sizes in characters, newest wins. */
  readonly resizes: AsyncIterable<TerminalSize>
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  /** Sends the final Status on the error channel, flushes the output and closes the connection. Call it once, last. */
  finish(status: CommandStatus): Promise<void>
}

export interface TerminalSize {
  readonly width: number
  readonly height: number
}

/** What exec ends with: `{status: 'Success'}`, or reason `NonZeroExitCode` with cause `ExitCode`, or an InternalError. */
export interface CommandStatus {
  readonly status: 'Success' | 'Failure'
  readonly reason?: string | undefined
  readonly message?: string | undefined
  readonly exitCode?: number | undefined
}
