import { goQuote } from '@gantry/apimachinery'

// Cron schedules as robfig/cron's standard parser takes them, which is what upstream uses: five fields, or a descriptor such as `@daily`. Texts are that parser's.

interface Bounds {
  readonly min: number
  readonly max: number
  readonly names?: Readonly<Record<string, number>>
}

const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: numbered(['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], 1) },
  { min: 0, max: 6, names: numbered(['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'], 0) },
]
const descriptors: ReadonlySet<string> = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'])
const every = '@every '

function numbered(names: readonly string[], first: number): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [name, first + index]))
}

/** What is wrong with a schedule; undefined when nothing is. `zoneProblem` judges the time zone that a schedule may start with (`TZ=…`). */
export function cronScheduleProblem(schedule: string, zoneProblem: (zone: string) => string | undefined): string | undefined {
  if (schedule === '') return 'empty spec string'
  let rest = schedule
  if (/^(?:CRON_)?TZ=/.test(rest)) {
    const space = rest.indexOf(' ')
    const start = rest.indexOf('=') + 1
    if (space < 0) return `invalid schedule format: runtime error: slice bounds out of range [:-1]`
    const zone = rest.slice(start, space)
    const problem = zoneProblem(zone)
    if (problem !== undefined) return `provided bad location ${zone}: ${problem}`
    rest = rest.slice(space).trim()
  }
  if (rest.startsWith('@')) return descriptorProblem(rest)
  const given = rest.split(/\s+/).filter((field) => field !== '')
  if (given.length !== fields.length) return `expected exactly ${fields.length} fields, found ${given.length}: [${given.join(' ')}]`
  for (const [index, bounds] of fields.entries()) {
    for (const range of (given[index] ?? '').split(',')) {
      const problem = range === '' ? undefined : rangeProblem(range, bounds)
      if (problem !== undefined) return problem
    }
  }
  return undefined
}

function descriptorProblem(text: string): string | undefined {
  if (descriptors.has(text)) return undefined
  if (!text.startsWith(every)) return `unrecognized descriptor: ${text}`
  const duration = text.slice(every.length)
  const problem = durationProblem(duration)
  return problem === undefined ? undefined : `failed to parse duration ${text}: ${problem}`
}

/** Go's time.ParseDuration: `1h30m`. */
function durationProblem(text: string): string | undefined {
  const unsigned = text.replace(/^[+-]/, '')
  if (unsigned === '0') return undefined
  const invalid = `time: invalid duration ${goQuote(text)}`
  if (unsigned === '') return invalid
  for (let at = 0; at < unsigned.length;) {
    const number = /^(?:\d+\.?\d*|\.\d+)/.exec(unsigned.slice(at))?.[0]
    if (number === undefined) return invalid
    at += number.length
    const unit = /^[^\d.]*/.exec(unsigned.slice(at))?.[0] ?? ''
    if (unit === '') return `time: missing unit in duration ${goQuote(text)}`
    if (!['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h'].includes(unit)) return `time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`
    at += unit.length
  }
  return undefined
}

class NoNumber extends Error {}

function rangeProblem(expression: string, bounds: Bounds): string | undefined {
  const [range = '', stepText, ...moreSteps] = expression.split('/')
  const [low = '', high, ...moreEnds] = range.split('-')
  try {
    const isAll = low === '*' || low === '?'
    const start = isAll ? bounds.min : numberOrName(low, bounds)
    let end = isAll ? bounds.max : high === undefined ? start : moreEnds.length > 0 ? undefined : numberOrName(high, bounds)
    if (end === undefined) return `too many hyphens: ${expression}`
    if (moreSteps.length > 0) return `too many slashes: ${expression}`
    const step = stepText === undefined ? 1 : number(stepText)
    if (stepText !== undefined && high === undefined) end = bounds.max
    if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${expression}`
    if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${expression}`
    if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${expression}`
    return step === 0 ? `step of range should be a positive number: ${expression}` : undefined
  } catch (error) {
    if (error instanceof NoNumber) return error.message
    throw error
  }
}

function numberOrName(text: string, { names }: Bounds): number {
  const named = names?.[text.toLowerCase()]
  return named ?? number(text)
}

const maxInteger = 2n ** 63n - 1n

/** Throws NoNumber with Go's words. */
function number(text: string): number {
  const failed = `failed to parse int from ${text}: strconv.Atoi: parsing ${goQuote(text)}`
  if (!/^[+-]?\d+$/.test(text)) throw new NoNumber(`${failed}: invalid syntax`)
  const value = BigInt(text.replace(/^\+/, ''))
  if (value > maxInteger || value < -maxInteger - 1n) throw new NoNumber(`${failed}: value out of range`)
  if (value < 0n) throw new NoNumber(`negative number (${value}) not allowed: ${text}`)
  return Number(value)
}
