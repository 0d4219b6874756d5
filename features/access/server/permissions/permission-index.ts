import { localClusterName } from '@gantry/clusters/api'
import { signedInRole, type AccessRoleBinding, type AccessRule, type RuleStep } from '../../api/index.ts'
import { ScopeTree, type Scope } from './scope-tree.ts'

/** Who asks: a user and every group it is in. */
export interface Subject {
  readonly user: string
  readonly groups: readonly string[]
  /** Namespace of the hub of the tenant or project that its credential is limited to: nothing outside is allowed, whatever the user may do. */
  readonly within?: string | undefined
}

/** What is asked. Empty `cluster`: a path of the platform's own. */
export interface AccessQuestion {
  readonly cluster: string
  readonly verb: string
  readonly isResource: boolean
  readonly group: string
  readonly resource: string
  readonly subresource: string
  /** Undefined: at the cluster scope, or of all namespaces. */
  readonly namespace: string | undefined
  /** Empty for collections. */
  readonly name: string
  /** Of what is no resource. */
  readonly path: string
}

/** One object of an answer to a list or a watch. */
export interface ListedObject {
  readonly cluster?: string | undefined
  readonly namespace: string | undefined
  readonly name: string
}

export interface PermissionDecision {
  readonly allowed: boolean
  /** Names the rule that decides. */
  readonly reason: string
  /** Of a list or watch that holds more than may be seen: what of it may be. It goes by the permissions of the moment it is asked. */
  readonly filter?: ((object: ListedObject) => boolean) | undefined
}

type Reach = RuleStep['matches']

/** A binding, as decisions use it. */
interface Bound {
  /** Of a Membership with its namespace before it. */
  readonly name: string
  /** Namespace of the hub of the tenant or project in which a Membership holds. */
  readonly scope: string | undefined
  readonly role: string
  readonly cluster: string | undefined
  readonly namespaces: ReadonlySet<string> | undefined
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

/** A rule as somebody has it through a binding. */
interface Grant {
  readonly rule: AccessRule
  /** Position in the role. */
  readonly at: number
  readonly bound: Bound
}

/** A Membership, as the index takes it. */
export interface MembershipGrant {
  readonly role: string
  readonly subjects: readonly { readonly kind: 'User' | 'Group'; readonly name: string }[]
  readonly expirationTime?: string | undefined
}

interface CompiledRole {
  readonly rules: readonly AccessRule[]
  readonly denies: readonly RuleAt[]
  /** Allow rules by `group/resource`; those that hold for every group or resource stand under a star. */
  readonly allows: ReadonlyMap<string, readonly RuleAt[]>
  /** Allow rules about paths. */
  readonly paths: readonly RuleAt[]
}

type RuleAt = readonly [rule: AccessRule, at: number]

// The subresources and paths that a client reads before it asks for anything: open to whoever may do something in a cluster.
const discovery = /^\/(?:api|apis|version|healthz|livez|readyz|openapi)(?:\/|$)/
const selfReviews: ReadonlySet<string> = new Set(['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'])
const collectionReads: ReadonlySet<string> = new Set(['list', 'watch'])
const collectionVerbs: ReadonlySet<string> = new Set([...collectionReads, 'deletecollection'])
// In the namespaces of tenants and projects on the hub stand objects of the platform. Nobody runs anything there: whoever could might run it beside other tenants' objects.
const platformGroups = '.gantry.dev'
const maxReached = 1_000
/** What every Membership gives beside its role: to see what it is a member of. */
const ownRule: AccessRule = { verbs: ['get', 'list', 'watch'], apiGroups: ['*'], resources: ['*'] }
/** Paths of the platform that a credential may ask that is limited to a scope: none of them gives another credential. */
const limitedPaths: ReadonlySet<string> = new Set(['/platform/v1/info', '/platform/v1/fleet/search', '/platform/v1/access/explain'])

/**
 * Roles and bindings, compiled by subject: a decision looks at the rules that the caller has, by resource, and at nothing else. A Deny wins over every Allow. What no rule allows
 * is not allowed.
 */
export class PermissionIndex {
  readonly #roles = new Map<string, CompiledRole>()
  readonly #bindings = new Map<string, AccessRoleBinding>()
  /** By subject and cluster, which is empty for bindings to the whole platform. */
  readonly #bound = new Map<string, Map<string, Map<string, Bound>>>()
  readonly #memberships = new Map<string, MembershipGrant>()
  /** What Memberships give, by subject and the namespace that they stand in. */
  readonly #members = new Map<string, Map<string, Map<string, Bound>>>()
  /** The same by subject and role: a question about a whole cluster looks at each role once, however many scopes it is held in. */
  readonly #memberRoles = new Map<string, Map<string, Map<string, Bound>>>()
  readonly #tree = new ScopeTree()
  /** Clusters in which a user or group has something by a Membership, as of an epoch. */
  readonly #reached = new Map<string, { readonly epoch: number; readonly clusters: ReadonlySet<string> }>()
  readonly #nowMs: () => number
  readonly #hub: string
  #epoch = 0

  /** `hub` is the name of the hub as a cluster. */
  constructor(nowMs: () => number, hub: string = localClusterName) {
    this.#nowMs = nowMs
    this.#hub = hub
  }

  /** Changes whenever a decision may have changed by a role or a binding. */
  get epoch(): number {
    return this.#epoch
  }

  /** Of a role; undefined when there is none of that name. */
  rulesOf(role: string): readonly AccessRule[] | undefined {
    return this.#roles.get(role)?.rules
  }

  setRole(name: string, rules: readonly AccessRule[] | undefined): void {
    if (rules === undefined) this.#roles.delete(name)
    else this.#roles.set(name, compile(rules))
    this.#epoch++
  }

  setBinding(name: string, binding: AccessRoleBinding | undefined): void {
    this.#epoch++
    const before = this.#bindings.get(name)
    for (const subject of before?.spec.subjects ?? []) unfile(this.#bound, [`${subject.kind}/${subject.name}`, before?.spec.cluster ?? '', name])
    if (binding === undefined) {
      this.#bindings.delete(name)
      return
    }
    this.#bindings.set(name, binding)
    const { role, cluster, namespaces, expirationTime, subjects } = binding.spec
    const untilMs = expirationTime === undefined ? Number.POSITIVE_INFINITY : Date.parse(expirationTime)
    const bound: Bound = { name, scope: undefined, role, cluster, namespaces: namespaces && new Set(namespaces), untilMs }
    for (const subject of subjects) file(this.#bound, [`${subject.kind}/${subject.name}`, cluster ?? '', name], bound)
  }

  /** A Membership of a namespace of the hub. It gives nothing while that is no scope's. */
  setMembership({ namespace, name }: { readonly namespace: string; readonly name: string }, membership: MembershipGrant | undefined): void {
    this.#epoch++
    const id = `${namespace}/${name}`
    const before = this.#memberships.get(id)
    for (const subject of before?.subjects ?? []) {
      const key = `${subject.kind}/${subject.name}`
      unfile(this.#members, [key, namespace, id])
      unfile(this.#memberRoles, [key, before?.role ?? '', id])
    }
    if (membership === undefined) {
      this.#memberships.delete(id)
      return
    }
    this.#memberships.set(id, membership)
    const { role, expirationTime, subjects } = membership
    const untilMs = expirationTime === undefined ? Number.POSITIVE_INFINITY : Date.parse(expirationTime)
    const bound: Bound = { name: id, scope: namespace, role, cluster: undefined, namespaces: undefined, untilMs }
    for (const subject of subjects) {
      const key = `${subject.kind}/${subject.name}`
      file(this.#members, [key, namespace, id], bound)
      file(this.#memberRoles, [key, role, id], bound)
    }
  }

  /** A tenant or project, by its namespace of the hub. */
  setScope(namespace: string, scope: Scope | undefined): void {
    this.#tree.setScope(namespace, scope)
    this.#epoch++
  }

  /** Says which scope certainly owns a namespace of a cluster. */
  setPlace(cluster: string, namespace: string, owner: string | undefined): void {
    this.#tree.setPlace(cluster, namespace, owner)
    this.#epoch++
  }

  /** Memberships that name a user or group. */
  *membershipsOf(kind: 'User' | 'Group', name: string): Generator<{ readonly namespace: string; readonly name: string; readonly role: string }> {
    for (const bounds of this.#members.get(`${kind}/${name}`)?.values() ?? [])
      for (const bound of bounds.values()) {
        const [namespace = '', own = ''] = bound.name.split('/', 2)
        yield { namespace, name: own, role: bound.role }
      }
  }

  membership(namespace: string, name: string): MembershipGrant | undefined {
    return this.#memberships.get(`${namespace}/${name}`)
  }

  /** Every Membership, as namespace and name with a slash between them. */
  memberships(): Iterable<string> {
    return this.#memberships.keys()
  }

  /** Namespaces of clusters that are certainly a scope's, or of what is below it; undefined: it is no scope that counts, or the subject may not see it. */
  placesFor(subject: Subject, scope: string): readonly { readonly cluster: string; readonly namespace: string }[] | undefined {
    return this.maySeeScope(subject, scope) ? this.#tree.placesOf(scope) : undefined
  }

  /** Whether a subject may read the tenant or project that a namespace of the hub stands for; false also when it is none that counts. */
  maySeeScope(subject: Subject, scope: string): boolean {
    const object = this.#tree.isActive(scope) ? this.#tree.get(scope)?.object : undefined
    if (object === undefined) return false
    return this.decide(subject, { ...object, cluster: this.#hub, verb: 'get', isResource: true, subresource: '', path: '' }).allowed
  }

  /** Whether a namespace of a cluster is certainly a scope's, or of what is below it. */
  isPlaceOf(scope: string, { cluster, namespace }: { readonly cluster: string; readonly namespace: string }): boolean {
    for (const owner of this.#tree.ownersOf(cluster, namespace)) if (this.#tree.isWithin(owner, scope)) return true
    return cluster === this.#hub && this.#tree.isWithin(namespace, scope)
  }

  /** When a Membership expires next; undefined: none does. */
  nextMembershipExpiry(nowMs: number): number | undefined {
    let next: number | undefined
    for (const { expirationTime } of this.#memberships.values()) {
      const time = expirationTime === undefined ? Number.NaN : Date.parse(expirationTime)
      if (time > nowMs && (next === undefined || time < next)) next = time
    }
    return next
  }

  /** Of a scope's namespace of the hub; undefined: it is none that counts. */
  scopeLabel(namespace: string): string | undefined {
    return this.#tree.isActive(namespace) ? this.#tree.labelOf(namespace) : undefined
  }

  decide(subject: Subject, question: AccessQuestion): PermissionDecision {
    if (subject.within !== undefined) {
      const limited = this.#limit(subject.within, subject, question)
      if (limited !== undefined) return limited
    }
    const { allow, deny, isPartly } = this.#weigh(subject, question)
    if (deny !== undefined && !isPartly) return { allowed: false, reason: `denied by ${this.#named(deny)}` }
    if (allow !== undefined)
      return isPartly
        ? { allowed: true, reason: `in part: ${this.#named(allow)}`, filter: this.#filterOf(subject, question) }
        : { allowed: true, reason: this.#named(allow) }
    if (isDiscovery(question) && this.reaches(subject, question.cluster))
      return { allowed: true, reason: 'discovery is open to whoever has a role in the cluster' }
    return { allowed: false, reason: this.#grantsOf(subject).next().done === true ? 'no binding gives a role' : 'no rule allows it' }
  }

  /** Whether one object may be seen in answers to a question about many. */
  mayRead(subject: Subject, question: AccessQuestion): boolean {
    if (subject.within !== undefined && this.#reachOfScope(subject.within, question, true, true).reach !== 'wholly') return false
    const { allow, deny, isPartly } = this.#weigh(subject, question, true)
    return allow !== undefined && deny === undefined && !isPartly
  }

  /** Every rule that the subject has, and what it says to a question: those that decide first. */
  explain(subject: Subject, question: AccessQuestion): readonly RuleStep[] {
    const now = this.#nowMs()
    const order: readonly Reach[] = ['wholly', 'partly', 'no']
    return [...this.#grantsOf(subject)]
      .map(({ rule, at, bound }): RuleStep => {
        const { reach, because } = this.#reachOf(rule, bound, question, { now, isOne: !collectionVerbs.has(question.verb) })
        const scope = bound.scope === undefined ? undefined : this.#tree.labelOf(bound.scope)
        return { effect: rule.effect ?? 'Allow', binding: bound.name, scope, role: bound.role, rule: at, matches: reach, because }
      })
      .toSorted((a, b) => order.indexOf(a.matches) - order.indexOf(b.matches) || (a.effect === b.effect ? 0 : a.effect === 'Deny' ? -1 : 1))
  }

  /** Names of the roles that a subject has on the whole platform, beyond what everybody has. */
  platformRolesOf(subject: Subject): readonly string[] {
    const now = this.#nowMs()
    const roles = [...this.#boundTo(subject, '')].filter(({ role, untilMs }) => untilMs > now && role !== signedInRole && this.#roles.has(role))
    return [...new Set(roles.map(({ role }) => role))].toSorted()
  }

  /** Clusters in which a subject may do something; undefined: in every one. */
  clustersOf(subject: Subject): ReadonlySet<string> | undefined {
    const clusters = new Set<string>()
    for (const { rule, bound } of this.grantsOf(subject)) {
      if (!isAllow(rule) || rule.resources === undefined) continue
      if (bound.scope !== undefined) {
        if (this.#tree.isActive(bound.scope)) for (const cluster of [this.#hub, ...this.#tree.clustersOf(bound.scope)]) clusters.add(cluster)
      } else if (bound.cluster !== undefined) clusters.add(bound.cluster)
      else if (rule.clusters === undefined || rule.clusters.some((pattern) => pattern.endsWith('*'))) return undefined
      else for (const cluster of rule.clusters) clusters.add(cluster)
    }
    return clusters
  }

  /**
   * The rule of `rules` that the subject does not have itself in all of a place, and so may not give to others; undefined when it has them all. Any Deny that bears on what a rule
   * allows counts as not having it, unless it is given along.
   */
  missingOf(subject: Subject, rules: readonly AccessRule[], place: Place): AccessRule | undefined {
    const held = this.grantsOf(subject)
    const givesAlong = ({ rule }: Grant): boolean => rules.some((given) => given.effect === 'Deny' && JSON.stringify(given) === JSON.stringify(rule))
    const denied = held.filter((grant) => !isAllow(grant.rule) && !givesAlong(grant))
    const allows = held.filter(({ rule }) => isAllow(rule))
    const isInside = (scope: string, other: string): boolean => this.#tree.isWithin(scope, other)
    return rules.find((rule) => isAllow(rule) && !isCovered(rule, place, { allows, denied, isInside }))
  }

  /** What bindings give a subject at this moment. */
  grantsOf(subject: Subject): readonly Grant[] {
    const now = this.#nowMs()
    return [...this.#grantsOf(subject)].filter(({ bound }) => bound.untilMs > now)
  }

  /** Changes when what a subject may see may have changed. */
  fingerprintOf(subject: Subject): string {
    const scopeState = (scope: string): readonly unknown[] => [scope, this.#tree.isActive(scope), this.#tree.versionOf(scope)]
    return JSON.stringify([
      subject.within === undefined ? [] : scopeState(subject.within),
      ...this.grantsOf(subject).map(({ rule, bound: { cluster, namespaces, scope } }) => [
        rule,
        cluster,
        namespaces && [...namespaces],
        ...(scope === undefined ? [] : scopeState(scope)),
      ]),
    ])
  }

  #filterOf(subject: Subject, question: AccessQuestion): (object: ListedObject) => boolean {
    // A namespace counts as being in itself, as upstream reads it from a path.
    const areNamespaces = question.group === '' && question.resource === 'namespaces'
    return ({ cluster = question.cluster, namespace, name }) =>
      this.mayRead(subject, { ...question, cluster, namespace: areNamespaces ? name : namespace, name })
  }

  /** The bindings of a subject that name a cluster, or (empty) none. */
  *#boundTo({ user, groups }: Subject, cluster: string): Generator<Bound> {
    yield* this.#bound.get(`User/${user}`)?.get(cluster)?.values() ?? []
    for (const group of groups) yield* this.#bound.get(`Group/${group}`)?.get(cluster)?.values() ?? []
  }

  *#boundAnywhere({ user, groups }: Subject): Generator<Bound> {
    for (const key of keysOf({ user, groups })) for (const there of this.#bound.get(key)?.values() ?? []) yield* there.values()
  }

  *#grantsOf(subject: Subject): Generator<Grant> {
    for (const bound of this.#boundAnywhere(subject)) yield* this.#rulesBy(bound)
    for (const key of keysOf(subject))
      for (const there of this.#members.get(key)?.values() ?? []) for (const bound of there.values()) yield* this.#rulesBy(bound)
  }

  *#rulesBy(bound: Bound): Generator<Grant> {
    for (const [at, rule] of this.#roles.get(bound.role)?.rules.entries() ?? []) yield { rule, at, bound }
  }

  /** Whether a subject may do something in a cluster; `*`: in any. */
  reaches(subject: Subject, cluster: string): boolean {
    const now = this.#nowMs()
    for (const bound of this.#membersWith(subject)) {
      const { scope = '', role, untilMs } = bound
      if (untilMs <= now || (cluster !== '*' && cluster !== this.#hub && !this.#tree.reaches(scope, cluster)) || !this.#tree.isActive(scope)) continue
      if (this.rulesOf(role)?.some((rule) => isAllow(rule) && rule.resources !== undefined) === true) return true
    }
    for (const bound of this.#boundAnywhere(subject)) {
      if (bound.untilMs <= now || (cluster !== '*' && bound.cluster !== undefined && bound.cluster !== cluster)) continue
      const reaches = ({ clusters }: AccessRule): boolean =>
        cluster === '*' || bound.cluster !== undefined || clusters === undefined || matchesPattern(clusters, cluster)
      if (this.rulesOf(bound.role)?.some((rule) => isAllow(rule) && rule.resources !== undefined && reaches(rule)) === true) return true
    }
    return false
  }

  #weigh(subject: Subject, question: AccessQuestion, isOne = !collectionVerbs.has(question.verb)): Weighed {
    const { cluster, namespace } = question
    const how = { now: this.#nowMs(), isOne }
    const mayFilter = !isOne && question.isResource && question.subresource === '' && collectionReads.has(question.verb)
    let partlyDenied: Grant | undefined
    let partly: Grant | undefined
    const holders: { readonly bound: Bound; readonly role: CompiledRole }[] = []
    const take = (bound: Bound): Grant | undefined => {
      const role = this.#roles.get(bound.role)
      if (role === undefined) return undefined
      holders.push({ bound, role })
      for (const [rule, at] of role.denies) {
        const { reach } = this.#reachOf(rule, bound, question, how)
        if (reach === 'wholly') return { rule, at, bound }
        if (reach === 'partly') partlyDenied ??= { rule, at, bound }
      }
      return undefined
    }
    for (const bounds of cluster === '*'
      ? [this.#boundAnywhere(subject)]
      : cluster === ''
        ? [this.#boundTo(subject, '')]
        : [this.#boundTo(subject, ''), this.#boundTo(subject, cluster)]) {
      for (const bound of bounds) {
        if (namespace !== undefined && bound.namespaces !== undefined && !bound.namespaces.has(namespace)) continue
        const deny = take(bound)
        if (deny !== undefined) return { allow: undefined, deny, isPartly: false }
      }
    }
    if (question.isResource && cluster !== '')
      for (const bound of this.#membersAt(subject, question)) {
        const deny = take(bound)
        if (deny !== undefined) return { allow: undefined, deny, isPartly: false }
      }
    // What a Deny with names would hit of a creation or a deletion of many is not known beforehand: it is refused.
    if (partlyDenied !== undefined && !mayFilter) return { allow: undefined, deny: partlyDenied, isPartly: false }
    for (const { bound, role } of holders) {
      for (const rules of candidates(role, question)) {
        for (const [rule, at] of rules) {
          const { reach } = this.#reachOf(rule, bound, question, how)
          if (reach === 'wholly') return { allow: { rule, at, bound }, deny: partlyDenied, isPartly: partlyDenied !== undefined }
          if (reach === 'partly' && mayFilter) partly ??= { rule, at, bound }
        }
      }
    }
    const own = this.#ownAllow(subject, question, how)
    if (own?.reach === 'wholly') return { allow: own.grant, deny: partlyDenied, isPartly: partlyDenied !== undefined }
    if (mayFilter && own?.reach === 'partly') partly ??= own.grant
    return { allow: partly, deny: undefined, isPartly: partly !== undefined }
  }

  /** What a subject has through Memberships of certain scopes; of all when they are left out. */
  *#membersWith(subject: Subject, scopes?: readonly string[]): Generator<Bound> {
    for (const key of keysOf(subject)) {
      const byScope = this.#members.get(key)
      if (byScope === undefined) continue
      if (scopes === undefined) for (const there of byScope.values()) yield* there.values()
      else
        for (const scope of scopes) {
          const there = byScope.get(scope)
          if (there !== undefined) yield* there.values()
        }
    }
  }

  /** What of it can bear on a question: by the owner of the namespace that is asked about, and of each role one that reaches the cluster, as all of them hold in part there. */
  *#membersAt(subject: Subject, question: AccessQuestion): Generator<Bound> {
    const { cluster, namespace } = question
    if (namespace !== undefined) {
      const scopes = new Set<string>()
      for (const owner of this.#tree.ownersOf(cluster, namespace)) for (const scope of this.#tree.chainOf(owner)) scopes.add(scope)
      if (cluster === this.#hub || cluster === '*') for (const scope of this.#tree.chainOf(namespace)) scopes.add(scope)
      if (scopes.size > 0) yield* this.#membersWith(subject, [...scopes])
      return
    }
    if (!collectionVerbs.has(question.verb)) return // at the cluster scope: of no namespace
    const now = this.#nowMs()
    const isOnHub = (cluster === this.#hub || cluster === '*') && question.group.endsWith(platformGroups)
    for (const key of keysOf(subject)) {
      if (cluster !== this.#hub && cluster !== '*' && !this.#mayReach(key, cluster)) continue
      for (const [role, bounds] of this.#memberRoles.get(key) ?? []) {
        const compiled = this.#roles.get(role)
        if (compiled === undefined || !bears(compiled, question)) continue
        for (const bound of bounds.values())
          if (
            (isOnHub || this.#tree.reaches(bound.scope ?? '', cluster)) &&
            bound.untilMs > now &&
            this.#reachOfScope(bound.scope ?? '', question, false, false).reach !== 'no'
          ) {
            yield bound
            break
          }
      }
    }
  }

  /** Whether any scope of a user or group has a namespace in a cluster: most have none in most clusters, and are not looked at one by one. */
  #mayReach(key: string, cluster: string): boolean {
    const byScope = this.#members.get(key)
    if (byScope === undefined) return false
    let known = this.#reached.get(key)
    if (known?.epoch !== this.#epoch) {
      const clusters = new Set<string>()
      for (const scope of byScope.keys()) for (const one of this.#tree.clustersOf(scope)) clusters.add(one)
      if (this.#reached.size >= maxReached) this.#reached.clear()
      this.#reached.set(key, (known = { epoch: this.#epoch, clusters }))
    }
    return known.clusters.has(cluster)
  }

  /** Members see the objects and the namespaces of the hub that their tenants and projects are. */
  #ownAllow(
    subject: Subject,
    question: AccessQuestion,
    how: { readonly now: number; readonly isOne: boolean },
  ): { readonly grant: Grant; readonly reach: Reach } | undefined {
    const { cluster, group, resource, name, subresource, isResource } = question
    if (!isResource || subresource !== '' || (cluster !== this.#hub && cluster !== '*') || !ownRule.verbs.includes(question.verb)) return undefined
    const isNamespace = group === '' && resource === 'namespaces'
    if (!isNamespace && !this.#tree.isScopeKind(group, resource)) return undefined
    const found = (bound: Bound, reach: Reach): { readonly grant: Grant; readonly reach: Reach } => ({ grant: { rule: ownRule, at: -1, bound }, reach })
    const counts = ({ untilMs, role }: Bound): boolean => untilMs > how.now && this.#roles.get(role)?.rules.some((rule) => isAllow(rule)) === true
    if (name !== '') {
      const scope = isNamespace ? name : this.#tree.scopeOfObject({ group, resource, namespace: question.namespace, name })
      for (const bound of this.#membersWith(subject, scope === undefined ? [] : this.#tree.chainOf(scope))) if (counts(bound)) return found(bound, 'wholly')
      return undefined
    }
    for (const bound of this.#membersWith(subject)) {
      if (!counts(bound)) continue
      const scope = this.#tree.isActive(bound.scope ?? '') ? this.#tree.get(bound.scope ?? '') : undefined
      if (scope === undefined) continue
      if (isNamespace || (scope.object.resource === resource && (question.namespace === undefined || question.namespace === scope.object.namespace)))
        return found(bound, 'partly')
    }
    return undefined
  }

  /** Why a credential that is limited to a scope may not ask this, or only in part; undefined: it asks for what is inside. */
  #limit(scope: string, subject: Subject, question: AccessQuestion): PermissionDecision | undefined {
    const label = this.#tree.labelOf(scope)
    if (question.cluster === '')
      return limitedPaths.has(question.path) ? undefined : { allowed: false, reason: `the credential is limited to ${label}: this path is not open to it` }
    if (isDiscovery(question)) {
      const isReached =
        this.#tree.isActive(scope) && (question.cluster === '*' || question.cluster === this.#hub || this.#tree.reaches(scope, question.cluster))
      return isReached ? undefined : { allowed: false, reason: `the credential is limited to ${label}` }
    }
    const isOne = !collectionVerbs.has(question.verb)
    const { reach, because } = this.#reachOfScope(scope, question, isOne, true)
    if (reach === 'wholly') return undefined
    if (reach === 'no') return { allowed: false, reason: `the credential is limited to ${label}: ${because}` }
    if (!collectionReads.has(question.verb) || question.subresource !== '')
      return { allowed: false, reason: `the credential is limited to ${label}, and this is about more` }
    const { allow, deny, isPartly } = this.#weigh(subject, question)
    if (allow === undefined || (deny !== undefined && !isPartly))
      return { allowed: false, reason: deny === undefined ? 'no rule allows it' : `denied by ${this.#named(deny)}` }
    return { allowed: true, reason: `in part: ${this.#named(allow)}, limited to ${label}`, filter: this.#filterOf(subject, question) }
  }

  /**
   * Where a scope bears on a question about resources: in namespaces of clusters that are its own or below it, and in its namespaces of the hub for objects of the platform.
   * `withOwn`: and the objects that the scopes themselves are.
   */
  #reachOfScope(scope: string, question: AccessQuestion, isOne: boolean, withOwn: boolean): { readonly reach: Reach; readonly because: string | undefined } {
    const tree = this.#tree
    const { cluster, namespace, group, resource, name } = question
    if (!question.isResource) return no('a membership is not about paths')
    if (!tree.isActive(scope)) return no(`${tree.labelOf(scope)} is suspended, or is not there`)
    const isOnHub = cluster === this.#hub || cluster === '*'
    if (withOwn && isOnHub) {
      const isNamespace = group === '' && resource === 'namespaces'
      if (isNamespace || tree.isScopeKind(group, resource)) {
        const asked = name === '' ? undefined : isNamespace ? name : tree.scopeOfObject({ group, resource, namespace, name })
        if (name === '' ? !isOne : asked !== undefined && tree.isWithin(asked, scope)) return name === '' ? partly : wholly
      }
    }
    if (namespace === undefined) {
      if (isOne) return no('it holds in namespaces only')
      if ((isOnHub && group.endsWith(platformGroups)) || tree.reaches(scope, cluster)) return partly
      return no(`${tree.labelOf(scope)} has no namespace there`)
    }
    const found = cluster === '*' ? partly : wholly
    for (const owner of tree.ownersOf(cluster, namespace)) if (tree.isWithin(owner, scope)) return found
    if (isOnHub && tree.isWithin(namespace, scope))
      return group.endsWith(platformGroups) ? found : no('in the namespaces of tenants and projects on the hub it holds for objects of the platform only')
    return no(`the namespace ${namespace} is not one of ${tree.labelOf(scope)}`)
  }

  #reachOf(
    rule: AccessRule,
    bound: Bound,
    question: AccessQuestion,
    how: { readonly now: number; readonly isOne: boolean },
  ): { readonly reach: Reach; readonly because: string | undefined } {
    const byRule = reachOf(rule, bound, question, how)
    if (bound.scope === undefined || byRule.reach === 'no') return byRule
    const byScope = this.#reachOfScope(bound.scope, question, how.isOne, false)
    return byScope.reach === 'wholly' ? byRule : byScope
  }

  #named({ at, bound }: Grant): string {
    const by = bound.scope === undefined ? `AccessRoleBinding "${bound.name}"` : `Membership "${bound.name}" of ${this.#tree.labelOf(bound.scope)}`
    return at < 0 ? `what every membership gives, by ${by}` : `rule ${at} of AccessRole "${bound.role}" by ${by}`
  }
}

function keysOf({ user, groups }: Subject): readonly string[] {
  return [`User/${user}`, ...groups.map((group) => `Group/${group}`)]
}

type Filed = Map<string, Map<string, Map<string, Bound>>>

function file(into: Filed, [first, second, id]: readonly [string, string, string], bound: Bound): void {
  let bySecond = into.get(first)
  if (bySecond === undefined) into.set(first, (bySecond = new Map()))
  const there = bySecond.get(second)
  if (there === undefined) bySecond.set(second, new Map([[id, bound]]))
  else there.set(id, bound)
}

function unfile(from: Filed, [first, second, id]: readonly [string, string, string]): void {
  const bySecond = from.get(first)
  const there = bySecond?.get(second)
  there?.delete(id)
  if (there?.size === 0) bySecond?.delete(second)
  if (bySecond?.size === 0) from.delete(first)
}

/** Whether a role says anything of a kind of question. */
function bears(role: CompiledRole, question: AccessQuestion): boolean {
  return role.denies.length > 0 || !candidates(role, question).next().done
}

function compile(rules: readonly AccessRule[]): CompiledRole {
  const allows = new Map<string, RuleAt[]>()
  const entries = rules.map((rule, at): RuleAt => [rule, at])
  for (const entry of entries) {
    const [{ resources, apiGroups = [] }] = entry
    if (!isAllow(entry[0]) || resources === undefined) continue
    for (const group of new Set(apiGroups)) {
      // A subresource of everything stands with the rules for every resource.
      for (const resource of new Set(resources.map((text) => text.split('/', 1)[0] ?? ''))) {
        const key = `${group}/${resource}`
        const list = allows.get(key)
        if (list === undefined) allows.set(key, [entry])
        else list.push(entry)
      }
    }
  }
  return {
    rules,
    denies: entries.filter(([rule]) => !isAllow(rule)),
    allows,
    paths: entries.filter(([rule]) => isAllow(rule) && rule.nonResourceURLs !== undefined),
  }
}

interface Weighed {
  readonly allow: Grant | undefined
  readonly deny: Grant | undefined
  /** Only objects can tell. */
  readonly isPartly: boolean
}

function* candidates({ allows, paths }: CompiledRole, { isResource, group, resource }: AccessQuestion): Generator<readonly RuleAt[]> {
  if (!isResource) {
    yield paths
    return
  }
  for (const what of [`${group}/${resource}`, `${group}/*`, `*/${resource}`, '*/*']) {
    const rules = allows.get(what)
    if (rules !== undefined) yield rules
  }
}

const no = (because: string): { readonly reach: Reach; readonly because: string } => ({ reach: 'no', because })
const wholly: { readonly reach: Reach; readonly because: undefined } = { reach: 'wholly', because: undefined }
const partly: { readonly reach: Reach; readonly because: string } = { reach: 'partly', because: 'it holds for some of the objects' }

function reachOf(
  rule: AccessRule,
  bound: Bound,
  question: AccessQuestion,
  { now, isOne }: { readonly now: number; readonly isOne: boolean },
): { readonly reach: Reach; readonly because: string | undefined } {
  if (bound.untilMs <= now) return no('the binding has expired')
  if (!matchesWord(rule.verbs, question.verb)) return no(`it says nothing of the verb ${question.verb}`)
  if (question.isResource) {
    if (rule.resources === undefined) return no('it is about paths')
    if (!matchesWord(rule.apiGroups ?? [], question.group)) return no(`it says nothing of the API group "${question.group}"`)
    if (!matchesResource(rule.resources, question.resource, question.subresource))
      return no(`it says nothing of ${question.resource}${question.subresource === '' ? '' : `/${question.subresource}`}`)
    const exception = rule.exceptResources?.find((one) => excepts(one, question.group, question.resource, question.subresource))
    if (exception !== undefined) return no(`it leaves out ${exception}`)
  } else {
    if (rule.nonResourceURLs === undefined) return no('it is about resources')
    if (!matchesPattern(rule.nonResourceURLs, question.path)) return no(`it says nothing of the path ${question.path}`)
  }
  if (bound.cluster !== undefined && bound.cluster !== question.cluster && question.cluster !== '*')
    return no(`its binding holds in the cluster ${bound.cluster} only`)
  let isPartly = false
  if (question.cluster === '*') isPartly = bound.cluster !== undefined || rule.clusters !== undefined
  else if (rule.clusters !== undefined && !matchesPattern(rule.clusters, question.cluster)) return no(`it holds in other clusters: ${rule.clusters.join(', ')}`)
  const within = [bound.namespaces && [...bound.namespaces], rule.namespaces]
  for (const [at, namespaces] of within.entries()) {
    if (namespaces === undefined) continue
    if (question.namespace === undefined) {
      if (isOne) return no('it holds in namespaces only')
      isPartly = true
    } else if (at === 0 ? !bound.namespaces?.has(question.namespace) : !matchesPattern(namespaces, question.namespace))
      return no(`it holds in other namespaces: ${namespaces.slice(0, 5).join(', ')}`)
  }
  if (rule.resourceNames !== undefined) {
    if (question.name === '') isPartly = true
    else if (!matchesPattern(rule.resourceNames, question.name)) return no('it names other objects')
  }
  return isPartly ? partly : wholly
}

function isAllow({ effect }: AccessRule): boolean {
  return effect !== 'Deny'
}

/** What a client asks before it asks for anything, and what it may do at all. */
function isDiscovery({ isResource, verb, path, cluster, group, resource }: AccessQuestion): boolean {
  if (isResource) return verb === 'create' && (group === 'authorization.k8s.io' || group === 'authentication.k8s.io') && selfReviews.has(resource)
  return cluster !== '' && (verb === 'get' || verb === 'head') && (path === '/' || discovery.test(path))
}

function matchesWord(words: readonly string[], word: string): boolean {
  return words.includes(word) || words.includes('*')
}

/** As in RBAC: `pods` is not `pods/log`; a star is everything, one before `/log` is that subresource of everything. */
function matchesResource(resources: readonly string[], resource: string, subresource: string): boolean {
  const asked = subresource === '' ? resource : `${resource}/${subresource}`
  return resources.some((one) => one === '*' || one === asked || (subresource !== '' && one === `*/${subresource}`))
}

/** What a rule takes out of its stars: `secrets`, `apikeys.access.gantry.dev`, one subresource of everything, each with all that stands below it. */
function excepts(exception: string, group: string, resource: string, subresource: string): boolean {
  const [ofWhat = '', only] = exception.split('/', 2)
  if (only !== undefined && only !== subresource) return false
  return ofWhat === '*' || ofWhat === (group === '' ? resource : `${resource}.${group}`)
}

function matchesPattern(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : pattern === text))
}

interface Place {
  readonly cluster: string | undefined
  readonly namespaces: readonly string[] | undefined
  /** Namespace of the hub of a tenant or project: there and below it. */
  readonly scope?: string | undefined
}

interface Held {
  readonly allows: readonly Grant[]
  readonly denied: readonly Grant[]
  readonly isInside: (scope: string, other: string) => boolean
}

/** Whether somebody with these grants has all that a rule allows in a place. Upstream's idea: pkg/registry/rbac/validation. */
function isCovered(rule: AccessRule, place: Place, held: Held): boolean {
  const isNear = ({ bound: { cluster, scope } }: Grant): boolean =>
    (cluster === undefined || place.cluster === undefined || cluster === place.cluster) &&
    (scope === undefined || place.scope === undefined || held.isInside(scope, place.scope) || held.isInside(place.scope, scope))
  if (held.denied.some((grant) => isNear(grant) && overlaps(grant.rule, rule))) return false
  const holders = held.allows.filter(
    ({ bound: { cluster, namespaces, scope } }) =>
      (scope === undefined || (place.scope !== undefined && held.isInside(place.scope, scope))) &&
      (cluster === undefined || cluster === place.cluster) &&
      (namespaces === undefined || (place.namespaces?.every((namespace) => namespaces.has(namespace)) ?? false)),
  )
  return partsOf(rule).every((part) => holders.some((grant) => holds(grant.rule, part, rule)))
}

interface RulePart {
  readonly verb: string
  readonly group: string | undefined
  readonly resource: string | undefined
  readonly path: string | undefined
}

/** Each verb on each resource of each group by itself: several rules together may hold what one grants. */
function partsOf(rule: AccessRule): readonly RulePart[] {
  return rule.verbs.flatMap((verb) => [
    ...(rule.nonResourceURLs ?? []).map((path) => ({ verb, path, group: undefined, resource: undefined })),
    ...(rule.apiGroups ?? []).flatMap((group) => (rule.resources ?? []).map((resource) => ({ verb, group, resource, path: undefined }))),
  ])
}

function holds(own: AccessRule, part: RulePart, given: AccessRule): boolean {
  if (!own.verbs.includes('*') && !own.verbs.includes(part.verb)) return false
  if (part.path !== undefined) return own.nonResourceURLs !== undefined && own.nonResourceURLs.some((pattern) => isWithin(part.path ?? '', pattern))
  const { group = '', resource = '' } = part
  if (own.resources === undefined || !(own.apiGroups?.includes('*') === true || own.apiGroups?.includes(group) === true)) return false
  const [plain = '', subresource] = resource.split('/', 2)
  const isLeftOut = (exception: string): boolean =>
    given.exceptResources?.includes(exception) !== true &&
    (plain === '*' || group === '*' || excepts(exception, group, plain, subresource ?? '') || exception.startsWith(`${plain}/`) || exception.startsWith('*/'))
  if (own.exceptResources?.some(isLeftOut) === true) return false
  if (!own.resources.some((one) => one === '*' || one === resource || (subresource !== undefined && one === `*/${subresource}`))) return false
  return areWithin(given.resourceNames, own.resourceNames) && areWithin(given.clusters, own.clusters) && areWithin(given.namespaces, own.namespaces)
}

/** `undefined` is everything. */
function areWithin(given: readonly string[] | undefined, own: readonly string[] | undefined): boolean {
  if (own === undefined) return true
  return given?.every((pattern) => own.some((mine) => isWithin(pattern, mine))) ?? false
}

function isWithin(pattern: string, own: string): boolean {
  return own === pattern || (own.endsWith('*') && pattern.startsWith(own.slice(0, -1)))
}

/** Whether two rules can be about the same thing; rather yes than no. */
function overlaps(deny: AccessRule, given: AccessRule): boolean {
  const share = (a: readonly string[] | undefined, b: readonly string[] | undefined, meet: (x: string, y: string) => boolean): boolean =>
    a === undefined || b === undefined || a.some((x) => b.some((y) => meet(x, y)))
  const word = (x: string, y: string): boolean => x === '*' || y === '*' || x === y
  const pattern = (x: string, y: string): boolean => isWithin(x, y) || isWithin(y, x)
  if ((deny.nonResourceURLs === undefined) !== (given.nonResourceURLs === undefined)) return false
  return (
    share(deny.verbs, given.verbs, word) &&
    share(deny.apiGroups, given.apiGroups, word) &&
    share(deny.resources, given.resources, (x, y) => word(x, y) || x.startsWith('*/') || y.startsWith('*/')) &&
    share(deny.nonResourceURLs, given.nonResourceURLs, pattern) &&
    share(deny.resourceNames, given.resourceNames, pattern) &&
    share(deny.clusters, given.clusters, pattern) &&
    share(deny.namespaces, given.namespaces, pattern)
  )
}
