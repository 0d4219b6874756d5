import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { parseAuthenticationConfiguration } from './authentication-configuration.ts'
import type { AuthenticationRules, JwtRules } from './authentication-configuration.ts'
import { ConfigurationFile } from './configuration-file.ts'
import type { FileSource } from './configuration-file.ts'
import { Issuer } from './issuer.ts'
import type { IssuerDeps } from './issuer.ts'
import { authenticateJwt } from './jwt-authenticator.ts'

/** How long a new version of the file may take until all its issuers are found out; then the old one stays. */
const readyWithinMs = 60_000
const lookEveryMs = 500

interface Authenticator {
  readonly rules: JwtRules
  readonly issuer: Issuer
}

/** Tokens of the issuers in an AuthenticationConfiguration, and who comes in without one. The file is read again when it changes: a version that is wrong, or whose issuers cannot be reached, is logged and the last good one stays. */
export class ConfiguredAuthentication {
  readonly #deps: IssuerDeps
  readonly #file: ConfigurationFile
  readonly #initial: AuthenticationRules
  readonly #stopping = new AbortController()
  #current: readonly Authenticator[]

  /** Inert until it is started. Throws an Error that names the file and every field that is wrong. */
  constructor(deps: IssuerDeps, source: FileSource, options: { readonly disallowedIssuers: readonly string[] }) {
    this.#deps = deps
    this.#file = new ConfigurationFile(deps, source)
    this.#initial = this.#file.parsed((content) => parseAuthenticationConfiguration(content, options))
    this.#current = this.#authenticatorsOf(this.#initial)
    this.#file.onChange(async (content) => {
      await this.#replace(parseAuthenticationConfiguration(content, { ...options, initial: this.#initial }))
    })
  }

  /** Undefined: no issuer here has issued it; throws an Error that says why one of theirs is no good. */
  async authenticate(token: string): Promise<UserInfo | undefined> {
    for (const { rules, issuer } of this.#current) {
      const user = await authenticateJwt(token, { rules, issuer, clock: this.#deps.clock })
      if (user !== undefined) return user
    }
    return undefined
  }

  /** Whether this request is let in without a credential. */
  allowsAnonymous(request: Pick<HttpRequest, 'path'>): boolean {
    const { anonymous } = this.#initial
    if (anonymous === undefined) return true
    return anonymous.enabled && (anonymous.paths.length === 0 || anonymous.paths.includes(request.path))
  }

  /** Nobody waits for an issuer: its tokens are refused until it has been found out. */
  start(): void {
    for (const { issuer } of this.#current) void issuer.start()
    this.#file.follow()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('authentication is stopping'))
    await this.#file.stop()
    await Promise.all(this.#current.map(({ issuer }) => issuer.stop()))
  }

  #authenticatorsOf({ jwt }: AuthenticationRules): readonly Authenticator[] {
    return jwt.map((rules) => ({ rules, issuer: new Issuer(this.#deps, rules.issuer) }))
  }

  async #replace(rules: AuthenticationRules): Promise<void> {
    const next = this.#authenticatorsOf(rules)
    const { clock } = this.#deps
    const lateMs = clock.monotonicMs() + readyWithinMs
    try {
      await Promise.all(next.map(({ issuer }) => issuer.start()))
      for (;;) {
        const waiting = next.find(({ issuer }) => !issuer.isReady)
        if (waiting === undefined) break
        if (clock.monotonicMs() >= lateMs) throw new Error(waiting.issuer.problem)
        await clock.sleep(lookEveryMs, { signal: this.#stopping.signal })
      }
    } catch (error) {
      await Promise.all(next.map(({ issuer }) => issuer.stop()))
      throw error
    }
    const old = this.#current
    this.#current = next
    await Promise.all(old.map(({ issuer }) => issuer.stop()))
  }
}
