import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { fieldInvalid, invalidError, StatusError } from '@gantry/apimachinery'
import type { Definitions, OpenApiEntry } from '@gantry/apimachinery'
import type { ApiObject, Subresource, SubresourceCall } from '@gantry/apiserver'
import { formatTime, valueResponse } from '@gantry/apiserver'
import type { Clock, Handler, HttpResponse, Ids, Logger, UserInfo } from '@gantry/runtime'
import { quoted } from './policy-rules.ts'
import type { TokenAuthenticator } from './token-authenticators.ts'

const minSeconds = 600
const defaultSeconds = 3600
/** A pod asks for this lifetime by convention: its token lives a year, and warns after the hour, so that old clients that never reload keep working (A5). */
const podTokenSeconds = 3607
const extendedSeconds = 365 * 24 * 3600
/** How far clocks may be apart, and how long what is being deleted still counts (A6). */
const leewaySeconds = 60
const legacyIssuer = 'kubernetes/serviceaccount'
const legacyClaim = 'kubernetes.io/serviceaccount'
const lastUsedLabel = 'kubernetes.io/legacy-token-last-used'
const invalidSinceLabel = 'kubernetes.io/legacy-token-invalid-since'
const dayMs = 24 * 3600 * 1000
/** Tokens whose signature has been checked: a check costs more than the rest of a request. */
const maxVerified = 4096

export interface TokenDeps {
  readonly clock: Clock
  readonly ids: Ids
  /** PEM of the private key that signs. */
  readonly signingKey: string
  readonly find: (resource: 'serviceaccounts' | 'pods' | 'secrets' | 'nodes', namespace: string | undefined, name: string) => ApiObject | undefined
  /** Adds labels to a Secret. */
  readonly labelSecret: (secret: ApiObject, labels: Readonly<Record<string, string>>) => Promise<unknown>
  readonly log: Logger
}

export interface TokenOptions {
  /** `iss` of new tokens. */
  readonly issuer: string
  /** Former issuers, whose tokens still count. */
  readonly formerIssuers?: readonly string[] | undefined
  /** What the API itself is called inside tokens. */
  readonly audiences: readonly string[]
  /** PEM of further keys, public or private, whose tokens count: those that signed before the last rotation. */
  readonly verificationKeys?: readonly string[] | undefined
}

/** A new signing key as PEM. */
export function createSigningKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** What a legacy token has to say, and what upstream calls it. */
const legacyClaims = [
  ['namespace', 'namespace'],
  ['secret.name', 'secretName'],
  ['service-account.name', 'serviceAccountName'],
  ['service-account.uid', 'serviceAccountUID'],
] as const

interface BoundName {
  readonly name?: string
  readonly uid?: string
}

interface Claims {
  readonly iss?: string
  readonly sub?: string
  readonly aud?: string | string[]
  readonly jti?: string
  readonly 'kubernetes.io'?: {
    readonly namespace?: string
    readonly serviceaccount?: BoundName
    readonly pod?: BoundName
    readonly secret?: BoundName
    readonly node?: BoundName
    readonly warnafter?: number
  }
  readonly [legacy: `kubernetes.io/serviceaccount/${string}`]: string | undefined
}

interface Key {
  readonly id: string
  readonly publicKey: KeyObject
  readonly algorithm: string
}

/** Tokens of service accounts: issued, checked on every use against the account and what they are bound to, and published as a key set (A4-A8). */
export class ServiceAccountTokens {
  readonly #deps: TokenDeps
  readonly #options: TokenOptions
  readonly #privateKey: KeyObject
  readonly #signing: Key
  readonly #keys: readonly Key[]
  readonly #issuers: ReadonlySet<string>
  /** By the uid of the Secret: one label is written at a time. */
  readonly #telling = new Map<string, Promise<void>>()
  readonly #verified = new Map<string, Claims & { readonly exp?: number; readonly nbf?: number }>()

  constructor(deps: TokenDeps, options: TokenOptions) {
    this.#deps = deps
    this.#options = options
    this.#privateKey = createPrivateKey(deps.signingKey)
    this.#signing = keyOf(deps.signingKey)
    const others = (options.verificationKeys ?? []).map(keyOf).filter(({ id }) => id !== this.#signing.id)
    this.#keys = [this.#signing, ...others]
    this.#issuers = new Set([options.issuer, ...(options.formerIssuers ?? []), legacyIssuer])
  }

  /** JWTs of our issuers; another's are somebody else's to judge. */
  readonly authenticate: TokenAuthenticator = async (token, audiences) => {
    const claims = await this.#verify(token)
    if (claims === undefined) return undefined
    if (claims.iss === legacyIssuer) {
      const common = audiences.filter((audience) => this.#options.audiences.includes(audience))
      if (common.length === 0) throw new Error(`token audiences ${quoted(this.#options.audiences)} is invalid for the target audiences ${quoted(audiences)}`)
      return { user: this.#legacyUserOf(claims, token), audiences: common }
    }
    const own = [claims.aud ?? []].flat()
    const common = own.filter((audience) => audiences.includes(audience))
    if (common.length === 0) throw new Error(`token audiences ${quoted(own)} is invalid for the target audiences ${quoted(audiences)}`)
    return { user: this.#userOf(claims), audiences: common }
  }

  /** `serviceaccounts/token`. */
  subresource(types: Definitions): Subresource {
    const schema = types.get('io.k8s.api.authentication.v1.TokenRequest')
    if (schema === undefined) throw new Error('the type table has no TokenRequest')
    return { kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }, verbs: ['create'], schema, handle: (call) => this.#issue(call) }
  }

  /** `/openid/v1/jwks` and the discovery document (A7). */
  paths(): Readonly<Record<string, Handler>> {
    const { issuer } = this.#options
    const keys = this.#keys.map(({ id, publicKey, algorithm }) => ({ use: 'sig', ...publicKey.export({ format: 'jwk' }), kid: id, alg: algorithm }))
    const discovery = {
      issuer,
      jwks_uri: `${issuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [...new Set(this.#keys.map(({ algorithm }) => algorithm))],
    }
    const document = (value: unknown, type: string): Handler => {
      const body = JSON.stringify(value)
      return () => Promise.resolve({ status: 200, headers: { 'content-type': type, 'cache-control': 'public, max-age=3600' }, body })
    }
    return {
      '/openid/v1/jwks': document({ keys }, 'application/jwk-set+json'),
      '/.well-known/openid-configuration': document(discovery, 'application/json'),
    }
  }

  /** How OpenAPI describes those paths. */
  static readonly entries: ReadonlyMap<string, OpenApiEntry> = new Map([
    [
      '.well-known/openid-configuration',
      {
        path: '/.well-known/openid-configuration/',
        tag: 'WellKnown',
        operationId: 'getServiceAccountIssuerOpenIDConfiguration',
        description: "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
        media: ['application/json'],
      },
    ],
    [
      'openid/v1/jwks',
      {
        path: '/openid/v1/jwks/',
        tag: 'openid',
        operationId: 'getServiceAccountIssuerOpenIDKeyset',
        description: 'get service account issuer OpenID JSON Web Key Set (contains public token verification keys)',
        media: ['application/jwk-set+json'],
      },
    ],
  ])

  /** A token for a Secret of type kubernetes.io/service-account-token: it does not expire, and counts as long as the Secret holds it (A8). */
  async legacyToken(account: ApiObject, secretName: string): Promise<string> {
    const { namespace = '', name, uid } = account.metadata
    const { SignJWT } = await import('jose')
    return new SignJWT({
      [`${legacyClaim}/namespace`]: namespace,
      [`${legacyClaim}/secret.name`]: secretName,
      [`${legacyClaim}/service-account.name`]: name,
      [`${legacyClaim}/service-account.uid`]: uid,
    })
      .setProtectedHeader({ alg: this.#signing.algorithm, kid: this.#signing.id })
      .setIssuer(legacyIssuer)
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .sign(this.#privateKey)
  }

  /** The claims of a token of ours, its times checked; undefined when it is somebody else's. */
  async #verify(token: string): Promise<Claims | undefined> {
    const parts = token.split('.')
    if (parts.length !== 3) return undefined
    const now = Math.floor(this.#deps.clock.now().getTime() / 1000)
    const digest = createHash('sha256').update(token).digest('base64url')
    let claims = this.#verified.get(digest)
    if (claims === undefined) {
      const unverified = jsonOf(parts[1] ?? '') as Claims | undefined
      if (unverified === undefined || !this.#issuers.has(unverified.iss ?? '')) return undefined
      claims = await this.#checkSignature(token, jsonOf(parts[0] ?? '') as { readonly kid?: string } | undefined)
      if (this.#verified.size >= maxVerified) this.#verified.clear()
      this.#verified.set(digest, claims)
    }
    if (claims.exp !== undefined && now > claims.exp + leewaySeconds) throw new Error('service account token has expired')
    if (claims.nbf !== undefined && now + leewaySeconds < claims.nbf) throw new Error('service account token is not valid yet')
    return claims
  }

  async #checkSignature(token: string, head: { readonly kid?: string } | undefined): Promise<Claims> {
    const { compactVerify } = await import('jose')
    const named = this.#keys.filter(({ id }) => id === head?.kid)
    for (const { publicKey, algorithm } of named.length > 0 ? named : this.#keys) {
      try {
        const { payload } = await compactVerify(token, publicKey, { algorithms: [algorithm] })
        return JSON.parse(Buffer.from(payload).toString()) as Claims
      } catch {
        // Another key may have signed it.
      }
    }
    throw new Error('go-jose/go-jose: error in cryptographic primitive')
  }

  async #issue(call: SubresourceCall): Promise<HttpResponse> {
    const account = call.parent()
    const body = (await call.body()) as unknown as {
      metadata?: { name?: string; namespace?: string; uid?: string }
      spec?: { audiences?: string[]; expirationSeconds?: number; boundObjectRef?: BoundRef | null }
    }
    const { spec = {}, metadata = {} } = body
    const audiences = (spec.audiences ?? []).length === 0 ? [...this.#options.audiences] : (spec.audiences ?? [])
    const asked = spec.expirationSeconds ?? defaultSeconds
    const { namespace } = account.metadata
    const subject = { group: 'authentication.k8s.io', kind: 'TokenRequest' }
    if ((metadata.namespace ?? '') !== '' && metadata.namespace !== namespace)
      throw new StatusError('BadRequest', 'the namespace of the provided object does not match the namespace sent on the request')
    if ((metadata.name ?? '') !== '' && metadata.name !== account.metadata.name)
      throw invalidError(subject, account.metadata.name, [fieldInvalid('metadata.name', metadata.name, 'must match the service account name if specified')])
    const { uid } = account.metadata
    if ((metadata.uid ?? '') !== '' && metadata.uid !== uid)
      throw new StatusError(
        'Conflict',
        `Operation cannot be fulfilled on TokenRequest.authentication.k8s.io ${JSON.stringify(account.metadata.name)}: the UID in the token request (${metadata.uid}) does not match the UID of the service account (${uid})`,
        { details: { name: account.metadata.name, group: subject.group, kind: subject.kind } },
      )
    const problem =
      asked < minSeconds
        ? 'may not specify a duration less than 10 minutes'
        : asked > 2 ** 32
          ? 'may not specify a duration larger than 2^32 seconds'
          : undefined
    if (problem !== undefined) throw invalidError(subject, '', [fieldInvalid('spec.expirationSeconds', asked, problem)])
    const bound = this.#boundObject(spec.boundObjectRef ?? undefined, account)
    const isForPod = 'pod' in bound && asked === podTokenSeconds && audiences.every((audience) => this.#options.audiences.includes(audience))
    const now = Math.floor(this.#deps.clock.now().getTime() / 1000)
    const { SignJWT } = await import('jose')
    const id = this.#deps.ids.uid()
    call.context.annotate?.('authentication.kubernetes.io/issued-credential-id', `JTI=${id}`)
    const token = await new SignJWT({
      'kubernetes.io': {
        namespace,
        ...bound,
        serviceaccount: { name: account.metadata.name, uid: account.metadata.uid },
        ...(isForPod ? { warnafter: now + asked } : {}),
      },
    })
      .setProtectedHeader({ alg: this.#signing.algorithm, kid: this.#signing.id })
      .setIssuer(this.#options.issuer)
      .setAudience(audiences)
      .setSubject(`system:serviceaccount:${namespace}:${account.metadata.name}`)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + (isForPod ? extendedSeconds : asked))
      .setJti(id)
      .sign(this.#privateKey)
    const answer = {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { ...metadata, name: account.metadata.name, namespace, uid: account.metadata.uid, creationTimestamp: formatTime(call.context.now) },
      spec: { audiences, expirationSeconds: asked, boundObjectRef: spec.boundObjectRef ?? null },
      status: { token, expirationTimestamp: formatTime(new Date((now + asked) * 1000)) },
    }
    return valueResponse(201, answer, { media: 'json', pretty: false })
  }

  #boundObject(ref: BoundRef | undefined, account: ApiObject): Record<string, BoundName> {
    if (ref === undefined) return {}
    const resource = ref.kind === 'Pod' ? 'pods' : ref.kind === 'Secret' ? 'secrets' : ref.kind === 'Node' ? 'nodes' : undefined
    if (resource === undefined) {
      const [group, version] = (ref.apiVersion ?? '').includes('/') ? (ref.apiVersion ?? '').split('/') : ['', ref.apiVersion ?? '']
      throw new StatusError('BadRequest', `cannot bind token to object of type ${group}/${version}, Kind=${ref.kind ?? ''}`)
    }
    const found = this.#deps.find(resource, resource === 'nodes' ? undefined : account.metadata.namespace, ref.name ?? '')
    if (found === undefined)
      throw new StatusError('NotFound', `${resource} ${JSON.stringify(ref.name ?? '')} not found`, { details: { name: ref.name ?? '', kind: resource } })
    if ((ref.uid ?? '') !== '' && ref.uid !== found.metadata.uid) {
      throw new StatusError(
        'Conflict',
        `Operation cannot be fulfilled on ${ref.kind} ${JSON.stringify(ref.name)}: the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
        { details: { name: ref.name ?? '', kind: ref.kind ?? '' } },
      )
    }
    const bound = { [(ref.kind ?? '').toLowerCase()]: { name: found.metadata.name, uid: found.metadata.uid } }
    if (resource !== 'pods') return bound
    const { serviceAccountName, nodeName = '' } = found['spec'] as { serviceAccountName?: string; nodeName?: string }
    if (serviceAccountName !== account.metadata.name) {
      throw new StatusError(
        'BadRequest',
        `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`,
      )
    }
    if (nodeName === '') return bound
    const node = this.#deps.find('nodes', undefined, nodeName)
    // A node that has gone is still named.
    return { ...bound, node: { name: nodeName, ...(node !== undefined && { uid: node.metadata.uid }) } }
  }

  #userOf(claims: Claims): UserInfo {
    const { namespace = '', serviceaccount, pod, secret, node } = claims['kubernetes.io'] ?? {}
    const account = this.#account(namespace, serviceaccount?.name ?? '', serviceaccount?.uid)
    this.#checkBound('secrets', namespace, secret)
    this.#checkBound('pods', namespace, pod)
    // A pod's token names its node without depending on it.
    if (pod === undefined) this.#checkBound('nodes', undefined, node)
    const extra: Record<string, string[]> = {}
    const tell = (name: string, value: string | undefined): void => {
      if (value !== undefined && value !== '') extra[`authentication.kubernetes.io/${name}`] = [value]
    }
    tell('credential-id', claims.jti === undefined ? undefined : `JTI=${claims.jti}`)
    tell('node-name', node?.name)
    tell('node-uid', node?.uid)
    tell('pod-name', pod?.name)
    tell('pod-uid', pod?.uid)
    return { ...accountUser(account), extra }
  }

  #legacyUserOf(claims: Claims, token: string): UserInfo {
    const namespace = claims['kubernetes.io/serviceaccount/namespace']
    const of = (name: string): string => claims[`kubernetes.io/serviceaccount/${name}`] ?? ''
    for (const [claim, name] of legacyClaims) if (of(claim) === '') throw new Error(`${name} claim is missing`)
    const accountName = `${namespace}/${of('service-account.name')}`
    if (claims.sub !== `system:serviceaccount:${accountName.replace('/', ':')}`) throw new Error('sub claim is invalid')
    const secret = this.#deps.find('secrets', namespace ?? '', of('secret.name'))
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined) throw new Error('Token has been invalidated')
    const stored = Buffer.from(((secret['data'] ?? {}) as Record<string, string>)['token'] ?? '', 'base64')
    if (!isSame(stored, Buffer.from(token))) throw new Error("Token does not match server's copy")
    const account = this.#deps.find('serviceaccounts', namespace ?? '', of('service-account.name'))
    if (account === undefined) throw new Error(`serviceaccounts ${JSON.stringify(of('service-account.name'))} not found`)
    if (account.metadata.deletionTimestamp !== undefined) throw new Error(`ServiceAccount ${accountName} has been deleted`)
    const { uid } = account.metadata
    if (uid !== of('service-account.uid')) throw new Error(`ServiceAccount UID (${uid}) does not match claim (${of('service-account.uid')})`)
    this.#tellUse(secret)
    if ((secret.metadata.labels?.[invalidSinceLabel] ?? '') !== '')
      throw new Error(
        `the token in secret ${namespace}/${secret.metadata.name} for service account ${accountName} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${invalidSinceLabel}' label from the secret to temporarily allow use of this token`,
      )
    return accountUser(account)
  }

  /** Who cleans up sees by the label which of these tokens somebody still uses, to the day. The request does not wait for it. */
  #tellUse(secret: ApiObject): void {
    const now = this.#deps.clock.now().getTime()
    const [today, tomorrow] = [now, now + dayMs].map((ms) => new Date(ms).toISOString().slice(0, 10))
    const last = secret.metadata.labels?.[lastUsedLabel]
    if (today === undefined || last === today || last === tomorrow || this.#telling.has(secret.metadata.uid)) return
    const telling = this.#deps
      .labelSecret(secret, { [lastUsedLabel]: today })
      .then(() => {})
      .catch((error: unknown) =>
        this.#deps.log.warn('the use of a service account token could not be noted on its Secret', { secret: secret.metadata.name, error }),
      )
      .finally(() => this.#telling.delete(secret.metadata.uid))
    this.#telling.set(secret.metadata.uid, telling)
  }

  /** Resolves when what is being written has been. */
  async settled(): Promise<void> {
    await Promise.all(this.#telling.values())
  }

  #account(namespace: string, name: string, uid: string | undefined): ApiObject {
    const account = this.#deps.find('serviceaccounts', namespace, name)
    if (account === undefined) throw new Error(`serviceaccounts ${JSON.stringify(name)} not found`)
    if (account.metadata.uid !== uid) throw new Error(`service account UID (${account.metadata.uid}) does not match claim (${uid ?? ''})`)
    if (this.#hasGone(account)) throw new Error(`service account ${namespace}/${name} has been deleted`)
    return account
  }

  #checkBound(resource: 'pods' | 'secrets' | 'nodes', namespace: string | undefined, bound: BoundName | undefined): void {
    if (bound === undefined) return
    const found = this.#deps.find(resource, namespace, bound.name ?? '')
    if (found === undefined) throw new Error('service account token has been invalidated')
    const kind = resource.slice(0, -1)
    if (found.metadata.uid !== bound.uid)
      throw new Error(`${kind} UID (${found.metadata.uid}) does not match service account ${kind} ref claim (${bound.uid ?? ''})`)
    if (this.#hasGone(found)) throw new Error('service account token has been invalidated')
  }

  /** What is being deleted counts for another minute: it may have to clean up. */
  #hasGone({ metadata }: ApiObject): boolean {
    return metadata.deletionTimestamp !== undefined && Date.parse(metadata.deletionTimestamp) < this.#deps.clock.now().getTime() - leewaySeconds * 1000
  }
}

interface BoundRef {
  readonly kind?: string
  readonly apiVersion?: string
  readonly name?: string
  readonly uid?: string
}

function accountUser({ metadata }: ApiObject): UserInfo {
  const namespace = metadata.namespace ?? ''
  return {
    username: `system:serviceaccount:${namespace}:${metadata.name}`,
    uid: metadata.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  }
}

function keyOf(pem: string): Key {
  const publicKey = createPublicKey(pem)
  const id = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
  const curve = publicKey.asymmetricKeyDetails?.namedCurve
  const algorithm =
    publicKey.asymmetricKeyType === 'rsa'
      ? 'RS256'
      : curve === 'prime256v1'
        ? 'ES256'
        : curve === 'secp384r1'
          ? 'ES384'
          : curve === 'secp521r1'
            ? 'ES512'
            : undefined
  if (algorithm === undefined) throw new Error('a key for service account tokens has to be RSA or ECDSA on P-256, P-384 or P-521')
  return { id, publicKey, algorithm }
}

function jsonOf(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return undefined
  }
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
