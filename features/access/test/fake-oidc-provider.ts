import { createHash } from 'node:crypto'
import type { OutboundDeps } from '@gantry/access/server'
import type { Clock, Handler, HttpResponse } from '@gantry/runtime'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWK } from 'jose'

/** What one sign-in at the fake provider is to be. */
export interface FakeAccount {
  readonly claims: Readonly<Record<string, unknown>>
  readonly userInfo?: Readonly<Record<string, unknown>>
}

/** An OpenID provider in process, over handlers, that can be told to lie. */
export class FakeOidcProvider {
  readonly issuer: string
  readonly clock: Clock
  readonly clientID = 'gantry'
  readonly clientSecret = 'fake-client-secret'
  account: FakeAccount = { claims: { sub: 'sub-1', preferred_username: 'ann' } }
  /** Changes what the next tokens say. */
  lie: (claims: Record<string, unknown>) => void = () => {}
  alg: 'ES256' | 'none' | 'foreign-key' = 'ES256'
  /** More of its discovery document. */
  metadata: Readonly<Record<string, unknown>> = {}
  /** Replaces the answer to a path. */
  readonly answers = new Map<string, () => Promise<HttpResponse> | HttpResponse>()
  /** Hosts that were asked, and paths, in order. */
  readonly asked: string[] = []
  readonly #codes = new Map<string, { readonly nonce: string; readonly challenge: string; readonly redirectURI: string }>()
  readonly #tokens = new Set<string>()
  #next = 1

  private readonly keys: { readonly own: CryptoKey; readonly foreign: CryptoKey; readonly jwk: JWK }

  private constructor(issuer: string, clock: Clock, keys: FakeOidcProvider['keys']) {
    this.issuer = issuer
    this.clock = clock
    this.keys = keys
  }

  static async create(clock: Clock, issuer = 'https://idp.test'): Promise<FakeOidcProvider> {
    const own = await generateKeyPair('ES256')
    const foreign = await generateKeyPair('ES256')
    const jwk = { ...(await exportJWK(own.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
    return new FakeOidcProvider(issuer, clock, { own: own.privateKey, foreign: foreign.privateKey, jwk })
  }

  get outbound(): Pick<OutboundDeps, 'lookup' | 'openTransport'> {
    return {
      lookup: () => Promise.resolve(['192.0.2.80']),
      openTransport: ({ server }) => ({
        handle: (request) => {
          this.asked.push(`${new URL(server).host} ${request.path}`)
          return this.handle(request)
        },
        close: () => Promise.resolve(),
      }),
    }
  }

  /** Honest again, with the account it began with. */
  reset(): void {
    this.account = { claims: { sub: 'sub-1', preferred_username: 'ann' } }
    this.lie = () => {}
    this.alg = 'ES256'
    this.metadata = {}
    this.answers.clear()
    this.asked.length = 0
  }

  /** What the provider's page does with somebody who agrees: the path of the callback, with its query. */
  agree(location: string): string {
    const { searchParams } = new URL(location)
    const code = `code-${this.#next++}`
    const redirectURI = searchParams.get('redirect_uri') ?? ''
    this.#codes.set(code, { nonce: searchParams.get('nonce') ?? '', challenge: searchParams.get('code_challenge') ?? '', redirectURI })
    return `${new URL(redirectURI).pathname}?${new URLSearchParams({ code, state: searchParams.get('state') ?? '', iss: this.issuer }).toString()}`
  }

  /** What the provider sends when somebody's sign-in there is over; `change` makes another token of it. */
  async logoutToken(
    change: (claims: Record<string, unknown>) => void = () => {},
    { typ = 'logout+jwt', key = 'own' }: { readonly typ?: string; readonly key?: 'own' | 'foreign' | 'none' | 'client-secret' | 'unknown' } = {},
  ): Promise<string> {
    const now = Math.floor(this.clock.now().getTime() / 1_000)
    const claims: Record<string, unknown> = {
      iss: this.issuer,
      aud: this.clientID,
      iat: now,
      exp: now + 120,
      jti: `logout-${this.#next++}`,
      sub: this.account.claims['sub'],
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    }
    change(claims)
    if (key === 'none') return new UnsecuredJWT(claims).encode()
    if (key === 'client-secret') return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ }).sign(Buffer.from(this.clientSecret))
    const kid = key === 'unknown' ? 'k9' : 'k1'
    return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid, typ }).sign(key === 'own' ? this.keys.own : this.keys.foreign)
  }

  readonly handle: Handler = async (request) => {
    const other = this.answers.get(request.path)
    if (other !== undefined) return other()
    if (request.path === '/.well-known/openid-configuration') {
      return json({
        issuer: this.issuer,
        authorization_endpoint: `${this.issuer}/authorize`,
        token_endpoint: `${this.issuer}/token`,
        userinfo_endpoint: `${this.issuer}/userinfo`,
        ...this.metadata,
        jwks_uri: `${this.issuer}/keys`,
        id_token_signing_alg_values_supported: ['ES256'],
        authorization_response_iss_parameter_supported: true,
      })
    }
    if (request.path === '/keys') return json({ keys: [this.keys.jwk] })
    if (request.path === '/token') return this.#token(request)
    if (request.path === '/userinfo') {
      const token = String(request.headers['authorization']).slice('Bearer '.length)
      return this.#tokens.has(token) ? json({ sub: this.account.claims['sub'], ...this.account.userInfo }) : json({ error: 'invalid_token' }, 401)
    }
    return json({}, 404)
  }

  async #token(request: Parameters<Handler>[0]): Promise<HttpResponse> {
    const login = Buffer.from(String(request.headers['authorization']).replace(/^Basic /, ''), 'base64').toString()
    if (decodeURIComponent(login) !== `${this.clientID}:${this.clientSecret}`) return json({ error: 'invalid_client' }, 401)
    const form = new URLSearchParams((await request.body?.bytes(10_000))?.toString() ?? '')
    const code = form.get('code') ?? ''
    const known = this.#codes.get(code)
    this.#codes.delete(code)
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (known === undefined || known.challenge !== challenge || known.redirectURI !== form.get('redirect_uri')) return json({ error: 'invalid_grant' }, 400)
    const now = Math.floor(this.clock.now().getTime() / 1_000)
    const claims: Record<string, unknown> = { iss: this.issuer, aud: this.clientID, iat: now, exp: now + 300, nonce: known.nonce, ...this.account.claims }
    this.lie(claims)
    const token = `token-${this.#next++}`
    this.#tokens.add(token)
    const signed =
      this.alg === 'none'
        ? new UnsecuredJWT(claims).encode()
        : await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(this.alg === 'ES256' ? this.keys.own : this.keys.foreign)
    return json({ access_token: token, token_type: 'Bearer', expires_in: 300, id_token: signed })
  }
}

export function json(value: unknown, status = 200): HttpResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
