import { boolType, listType, nullType, stringType } from '@gantry/cel'
import type { MutatingAdmissionPolicySpec, ValidatingAdmissionPolicySpec, Validation } from '../../generated/types.ts'
import { compileConditions } from './match-conditions.ts'
import { compileExpression, compileVariables, patchTypes } from './policy-expressions.ts'
import type { CompiledExpression, CompiledVariable, Scope } from './policy-expressions.ts'

export interface CompiledPolicy {
  readonly variables: readonly CompiledVariable[]
  readonly conditions: readonly CompiledExpression[]
}

export interface CompiledValidatingPolicy extends CompiledPolicy {
  readonly validations: readonly { readonly spec: Validation; readonly check: CompiledExpression; readonly message: CompiledExpression | undefined }[]
  readonly auditAnnotations: readonly { readonly key: string; readonly value: CompiledExpression }[]
}

export interface CompiledMutation {
  readonly patchType: 'ApplyConfiguration' | 'JSONPatch'
  readonly patch: CompiledExpression
}

export interface CompiledMutatingPolicy extends CompiledPolicy {
  readonly mutations: readonly CompiledMutation[]
}

export function compileValidatingPolicy(spec: ValidatingAdmissionPolicySpec, types?: Scope['types']): CompiledValidatingPolicy {
  const { scope, ...common } = compileCommon(spec, types)
  return {
    ...common,
    validations: (spec.validations ?? []).map((validation) => ({
      spec: validation,
      check: compileExpression(validation.expression, scope, [boolType]),
      message:
        (validation.messageExpression ?? '') === ''
          ? undefined
          : compileExpression(validation.messageExpression ?? '', { ...scope, hasAuthorizer: false }, [stringType]),
    })),
    auditAnnotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      value: compileExpression(valueExpression, scope, [stringType, nullType]),
    })),
  }
}

export function compileMutatingPolicy(spec: MutatingAdmissionPolicySpec): CompiledMutatingPolicy {
  const { scope, ...common } = compileCommon(spec)
  const mutations = (spec.mutations ?? []).flatMap(({ patchType, applyConfiguration, jsonPatch }): CompiledMutation[] => {
    if (patchType === 'JSONPatch' && jsonPatch !== undefined) {
      return [{ patchType: 'JSONPatch', patch: compileExpression(jsonPatch.expression ?? '', { ...scope, patches: true }, [listType(patchTypes.jsonPatch)]) }]
    }
    if (patchType === 'ApplyConfiguration' && applyConfiguration !== undefined) {
      return [
        { patchType: 'ApplyConfiguration', patch: compileExpression(applyConfiguration.expression ?? '', { ...scope, patches: true }, [patchTypes.object]) },
      ]
    }
    return []
  })
  return { ...common, mutations }
}

function compileCommon(
  spec: Pick<ValidatingAdmissionPolicySpec & MutatingAdmissionPolicySpec, 'paramKind' | 'variables' | 'matchConditions'>,
  types?: Scope['types'],
): CompiledPolicy & { readonly scope: Scope } {
  const outer = { hasParams: spec.paramKind !== undefined, hasAuthorizer: true, types }
  const { compiled: variables, types: ofVariables } = compileVariables(spec.variables ?? [], outer)
  const scope = { ...outer, variables: ofVariables }
  return { scope, variables, conditions: compileConditions(spec.matchConditions ?? [], scope) }
}
