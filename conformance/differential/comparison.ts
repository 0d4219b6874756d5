import { isJsonObject } from '@gantry/apimachinery'
import type { Json } from '../src/json.ts'
import type { Answer } from '../src/target.ts'
import { withoutPositions } from './trials.ts'

/** One thing in which two answers differ. */
export interface Deviation {
  /** What sort of difference, and at which field: differences that are alike have the same. */
  readonly sort: string
  readonly real: string
  readonly ours: string
}

const shownLength = 6000
/** Of one pair of answers no more than this many places are told. */
const maxPlaces = 4

/** In what our answer differs from the real one, apart from what each server makes up by itself; `generateName` is that of the request. */
export function deviations(real: Answer, ours: Answer, generateName?: unknown): readonly Deviation[] {
  const [theirs, own] = [comparable(real, generateName), comparable(ours, generateName)]
  if (theirs.code !== own.code) return [{ sort: `code ${theirs.code} and not ${own.code}`, real: summary(theirs.json), ours: summary(own.json) }]
  const found = [...inWarnings(theirs.warnings, own.warnings)]
  if (theirs.json?.kind === 'Status' && own.json?.kind === 'Status') found.push(...inStatus(theirs.json, own.json))
  else found.push(...inObject(theirs.json, own.json))
  return found
}

/** The answer's causes in their order: where it varies from one time to the next, a Go map decides. */
export function causeOrder({ json }: Answer): string {
  return JSON.stringify((json?.details?.causes ?? []).map(({ field, reason, message }: Json) => [field, reason, normalText(message ?? '')]))
}

interface Comparable {
  readonly code: number
  readonly warnings: readonly string[]
  readonly json: Json
}

/** A generated name has its end by chance. */
const generatedLength = 5

function comparable(answer: Answer, generateName: unknown): Comparable {
  if (typeof generateName !== 'string' || generateName === '') return comparableOf(answer)
  const start = generateName.slice(0, 63 - generatedLength).replace(/[^\w]/g, String.raw`\$&`)
  const text = answer.text.replaceAll(new RegExp(`${start}[bcdfghjklmnpqrstvwxz2456789]{${generatedLength}}\\b`, 'g'), 'GENERATED')
  return comparableOf({ ...answer, text, json: parse(text) })
}

function parse(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function comparableOf({ code, headers, text, json }: Answer): Comparable {
  const warning = headers['warning'] ?? []
  return {
    code,
    warnings: [warning].flat().map(normalText),
    json: json === undefined ? normalText(text) : normal(Array.isArray(json.items) ? namesOf(json) : json),
  }
}

/** Of a list, what has been selected. */
function namesOf({ kind, items }: Json): Json {
  return { kind, items: items.map(({ metadata }: Json) => metadata.name).sort() }
}

/** Without what is made up by one server: ids, times, addresses, ports, the ends of names, addresses of memory. */
function normal(value: Json): Json {
  if (typeof value === 'string') return normalText(value)
  if (Array.isArray(value)) return value.map(normal)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [normalText(key), normalField(key, item)]))
}

function normalField(key: string, value: Json): Json {
  if (key === 'resourceVersion' && value !== '1') return 'VERSION'
  if (key.endsWith('odePort')) return port(value)
  // Their order follows times, which the runs do not share.
  if (key === 'managedFields' && Array.isArray(value))
    return value
      .map((entry) => JSON.stringify(normal(entry)))
      .sort()
      .map((entry) => JSON.parse(entry))
  // Of what a user may do, in the order of a map.
  if ((key === 'resourceRules' || key === 'nonResourceRules') && Array.isArray(value)) return value.map((rule) => JSON.stringify(rule)).sort()
  return normal(value)
}

function port(value: unknown): unknown {
  return typeof value === 'number' && value >= 30_000 && value <= maxNodePort && !givenPorts.has(value) ? 'PORT' : value
}

/** A dry run makes up ports past the end of the range. */
const maxNodePort = 32_999
/** Those that manifests name. */
const givenPorts = new Set([30_000, 32_767, 30_080, 30_090])

function normalText(text: string): string {
  return sortedErrors(text)
    .replace(/kube-api-access-\w{5}\b/g, 'kube-api-access-x')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UID')
    .replace(
      /\b20(?!01-02-03|30-01-01)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g,
      (_time, fraction: string | undefined) => `TIME${fraction === undefined ? '' : '.FRACTION'}`,
    )
    .replace(/10\.96\.\d+\.\d+/g, 'ADDRESS')
    .replace(/0x[0-9a-f]{9,}/g, 'POINTER')
    .replace(/(resourceVersion\\*":\\*")\d+/g, '$1VERSION')
    .replace(/X509SHA256=[0-9a-f]{64}/g, 'X509SHA256')
}

/** What is wrong with the types of an apply comes a line each, in the order of a map. */
function sortedErrors(text: string): string {
  const [head = '', list] = text.split(': errors:\n', 2)
  return list === undefined ? text : [`${head}: errors:`, ...list.split('\n').sort()].join('\n')
}

function inWarnings(real: readonly string[], ours: readonly string[]): Deviation[] {
  if (JSON.stringify(real) === JSON.stringify(ours)) return []
  return [{ sort: 'warnings', real: cut(real.join('\n')), ours: cut(ours.join('\n')) }]
}

function inStatus(real: Json, ours: Json): Deviation[] {
  const found: Deviation[] = []
  const causes = (status: Json): string[] => (status.details?.causes ?? []).map(({ reason, field, message }: Json) => `${reason} ${field}: ${message}`)
  const [theirs, own] = [causes(real), causes(ours)]
  const missing = without(theirs, own)
  const extra = without(own, theirs)
  if (missing.length > 0 || extra.length > 0) {
    // The same field and reason on both sides: it is the text that differs.
    const head = (cause: string): string => cause.slice(0, cause.indexOf(': '))
    const first = missing[0] ?? extra[0] ?? ''
    const what = missing.length === 0 ? 'cause too many' : extra.some((cause) => head(cause) === head(first)) ? 'text of cause' : 'cause missing'
    return [{ sort: `${what} ${withoutPositions(withoutKeys(head(first)))}`, real: cut(missing.join('\n')), ours: cut(extra.join('\n')) }]
  }
  if (JSON.stringify(theirs) !== JSON.stringify(own)) return [{ sort: 'order of causes', real: cut(theirs.join('\n')), ours: cut(own.join('\n')) }]
  for (const field of ['reason', 'message'])
    if (real[field] !== ours[field]) found.push({ sort: field, real: cut(String(real[field])), ours: cut(String(ours[field])) })
  const rest = ({ details: { causes: _causes, ...details } = {}, reason: _reason, message: _message, ...status }: Json): Json => ({ ...status, details })
  return [...found, ...inObject(rest(real), rest(ours))]
}

function without(items: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return items.filter((item) => {
    const at = left.indexOf(item)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

function withoutKeys(path: string): string {
  return path.replace(/\[[^\]\d][^\]]*\]/g, '[KEY]')
}

function inObject(real: Json, ours: Json): Deviation[] {
  const found: Deviation[] = []
  const visit = (theirs: Json, own: Json, path: string): void => {
    if (found.length >= maxPlaces) return
    if (isJsonObject(theirs) && isJsonObject(own)) {
      for (const key of new Set([...Object.keys(theirs), ...Object.keys(own)])) visit(theirs[key], own[key], `${path}.${key}`)
      return
    }
    if (Array.isArray(theirs) && Array.isArray(own) && theirs.length === own.length) {
      for (const [at, item] of theirs.entries()) visit(item, own[at], `${path}[]`)
      return
    }
    if (JSON.stringify(theirs) !== JSON.stringify(own))
      found.push({ sort: `object at ${path.slice(1)}`, real: cut(JSON.stringify(theirs) ?? 'absent'), ours: cut(JSON.stringify(own) ?? 'absent') })
  }
  visit(real, ours, '')
  return found
}

function summary(json: Json): string {
  return cut(json?.kind === 'Status' ? `${json.reason}: ${json.message}` : `${json?.kind ?? json}`)
}

function cut(text: string): string {
  return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text
}
