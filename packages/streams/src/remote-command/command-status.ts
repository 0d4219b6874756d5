import type { CommandStatus } from '../contract.ts'

// k8s.io/apimachinery pkg/util/remotecommand: what exec says about a command that ended with another code than 0.
const exitCodeReason = 'NonZeroExitCode'
const exitCodeCause = 'ExitCode'

/** Whether the error channel carries a Status object (v4 and later) or, before, the text of an error and nothing on success. */
export type StatusForm = 'json' | 'text'

/** The bytes for the error channel; none when there is nothing to say. */
export function encodeStatus(status: CommandStatus, form: StatusForm): Buffer {
  if (form === 'json') return Buffer.from(JSON.stringify(statusObject(status)))
  return Buffer.from(status.status === 'Success' ? '' : messageOf(status))
}

/** Reads what a server put on the error channel. */
export function decodeStatus(bytes: Buffer, form: StatusForm): CommandStatus {
  const text = bytes.toString()
  if (form === 'text') return text === '' ? { status: 'Success' } : { status: 'Failure', reason: 'InternalError', message: text }
  if (text === '') return { status: 'Success' }
  return readStatusObject(text)
}

function statusObject(status: CommandStatus): object {
  if (status.status === 'Success') return { metadata: {}, status: 'Success' }
  const failure = { metadata: {}, status: 'Failure', message: messageOf(status) }
  if (status.exitCode !== undefined) {
    return { ...failure, reason: exitCodeReason, details: { causes: [{ reason: exitCodeCause, message: String(status.exitCode) }] } }
  }
  if ((status.reason ?? 'InternalError') !== 'InternalError') return { ...failure, reason: status.reason }
  return { ...failure, reason: 'InternalError', details: { causes: [{ message: messageOf(status).replace(/^Internal error occurred: /, '') }] }, code: 500 }
}

function messageOf({ message, exitCode }: CommandStatus): string {
  if (message !== undefined) return message
  if (exitCode === undefined) return 'Internal error occurred: unknown error'
  return `command terminated with non-zero exit code: command terminated with exit code ${exitCode}`
}

function readStatusObject(text: string): CommandStatus {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { status: 'Failure', reason: 'InternalError', message: `the error channel holds no Status: ${text.slice(0, 200)}` }
  }
  const status = field(value, 'status')
  if (status === 'Success') return { status }
  const causes = field(field(value, 'details'), 'causes')
  const cause: unknown = Array.isArray(causes) ? causes.find((candidate) => field(candidate, 'reason') === exitCodeCause) : undefined
  const code = Number(field(cause, 'message'))
  const hasCode = cause !== undefined && Number.isInteger(code) && code >= 0 && code <= 255
  return {
    status: 'Failure',
    reason: textOf(field(value, 'reason')) ?? 'InternalError',
    message: textOf(field(value, 'message')) ?? 'the server gave no message',
    ...(hasCode ? { exitCode: code } : {}),
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
