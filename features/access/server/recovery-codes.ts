import { randomInt } from 'node:crypto'
import { hashSecret, matchesHash } from './secret-hash.ts'

const count = 10
// Without vowels and what is read for something else. 16 of 27 are 76 bits: no slow hash is needed.
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const length = 16

/** Ten codes for whoever has lost the second factor, with the hashes that are kept. */
export function newRecoveryCodes(): { readonly codes: readonly string[]; readonly hashes: readonly string[] } {
  const codes = Array.from({ length: count }, () => {
    const letters = Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('')
    return letters.replace(/(.{4})(?=.)/g, '$1-')
  })
  return { codes, hashes: codes.map((code) => hashSecret(lettersOf(code))) }
}

/** The hashes without that of a code; undefined when the code is none of them. */
export function withoutCode(hashes: readonly string[], code: string): readonly string[] | undefined {
  const letters = lettersOf(code)
  if (letters.length !== length) return undefined
  const left = hashes.filter((hash) => !matchesHash(letters, hash))
  return left.length === hashes.length ? undefined : left
}

function lettersOf(code: string): string {
  return code.toLowerCase().replaceAll(/[\s-]/g, '')
}
