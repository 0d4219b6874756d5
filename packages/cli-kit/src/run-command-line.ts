import { parseArgs } from 'node:util'
import type { Command, CommandContext, OptionDefinition, OptionValues } from './command.ts'
import { formatOutput, outputFormats, parseFormat } from './output.ts'
import { explainConnectionError } from './platform-connection.ts'
import { nearest, UsageError } from './usage-error.ts'

export interface CommandLine {
  /** The program's name in the help: `gantry`. */
  readonly program: string
  readonly summary: string
  readonly commands: readonly Command[]
  /** Options every command has. */
  readonly globalOptions: Readonly<Record<string, OptionDefinition>>
}

export interface CommandLineDeps {
  readonly context: (options: OptionValues) => CommandContext
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Called for an error that is no answer to the user: a bug. */
  readonly onBug?: ((error: unknown) => void) | undefined
}

const helpOption: OptionDefinition = { type: 'boolean', short: 'h', description: 'Show this help' }
const outputOption: OptionDefinition = { type: 'string', short: 'o', value: 'FORMAT', description: `How to print: ${outputFormats.join(', ')}` }

/** Runs one command line and returns the exit code: 0, 1 when the command failed or its answer is no, 2 when the line cannot be understood. Every failure is one line. */
export async function runCommandLine(line: CommandLine, argv: readonly string[], deps: CommandLineDeps): Promise<number> {
  try {
    const found = findCommand(line, argv)
    if (found === undefined) {
      deps.out(overview(line))
      return 0
    }
    const { command, rest } = found
    const options = { ...line.globalOptions, ...command.options, output: outputOption, help: helpOption }
    const { values, positionals } = parse(command, options, rest)
    if (values['help'] === true) {
      deps.out(helpOf(line, command, options))
      return 0
    }
    const format = parseFormat(typeof values['output'] === 'string' ? values['output'] : undefined)
    checkPositionals(line, command, positionals)
    const output = await command.run({ options: values, positionals, context: deps.context(values) })
    if (output !== undefined) deps.out(formatOutput(output, format))
    return output?.kind === 'text' ? (output.exitCode ?? 0) : 0
  } catch (error) {
    const explained = explainConnectionError(error)
    const message = explained instanceof Error ? explained.message : String(explained)
    deps.err(`error: ${message.replaceAll(/\s*\n\s*/g, '; ')}\n`)
    if (error instanceof UsageError) return 2
    if (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError) deps.onBug?.(error)
    return 1
  }
}

/** Words of the longest name of a command: `access providers test`. */
const longestName = 3

function findCommand(line: CommandLine, argv: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  const [first, second] = argv
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') return undefined
  const byName = new Map(line.commands.map((command) => [command.name, command]))
  for (let words = longestName; words > 0; words--) {
    const command = words > argv.length ? undefined : byName.get(argv.slice(0, words).join(' '))
    if (command !== undefined) return { command, rest: argv.slice(words) }
  }
  const verbs = line.commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.slice(first.length + 1))
  if (verbs.length > 0) {
    if (second === undefined || second.startsWith('-')) throw new UsageError(`"${line.program} ${first}" needs one of: ${verbs.join(', ')}`)
    const meant = nearest(second, verbs)
    throw new UsageError(
      `unknown command "${first} ${second}"${meant === undefined ? `: it is one of ${verbs.join(', ')}` : `: did you mean "${first} ${meant}"?`}`,
    )
  }
  const words = new Set(line.commands.map(({ name }) => name.split(' ')[0] ?? ''))
  const meant = nearest(first, words)
  throw new UsageError(`unknown command "${first}"${meant === undefined ? `: "${line.program} help" shows what there is` : `: did you mean "${meant}"?`}`)
}

function parse(
  command: Command,
  options: Readonly<Record<string, OptionDefinition>>,
  argv: readonly string[],
): { readonly values: OptionValues; readonly positionals: readonly string[] } {
  const known = Object.fromEntries(Object.entries(options).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]))
  // Not strict: Node's own messages for what is wrong do not say what was meant.
  const { values, positionals, tokens } = parseArgs({ args: [...argv], options: known, allowPositionals: true, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const definition = options[token.name]
    if (definition === undefined) {
      const meant = nearest(token.name, Object.keys(options))
      throw new UsageError(`unknown option "${token.rawName}" of "${command.name}"${meant === undefined ? '' : `: did you mean "--${meant}"?`}`)
    }
    if (definition.type === 'string' && (token.value === undefined || token.value === ''))
      throw new UsageError(`the option "${token.rawName}" needs a value (${definition.value ?? 'TEXT'})`)
    if (definition.type === 'string' && !token.inlineValue && token.value?.startsWith('-') === true && token.value.length > 1) {
      throw new UsageError(`the option "${token.rawName}" needs a value (${definition.value ?? 'TEXT'}), "${token.value}" looks like another option`)
    }
    if (definition.type === 'boolean' && token.value !== undefined) throw new UsageError(`the option "${token.rawName}" takes no value`)
  }
  return { values: values as OptionValues, positionals }
}

function checkPositionals(line: CommandLine, command: Command, given: readonly string[]): void {
  const wanted = command.positionals ?? []
  const needed = wanted.filter((name) => !name.startsWith('['))
  const missing = needed[given.length]
  if (missing !== undefined) throw new UsageError(`"${line.program} ${command.name}" needs ${missing}: ${line.program} ${command.name} ${wanted.join(' ')}`)
  const extra = given[wanted.length]
  if (extra !== undefined)
    throw new UsageError(`"${extra}" is too much for "${line.program} ${command.name}${wanted.length === 0 ? '' : ` ${wanted.join(' ')}`}"`)
}

function overview(line: CommandLine): string {
  const width = Math.max(...line.commands.map(usageLength))
  const rows = line.commands.map((command) => `  ${usageOf(command).padEnd(width)}  ${command.summary}\n`).join('')
  return `${line.summary}\n\nUsage: ${line.program} COMMAND [OPTIONS]\n\n${rows}\n"${line.program} COMMAND --help" says more about one.\n`
}

function usageOf(command: Command): string {
  return [command.name, ...(command.positionals ?? [])].join(' ')
}

function usageLength(command: Command): number {
  return usageOf(command).length
}

function helpOf(line: CommandLine, command: Command, options: Readonly<Record<string, OptionDefinition>>): string {
  const rows = Object.entries(options).map(([name, { short, value, type, description }]) => ({
    left: `${short === undefined ? '    ' : `-${short}, `}--${name}${type === 'string' ? ` ${value ?? 'TEXT'}` : ''}`,
    description,
  }))
  const width = Math.max(...rows.map(({ left }) => left.length))
  const examples = (command.examples ?? []).map((example) => `  ${example}\n`).join('')
  return [
    `${command.summary}\n\nUsage: ${line.program} ${usageOf(command)} [OPTIONS]\n\nOptions:\n`,
    ...rows.map(({ left, description }) => `  ${left.padEnd(width)}  ${description}\n`),
    examples === '' ? '' : `\nExamples:\n${examples}`,
  ].join('')
}
