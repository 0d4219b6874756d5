import { isReason, StatusError, unlessGone, unlessThere } from '@gantry/apimachinery'
import { listPages, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { rfc3339 } from '@gantry/clusters/api'
import { repeating, turnBudgetOn, type Clock, type Logger, type Service } from '@gantry/runtime'
import { membershipKind, scopeOf, type Membership } from '@gantry/tenancy/api'
import {
  accessRoleBindingKind,
  elevationRequestKind,
  type AccessRoleBinding,
  type AccessRule,
  type AskedElevation,
  type ElevationPage,
  type ElevationPhase,
  type ElevationRequest,
  type User,
} from '../../api/index.ts'
import { mustBeGivable, type GivenAt } from './grant-guard.ts'
import type { Permissions } from './permissions.ts'
import { scopeInWords, scopeNamespace } from './scope-namespace.ts'

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
/** Pages of the hub that one page of those about which somebody may decide is gathered from. */
const pagesPerAnswer = 10
const userLabel = 'access.gantry.dev/user'
const requestLabel = 'access.gantry.dev/elevation-request'
const bindingPrefix = 'elevation-'
const approval = { verbs: ['approve'], apiGroups: [elevationRequestKind.group], resources: [elevationRequestKind.plural] }

type Status = NonNullable<ElevationRequest['status']>
type Spec = ElevationRequest['spec']

/** What gives the role: an AccessRoleBinding, or a Membership in the namespace of the hub of its tenant or project. */
interface GiftKey {
  readonly name: string
  readonly namespace?: string
}

/**
 * Roles for a while, on request: in every scope that a role is given in, by who may give it there. The status of a request decides, and is only ever written over the version that was read: of two who decide at once, one gets a Conflict. The binding
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
    if (asked.scope !== undefined && !this.#mayAskIn(user, scopeNamespace(asked.scope)))
      throw new StatusError('NotFound', `there is no ${scopeInWords(asked.scope)} that you could have a role in: it takes a role in its tenant, or to see it`)
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

  /** One's own, and those about which the user may decide. */
  async list(user: string, options: { readonly continue?: string | undefined } = {}): Promise<ElevationPage> {
    const { hub, clock } = this.#deps
    if (!this.#mayApproveAny(user)) return { items: (await this.#ownOf(user)).map(shown) }
    const budget = turnBudgetOn(clock)
    const items: ElevationRequest[] = []
    let token = options.continue
    for (let pages = 0; pages < pagesPerAnswer && items.length === 0; pages++) {
      const page = await hub.list<ElevationRequest>(elevationRequestKind.ref, { limit: pageSize, continue: token })
      for (const request of page.items) {
        await budget.pause()
        if (request.spec.user === user || this.#mayApprove(user, request)) items.push(shown(request))
      }
      token = page.metadata.continue
      if (!isMore(token)) break
    }
    return { items, ...(isMore(token) ? { continue: token } : {}) }
  }

  /** Throws NotFound also for what is none of the user's business. */
  async get(user: string, name: string): Promise<ElevationRequest> {
    const request = await this.#find(name)
    if (request === undefined || (request.spec.user !== user && !this.#mayApprove(user, request)))
      throw new StatusError('NotFound', `there is no ElevationRequest "${name}" that you may see`)
    return shown(request)
  }

  /** Gives the role. Throws Forbidden to the requester, to who may not approve, and to who does not have what the role gives; Conflict when it is decided already. */
  async approve(user: string, name: string, message?: string): Promise<ElevationRequest> {
    const { permissions, clock, hubName } = this.#deps
    const request = await this.get(user, name)
    const { spec } = request
    if (spec.user === user) throw new StatusError('Forbidden', `nobody approves their own request: ElevationRequest "${name}" is yours`)
    this.#mustApprove(user, request)
    mustBePending(request)
    const now = clock.now()
    if (isUnanswered(request, now.getTime())) throw new StatusError('Conflict', `ElevationRequest "${name}" has expired: it has to be made again`)
    const who = this.#deps.identities.users.get(spec.user)
    if (who?.metadata.uid !== spec.userUID || who.spec.disabled === true)
      throw new StatusError('Conflict', `user "${spec.user}", who made ElevationRequest "${name}", is gone or disabled`)
    const place = placeOf(spec)
    if (spec.scope !== undefined && permissions.index.scopeLabel(place.scope ?? '') === undefined)
      throw new StatusError('Conflict', `the ${scopeInWords(spec.scope)} of ElevationRequest "${name}" is gone, not ready, or suspended`)
    mustBeGivable(
      { permissions, hub: hubName, subject: permissions.subjectOf(user) },
      { role: spec.role, ...place },
      `what ElevationRequest "${name}" asks for`,
    )
    const until = rfc3339(new Date(now.getTime() + spec.durationSeconds * 1_000))
    return shown(await this.#give(await this.#write(request, { phase: 'Approved', decidedBy: user, decidedTime: rfc3339(now), message, until })))
  }

  async deny(user: string, name: string, message?: string): Promise<ElevationRequest> {
    const request = await this.get(user, name)
    this.#mustApprove(user, request)
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
    await this.#takeAway(giftOf(ended))
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
    const { hub, log } = this.#deps
    // Before the requests: a binding is made only after its request says Approved.
    const made = this.#made()
    const kept = new Set<string>()
    for await (const { items } of listPages<ElevationRequest>(hub, elevationRequestKind.ref, { limit: pageSize, signal }))
      for (const request of items) {
        if (signal.aborted) return
        const isKept = await this.#settle(request).catch((error: unknown) => {
          // A Conflict is somebody who has decided in between: the next time shows what.
          if (!isReason(error, 'Conflict')) log.warn('a request for elevation could not be brought up to date', { request: request.metadata.name, error })
          return true
        })
        if (isKept) kept.add(keyOf(giftOf(request)))
      }
    for (const gift of made) if (!signal.aborted && !kept.has(keyOf(gift)) && (await this.#isOurs(gift))) await this.#takeAway(gift)
  }

  /** Brings one up to date. True when its binding, if there is one, is to stay. */
  async #settle(request: ElevationRequest): Promise<boolean> {
    const { clock } = this.#deps
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
      await this.#takeAway(giftOf(request))
      return false
    }
    if (binding === undefined) await this.#give(request)
    else if (!this.#isKnown(giftOf(request)) && (await this.#read(giftOf(request))) === undefined)
      await this.#write(request, { phase: 'Ended', until: rfc3339(now), message: 'its binding has been removed' })
    return true
  }

  /** Makes the binding of one that is approved and has none, however far an earlier try got. */
  async #give(request: ElevationRequest): Promise<ElevationRequest> {
    const { hub, identities } = this.#deps
    const { spec, metadata } = request
    const ended = (message: string): Promise<ElevationRequest> => this.#write(request, { phase: 'Ended', until: rfc3339(this.#deps.clock.now()), message })
    if (identities.users.get(spec.user)?.metadata.uid !== spec.userUID) return ended(`user "${spec.user}" is gone`)
    const gift = giftOf(request)
    try {
      await unlessThere(hub.create<KubeObject>(refOf(gift), giftObject(request)))
    } catch (error) {
      if (spec.scope === undefined || !isReason(error, 'NotFound')) throw error
      return ended(`the ${scopeInWords(spec.scope)} is gone`)
    }
    try {
      return await this.#write(request, { binding: gift.name })
    } catch (error) {
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error
    }
    // Ended meanwhile, by somebody who found no binding to remove; or the route and the sweeper have both been here.
    const now = await this.#find(metadata.name ?? '')
    if (now?.metadata.uid === metadata.uid && now !== undefined && phaseOf(now) === 'Approved') return now
    await this.#takeAway(gift)
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

  /** What has been made, as this process knows it. */
  #made(): readonly GiftKey[] {
    const { bindings, index } = this.#deps.permissions
    const gifts: GiftKey[] = []
    for (const { metadata } of bindings.values()) if (metadata.labels?.[requestLabel] !== undefined) gifts.push({ name: metadata.name ?? '' })
    for (const key of index.memberships()) {
      const [namespace = '', name = ''] = key.split('/', 2)
      if (name.startsWith(bindingPrefix)) gifts.push({ namespace, name })
    }
    return gifts
  }

  #isKnown({ namespace, name }: GiftKey): boolean {
    const { bindings, index } = this.#deps.permissions
    return namespace === undefined ? bindings.get(name) !== undefined : index.membership(namespace, name) !== undefined
  }

  #read(gift: GiftKey): Promise<KubeObject | undefined> {
    return unlessGone(this.#deps.hub.get<KubeObject>(refOf(gift), gift))
  }

  /** Somebody else may have given a Membership a name like these. */
  async #isOurs(gift: GiftKey): Promise<boolean> {
    return (await this.#read(gift))?.metadata.labels?.[requestLabel] !== undefined
  }

  async #remove({ metadata: { name = '', uid = '' } }: ElevationRequest): Promise<void> {
    await unlessGone(this.#deps.hub.delete(elevationRequestKind.ref, { name }, { preconditions: { uid } }))
  }

  async #takeAway(gift: GiftKey): Promise<void> {
    const { hub, permissions } = this.#deps
    await unlessGone(hub.delete(refOf(gift), gift))
    const { namespace, name } = gift
    if (namespace === undefined) permissions.bindings.forget(name)
    else permissions.scopes.setMembership({ namespace, name }, undefined)
  }

  async #ownOf(user: string): Promise<readonly ElevationRequest[]> {
    // Bounded: maxPending, maxKept and what is approved.
    const { items } = await this.#deps.hub.list<ElevationRequest>(elevationRequestKind.ref, { labelSelector: `${userLabel}=${user}` })
    return items.filter(({ spec }) => spec.user === user)
  }

  /** For a tenant or project: who may see it, and who has a role in its tenant. Others learn nothing of it, and leave nothing for its owners to read. */
  #mayAskIn(user: string, scope: string): boolean {
    const { permissions } = this.#deps
    const { index } = permissions
    if (index.scopeLabel(scope) === undefined) return false
    const subject = permissions.subjectOf(user)
    const tenant = scopeOf(scope)?.tenant
    return (
      index.maySeeScope(subject, scope) || index.grantsOf(subject).some(({ bound }) => bound.scope !== undefined && scopeOf(bound.scope)?.tenant === tenant)
    )
  }

  /** Whether there can be requests about which a user may decide. */
  #mayApproveAny(user: string): boolean {
    const { permissions } = this.#deps
    const { index } = permissions
    const says = (words: readonly string[] | undefined, word: string): boolean => words?.includes('*') === true || words?.includes(word) === true
    return index
      .grantsOf(permissions.subjectOf(user))
      .some(
        ({ rule }) =>
          rule.effect !== 'Deny' &&
          says(rule.verbs, 'approve') &&
          says(rule.apiGroups, elevationRequestKind.group) &&
          says(rule.resources, elevationRequestKind.plural),
      )
  }

  /** The verb counts where the role is to hold: a project's owner has it in the project, a cluster's administrator in the cluster. */
  #mayApprove(user: string, { metadata, spec }: ElevationRequest): boolean {
    const { permissions } = this.#deps
    const { index } = permissions
    const { cluster, namespaces } = spec
    const rule: AccessRule = {
      ...approval,
      resourceNames: [metadata.name ?? ''],
      ...(cluster === undefined ? {} : { clusters: [cluster] }),
      ...(namespaces === undefined ? {} : { namespaces }),
    }
    return index.missingOf(permissions.subjectOf(user), [rule], placeOf(spec)) === undefined
  }

  #mustApprove(user: string, request: ElevationRequest): void {
    if (this.#mayApprove(user, request)) return
    const { group, plural } = elevationRequestKind
    throw new StatusError(
      'Forbidden',
      `user "${user}" may not decide about ElevationRequest "${request.metadata.name}": it takes the verb approve on ${plural}.${group} where the role is to hold`,
    )
  }
}

/** Where the role is to hold, as the permissions know it. */
function placeOf({ cluster, namespaces, scope }: Spec): GivenAt & Required<Pick<GivenAt, 'cluster' | 'namespaces'>> {
  return { cluster, namespaces, scope: scope && scopeNamespace(scope) }
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
function giftOf({ metadata, spec: { scope } }: ElevationRequest): GiftKey {
  const name = `${bindingPrefix}${metadata.uid}`
  return scope === undefined ? { name } : { name, namespace: scopeNamespace(scope) }
}

function refOf({ namespace }: GiftKey): ResourceRef {
  return namespace === undefined ? accessRoleBindingKind.ref : membershipKind.ref
}

function giftObject(request: ElevationRequest): AccessRoleBinding | Membership {
  const { spec, status, metadata } = request
  const { user, role, cluster, namespaces } = spec
  const { apiVersion, kind } = spec.scope === undefined ? accessRoleBindingKind : membershipKind
  return {
    apiVersion,
    kind,
    metadata: { ...giftOf(request), labels: { 'app.kubernetes.io/managed-by': 'gantry', [requestLabel]: metadata.name ?? '' } },
    spec: {
      role,
      subjects: [{ kind: 'User', name: user }],
      ...(cluster === undefined ? {} : { cluster }),
      ...(namespaces === undefined ? {} : { namespaces }),
      expirationTime: status?.until,
      reason: `ElevationRequest ${metadata.name}, approved by ${status?.decidedBy}: ${spec.reason}`,
    },
  }
}

function keyOf({ namespace = '', name }: GiftKey): string {
  return `${namespace}/${name}`
}

function shown(request: ElevationRequest): ElevationRequest & { readonly status: Status } {
  const { managedFields: _, ...metadata } = request.metadata
  return { ...request, metadata, status: { ...request.status, phase: phaseOf(request) } }
}

function isMore(token: string | undefined): token is string {
  return token !== undefined && token !== ''
}
