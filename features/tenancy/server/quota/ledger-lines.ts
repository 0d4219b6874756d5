import { formatQuantity, parseQuantity, StatusError, type Quantity } from '@gantry/apimachinery'
import { canonicalKey, sameAmounts, type Amounts } from './amounts.ts'
import { idOf, type Mode, type NamespaceRecord, type QuotaRecord, type ScopeRecord } from './quota-book.ts'

/*
 * A ledger's entry is one line of text, which people can read in the object, and which costs the hub nothing to check.
 *
 *   scope <project> <parent> <uid> <hold> <since> <mode> <closed> <clusters> <place|resource>=<quantity>,…
 *   gone <id of one of these>
 *   namespace <project> <cluster> <namespace> <uid> <hold> <since> <generation> <bound> <reserved> <target>
 *
 * `-` is nothing; `=` in place of reserved or target says that it is the amount before it.
 */

export function lineOf(record: QuotaRecord): string {
  const { kind, project, uid, hold, sinceMs } = record
  const common = [text(uid), text(hold), String(sinceMs)]
  const words =
    record.kind === 'scope'
      ? [text(record.parent), ...common, text(record.mode), text(record.closed), text(record.clusters?.join(',')), amountsText(record.limits)]
      : [record.cluster, record.namespace, ...common, String(record.generation), ...namespaceAmounts(record)]
  return [kind, text(project), ...words].join(' ')
}

function namespaceAmounts({ bound, reserved, target }: NamespaceRecord): readonly string[] {
  return [amountsText(bound), sameAmounts(bound, reserved) ? '=' : amountsText(reserved), sameAmounts(reserved, target) ? '=' : amountsText(target)]
}

/** The id of a line's record, as `recordId` makes it. Throws Invalid when the line is none of ours. */
export function idOfLine(line: string): string {
  const [kind, project = '', ...words] = line.split(' ', 6)
  if (kind === 'scope') return idOf(kind, word(project), word(words[2] ?? ''))
  if (kind === 'namespace') return idOf(kind, `${word(project)} ${words[0]}/${words[1]}`, word(words[3] ?? ''))
  throw notOurs(line)
}

const goneMark = 'gone '

/** Says that a page's line does not count any more. */
export const goneLine = (id: string): string => `${goneMark}${id}`

/** What stands in the ledger itself: a line, or that there is none any more. Throws Invalid. */
export function entryOf(text: string): { readonly id: string; readonly line: string | undefined } {
  return text.startsWith(goneMark) ? { id: text.slice(goneMark.length), line: undefined } : { id: idOfLine(text), line: text }
}

function notOurs(line: string): StatusError {
  return new StatusError('Invalid', `"${line.slice(0, 120)}" is no entry of a quota ledger`)
}

/** Throws Invalid when the line is none of ours. */
export function recordOf(line: string): QuotaRecord {
  const [kind, project = '', ...words] = line.split(' ')
  if (kind === 'scope' && words.length === 8) return scopeOfLine(project, words)
  if (kind === 'namespace' && words.length === 9) return namespaceOfLine(project, words)
  throw notOurs(line)
}

function scopeOfLine(project: string, words: readonly string[]): ScopeRecord {
  const [parent = '', uid = '', hold = '', since = '', mode = '', closed = '', clusters = '', limits = ''] = words
  const names = word(clusters)
  return {
    kind: 'scope',
    project: word(project),
    parent: word(parent),
    uid: word(uid),
    hold: word(hold),
    sinceMs: whole(since),
    mode: mode === '-' ? undefined : oneOf<Mode>(mode, ['Allocation', 'Consumption']),
    closed: closed === '-' ? undefined : oneOf<'locked' | 'suspended'>(closed, ['locked', 'suspended']),
    clusters: names === '' ? undefined : names.split(','),
    limits: amountsOf(limits),
  }
}

function namespaceOfLine(project: string, words: readonly string[]): NamespaceRecord {
  const [cluster = '', namespace = '', uid = '', hold = '', since = '', generation = '', bounds = '', reserves = '', targets = ''] = words
  const bound = amountsOf(bounds)
  const reserved = reserves === '=' ? bound : amountsOf(reserves)
  const target = targets === '=' ? reserved : amountsOf(targets)
  return {
    kind: 'namespace',
    project: word(project),
    cluster,
    namespace,
    uid: word(uid),
    hold: word(hold),
    sinceMs: whole(since),
    generation: whole(generation),
    bound,
    reserved,
    target,
  }
}

const text = (value: string | undefined): string => (value === undefined || value === '' ? '-' : value)
const word = (value: string): string => (value === '-' ? '' : value)

function whole(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) throw new StatusError('Invalid', `"${value.slice(0, 40)}" is no whole number`)
  return number
}

function oneOf<T extends string>(value: string, values: readonly T[]): T {
  const found = values.find((one) => one === value)
  if (found === undefined) throw new StatusError('Invalid', `"${value.slice(0, 40)}" is none of ${values.join(', ')}`)
  return found
}

function amountsText(amounts: Amounts): string {
  return amounts.size === 0 ? '-' : [...amounts].map(([resource, amount]) => `${resource}=${formatQuantity(amount)}`).join(',')
}

// Namespaces are made alike: most amounts have been read before.
const read = new Map<string, Amounts>()
const maxRead = 2_000

function amountsOf(value: string): Amounts {
  if (value === '-') return nothing
  const known = read.get(value)
  if (known !== undefined) return known
  const amounts = new Map<string, Quantity>()
  for (const part of value.split(',')) {
    const equals = part.indexOf('=')
    if (equals < 1) throw new StatusError('Invalid', `"${part.slice(0, 80)}" is no amount: write cpu=4`)
    // Earlier ones say cpu.
    amounts.set(canonicalKey(part.slice(0, equals)), parseQuantity(part.slice(equals + 1)))
  }
  if (read.size >= maxRead) read.clear()
  read.set(value, amounts)
  return amounts
}

const nothing: Amounts = new Map()
