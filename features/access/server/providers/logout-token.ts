import { StatusError } from '@gantry/apimachinery'
import type { JSONWebKeySet } from 'jose'

/** Public keys of a provider (RFC 7517). */
export type KeySet = JSONWebKeySet

/** What is over: one sign-in of an account, one of whoever it was, or all of an account. One of the two is there. */
export interface Logout {
  readonly subject?: string | undefined
  readonly session?: string | undefined
  /** Unique among the provider's logout tokens. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

/** What is sent is no good logout token; the message says why, and nothing of the token. */
export class LogoutRefused extends StatusError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('BadRequest', message, options)
  }
}

const event = 'http://schemas.openid.net/event/backchannel-logout'
const asymmetric = /^(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA|Ed25519)$/
const toleranceSeconds = 30
const longestAgeSeconds = 600
const longestText = 512

/**
 * What a logout token says (OpenID Connect Back-Channel Logout 1.0, 2.4 and 2.6): signature, issuer, audience, age and `events`, and that it is nothing else, as an ID token is. Undefined
 * when its key is none of these. Throws LogoutRefused.
 */
export async function verifiedLogout(
  token: string,
  keys: KeySet,
  options: { readonly issuer: string; readonly audience: string; readonly algorithms: readonly string[] | undefined; readonly now: Date },
): Promise<Logout | undefined> {
  const { createLocalJWKSet, errors, jwtVerify } = await import('jose')
  const algorithms = (options.algorithms ?? ['RS256']).filter((name) => asymmetric.test(name))
  const verified = await jwtVerify(token, createLocalJWKSet(keys), {
    issuer: options.issuer,
    audience: options.audience,
    algorithms,
    currentDate: options.now,
    clockTolerance: toleranceSeconds,
    maxTokenAge: longestAgeSeconds,
    requiredClaims: ['iat', 'exp', 'jti', 'events'],
  }).catch((error: unknown) => {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined
    if (!(error instanceof errors.JOSEError)) throw error
    throw refusal(`it is not valid (${error.code}${error instanceof errors.JWTClaimValidationFailed ? `: ${error.claim}` : ''})`)
  })
  if (verified === undefined) return undefined
  const { payload, protectedHeader } = verified
  const type = protectedHeader.typ?.toLowerCase().replace(/^application\//, '') ?? 'jwt'
  if (type !== 'jwt' && type !== 'logout+jwt') throw refusal('its type (typ) is that of another kind of token')
  if (payload['nonce'] !== undefined) throw refusal('it has a nonce, as an ID token has')
  const { events, jti, exp = 0, sub, sid } = payload as typeof payload & { readonly events?: unknown; readonly sid?: unknown }
  const isLogout = typeof events === 'object' && events !== null && isObject(Reflect.get(events, event))
  if (!isLogout) throw refusal(`its claim events does not name ${event}`)
  const [subject, session, id] = [textOf(sub, 'sub'), textOf(sid, 'sid'), textOf(jti, 'jti')]
  if (id === undefined) throw refusal('its claim jti is empty')
  if (subject === undefined && session === undefined) throw refusal('it names neither sub nor sid')
  return { subject, session, id, untilMs: (exp + toleranceSeconds) * 1_000 }
}

function textOf(value: unknown, claim: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '' || value.length > longestText) throw refusal(`its claim ${claim} is no text, or too long`)
  return value
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

const refusal = (why: string): LogoutRefused => new LogoutRefused(`the logout token is refused: ${why}`)
