import { signedInRole, type AccessRoleBinding, type AccessRule } from '../../api/index.ts'

/** Who asks: a user and every group it is in. */
export interface Subject {
  readonly user: string
  readonly groups: readonly string[]
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

/** Where a rule of a binding holds, and how it bears on a question. */
export interface RuleStep {
  readonly effect: 'Allow' | 'Deny'
  readonly binding: string
  readonly role: string
  /** Position in the role, from 0. */
  readonly rule: number
  /** `partly`: for some of the objects that a list or watch would show. */
  readonly matches: 'wholly' | 'partly' | 'no'
  /** Of a rule that does not match: what is in the way. */
  readonly because: string | undefined
}

type Reach = RuleStep['matches']

/** A binding, as decisions use it. */
interface Bound {
  readonly name: string
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

/**
 * Roles and bindings, compiled by subject: a decision looks at the rules that the caller has, by resource, and at nothing else. A Deny wins over every Allow. What no rule allows
 * is not allowed.
 */
export class PermissionIndex {
  readonly #roles = new Map<string, CompiledRole>()
  readonly #bindings = new Map<string, AccessRoleBinding>()
  /** By subject and cluster, which is empty for bindings to the whole platform. */
  readonly #bound = new Map<string, Map<string, Map<string, Bound>>>()
  readonly #nowMs: () => number
  #epoch = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
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
    for (const subject of before?.spec.subjects ?? [])
      this.#bound
        .get(`${subject.kind}/${subject.name}`)
        ?.get(before?.spec.cluster ?? '')
        ?.delete(name)
    if (binding === undefined) {
      this.#bindings.delete(name)
      return
    }
    this.#bindings.set(name, binding)
    const { role, cluster, namespaces, expirationTime, subjects } = binding.spec
    const untilMs = expirationTime === undefined ? Number.POSITIVE_INFINITY : Date.parse(expirationTime)
    const bound: Bound = { name, role, cluster, namespaces: namespaces && new Set(namespaces), untilMs }
    for (const subject of subjects) {
      const key = `${subject.kind}/${subject.name}`
      let byCluster = this.#bound.get(key)
      if (byCluster === undefined) this.#bound.set(key, (byCluster = new Map()))
      const there = byCluster.get(cluster ?? '')
      if (there === undefined) byCluster.set(cluster ?? '', new Map([[name, bound]]))
      else there.set(name, bound)
    }
  }

  decide(subject: Subject, question: AccessQuestion): PermissionDecision {
    const { allow, deny, isPartly } = this.#weigh(subject, question)
    if (deny !== undefined && !isPartly) return { allowed: false, reason: `denied by ${named(deny)}` }
    if (allow !== undefined)
      return isPartly
        ? { allowed: true, reason: `in part: ${named(allow)}`, filter: this.#filterOf(subject, question) }
        : { allowed: true, reason: named(allow) }
    if (isDiscovery(question) && this.#reaches(subject, question.cluster))
      return { allowed: true, reason: 'discovery is open to whoever has a role in the cluster' }
    return { allowed: false, reason: this.#grantsOf(subject).next().done === true ? 'no binding gives a role' : 'no rule allows it' }
  }

  /** Whether one object may be seen in answers to a question about many. */
  mayRead(subject: Subject, question: AccessQuestion): boolean {
    const { allow, deny, isPartly } = this.#weigh(subject, question, true)
    return allow !== undefined && deny === undefined && !isPartly
  }

  /** Every rule that the subject has, and what it says to a question: those that decide first. */
  explain(subject: Subject, question: AccessQuestion): readonly RuleStep[] {
    const now = this.#nowMs()
    const order: readonly Reach[] = ['wholly', 'partly', 'no']
    return [...this.#grantsOf(subject)]
      .map(({ rule, at, bound }): RuleStep => {
        const { reach, because } = reachOf(rule, bound, question, { now })
        return { effect: rule.effect ?? 'Allow', binding: bound.name, role: bound.role, rule: at, matches: reach, because }
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
      if (bound.cluster !== undefined) clusters.add(bound.cluster)
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
    return rules.find((rule) => isAllow(rule) && !isCovered(rule, place, { allows, denied }))
  }

  /** What bindings give a subject at this moment. */
  grantsOf(subject: Subject): readonly Grant[] {
    const now = this.#nowMs()
    return [...this.#grantsOf(subject)].filter(({ bound }) => bound.untilMs > now)
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
    for (const key of [`User/${user}`, ...groups.map((group) => `Group/${group}`)])
      for (const there of this.#bound.get(key)?.values() ?? []) yield* there.values()
  }

  *#grantsOf(subject: Subject): Generator<Grant> {
    for (const bound of this.#boundAnywhere(subject)) for (const [at, rule] of this.#roles.get(bound.role)?.rules.entries() ?? []) yield { rule, at, bound }
  }

  #reaches(subject: Subject, cluster: string): boolean {
    return this.grantsOf(subject).some(
      ({ rule, bound }) =>
        isAllow(rule) &&
        rule.resources !== undefined &&
        (cluster === '*' ||
          bound.cluster === cluster ||
          (bound.cluster === undefined && (rule.clusters === undefined || matchesPattern(rule.clusters, cluster)))),
    )
  }

  #weigh(subject: Subject, question: AccessQuestion, isOne = !collectionVerbs.has(question.verb)): Weighed {
    const { cluster, namespace } = question
    const how = { now: this.#nowMs(), isOne }
    const mayFilter = !isOne && question.isResource && question.subresource === '' && collectionReads.has(question.verb)
    let partlyDenied: Grant | undefined
    let partly: Grant | undefined
    const holders: { readonly bound: Bound; readonly role: CompiledRole }[] = []
    for (const bounds of cluster === '*'
      ? [this.#boundAnywhere(subject)]
      : cluster === ''
        ? [this.#boundTo(subject, '')]
        : [this.#boundTo(subject, ''), this.#boundTo(subject, cluster)]) {
      for (const bound of bounds) {
        if (namespace !== undefined && bound.namespaces !== undefined && !bound.namespaces.has(namespace)) continue
        const role = this.#roles.get(bound.role)
        if (role === undefined) continue
        holders.push({ bound, role })
        for (const [rule, at] of role.denies) {
          const { reach } = reachOf(rule, bound, question, how)
          if (reach === 'wholly') return { allow: undefined, deny: { rule, at, bound }, isPartly: false }
          if (reach === 'partly') partlyDenied ??= { rule, at, bound }
        }
      }
    }
    // What a Deny with names would hit of a creation or a deletion of many is not known beforehand: it is refused.
    if (partlyDenied !== undefined && !mayFilter) return { allow: undefined, deny: partlyDenied, isPartly: false }
    for (const { bound, role } of holders) {
      for (const rules of candidates(role, question)) {
        for (const [rule, at] of rules) {
          const { reach } = reachOf(rule, bound, question, how)
          if (reach === 'wholly') return { allow: { rule, at, bound }, deny: partlyDenied, isPartly: partlyDenied !== undefined }
          if (reach === 'partly' && mayFilter) partly ??= { rule, at, bound }
        }
      }
    }
    return { allow: partly, deny: undefined, isPartly: partly !== undefined }
  }
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
  { now, isOne = !collectionVerbs.has(question.verb) }: { readonly now: number; readonly isOne?: boolean },
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

function named({ at, bound }: Grant): string {
  return `rule ${at} of AccessRole "${bound.role}" by AccessRoleBinding "${bound.name}"`
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
}

/** Whether somebody with these grants has all that a rule allows in a place. Upstream's idea: pkg/registry/rbac/validation. */
function isCovered(rule: AccessRule, place: Place, held: { readonly allows: readonly Grant[]; readonly denied: readonly Grant[] }): boolean {
  const isNear = ({ bound: { cluster } }: Grant): boolean => cluster === undefined || place.cluster === undefined || cluster === place.cluster
  if (held.denied.some((grant) => isNear(grant) && overlaps(grant.rule, rule))) return false
  const holders = held.allows.filter(
    ({ bound: { cluster, namespaces } }) =>
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
