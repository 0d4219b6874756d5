import { isReason, StatusError, unlessGone, unlessThere } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { rfc3339 } from '@gantry/clusters/api'
import { repeating, type Clock, type Logger, type Service } from '@gantry/runtime'
import {
  accessRoleBindingKind,
  elevationRequestKind,
  type AccessRoleBinding,
  type AskedElevation,
  type ElevationPage,
  type ElevationPhase,
  type ElevationRequest,
  type User,
} from '../../api/index.ts'
import { mustBeGivable } from './grant-guard.ts'
import type { Permissions } from './permissions.ts'

export interface ElevationsDeps {
  readonly hub: KubeClient
  readonly permissions: Permissions
  readonly identities: { readonly users: { get(name: string): User | undefined } }
  readonly clock: Clock
  readonly log: Logger
  /** The name of the hub as a cluster. */
  readonly hubName: string
}

const maxPending = 5
// What is over stays to be read, but nobody fills the hub by asking and withdrawing.
const maxKept = 100
const unansweredMs = 24 * 60 * 60_000
const keptMs = 30 * 24 * 60 * 60_000
const sweepEveryMs = 30_000
const pageSize = 200
const userLabel = 'access.gantry.dev/user'
const requestLabel = 'access.gantry.dev/elevation-request'

type Status = NonNullable<ElevationRequest['status']>

/**
 * Roles for a while, on request. The status of a request decides, and is only ever written over the version that was read: of two who decide at once, one gets a Conflict. The binding
 * follows the status: the sweeper makes one that a crash has left out, and takes away one that has outlived its request.
 */
export class Elevations {
  readonly #deps: ElevationsDeps
  /** Who is just asking: one request after the other, or the count of open ones would miss some. */
  readonly #asking = new Set<string>()

  constructor(deps: ElevationsDeps) {
    this.#deps = deps
  }

  /** Throws Forbidden when the user has too many open already. */
  async request(user: string, asked: AskedElevation): Promise<ElevationRequest> {
    const { hub, permissions, identities } = this.#deps
    if (permissions.index.rulesOf(asked.role) === undefined) throw new StatusError('NotFound', `there is no AccessRole "${asked.role}"`)
    const userUID = identities.users.get(user)?.metadata.uid
    if (userUID === undefined) throw new StatusError('NotFound', `there is no user "${user}"`)
    if (this.#asking.has(user))
      throw new StatusError('TooManyRequests', 'another request of yours is just being written', { details: { retryAfterSeconds: 1 } })
    this.#asking.add(user)
    try {
      const own = await this.#ownOf(user)
      if (own.filter((one) => phaseOf(one) === 'Pending').length >= maxPending)
        throw new StatusError('Forbidden', `you have ${maxPending} open requests already: withdraw one, or wait until they are answered`)
      const over = own.filter((one) => !isOpen(one)).toSorted((a, b) => endedMs(b) - endedMs(a))
      for (const old of over.slice(maxKept - 1)) await this.#remove(old)
      const { apiVersion, kind, ref } = elevationRequestKind
      const created = await hub.create<ElevationRequest>(ref, {
        apiVersion,
        kind,
        metadata: { generateName: `${user}-`, labels: { 'app.kubernetes.io/managed-by': 'gantry', [userLabel]: user } },
        spec: { ...asked, user, userUID },
      })
      return shown(created)
    } finally {
      this.#asking.delete(user)
    }
  }

  /** One's own, or a page of all for who may approve any. */
  async list(user: string, options: { readonly continue?: string | undefined } = {}): Promise<ElevationPage> {
    if (!this.#mayApprove(user, '')) return { items: (await this.#ownOf(user)).map(shown) }
    const { items, metadata } = await this.#deps.hub.list<ElevationRequest>(elevationRequestKind.ref, { limit: pageSize, continue: options.continue })
    return { items: items.map(shown), ...(isMore(metadata.continue) ? { continue: metadata.continue } : {}) }
  }

  /** Throws NotFound also for what is none of the user's business. */
  async get(user: string, name: string): Promise<ElevationRequest> {
    const request = await this.#find(name)
    if (request === undefined || (request.spec.user !== user && !this.#mayApprove(user, name)))
      throw new StatusError('NotFound', `there is no ElevationRequest "${name}" that you may see`)
    return shown(request)
  }

  /** Gives the role. Throws Forbidden to the requester, to who may not approve, and to who does not have what the role gives; Conflict when it is decided already. */
  async approve(user: string, name: string, message?: string): Promise<ElevationRequest> {
    const { permissions, clock, hubName } = this.#deps
    const request = await this.get(user, name)
    const { spec } = request
    if (spec.user === user) throw new StatusError('Forbidden', `nobody approves their own request: ElevationRequest "${name}" is yours`)
    this.#mustApprove(user, name)
    mustBePending(request)
    const now = clock.now()
    if (isUnanswered(request, now.getTime())) throw new StatusError('Conflict', `ElevationRequest "${name}" has expired: it has to be made again`)
    const who = this.#deps.identities.users.get(spec.user)
    if (who?.metadata.uid !== spec.userUID || who.spec.disabled === true)
      throw new StatusError('Conflict', `user "${spec.user}", who made ElevationRequest "${name}", is gone or disabled`)
    mustBeGivable({ permissions, hub: hubName, subject: permissions.subjectOf(user) }, spec, `the binding of ElevationRequest "${name}"`)
    const until = rfc3339(new Date(now.getTime() + spec.durationSeconds * 1_000))
    return shown(await this.#give(await this.#write(request, { phase: 'Approved', decidedBy: user, decidedTime: rfc3339(now), message, until })))
  }

  async deny(user: string, name: string, message?: string): Promise<ElevationRequest> {
    const request = await this.get(user, name)
    this.#mustApprove(user, name)
    return this.#close(request, 'Denied', { user, message })
  }

  async withdraw(user: string, name: string, message?: string): Promise<ElevationRequest> {
    const request = await this.get(user, name)
    if (request.spec.user !== user) throw new StatusError('Forbidden', `only user "${request.spec.user}" withdraws ElevationRequest "${name}": deny it instead`)
    return this.#close(request, 'Withdrawn', { user, message })
  }

  /** Takes the role away before its time, and ends what is open by it. For the requester, and for who may approve. */
  async end(user: string, name: string, message?: string): Promise<ElevationRequest> {
    const request = await this.get(user, name)
    const phase = phaseOf(request)
    if (phase !== 'Approved') throw new StatusError('Conflict', `ElevationRequest "${name}" is ${phase}: only an approved one can be ended`)
    const how = `ended by ${user}${message === undefined ? '' : `: ${message}`}`
    const ended = await this.#write(request, { phase: 'Ended', until: rfc3339(this.#deps.clock.now()), message: how })
    await this.#takeAway(bindingName(ended))
    return shown(ended)
  }

  /** What is due by time or has been left by a crash: for one of several processes on a hub. It begins at once. */
  sweeper(): Service {
    const { clock, log } = this.#deps
    return repeating(
      { clock },
      {
        name: 'elevation sweeper',
        everyMs: sweepEveryMs,
        firstAfterMs: 0,
        work: (signal) => this.#sweep(signal),
        failed: (error) => log.warn('requests for elevation could not be looked through', { error }),
      },
    )
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { hub, permissions, log } = this.#deps
    // Before the requests: a binding is made only after its request says Approved.
    const made = [...permissions.bindings.values()].filter(({ metadata }) => metadata.labels?.[requestLabel] !== undefined)
    const kept = new Set<string>()
    let token: string | undefined
    do {
      const page = await hub.list<ElevationRequest>(elevationRequestKind.ref, { limit: pageSize, continue: token, signal })
      for (const request of page.items) {
        if (signal.aborted) return
        const isKept = await this.#settle(request).catch((error: unknown) => {
          // A Conflict is somebody who has decided in between: the next time shows what.
          if (!isReason(error, 'Conflict')) log.warn('a request for elevation could not be brought up to date', { request: request.metadata.name, error })
          return true
        })
        if (isKept) kept.add(bindingName(request))
      }
      token = page.metadata.continue
    } while (isMore(token))
    for (const { metadata } of made) if (!kept.has(metadata.name ?? '')) await this.#takeAway(metadata.name ?? '')
  }

  /** Brings one up to date. True when its binding, if there is one, is to stay. */
  async #settle(request: ElevationRequest): Promise<boolean> {
    const { permissions, clock } = this.#deps
    const now = clock.now()
    const { phase, until, binding } = shown(request).status
    if (phase === 'Pending') {
      if (isUnanswered(request, now.getTime()))
        await this.#write(request, { phase: 'Expired', decidedTime: rfc3339(now), message: 'nobody has decided in 24 hours' })
      return false
    }
    if (phase !== 'Approved') {
      if (endedMs(request) + keptMs <= now.getTime()) await this.#remove(request)
      return false
    }
    if (!(Date.parse(until ?? '') > now.getTime())) {
      await this.#write(request, { phase: 'Ended', message: 'its time was over' })
      await this.#takeAway(bindingName(request))
      return false
    }
    if (binding === undefined) await this.#give(request)
    else if (permissions.bindings.get(binding) === undefined && !(await this.#isThere(binding)))
      await this.#write(request, { phase: 'Ended', until: rfc3339(now), message: 'its binding has been removed' })
    return true
  }

  /** Makes the binding of one that is approved and has none, however far an earlier try got. */
  async #give(request: ElevationRequest): Promise<ElevationRequest> {
    const { hub, identities } = this.#deps
    const { spec, status, metadata } = request
    const { user, role, cluster, namespaces } = spec
    if (identities.users.get(user)?.metadata.uid !== spec.userUID)
      return this.#write(request, { phase: 'Ended', until: rfc3339(this.#deps.clock.now()), message: `user "${user}" is gone` })
    const name = bindingName(request)
    const binding: AccessRoleBinding = {
      apiVersion: accessRoleBindingKind.apiVersion,
      kind: accessRoleBindingKind.kind,
      metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'gantry', [requestLabel]: metadata.name ?? '' } },
      spec: {
        role,
        subjects: [{ kind: 'User', name: user }],
        ...(cluster === undefined ? {} : { cluster }),
        ...(namespaces === undefined ? {} : { namespaces }),
        expirationTime: status?.until,
        reason: `ElevationRequest ${metadata.name}, approved by ${status?.decidedBy}: ${spec.reason}`,
      },
    }
    await unlessThere(hub.create<AccessRoleBinding>(accessRoleBindingKind.ref, binding))
    try {
      return await this.#write(request, { binding: name })
    } catch (error) {
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error
    }
    // Ended meanwhile, by somebody who found no binding to remove; or the route and the sweeper have both been here.
    const now = await this.#find(metadata.name ?? '')
    if (now?.metadata.uid === metadata.uid && now !== undefined && phaseOf(now) === 'Approved') return now
    await this.#takeAway(name)
    if (now === undefined) throw new StatusError('Conflict', `ElevationRequest "${metadata.name}" has been removed meanwhile`)
    return now
  }

  async #close(
    request: ElevationRequest,
    phase: 'Denied' | 'Withdrawn',
    { user, message }: { readonly user: string; readonly message: string | undefined },
  ): Promise<ElevationRequest> {
    mustBePending(request)
    return shown(await this.#write(request, { phase, decidedBy: user, decidedTime: rfc3339(this.#deps.clock.now()), message }))
  }

  /** Over the version that was read. Throws Conflict when that has changed. */
  async #write(request: ElevationRequest, change: Partial<Status>): Promise<ElevationRequest> {
    const status: Status = { ...request.status, ...change }
    try {
      return await this.#deps.hub.update<ElevationRequest>(elevationRequestKind.ref, { ...request, status }, { subresource: 'status' })
    } catch (error) {
      if (!isReason(error, 'Conflict')) throw error
      throw new StatusError('Conflict', `ElevationRequest "${request.metadata.name}" has been changed by somebody else meanwhile: look at it again`)
    }
  }

  async #find(name: string): Promise<ElevationRequest | undefined> {
    return unlessGone(this.#deps.hub.get<ElevationRequest>(elevationRequestKind.ref, { name }))
  }

  async #isThere(binding: string): Promise<boolean> {
    return (await unlessGone(this.#deps.hub.get<AccessRoleBinding>(accessRoleBindingKind.ref, { name: binding }))) !== undefined
  }

  async #remove({ metadata: { name = '', uid = '' } }: ElevationRequest): Promise<void> {
    await unlessGone(this.#deps.hub.delete(elevationRequestKind.ref, { name }, { preconditions: { uid } }))
  }

  async #takeAway(binding: string): Promise<void> {
    await unlessGone(this.#deps.hub.delete(accessRoleBindingKind.ref, { name: binding }))
    this.#deps.permissions.bindings.forget(binding)
  }

  async #ownOf(user: string): Promise<readonly ElevationRequest[]> {
    // Bounded: maxPending, maxKept and what is approved.
    const { items } = await this.#deps.hub.list<ElevationRequest>(elevationRequestKind.ref, { labelSelector: `${userLabel}=${user}` })
    return items.filter(({ spec }) => spec.user === user)
  }

  #mayApprove(user: string, name: string): boolean {
    const { permissions, hubName } = this.#deps
    const { group, plural } = elevationRequestKind
    return permissions.index.decide(permissions.subjectOf(user), {
      cluster: hubName,
      verb: 'approve',
      isResource: true,
      group,
      resource: plural,
      subresource: '',
      namespace: undefined,
      name,
      path: '',
    }).allowed
  }

  #mustApprove(user: string, name: string): void {
    if (this.#mayApprove(user, name)) return
    const { group, plural } = elevationRequestKind
    throw new StatusError('Forbidden', `user "${user}" may not decide about ElevationRequest "${name}": it takes the verb approve on ${plural}.${group}`)
  }
}

function phaseOf({ status }: ElevationRequest): ElevationPhase {
  return status?.phase ?? 'Pending'
}

function isOpen(request: ElevationRequest): boolean {
  const phase = phaseOf(request)
  return phase === 'Pending' || phase === 'Approved'
}

function isUnanswered({ metadata }: ElevationRequest, nowMs: number): boolean {
  return Date.parse(metadata.creationTimestamp ?? '') + unansweredMs <= nowMs
}

/** Of one that is over. */
function endedMs({ status, metadata }: ElevationRequest): number {
  return Date.parse(status?.until ?? status?.decidedTime ?? metadata.creationTimestamp ?? '')
}

function mustBePending(request: ElevationRequest): void {
  const phase = phaseOf(request)
  if (phase === 'Pending') return
  const by = request.status?.decidedBy === undefined ? '' : ` by ${request.status.decidedBy}`
  throw new StatusError('Conflict', `ElevationRequest "${request.metadata.name}" is ${phase} already${by}`)
}

/** The same for every try, so that there is one. */
function bindingName({ metadata }: ElevationRequest): string {
  return `elevation-${metadata.uid}`
}

function shown(request: ElevationRequest): ElevationRequest & { readonly status: Status } {
  const { managedFields: _, ...metadata } = request.metadata
  return { ...request, metadata, status: { ...request.status, phase: phaseOf(request) } }
}

function isMore(token: string | undefined): token is string {
  return token !== undefined && token !== ''
}
