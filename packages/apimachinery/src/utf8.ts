const encoder = new TextEncoder()
const beyondAscii = /[^\0-\x7f]/

/** Bytes of a text in UTF-8: what Kubernetes' limits count. Works in a browser too. */
export function utf8Length(text: string): number {
  return beyondAscii.test(text) ? encoder.encode(text).length : text.length
}

/** Byte order of the UTF-8 forms: how Go compares strings. */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0
  if (!beyondAscii.test(a) && !beyondAscii.test(b)) return a < b ? -1 : 1
  // Code point order is byte order; UTF-16 units differ from it in surrogates alone.
  const left = codePoints(a)
  const right = codePoints(b)
  for (let i = 0; i < left.length && i < right.length; i++) {
    const order = (left[i] ?? 0) - (right[i] ?? 0)
    if (order !== 0) return order
  }
  return left.length - right.length
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0)
}
