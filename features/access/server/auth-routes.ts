import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, originProblem, readJson, type Exchange, type Route } from '@gantry/gateway'
import { header } from '@gantry/runtime'
import type { HttpResponse, Logger } from '@gantry/runtime'
import { longestPassword, type Session, type SessionInfo, type User } from '../api/index.ts'
import { sessionCookie } from './authenticators.ts'
import { textOf } from './body-fields.ts'
import type { Identities } from './identities.ts'
import type { LoginThrottle } from './login-throttle.ts'
import { openSession, sessionAttributes } from './open-session.ts'
import type { Permissions } from './permissions/permissions.ts'
import type { IdentityProviders } from './providers/identity-providers.ts'

export interface AuthRoutesDeps {
  readonly identities: Identities
  readonly permissions: Permissions
  readonly throttle: LoginThrottle
  readonly providers: IdentityProviders
  readonly log: Logger
}

// A name and a password.
const loginBytes = 4_096
const longestUsername = 256

/** Signing in and out. They need no identity, so each checks for itself where it comes from. */
export function authRoutes(deps: AuthRoutesDeps): readonly Route[] {
  return [
    { path: '/auth/login', audience: 'anyone', serve: (exchange) => login(deps, exchange) },
    { path: '/auth/session', audience: 'anyone', serve: (exchange) => Promise.resolve(showSession(deps, exchange)) },
    { path: '/auth/logout', audience: 'anyone', serve: (exchange) => logout(deps, exchange) },
  ]
}

async function login(deps: AuthRoutesDeps, { request }: Exchange): Promise<HttpResponse> {
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'sign in with a POST')
  checkOrigin(request)
  const body = await readJson(request, loginBytes)
  const { username, password } = body
  if (
    typeof username !== 'string' ||
    typeof password !== 'string' ||
    username === '' ||
    username.length > longestUsername ||
    password.length > longestPassword
  ) {
    throw new StatusError('BadRequest', 'give "username" and "password"')
  }
  const provider = textOf(body, 'provider')
  // Directories have names without case.
  const who = provider === undefined ? username : `${provider}/${username.normalize('NFKC').trim().toLowerCase()}`
  const address = request.peer?.address ?? ''
  const waitMs = deps.throttle.waitMs(who, address)
  if (waitMs > 0) {
    const retryAfterSeconds = Math.ceil(waitMs / 1_000)
    throw new StatusError('TooManyRequests', `too many failed attempts, please try again in ${retryAfterSeconds} s`, { details: { retryAfterSeconds } })
  }
  deps.throttle.attempt(who, address)
  const user =
    provider === undefined
      ? await deps.identities.authenticatePassword(username, password)
      : await deps.providers.authenticatePassword(provider, { username, password }, request.signal)
  if (user === undefined) {
    deps.log.warn('a sign-in failed', { user: who.slice(0, 64), address })
    throw new StatusError('Unauthorized', 'user name or password is wrong')
  }
  deps.throttle.succeeded(who, address)
  const { session, cookie } = await openSession(deps, request, user)
  const response = jsonResponse(200, infoOf(deps, user, session))
  return { ...response, headers: { ...response.headers, 'set-cookie': [cookie] } }
}

function showSession(deps: AuthRoutesDeps, { request, caller }: Exchange): HttpResponse {
  if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'only GET')
  const session = sessionOf(deps, caller)
  const user = session === undefined ? undefined : deps.identities.users.get(session.spec.user)
  if (session === undefined || user === undefined) throw new StatusError('Unauthorized', caller.kind === 'refused' ? caller.message : 'not signed in')
  return jsonResponse(200, infoOf(deps, user, session))
}

async function logout(deps: AuthRoutesDeps, { request, caller }: Exchange): Promise<HttpResponse> {
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'sign out with a POST')
  checkOrigin(request)
  const session = sessionOf(deps, caller)
  if (session !== undefined) await deps.identities.endSession(session.metadata.name ?? '')
  return { status: 204, headers: { 'set-cookie': [`${sessionCookie}=; ${sessionAttributes}; Max-Age=0`], 'clear-site-data': '"cache", "storage"' } }
}

function sessionOf(deps: AuthRoutesDeps, caller: Exchange['caller']): Session | undefined {
  if (caller.kind !== 'platform' || caller.credential.kind !== 'cookie') return undefined
  return deps.identities.sessions.get(caller.credential.id.slice('session/'.length))
}

/** Also a sign-in must be the user's own doing: a foreign page could sign them in as somebody else. */
function checkOrigin(request: Exchange['request']): void {
  const problem =
    header(request.headers, 'x-gantry-request') === 'console' ? originProblem(request, { required: false }) : 'the header X-Gantry-Request: console is missing'
  if (problem !== undefined) throw new StatusError('Forbidden', `the request is refused because ${problem}`)
}

function infoOf({ permissions }: AuthRoutesDeps, user: User, session: Session): SessionInfo {
  const { name = '' } = user.metadata
  const roles = permissions.index.platformRolesOf(permissions.subjectOf(name))
  return { user: { name, displayName: user.spec.displayName ?? name, roles }, expires: session.spec.expirationTime }
}
