export const searchKeys = ['kind', 'cluster', 'namespace', 'name', 'label', 'image', 'owner', 'status'] as const
export type SearchKey = (typeof searchKeys)[number]

/** One condition. Any of its values may match; `isNot` turns it round. Without a key it asks everything that is known of an object. */
export interface SearchTerm {
  readonly key: SearchKey | undefined
  /** Lower case. */
  readonly values: readonly string[]
  readonly isNot: boolean
}

/** All terms must hold. */
export interface SearchQuery {
  readonly terms: readonly SearchTerm[]
}

export const searchExamples: readonly string[] = [
  'kind:pod status:crash*',
  'image:nginx -namespace:kube-system',
  'label:app=web cluster:east,west',
  'owner:deployment/* "10.1.2.3"',
]

const aliases: Readonly<Record<string, SearchKey>> = { ns: 'namespace', l: 'label', in: 'cluster' }
const maxChars = 1_000
const maxTerms = 32

/**
 * Reads a search: words and `key:value` pairs with spaces between them, `-` before one that must not hold, commas between values of which one is enough, quotes around
 * a value with spaces, `*` for any characters. Throws a plain Error whose message is for the person who typed it.
 */
export function parseSearch(text: string): SearchQuery {
  if (text.length > maxChars) throw new Error(`a search has at most ${maxChars} characters`)
  const terms: SearchTerm[] = []
  for (const [, minus, key, quoted, bare] of text.matchAll(/(-?)(?:([a-zA-Z]+):)?(?:"([^"]*)"|([^\s"]+))/g)) {
    const value = (quoted ?? bare ?? '').toLowerCase()
    const name = key?.toLowerCase()
    const known = name === undefined ? undefined : (searchKeys.find((one) => one === name) ?? (Object.hasOwn(aliases, name) ? aliases[name] : undefined))
    // What stands before a colon and is no key belongs to the text: an image's registry, a name of RBAC.
    const whole = name !== undefined && known === undefined ? `${name}:${value}` : value
    const values = known === undefined || quoted !== undefined ? [whole] : whole.split(',').filter((one) => one !== '')
    if (values.length === 0 || values[0] === '') continue
    terms.push({ key: known, values, isNot: minus === '-' })
    if (terms.length > maxTerms) throw new Error(`a search has at most ${maxTerms} terms`)
  }
  return { terms }
}
