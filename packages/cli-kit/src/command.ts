import type { PlatformConnection } from './platform-connection.ts'
import type { Output } from './output.ts'

export interface OptionDefinition {
  readonly type: 'string' | 'boolean'
  readonly description: string
  /** What stands for the value in the help: `FILE`. */
  readonly value?: string
  readonly short?: string
}

/** Values by option name, as given; absent options are absent. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>

export interface CommandInput {
  readonly options: OptionValues
  readonly positionals: readonly string[]
  readonly context: CommandContext
}

/** What a command may use of the world. */
export interface CommandContext {
  readonly signal: AbortSignal
  /** Connects to the running platform with the credential the user has. */
  connect(): Promise<PlatformConnection>
  readFile(path: string): Promise<string>
  /** What was asked for, as it comes (standard output); resolves when more is wanted. For what is too long for an `Output`, or plays in time. */
  print(chunk: string | Uint8Array): Promise<void>
  /** A line to the person before the screen (standard error). */
  note(line: string): void
}

/** One verb of the command line. It returns what is to be shown; printing is the kit's. */
export interface Command {
  /** Words: `cluster import`. */
  readonly name: string
  readonly summary: string
  /** What has to follow: `['NAME']`. One in brackets may be left out: `['[NAME]']`. */
  readonly positionals?: readonly string[]
  readonly options?: Readonly<Record<string, OptionDefinition>>
  /** More for the help: examples. */
  readonly examples?: readonly string[]
  run(input: CommandInput): Promise<Output | undefined>
}

/** The value of a text option. */
export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}
