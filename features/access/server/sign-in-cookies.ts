import { header } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'
import type { Session } from '../api/index.ts'
import { readCookie } from './authenticators.ts'
import { openSession, sessionAttributes, type SessionDeps } from './open-session.ts'
import type { Admission, FurtherStep, SignInOrigin } from './sign-in.ts'
import { ticketSeconds } from './sign-in-tickets.ts'

/** The half of a ticket that pages cannot read. */
const ticketCookie = '__Host-gantry-sign-in'
/** The other half, of a sign-in that has come back from a provider: until the page asks for it. */
const waitingCookie = '__Host-gantry-sign-in-ticket'
/** Tells a browser in which the user has signed in before from a stranger's. It lets nobody in. */
const knownBrowserCookie = '__Host-gantry-known-browser'
const knownBrowserSeconds = 180 * 24 * 60 * 60

/** Who knocks. */
export function originOf({ headers, peer }: HttpRequest): SignInOrigin {
  const cookies = header(headers, 'cookie')
  return {
    address: peer?.address ?? '',
    userAgent: header(headers, 'user-agent'),
    knownBrowser: readCookie(cookies, knownBrowserCookie),
    ticketCookie: readCookie(cookies, ticketCookie),
  }
}

/** The ticket that `carriedCookies` has left with the browser. */
export function carriedTicket({ headers }: HttpRequest): string | undefined {
  return readCookie(header(headers, 'cookie'), waitingCookie)
}

/** For an answer that says itself what comes next. */
export function stepCookies({ ticketCookie: half }: FurtherStep): readonly string[] {
  return [`${ticketCookie}=${half}; ${sessionAttributes}; Max-Age=${ticketSeconds}`, forgotten(waitingCookie)]
}

/** For a redirect: no ticket is in an address, so the browser carries all of it to the page. */
export function carriedCookies(outcome: FurtherStep): readonly string[] {
  const [half = ''] = stepCookies(outcome)
  return [half, `${waitingCookie}=${outcome.ticket}; ${sessionAttributes}; Max-Age=${ticketSeconds}`]
}

/** Opens the session of who may have one. */
export async function admit(
  deps: SessionDeps,
  request: HttpRequest,
  { user, status, knownBrowser, providerSession }: Admission,
): Promise<{ readonly session: Session; readonly cookies: readonly string[] }> {
  const { session, cookie } = await openSession(deps, request, { user, status, providerSession })
  const known = knownBrowser === undefined ? [] : [`${knownBrowserCookie}=${knownBrowser}; ${sessionAttributes}; Max-Age=${knownBrowserSeconds}`]
  return { session, cookies: [cookie, ...known, forgotten(ticketCookie), forgotten(waitingCookie)] }
}

const forgotten = (cookie: string): string => `${cookie}=; ${sessionAttributes}; Max-Age=0`
