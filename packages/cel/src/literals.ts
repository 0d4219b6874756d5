import { nodes } from './ast.ts'
import type { CallExpr, Expr, ListExpr } from './ast.ts'
import type { Checked } from './checker.ts'
import { compileRegex } from './library/regex-cache.ts'
import type { Issue } from './source.ts'
import { dynType, formatType, optionalOf, sameType } from './types.ts'
import type { Type } from './types.ts'
import { CelError, parseDuration, parseTimestamp, Uint } from './values.ts'

const argumentChecks: Readonly<Record<string, (text: string) => boolean>> = {
  duration: (text) => parseDuration(text) !== undefined,
  timestamp: (text) => parseTimestamp(text) !== undefined,
  matches: (text) => typeof compileRegex(text) !== 'string',
}

/** What is wrong with constants: texts that functions could not read, lists and maps of mixed types, formats that do not fit their arguments. */
export function literalIssues(checked: Checked): Issue[] {
  const issues: Issue[] = []
  const isExempt = new Set<number>()
  for (const node of nodes(checked.expr)) {
    if (node.kind === 'call' && node.name === 'format') for (const inner of nodes(node)) isExempt.add(inner.id)
    else if (node.kind === 'call') issues.push(...argumentIssues(node))
    if (node.kind === 'call' && node.name === 'format') issues.push(...formatIssues(node, checked))
    if (isExempt.has(node.id)) continue
    if (node.kind === 'list') issues.push(...mixedItems(node, checked))
    if (node.kind === 'map') {
      const typesOf = (of: 'key' | 'value'): Typed[] => node.entries.map((entry) => typed(entry[of], checked, of === 'value' && entry.optional))
      issues.push(...mixed(typesOf('key'), false), ...mixed(typesOf('value'), false))
    }
  }
  return issues
}

function argumentIssues(call: CallExpr): Issue[] {
  const holds = argumentChecks[call.name]
  const argument = call.name === 'matches' ? call.args.at(-1) : call.args[0]
  if (holds === undefined || argument?.kind !== 'const' || typeof argument.value !== 'string' || holds(argument.value)) return []
  return [{ at: argument.at, message: `invalid ${call.name} argument` }]
}

interface Typed {
  readonly at: number
  readonly type: Type
}

function typed(expr: Expr, checked: Checked, optional: boolean): Typed {
  const type = checked.types.get(expr.id) ?? dynType
  return { at: expr.at, type: optional ? (optionalOf(type) ?? type) : type }
}

function mixedItems(list: ListExpr, checked: Checked): Issue[] {
  return mixed(
    list.items.map((item, i) => typed(item, checked, list.optional.has(i))),
    true,
  )
}

function mixed(items: readonly Typed[], firstOnly: boolean): Issue[] {
  const [first, ...rest] = items
  if (first === undefined) return []
  const issues = rest
    .filter(({ type }) => !sameType(type, first.type))
    .map(({ at, type }) => ({ at, message: `expected type '${formatType(first.type)}' but found '${formatType(type)}'` }))
  return firstOnly ? issues.slice(0, 1) : issues
}

const formatted: Readonly<Record<string, { readonly kinds: readonly Type['kind'][]; readonly problem: string }>> = {
  s: {
    kinds: ['list', 'map', 'int', 'uint', 'double', 'bool', 'string', 'timestamp', 'bytes', 'duration', 'type', 'null'],
    problem: 'string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps',
  },
  d: { kinds: ['int', 'uint'], problem: 'decimal clause can only be used on integers' },
  f: { kinds: ['double', 'string'], problem: 'fixed-point clause can only be used on doubles' },
  e: { kinds: ['double', 'string'], problem: 'scientific clause can only be used on doubles' },
  b: { kinds: ['int', 'uint', 'bool'], problem: 'only integers and bools can be formatted as binary' },
  o: { kinds: ['int', 'uint'], problem: 'octal clause can only be used on integers' },
  x: { kinds: ['int', 'uint', 'string', 'bytes'], problem: 'only integers, byte buffers, and strings can be formatted as hex' },
  X: { kinds: ['int', 'uint', 'string', 'bytes'], problem: 'only integers, byte buffers, and strings can be formatted as hex' },
}

/** A format that is written out, against arguments that are. */
function formatIssues(call: CallExpr, checked: Checked): Issue[] {
  const [list] = call.args
  if (call.target?.kind !== 'const' || typeof call.target.value !== 'string' || list?.kind !== 'list') return []
  const text = call.target.value
  const issue = (message: string, at = call.at): Issue[] => [{ at, message }]
  let used = 0
  for (const [clause, , verb] of text.matchAll(/%(?:%|(?:\.(\d+))?([a-zA-Z]))?/g)) {
    if (clause === '%%') continue
    if (verb === undefined) return issue('unexpected end of string')
    const argument = list.items[used]
    const rule = formatted[verb]
    if (rule === undefined) return issue(`could not parse formatting clause: unrecognized formatting clause "${verb}"`)
    if (argument === undefined) return issue(`index ${used} out of range`)
    used++
    const type = checked.types.get(argument.id) ?? dynType
    if (type.kind !== 'dyn' && !rule.kinds.includes(type.kind)) return issue(`error during formatting: ${rule.problem}, was given ${nameOf(type)}`, argument.at)
  }
  return list.items.length > used ? issue(`too many arguments supplied to string.format (expected ${used}, got ${list.items.length})`) : []
}

function nameOf(type: Type): string {
  return type.kind === 'opaque' || type.kind === 'object' ? type.name : type.kind === 'null' ? 'null_type' : type.kind
}

const conversions: ReadonlySet<string> = new Set(['bool', 'bytes', 'double', 'duration', 'int', 'string', 'timestamp', 'uint'])

/** The error of the first constant conversion or pattern that can only fail: upstream works these out when it makes the program. */
export function constantError(checked: Checked): string | undefined {
  for (const node of nodes(checked.expr)) {
    if (node.kind !== 'call') continue
    if (conversions.has(node.name) && node.target === undefined && node.args[0]?.kind === 'const' && node.args.length === 1) {
      const [overload] = checked.overloads.get(node.id) ?? []
      const { value } = node.args[0]
      const argument = typeof value === 'object' && value !== null && 'uint' in value ? new Uint(value.uint) : value
      const result = overload?.call(argument)
      if (result instanceof CelError) return result.message
    }
    const pattern = node.name === 'find' || node.name === 'findAll' ? node.args[0] : undefined
    if (pattern?.kind === 'const' && typeof pattern.value === 'string') {
      const regex = compileRegex(pattern.value)
      if (typeof regex === 'string') return regex
    }
  }
  return undefined
}
