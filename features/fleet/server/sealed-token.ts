import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'

const ivBytes = 12
const tagBytes = 16

/**
 * Continue tokens that say nothing to whoever holds them: a member's own token names the last object of its page, which the caller may not be allowed to see. They are
 * good for one list (its path and selectors) and until this process ends.
 */
export class SealedTokens {
  readonly #key = randomBytes(32)

  seal(value: unknown, list: string): string {
    const iv = randomBytes(ivBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    cipher.setAAD(digest(list))
    const sealed = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()])
    return Buffer.concat([iv, sealed, cipher.getAuthTag()]).toString('base64url')
  }

  /** Throws Expired for a token that is not of this list or of another process. */
  open(token: string, list: string): unknown {
    const bytes = Buffer.from(token, 'base64url')
    try {
      if (bytes.length < ivBytes + tagBytes) throw new Error('it is too short')
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, ivBytes))
      decipher.setAAD(digest(list))
      decipher.setAuthTag(bytes.subarray(-tagBytes))
      return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()]).toString('utf8')) as unknown
    } catch (cause) {
      throw new StatusError(
        'Expired',
        'The provided continue parameter is too old or belongs to another list. Start the list anew without the continue parameter.',
        { cause },
      )
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
