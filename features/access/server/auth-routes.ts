import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, originProblem, readJson, type Exchange, type Route } from '@gantry/gateway'
import { header } from '@gantry/runtime'
import type { HttpRequest, HttpResponse, Logger } from '@gantry/runtime'
import { longestPassword, type LoginAnswer, type Session, type SessionInfo, type SignOutAnswer, type User, type WaitingStep } from '../api/index.ts'
import { sessionCookie } from './authenticators.ts'
import { textOf } from './body-fields.ts'
import type { Identities } from './identities.ts'
import type { LoginThrottle } from './login-throttle.ts'
import { sessionAttributes } from './open-session.ts'
import type { Permissions } from './permissions/permissions.ts'
import type { IdentityProviders } from './providers/identity-providers.ts'
import { SignInFailure } from './providers/sign-in-failure.ts'
import { serverFor } from './server-address.ts'
import type { SignIn, SignInOutcome } from './sign-in.ts'
import { admit, carriedTicket, originOf, stepCookies } from './sign-in-cookies.ts'

export interface AuthRoutesDeps {
  readonly identities: Identities
  readonly permissions: Permissions
  readonly signIn: SignIn
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
    { path: '/auth/login/step', audience: 'anyone', serve: (exchange) => loginStep(deps, exchange) },
    { path: '/auth/session', audience: 'anyone', serve: (exchange) => Promise.resolve(showSession(deps, exchange)) },
    { path: '/auth/logout', audience: 'anyone', serve: (exchange) => logout(deps, exchange) },
  ]
}

async function login(deps: AuthRoutesDeps, { request }: Exchange): Promise<HttpResponse> {
  const body = await readSignIn(request)
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
  if (provider !== undefined) return loginElsewhere(deps, request, { provider, username, password })
  return answer(deps, request, await deps.signIn.password(username, password, originOf(request)))
}

/** With the password of an account elsewhere: a directory asks for no more, so what the platform asks for beyond a password comes next. */
async function loginElsewhere(
  deps: AuthRoutesDeps,
  request: HttpRequest,
  { provider, username, password }: { readonly provider: string; readonly username: string; readonly password: string },
): Promise<HttpResponse> {
  // Directories have names without case.
  const who = `${provider}/${username.normalize('NFKC').trim().toLowerCase()}`
  const address = request.peer?.address ?? ''
  deps.throttle.check(who, address)
  deps.throttle.attempt(who, address)
  const user = await deps.providers.authenticatePassword(provider, { username, password }, request.signal).catch((error: unknown) => {
    // Nobody has guessed anything while the directory was away.
    if (error instanceof SignInFailure && error.problem === 'unavailable') deps.throttle.takeBack(who, address)
    throw error
  })
  if (user === undefined) {
    deps.log.warn('a sign-in failed', { user: who.slice(0, 64), address })
    throw new StatusError('Unauthorized', 'user name or password is wrong')
  }
  deps.throttle.takeBack(who, address)
  deps.throttle.succeeded(who, address)
  return answer(deps, request, await deps.signIn.proved(user, originOf(request)))
}

async function loginStep(deps: AuthRoutesDeps, { request }: Exchange): Promise<HttpResponse> {
  if (request.method === 'GET') return waitingStep(deps, request)
  const body = await readSignIn(request)
  const ticket = textOf(body, 'ticket')
  if (ticket === undefined) throw new StatusError('BadRequest', 'give "ticket", from the step before')
  return answer(deps, request, await deps.signIn.step({ ticket, code: textOf(body, 'code'), newPassword: textOf(body, 'newPassword') }, originOf(request)))
}

/** What waits in a browser that a provider has sent back. */
async function waitingStep(deps: AuthRoutesDeps, request: HttpRequest): Promise<HttpResponse> {
  // Reads of the console bear no header of its own; the cookies come along from its pages alone, and no other page can read the answer.
  refuse(originProblem(request, { required: false }))
  const ticket = carriedTicket(request)
  if (ticket === undefined) throw new StatusError('NotFound', 'no sign-in waits in this browser: begin again')
  return jsonResponse(200, stepAnswer(deps, { ticket, ...(await deps.signIn.waiting(ticket, originOf(request))) }))
}

async function readSignIn(request: HttpRequest): Promise<Readonly<Record<string, unknown>>> {
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'sign in with a POST')
  checkOrigin(request)
  return readJson(request, loginBytes)
}

async function answer(deps: AuthRoutesDeps, request: HttpRequest, outcome: SignInOutcome): Promise<HttpResponse> {
  if (outcome.next !== undefined) return withCookies(jsonResponse(200, stepAnswer(deps, outcome)), stepCookies(outcome))
  const { user, recoveryCodes } = outcome
  const { session, cookies } = await admit(deps, request, outcome)
  const body: LoginAnswer = { ...infoOf(deps, user, session), ...(recoveryCodes === undefined ? {} : { recoveryCodes }) }
  return withCookies(jsonResponse(200, body), cookies)
}

function stepAnswer({ identities }: AuthRoutesDeps, { next, ticket, enrolment }: Omit<WaitingStep, 'shortestPassword'>): WaitingStep {
  const { shortestPassword } = identities.rules
  return { next, ticket, ...(enrolment === undefined ? {} : { enrolment }), ...(next === 'changePassword' ? { shortestPassword } : {}) }
}

function withCookies(response: HttpResponse, cookies: readonly string[]): HttpResponse {
  return { ...response, headers: { ...response.headers, 'set-cookie': [...cookies] } }
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
  const user = session === undefined ? undefined : deps.identities.users.get(session.spec.user)
  if (session !== undefined) await deps.identities.endSession(session.metadata.name ?? '')
  const headers = { 'set-cookie': [`${sessionCookie}=; ${sessionAttributes}; Max-Age=0`], 'clear-site-data': '"cache", "storage"' }
  const location = await deps.providers.signOut(user, `${serverFor(request, '')}/console/login`, request.signal)
  if (location === undefined) return { status: 204, headers }
  const body: SignOutAnswer = { location }
  const response = jsonResponse(200, body)
  return { ...response, headers: { ...response.headers, ...headers } }
}

function sessionOf(deps: AuthRoutesDeps, caller: Exchange['caller']): Session | undefined {
  if (caller.kind !== 'platform' || caller.credential.kind !== 'cookie') return undefined
  return deps.identities.sessions.get(caller.credential.id.slice('session/'.length))
}

/** Also a sign-in must be the user's own doing: a foreign page could sign them in as somebody else. */
function checkOrigin(request: Exchange['request']): void {
  refuse(
    header(request.headers, 'x-gantry-request') === 'console' ? originProblem(request, { required: false }) : 'the header X-Gantry-Request: console is missing',
  )
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new StatusError('Forbidden', `the request is refused because ${problem}`)
}

function infoOf({ permissions }: AuthRoutesDeps, user: User, session: Session): SessionInfo {
  const { name = '' } = user.metadata
  const roles = permissions.index.platformRolesOf(permissions.subjectOf(name))
  return { user: { name, displayName: user.spec.displayName ?? name, roles }, expires: session.spec.expirationTime }
}
