import { createHash, timingSafeEqual } from 'node:crypto'
import type { Ids } from '@gantry/runtime'
import { agentCredentialPrefix, rfc3339 } from '../../api/index.ts'
import type { Secret } from '../hub-resources.ts'

/** What the hub knows of an agent's secrets: hashes. All of it stands in the cluster's Secret. */
export interface Enrolment {
  /** Another one with every manifest: connections of an older one end. */
  readonly id: string
  readonly token: { readonly hash: string; readonly expires: Date } | undefined
  readonly credentialHash: string | undefined
  /** Announced by the agent; its first use makes it the credential. */
  readonly nextCredentialHash: string | undefined
}

const secretBytes = 32
const tokenLifeMs = 24 * 60 * 60_000

/** Keys of the Secret. */
export const enrolmentKeys = {
  id: 'agent-enrolment',
  tokenHash: 'agent-token-hash',
  tokenExpires: 'agent-token-expires',
  credentialHash: 'agent-credential-hash',
  nextCredentialHash: 'agent-next-credential-hash',
} as const

/** A one-time token, which is nowhere else, and what the Secret holds of it. */
export function newEnrolment(
  deps: { readonly ids: Ids },
  about: { readonly cluster: string; readonly now: Date },
): { readonly token: string; readonly expires: string; readonly data: Readonly<Record<string, string>> } {
  const token = agentCredential(about.cluster, deps.ids.secret(secretBytes))
  const expires = rfc3339(new Date(about.now.getTime() + tokenLifeMs))
  return {
    token,
    expires,
    data: { [enrolmentKeys.id]: deps.ids.suffix(12), [enrolmentKeys.tokenHash]: hashOf(token), [enrolmentKeys.tokenExpires]: expires },
  }
}

export function enrolmentOf(secret: Secret | undefined): Enrolment | undefined {
  const read = (key: string): string | undefined => {
    const value = secret?.data?.[key]
    return value === undefined ? undefined : Buffer.from(value, 'base64').toString('utf8')
  }
  const id = read(enrolmentKeys.id)
  if (id === undefined) return undefined
  const hash = read(enrolmentKeys.tokenHash)
  const expires = read(enrolmentKeys.tokenExpires)
  return {
    id,
    token: hash === undefined || expires === undefined ? undefined : { hash, expires: new Date(expires) },
    credentialHash: read(enrolmentKeys.credentialHash),
    nextCredentialHash: read(enrolmentKeys.nextCredentialHash),
  }
}

/** SHA-256 is enough for 256 random bits. */
export function hashOf(credential: string): string {
  return createHash('sha256').update(credential).digest('base64url')
}

export function sameHash(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

export function agentCredential(cluster: string, secret: string): string {
  return `${agentCredentialPrefix}${cluster}.${secret}`
}

const credential = /^gantry-agent\.([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.[\w-]{43}$/

/** The cluster that a token or credential says it is for; undefined for what is neither. */
export function clusterOfCredential(text: string): string | undefined {
  return credential.exec(text)?.[1]
}

export const hashPattern: RegExp = /^[\w-]{43}$/
