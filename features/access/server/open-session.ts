import { header } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'
import type { Session, User } from '../api/index.ts'
import { readCookie, sessionCookie } from './authenticators.ts'
import type { Identities, StatusFields } from './identities.ts'
import type { Permissions } from './permissions/permissions.ts'

export interface SessionDeps {
  readonly identities: Identities
  readonly permissions: Permissions
}

export const sessionAttributes = 'Path=/; Secure; HttpOnly; SameSite=Strict'

/** Signs a browser in as somebody who has proved who they are, by whatever way, and writes `status` to that user's; `cookie` is the Set-Cookie of it. */
export async function openSession(
  { identities }: SessionDeps,
  request: HttpRequest,
  { user, status = {}, providerSession }: { readonly user: User; readonly status?: StatusFields; readonly providerSession?: string | undefined },
): Promise<{ readonly session: Session; readonly cookie: string }> {
  const { value, session } = await identities.createSession(
    user,
    { address: request.peer?.address ?? '', userAgent: header(request.headers, 'user-agent'), providerSession },
    status,
  )
  // A session that was there before is over: nobody can have planted it.
  const previous = identities.authenticateSession(readCookie(header(request.headers, 'cookie'), sessionCookie) ?? '')
  if (previous.kind === 'platform') await identities.endSession(previous.credential.id.slice('session/'.length))
  const maxAge = Math.max(0, Math.floor((Date.parse(session.spec.expirationTime) - Date.parse(session.metadata.creationTimestamp ?? '')) / 1_000))
  return { session, cookie: `${sessionCookie}=${value}; ${sessionAttributes}${maxAge > 0 ? `; Max-Age=${maxAge}` : ''}` }
}
