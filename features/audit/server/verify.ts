import { basename } from 'node:path'
import { turnBudgetOn } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import { chainStart, type AuditHead, type VerifyReport } from '../api/index.ts'
import { listSegments, type Segment } from './audit-log.ts'
import { follows, headOfLine } from './chain.ts'
import { blocksOf, linesIn } from './search.ts'

export interface VerifyOptions {
  /** Places that were kept elsewhere: their records have to be there, as they were. */
  readonly anchors?: readonly AuditHead[] | undefined
  readonly signal: AbortSignal
}

/** Goes along the whole chain, from the oldest record that is kept. Stops at the first one that does not follow. */
export async function verifySegments(deps: { readonly clock: Clock }, segments: readonly Segment[], options: VerifyOptions): Promise<VerifyReport> {
  const budget = turnBudgetOn(deps.clock)
  const anchors = new Map(options.anchors?.map(({ seq, hash }) => [seq, hash]))
  let from: AuditHead | undefined
  let last: AuditHead | undefined
  let records = 0
  const broken = (segment: Segment, line: number, seq: number | undefined, message: string): VerifyReport => ({
    intact: false,
    segments: segments.length,
    records,
    from,
    to: last,
    problem: { segment: basename(segment.file), line, seq, message },
  })
  for (const segment of segments) {
    let number = 0
    for await (const { bytes } of blocksOf(segment, { direction: 'oldestFirst', offset: undefined, signal: options.signal })) {
      for (const { start, end } of linesIn(bytes)) {
        const wait = budget.pause()
        if (wait !== undefined) await wait
        number++
        const line = bytes.subarray(start, end)
        const head = headOfLine(line)
        // Torn by a crash, or just being written: whoever opens the log closes it.
        if (head === undefined && end === bytes.length && !segment.isSealed) continue
        if (head === undefined) return broken(segment, number, undefined, 'this is no record')
        if (number === 1) {
          const first = firstOf(line)
          if (first === undefined || head.seq !== segment.firstSeq) return broken(segment, number, head.seq, 'it is not the first record of this segment')
          if (first.problem !== undefined) return broken(segment, number, head.seq, `the segment before was found damaged: ${first.problem}`)
          if (last === undefined) {
            // The oldest that is kept: what it says of the one before is all that is known of it.
            if (head.seq === 1 && first.previous !== chainStart) return broken(segment, number, head.seq, 'the first record of all names one before it')
            last = { seq: head.seq - 1, hash: first.previous }
          } else if (first.previous !== last.hash) return broken(segment, number, head.seq, 'it does not name the last record of the segment before')
        }
        if (last === undefined || head.seq !== last.seq + 1)
          return broken(segment, number, head.seq, `it should be number ${(last?.seq ?? 0) + 1}: records are missing or were put in`)
        if (!follows(line, last.hash, head.hash))
          return broken(segment, number, head.seq, 'its hash does not follow: this record or the one before was changed')
        const anchor = anchors.get(head.seq)
        if (anchor !== undefined && anchor !== head.hash)
          return broken(segment, number, head.seq, 'it is not the record that was here when the anchor was taken')
        anchors.delete(head.seq)
        from ??= head
        last = head
        records++
      }
    }
  }
  const unchecked = [...anchors.keys()].filter((seq) => from !== undefined && seq < from.seq)
  const later = [...anchors.keys()].find((seq) => seq > (last?.seq ?? 0))
  const end = segments.at(-1)
  if (later !== undefined && end !== undefined) return broken(end, 0, later, 'the record of the anchor is missing: the log was cut short')
  return { intact: true, segments: segments.length, records, from, to: last, ...(unchecked.length > 0 && { unchecked }) }
}

/** The same for a folder that no Gantry has open, or of which a copy was made. */
export async function verifyFolder(deps: { readonly clock: Clock }, dir: string, options: VerifyOptions): Promise<VerifyReport> {
  const segments = await listSegments(dir)
  return verifySegments(
    deps,
    segments.map(({ file, firstSeq, bytes }, at) => ({ file, firstSeq, bytes, isSealed: at < segments.length - 1 })),
    options,
  )
}

function firstOf(line: Buffer): { readonly previous: string; readonly problem: string | undefined } | undefined {
  let value: unknown
  try {
    value = JSON.parse(line.toString('utf8'))
  } catch {
    return undefined
  }
  const { note, previous, problem } = value as { readonly note?: unknown; readonly previous?: unknown; readonly problem?: unknown }
  if (note !== 'segment' || typeof previous !== 'string') return undefined
  return { previous, problem: typeof problem === 'string' ? problem : undefined }
}
