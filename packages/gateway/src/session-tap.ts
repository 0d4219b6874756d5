import type { Clock, UserInfo } from '@gantry/runtime'
import { turnBudgetOn } from '@gantry/runtime'
import { createCommandDecoder } from '@gantry/streams'
import type { CommandDecoder, CommandStatus, TerminalSize } from '@gantry/streams'
import type { ClusterRequest } from './cluster-request.ts'

/** An exec or attach that has begun. */
export interface CommandSession {
  readonly auditId: string
  readonly user: UserInfo | undefined
  readonly target: ClusterRequest
  readonly startedAt: Date
}

/** Takes recordings of what people see in exec and attach. */
export interface SessionRecorder {
  /** Undefined: this one is not recorded. */
  begin(session: CommandSession): SessionRecording | undefined
}

/** One recording. Times are milliseconds since the session began; nothing here waits or throws. */
export interface SessionRecording {
  readonly id: string
  /** Why it takes nothing more; undefined as long as it does. */
  readonly cut: string | undefined
  output(atMs: number, stream: 'stdout' | 'stderr', bytes: Buffer): void
  /** Absent: what is typed is not recorded. */
  readonly input?: ((atMs: number, bytes: Buffer) => void) | undefined
  resize(atMs: number, size: TerminalSize): void
  status(status: CommandStatus): void
  /** The session has ended, or it cannot be followed any further. */
  end(atMs: number, cut: string | undefined): void
}

interface Heard {
  readonly from: 'client' | 'server'
  readonly atMs: number
  readonly bytes: Buffer
}

/** What may wait to be decoded: the session is not held up by its recording. */
const waitingBytesLimit = 8 << 20

/** Decodes a copy of a session for its recording, in turns that leave the event loop to others. */
export class SessionTap {
  readonly #clock: Clock
  readonly #recording: SessionRecording
  readonly #decoder: CommandDecoder | undefined
  readonly #beganMs: number
  #waiting: Heard[] = []
  #waitingBytes = 0
  #atMs = 0
  #working: Promise<void> | undefined
  #cut: string | undefined

  constructor(clock: Clock, recording: SessionRecording, answer: ReadonlyMap<string, string>) {
    this.#clock = clock
    this.#recording = recording
    this.#beganMs = clock.monotonicMs()
    this.#decoder = createCommandDecoder(answer, {
      onOutput: (stream, bytes) => recording.output(this.#atMs, stream, bytes),
      onInput: recording.input === undefined ? undefined : (bytes) => recording.input?.(this.#atMs, bytes),
      onResize: (size) => recording.resize(this.#atMs, size),
      onStatus: (status) => recording.status(status),
    })
    if (this.#decoder === undefined) this.#stop('its protocol is not known')
  }

  /** Why the recording ends before the session does. */
  get cut(): string | undefined {
    return this.#cut ?? this.#recording.cut
  }

  hear(from: Heard['from'], bytes: Buffer): void {
    if (this.cut !== undefined) return
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > waitingBytesLimit) {
      this.#stop('it came faster than it could be recorded')
      return
    }
    this.#waiting.push({ from, atMs: this.#nowMs(), bytes })
    this.#working ??= this.#work()
  }

  /** The session has ended. Resolves when all of it is with the recording. */
  async end(): Promise<void> {
    const atMs = this.#nowMs()
    while (this.#working !== undefined) await this.#working
    this.#recording.end(atMs, this.#cut)
  }

  async #work(): Promise<void> {
    // Not in the call of who reads or writes the socket.
    await new Promise<void>((resolve) => setImmediate(resolve))
    const budget = turnBudgetOn(this.#clock)
    while (this.#waiting.length > 0) {
      const heard = this.#waiting
      this.#waiting = []
      for (const { from, atMs, bytes } of heard) {
        await budget.pause()
        if (this.cut !== undefined) break
        this.#waitingBytes -= bytes.length
        this.#atMs = atMs
        this.#decode(from, bytes)
      }
    }
    this.#working = undefined
  }

  #decode(from: Heard['from'], bytes: Buffer): void {
    try {
      if (from === 'client') this.#decoder?.fromClient(bytes)
      else this.#decoder?.fromServer(bytes)
    } catch (error) {
      this.#stop(`it cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #stop(cut: string): void {
    this.#cut ??= cut
    this.#waiting = []
  }

  #nowMs(): number {
    return this.#clock.monotonicMs() - this.#beganMs
  }
}
