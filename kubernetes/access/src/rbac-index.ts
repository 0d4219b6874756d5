import type { ApiObject, Attributes, Decision } from '@gantry/apiserver'
import type { ClusterRole, PolicyRule, RoleBinding, Subject } from '@gantry/kube-api'
import type { UserInfo } from '@gantry/runtime'

/** One binding that reaches a subject: where it holds and what it grants. */
interface Grant {
  /** undefined: everywhere. */
  readonly namespace: string | undefined
  readonly rules: readonly PolicyRule[]
  readonly because: string
  /** What is wrong with it: the role does not exist. */
  readonly problem?: string | undefined
}

/**
 * RBAC, compiled by subject: a decision looks at the grants of the caller's name and groups only. Roles and bindings are put in as they are stored; what a subject may do is
 * worked out on its first question after a change. Upstream: plugin/pkg/auth/authorizer/rbac.
 */
export class RbacIndex {
  readonly #roles = new Map<string, readonly PolicyRule[]>()
  readonly #bindings = new Map<string, RoleBinding>()
  readonly #bySubject = new Map<string, Set<string>>()
  #compiled = new Map<string, readonly Grant[]>()

  /** Takes a Role, ClusterRole, RoleBinding or ClusterRoleBinding. */
  set(object: ApiObject): void {
    const key = keyOf(object)
    this.#compiled = new Map()
    if (object.kind === 'Role' || object.kind === 'ClusterRole') {
      this.#roles.set(key, (object as unknown as ClusterRole).rules ?? [])
      return
    }
    this.#forget(key)
    const binding = object as unknown as RoleBinding
    this.#bindings.set(key, binding)
    for (const subject of binding.subjects ?? []) {
      const name = subjectKey(subject, binding.metadata.namespace)
      const bindings = this.#bySubject.get(name)
      if (bindings === undefined) this.#bySubject.set(name, new Set([key]))
      else bindings.add(key)
    }
  }

  remove(object: ApiObject): void {
    const key = keyOf(object)
    this.#compiled = new Map()
    this.#roles.delete(key)
    this.#forget(key)
  }

  authorize(attributes: Attributes): Decision {
    const grants = this.#grantsOf(attributes.user)
    for (const grant of grants) {
      if (grant.namespace !== undefined && grant.namespace !== attributes.namespace) continue
      if (grant.rules.some((rule) => allows(rule, attributes))) return { allowed: true, reason: grant.because }
    }
    const problem = problemsOf(grants, attributes.namespace)
    return { allowed: false, reason: problem === '' ? '' : `RBAC: ${problem}` }
  }

  /** Bindings of a user to roles that do not exist, in words; empty when there are none. */
  problemsOf(user: UserInfo, namespace: string | undefined): string {
    return problemsOf(this.#grantsOf(user), namespace)
  }

  /** All rules that hold for a user, in one namespace or at the cluster scope (undefined). */
  rulesOf(user: UserInfo, namespace: string | undefined): PolicyRule[] {
    return this.#grantsOf(user).flatMap((grant) => (grant.namespace === undefined || grant.namespace === namespace ? grant.rules : []))
  }

  /** The rules a roleRef stands for; undefined when there is no such role. */
  roleRules(kind: string, name: string, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#roles.get(kind === 'ClusterRole' ? `ClusterRole//${name}` : `Role/${namespace ?? ''}/${name}`)
  }

  #forget(key: string): void {
    const binding = this.#bindings.get(key)
    if (binding === undefined) return
    this.#bindings.delete(key)
    for (const subject of binding.subjects ?? []) {
      const name = subjectKey(subject, binding.metadata.namespace)
      const bindings = this.#bySubject.get(name)
      bindings?.delete(key)
      if (bindings?.size === 0) this.#bySubject.delete(name)
    }
  }

  #grantsOf(user: UserInfo): Grant[] {
    const grants = [...this.#grantsOfSubject(`User/${user.username}`)]
    for (const group of user.groups) grants.push(...this.#grantsOfSubject(`Group/${group}`))
    return grants
  }

  #grantsOfSubject(subject: string): readonly Grant[] {
    const known = this.#compiled.get(subject)
    if (known !== undefined) return known
    const grants: Grant[] = []
    for (const key of this.#bySubject.get(subject) ?? []) {
      const binding = this.#bindings.get(key)
      if (binding === undefined) continue
      const namespace = key.startsWith('ClusterRoleBinding/') ? undefined : binding.metadata.namespace
      const { kind, name } = binding.roleRef
      const rules = this.roleRules(kind, name, namespace)
      if (rules === undefined) {
        grants.push({ namespace, rules: [], because: '', problem: `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found` })
        continue
      }
      const where =
        namespace === undefined
          ? `ClusterRoleBinding ${JSON.stringify(binding.metadata.name)}`
          : `RoleBinding ${JSON.stringify(`${binding.metadata.name}/${namespace}`)}`
      const [subjectKind = '', ...subjectName] = subject.split('/')
      grants.push({
        namespace,
        rules,
        because: `RBAC: allowed by ${where} of ${kind} ${JSON.stringify(name)} to ${subjectKind} ${JSON.stringify(subjectName.join('/'))}`,
      })
    }
    // What a stranger asks must not grow the cache without end.
    if (this.#compiled.size >= maxCompiledSubjects) this.#compiled.clear()
    this.#compiled.set(subject, grants)
    return grants
  }
}

function problemsOf(grants: readonly Grant[], namespace: string | undefined): string {
  let problems: Set<string> | undefined
  for (const grant of grants) {
    if (grant.problem !== undefined && (grant.namespace === undefined || grant.namespace === namespace)) (problems ??= new Set()).add(grant.problem)
  }
  if (problems === undefined) return ''
  return problems.size === 1 ? [...problems].join('') : `[${[...problems].join(', ')}]`
}

const maxCompiledSubjects = 10_000

function keyOf(object: ApiObject): string {
  return `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

/** Service accounts are users with a name of their own form. */
function subjectKey(subject: Subject, bindingNamespace: string | undefined): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind}/${subject.name}`
  return `User/system:serviceaccount:${subject.namespace ?? bindingNamespace ?? ''}:${subject.name}`
}

export function allows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false
  if (!attributes.isResource)
    return (rule.nonResourceURLs ?? []).some(
      (url) => url === '*' || url === attributes.path || (url.endsWith('*') && attributes.path.startsWith(url.slice(0, -1))),
    )
  return has(rule.apiGroups, attributes.group) && coversResource(rule.resources ?? [], attributes) && coversName(rule.resourceNames ?? [], attributes.name)
}

function coversResource(resources: readonly string[], { resource, subresource }: Attributes): boolean {
  const asked = subresource === '' ? resource : `${resource}/${subresource}`
  return resources.some((given) => given === '*' || given === asked || (subresource !== '' && given === `*/${subresource}`))
}

function coversName(names: readonly string[], name: string): boolean {
  return names.length === 0 || names.includes(name)
}

function has(values: readonly string[] | null | undefined, value: string): boolean {
  return values !== undefined && values !== null && (values.includes('*') || values.includes(value))
}
