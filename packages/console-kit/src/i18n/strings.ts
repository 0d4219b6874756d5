/** A catalogue of one language: nested groups of texts. Plurals use i18next's `_one` / `_other` endings. */
export interface Strings {
  readonly [key: string]: string | Strings
}

/** What a feature says, in every language the console speaks. Both must have the same keys; a test holds that. */
export interface Catalogue {
  readonly en: Strings
  readonly zh: Strings
}

export type Language = keyof Catalogue

/** Every leaf's dotted key, without plural endings. */
export function keysOf(strings: Strings, prefix = ''): readonly string[] {
  return Object.entries(strings).flatMap(([key, value]) =>
    typeof value === 'string' ? [`${prefix}${key}`.replace(/_(one|other|few|many)$/, '')] : keysOf(value, `${prefix}${key}.`),
  )
}

/** The whole keys that a source names: `t('list.empty')` and definitions' `'kit:list.empty'`. Keys put together at run time are not seen. */
export function usedKeys(source: string, namespace: string): readonly string[] {
  const calls = [...source.matchAll(/\bt\(\s*'([\w.]+)'/g)].map((match) => match[1] ?? '')
  const named = [...source.matchAll(/'(\w+):([\w.]+)'/g)].filter((match) => match[1] === namespace).map((match) => match[2] ?? '')
  return [...calls, ...named]
}
