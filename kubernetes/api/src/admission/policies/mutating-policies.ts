import { setImmediate as nextTurn } from 'node:timers/promises'
import { jsonEqual, StatusError } from '@gantry/apimachinery'
import { refusal } from '@gantry/apiserver'
import type { AdmissionPlugin, AdmissionRequest, Reinvocation } from '@gantry/apiserver'
import type { MutatingAdmissionPolicyBindingSpec, MutatingAdmissionPolicySpec } from '../../generated/types.ts'
import { shownIn } from '../webhooks/request-target.ts'
import { AccessChecks } from './access-checks.ts'
import type { CompiledMutatingPolicy } from './compile-policy.ts'
import { conditionsHold } from './match-conditions.ts'
import { mutateObject, MutationFailure } from './mutate-object.ts'
import { Activation, conditionsBudget } from './policy-expressions.ts'
import type { Policy, PolicyIndex } from './policy-index.ts'
import { isOutOfReach } from './policy-match.ts'
import { usesOf, valuesFor } from './policy-uses.ts'
import type { PolicyContext, PolicyDeps, PolicyFailure, PolicyUse } from './policy-uses.ts'

type MutatingPolicy = Policy<MutatingAdmissionPolicySpec, MutatingAdmissionPolicyBindingSpec, CompiledMutatingPolicy>
type MutatingUse = PolicyUse<MutatingPolicy, MutatingAdmissionPolicyBindingSpec>
type Failure = Omit<PolicyFailure<MutatingPolicy, MutatingAdmissionPolicyBindingSpec>, 'binding'> & {
  readonly binding: { readonly name: string } | undefined
  readonly reason: string
}

/** What the first round of a request leaves for its second one. */
interface Rounds {
  /** Uses that are to be repeated when something changes after them. */
  readonly reinvocable: Set<string>
  /** Those for whom something has. */
  readonly due: Set<string>
  /** The object as the first round left it: other mutators may change it before the second. */
  left: string
}

/** Changes objects as MutatingAdmissionPolicies say, one after the other. Upstream: apiserver pkg/admission/plugin/policy/mutating. */
export function mutatingPolicies(
  index: PolicyIndex<MutatingAdmissionPolicySpec, MutatingAdmissionPolicyBindingSpec, CompiledMutatingPolicy>,
  deps: PolicyDeps,
): AdmissionPlugin {
  const rounds = new WeakMap<Reinvocation, Rounds>()

  function roundsOf(request: AdmissionRequest): Rounds {
    const known = request.reinvocation && rounds.get(request.reinvocation)
    if (known !== undefined) return known
    const made: Rounds = { reinvocable: new Set(), due: new Set(), left: '' }
    if (request.reinvocation !== undefined) rounds.set(request.reinvocation, made)
    return made
  }

  return {
    name: 'MutatingAdmissionPolicy',
    bodies: true,
    async mutate(request, host) {
      const { active } = index
      if (active.length === 0 || request.operation === 'DELETE' || request.consequence === true || isOutOfReach(request)) return
      const context: PolicyContext = { deps, host, access: new AccessChecks(deps.authorize, request) }
      // What a policy makes of an object does not decide which others are about it.
      const found = active.flatMap((policy) => usesOf(policy, request, context))
      const failures: Failure[] = found.filter((use) => 'message' in use).map((failure) => ({ ...failure, reason: 'Forbidden' }))
      const uses = found.filter((use) => 'param' in use)
      if (uses.length > 0) failures.push(...(await applyUses(uses, request, { context, rounds: roundsOf(request) })))
      if (failures.length > 0) throw refusalOf(request, failures)
    },
  }
}

async function applyUses(
  uses: readonly MutatingUse[],
  request: AdmissionRequest,
  { context, rounds }: { readonly context: PolicyContext; readonly rounds: Rounds },
): Promise<Failure[]> {
  const failures: Failure[] = []
  const { reinvocation } = request
  const again = reinvocation?.round === 1
  if (again && rounds.left !== JSON.stringify(request.object)) makeDue(rounds)
  let isTouched = false
  for (const use of uses) {
    const { policy, binding } = use
    const matches = await conditionsOf(use, request, context)
    // Each evaluation is bounded; many of them are not to hold everything else up.
    await nextTurn()
    if (matches.error !== undefined) failures.push({ policy, binding, message: matches.error, reason: 'Invalid' })
    const key = JSON.stringify([policy.name, binding.name, use.param?.metadata.namespace ?? '', use.param?.metadata.name ?? ''])
    if (matches.matches !== true || (again && !rounds.due.has(key))) continue
    const before = shownIn(request, use.target, request.object)
    for (const mutation of policy.compiled().mutations) {
      if (request.object === undefined) break
      try {
        await mutateObject(mutation, request, { use, context, variables: policy.compiled().variables })
        isTouched = true
      } catch (error) {
        if (!(error instanceof MutationFailure)) throw error
        if (policy.spec.failurePolicy !== 'Ignore') failures.push({ policy, binding, message: error.message, reason: 'Invalid' })
      }
      await nextTurn()
    }
    if (!jsonEqual(before, shownIn(request, use.target, request.object))) makeDue(rounds)
    if (policy.spec.reinvocationPolicy === 'IfNeeded') rounds.reinvocable.add(key)
  }
  if (isTouched) {
    // Upstream takes an object that went through a policy for a changed one.
    makeDue(rounds)
    if (reinvocation !== undefined) reinvocation.wanted = true
  }
  rounds.left = JSON.stringify(request.object)
  return failures
}

function makeDue(rounds: Rounds): void {
  for (const key of rounds.reinvocable) rounds.due.add(key)
  rounds.reinvocable.clear()
}

async function conditionsOf(use: MutatingUse, request: AdmissionRequest, context: PolicyContext): Promise<ReturnType<typeof conditionsHold>> {
  const { conditions, variables } = use.policy.compiled()
  if (conditions.length === 0) return { matches: true }
  const values = valuesFor(request, use, context)
  return context.access.settle(() => conditionsHold(conditions, new Activation(values, variables, conditionsBudget), use.policy.spec.failurePolicy))
}

/** The first failure is the message; all of them are causes. */
function refusalOf(request: AdmissionRequest, failures: readonly Failure[]): StatusError {
  const causes = failures.map(({ policy, binding, message }) => ({
    message: `policy ${binding === undefined ? JSON.stringify(policy.name) : `'${policy.name}' with binding '${binding.name}'`} denied request: ${message}`,
  }))
  const { details } = refusal(request, '')
  return new StatusError(failures[0]?.reason ?? 'Forbidden', causes[0]?.message ?? '', { code: 403, details: { ...details, causes } })
}
