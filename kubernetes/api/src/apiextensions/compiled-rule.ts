import type { JsonSchema } from '@gantry/apimachinery'
import { compile, minSerializedSize, optionalType } from '@gantry/cel'
import type { Program, Type } from '@gantry/cel'
import { followFieldPath } from './rule-schema.ts'
import type { ValidationRule } from './rule-schema.ts'

export interface CompiledRule {
  readonly rule: ValidationRule
  readonly program: Program | undefined
  /** What upstream writes about a rule that cannot be compiled. */
  readonly error: string | undefined
  readonly message: Program | undefined
  readonly messageError: string | undefined
  readonly usesOldSelf: boolean
  /** The field below the rule's own that its errors name; '' is the rule's own. */
  readonly fieldPath: string
}

/** Compiles a rule for values of a type. Upstream: compileRule in apiextensions-apiserver pkg/apiserver/schema/cel/compilation.go. */
export function compileRule(rule: ValidationRule, schema: JsonSchema, self: Type): CompiledRule {
  const variables = { self, oldSelf: rule.optionalOldSelf === true ? optionalType(self) : self }
  const compiled = compile(rule.rule, { variables })
  const error =
    compiled.program === undefined
      ? `${compiled.stage} failed: ${compiled.error}`
      : compiled.program.result.kind === 'bool'
        ? undefined
        : 'cel expression must evaluate to a bool'
  const { messageExpression = '' } = rule
  const message = messageExpression === '' || error !== undefined ? undefined : compile(messageExpression, { variables })
  const messageError =
    message === undefined
      ? undefined
      : message.program === undefined
        ? `messageExpression ${message.stage === 'compilation' ? 'compilation' : 'instantiation'} failed: ${message.error}`
        : message.program.result.kind === 'string'
          ? undefined
          : 'messageExpression must evaluate to a string'
  const path = rule.fieldPath === undefined || rule.fieldPath === '' ? undefined : followFieldPath(rule.fieldPath, schema)
  return {
    rule,
    program: error === undefined ? compiled.program : undefined,
    error,
    message: messageError === undefined ? message?.program : undefined,
    messageError,
    usesOldSelf: compiled.program?.uses.has('oldSelf') === true,
    fieldPath: typeof path === 'object' ? path.text : '',
  }
}

const maxRequestBytes = 3 * 1024 * 1024

/** How many values of a type one request can hold. */
export function maxCardinality(type: Type): number {
  return Math.floor(maxRequestBytes / (minSerializedSize(type) + 1))
}
