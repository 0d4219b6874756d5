import { randomBytes, randomInt, randomUUID } from 'node:crypto'

// The alphabet of upstream's generated names: no vowels (no words), none of 0 1 3 (read as letters). k8s.io/apimachinery util/rand.
const safeAlphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** Identity and chance as a port, so that tests get the same ids in every run. */
export interface Ids {
  /** A version 4 UUID. */
  uid(): string
  /** `length` characters of the alphabet that generated names use. */
  suffix(length: number): string
  /** `bytes` random bytes as base64url text: for secrets, never for names. */
  secret(bytes: number): string
  /** A number in [0, 1): jitter. */
  random(): number
}

export const systemIds: Ids = {
  uid: () => randomUUID(),
  suffix(length) {
    let text = ''
    for (let i = 0; i < length; i++) text += safeAlphabet.charAt(randomInt(safeAlphabet.length))
    return text
  },
  secret: (bytes) => randomBytes(bytes).toString('base64url'),
  random: () => Math.random(),
}
