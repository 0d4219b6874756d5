/** One line of the audit log. Long-running requests (watches, logs, exec) have two: `started` when the answer begins and `ended`. Never holds a secret. */
export interface AuditEvent {
  readonly time: string
  readonly auditID: string
  readonly stage: 'complete' | 'started' | 'ended'
  readonly user?: string | undefined
  readonly groups?: readonly string[] | undefined
  readonly credential?: string | undefined
  readonly sourceIP?: string | undefined
  readonly userAgent?: string | undefined
  readonly method: string
  /** Path and query; values of secret-bearing parameters are replaced. */
  readonly uri: string
  readonly decision: 'allow' | 'deny' | 'pass'
  readonly reason?: string | undefined
  readonly status: number
  readonly latencyMs: number
}

export interface AuditSink {
  write(event: AuditEvent): void
}

const secretParameter = /(^|&)([^=&]*(?:token|secret|password|authorization|api[-_]?key|credential)[^=&]*)=[^&]*/gi
const uriLength = 4_096

/** Path and query as the audit log shows them. */
export function auditUri(path: string, query: string): string {
  const uri = query === '' ? path : `${path}?${query.replaceAll(secretParameter, '$1$2=redacted')}`
  return uri.length > uriLength ? `${uri.slice(0, uriLength)}…` : uri
}
