import { createHash, hash } from 'node:crypto'
import type { AuditHead } from '../api/index.ts'

const hashStart = ',"hash":"'
const lineEnd = '"}'
const hashLength = 64
const suffixLength = hashStart.length + hashLength + lineEnd.length

/** A record as a line of the log (with its newline), and its hash. `json` is an object that has neither `seq` nor `hash`. */
export function sealRecord(json: string, previous: AuditHead): { readonly line: string; readonly head: AuditHead } {
  const seq = previous.seq + 1
  const open = `{"seq":${seq},${json.slice(1, -1)}`
  const own = hash('sha256', `${previous.hash}${open}`)
  return { line: `${open}${hashStart}${own}${lineEnd}\n`, head: { seq, hash: own } }
}

/** What a line (without its newline) says of its place in the chain; undefined when it is no record. */
export function headOfLine(line: Buffer): AuditHead | undefined {
  const match = line.length > suffixLength ? /^\{"seq":(\d{1,15}),/.exec(line.toString('latin1', 0, 32)) : null
  const suffix = line.toString('latin1', Math.max(0, line.length - suffixLength))
  if (match === null || !suffix.startsWith(hashStart) || !suffix.endsWith(lineEnd)) return undefined
  const own = suffix.slice(hashStart.length, -lineEnd.length)
  return /^[0-9a-f]{64}$/.test(own) ? { seq: Number(match[1]), hash: own } : undefined
}

/** Whether the hash of a record is the one that follows from the record before and from what it says. */
export function follows(line: Buffer, previousHash: string, own: string): boolean {
  return (
    createHash('sha256')
      .update(previousHash)
      .update(line.subarray(0, line.length - suffixLength))
      .digest('hex') === own
  )
}
