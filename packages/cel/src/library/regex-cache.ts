import { RE2JS, RE2JSException } from 're2js'

/** A pattern whose matching takes time linear in the text. */
export interface Regex {
  test(text: string): boolean
  find(text: string): string | undefined
  /** At most `limit` matches; all when it is negative. */
  findAll(text: string, limit: number): string[]
}

const maxCached = 500
const cache = new Map<string, Regex | string>()

/** Compiles a pattern of RE2 syntax, remembering the latest; a text says what is wrong with it. */
export function compileRegex(pattern: string): Regex | string {
  const cached = cache.get(pattern)
  if (cached !== undefined) return cached
  if (cache.size >= maxCached) for (const oldest of [...cache.keys()].slice(0, maxCached / 2)) cache.delete(oldest)
  const compiled = compile(pattern)
  cache.set(pattern, compiled)
  return compiled
}

function compile(pattern: string): Regex | string {
  try {
    const regex = RE2JS.compile(pattern)
    return {
      test: (text) => regex.matcher(text).find(),
      find: (text) => {
        const matcher = regex.matcher(text)
        return matcher.find() ? (matcher.group() ?? undefined) : undefined
      },
      findAll: (text, limit) => {
        const matcher = regex.matcher(text)
        const found: string[] = []
        let end = -1
        while ((limit < 0 || found.length < limit) && matcher.find()) {
          const match = matcher.group() ?? ''
          // Go leaves out an empty match right behind another.
          if (match !== '' || matcher.start() !== end) found.push(match)
          end = matcher.end()
        }
        return found
      },
    }
  } catch (error) {
    if (error instanceof RE2JSException) return error.message
    throw error
  }
}
