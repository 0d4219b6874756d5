import type { Clock } from './clock.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

/** One JSON object a line. The message is a constant (so that it can be counted), what varies stands in the fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger
}

const weight: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 }

/** An error as log fields: message and reason chain, and the stack only where the error has no Kubernetes reason (a bug, not an answer). */
function describeError(error: Error): unknown {
  const reason: unknown = Reflect.get(error, 'reason')
  return {
    message: error.message,
    ...(typeof reason === 'string' ? { reason } : { stack: error.stack }),
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
  }
}

export function createLogger(
  deps: { readonly clock: Clock; readonly write: (line: string) => void },
  options: { readonly level: LogLevel; readonly fields?: LogFields },
): Logger {
  function log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (weight[level] < weight[options.level]) return
    const line = { time: deps.clock.now().toISOString(), level, message, ...options.fields, ...fields }
    deps.write(`${JSON.stringify(line, (_key, value: unknown) => (value instanceof Error ? describeError(value) : value))}\n`)
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    with: (fields) => createLogger(deps, { level: options.level, fields: { ...options.fields, ...fields } }),
  }
}

/** A logger that says nothing. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
}
