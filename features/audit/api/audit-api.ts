import type { AuditHead, AuditRecord } from './audit-record.ts'

/** `GET /platform/v1/audit?…`: newest first. */
export interface AuditPage {
  readonly items: readonly AuditRecord[]
  /** Give it back as `continue` to go on, also when this page is empty: a page ends after so much reading as well. Absent: there is nothing more. */
  readonly continue?: string | undefined
}

/** `GET /platform/v1/audit/verify` */
export interface VerifyReport {
  /** Whether every record stands where and as it was written. */
  readonly intact: boolean
  readonly segments: number
  readonly records: number
  /** The first and the last record that were read. */
  readonly from?: AuditHead | undefined
  readonly to?: AuditHead | undefined
  /** Numbers of anchors whose records retention has removed. */
  readonly unchecked?: readonly number[] | undefined
  /** The first place where it breaks. */
  readonly problem?: { readonly segment: string; readonly line: number; readonly seq?: number | undefined; readonly message: string } | undefined
}

/** How far the log was sent on to another system, since Gantry started. */
export interface ForwardingStatus {
  /** The last record that has arrived. */
  readonly seq: number
  /** Records that wait on the disk. */
  readonly behind: number
  readonly sent: number
  /** Removed by retention before they could be sent. */
  readonly lost: number
  /** Refused for good. */
  readonly rejected: number
  /** Why it does not go on just now. */
  readonly error?: string | undefined
}

/** `GET /platform/v1/audit/status` */
export interface AuditStatus {
  readonly head: AuditHead
  readonly segments: number
  readonly bytes: number
  /** Requests that could not be kept and are not on record yet. */
  readonly lost: number
  readonly forwarding?: ForwardingStatus | undefined
}

export const auditPath = '/platform/v1/audit'
export const longestPage = 500

/** `SEQ:HASH`, as people keep it. */
export function formatHead({ seq, hash }: AuditHead): string {
  return `${seq}:${hash}`
}

/** Undefined when it is none. */
export function parseHead(text: string): AuditHead | undefined {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim())
  return match === null ? undefined : { seq: Number(match[1]), hash: match[2] ?? '' }
}
