import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const cipherName = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

/**
 * Encrypts bytes, or text as UTF-8, with a key of 32 bytes: AES-256-GCM. Nonce, what is encrypted and tag stand one after the other: 28 bytes more than were given. `about` is not in it,
 * but has to be said again to open it: what was sealed about one thing is of no use for another. The nonce is drawn at random: a key is good for 2^32 seals.
 */
export function seal(key: Uint8Array, plain: Uint8Array | string, about = ''): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(cipherName, key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(about))
  return Buffer.concat([nonce, cipher.update(Buffer.from(plain)), cipher.final(), cipher.getAuthTag()])
}

/** The bytes that `seal` was given. Throws for what was changed or cut off, and for what was sealed with another key or about something else. */
export function unseal(key: Uint8Array, sealed: Uint8Array, about = ''): Buffer {
  if (sealed.length < nonceBytes + tagBytes) throw new Error('it is shorter than a nonce and a tag')
  const decipher = createDecipheriv(cipherName, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(-tagBytes))
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()])
}
