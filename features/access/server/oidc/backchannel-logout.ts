import { deadline } from '@gantry/gateway'
import type { Clock, Logger, Service } from '@gantry/runtime'
import type { Session } from '../../api/index.ts'
import type { Identities } from '../identities.ts'
import { certificateAuthority } from '../providers/certificate-authority.ts'
import { fetchThrough } from '../providers/openid.ts'
import type { OutboundDeps } from '../providers/outbound.ts'
import { inWords } from '../providers/sign-in-failure.ts'
import { mountPath } from './provider.ts'
import type { OidcProviders } from './providers.ts'

export interface BackchannelLogoutDeps {
  readonly identities: Identities
  readonly providers: OidcProviders
  readonly outbound: OutboundDeps
  readonly clock: Clock
  readonly log: Logger
}

/** More than that wait for nobody: the oldest are given up. */
const mostWaiting = 1_000
const atOnce = 4
const withinMs = 5_000
const retryAfterMs = [2_000, 30_000] as const

interface Ended {
  readonly session: string
  readonly client: string
  readonly subject: string
  readonly origin: string
  readonly tries: number
}

/**
 * Tells applications that a Session of them has ended, by whatever way: OpenID Connect Back-Channel Logout 1.0. Best effort in bounded number and time; three tries each. For one of several
 * processes on a hub.
 */
export function backchannelLogout(deps: BackchannelLogoutDeps): Service {
  return { name: 'back-channel logout', start: () => Promise.resolve(start(deps)) }
}

function start({ identities, providers, outbound, clock, log }: BackchannelLogoutDeps) {
  const stop = new AbortController()
  const waiting = new Set<Ended>()
  const telling = new Set<Promise<void>>()
  const later = new Set<() => void>()

  function ended({ metadata: { name = '' }, spec }: Session): void {
    const { type, client, issuer, grant } = spec
    if (type !== 'Application' || client === undefined || issuer === undefined || grant === undefined) return
    const subject = accountOf(grant)
    if (subject === undefined) log.warn('an application is not told of a logout: its session names no account', { client, session: name })
    else enqueue({ session: name, client, subject, origin: issuer.slice(0, -mountPath.length), tries: 0 })
  }

  function enqueue(one: Ended): void {
    waiting.add(one)
    for (const oldest of waiting) {
      if (waiting.size <= mostWaiting) break
      waiting.delete(oldest)
      log.warn('an application is not told of a logout: too many wait', { client: oldest.client, session: oldest.session })
    }
    next()
  }

  function next(): void {
    for (const one of waiting) {
      if (telling.size >= atOnce || stop.signal.aborted) return
      waiting.delete(one)
      const told = tell(one).finally(() => {
        telling.delete(told)
        next()
      })
      telling.add(told)
    }
  }

  async function tell(one: Ended): Promise<void> {
    const { session, client: id, subject, origin } = one
    try {
      using limit = deadline(clock, withinMs, stop.signal)
      const spec = (await providers.findClient(id))?.spec
      if (spec?.backchannelLogoutURI === undefined) return
      const { provider, logOut } = await providers.at(origin)
      const client = await provider.Client.find(id)
      if (client === undefined) return
      const way = fetchThrough(outbound, { ca: certificateAuthority(spec.backchannelLogoutCAData), signal: limit.signal })
      await logOut(client, { subject, session }, (url, { method, headers, body }) =>
        way(url, { method, headers: Object.fromEntries(headers), body, redirect: 'manual' }),
      )
    } catch (error) {
      if (!stop.signal.aborted) failed(one, error)
    }
  }

  function failed(one: Ended, error: unknown): void {
    const { client, session, tries } = one
    const afterMs = retryAfterMs[tries]
    log.warn('an application was not told of a logout', { client, session, again: afterMs !== undefined, why: inWords(error) })
    if (afterMs === undefined || later.size >= mostWaiting) return
    const cancel = clock.schedule(() => {
      later.delete(cancel)
      enqueue({ ...one, tries: tries + 1 })
    }, afterMs)
    later.add(cancel)
  }

  const ignore = [
    identities.sessions.onChange(({ before, after }) => {
      if (before !== undefined && after === undefined) ended(before)
    }),
    // Their sessions stay to be seen, and are good for nothing.
    identities.users.onChange(({ name, before, after }) => {
      if (before !== undefined && before.spec.disabled !== true && (after === undefined || after.spec.disabled === true))
        for (const session of identities.sessions.values()) if (session.spec.user === name) ended(session)
    }),
  ]
  const done = Promise.withResolvers<void>()
  return {
    done: done.promise,
    async [Symbol.asyncDispose]() {
      for (const one of ignore) one()
      stop.abort(new Error('stopping'))
      for (const cancel of later) cancel()
      await Promise.all(telling)
      done.resolve()
    },
  }
}

/** Sessions are objects that administrators may write: one that is none must not end the mirror it was seen in. */
function accountOf(grant: string): string | undefined {
  try {
    return (JSON.parse(grant) as { readonly accountId?: string } | null)?.accountId
  } catch {
    return undefined
  }
}
