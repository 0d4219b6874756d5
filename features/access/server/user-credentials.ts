import { isReason, StatusError, unlessGone } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { userKind } from '../api/index.ts'
import { secrets, type Secret } from './hub-secrets.ts'

/** What proves that somebody is a user. All of it is in one Secret, so that it changes as a whole or not at all. */
export interface Credentials {
  readonly passwordHash?: string | undefined
  /** Somebody else knows it. */
  readonly mustChangePassword: boolean
  readonly totp?: Totp | undefined
  /** Hashes of those that are left. */
  readonly recoveryCodes: readonly string[]
  /** Being set up: it counts once the app has shown a code of it. */
  readonly pendingTotp?: PendingTotp | undefined
  /** Browsers in which the user has signed in, the latest last. */
  readonly knownBrowsers: readonly KnownBrowser[]
  /** Tickets of sign-ins that have served and could still be shown again. */
  readonly servedTickets: readonly ServedTicket[]
}

export interface KnownBrowser {
  /** Of the secret that the browser keeps. */
  readonly hash: string
  /** Failed sign-ins in a row from there. */
  readonly failures: number
}

export interface PendingTotp {
  /** Base32. */
  readonly secret: string
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

export interface ServedTicket {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

export interface Totp {
  /** Base32. */
  readonly secret: string
  /** The latest step of 30 s whose code was used: none up to it is taken again. */
  readonly lastStep: number
  readonly enrolledTime: string
}

/** Whose they are; the uid keeps a later user of the same name from having what the former had. */
export interface Owner {
  readonly name: string
  readonly uid: string
}

const none: Credentials = { mustChangePassword: false, recoveryCodes: [], knownBrowsers: [], servedTickets: [] }
const attempts = 5

/** The Secrets `user-<name>` of gantry-system. */
export class UserCredentials {
  readonly #hub: KubeClient

  constructor(hub: KubeClient) {
    this.#hub = hub
  }

  /** Those of a user; empty ones when there are none. */
  async read(owner: Owner): Promise<Credentials> {
    return credentialsOf(await this.#secret(owner))
  }

  /** As long as `read`, with nothing found: whoever asks about a user who is not there waits as long as for one who is. */
  async readNothing(): Promise<Credentials> {
    await this.#find('nobody')
    return none
  }

  /**
   * Writes what `change` makes of them, or nothing when it says undefined; nothing that somebody else writes meanwhile gets lost: it is then asked again, about what is there now.
   * Throws Conflict after five times.
   */
  async change(owner: Owner, change: (before: Credentials) => Credentials | undefined | Promise<Credentials | undefined>): Promise<Credentials | undefined> {
    for (let attempt = 1; ; attempt++) {
      const there = await this.#find(owner.name)
      const after = await change(credentialsOf(isOf(there, owner) ? there : undefined))
      if (after === undefined) return undefined
      const metadata = metadataOf(owner, there?.metadata.resourceVersion)
      const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: dataOf(after) }
      try {
        await (there === undefined ? this.#hub.create(secrets, secret) : this.#hub.update(secrets, secret))
        return after
      } catch (error) {
        if (!isReason(error, 'Conflict') && !isReason(error, 'AlreadyExists') && !isReason(error, 'NotFound')) throw error
        if (attempt === attempts)
          throw new StatusError('Conflict', `the credentials of "${owner.name}" were changed by somebody else at the same time, please try again`)
      }
    }
  }

  /** Removes those of whoever had the name before. */
  async remove(name: string): Promise<void> {
    await unlessGone(this.#hub.delete(secrets, { namespace: platformNamespace, name: `user-${name}` }))
  }

  async #secret(owner: Owner): Promise<Secret | undefined> {
    const secret = await this.#find(owner.name)
    return isOf(secret, owner) ? secret : undefined
  }

  #find(name: string): Promise<Secret | undefined> {
    return unlessGone(this.#hub.get<Secret>(secrets, { namespace: platformNamespace, name: `user-${name}` }))
  }
}

/** A Secret of a user of that name who is gone is nobody's. Platforms of before wrote no owner. */
function isOf(secret: Secret | undefined, owner: Owner): boolean {
  const owners = secret?.metadata.ownerReferences
  return secret !== undefined && (owners === undefined || owners.length === 0 || owners.some(({ uid }) => uid === owner.uid))
}

function metadataOf({ name, uid }: Owner, resourceVersion: string | undefined): NonNullable<Secret['metadata']> {
  return {
    name: `user-${name}`,
    namespace: platformNamespace,
    labels: { 'access.gantry.dev/user': name, 'app.kubernetes.io/managed-by': 'gantry' },
    ownerReferences: [{ apiVersion: userKind.apiVersion, kind: userKind.kind, name, uid }],
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
}

function credentialsOf(secret: Secret | undefined): Credentials {
  const data = secret?.data
  if (data === undefined) return none
  const text = (field: string): string | undefined => (data[field] === undefined ? undefined : Buffer.from(data[field], 'base64').toString('utf8'))
  const lines = (field: string): string[] => (text(field) ?? '').split('\n').filter((line) => line !== '')
  const numbered = (field: string): (readonly [string, number])[] =>
    lines(field).map((line) => {
      const [word = '', number = '0'] = line.split(' ', 2)
      return [word, Number(number)]
    })
  const totpSecret = text('totpSecret')
  return {
    passwordHash: text('passwordHash'),
    mustChangePassword: text('mustChangePassword') === 'true',
    totp:
      totpSecret === undefined ? undefined : { secret: totpSecret, lastStep: Number(text('totpLastStep') ?? 0), enrolledTime: text('totpEnrolledTime') ?? '' },
    recoveryCodes: lines('recoveryCodes'),
    pendingTotp: numbered('pendingTotp').map(([secret, untilMs]) => ({ secret, untilMs }))[0],
    knownBrowsers: numbered('knownBrowsers').map(([hash, failures]) => ({ hash, failures })),
    servedTickets: numbered('servedTickets').map(([id, untilMs]) => ({ id, untilMs })),
  }
}

const linesOf = (lines: readonly string[]): string | undefined => (lines.length === 0 ? undefined : lines.join('\n'))

function dataOf({ passwordHash, mustChangePassword, totp, recoveryCodes, pendingTotp, knownBrowsers, servedTickets }: Credentials): Record<string, string> {
  const fields: Readonly<Record<string, string | undefined>> = {
    passwordHash,
    mustChangePassword: mustChangePassword ? 'true' : undefined,
    totpSecret: totp?.secret,
    totpLastStep: totp === undefined ? undefined : String(totp.lastStep),
    totpEnrolledTime: totp?.enrolledTime,
    recoveryCodes: linesOf(recoveryCodes),
    pendingTotp: pendingTotp && `${pendingTotp.secret} ${pendingTotp.untilMs}`,
    knownBrowsers: linesOf(knownBrowsers.map(({ hash, failures }) => `${hash} ${failures}`)),
    servedTickets: linesOf(servedTickets.map(({ id, untilMs }) => `${id} ${untilMs}`)),
  }
  return Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, Buffer.from(value).toString('base64')]])))
}
