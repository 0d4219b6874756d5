import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { fieldInvalid, invalidError, StatusError } from '@gantry/apimachinery'
import type { Definitions } from '@gantry/apimachinery'
import type { ApiObject, Authenticator, Subresource, SubresourceCall } from '@gantry/apiserver'
import { formatTime, valueResponse } from '@gantry/apiserver'
import type { Clock, Handler, HttpResponse, Ids, UserInfo } from '@gantry/runtime'
import { header } from '@gantry/runtime'

const minSeconds = 600
const defaultSeconds = 3600
/** A pod asks for this lifetime by convention: its token lives a year, and warns after the hour, so that old clients that never reload keep working (A5). */
const podTokenSeconds = 3607
const extendedSeconds = 365 * 24 * 3600
const algorithm = 'ES256'

export interface TokenDeps {
  readonly clock: Clock
  readonly ids: Ids
  /** PEM of the P-256 key that signs. */
  readonly signingKey: string
  readonly find: (resource: 'serviceaccounts' | 'pods' | 'secrets' | 'nodes', namespace: string | undefined, name: string) => ApiObject | undefined
}

export interface TokenOptions {
  readonly issuer: string
  /** What the API itself is called inside tokens. */
  readonly audiences: readonly string[]
}

/** A new signing key as PEM. */
export function createSigningKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

interface Claims {
  readonly sub?: string
  readonly aud?: string | string[]
  readonly jti?: string
  readonly 'kubernetes.io'?: {
    readonly namespace?: string
    readonly serviceaccount?: { readonly name?: string; readonly uid?: string }
    readonly pod?: { readonly name?: string; readonly uid?: string }
    readonly secret?: { readonly name?: string; readonly uid?: string }
    readonly node?: { readonly name?: string; readonly uid?: string }
  }
}

/** Tokens of service accounts: issued, checked on every use against the account and what they are bound to, and published as a key set (A4–A7). */
export class ServiceAccountTokens {
  readonly #deps: TokenDeps
  readonly #options: TokenOptions
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #keyId: string

  constructor(deps: TokenDeps, options: TokenOptions) {
    this.#deps = deps
    this.#options = options
    this.#privateKey = createPrivateKey(deps.signingKey)
    this.#publicKey = createPublicKey(this.#privateKey)
    this.#keyId = createHash('sha256')
      .update(this.#publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64url')
  }

  /** Bearer tokens that are JWTs of our issuer; another's are somebody else's to judge. */
  readonly authenticate: Authenticator = async (request) => {
    const [scheme, token] = (header(request.headers, 'authorization') ?? '').split(' ', 2)
    if (scheme?.toLowerCase() !== 'bearer' || token === undefined || token.split('.').length !== 3) return undefined
    return this.review(token, [])
  }

  /** The identity behind a token; throws Unauthorized. */
  async review(token: string, audiences: readonly string[]): Promise<UserInfo> {
    const { jwtVerify } = await import('jose')
    const wanted = audiences.length === 0 ? this.#options.audiences : audiences
    let claims: Claims
    try {
      const verified = await jwtVerify(token, this.#publicKey, {
        issuer: this.#options.issuer,
        audience: [...wanted],
        algorithms: [algorithm],
        currentDate: this.#deps.clock.now(),
      })
      claims = verified.payload as Claims
    } catch (error) {
      throw new StatusError('Unauthorized', 'Unauthorized', { cause: error })
    }
    return this.#userOf(claims)
  }

  /** `serviceaccounts/token`. */
  subresource(types: Definitions): Subresource {
    const schema = types.get('io.k8s.api.authentication.v1.TokenRequest')
    if (schema === undefined) throw new Error('the type table has no TokenRequest')
    return { kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }, verbs: ['create'], schema, handle: (call) => this.#issue(call) }
  }

  /** `/openid/v1/jwks` and the discovery document (A7). */
  paths(): Readonly<Record<string, Handler>> {
    const jwk = { use: 'sig', ...this.#publicKey.export({ format: 'jwk' }), kid: this.#keyId, alg: algorithm }
    const { issuer } = this.#options
    const discovery = {
      issuer,
      jwks_uri: `${issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [algorithm],
    }
    const document = (value: unknown, type: string): Handler => {
      const body = JSON.stringify(value)
      return () => Promise.resolve({ status: 200, headers: { 'content-type': type, 'cache-control': 'public, max-age=3600' }, body })
    }
    return {
      '/openid/v1/jwks': document({ keys: [jwk] }, 'application/jwk-set+json'),
      '/.well-known/openid-configuration': document(discovery, 'application/json'),
    }
  }

  async #issue(call: SubresourceCall): Promise<HttpResponse> {
    const account = call.parent()
    const { spec = {} } = (await call.body()) as unknown as {
      spec?: { audiences?: string[]; expirationSeconds?: number; boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string } }
    }
    const audiences = (spec.audiences ?? []).length === 0 ? [...this.#options.audiences] : (spec.audiences ?? [])
    const asked = spec.expirationSeconds ?? defaultSeconds
    const problem =
      asked < minSeconds
        ? 'may not specify a duration less than 10 minutes'
        : asked > 2 ** 32
          ? 'may not specify a duration larger than 2^32 seconds'
          : undefined
    if (problem !== undefined)
      throw invalidError({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [fieldInvalid('spec.expirationSeconds', asked, problem)])
    const bound = this.#boundObject(spec.boundObjectRef, account.metadata.namespace)
    const isForPod = asked === podTokenSeconds && audiences.every((audience) => this.#options.audiences.includes(audience))
    const now = Math.floor(this.#deps.clock.now().getTime() / 1000)
    const expires = now + (isForPod ? extendedSeconds : asked)
    const { SignJWT } = await import('jose')
    const token = await new SignJWT({
      'kubernetes.io': {
        namespace: account.metadata.namespace,
        ...bound,
        serviceaccount: { name: account.metadata.name, uid: account.metadata.uid },
        ...(isForPod ? { warnafter: now + asked } : {}),
      },
    })
      .setProtectedHeader({ alg: algorithm, kid: this.#keyId })
      .setIssuer(this.#options.issuer)
      .setAudience(audiences)
      .setSubject(`system:serviceaccount:${account.metadata.namespace}:${account.metadata.name}`)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(expires)
      .setJti(this.#deps.ids.uid())
      .sign(this.#privateKey)
    const answer = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name: account.metadata.name, namespace: account.metadata.namespace, creationTimestamp: formatTime(call.context.now) },
      spec: { audiences, expirationSeconds: asked, boundObjectRef: spec.boundObjectRef ?? null },
      status: { token, expirationTimestamp: formatTime(new Date((now + asked) * 1000)) },
    }
    return valueResponse(201, answer, { media: 'json', pretty: false })
  }

  #boundObject(
    ref: { readonly kind?: string; readonly name?: string; readonly uid?: string } | undefined,
    namespace: string | undefined,
  ): Record<string, unknown> {
    if (ref === undefined || ref === null || (ref.kind ?? '') === '') return {}
    const resource = ref.kind === 'Pod' ? 'pods' : ref.kind === 'Secret' ? 'secrets' : ref.kind === 'Node' ? 'nodes' : undefined
    if (resource === undefined) throw new StatusError('BadRequest', `cannot bind token for serviceaccount to object of type ${ref.kind}`)
    const found = this.#deps.find(resource, resource === 'nodes' ? undefined : namespace, ref.name ?? '')
    if (found === undefined)
      throw new StatusError('NotFound', `${resource} ${JSON.stringify(ref.name ?? '')} not found`, { details: { name: ref.name ?? '', kind: resource } })
    if ((ref.uid ?? '') !== '' && ref.uid !== found.metadata.uid) {
      throw new StatusError(
        'Conflict',
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      )
    }
    return { [(ref.kind ?? '').toLowerCase()]: { name: found.metadata.name, uid: found.metadata.uid } }
  }

  #userOf(claims: Claims): UserInfo {
    const { namespace = '', serviceaccount, pod, secret, node } = claims['kubernetes.io'] ?? {}
    const account = this.#deps.find('serviceaccounts', namespace, serviceaccount?.name ?? '')
    const gone = new StatusError('Unauthorized', 'Unauthorized')
    if (account === undefined || account.metadata.uid !== serviceaccount?.uid) throw gone
    for (const [resource, bound] of [
      ['pods', pod],
      ['secrets', secret],
    ] as const) {
      if (bound !== undefined && this.#deps.find(resource, namespace, bound.name ?? '')?.metadata.uid !== bound.uid) throw gone
    }
    const extra: Record<string, string[]> = {}
    const tell = (name: string, value: string | undefined): void => {
      if (value !== undefined) extra[`authentication.kubernetes.io/${name}`] = [value]
    }
    tell('credential-id', claims.jti === undefined ? undefined : `JTI=${claims.jti}`)
    tell('pod-name', pod?.name)
    tell('pod-uid', pod?.uid)
    tell('node-name', node?.name)
    tell('node-uid', node?.uid)
    return {
      username: `system:serviceaccount:${namespace}:${account.metadata.name}`,
      uid: account.metadata.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra,
    }
  }
}
