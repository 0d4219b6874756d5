import { hashSecret } from './secret-hash.ts'
import type { Credentials, KnownBrowser, Owner, UserCredentials } from './user-credentials.ts'

const maxKnownBrowsers = 10
/** So many in a row, and it is a stranger's. */
const maxFailures = 5

/**
 * Browsers in which a user has signed in before: judged beside the lock of the account, each with a count of failures of its own. The count is with the user's credentials, so that it
 * holds for every gateway and over restarts.
 */
export class KnownBrowsers {
  readonly #credentials: UserCredentials
  /** Attempts that are being judged, by the hash of the browser. */
  readonly #judging = new Map<string, number>()

  constructor(credentials: UserCredentials) {
    this.#credentials = credentials
  }

  /** Begins an attempt, which then has to `end`; false when as many are under way as the browser has left. Many at once are no way round. */
  begin({ hash, failures }: KnownBrowser): boolean {
    const judging = this.#judging.get(hash) ?? 0
    if (judging >= maxFailures - failures) return false
    this.#judging.set(hash, judging + 1)
    return true
  }

  /** How an attempt ended that `begin` let through. */
  async end(owner: Owner, { hash }: KnownBrowser, outcome: 'failed' | 'passed'): Promise<void> {
    try {
      if (outcome === 'failed') await this.#credentials.change(owner, (before) => ({ ...before, knownBrowsers: withFailure(before.knownBrowsers, hash) }))
    } finally {
      const judging = (this.#judging.get(hash) ?? 1) - 1
      if (judging === 0) this.#judging.delete(hash)
      else this.#judging.set(hash, judging)
    }
  }

  /** The user has signed in with it: it is known from now on, and nothing is held against it. */
  async admit(owner: Owner, secret: string): Promise<void> {
    const hash = hashSecret(secret)
    await this.#credentials.change(owner, (before) => {
      const known = before.knownBrowsers.find((one) => one.hash === hash)
      if (known?.failures === 0) return undefined
      return { ...before, knownBrowsers: [...before.knownBrowsers.filter((one) => one !== known), { hash, failures: 0 }].slice(-maxKnownBrowsers) }
    })
  }
}

/** How the credentials know the browser with a secret; undefined for a stranger's. */
export function knownBrowserOf({ knownBrowsers }: Credentials, secret: string | undefined): KnownBrowser | undefined {
  if (secret === undefined) return undefined
  const hash = hashSecret(secret)
  return knownBrowsers.find((one) => one.hash === hash)
}

function withFailure(browsers: readonly KnownBrowser[], hash: string): readonly KnownBrowser[] {
  return browsers.map((one) => (one.hash === hash ? { hash, failures: one.failures + 1 } : one)).filter(({ failures }) => failures < maxFailures)
}
