import { setImmediate as nextTurn } from 'node:timers/promises'
import { StatusError } from '@gantry/apimachinery'
import { refusal } from '@gantry/apiserver'
import type { AdmissionPlugin, AdmissionRequest } from '@gantry/apiserver'
import type { ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec } from '../../generated/types.ts'
import { AccessChecks } from './access-checks.ts'
import type { CompiledValidatingPolicy } from './compile-policy.ts'
import { conditionsHold } from './match-conditions.ts'
import { Activation, conditionsBudget, OutOfBudget, policyBudget } from './policy-expressions.ts'
import type { Binding, Policy, PolicyIndex } from './policy-index.ts'
import { isOutOfReach } from './policy-match.ts'
import { usesOf, valuesFor } from './policy-uses.ts'
import type { PolicyContext, PolicyDeps } from './policy-uses.ts'

type ValidatingPolicy = Policy<ValidatingAdmissionPolicySpec, ValidatingAdmissionPolicyBindingSpec, CompiledValidatingPolicy>
type ValidatingBinding = Binding<ValidatingAdmissionPolicyBindingSpec>

interface Denial {
  readonly message: string
  readonly reason: string
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
export function validatingPolicies(
  index: PolicyIndex<ValidatingAdmissionPolicySpec, ValidatingAdmissionPolicyBindingSpec, CompiledValidatingPolicy>,
  deps: PolicyDeps,
): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionPolicy',
    bodies: true,
    async validate(request, host) {
      const { active } = index
      if (active.length === 0 || request.consequence === true || isOutOfReach(request)) return
      const context: PolicyContext = { deps, host, access: new AccessChecks(deps.authorize, request) }
      const denials: Denial[] = []
      for (const policy of active) denials.push(...(await applyPolicy(policy, request, context)))
      const [first] = denials
      if (first !== undefined) throw refusalOf(request, first)
    },
  }
}

async function applyPolicy(policy: ValidatingPolicy, request: AdmissionRequest, context: PolicyContext): Promise<Denial[]> {
  const denials: Denial[] = []
  const annotations = new Map<string, Set<string>>()
  for (const use of usesOf(policy, request, context)) {
    if ('message' in use) {
      denials.push({ message: told(policy, use.binding, use.message), reason: 'Invalid' })
      continue
    }
    const values = valuesFor(request, use, context)
    const verdict = await context.access.settle(() => evaluate(policy, values))
    // Each evaluation is bounded; a policy with many parameters is not to hold everything else up.
    await nextTurn()
    denials.push(...act(policy, use.binding, { verdict, request }))
    for (const { key, value } of verdict.annotations) {
      const known = annotations.get(key)
      if (known === undefined) annotations.set(key, new Set([value]))
      else known.add(value)
    }
  }
  for (const [key, said] of annotations) request.context.annotate?.(`${policy.name}/${key}`, [...said].join(', '))
  return denials
}

function evaluate(policy: ValidatingPolicy, values: Readonly<Record<string, unknown>>): Verdict {
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

function annotationsOf(compiled: CompiledValidatingPolicy, activation: Activation, ignore: boolean): Pick<Verdict, 'annotations' | 'failed'> {
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
function messageOf({ spec, message }: CompiledValidatingPolicy['validations'][number], activation: Activation): string {
  const result = message === undefined ? undefined : activation.evaluate(message)
  if (typeof result?.value === 'string') {
    const text = result.value.trim()
    if (text !== '' && Buffer.byteLength(text) <= maxMessageBytes && !text.includes('\n')) return text
  }
  const fixed = (spec.message ?? '').trim()
  return fixed === '' ? `failed expression: ${spec.expression.trim()}` : fixed
}

/** Takes the binding's actions for what failed; what remains is denied. */
function act(
  policy: ValidatingPolicy,
  binding: ValidatingBinding,
  { verdict, request }: { readonly verdict: Verdict; readonly request: AdmissionRequest },
): Denial[] {
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

function told(policy: ValidatingPolicy, binding: ValidatingBinding | undefined, message: string): string {
  const by = binding === undefined ? '' : ` with binding '${binding.name}'`
  return `ValidatingAdmissionPolicy '${policy.name}'${by} denied request: ${message}`
}

const codes: Readonly<Record<string, number>> = { Unauthorized: 401, Forbidden: 403, RequestEntityTooLarge: 413 }

function refusalOf(request: AdmissionRequest, { message, reason }: Denial): StatusError {
  const { message: text, details } = refusal(request, message)
  const why = reason === '' ? 'Invalid' : reason
  return new StatusError(why, text, { code: codes[why] ?? 422, details: { ...details, causes: [...(details?.causes ?? []), { message }] } })
}
