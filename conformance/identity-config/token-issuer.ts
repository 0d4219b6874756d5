import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { HttpsServer } from '../src/https-server.ts'

/** A key of an issuer, under the name that its tokens give it. */
export interface IssuerKey {
  readonly id: string
  readonly privateKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
}

export function createKey(id: string): IssuerKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { id, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid: id, alg: 'ES256', use: 'sig' } }
}

/** A compact JWT; `alg` is what its head says. */
export function signToken(
  key: Pick<IssuerKey, 'id' | 'privateKey'>,
  claims: object,
  alg = key.privateKey.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256',
): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const body = `${part({ alg, kid: key.id, typ: 'JWT' })}.${part(claims)}`
  return `${body}.${sign('sha256', Buffer.from(body), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** An OpenID provider at one path of the server: a discovery document and the keys of the moment. */
export class TokenIssuer {
  readonly url: string
  readonly discoveryUrl: string
  keys: IssuerKey[] = [createKey('first')]
  /** How often its keys were asked for. */
  fetches = 0

  constructor(server: HttpsServer, path: string, { discovery = `${path}/.well-known/openid-configuration` }: { readonly discovery?: string } = {}) {
    const origin = `https://127.0.0.1:${server.port}`
    this.url = `${origin}${path}`
    this.discoveryUrl = `${origin}${discovery}`
    server.on(discovery, () => ({ issuer: this.url, jwks_uri: `${this.url}/keys` }))
    server.on(`${path}/keys`, () => {
      this.fetches++
      return { keys: this.keys.map(({ jwk }) => jwk) }
    })
  }

  /** Valid for an hour, unless the claims say otherwise. */
  token(claims: object, { key = this.keys[0] }: { readonly key?: IssuerKey | undefined } = {}): string {
    if (key === undefined) throw new Error(`${this.url} has no key`)
    const now = Math.floor(Date.now() / 1000)
    return signToken(key, { iss: this.url, iat: now, nbf: now, exp: now + 3600, ...claims })
  }
}
