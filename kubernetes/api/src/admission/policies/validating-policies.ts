import { setImmediate as nextTurn } from 'node:timers/promises'
import { StatusError } from '@gantry/apimachinery'
import { refusal } from '@gantry/apiserver'
import type { AdmissionHost, AdmissionPlugin, AdmissionRequest, ApiObject, Authorizer } from '@gantry/apiserver'
import { reviewRequest } from '../webhooks/admission-review.ts'
import { isNamespace, namespaceOf } from '../webhooks/request-target.ts'
import type { RequestTarget } from '../webhooks/request-target.ts'
import { AccessChecks } from './access-checks.ts'
import { conditionsHold } from './match-conditions.ts'
import { Activation, conditionsBudget, OutOfBudget, policyBudget } from './policy-expressions.ts'
import type { Binding, CompiledPolicy, Policy, PolicyIndex } from './policy-index.ts'
import { isOutOfReach, matchRequest } from './policy-match.ts'
import { collectParams, ConfigurationError, paramDefinition } from './policy-params.ts'
import type { ParamSource } from './policy-params.ts'

export interface PolicyDeps {
  readonly authorize: Authorizer
  readonly namespaceNamed: (name: string) => ApiObject | undefined
  readonly params: ParamSource
}

interface Denial {
  readonly message: string
  readonly reason: string
}

interface Context {
  readonly deps: PolicyDeps
  readonly host: AdmissionHost
  readonly access: AccessChecks
}

/** What one evaluation of a policy says. */
interface Verdict {
  readonly denials: readonly (Denial & { readonly index: number })[]
  readonly annotations: readonly { readonly key: string; readonly value: string }[]
  /** Annotations whose expressions failed: these refuse whatever the binding's actions are. */
  readonly failed: readonly string[]
}

const maxAnnotationLength = 10 * 1024
const maxMessageBytes = 5 * 1024

/** Evaluates ValidatingAdmissionPolicies against what is going to be stored (M9). Upstream: apiserver pkg/admission/plugin/policy/validating. */
export function validatingPolicies(index: PolicyIndex, deps: PolicyDeps): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionPolicy',
    bodies: true,
    async validate(request, host) {
      const { active } = index
      if (active.length === 0 || request.consequence === true || isOutOfReach(request)) return
      const context: Context = { deps, host, access: new AccessChecks(deps.authorize, request) }
      const denials: Denial[] = []
      for (const policy of active) denials.push(...(await applyPolicy(policy, request, context)))
      const [first] = denials
      if (first !== undefined) throw refusalOf(request, first)
    },
  }
}

async function applyPolicy(policy: Policy, request: AdmissionRequest, context: Context): Promise<Denial[]> {
  const denials: Denial[] = []
  const fail = (error: unknown, binding?: Binding): void => {
    if (!(error instanceof ConfigurationError) && !(error instanceof StatusError)) throw error
    if (policy.spec.failurePolicy === 'Ignore') return
    denials.push({ message: told(policy, binding, `failed to configure ${binding === undefined ? 'policy' : 'binding'}: ${error.message}`), reason: 'Invalid' })
  }
  let target: RequestTarget | undefined
  let definition: ReturnType<typeof paramDefinition> | undefined
  try {
    if (policy.match === undefined) throw new ConfigurationError('policy contained no match constraints, a required field')
    target = matchRequest(policy.match, request, { host: context.host, namespaceNamed: context.deps.namespaceNamed })
    if (target === undefined) return denials
    if (policy.spec.paramKind !== undefined) definition = paramDefinition(policy.spec.paramKind, context.host)
  } catch (error) {
    fail(error)
    return denials
  }
  const annotations = new Map<string, Set<string>>()
  for (const binding of policy.bindings) {
    let params: readonly (ApiObject | undefined)[]
    try {
      const matches =
        binding.match === undefined || matchRequest(binding.match, request, { host: context.host, namespaceNamed: context.deps.namespaceNamed }) !== undefined
      if (!matches) continue
      params = collectParams(binding.spec.paramRef, definition, { namespace: namespaceOf(request), source: context.deps.params })
    } catch (error) {
      fail(error, binding)
      continue
    }
    for (const param of params) {
      const values = valuesFor(request, target, { param, context })
      const verdict = await context.access.settle(() => evaluate(policy, values))
      // Each evaluation is bounded; a policy with many parameters is not to hold everything else up.
      await nextTurn()
      denials.push(...act(policy, binding, { verdict, request }))
      for (const { key, value } of verdict.annotations) {
        const told = annotations.get(key)
        if (told === undefined) annotations.set(key, new Set([value]))
        else told.add(value)
      }
    }
  }
  for (const [key, told] of annotations) request.context.annotate?.(`${policy.name}/${key}`, [...told].join(', '))
  return denials
}

function valuesFor(
  request: AdmissionRequest,
  target: RequestTarget,
  { param, context }: { readonly param: ApiObject | undefined; readonly context: Context },
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
function namespaceValue(request: AdmissionRequest, { deps }: Context): unknown {
  const name = namespaceOf(request)
  if (name === '' || isNamespace(request)) return null
  const namespace = deps.namespaceNamed(name)
  if (namespace === undefined) throw new StatusError('NotFound', `namespaces ${JSON.stringify(name)} not found`, { details: { name, kind: 'namespaces' } })
  const { uid, managedFields: _managedFields, ownerReferences: _owners, ...metadata } = namespace.metadata
  return { ...namespace, metadata: { ...metadata, UID: uid } }
}

function evaluate(policy: Policy, values: Readonly<Record<string, unknown>>): Verdict {
  const compiled = policy.compiled()
  const { failurePolicy } = policy.spec
  const ignore = failurePolicy === 'Ignore'
  if (compiled.conditions.length > 0) {
    const outcome = conditionsHold(compiled.conditions, new Activation(values, compiled.variables, conditionsBudget), failurePolicy)
    if (outcome.error !== undefined) return ignore ? nothing : { ...nothing, denials: [{ index: 0, message: outcome.error, reason: '' }] }
    if (!outcome.matches) return nothing
  }
  const activation = new Activation(values, compiled.variables, policyBudget)
  try {
    const denials = compiled.validations.flatMap((validation, index) => {
      const result = activation.evaluate(validation.check)
      if (result.error !== undefined) return ignore ? [] : [{ index, message: result.error, reason: '' }]
      if (result.value === true) return []
      return [{ index, message: messageOf(validation, activation), reason: validation.spec.reason ?? 'Invalid' }]
    })
    return { denials, ...annotationsOf(compiled, new Activation(values, compiled.variables, policyBudget), ignore) }
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error
    return ignore ? nothing : { ...nothing, denials: [{ index: 0, message: error.message, reason: '' }] }
  }
}

const nothing: Verdict = { denials: [], annotations: [], failed: [] }

function annotationsOf(compiled: CompiledPolicy, activation: Activation, ignore: boolean): Pick<Verdict, 'annotations' | 'failed'> {
  const annotations: { key: string; value: string }[] = []
  const failed: string[] = []
  for (const { key, value } of compiled.auditAnnotations) {
    const result = activation.evaluate(value)
    if (result.error !== undefined) {
      if (!ignore) failed.push(result.error)
    } else if (typeof result.value === 'string' && result.value.trim() !== '')
      annotations.push({ key, value: result.value.trim().slice(0, maxAnnotationLength) })
  }
  return { annotations, failed }
}

/** What the expression makes, where that is one line of bearable length, or the fixed message, or the expression itself. */
function messageOf({ spec, message }: CompiledPolicy['validations'][number], activation: Activation): string {
  const result = message === undefined ? undefined : activation.evaluate(message)
  if (typeof result?.value === 'string') {
    const text = result.value.trim()
    if (text !== '' && Buffer.byteLength(text) <= maxMessageBytes && !text.includes('\n')) return text
  }
  const fixed = (spec.message ?? '').trim()
  return fixed === '' ? `failed expression: ${spec.expression.trim()}` : fixed
}

/** Takes the binding's actions for what failed; what remains is denied. */
function act(policy: Policy, binding: Binding, { verdict, request }: { readonly verdict: Verdict; readonly request: AdmissionRequest }): Denial[] {
  const actions = binding.spec.validationActions ?? []
  const denials: Denial[] = []
  for (const { message, reason, index } of verdict.denials) {
    for (const action of actions) {
      if (action === 'Deny') denials.push({ message: told(policy, binding, message), reason })
      else if (action === 'Warn') {
        request.context.warn(`Validation failed for ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.name}': ${message}`)
      } else if (action === 'Audit') {
        const failure = { message, policy: policy.name, binding: binding.name, expressionIndex: index, validationActions: actions }
        request.context.annotate?.('validation.policy.admission.k8s.io/validation_failure', JSON.stringify([failure]))
      }
    }
  }
  return [...denials, ...verdict.failed.map((message) => ({ message: told(policy, binding, message), reason: 'Invalid' }))]
}

function told(policy: Policy, binding: Binding | undefined, message: string): string {
  const by = binding === undefined ? '' : ` with binding '${binding.name}'`
  return `ValidatingAdmissionPolicy '${policy.name}'${by} denied request: ${message}`
}

const codes: Readonly<Record<string, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413 }

function refusalOf(request: AdmissionRequest, { message, reason }: Denial): StatusError {
  const { message: text, details } = refusal(request, message)
  const why = reason === '' ? 'Invalid' : reason
  return new StatusError(why, text, { code: codes[why] ?? 422, details: { ...details, causes: [...(details?.causes ?? []), { message }] } })
}
