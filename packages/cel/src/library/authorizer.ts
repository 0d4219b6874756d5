import { isNameValid, dns1123LabelProblems } from '@gantry/apimachinery'
import type { Library } from '../overloads.ts'
import { opaqueType } from '../types.ts'
import { CelError } from '../values.ts'
import type { HostValue, Value } from '../values.ts'

/** What an expression asks an authorizer. */
export interface AuthorizerAttributes {
  /** Undefined: the one whom the host asks for. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string } | undefined
  readonly verb: string
  /** Set for paths that are no resources. */
  readonly path?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
}

export interface AuthorizerDecision {
  readonly allowed: boolean
  readonly reason: string
  /** What kept the authorizer from deciding. */
  readonly error?: string | undefined
}

export type CheckAccess = (attributes: AuthorizerAttributes) => AuthorizerDecision

const names = {
  authorizer: 'kubernetes.authorization.Authorizer',
  path: 'kubernetes.authorization.PathCheck',
  group: 'kubernetes.authorization.GroupCheck',
  resource: 'kubernetes.authorization.ResourceCheck',
  decision: 'kubernetes.authorization.Decision',
} as const

export const authorizerType = opaqueType(names.authorizer)
export const resourceCheckType = opaqueType(names.resource)

/** An object that leads to a check: authorizer, group, resource. */
class Check implements HostValue {
  readonly hostType: string
  readonly check: CheckAccess
  readonly attributes: Omit<AuthorizerAttributes, 'verb'>

  constructor(hostType: string, check: CheckAccess, attributes: Omit<AuthorizerAttributes, 'verb'>) {
    this.hostType = hostType
    this.check = check
    this.attributes = attributes
  }

  with(hostType: string, attributes: Omit<AuthorizerAttributes, 'verb'>): Check {
    return new Check(hostType, this.check, { ...this.attributes, ...attributes })
  }

  equals(other: HostValue): boolean {
    return other === this
  }
}

class Decision implements HostValue {
  readonly hostType = names.decision
  readonly decision: AuthorizerDecision

  constructor(decision: AuthorizerDecision) {
    this.decision = decision
  }

  equals(other: HostValue): boolean {
    return other === this
  }
}

/** The value of a variable of `authorizerType`. */
export function authorizerValue(check: CheckAccess): HostValue {
  return new Check(names.authorizer, check, {})
}

/** The value of a variable of `resourceCheckType`: `authorizer.requestResource`. */
export function resourceCheckValue(check: CheckAccess, attributes: Omit<AuthorizerAttributes, 'verb' | 'path'>): HostValue {
  return new Check(names.resource, check, attributes)
}

/** `authorizer` and its checks. */
export function addAuthorizer(library: Library): void {
  const { authorizer, path, group, resource, decision } = names
  const notEmpty = (what: string, text: string, make: () => Value): Value => (text.trim() === '' ? new CelError(`${what} must not be empty`) : make())
  const member = (name: string, id: string, field: 'subresource' | 'namespace' | 'name' | 'fieldSelector' | 'labelSelector'): void => {
    library.add(name, id, `${resource}.(string) -> ${resource}`, (check: Check, value: string) => check.with(resource, { [field]: value }))
  }
  library
    .add('path', 'authorizer_path', `${authorizer}.(string) -> ${path}`, (check: Check, text: string) =>
      notEmpty('path', text, () => check.with(path, { path: text })),
    )
    .add('group', 'authorizer_group', `${authorizer}.(string) -> ${group}`, (check: Check, text: string) => check.with(group, { group: text }))
    .add('serviceAccount', 'authorizer_serviceaccount', `${authorizer}.(string, string) -> ${authorizer}`, (check: Check, namespace: string, name: string) => {
      if (isNameValid(name).length > 0) return new CelError('Invalid service account name')
      if (dns1123LabelProblems(namespace).length > 0) return new CelError('Invalid service account namespace')
      return check.with(authorizer, { serviceAccount: { namespace, name } })
    })
    .add('resource', 'groupcheck_resource', `${group}.(string) -> ${resource}`, (check: Check, text: string) =>
      notEmpty('resource', text, () => check.with(resource, { resource: text })),
    )
  member('subresource', 'resourcecheck_subresource', 'subresource')
  member('namespace', 'resourcecheck_namespace', 'namespace')
  member('name', 'resourcecheck_name', 'name')
  member('fieldSelector', 'authorizer_fieldselector', 'fieldSelector')
  member('labelSelector', 'authorizer_labelselector', 'labelSelector')
  const decide = (check: Check, verb: string): Value => new Decision(check.check({ ...check.attributes, verb }))
  library
    .add('check', 'pathcheck_check', `${path}.(string) -> ${decision}`, decide)
    .add('check', 'resourcecheck_check', `${resource}.(string) -> ${decision}`, decide)
    .add('errored', 'decision_errored', `${decision}.() -> bool`, (made: Decision) => made.decision.error !== undefined)
    .add('error', 'decision_error', `${decision}.() -> string`, (made: Decision) => made.decision.error ?? '')
    .add('allowed', 'decision_allowed', `${decision}.() -> bool`, (made: Decision) => made.decision.allowed)
    .add('reason', 'decision_reason', `${decision}.() -> string`, (made: Decision) => made.decision.reason)
}
