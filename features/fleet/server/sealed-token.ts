import { randomBytes } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'
import { seal, unseal } from '@gantry/runtime'

/**
 * Continue tokens that say nothing to whoever holds them: a member's own token names the last object of its page, which the caller may not be allowed to see. They are
 * good for one list (its path and selectors) and until this process ends.
 */
export class SealedTokens {
  readonly #key = randomBytes(32)

  seal(value: unknown, list: string): string {
    return seal(this.#key, JSON.stringify(value), list).toString('base64url')
  }

  /** Throws Expired for a token that is not of this list or of another process. */
  open(token: string, list: string): unknown {
    try {
      return JSON.parse(unseal(this.#key, Buffer.from(token, 'base64url'), list).toString('utf8')) as unknown
    } catch (cause) {
      throw new StatusError(
        'Expired',
        'The provided continue parameter is too old or belongs to another list. Start the list anew without the continue parameter.',
        { cause },
      )
    }
  }
}
