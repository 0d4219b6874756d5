import { requestInfo, StatusError, type RequestInfo } from '@gantry/apimachinery'
import { responseOf, statusResponse, writeAsTried, writeUpgradeAnswer, type ClusterTarget } from '@gantry/gateway'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import { membershipKind, type Membership } from '@gantry/tenancy/api'
import {
  accessRoleBindingKind,
  accessRoleKind,
  apiKeyKind,
  elevationRequestKind,
  groupKind,
  identityProviderKind,
  platformAdminRole,
  sessionKind,
  tenantGroup,
  userKind,
  type AccessRole,
  type AccessRoleBinding,
  type AccessRule,
  type APIKey,
  type Group,
  type IdentityProvider,
  type User,
} from '../../api/index.ts'
import type { AccessQuestion, Subject } from './permission-index.ts'
import type { Permissions } from './permissions.ts'

const maxWaiting = 100

/**
 * The hub, with one rule more for writes of what gives permissions: nobody gives what they do not have (platform-anchors §6.2, class 10). Upstream's verbs lift it: `bind` on an
 * AccessRole lets it be bound, `escalate` lets it hold anything. The hub is asked first what a write would make of the object (a dry run), so that every kind of write is
 * judged by its result. Whoever reaches the hub by another way than this platform's identities is the hub's own business.
 */
export function guardGrants(
  { permissions, identities, hub }: { readonly permissions: Permissions; readonly identities: GuardedIdentities; readonly hub: string },
  target: ClusterTarget,
): ClusterTarget {
  // One at a time: two writes that are harmless by themselves may not be so together.
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0

  async function inTurn(work: () => Promise<HttpResponse>): Promise<HttpResponse> {
    if (waiting >= maxWaiting) throw new StatusError('TooManyRequests', 'too many changes of permissions at once', { details: { retryAfterSeconds: 1 } })
    waiting++
    const turn = last.then(work, work)
    last = turn.finally(() => waiting--).catch(() => {})
    return turn
  }

  return {
    ...target,
    handle(request) {
      if (request.method === 'GET' || request.user === undefined || !guardedPrefixes.some((prefix) => request.path.startsWith(prefix)))
        return target.handle(request)
      const subject = permissions.subjectOfInfo(request.user)
      if (subject === undefined || (subject.within === undefined && permissions.index.platformRolesOf(subject).includes(platformAdminRole)))
        return target.handle(request)
      const info = requestInfo(request.method, request.path, request.query)
      if (!guarded.has(`${info.group}/${info.resource}`) || (info.subresource === 'status' && !givesByStatus.has(info.resource))) return target.handle(request)
      return inTurn(() => write({ permissions, identities, hub, target, subject }, request, info)).catch((error: unknown) => {
        if (error instanceof StatusError) return responseOf(error)
        throw error
      })
    },
    // A server that does not speak the protocol asked for may take the request as an ordinary one, and then nobody has judged the write.
    upgrade(request, socket, head) {
      if (request.method === 'GET' || !guardedPrefixes.some((prefix) => request.path.startsWith(prefix))) return target.upgrade(request, socket, head)
      return writeUpgradeAnswer(
        socket,
        statusResponse('BadRequest', 'what gives permissions is written by an ordinary request, not by one that asks for another protocol'),
      )
    },
  }
}

const guardedKinds = [
  accessRoleKind,
  accessRoleBindingKind,
  groupKind,
  userKind,
  identityProviderKind,
  apiKeyKind,
  sessionKind,
  elevationRequestKind,
  membershipKind,
]
const guardedPrefixes = [accessRoleKind, membershipKind].map(({ group }) => `/apis/${group}/`)
const guarded: ReadonlySet<string> = new Set(guardedKinds.map(({ group, plural }) => `${group}/${plural}`))
/** What a user's provider says of it gives what is bound to its groups; an approval gives a role. */
const givesByStatus: ReadonlySet<string> = new Set([userKind.plural, elevationRequestKind.plural])

/** Users and providers as they stand. */
export interface GuardedIdentities {
  readonly users: { get(name: string): User | undefined }
  readonly providers: { get(name: string): IdentityProvider | undefined }
}

/** Who gives. */
export interface Granter {
  readonly permissions: Permissions
  /** The name of the hub as a cluster. */
  readonly hub: string
  readonly subject: Subject
}

interface Guard extends Granter {
  readonly identities: GuardedIdentities
  readonly target: ClusterTarget
}

async function write(guard: Guard, request: HttpRequest, info: RequestInfo): Promise<HttpResponse> {
  const { target } = guard
  if (info.resource === elevationRequestKind.plural) {
    // Its routes ask who it is for and who decides.
    mayEscalate(guard, '', `${info.resource}.${accessRoleKind.group} by other ways than "gantry access elevate", "approve", "deny" and "end"`)
    return target.handle(request)
  }
  if (info.verb === 'deletecollection') {
    mayEscalate(guard, info.resource, 'many of them at once')
    return target.handle(request)
  }
  if (info.verb === 'delete') {
    judge(guard, info, undefined)
    return target.handle(request)
  }
  return writeAsTried(target, request, async ({ object, send }) => {
    judge(guard, info, object as Guarded)
    return send()
  })
}

type Guarded = AccessRole | AccessRoleBinding | Group | User | IdentityProvider | APIKey | Membership

/** Throws Forbidden unless the subject may make this of the object; undefined: remove it. */
function judge(guard: Guard, info: RequestInfo, after: Guarded | undefined): void {
  const { permissions } = guard
  const { resource, name } = info
  const inWords = `${resource}.${accessRoleKind.group} "${after?.metadata.name ?? name}"`
  if (resource === accessRoleKind.plural) {
    const rules = [...(permissions.index.rulesOf(name) ?? []), ...((after as AccessRole | undefined)?.spec.rules ?? [])]
    if (rules.some(isDeny)) mayEscalate(guard, name, `${inWords}, which denies something`)
    if (after !== undefined && !isAsked(guard, 'escalate', name)) mustHave(guard, (after as AccessRole).spec.rules, everywhere, inWords)
  } else if (resource === accessRoleBindingKind.plural) {
    const before = permissions.bindings.get(name)
    if (before !== undefined && rulesOf(guard, before).some(isDeny)) mayEscalate(guard, before.spec.role, `${inWords}, whose role denies something`)
    if (after !== undefined) mustBeGivable(guard, (after as AccessRoleBinding).spec, inWords)
  } else if (resource === membershipKind.plural) {
    judgeMembership(guard, info, after as Membership | undefined)
  } else if (resource === groupKind.plural) {
    mayChangeGroup(guard, after?.metadata.name ?? name, { gives: after !== undefined, what: inWords })
  } else if (resource === userKind.plural) {
    if ((after as User | undefined)?.spec.role !== undefined) throw new StatusError('Forbidden', 'spec.role gives nothing any more: make an AccessRoleBinding')
    if (after !== undefined) judgeUser(guard, after as User, inWords)
  } else if (resource === identityProviderKind.plural) {
    // Whoever says who somebody is can be anybody who comes through it.
    mayEscalate(guard, '', `${inWords}, which says who people are`)
  } else if (after !== undefined) mustHaveAllOf(guard.permissions, guard.subject, (after as APIKey).spec.user)
}

/** Where a role is given: in a cluster, or in the tenant or project whose namespace of the hub `scope` is; without either on the whole platform. */
export interface GivenAt {
  readonly cluster?: string | undefined
  readonly namespaces?: readonly string[] | undefined
  readonly scope?: string | undefined
}

/** Throws Forbidden unless the subject may give a role at a place, NotFound when there is no such role. `what` says by what it would be given. */
export function mustBeGivable(granter: Granter, { role, cluster, namespaces, scope }: GivenAt & { readonly role: string }, what: string): void {
  const rules = granter.permissions.index.rulesOf(role)
  if (rules === undefined) throw new StatusError('NotFound', `there is no AccessRole "${role}" that could be given`)
  if (rules.some(isDeny)) mayEscalate(granter, role, `${what}, whose role denies something`)
  if (!isAsked(granter, 'bind', role)) mustHave(granter, rules, { cluster, namespaces, scope }, what)
}

/** An account elsewhere is a way to be that user, and the groups of its provider are what bindings give. */
function judgeUser(guard: Guard, after: User, what: string): void {
  const { name = '' } = after.metadata
  const before = guard.identities.users.get(name)
  const identity = after.spec.identity
  if (JSON.stringify(identity) !== JSON.stringify(before?.spec.identity)) {
    mustHaveAllOf(guard.permissions, guard.subject, name)
    const tenant = identity && guard.identities.providers.get(identity.provider)?.spec.tenant
    if (tenant !== undefined) mayChangeGroup(guard, tenantGroup(tenant), { gives: true, what })
  }
  if (before !== undefined && before.status?.accountGone !== after.status?.accountGone) mustHaveAllOf(guard.permissions, guard.subject, name)
  const [had, has] = [new Set(before?.status?.groups), new Set(after.status?.groups)]
  for (const group of new Set([...had, ...has])) if (had.has(group) !== has.has(group)) mayChangeGroup(guard, group, { gives: has.has(group), what })
}

/** Who is in a group has what is bound to it; and is denied what is denied to it. */
function mayChangeGroup(guard: Guard, group: string, { gives, what }: { readonly gives: boolean; readonly what: string }): void {
  for (const binding of guard.permissions.bindings.values()) {
    if (!binding.spec.subjects.some((subject) => subject.kind === 'Group' && subject.name === group)) continue
    const rules = rulesOf(guard, binding)
    if (rules.some(isDeny)) mayEscalate(guard, binding.spec.role, `${what}, to which something is denied`)
    const { cluster, namespaces, role } = binding.spec
    if (gives && !isAsked(guard, 'bind', role)) mustHave(guard, rules, { cluster, namespaces }, what)
  }
  const { index } = guard.permissions
  for (const { namespace, role } of index.membershipsOf('Group', group)) {
    const rules = index.rulesOf(role) ?? []
    if (rules.some(isDeny)) mayEscalate(guard, role, `${what}, to which something is denied`)
    if (gives && !isAsked(guard, 'bind', role)) mustHave(guard, rules, { ...everywhere, scope: namespace }, what)
  }
}

/** As bindings, in a tenant or project: an owner gives in its own project what it has there, and nothing else. */
function judgeMembership(guard: Guard, { namespace = '', name }: RequestInfo, after: Membership | undefined): void {
  const { index } = guard.permissions
  const inWords = `${membershipKind.plural}.${membershipKind.group} "${namespace}/${after?.metadata.name ?? name}"`
  const before = index.membership(namespace, name)?.role
  if (before !== undefined && index.rulesOf(before)?.some(isDeny) === true) mayEscalate(guard, before, `${inWords}, whose role denies something`)
  if (after !== undefined) mustBeGivable(guard, { role: after.spec.role, scope: namespace }, inWords)
}

const everywhere = { cluster: undefined, namespaces: undefined }
const isDeny = ({ effect }: AccessRule): boolean => effect === 'Deny'

function rulesOf({ permissions }: Granter, { spec }: AccessRoleBinding): readonly AccessRule[] {
  return permissions.index.rulesOf(spec.role) ?? []
}

function mustHave(guard: Granter, rules: readonly AccessRule[], place: Parameters<Permissions['index']['missingOf']>[2], what: string): void {
  const missing = guard.permissions.index.missingOf(guard.subject, rules, place)
  if (missing !== undefined)
    throw new StatusError(
      'Forbidden',
      `user "${guard.subject.user}" may not write ${what}: it would give what they do not have themselves: ${JSON.stringify(missing)}`,
    )
}

/** Who can act as somebody has what they have: throws Forbidden unless the subject has all of it already. */
export function mustHaveAllOf(permissions: Permissions, subject: Subject, user: string): void {
  if (subject.within !== undefined) throw new StatusError('Forbidden', 'a credential that is limited to a tenant or project makes no others')
  if (user === subject.user) return
  for (const { rule, bound } of permissions.index.grantsOf(permissions.subjectOf(user))) {
    const place = { cluster: bound.cluster, namespaces: bound.namespaces && [...bound.namespaces], scope: bound.scope }
    const missing = permissions.index.missingOf(subject, [rule], place)
    if (missing !== undefined)
      throw new StatusError(
        'Forbidden',
        `user "${subject.user}" may not act for user "${user}", who has what they do not have themselves: ${JSON.stringify(missing)}`,
      )
  }
}

function mayEscalate(guard: Granter, role: string, what: string): void {
  if (!isAsked(guard, 'escalate', role))
    throw new StatusError('Forbidden', `user "${guard.subject.user}" may not change ${what}: it takes the verb escalate on accessroles`)
}

function isAsked({ permissions, hub, subject }: Granter, verb: 'bind' | 'escalate', role: string): boolean {
  const question: AccessQuestion = {
    cluster: hub,
    verb,
    isResource: true,
    group: accessRoleKind.group,
    resource: accessRoleKind.plural,
    subresource: '',
    namespace: undefined,
    name: role,
    path: '',
  }
  return permissions.index.decide(subject, question).allowed
}
