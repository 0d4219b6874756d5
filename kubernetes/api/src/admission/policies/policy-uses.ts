import { StatusError } from '@gantry/apimachinery'
import type { AdmissionHost, AdmissionRequest, ApiObject, Authorizer, ResourceDefinition } from '@gantry/apiserver'
import { reviewRequest } from '../webhooks/admission-review.ts'
import { isNamespace, namespaceOf } from '../webhooks/request-target.ts'
import type { RequestTarget } from '../webhooks/request-target.ts'
import type { AccessChecks } from './access-checks.ts'
import type { Binding, BindingSpec, Policy, PolicySpec } from './policy-index.ts'
import { matchRequest } from './policy-match.ts'
import { collectParams, ConfigurationError, paramDefinition } from './policy-params.ts'
import type { ParamSource } from './policy-params.ts'

export interface PolicyDeps {
  readonly authorize: Authorizer
  readonly namespaceNamed: (name: string) => ApiObject | undefined
  readonly params: ParamSource
}

/** What the policies of one kind need for one request. */
export interface PolicyContext {
  readonly deps: PolicyDeps
  readonly host: AdmissionHost
  readonly access: AccessChecks
}

/** A policy that is to be evaluated, for one binding and one of its parameters. */
export interface PolicyUse<P, B extends BindingSpec> {
  readonly policy: P
  readonly binding: Binding<B>
  readonly target: RequestTarget
  readonly param: ApiObject | undefined
}

/** A policy that cannot be evaluated as it is configured, and whose failure policy refuses the request then. */
export interface PolicyFailure<P, B extends BindingSpec> {
  readonly policy: P
  /** Absent: the policy itself is wrong. */
  readonly binding: Binding<B> | undefined
  readonly message: string
}

/** What a policy means for a request: nothing where it does not match. Upstream: policy/generic/policy_dispatcher.go. */
export function usesOf<S extends PolicySpec, B extends BindingSpec, C>(
  policy: Policy<S, B, C>,
  request: AdmissionRequest,
  context: PolicyContext,
): (PolicyUse<Policy<S, B, C>, B> | PolicyFailure<Policy<S, B, C>, B>)[] {
  const found: (PolicyUse<Policy<S, B, C>, B> | PolicyFailure<Policy<S, B, C>, B>)[] = []
  const fail = (error: unknown, binding?: Binding<B>): void => {
    if (!(error instanceof ConfigurationError) && !(error instanceof StatusError)) throw error
    if (policy.spec.failurePolicy === 'Ignore') return
    found.push({ policy, binding, message: `failed to configure ${binding === undefined ? 'policy' : 'binding'}: ${error.message}` })
  }
  const where = { host: context.host, namespaceNamed: context.deps.namespaceNamed }
  let target: RequestTarget | undefined
  let definition: ResourceDefinition | undefined
  try {
    if (policy.match === undefined) throw new ConfigurationError('policy contained no match constraints, a required field')
    target = matchRequest(policy.match, request, where)
    if (target === undefined) return found
    if (policy.spec.paramKind !== undefined) definition = paramDefinition(policy.spec.paramKind, context.host)
  } catch (error) {
    fail(error)
    return found
  }
  for (const binding of policy.bindings) {
    try {
      if (binding.match !== undefined && matchRequest(binding.match, request, where) === undefined) continue
      const params = collectParams(binding.spec.paramRef, definition, { namespace: namespaceOf(request), source: context.deps.params })
      for (const param of params) found.push({ policy, binding, target, param })
    } catch (error) {
      fail(error, binding)
    }
  }
  return found
}

/** The variables of a policy's expressions. */
export function valuesFor(
  request: AdmissionRequest,
  { target, param }: { readonly target: RequestTarget; readonly param: ApiObject | undefined },
  context: PolicyContext,
): Record<string, unknown> {
  const { object, oldObject, uid: _uid, ...rest } = reviewRequest(request, target, '')
  return {
    object,
    oldObject,
    request: rest,
    params: param ?? null,
    namespaceObject: namespaceValue(request, context),
    ...context.access.variables(),
  }
}

/** The object's namespace with what expressions may know of it; null for what is in none, and for namespaces themselves. */
function namespaceValue(request: AdmissionRequest, { deps }: PolicyContext): unknown {
  const name = namespaceOf(request)
  if (name === '' || isNamespace(request)) return null
  const namespace = deps.namespaceNamed(name)
  if (namespace === undefined) throw new StatusError('NotFound', `namespaces ${JSON.stringify(name)} not found`, { details: { name, kind: 'namespaces' } })
  const { uid, managedFields: _managedFields, ownerReferences: _owners, ...metadata } = namespace.metadata
  return { ...namespace, metadata: { ...metadata, UID: uid } }
}
