import type { SearchQuery, SearchTerm } from '../api/index.ts'
import { rowWord } from './row-table.ts'
import { inEachPool, StringTest, type RowTest } from './selection.ts'
import type { StringPool } from './string-pool.ts'

/** Whether a text holds a value anywhere; with `*` in it, whether the whole text is of that form. In time linear in the text for each part between stars. */
export function textTest(value: string, options: { readonly whole?: boolean } = {}): (text: string) => boolean {
  if (!value.includes('*')) return options.whole === true ? (text) => text.toLowerCase() === value : (text) => text.toLowerCase().includes(value)
  const parts = value.split('*')
  const first = parts.shift() ?? ''
  const last = parts.pop() ?? ''
  return (given) => {
    const text = given.toLowerCase()
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
    const end = text.length - last.length
    let at = first.length
    for (const part of parts) {
      const found = text.indexOf(part, at)
      if (found === -1 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}

const statusColumns: ReadonlySet<string> = new Set(['status', 'phase', 'state', 'reason', 'health', 'health status', 'sync status', 'ready'])

export function isStatusColumn({ name }: { readonly name: string }): boolean {
  return statusColumns.has(name.toLowerCase())
}

/** Decides about rows where they lie: each distinct string is looked at once, whatever number of rows has it. `kind:` terms are for choosing kinds, not for this. */
export function searchTest(query: SearchQuery): RowTest {
  return inEachPool((pool) => {
    const tests = query.terms.filter(({ key }) => key !== 'kind').map((term) => termTest(term, pool))
    return (feed, slot) => tests.every((test) => test(feed, slot))
  })
}

function termTest(term: SearchTerm, pool: StringPool): RowTest {
  const test = positive()
  return term.isNot ? (feed, slot) => !test(feed, slot) : test

  function anyOf(tests: readonly ((text: string) => boolean)[]): (text: string) => boolean {
    return (text) => tests.some((one) => one(text))
  }
  function byWord(word: number, matches: (text: string) => boolean): RowTest {
    const strings = new StringTest(pool, matches)
    return ({ table }, slot) => strings.matches(table.word(slot, word))
  }
  function positive(): RowTest {
    const holds = anyOf(term.values.map((value) => textTest(value)))
    const is = anyOf(term.values.map((value) => textTest(value, { whole: true })))
    switch (term.key) {
      case 'cluster':
        return ({ cluster }) => is(cluster)
      case 'namespace':
        return byWord(rowWord.namespace, is)
      case 'name':
        return byWord(rowWord.name, holds)
      case 'image':
        return byWord(rowWord.images, holds)
      case 'owner':
        return byWord(rowWord.owners, (json) => ownersOf(json).some(holds))
      case 'label':
        return byWord(rowWord.labels, anyOf(term.values.map(labelTest)))
      case 'status': {
        const strings = new StringTest(pool, (json) => holds(cellText(json)))
        return ({ table, columns }, slot) => columns.some((column, at) => isStatusColumn(column) && strings.matches(table.word(slot, rowWord.firstCell + at)))
      }
      case 'kind':
      case undefined: {
        const plain = new StringTest(pool, holds)
        const labels = new StringTest(pool, (json) => Object.entries(labelsOf(json)).some(([name, value]) => holds(`${name}=${value}`)))
        const owners = new StringTest(pool, (json) => ownersOf(json).some(holds))
        const cells = new StringTest(pool, (json) => holds(cellText(json)))
        return ({ cluster, table }, slot) => {
          if (
            plain.matches(table.word(slot, rowWord.name)) ||
            plain.matches(table.word(slot, rowWord.namespace)) ||
            plain.matches(table.word(slot, rowWord.images))
          )
            return true
          if (labels.matches(table.word(slot, rowWord.labels)) || owners.matches(table.word(slot, rowWord.owners))) return true
          for (let word: number = rowWord.firstCell; word < table.stride; word++) if (cells.matches(table.word(slot, word))) return true
          return holds(cluster)
        }
      }
    }
  }
}

/** `app=web`, `app=*`, or `app` alone for any value. */
function labelTest(value: string): (json: string) => boolean {
  const at = value.indexOf('=')
  const isName = textTest(at === -1 ? value : value.slice(0, at), { whole: true })
  const isValue = at === -1 ? () => true : textTest(value.slice(at + 1), { whole: true })
  return (json) => Object.entries(labelsOf(json)).some(([name, text]) => isName(name) && isValue(text))
}

export function labelsOf(json: string): Readonly<Record<string, string>> {
  return json === '' ? {} : (JSON.parse(json) as Record<string, string>)
}

/** `ReplicaSet/web-5d` */
export function ownersOf(json: string): readonly string[] {
  if (json === '') return []
  return (JSON.parse(json) as readonly { readonly kind?: string; readonly name?: string }[]).map(({ kind, name }) => `${kind}/${name}`)
}

function cellText(json: string): string {
  return json.startsWith('"') ? json.slice(1, -1) : json === 'null' ? '' : json
}
