import { StatusError } from '@gantry/apimachinery'
import type { Clock } from '@gantry/runtime'
import type { Configuration, CustomFetch } from 'openid-client'
import type { OAuth2Settings } from '../../api/index.ts'
import type { Account } from './account.ts'
import { certificateAuthority } from './certificate-authority.ts'
import { configure, fetchThrough, jsonOf, openid, type Attempt } from './openid.ts'
import { ask, type OutboundDeps } from './outbound.ts'

interface Options {
  readonly secret: string | undefined
  readonly signal: AbortSignal
}

const mostPages = 10

/** Signs in with OAuth 2.0: who has come back is what the user info says of the access token that only this server and the provider have seen. */
export class OAuth2SignIn {
  readonly #deps: OutboundDeps & { readonly clock: Clock }

  constructor(deps: OutboundDeps & { readonly clock: Clock }) {
    this.#deps = deps
  }

  /** Where the browser goes. */
  async begin(settings: OAuth2Settings, attempt: Attempt, options: Options): Promise<URL> {
    const client = await openid()
    return client.buildAuthorizationUrl(await this.#configure(settings, options), {
      redirect_uri: attempt.redirectURI,
      state: attempt.state,
      ...(settings.scopes === undefined ? {} : { scope: settings.scopes.join(' ') }),
      ...(settings.pkce === false ? {} : { code_challenge: await client.calculatePKCECodeChallenge(attempt.verifier), code_challenge_method: 'S256' }),
    })
  }

  /** Who has come back with these parameters. */
  async finish(settings: OAuth2Settings, attempt: Attempt, options: Options & { readonly parameters: URLSearchParams }): Promise<Account> {
    const client = await openid()
    const url = new URL(attempt.redirectURI)
    // Without `iss`: there is no issuer to hold it against. Every provider has a redirect address of its own instead.
    for (const name of ['code', 'state', 'error', 'error_description'])
      for (const value of options.parameters.getAll(name)) url.searchParams.append(name, value)
    const tokens = await client.authorizationCodeGrant(await this.#configure(settings, options), url, {
      ...(settings.pkce === false ? {} : { pkceCodeVerifier: attempt.verifier }),
      expectedState: attempt.state,
    })
    return this.#accountOf(settings, tokens.access_token, options.signal)
  }

  /** Asks for a token with no code: whatever the server says to that, it has been reached. Throws when it has not. */
  async test({ tokenURL, caData }: OAuth2Settings, { signal }: Options): Promise<void> {
    const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
    const { status } = await ask(this.#deps, {
      url: new URL(tokenURL),
      method: 'POST',
      headers,
      body: 'grant_type=authorization_code',
      ca: certificateAuthority(caData),
      signal,
    })
    if (status >= 500 || status === 404 || (status >= 300 && status < 400))
      throw new StatusError('Invalid', `${tokenURL} answered HTTP ${status}; check spec.oauth2.tokenURL`)
  }

  async #configure(settings: OAuth2Settings, { secret, signal }: Options): Promise<Configuration> {
    const { authorizationURL, tokenURL, clientID, caData } = settings
    const metadata = {
      issuer: new URL(tokenURL).origin,
      authorization_endpoint: authorizationURL,
      token_endpoint: tokenURL,
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    }
    const fetch = fetchThrough(this.#deps, { ca: certificateAuthority(caData), signal })
    return configure(this.#deps.clock, { metadata, clientID, secret, fetch: asOAuth2(fetch) })
  }

  async #accountOf(settings: OAuth2Settings, token: string, signal: AbortSignal): Promise<Account> {
    const fields = settings.fields ?? {}
    const info = await this.#read(settings, { url: new URL(settings.userInfoURL), what: 'userInfoURL', token, signal })
    const id = valueAt(info.value, fields.id ?? 'id')
    if (!(typeof id === 'string' && id !== '') && !(typeof id === 'number' && Number.isSafeInteger(id)))
      throw new StatusError(
        'Invalid',
        `the answer of userInfoURL has no text or whole number at "${fields.id ?? 'id'}": say in spec.oauth2.fields.id what identifies an account`,
      )
    const { groups, groupsMessage } = await this.#groupsOf(settings, { info: info.value, token, signal })
    return {
      subject: String(id),
      login: textAt(info.value, fields.login ?? 'login') ?? String(id),
      displayName: textAt(info.value, fields.displayName ?? 'name'),
      email: textAt(info.value, fields.email ?? 'email'),
      emailVerified: fields.emailVerified !== undefined && valueAt(info.value, fields.emailVerified) === true,
      groups,
      groupsMessage,
    }
  }

  async #groupsOf(
    settings: OAuth2Settings,
    { info, token, signal }: { readonly info: unknown; readonly token: string; readonly signal: AbortSignal },
  ): Promise<{ readonly groups: readonly string[]; readonly groupsMessage?: string }> {
    const { groupsURL, fields } = settings
    const nameOf = (group: unknown): string | undefined => (typeof group === 'string' ? group : textAt(group, fields?.groupName ?? 'login'))
    const lists: unknown[] = fields?.groups === undefined ? [] : [valueAt(info, fields.groups)]
    let next = groupsURL === undefined ? undefined : new URL(groupsURL)
    for (let page = 0; next !== undefined && page < mostPages; page++) {
      const answer = await this.#read(settings, { url: next, what: 'groupsURL', token, signal })
      lists.push(answer.value)
      next = answer.next
    }
    const groups = lists.flatMap((list) => (Array.isArray(list) ? list : [])).flatMap((group) => nameOf(group) ?? [])
    return { groups, ...(next === undefined ? {} : { groupsMessage: `the list of groups has more than ${mostPages} pages; the rest is missing` }) }
  }

  async #read(
    settings: OAuth2Settings,
    { url, what, token, signal }: { readonly url: URL; readonly what: string; readonly token: string; readonly signal: AbortSignal },
  ): Promise<{ readonly value: unknown; readonly next: URL | undefined }> {
    const headers = { accept: 'application/json', authorization: `Bearer ${token}` }
    const answer = await ask(this.#deps, { url, headers, ca: certificateAuthority(settings.caData), signal })
    const link = typeof answer.headers['link'] === 'string' ? /<([^>]{1,2048})>\s*;[^,]*rel="?next"?/.exec(answer.headers['link'])?.[1] : undefined
    const next = link !== undefined && URL.canParse(link, url.href) ? new URL(link, url) : undefined
    // The token goes to no other server than the one that was written down.
    return { value: jsonOf(`${what} (${url.origin}${url.pathname})`, answer), next: next?.origin === url.origin ? next : undefined }
  }
}

/** What servers of this shape answer, as RFC 6749 has it: errors come with 200, and an ID token is nothing that could be judged here. */
function asOAuth2(fetch: CustomFetch): CustomFetch {
  return async (url, options) => {
    const response = await fetch(url, options)
    const text = await response.text()
    let body: unknown
    try {
      body = JSON.parse(text)
    } catch {
      throw new StatusError('BadRequest', `tokenURL did not answer with JSON, but with HTTP ${response.status}`)
    }
    if (typeof body !== 'object' || body === null) throw new StatusError('BadRequest', 'tokenURL did not answer with a JSON object')
    const { id_token: _, ...rest } = body as Readonly<Record<string, unknown>>
    const status = response.status === 200 && 'error' in rest ? 400 : response.status
    return new Response(JSON.stringify(rest), { status, headers: { 'content-type': 'application/json' } })
  }
}

function valueAt(value: unknown, path: string): unknown {
  let at: unknown = value
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = Reflect.get(at, name)
  }
  return at
}

function textAt(value: unknown, path: string): string | undefined {
  const found = valueAt(value, path)
  return typeof found === 'string' && found !== '' ? found : undefined
}
