const shortEscape: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
}
const plain = /^[ !#-[\]-~]*$/
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

/** A string as Go's `%q` prints it: what Kubernetes' messages quote values with. */
export function goQuote(text: string): string {
  if (plain.test(text)) return `"${text}"`
  let quoted = ''
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const escape = shortEscape[character]
    if (escape !== undefined) quoted += escape
    else if (printable.test(character)) quoted += character
    else if (code < 0x80) quoted += `\\x${code.toString(16).padStart(2, '0')}`
    else if (code < 0x10000) quoted += `\\u${code.toString(16).padStart(4, '0')}`
    else quoted += `\\U${code.toString(16).padStart(8, '0')}`
  }
  return `"${quoted}"`
}
