import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { header } from '@gantry/runtime'

/**
 * Finds out who is calling. `undefined`: this one cannot tell, ask the next; throws Unauthorized for a credential that is wrong. `warn` adds a `Warning` header to the answer,
 * whatever that is.
 */
export type Authenticator = (request: HttpRequest, warn?: (text: string) => void) => Promise<UserInfo | undefined>

export interface Attributes {
  readonly user: UserInfo
  readonly verb: string
  readonly isResource: boolean
  readonly path: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string | undefined
  readonly name: string
  /** As the query has them, of lists, watches and deletions of collections; reviews give theirs already parsed. */
  readonly fieldSelector?: string | undefined
  readonly labelSelector?: string | undefined
}

export interface Decision {
  readonly allowed: boolean
  readonly reason: string
  /** Refused for good: no other authorizer is asked. */
  readonly denied?: boolean | undefined
  /** What went wrong on the way to the decision. */
  readonly error?: string | undefined
}

export type Authorizer = (attributes: Attributes) => Decision | Promise<Decision>

/** Whom the caller speaks for, and the verb that let him when it was not plain `impersonate`. */
export interface Impersonated {
  readonly user: UserInfo
  readonly constraint: string
}

/** One line per request; never holds a body or a credential. */
export interface AuditEvent {
  readonly auditID: string
  readonly time: string
  readonly user: string
  readonly groups: readonly string[]
  readonly sourceAddress: string
  readonly userAgent: string
  readonly verb: string
  readonly path: string
  readonly decision: 'allow' | 'forbid' | 'unauthenticated'
  readonly reason: string
  readonly code: number
  readonly latencyMs: number
}

export const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }

/** The token of `Authorization: Bearer <token>`. An empty one is none. Upstream: apiserver pkg/authentication/request/bearertoken. */
export function bearerToken(request: Pick<HttpRequest, 'headers'>): string | undefined {
  const [scheme = '', token = ''] = (header(request.headers, 'authorization') ?? '').trim().split(' ')
  return scheme.toLowerCase() === 'bearer' && token !== '' ? token : undefined
}
