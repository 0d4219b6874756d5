import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiObject } from '@gantry/apiserver'
import type { Clock, UserInfo } from '@gantry/runtime'

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/

export interface BootstrapTokenDeps {
  readonly clock: Clock
  /** The Secret of that name in kube-system. */
  readonly secret: (name: string) => ApiObject | undefined
}

/**
 * Tokens with which nodes join: `id.secret`, kept in the Secret `bootstrap-token-<id>` (A11). A token that is wrong, expired or not meant for this is nobody's. Upstream:
 * plugin/pkg/auth/authenticator/token/bootstrap.
 */
export function bootstrapTokens(deps: BootstrapTokenDeps): (token: string) => Promise<UserInfo | undefined> {
  return (token) => Promise.resolve(userOf(token, deps))
}

function userOf(token: string, deps: BootstrapTokenDeps): UserInfo | undefined {
  const [, id = '', secret = ''] = form.exec(token) ?? []
  if (id === '') return undefined
  const object = deps.secret(`bootstrap-token-${id}`)
  if (object === undefined || object['type'] !== 'bootstrap.kubernetes.io/token' || object.metadata.deletionTimestamp !== undefined) return undefined
  const data = (object['data'] ?? {}) as Readonly<Record<string, string>>
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString()
  if (text('token-id') !== id || !isSame(text('token-secret'), secret)) return undefined
  const expiration = text('expiration')
  // A time that cannot be read has passed.
  if (expiration !== '' && !(Date.parse(expiration) > deps.clock.now().getTime())) return undefined
  if (text('usage-bootstrap-authentication') !== 'true') return undefined
  const extra = [
    ...new Set(
      text('auth-extra-groups')
        .split(',')
        .map((group) => group.trim()),
    ),
  ]
    .filter((group) => group !== '')
    .sort()
  if (!extra.every((group) => groupForm.test(group))) return undefined
  return { username: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...extra] }
}

/** In a time that tells nothing of where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
