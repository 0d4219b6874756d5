import { boolType, nullType, stringType } from '@gantry/cel'
import type { ApiObject } from '@gantry/apiserver'
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  Validation,
} from '../../generated/types.ts'
import { as } from '../../kind.ts'
import { compileConditions } from './match-conditions.ts'
import { compileExpression, compileVariables } from './policy-expressions.ts'
import type { CompiledExpression, CompiledVariable, Scope } from './policy-expressions.ts'
import { compileMatch } from './policy-match.ts'
import type { Match } from './policy-match.ts'

export interface Binding {
  readonly name: string
  readonly spec: ValidatingAdmissionPolicyBindingSpec
  readonly match: Match | undefined
}

export interface CompiledPolicy {
  readonly variables: readonly CompiledVariable[]
  readonly conditions: readonly CompiledExpression[]
  readonly validations: readonly { readonly spec: Validation; readonly check: CompiledExpression; readonly message: CompiledExpression | undefined }[]
  readonly auditAnnotations: readonly { readonly key: string; readonly value: CompiledExpression }[]
}

/** A policy with its bindings; its expressions are compiled when a request first matches. */
export interface Policy {
  readonly name: string
  readonly spec: ValidatingAdmissionPolicySpec
  readonly match: Match | undefined
  readonly bindings: readonly Binding[]
  compiled(): CompiledPolicy
}

/** ValidatingAdmissionPolicies and what binds them, followed from the store. */
export class PolicyIndex {
  readonly #policies = new Map<string, Omit<Policy, 'bindings'>>()
  readonly #bindings = new Map<string, Binding>()
  #active: readonly Policy[] = []

  /** Those with a binding, by name; empty where nothing is configured. */
  get active(): readonly Policy[] {
    return this.#active
  }

  readonly policies = {
    set: (object: ApiObject): void => {
      const { metadata, spec = {} } = as<ValidatingAdmissionPolicy>(object)
      const name = metadata.name ?? ''
      let made: CompiledPolicy | undefined
      this.#policies.set(name, { name, spec, match: compileMatch(spec.matchConstraints), compiled: () => (made ??= compilePolicy(spec)) })
      this.#arrange()
    },
    remove: (object: ApiObject): void => {
      this.#policies.delete(object.metadata.name)
      this.#arrange()
    },
  }

  readonly bindings = {
    set: (object: ApiObject): void => {
      const { metadata, spec } = as<ValidatingAdmissionPolicyBinding>(object)
      const name = metadata.name ?? ''
      this.#bindings.set(name, { name, spec, match: compileMatch(spec.matchResources) })
      this.#arrange()
    },
    remove: (object: ApiObject): void => {
      this.#bindings.delete(object.metadata.name)
      this.#arrange()
    },
  }

  #arrange(): void {
    const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1)
    const bindings = [...this.#bindings.values()].sort(byName)
    this.#active = [...this.#policies.values()]
      .map((policy) => ({ ...policy, bindings: bindings.filter(({ spec }) => spec.policyName === policy.name) }))
      .filter((policy) => policy.bindings.length > 0)
      .sort(byName)
  }
}

export function compilePolicy(spec: ValidatingAdmissionPolicySpec, types?: Scope['types']): CompiledPolicy {
  const scope = { hasParams: spec.paramKind !== undefined, hasAuthorizer: true, types }
  const { compiled, types: variables } = compileVariables(spec.variables ?? [], scope)
  const full = { ...scope, variables }
  return {
    variables: compiled,
    conditions: compileConditions(spec.matchConditions ?? [], full),
    validations: (spec.validations ?? []).map((validation) => ({
      spec: validation,
      check: compileExpression(validation.expression, full, [boolType]),
      message:
        (validation.messageExpression ?? '') === ''
          ? undefined
          : compileExpression(validation.messageExpression ?? '', { ...full, hasAuthorizer: false }, [stringType]),
    })),
    auditAnnotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      value: compileExpression(valueExpression, full, [stringType, nullType]),
    })),
  }
}
