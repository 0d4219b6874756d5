import { goQuote } from '@gantry/apimachinery'
import { CelMap, Optional } from '@gantry/cel'
import type { Value } from '@gantry/cel'
import type { Clock, UserInfo } from '@gantry/runtime'
import type { Condition, JwtRules, PrefixedClaim } from './authentication-configuration.ts'
import { claimsValue, evaluate } from './expressions.ts'
import type { Expression } from './expressions.ts'
import type { Issuer } from './issuer.ts'

// Tokens of one issuer (A10). Upstream: apiserver plugin/pkg/authenticator/token/oidc.

const algorithms = ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']
const notBeforeLeewaySeconds = 60

/** Of those that every token has, the ones that are text. */
const textClaims = ['iss', 'sub', 'nonce', 'at_hash'] as const

type Claims = Readonly<Record<string, unknown>>

/** Undefined: the token is not this issuer's. Throws an Error that says why a token of its is no good, and never holds the token. */
export async function authenticateJwt(
  token: string,
  about: { readonly rules: JwtRules; readonly issuer: Issuer; readonly clock: Clock },
): Promise<UserInfo | undefined> {
  const { rules, issuer, clock } = about
  if (issuerOf(token) !== rules.issuer.url) return undefined
  if (!issuer.isReady) throw new Error('oidc: authenticator not initialized')
  let claims: Claims
  try {
    claims = await verified(token, about)
    checkTimes(claims, clock.now())
    checkAudiences(claims, rules.issuer.audiences)
  } catch (error) {
    throw new Error(`oidc: verify token: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  return userOf(claims, rules)
}

function issuerOf(token: string): string | undefined {
  const parts = token.split('.')
  if (parts.length !== 3) return undefined
  const claims = jsonOf(Buffer.from(parts[1] ?? '', 'base64url').toString()) as { readonly iss?: unknown } | null | undefined
  const issuer = claims?.iss
  if (typeof issuer !== 'string') return undefined
  // The one issuer that leaves out its scheme.
  return issuer === 'accounts.google.com' ? 'https://accounts.google.com' : issuer
}

async function verified(token: string, { issuer }: { readonly issuer: Issuer }): Promise<Claims> {
  const { compactVerify, decodeProtectedHeader } = await import('jose')
  let head: { readonly alg?: string; readonly kid?: string }
  try {
    head = decodeProtectedHeader(token)
  } catch (error) {
    throw new Error('oidc: malformed jwt', { cause: error })
  }
  const { alg = '', kid = '' } = head
  if (!algorithms.includes(alg))
    throw new Error(`oidc: id token signed with unsupported algorithm, expected [${algorithms.map(goQuote).join(' ')}] got ${goQuote(alg)}`)
  const payload = await issuer
    .verifiedBy(kid, async (key) => {
      try {
        return (await compactVerify(token, key, { algorithms: [alg] })).payload
      } catch {
        return undefined // another key may have signed it
      }
    })
    .catch((error: unknown) => {
      throw new Error(`failed to verify signature: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    })
  const claims = jsonOf(Buffer.from(payload).toString())
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) throw new Error('oidc: failed to unmarshal claims: they are no JSON object')
  const wrong = textClaims.find((claim) => !['string', 'undefined'].includes(typeof ((claims as Claims)[claim] ?? undefined)))
  if (wrong !== undefined) {
    const kind = jsonKind((claims as Claims)[wrong])
    throw new Error(`oidc: failed to unmarshal claims: json: cannot unmarshal ${kind} into Go struct field idToken.${wrong} of type string`)
  }
  return claims as Claims
}

function checkTimes({ exp, nbf }: Claims, now: Date): void {
  const nowSeconds = now.getTime() / 1000
  const expiry = typeof exp === 'number' ? exp : 0
  if (expiry < nowSeconds) throw new Error(`oidc: token is expired (Token Expiry: ${goTime(expiry)})`)
  if (typeof nbf === 'number' && nowSeconds + notBeforeLeewaySeconds < nbf)
    throw new Error(`oidc: current time ${goTime(Math.floor(nowSeconds))} before the nbf (not before) time: ${goTime(nbf)}`)
}

function checkAudiences({ aud }: Claims, accepted: readonly string[]): void {
  const given = [aud ?? []].flat().map(String)
  if (given.some((audience) => accepted.includes(audience))) return
  const list = (values: readonly string[]): string => `[${values.map(goQuote).join(' ')}]`
  const [only] = accepted
  throw new Error(
    accepted.length === 1
      ? `oidc: expected audience ${goQuote(only ?? '')} got ${list(given)}`
      : `oidc: expected audience in ${list(accepted.toSorted())} got ${list(given)}`,
  )
}

function userOf(claims: Claims, rules: JwtRules): UserInfo {
  const variables = { claims: claimsValue(claims) }
  const username = usernameOf(claims, rules.username, variables)
  const groups = groupsOf(claims, rules.groups, variables)
  const uid = uidOf(claims, rules.uid, variables)
  const extra = extraOf(claims, rules.extra, variables)
  for (const { claim, value } of rules.requiredClaims) {
    if (!Object.hasOwn(claims, claim)) throw new Error(`oidc: required claim ${claim} not present in ID token`)
    const given = within(`oidc: parse claim ${claim}`, () => textOf(claims[claim]))
    if (given !== value) throw new Error(`oidc: required claim ${claim} value does not match. Got = ${given}, want = ${value}`)
  }
  within('oidc: error evaluating claim validation expression', () => checkConditions(rules.claimConditions, variables))
  const user = { username, uid, groups, extra }
  if (rules.userConditions.length > 0)
    within('oidc: error evaluating user info validation rule', () => checkConditions(rules.userConditions, { user: userValue(user) }))
  return { username, groups, ...(uid !== '' && { uid }), ...(Object.keys(extra).length > 0 && { extra }) }
}

type Variables = Readonly<Record<string, unknown>>

function usernameOf(claims: Claims, from: PrefixedClaim | Expression, variables: Variables): string {
  if ('program' in from) {
    const value = within('oidc: error evaluating username claim expression', () => valueOf(from, variables))
    if (typeof value !== 'string') throw new Error('oidc: error evaluating username claim expression: username claim expression must return a string')
    if (value === '') throw new Error('oidc: empty username via CEL expression is not allowed')
    return value
  }
  const name = within(`oidc: parse username claims ${goQuote(from.claim)}`, () => claimText(claims, from.claim))
  if (from.claim === 'email' && Object.hasOwn(claims, 'email_verified')) {
    const isVerified = claims['email_verified']
    if (typeof isVerified !== 'boolean')
      throw new Error(`oidc: parse 'email_verified' claim: json: cannot unmarshal ${jsonKind(isVerified)} into Go value of type bool`)
    if (!isVerified) throw new Error('oidc: email not verified')
  }
  return `${from.prefix}${name}`
}

function groupsOf(claims: Claims, from: JwtRules['groups'], variables: Variables): readonly string[] {
  if (from === undefined) return []
  if ('program' in from) return within('oidc: error evaluating group claim expression', () => textsOf(valueOf(from, variables)))
  const value = claims[from.claim] ?? []
  const names = Array.isArray(value) && value.every((one) => typeof one === 'string') ? (value as string[]) : undefined
  return (names ?? [within(`oidc: parse groups claim ${goQuote(from.claim)}`, () => textOf(value))]).map((name) => `${from.prefix}${name}`)
}

function uidOf(claims: Claims, from: JwtRules['uid'], variables: Variables): string {
  if (from === undefined) return ''
  if (!('program' in from)) return within(`oidc: parse uid claim ${goQuote(from.claim)}`, () => claimText(claims, from.claim))
  const value = within('oidc: error evaluating uid claim expression', () => valueOf(from, variables))
  if (typeof value !== 'string') throw new Error('oidc: error evaluating uid claim expression: uid claim expression must return a string')
  return value
}

function extraOf(claims: Claims, from: JwtRules['extra'], variables: Variables): Record<string, readonly string[]> {
  const extra: Record<string, readonly string[]> = {}
  if (typeof claims['jti'] === 'string' && claims['jti'] !== '') extra['authentication.kubernetes.io/credential-id'] = [`JTI=${claims['jti']}`]
  // All are evaluated before one of them counts.
  const values = from.map(({ key, expression }) => ({ key, expression, value: valueOf(expression, variables) }))
  for (const { key, expression, value } of values) {
    const texts = within(`oidc: error evaluating extra claim expression: ${expression.text}`, () => textsOf(value))
    if (texts.length > 0) extra[key] = texts
  }
  return extra
}

function checkConditions(conditions: readonly Condition[], variables: Variables): void {
  const values = conditions.map((condition) => ({ ...condition, value: valueOf(condition.expression, variables) }))
  for (const { expression, message, value } of values) {
    if (typeof value !== 'boolean') throw new Error('validation expression must return a boolean')
    if (!value) throw new Error(`validation expression '${expression.text}' failed: ${message}`)
  }
}

/** Everything that expressions about users may read is there, empty if need be. */
function userValue({ username, uid, groups, extra }: Required<UserInfo>): unknown {
  return { username, uid: uid ?? '', groups, extra: claimsValue(extra) }
}

function valueOf(expression: Expression, variables: Variables): Value {
  const { value, error } = evaluate(expression, variables)
  if (error !== undefined) throw new Error(`expression '${expression.text}' resulted in error: ${error}`)
  return value ?? null
}

/** A text or a list of them; nothing, and empty ones, are none. */
function textsOf(value: Value): readonly string[] {
  if (value === null || value === '') return []
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value) || value instanceof CelMap || value instanceof Optional || !value.every((one) => typeof one === 'string'))
    throw new Error('expression must return a string or a list of strings')
  return (value as string[]).filter((one) => one !== '')
}

function claimText(claims: Claims, claim: string): string {
  if (!Object.hasOwn(claims, claim)) throw new Error('claim not present')
  return textOf(claims[claim])
}

function textOf(value: unknown): string {
  if (value === null) return ''
  if (typeof value !== 'string') throw new Error(`json: cannot unmarshal ${jsonKind(value)} into Go value of type string`)
  return value
}

function jsonKind(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
}

/** Says what was being done before what went wrong. */
function within<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** As Go prints a time. */
function goTime(seconds: number): string {
  const at = new Date(seconds * 1000)
  if (Number.isNaN(at.getTime())) return String(seconds)
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
