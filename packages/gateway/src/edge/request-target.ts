/** A request the edge refuses: the text goes to the caller. */
export class BadTarget extends Error {}

// What two readers of a path may understand differently is refused instead of interpreted (platform-anchors §6.2, class 7): dot segments in any spelling,
// backslashes, control and non-ASCII bytes, a fragment, broken percent encoding, an encoded NUL, and a leading `//` (which reads as an authority).
const ambiguous = /[^\x21-\x7e]|[\\#]|^\/\/|\/(?:\.|%2e){1,2}(?:\/|$)|%(?:00|5c)|%(?![0-9a-f]{2})/i

/** Splits a request target in origin form; throws `BadTarget` for every other form and for a path that can be read in two ways. */
export function parseTarget(target: string, maxBytes: number): { readonly path: string; readonly query: string } {
  if (target.length > maxBytes) throw new BadTarget(`the URL is longer than ${maxBytes} bytes`)
  if (!target.startsWith('/')) throw new BadTarget('the request target must be a path')
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  if (ambiguous.test(path)) throw new BadTarget('the path holds a dot segment, a backslash, a control character or broken percent encoding')
  return { path, query: mark === -1 ? '' : target.slice(mark + 1) }
}
