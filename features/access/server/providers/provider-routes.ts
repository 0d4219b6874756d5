import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import { BodyTooLarge, header } from '@gantry/runtime'
import type { KubeClient } from '@gantry/client'
import type { Clock, HttpHeaders, HttpRequest, HttpResponse, Ids, Logger } from '@gantry/runtime'
import { identityProviderKind, safeReturn, type ProviderChoices } from '../../api/index.ts'
import { readCookie } from '../authenticators.ts'
import { textOf } from '../body-fields.ts'
import type { SessionDeps } from '../open-session.ts'
import { serverFor } from '../server-address.ts'
import { admit, carriedCookies, originOf } from '../sign-in-cookies.ts'
import type { SignIn } from '../sign-in.ts'
import type { IdentityProviders } from './identity-providers.ts'
import { LogoutRefused } from './logout-token.ts'
import { AttemptSeal, attemptSeconds } from './sealed-attempt.ts'
import { SignInFailure, type SignInProblem } from './sign-in-failure.ts'

export interface ProviderRoutesDeps extends SessionDeps {
  readonly providers: IdentityProviders
  readonly signIn: SignIn
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** https://host:port, for callers whose Host header says nothing usable. */
  readonly server: () => string
  /** The name of the hub as a cluster. */
  readonly hubName: string
}

const attemptCookie = '__Host-gantry-login'
// Lax: it has to come back with the navigation from the provider's pages, which is another site.
const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax'
const begins = '/auth/login/'
const callbacks = '/auth/callback/'
const logouts = '/auth/backchannel-logout/'
const tests = '/platform/v1/identityproviders/'
/** Where the pages are. */
const consoleAt = '/console'
const secretBytes = 32
const bodyBytes = 4_096
const longestQuery = 8_192
const logoutBytes = 16_384

/** Signing in with accounts elsewhere. */
export function providerRoutes(deps: ProviderRoutesDeps): readonly Route[] {
  const seal = new AttemptSeal(deps)
  return [
    { path: '/auth/providers', audience: 'anyone', serve: ({ request }) => Promise.resolve(choices(deps, request.method)) },
    { path: begins, audience: 'anyone', serve: (exchange) => orSignInPage(deps, begins, exchange, () => begin(deps, seal, exchange)) },
    { path: callbacks, audience: 'anyone', serve: (exchange) => orSignInPage(deps, callbacks, exchange, () => finish(deps, seal, exchange)) },
    { path: logouts, audience: 'anyone', serve: (exchange) => backchannelLogout(deps, exchange) },
    { path: tests, audience: 'platform', serve: (exchange) => test(deps, exchange) },
  ]
}

function choices({ providers }: ProviderRoutesDeps, method: string): HttpResponse {
  if (method !== 'GET') throw new StatusError('MethodNotAllowed', 'only GET')
  const answer: ProviderChoices = { providers: providers.choices() }
  return jsonResponse(200, answer)
}

async function begin(deps: ProviderRoutesDeps, seal: AttemptSeal, { request }: Exchange): Promise<HttpResponse> {
  const name = nameIn(request.path, begins)
  const provider = deps.providers.get(name)
  const attempt = {
    state: deps.ids.secret(secretBytes),
    nonce: deps.ids.secret(secretBytes),
    verifier: deps.ids.secret(secretBytes),
    // One for each provider, so that the answer of one cannot pass for that of another.
    redirectURI: `${serverFor(request, deps.server())}${callbacks}${name}`,
  }
  const to = await deps.providers.begin(provider, attempt, request.signal)
  const next = safeReturn(new URLSearchParams(request.query).get('next'))
  const sealed = await seal.seal({ ...attempt, provider: name, providerUid: provider.metadata.uid ?? '', next })
  return redirect(to.href, [`${attemptCookie}=${sealed}; ${attributes}; Max-Age=${attemptSeconds}`])
}

async function finish(deps: ProviderRoutesDeps, seal: AttemptSeal, { request }: Exchange): Promise<HttpResponse> {
  const name = nameIn(request.path, callbacks)
  const provider = deps.providers.get(name)
  const parameters = new URLSearchParams(request.query.slice(0, longestQuery))
  const cookie = readCookie(header(request.headers, 'cookie'), attemptCookie)
  const attempt = cookie === undefined ? undefined : await seal.open(cookie, parameters.get('state') ?? '')
  if (attempt === undefined || attempt.provider !== name || attempt.providerUid !== provider.metadata.uid)
    throw new SignInFailure('expired', 'this sign-in was not begun in this browser, took longer than ten minutes, or has been used; begin it again')
  const { user, session } = await deps.providers.finish(provider, attempt, { parameters, signal: request.signal })
  const outcome = await deps.signIn.proved(user, { ...originOf(request), providerSession: session })
  const done = `${attemptCookie}=; ${attributes}; Max-Age=0`
  if (outcome.next !== undefined) {
    const about = new URLSearchParams({ step: '', next: attempt.next })
    return redirect(`${consoleAt}/login?${about.toString()}`, [...carriedCookies(outcome), done])
  }
  const { cookies } = await admit(deps, request, outcome)
  const { pathname, search, hash } = new URL(attempt.next, 'https://console.invalid') // what is no ASCII becomes it
  return redirect(`${consoleAt}${pathname}${search}${hash}`, [...cookies, done])
}

/** A provider tells that somebody's sign-in there is over (OpenID Connect Back-Channel Logout 1.0, 2.5 and 2.8). It proves itself by the token alone. */
async function backchannelLogout(deps: ProviderRoutesDeps, { request }: Exchange): Promise<HttpResponse> {
  const name = nameIn(request.path, logouts)
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'this takes a POST')
  const headers = { 'cache-control': 'no-store' }
  try {
    const tokens = new URLSearchParams((await readForm(request)).toString('utf8')).getAll('logout_token')
    const [token] = tokens
    if (token === undefined || tokens.length > 1) throw new LogoutRefused('give one logout_token, in a form')
    await deps.providers.logout(name, token, request.signal)
    return { status: 200, headers }
  } catch (error) {
    if (!(error instanceof LogoutRefused)) throw error
    deps.log.warn('a logout token was refused', { provider: name, address: request.peer?.address, why: error.message })
    return { ...jsonResponse(400, { error: 'invalid_request', error_description: error.message }), headers: { ...headers, 'content-type': 'application/json' } }
  }
}

async function readForm({ body }: HttpRequest): Promise<Buffer> {
  try {
    return (await body?.bytes(logoutBytes)) ?? Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new LogoutRefused(error.message, { cause: error })
    throw error
  }
}

/** A browser that is being sent about shows no Status: what went wrong is told by the sign-in page, by a word that it has a text for. */
async function orSignInPage(deps: ProviderRoutesDeps, prefix: string, { request }: Exchange, work: () => Promise<HttpResponse>): Promise<HttpResponse> {
  if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'only GET')
  try {
    return await work()
  } catch (error) {
    const problem = problemOf(error)
    if (problem === undefined) throw error
    deps.log.warn('a sign-in with an identity provider did not succeed', { problem, address: request.peer?.address })
    const about = new URLSearchParams({ problem, provider: nameIn(request.path, prefix) })
    return redirect(`${consoleAt}/login?${about.toString()}`, [`${attemptCookie}=; ${attributes}; Max-Age=0`])
  }
}

function problemOf(error: unknown): SignInProblem | undefined {
  if (error instanceof SignInFailure) return error.problem
  return error instanceof StatusError && error.reason === 'TooManyRequests' ? 'unavailable' : undefined
}

async function test(deps: ProviderRoutesDeps, exchange: Exchange): Promise<HttpResponse> {
  const { request, caller } = exchange
  const name = /^([a-z0-9-]{1,63})\/test$/.exec(request.path.slice(tests.length))?.[1]
  if (name === undefined) throw new StatusError('NotFound', 'the server could not find the requested resource')
  if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'this takes a POST')
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  const { group, plural } = identityProviderKind
  const question = { cluster: deps.hubName, verb: 'update', isResource: true, group, resource: plural, subresource: '', namespace: undefined, name, path: '' }
  const subject = deps.permissions.subjectOfInfo(caller.user)
  if (subject === undefined) throw new StatusError('Unauthorized', 'Unauthorized')
  const { allowed, reason } = deps.permissions.index.decide(subject, question)
  if (!allowed) throw new StatusError('Forbidden', `only who may update ${plural}.${group} "${name}" may test it: ${reason}`)
  const body = request.body === undefined ? {} : await readJson(request, bodyBytes)
  return jsonResponse(200, await deps.providers.test(name, { username: textOf(body, 'username') }, request.signal))
}

function nameIn(path: string, prefix: string): string {
  const name = path.slice(prefix.length)
  if (!/^[a-z0-9-]{1,63}$/.test(name)) throw new StatusError('NotFound', 'the server could not find the requested resource')
  return name
}

function redirect(location: string, cookies: readonly string[]): { readonly status: number; readonly headers: HttpHeaders } {
  return { status: 303, headers: { location, 'set-cookie': cookies, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } }
}
