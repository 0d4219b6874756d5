const canonical = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/

/**
 * Go's base64.StdEncoding there and back: line breaks are dropped, stray trailing bits cleared. Throws a plain Error with Go's words
 * (`illegal base64 data at input byte 4`).
 */
export function canonicalBase64(text: string): string {
  if (text.length % 4 === 0 && canonical.test(text)) return text
  checkBase64(text)
  return btoa(atob(text))
}

/** The rules of encoding/base64 decodeQuantum, with its offsets. */
function checkBase64(text: string): void {
  let inQuantum = 0
  let at = 0
  const fail = (offset: number): never => {
    throw new Error(`illegal base64 data at input byte ${offset}`)
  }
  const skipLineBreaks = (): void => {
    while (text[at] === '\n' || text[at] === '\r') at++
  }
  for (skipLineBreaks(); at < text.length; skipLineBreaks()) {
    const character = text[at++] ?? ''
    if (/[A-Za-z0-9+/]/.test(character)) {
      inQuantum = (inQuantum + 1) % 4
      continue
    }
    if (character !== '=' || inQuantum < 2) fail(at - 1)
    if (inQuantum === 2) {
      skipLineBreaks()
      if (at === text.length) fail(text.length)
      if (text[at++] !== '=') fail(at - 2)
    }
    skipLineBreaks()
    if (at < text.length) fail(at)
    inQuantum = 0
  }
  if (inQuantum !== 0) fail(text.length - inQuantum)
}
