import type { KubeClient } from '@gantry/client'
import { ObjectMirror, verbToAsk, type Authorizer, type ClusterRequest, type Decision, type Exchange } from '@gantry/gateway'
import type { Clock, Ids, Logger, Running, UserInfo } from '@gantry/runtime'
import {
  accessRoleBindingKind,
  accessRoleKind,
  everybodyGroup,
  groupKind,
  platformAdminRole,
  type AccessRole,
  type AccessRoleBinding,
  type Group,
} from '../../api/index.ts'
import { builtinRoles } from './builtin-roles.ts'
import { PermissionIndex, type AccessQuestion, type MembershipGrant, type Subject } from './permission-index.ts'
import type { Scope } from './scope-tree.ts'

export interface PermissionsDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

/** Groups of the hub for whoever may do everything: `system:masters` is that on any Kubernetes. */
const adminGroups = ['system:masters', 'gantry:admins']
const maxSubjects = 10_000
/** In `extra` of an identity: the namespace of the hub of the tenant or project that its credential is limited to. */
export const scopeExtra = 'access.gantry.dev/scope'
const longestTimerMs = 60 * 60_000

/**
 * Where tenants and projects are told, by whoever knows them: their namespaces of the hub, who is a member, and which namespaces of clusters are certainly theirs. Undefined
 * takes one back.
 */
export interface ScopeRegistry {
  setScope(namespace: string, scope: Scope | undefined): void
  setPlace(cluster: string, namespace: string, owner: string | undefined): void
  setMembership(key: { readonly namespace: string; readonly name: string }, membership: MembershipGrant | undefined): void
}

/**
 * Who may do what: roles, bindings and groups of the hub, mirrored, so that a request is decided without asking anybody. `onChange` tells when decisions may have changed, also
 * when a binding has expired.
 */
export class Permissions {
  readonly roles: ObjectMirror<AccessRole>
  readonly bindings: ObjectMirror<AccessRoleBinding>
  readonly groups: ObjectMirror<Group>
  readonly index: PermissionIndex
  readonly scopes: ScopeRegistry
  readonly #clock: Clock
  readonly #listeners = new Set<() => void>()
  readonly #groupsByUser = new Map<string, Set<string>>()
  readonly #moreGroups: ((user: string) => readonly string[])[] = []
  /** One object for a user while nothing changes: what is known of it is kept beside it. */
  #infos = new Map<string, UserInfo>()
  /** Identities that this platform has proved. */
  readonly #proved = new WeakSet<UserInfo>()
  #untilNextExpiry = (): void => {}
  readonly #subjects = new Map<string, Subject>()
  #isTelling = false

  constructor(deps: PermissionsDeps) {
    this.#clock = deps.clock
    const mirrored = { client: deps.hub, clock: deps.clock, ids: deps.ids, log: deps.log }
    this.roles = new ObjectMirror(mirrored, { resource: accessRoleKind.ref })
    this.bindings = new ObjectMirror(mirrored, { resource: accessRoleBindingKind.ref })
    this.groups = new ObjectMirror(mirrored, { resource: groupKind.ref })
    this.index = new PermissionIndex(() => deps.clock.now().getTime())
    this.scopes = {
      setScope: (namespace, scope) => {
        this.index.setScope(namespace, scope)
        this.#tell()
      },
      setPlace: (cluster, namespace, owner) => {
        this.index.setPlace(cluster, namespace, owner)
        this.#tell()
      },
      setMembership: (key, membership) => {
        this.index.setMembership(key, membership)
        this.#tell()
        this.#expiryMayHaveMoved()
      },
    }
    // They hold before their objects are there.
    for (const [name, { rules }] of Object.entries(builtinRoles)) this.index.setRole(name, rules)
    this.roles.onChange(({ name, after }) => {
      this.index.setRole(name, after?.spec.rules)
      this.#changed()
    })
    this.bindings.onChange(({ name, after }) => {
      this.index.setBinding(name, after)
      this.#changed()
    })
    this.groups.onChange(({ name, before, after }) => {
      for (const user of before?.spec.members ?? []) this.#groupsByUser.get(user)?.delete(name)
      for (const user of after?.spec.members ?? []) {
        const groups = this.#groupsByUser.get(user)
        if (groups === undefined) this.#groupsByUser.set(user, new Set([name]))
        else groups.add(name)
      }
      this.#changed()
    })
  }

  /** Resolves when decisions can be made. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    const running = await Promise.all([this.roles.start({ signal }), this.bindings.start({ signal }), this.groups.start({ signal })])
    let cancel = (): void => {}
    const untilNextExpiry = (): void => {
      cancel()
      const now = this.#clock.now().getTime()
      let next = this.index.nextMembershipExpiry(now) ?? Number.POSITIVE_INFINITY
      for (const { spec } of this.bindings.values()) {
        const time = Date.parse(spec.expirationTime ?? '')
        if (time > now) next = Math.min(next, time)
      }
      if (!Number.isFinite(next)) return
      cancel = this.#clock.schedule(
        () => {
          this.#changed()
          untilNextExpiry()
        },
        Math.min(longestTimerMs, next - now),
      )
    }
    const stopFollowing = this.bindings.onChange(() => this.#expiryMayHaveMoved())
    this.#untilNextExpiry = untilNextExpiry
    untilNextExpiry()
    return {
      done: Promise.all(running.map(({ done }) => done)).then(() => {}),
      [Symbol.asyncDispose]: async () => {
        stopFollowing()
        this.#untilNextExpiry = () => {}
        cancel()
        await Promise.all(running.map((one) => one[Symbol.asyncDispose]()))
      },
    }
  }

  /** Called once a turn in which decisions may have changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Groups from elsewhere than Group objects. Whoever knows them calls `groupsChanged` when they change. */
  addGroups(groupsOf: (user: string) => readonly string[]): void {
    this.#moreGroups.push(groupsOf)
  }

  groupsChanged(): void {
    this.#changed()
  }

  /** A user as the hub sees it, with its groups. `within`: of a credential that is limited to a tenant or project, by its namespace of the hub. */
  userInfo(name: string, uid: string | undefined, within?: string): UserInfo {
    const key = `${name}/${uid ?? ''}/${within ?? ''}`
    const known = this.#infos.get(key)
    if (known !== undefined) return known
    const subject = this.subjectOf(name, within)
    // The hub lets its administrators do everything: a limited credential is none.
    const isAdmin = within === undefined && this.index.platformRolesOf(subject).includes(platformAdminRole)
    const info: UserInfo = {
      username: name,
      ...(uid === undefined ? {} : { uid }),
      groups: [...(isAdmin ? adminGroups : []), ...subject.groups],
      ...(within === undefined ? {} : { extra: { [scopeExtra]: [within] } }),
    }
    this.#infos.set(key, info)
    this.#proved.add(info)
    return info
  }

  subjectOf(user: string, within?: string): Subject {
    const key = within === undefined ? user : `${user}/${within}`
    let subject = this.#subjects.get(key)
    if (subject !== undefined) return subject
    const groups = [...(this.#groupsByUser.get(user) ?? []), ...this.#moreGroups.flatMap((groupsOf) => groupsOf(user))]
    subject = { user, groups: [...groups.toSorted(), everybodyGroup], ...(within === undefined ? {} : { within }) }
    if (this.#subjects.size >= maxSubjects) this.#subjects.clear() // names may be anything that somebody asks about
    this.#subjects.set(key, subject)
    return subject
  }

  /** Whom an identity that this platform has proved stands for; undefined for any other that says the same of itself. */
  subjectOfInfo(info: UserInfo): Subject | undefined {
    return this.#proved.has(info) ? this.subjectOf(info.username, info.extra?.[scopeExtra]?.[0]) : undefined
  }

  /** For the gateway. */
  readonly authorize: Authorizer = (exchange): Decision => {
    const { caller, target } = exchange
    if (caller.kind !== 'platform') return { allowed: false, reason: 'no identity of this platform' }
    if (target?.problem !== undefined) return { allowed: false, reason: target.problem }
    const subject = this.subjectOfInfo(caller.user)
    if (subject === undefined) return { allowed: false, reason: 'no identity of this platform' }
    return this.index.decide(subject, questionOf(exchange))
  }

  #isLooking = false

  /** Many at once make one look. */
  #expiryMayHaveMoved(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    queueMicrotask(() => {
      this.#isLooking = false
      this.#untilNextExpiry()
    })
  }

  #changed(): void {
    this.#infos = new Map()
    this.#subjects.clear()
    this.#tell()
  }

  #tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    queueMicrotask(() => {
      this.#isTelling = false
      for (const listener of this.#listeners) listener()
    })
  }
}

/** What an exchange asks for. */
export function questionOf({ request, target }: Pick<Exchange, 'request' | 'target'>): AccessQuestion {
  if (target !== undefined) return questionOfTarget(target)
  return {
    cluster: '',
    verb: request.method.toLowerCase(),
    isResource: false,
    group: '',
    resource: '',
    subresource: '',
    namespace: undefined,
    name: '',
    path: request.path,
  }
}

/** Reads a field of a review's attributes: undefined or empty when it is absent. */
export type ReadField = (field: string) => string | undefined

/** What a SubjectAccessReview, or one about oneself, asks of a cluster. */
export function questionOfReview(
  cluster: string,
  of: { readonly isResource: boolean; readonly resource: ReadField; readonly path: ReadField },
): AccessQuestion {
  const subresource = of.resource('subresource') ?? ''
  const namespace = of.resource('namespace')
  return {
    cluster,
    verb: verbToAsk((of.isResource ? of.resource : of.path)('verb') ?? '', subresource),
    isResource: of.isResource,
    group: of.resource('group') ?? '',
    resource: of.resource('resource') ?? '',
    subresource,
    namespace: namespace === '' ? undefined : namespace,
    name: of.resource('name') ?? '',
    path: of.path('path') ?? '',
  }
}

function questionOfTarget({ cluster, verb, name, info: { isResource, group, resource, subresource, namespace, path } }: ClusterRequest): AccessQuestion {
  if (cluster === '*' && isResource) {
    // Names there may say their cluster first. Reading one object is looking for it in many clusters: the fleet decides about each object that leaves it.
    const within = namespace?.replace(/^[a-z0-9-]+:/, '')
    return { cluster, verb: verb === 'get' ? 'list' : verb, isResource, group, resource, subresource, namespace: within, name: '', path }
  }
  return { cluster, verb, isResource, group, resource, subresource, namespace, name, path }
}
