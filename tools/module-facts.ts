import { parseSync } from 'oxc-parser'

/** A place in a file where a name of the world outside it stands. */
export interface Mention {
  readonly text: string
  readonly line: number
}

export interface Import extends Mention {
  /** Gone when the types are stripped. */
  readonly typeOnly: boolean
}

export interface ModuleFacts {
  /** What it imports or exports from, types and `import()` included, as written. */
  readonly imports: readonly Import[]
  /** Every string in it that is no import, template texts without a hole included. */
  readonly strings: readonly Mention[]
}

interface AnyNode {
  readonly type: string
  readonly start: number
  readonly [field: string]: unknown
}

/** The node types whose `source` names a module. */
const importing = new Set(['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration', 'ImportExpression', 'TSImportType'])

/** Reads one module; throws when it cannot be parsed. */
export function moduleFacts(file: string, text: string): ModuleFacts {
  const parsed = parseSync(file, text)
  const [problem] = parsed.errors
  if (problem !== undefined) throw new Error(`${file} cannot be parsed: ${problem.message}`)
  const lineOf = lineCounter(text)
  const imports: Import[] = []
  const strings: Mention[] = []

  function visit(value: unknown): void {
    if (Array.isArray(value)) return value.forEach(visit)
    if (!isNode(value)) return
    if (value.type === 'Literal') {
      if (typeof value['value'] === 'string') strings.push({ text: value['value'], line: lineOf(value.start) })
      return
    }
    if (value.type === 'TemplateElement') {
      const { cooked } = value['value'] as { readonly cooked: string | null }
      if (cooked !== null) strings.push({ text: cooked, line: lineOf(value.start) })
      return
    }
    for (const [field, child] of Object.entries(value)) {
      if (field === 'source' && importing.has(value.type) && isNode(child) && typeof child['value'] === 'string') {
        const typeOnly = value.type === 'TSImportType' || value['importKind'] === 'type' || value['exportKind'] === 'type'
        imports.push({ text: child['value'], line: lineOf(child.start), typeOnly })
      } else {
        visit(child)
      }
    }
  }
  visit(parsed.program)
  return { imports, strings }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

function lineCounter(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}
