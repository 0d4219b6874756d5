import type { HttpHeaders } from '@gantry/runtime'

/** Headers the edge refuses: the text goes to the caller. */
export class BadHeaders extends Error {}

// Two of these would let two readers of the request see different ones: request smuggling, or two identities (platform-anchors §6.2, classes 1 and 7).
const singular = new Set(['host', 'content-length', 'transfer-encoding', 'authorization', 'content-type', 'origin', 'x-gantry-request'])

// A list of values and one value with a comma in it are two identities: a group may be called `a, system:masters`.
const identity = /^(?:impersonate|x-remote)-/

/**
 * The headers of a request from the raw name/value list, so that repeated ones are seen. Names in lower case, pseudo headers left out (`:authority` becomes
 * `host`), repeated `cookie` joined with `; `, those that say who is calling kept as a list, and everything else joined with `, `.
 */
export function headersFromRaw(raw: readonly string[], maxCount: number): HttpHeaders {
  if (raw.length > maxCount * 2) throw new BadHeaders(`the request has more than ${maxCount} headers`)
  const headers: Record<string, string | string[]> = Object.create(null)
  for (let i = 0; i < raw.length; i += 2) {
    const value = raw[i + 1] ?? ''
    let name = (raw[i] ?? '').toLowerCase()
    if (name.charCodeAt(0) === 58 /* : */) {
      if (name !== ':authority') continue
      name = 'host'
    }
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (name === 'host' && before === value) continue // an h2 client may send :authority and the same host
    else if (singular.has(name)) throw new BadHeaders(`the header ${name} is given more than once`)
    else if (identity.test(name)) headers[name] = [before, value].flat()
    else headers[name] = name === 'cookie' ? `${before as string}; ${value}` : `${before as string}, ${value}`
  }
  return headers
}
