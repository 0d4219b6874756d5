import { createHmac, timingSafeEqual } from 'node:crypto'
import { isReason, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import type { Ids } from '@gantry/runtime'
import type { Adapter, Payload } from 'oidc-provider'
import { sessionKind, type Session } from '../../api/index.ts'
import type { Identities } from '../identities.ts'
import { hashSecret, matchesHash } from '../secret-hash.ts'

export interface SessionRecordsDeps {
  readonly hub: KubeClient
  readonly identities: Identities
  readonly ids: Ids
  /** Key of what marks the refresh tokens of one session as a family. */
  readonly secret: string
  /** Made where the library is loaded: somebody else has used the token in the same moment. */
  readonly conflict: () => Error
}

const secretBytes = 32

/** A Session holds what a user has agreed to: the library's Grant is its field `spec.grant`, and has its name. Ending the one ends the other. */
export class GrantRecords implements Adapter {
  readonly #deps: SessionRecordsDeps

  constructor(deps: SessionRecordsDeps) {
    this.#deps = deps
  }

  async upsert(id: string, payload: Payload): Promise<void> {
    await writeSpec(this.#deps, id, { grant: withoutId(payload) })
  }

  async find(id: string): Promise<Payload | undefined> {
    const grant = (this.#deps.identities.liveSession(id) ?? (await readSession(this.#deps, id)))?.spec.grant
    return grant === undefined ? undefined : { ...(JSON.parse(grant) as Payload), jti: id }
  }

  destroy(id: string): Promise<void> {
    return end(this.#deps, id)
  }

  findByUserCode = nothing
  findByUid = nothing
  revokeByGrantId = (id: string): Promise<void> => end(this.#deps, id)
  consume = (): Promise<void> => Promise.resolve()
}

/**
 * A Session has one refresh token at a time, `<session>.<family>.<secret>`, kept as a hash. An older one of the same family is a copy somebody has used before or after its owner:
 * the library is told that it is used up, and ends the session (RFC 9700 4.14). Who knows only a session's name can make no such token.
 */
export class RefreshTokenRecords implements Adapter {
  readonly #deps: SessionRecordsDeps

  constructor(deps: SessionRecordsDeps) {
    this.#deps = deps
  }

  /** The text of a new token of a session. */
  newToken(session: string): string {
    return `${session}.${familyOf(this.#deps.secret, session)}.${this.#deps.ids.secret(secretBytes)}`
  }

  async upsert(id: string, payload: Payload): Promise<void> {
    await writeSpec(this.#deps, sessionOf(id), { refresh: { hash: hashSecret(id), token: withoutId(payload) } })
  }

  async find(id: string): Promise<Payload | undefined> {
    const name = sessionOf(id)
    if (!isOfFamily(this.#deps.secret, name, id)) return undefined
    let session = this.#deps.identities.liveSession(name)
    // What another gateway has given out a moment ago is no copy.
    if (!isCurrent(session, id)) session = await readSession(this.#deps, name)
    if (session?.spec.refresh === undefined) return undefined
    const payload = JSON.parse(session.spec.refresh.token) as Payload
    return { ...payload, jti: id, ...(isCurrent(session, id) ? {} : { consumed: true }) }
  }

  /** Of two who use it at once, on whatever gateway, one is refused. */
  async consume(id: string): Promise<void> {
    const { hub, identities, conflict } = this.#deps
    const body = [
      { op: 'test', path: '/spec/refresh/hash', value: hashSecret(id) },
      { op: 'remove', path: '/spec/refresh/hash' },
    ]
    try {
      identities.sessions.accept(await hub.patch<Session>(sessionKind.ref, { name: sessionOf(id) }, { type: 'json', body }))
    } catch (error) {
      if (isReason(error, 'Invalid') || isReason(error, 'NotFound') || isReason(error, 'Conflict')) throw conflict()
      throw error
    }
  }

  destroy(id: string): Promise<void> {
    return end(this.#deps, sessionOf(id))
  }

  findByUserCode = nothing
  findByUid = nothing
  revokeByGrantId = (id: string): Promise<void> => end(this.#deps, id)
}

const nothing = (): Promise<undefined> => Promise.resolve(undefined)

const withoutId = (payload: Payload): string => JSON.stringify({ ...payload, jti: undefined })

const sessionOf = (token: string): string => token.split('.', 1)[0] ?? ''

function familyOf(secret: string, session: string): string {
  return createHmac('sha256', secret).update(`refresh token of ${session}`).digest('base64url')
}

function isOfFamily(secret: string, session: string, token: string): boolean {
  const [given, wanted] = [Buffer.from(token.split('.', 2)[1] ?? ''), Buffer.from(familyOf(secret, session))]
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

function isCurrent(session: Session | undefined, token: string): boolean {
  const hash = session?.spec.refresh?.hash
  return hash !== undefined && matchesHash(token, hash)
}

/** A session as the hub has it now: the mirror may be a moment behind another gateway. */
async function readSession({ hub, identities }: SessionRecordsDeps, name: string): Promise<Session | undefined> {
  const stored = await unlessGone(hub.get<Session>(sessionKind.ref, { name }))
  if (stored === undefined) return undefined
  identities.sessions.accept(stored)
  return identities.liveSession(name)
}

async function writeSpec({ hub, identities }: SessionRecordsDeps, name: string, spec: Partial<Session['spec']>): Promise<void> {
  identities.sessions.accept(await hub.patch<Session>(sessionKind.ref, { name }, { type: 'merge', body: { spec } }))
}

async function end({ identities }: SessionRecordsDeps, name: string): Promise<void> {
  const session = identities.sessions.get(name)
  if (session?.spec.client !== undefined) await identities.endSession(name)
}
