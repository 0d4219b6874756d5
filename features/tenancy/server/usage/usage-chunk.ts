import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'
import { StatusError } from '@gantry/apimachinery'
import type { TurnBudget } from '@gantry/runtime'
import type { UsageStep } from '../../api/index.ts'

/** Of a resource in one step of time, in its base unit: cores, bytes, or how many. Means of the time in which somebody looked; `peak` is the largest that was seen. */
export interface UsageValue {
  readonly reserved: number
  readonly used: number
  readonly peak: number
}

/** What is followed through time. No word of it holds a space. */
export interface UsageSeries {
  readonly project: string
  /** Of the Project: another one may have had its name. */
  readonly uid: string
  readonly cluster: string
  readonly resource: string
}

/** Some time of a tenant's history: values of its series by slot; a slot is one step, counted from the epoch. */
export interface UsageChunk {
  /** The first slot it may hold. */
  readonly start: number
  /** Slots in which somebody looked, in order. */
  readonly taken: number[]
  /** By key, and then by slot. */
  readonly series: Map<string, { readonly of: UsageSeries; readonly values: Map<number, UsageValue> }>
}

export const stepMs: Readonly<Record<UsageStep, number>> = { '5m': 300_000, '1h': 3_600_000, '1d': 86_400_000 }
export const slotOf = (step: UsageStep, timeMs: number): number => Math.floor(timeMs / stepMs[step])
export const keyOfSeries = ({ project, uid, cluster, resource }: UsageSeries): string => `${project} ${uid} ${cluster} ${resource}`

const linesBetweenPauses = 20
const maxUnpackedBytes = 64 << 20
const pack = promisify(deflateRaw)
const unpack = promisify(inflateRaw)

/*
 * Packed lines of text. The first has the slots in which somebody looked, counted from the start; each other one a series, with one word for each of these: `-` nothing, `=` as before, otherwise
 * `reserved/used/peak`, without what is as the number before it.
 *
 *   0,1,2
 *   shop 7c9e… prod requests.cpu 4/1.2 = 4/2
 */

export async function packChunk({ start, taken, series }: UsageChunk, turns: TurnBudget): Promise<string> {
  const lines = [taken.map((slot) => slot - start).join(',')]
  for (const [key, { values }] of series) {
    let before = '-'
    const words = taken.map((slot) => {
      const value = values.get(slot)
      const word = value === undefined ? '-' : wordOf(value)
      const short = word === before ? '=' : word
      before = word
      return short
    })
    lines.push(`${key} ${words.join(' ')}`)
    if (lines.length % linesBetweenPauses === 0) await turns.pause()
  }
  return (await pack(lines.join('\n'))).toString('base64')
}

/** Throws Invalid when it is none of ours. */
export async function unpackChunk(text: string, start: number, turns: TurnBudget): Promise<UsageChunk> {
  let unpacked: string
  try {
    unpacked = (await unpack(Buffer.from(text, 'base64'), { maxOutputLength: maxUnpackedBytes })).toString('utf8')
  } catch (cause) {
    throw new StatusError('Invalid', 'it is no packed text', { cause })
  }
  const [slots = '', ...lines] = unpacked.split('\n')
  const taken = slots === '' ? [] : slots.split(',').map((slot) => start + whole(slot))
  const series: UsageChunk['series'] = new Map()
  for (const [index, line] of lines.entries()) {
    const [project = '', uid = '', cluster = '', resource = '', ...words] = line.split(' ')
    const values = new Map<number, UsageValue>()
    let before: UsageValue | undefined
    for (const [at, word] of words.entries()) {
      const value = word === '=' ? before : word === '-' ? undefined : valueOf(word)
      const slot = taken[at]
      if (value !== undefined && slot !== undefined) values.set(slot, value)
      before = value
    }
    const of = { project, uid, cluster, resource }
    series.set(keyOfSeries(of), { of, values })
    if (index % linesBetweenPauses === 0) await turns.pause()
  }
  return { start, taken, series }
}

function wordOf({ reserved, used, peak }: UsageValue): string {
  return used === peak ? (reserved === used ? String(reserved) : `${reserved}/${used}`) : `${reserved}/${used}/${peak}`
}

function valueOf(word: string): UsageValue {
  const [reserved = Number.NaN, used = reserved, peak = used] = word.split('/').map(Number)
  if (!Number.isFinite(reserved + used + peak)) throw new StatusError('Invalid', `"${word.slice(0, 40)}" is no value`)
  return { reserved, used, peak }
}

function whole(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new StatusError('Invalid', `"${text.slice(0, 40)}" is no slot`)
  return number
}
