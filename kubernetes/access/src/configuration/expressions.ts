import { boolType, CelMap, compile, dynType, formatType, listType, mapType, stringType, unescapeName } from '@gantry/cel'
import type { ObjectType, Program, Type, Value } from '@gantry/cel'
import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'

/** What one expression may cost: a few milliseconds of the one thread. Upstream has no limit here. */
const maxCost = 100_000

/** An expression of a configuration file that has been checked. */
export interface Expression {
  readonly text: string
  readonly program: Program
}

export type Outcome = { readonly value: Value; readonly error?: undefined } | { readonly value?: undefined; readonly error: string }

export interface Wanted {
  readonly field: string
  readonly variables: Readonly<Record<string, Type>>
  /** It has to be a bool; otherwise any type will do. */
  readonly isCondition?: boolean
  /** A refusal says what type it is instead. */
  readonly namesType?: boolean
}

/** Compiles it, or tells what is wrong with the field. */
export function compileField(expression: string, { field, variables, isCondition = false, namesType = false }: Wanted): Expression | FieldError {
  const { program, error, stage } = compile(expression, { variables })
  if (program === undefined) return fieldInvalid(field, expression, `${stage} failed: ${error}`)
  if (isCondition && program.result.kind !== boolType.kind)
    return fieldInvalid(field, expression, `must evaluate to bool${namesType ? ` but got ${formatType(program.result)}` : ''}`)
  return { text: expression, program }
}

export function isProblem(compiled: Expression | FieldError): compiled is FieldError {
  return 'type' in compiled
}

export function evaluate({ program }: Expression, variables: Readonly<Record<string, unknown>>): Outcome {
  const { value, error } = program.evaluate(variables, { budget: maxCost })
  return error === undefined ? { value } : { error }
}

/** A type whose fields have the names of JSON. */
function struct(name: string, fields: Readonly<Record<string, Type>>): ObjectType {
  return { kind: 'object', name, fields: new Map(Object.entries(fields).map(([field, type]) => [field, { type, json: field }])) }
}

const strings = listType(stringType)
const extra = mapType(stringType, strings)

export const claimsVariables = { claims: mapType(stringType, dynType) }
export const userVariables = { user: struct('kubernetes.UserInfo', { username: stringType, uid: stringType, groups: strings, extra }) }

const requirement = struct('kubernetes.SelectorRequirement', { key: stringType, operator: stringType, values: strings })
const selector = (name: string): ObjectType => struct(name, { rawSelector: stringType, requirements: listType(requirement) })

export const reviewVariables = {
  request: struct('kubernetes.SubjectAccessReviewSpec', {
    resourceAttributes: struct('kubernetes.ResourceAttributes', {
      namespace: stringType,
      verb: stringType,
      group: stringType,
      version: stringType,
      resource: stringType,
      subresource: stringType,
      name: stringType,
      fieldSelector: selector('kubernetes.FieldSelectorAttributes'),
      labelSelector: selector('kubernetes.LabelSelectorAttributes'),
    }),
    nonResourceAttributes: struct('kubernetes.NonResourceAttributes', { path: stringType, verb: stringType }),
    user: stringType,
    groups: strings,
    extra,
    uid: stringType,
  }),
}

/** JSON of a token as expressions see it: numbers are doubles, and `a__dot__b` finds the claim `a.b`. */
export function claimsValue(json: unknown): Value {
  if (Array.isArray(json)) return json.map(claimsValue)
  if (typeof json === 'object' && json !== null) return new ClaimsMap(Object.entries(json).map(([key, value]) => [key, claimsValue(value)]))
  return json as Value
}

class ClaimsMap extends CelMap {
  override get(key: Value): Value | undefined {
    return super.get(unescaped(key))
  }

  override has(key: Value): boolean {
    return super.has(unescaped(key))
  }
}

function unescaped(key: Value): Value {
  return typeof key === 'string' ? unescapeName(key) : key
}
