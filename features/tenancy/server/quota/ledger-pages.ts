import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { StatusError } from '@gantry/apimachinery'
import type { TurnBudget } from '@gantry/runtime'
import { idOfLine } from './ledger-lines.ts'

/** Lines of a ledger by the id of their record. A page never changes. */
export type Page = ReadonlyMap<string, string>

// So many that one of a full ledger, 300 lines, is packed in 2 ms.
const pages = 64
const linesBetweenPauses = 200
// Far more than a whole ledger may have; a text that was made to be larger is none of ours.
const maxUnpackedBytes = 16 << 20

/** The number of the page that a record stands in: FNV-1a of its id. */
export function pageOf(id: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193)
  return String((hash >>> 0) % pages).padStart(2, '0')
}

export function packPage(page: Page): string {
  return deflateRawSync([...page.values()].join('\n')).toString('base64')
}

/** Throws Invalid when it is none of ours. */
export async function unpackPage(text: string, turns: TurnBudget): Promise<Page> {
  let unpacked: string
  try {
    unpacked = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: maxUnpackedBytes }).toString('utf8')
  } catch (cause) {
    throw new StatusError('Invalid', 'a page of it is no packed text', { cause })
  }
  const page = new Map<string, string>()
  for (const line of unpacked.split('\n')) {
    page.set(idOfLine(line), line)
    if (page.size % linesBetweenPauses === 0) await turns.pause()
  }
  return page
}
