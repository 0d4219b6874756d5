import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, readJson, type Exchange, type Route } from '@gantry/gateway'
import type { Clock, HttpResponse } from '@gantry/runtime'
import type { KubeObject } from '@gantry/client'
import type { APIKey, OwnAccount, OwnCredentials, RecoveryCodes, Session } from '../api/index.ts'
import { textOf } from './body-fields.ts'
import type { Identities } from './identities.ts'
import type { Permissions } from './permissions/permissions.ts'
import { newRecoveryCodes } from './recovery-codes.ts'
import type { SignIn } from './sign-in.ts'
import { newEnrolment } from './totp.ts'
import type { Owner } from './user-credentials.ts'

export interface MeRoutesDeps {
  readonly identities: Identities
  readonly permissions: Permissions
  readonly signIn: SignIn
  readonly clock: Clock
  /** Called after a user has set a password of their own. */
  readonly onPasswordSet?: ((user: string) => void | Promise<void>) | undefined
}

const bodyBytes = 4_096
const enrolmentMs = 10 * 60_000
/** Of who has no password here: a sign-in that is older proves nothing any more. */
const recentMs = 10 * 60_000
const prefix = '/platform/v1/me/'

type Body = Readonly<Record<string, unknown>>
interface Me {
  readonly owner: Owner
  /** The caller's session, of a browser or a login; undefined for one by API key. */
  readonly session: string | undefined
  /** Where the caller's account is, if it is elsewhere. */
  readonly provider: string | undefined
}
type Work = (me: Me, body: Body) => unknown

/**
 * One's own account: `/platform/v1/me` and below. Every route is about the caller and nobody else, whoever that is. What changes how somebody signs in takes the password, and the second
 * factor if there is one: a browser left alone or a key that leaked is not enough. Users with an account elsewhere have no password here: it takes a browser in which they have just signed in.
 */
export function meRoutes(deps: MeRoutesDeps): readonly Route[] {
  const { identities, signIn } = deps

  async function account({ owner: { name }, owner }: Me): Promise<OwnAccount> {
    const user = identities.users.get(name)
    const { passwordHash, totp, recoveryCodes } = await identities.credentials.read(owner)
    const subject = deps.permissions.subjectOf(name)
    return {
      name,
      displayName: user?.spec.displayName ?? name,
      groups: subject.groups,
      roles: deps.permissions.index.platformRolesOf(subject),
      hasPassword: passwordHash !== undefined,
      identityProvider: user?.spec.identity?.provider,
      passwordChangedTime: user?.status?.passwordChangedTime,
      shortestPassword: identities.rules.shortestPassword,
      secondFactor: { isRequired: identities.needsSecondFactor(name), enrolledTime: totp?.enrolledTime, recoveryCodesLeft: recoveryCodes.length },
    }
  }

  async function prove({ owner, session, provider }: Me, body: Body): Promise<void> {
    const { totp } = await identities.credentials.read(owner)
    if (provider !== undefined) {
      mustBeRecent(session, provider)
      const given = textOf(body, 'code')
      if (totp !== undefined && (given === undefined || !(await signIn.provesCode(owner, given))))
        throw new StatusError('Forbidden', 'the code of the authenticator app, or a recovery code, is missing, wrong or has been used already: give "code"')
      return
    }
    const password = textOf(body, 'password') ?? ''
    const code = textOf(body, 'code')
    if (totp !== undefined && code === undefined) throw new StatusError('BadRequest', 'give "code" too: the one of the authenticator app, or a recovery code')
    const isProved = await signIn.proves(owner, { password, code: totp === undefined ? undefined : code })
    if (!isProved)
      throw new StatusError('Forbidden', totp === undefined ? 'the password is wrong' : 'the password or the code is wrong, or the code has been used already')
  }

  function mustBeRecent(session: string | undefined, provider: string): void {
    const { spec, metadata } = identities.sessions.get(session ?? '') ?? {}
    const isBrowser = spec !== undefined && (spec.type === undefined || spec.type === 'Browser')
    if (!isBrowser || deps.clock.now().getTime() - Date.parse(metadata?.creationTimestamp ?? '') > recentMs)
      throw new StatusError(
        'Forbidden',
        `this takes a sign-in with "${provider}" in the console that is at most ${recentMs / 60_000} minutes old: sign out, sign in again, and come back`,
      )
  }

  async function changePassword({ owner, session }: Me, body: Body): Promise<Body> {
    const newPassword = textOf(body, 'newPassword')
    if (newPassword === undefined) throw new StatusError('BadRequest', 'give "password", the one you have, and "newPassword"')
    // The password alone: sessions by password and code exist already, and nothing is weaker afterwards.
    if (!(await signIn.proves(owner, { password: textOf(body, 'password') ?? '' }))) throw new StatusError('Forbidden', 'the password is wrong')
    await signIn.checkNewPassword(owner.name, newPassword, await identities.credentials.read(owner))
    await identities.setPassword(owner.name, newPassword, { except: session })
    await deps.onPasswordSet?.(owner.name)
    return {}
  }

  async function beginEnrolment(me: Me, body: Body): Promise<unknown> {
    const { owner } = me
    const { totp } = await identities.credentials.read(owner)
    if (totp !== undefined) throw new StatusError('Conflict', 'a second factor is set up already: remove it first')
    await prove(me, body)
    const enrolment = await newEnrolment(owner.name)
    const pendingTotp = { secret: enrolment.secret, untilMs: deps.clock.now().getTime() + enrolmentMs }
    await identities.credentials.change(owner, (before) => ({ ...before, pendingTotp }))
    return enrolment
  }

  async function confirmEnrolment({ owner }: Me, body: Body): Promise<RecoveryCodes> {
    const { pendingTotp } = await identities.credentials.read(owner)
    if (pendingTotp === undefined || pendingTotp.untilMs <= deps.clock.now().getTime())
      throw new StatusError('Conflict', 'nothing is being set up, or it took longer than ten minutes: begin again')
    const enrolled = await signIn.enrol(owner, {
      secret: pendingTotp.secret,
      code: textOf(body, 'code') ?? '',
      together(before) {
        if (before.pendingTotp?.secret !== pendingTotp.secret) throw new StatusError('Conflict', 'something else is being set up meanwhile: begin again')
        return before
      },
    })
    if (enrolled === undefined)
      throw new StatusError('Invalid', 'the code is not the one of the secret that was shown: check the clock of the device, and try the next one')
    return { recoveryCodes: enrolled.recoveryCodes }
  }

  async function removeFactor(me: Me, body: Body): Promise<Body> {
    const { owner } = me
    await mustHaveFactor(owner)
    await prove(me, body)
    await identities.removeSecondFactor(owner.name)
    return {}
  }

  async function renewRecoveryCodes(me: Me, body: Body): Promise<RecoveryCodes> {
    const { owner } = me
    await mustHaveFactor(owner)
    await prove(me, body)
    const { codes, hashes } = newRecoveryCodes()
    await identities.credentials.change(owner, (before) => ({ ...before, recoveryCodes: hashes }))
    return { recoveryCodes: codes }
  }

  async function mustHaveFactor(owner: Owner): Promise<void> {
    const { totp } = await identities.credentials.read(owner)
    if (totp === undefined) throw new StatusError('Conflict', 'no second factor is set up')
  }

  function own({ owner, session }: Me, kind: 'sessions' | 'keys'): OwnCredentials {
    const objects = [...identities[kind].values()].filter(({ spec }) => spec.user === owner.name)
    return { items: objects.map((object) => shown(object, kind === 'sessions' && object.metadata.name === session)) }
  }

  /** What is somebody else's is not there. */
  async function end({ owner }: Me, kind: 'sessions' | 'apikeys', name: string): Promise<Body> {
    if (identities[kind === 'sessions' ? 'sessions' : 'keys'].get(name)?.spec.user !== owner.name)
      throw new StatusError('NotFound', `you have no ${kind === 'sessions' ? 'session' : 'API key'} "${name}"`)
    await (kind === 'sessions' ? identities.endSession(name) : identities.revokeKey(name))
    return { name }
  }

  const work: Readonly<Record<string, Work>> = {
    'GET sessions': (me) => own(me, 'sessions'),
    'GET apikeys': (me) => own(me, 'keys'),
    'POST password': changePassword,
    'POST second-factor': beginEnrolment,
    'POST second-factor/confirm': confirmEnrolment,
    'POST second-factor/remove': removeFactor,
    'POST second-factor/recovery-codes': renewRecoveryCodes,
    async 'POST sessions/end-others'({ owner, session }) {
      await identities.endSessionsOf(owner.name, { except: session })
      return {}
    },
  }

  async function serve(exchange: Exchange): Promise<HttpResponse> {
    const { request } = exchange
    const me = meOf(exchange, identities)
    if (request.path === '/platform/v1/me') {
      if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'this takes a GET')
      return jsonResponse(200, await account(me))
    }
    const what = request.path.slice(prefix.length)
    const [, kind, name = ''] = /^(sessions|apikeys)\/([a-z0-9]{1,63})$/.exec(request.method === 'DELETE' ? what : '') ?? []
    if (kind !== undefined) return jsonResponse(200, await end(me, kind as 'sessions' | 'apikeys', name))
    const found = work[`${request.method} ${what}`]
    if (found === undefined) throw new StatusError('NotFound', 'the server could not find the requested resource')
    return jsonResponse(200, await found(me, request.method === 'POST' && request.body !== undefined ? await readJson(request, bodyBytes) : {}))
  }

  return [
    { path: '/platform/v1/me', audience: 'platform', serve },
    { path: prefix, audience: 'platform', serve },
  ]
}

/** What an owner is shown: no hash, and nothing of what a token stands for. */
function shown({ apiVersion, kind, metadata, spec, status }: Session | APIKey, isCurrent: boolean): KubeObject {
  const { name, creationTimestamp } = metadata
  const { hash: _, ...plain } = spec
  const { grant: __, refresh: ___, ...visible } = plain as Session['spec']
  const annotations = isCurrent ? { annotations: { 'access.gantry.dev/current': 'true' } } : {}
  const object = { apiVersion, kind, metadata: { name, creationTimestamp, ...annotations }, spec: visible, status }
  return object as KubeObject
}

function meOf({ caller }: Exchange, identities: Identities): Me {
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  const { user, credential } = caller
  return {
    owner: identities.ownerOf(user.username),
    session: /^session\/(.+)$/.exec(credential.id)?.[1],
    provider: identities.users.get(user.username)?.spec.identity?.provider,
  }
}
