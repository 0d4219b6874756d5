import { StatusError } from '@gantry/apimachinery'
import type { Clock } from '@gantry/runtime'
import type { Configuration, IDToken, ServerMetadata, UserInfoResponse } from 'openid-client'
import { mostOutsideGroups, type OidcSettings } from '../../api/index.ts'
import type { Account } from './account.ts'
import { LogoutRefused, verifiedLogout, type KeySet, type Logout } from './logout-token.ts'
import { certificateAuthority } from './certificate-authority.ts'
import { configure, fetchThrough, jsonOf, openid, type Attempt } from './openid.ts'
import { ask, type OutboundDeps } from './outbound.ts'

interface Options {
  readonly secret: string | undefined
  readonly signal: AbortSignal
}

const keepMetadataMs = 5 * 60_000
const mostKept = 64
// A token with a key that nobody knows makes this server ask the provider, so not with every one.
const keysAtMostEveryMs = 30_000
const longestSession = 256

/** Signs in with OpenID Connect: authorization code, PKCE, nonce, state, signature and `iss`, by a certified library. */
export class OidcSignIn {
  readonly #deps: OutboundDeps & { readonly clock: Clock }
  readonly #metadata = new Map<string, { readonly metadata: ServerMetadata; readonly untilMs: number }>()
  /** By the same names. */
  readonly #keys = new Map<string, { readonly keys: KeySet; readonly readMs: number }>()

  constructor(deps: OutboundDeps & { readonly clock: Clock }) {
    this.#deps = deps
  }

  /** Where the browser goes. */
  async begin(settings: OidcSettings, attempt: Attempt, options: Options): Promise<URL> {
    const client = await openid()
    const configuration = await this.#configure(settings, options)
    return client.buildAuthorizationUrl(configuration, {
      redirect_uri: attempt.redirectURI,
      scope: [...new Set(['openid', ...(settings.scopes ?? ['profile', 'email'])])].join(' '),
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
    })
  }

  /** Who has come back with these parameters. */
  async finish(settings: OidcSettings, attempt: Attempt, options: Options & { readonly parameters: URLSearchParams }): Promise<Account> {
    const client = await openid()
    const configuration = await this.#configure(settings, options)
    const url = new URL(attempt.redirectURI)
    url.search = options.parameters.toString()
    const tokens = await client.authorizationCodeGrant(configuration, url, {
      pkceCodeVerifier: attempt.verifier,
      expectedState: attempt.state,
      expectedNonce: attempt.nonce,
    })
    const claims = tokens.claims()
    if (claims === undefined) throw new StatusError('BadRequest', 'the provider gave no ID token')
    const names = namesOf(settings)
    const isWhole = Object.values(names).every((name) => claims[name] !== undefined)
    const more =
      isWhole || configuration.serverMetadata().userinfo_endpoint === undefined
        ? undefined
        : await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
    return accountOf(claims, more, names)
  }

  /** The discovery document, asked for anew; for a test of the settings. */
  async discover(settings: OidcSettings, signal: AbortSignal): Promise<ServerMetadata> {
    const { issuer } = settings
    const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    const what = `the discovery document ${url.href}`
    const found = jsonOf(what, await ask(this.#deps, { url, ca: certificateAuthority(settings.caData), headers: { accept: 'application/json' }, signal }))
    if (typeof found !== 'object' || found === null) throw new StatusError('BadRequest', `${what} is no JSON object`)
    const metadata = found as ServerMetadata
    // Exactly: a document for many tenants has a template there, and would take the accounts of all of them.
    if (metadata.issuer !== issuer)
      throw new StatusError(
        'Invalid',
        `${what} is of the issuer ${JSON.stringify(metadata.issuer)}, not of ${JSON.stringify(issuer)}; write spec.oidc.issuer exactly as it says`,
      )
    for (const endpoint of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const)
      if (typeof metadata[endpoint] !== 'string' || !URL.canParse(metadata[endpoint])) throw new StatusError('Invalid', `${what} has no ${endpoint}`)
    return metadata
  }

  /** Where a browser goes to sign out at the provider and come back to `back`; undefined when the provider has no such address. */
  async signOut(settings: OidcSettings, back: string, signal: AbortSignal): Promise<URL | undefined> {
    const client = await openid()
    const configuration = await this.#configure(settings, { secret: undefined, signal })
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined
    // Without id_token_hint: it would have to be kept, and be in an address.
    return client.buildEndSessionUrl(configuration, { post_logout_redirect_uri: back })
  }

  /** What a logout token says is over. Throws LogoutRefused. */
  async logout(settings: OidcSettings, token: string, signal: AbortSignal): Promise<Logout> {
    const metadata = await this.#metadataOf(settings, signal)
    const options = {
      issuer: settings.issuer,
      audience: settings.clientID,
      algorithms: metadata.id_token_signing_alg_values_supported,
      now: this.#deps.clock.now(),
    }
    const key = JSON.stringify([settings.issuer, settings.caData])
    const known = this.#keys.get(key)
    const found = known === undefined ? undefined : await verifiedLogout(token, known.keys, options)
    if (found !== undefined) return found
    const now = this.#deps.clock.monotonicMs()
    if (known === undefined || now - known.readMs >= keysAtMostEveryMs) {
      const keys = await this.keys(settings, metadata, signal)
      this.#keys.delete(key)
      this.#keys.set(key, { keys, readMs: now })
      for (const oldest of this.#keys.keys()) {
        if (this.#keys.size <= mostKept) break
        this.#keys.delete(oldest)
      }
      const again = await verifiedLogout(token, keys, options)
      if (again !== undefined) return again
    }
    throw new LogoutRefused('the logout token is signed with a key that the provider does not publish')
  }

  /** The keys of the provider. Throws when there are none. */
  async keys(settings: OidcSettings, metadata: ServerMetadata, signal: AbortSignal): Promise<KeySet> {
    const url = new URL(String(metadata.jwks_uri))
    const answer = jsonOf(`the key set ${url.href}`, await ask(this.#deps, { url, ca: certificateAuthority(settings.caData), signal }))
    const keys: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'keys') : undefined
    if (!Array.isArray(keys) || keys.length === 0) throw new StatusError('Invalid', `the key set ${url.href} holds no keys`)
    return { keys: keys as KeySet['keys'] }
  }

  async #configure(settings: OidcSettings, { secret, signal }: Options): Promise<Configuration> {
    const client = await openid()
    const ca = certificateAuthority(settings.caData)
    const metadata = await this.#metadataOf(settings, signal)
    const configuration = await configure(this.#deps.clock, { metadata, clientID: settings.clientID, secret, fetch: fetchThrough(this.#deps, { ca, signal }) })
    client.enableNonRepudiationChecks(configuration)
    return configuration
  }

  async #metadataOf(settings: OidcSettings, signal: AbortSignal): Promise<ServerMetadata> {
    const key = JSON.stringify([settings.issuer, settings.caData])
    const now = this.#deps.clock.monotonicMs()
    const known = this.#metadata.get(key)
    if (known !== undefined && known.untilMs > now) return known.metadata
    const metadata = await this.discover(settings, signal)
    this.#metadata.delete(key)
    this.#metadata.set(key, { metadata, untilMs: now + keepMetadataMs })
    for (const oldest of this.#metadata.keys()) {
      if (this.#metadata.size <= mostKept) break
      this.#metadata.delete(oldest)
    }
    return metadata
  }
}

type ClaimNames = Readonly<Record<'username' | 'displayName' | 'email' | 'groups', string>>

function namesOf({ claims }: OidcSettings): ClaimNames {
  return {
    username: claims?.username ?? 'preferred_username',
    displayName: claims?.displayName ?? 'name',
    email: claims?.email ?? 'email',
    groups: claims?.groups ?? 'groups',
  }
}

function accountOf(idToken: IDToken, userInfo: UserInfoResponse | undefined, names: ClaimNames): Account {
  const claim = (name: string): unknown => idToken[name] ?? userInfo?.[name]
  const email = textOf(claim(names.email))
  // What vouches for an address stands beside it, in the same document.
  const beside = idToken[names.email] === undefined ? userInfo : idToken
  const verified = names.email === 'email' ? beside?.['email_verified'] : undefined
  const groups = claim(names.groups)
  const elsewhere = claim('_claim_names')
  const isElsewhere = typeof elsewhere === 'object' && elsewhere !== null && names.groups in elsewhere
  return {
    subject: idToken.sub,
    session: typeof idToken['sid'] === 'string' && idToken['sid'].length <= longestSession ? idToken['sid'] : undefined,
    login: textOf(claim(names.username)) ?? email ?? idToken.sub,
    displayName: textOf(claim(names.displayName)),
    email,
    emailVerified: verified === true || verified === 'true',
    groups: typeof groups === 'string' ? [groups] : Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
    ...(isElsewhere
      ? {
          groupsMessage: `the account is in too many groups for the provider to name them; have it name those of this application alone, at most ${mostOutsideGroups}`,
        }
      : {}),
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
