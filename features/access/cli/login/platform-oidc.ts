import { StatusError } from '@gantry/apimachinery'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { Handler } from '@gantry/runtime'
import type * as OpenIdClient from 'openid-client'
import { cliClientId } from '../../api/index.ts'
import type { Login } from './logins.ts'
import type { LoginPorts } from './login-ports.ts'

const scope = 'openid profile offline_access'
const answerBytes = 1 << 20
const loginWithinMs = 10 * 60_000
const requestWithinMs = 20_000

export interface OidcDeps {
  readonly ports: LoginPorts
  readonly note: (line: string) => void
  readonly signal: AbortSignal
}

type Tokens = OpenIdClient.TokenEndpointResponse & OpenIdClient.TokenEndpointResponseHelpers

/** Speaks OpenID Connect with a platform, over a connection that trusts its CA and no other. */
export class PlatformOidc {
  readonly #library: typeof OpenIdClient
  readonly #configuration: OpenIdClient.Configuration
  readonly #server: Pick<Login, 'server' | 'ca'>
  readonly #deps: OidcDeps

  private constructor(
    deps: OidcDeps,
    opened: { readonly library: typeof OpenIdClient; readonly configuration: OpenIdClient.Configuration; readonly server: Pick<Login, 'server' | 'ca'> },
  ) {
    this.#deps = deps
    this.#library = opened.library
    this.#configuration = opened.configuration
    this.#server = opened.server
  }

  /** Throws ServiceUnavailable when there is no platform at the address. */
  static async open(deps: OidcDeps, server: Pick<Login, 'server' | 'ca'>, handle: Handler): Promise<PlatformOidc> {
    // Most calls for a token need none of it.
    const library = await import('openid-client')
    const customFetch = fetchOver(handle, deps.signal)
    const options: OpenIdClient.DiscoveryRequestOptions = { [library.customFetch]: customFetch }
    let configuration: OpenIdClient.Configuration
    try {
      configuration = await library.discovery(new URL(`${server.server}/oidc`), cliClientId, undefined, library.None(), options)
    } catch (error) {
      if (error instanceof StatusError) throw error
      if (error instanceof Error && error.cause instanceof StatusError) throw error.cause
      throw new StatusError('ServiceUnavailable', `${server.server} answers, but not as a Gantry platform that one can log in to`, { cause: error })
    }
    configuration[library.customFetch] = customFetch
    return new PlatformOidc(deps, { library, configuration, server })
  }

  /** With the browser of this machine, which comes back to the loopback interface (RFC 8252). Undefined when there is no browser. */
  async byBrowser(): Promise<Login | undefined> {
    const { ports, note, signal } = this.#deps
    await using loopback = await ports.listen()
    const [pkceCodeVerifier, expectedState, expectedNonce] = [this.#library.randomPKCECodeVerifier(), this.#library.randomState(), this.#library.randomNonce()]
    const url = this.#library.buildAuthorizationUrl(this.#configuration, {
      redirect_uri: loopback.redirectUri,
      scope,
      prompt: 'consent',
      code_challenge: await this.#library.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      nonce: expectedNonce,
    })
    if (!(await ports.openBrowser(url.href))) return undefined
    note(`Your browser opens ${this.#server.server} to ask you. If it does not, open this address in it:\n\n  ${url.href}\n`)
    const within = AbortSignal.any([signal, AbortSignal.timeout(loginWithinMs)])
    const back = await loopback.visited(expectedState, { signal: within })
    try {
      return this.#loginOf(await this.#library.authorizationCodeGrant(this.#configuration, back, { pkceCodeVerifier, expectedState, expectedNonce }))
    } catch (error) {
      throw explained(error)
    }
  }

  /** With a browser anywhere else, where a person confirms the code that is shown here (RFC 8628). */
  async byDevice(): Promise<Login> {
    const { note, signal } = this.#deps
    try {
      const device = await this.#library.initiateDeviceAuthorization(this.#configuration, { scope })
      note(`Open this address in a browser, sign in, and confirm the code:\n\n  ${device.verification_uri}\n\n  ${device.user_code}\n`)
      return this.#loginOf(await this.#library.pollDeviceAuthorizationGrant(this.#configuration, device, {}, { signal }))
    } catch (error) {
      throw explained(error)
    }
  }

  /** New tokens for the old: the refresh token that was used is worth nothing afterwards. Throws Unauthorized when the session has ended. */
  async refresh(login: Login): Promise<Login> {
    try {
      const tokens = await this.#library.refreshTokenGrant(this.#configuration, login.refreshToken)
      return this.#with(tokens, login.user)
    } catch (error) {
      throw explained(error, `the session at ${login.server} has ended: log in again with "gantry login ${login.server}"`)
    }
  }

  /** Ends the session. */
  async revoke(login: Login): Promise<void> {
    try {
      await this.#library.tokenRevocation(this.#configuration, login.refreshToken)
    } catch (error) {
      throw explained(error)
    }
  }

  #loginOf(tokens: Tokens): Login {
    const user = tokens.claims()?.['preferred_username']
    return this.#with(tokens, typeof user === 'string' ? user : '')
  }

  #with(tokens: Tokens, user: string): Login {
    const seconds = tokens.expiresIn() ?? 0
    return {
      ...this.#server,
      user,
      refreshToken: tokens.refresh_token ?? '',
      accessToken: tokens.access_token,
      expirationTime: new Date(this.#deps.ports.clock.now().getTime() + seconds * 1_000).toISOString().replace(/\.\d+Z$/, 'Z'),
    }
  }
}

/** What the platform has said, for people. */
function explained(error: unknown, ended = 'the login was refused or has expired: run it again'): unknown {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'error') : undefined
  if (code === 'access_denied') return new StatusError('Forbidden', 'the login was refused in the browser')
  if (code === 'expired_token') return new StatusError('Timeout', 'nobody has confirmed the code in time: run the login again')
  if (code === 'invalid_grant') return new StatusError('Unauthorized', ended)
  if (error instanceof Error && error.cause instanceof StatusError) return error.cause
  return error
}

function fetchOver(handle: Handler, signal: AbortSignal): OpenIdClient.CustomFetch {
  return async (url, { method, headers, body }) => {
    const { pathname, search } = new URL(url)
    const text =
      body === undefined || body === null ? undefined : body instanceof URLSearchParams ? body.toString() : typeof body === 'string' ? body : undefined
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    const response = await handle({
      method,
      path: pathname,
      query: search.slice(1),
      headers: {
        ...sent,
        'user-agent': 'gantry-cli',
        ...(text === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(Buffer.byteLength(text)) }),
      },
      body: text === undefined ? undefined : bodyOf(text),
      signal: AbortSignal.any([signal, AbortSignal.timeout(requestWithinMs)]),
    })
    const content = await readWholeBody(response, answerBytes)
    const plain = Object.entries(response.headers).filter(([, value]) => typeof value === 'string') as [string, string][]
    return new Response(content.length === 0 ? null : new Uint8Array(content), { status: response.status, headers: plain })
  }
}
