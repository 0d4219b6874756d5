import type { HttpRequest, UserInfo } from '@gantry/runtime'

/** Finds out who is calling. `undefined`: this one cannot tell, ask the next; throws Unauthorized for a credential that is wrong. */
export type Authenticator = (request: HttpRequest) => Promise<UserInfo | undefined>

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
}

export interface Decision {
  readonly allowed: boolean
  readonly reason: string
}

export type Authorizer = (attributes: Attributes) => Decision | Promise<Decision>

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
