/** The text in a base64 value; undefined when it is no UTF-8 text. */
export function decodeBase64(encoded: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.codePointAt(0) ?? 0)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    // atob throws a DOMException for what is no base64, the decoder a TypeError for what is no text.
    if (error instanceof DOMException || error instanceof TypeError) return undefined
    throw error
  }
}
