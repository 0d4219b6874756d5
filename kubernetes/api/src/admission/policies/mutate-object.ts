import { applyConfiguration, applyJsonPatch, goQuote, JsonPatchProblem, mergeTypeOf, StatusError } from '@gantry/apimachinery'
import type { JsonObject, ObjectSchema } from '@gantry/apimachinery'
import type { AdmissionHost, AdmissionRequest, ApiObject } from '@gantry/apiserver'
import { CelMap, Duration, MadeObject, ObjectView, Optional, Timestamp, typeNameOf, TypeValue, Uint } from '@gantry/cel'
import type { Value } from '@gantry/cel'
import { internalError } from '../webhooks/call-webhook.ts'
import { shownIn, takeOver } from '../webhooks/request-target.ts'
import type { RequestTarget } from '../webhooks/request-target.ts'
import type { CompiledMutation } from './compile-policy.ts'
import { Activation, OutOfBudget, policyBudget } from './policy-expressions.ts'
import type { CompiledVariable } from './policy-expressions.ts'
import { valuesFor } from './policy-uses.ts'
import type { PolicyContext } from './policy-uses.ts'

/** A mutation that cannot be made: the failure policy decides. */
export class MutationFailure extends Error {}

/** Makes one mutation of a policy. Throws MutationFailure, and a StatusError for what is refused whatever the failure policy says. */
export async function mutateObject(
  { patchType, patch }: CompiledMutation,
  request: AdmissionRequest,
  how: {
    readonly use: { readonly target: RequestTarget; readonly param: ApiObject | undefined }
    readonly context: PolicyContext
    readonly variables: readonly CompiledVariable[]
  },
): Promise<void> {
  const { context, use } = how
  if (patch.program === undefined) throw new MutationFailure(patch.error)
  const before = shownIn(request, use.target, request.object)
  if (before === undefined) return
  const values = valuesFor(request, use, context)
  const value = await context.access.settle(() => {
    try {
      const result = new Activation(values, how.variables, policyBudget).evaluate(patch)
      return result.error === undefined ? result.value : new MutationFailure(result.error)
    } catch (error) {
      if (error instanceof OutOfBudget) return new MutationFailure(error.message, { cause: error })
      throw error
    }
  })
  if (value instanceof MutationFailure) throw value
  const at = { request, target: use.target, host: context.host }
  const changed = patchType === 'JSONPatch' ? patched(before, value, at) : merged(before, value, at)
  takeOver(request, use.target, { changed, host: context.host })
}

interface Place {
  readonly request: AdmissionRequest
  readonly target: RequestTarget
  readonly host: AdmissionHost
}

function schemaOf({ request, target }: Place): ObjectSchema {
  return request.body?.schema ?? request.shape?.schema ?? target.definition.schema
}

function merged(before: ApiObject, value: Value, at: Place): unknown {
  if (!(value instanceof MadeObject)) throw new MutationFailure(`unsupported return type from ApplyConfiguration expression: ${typeNameOf(value)}`)
  checkTypeNames(value)
  let config: JsonObject
  try {
    config = configurationOf(value) as JsonObject
  } catch (error) {
    if (error instanceof Unconvertible) throw new MutationFailure('invalid return type: *dynamic.ObjectVal', { cause: error })
    throw error
  }
  const { apiVersion, kind } = before
  try {
    return applyConfiguration(before, { ...config, apiVersion, kind }, mergeTypeOf(schemaOf(at), at.host.definitions))
  } catch (error) {
    throw new MutationFailure(`error applying patch: ${textOf(error)}`, { cause: error })
  }
}

function patched(before: ApiObject, value: Value, at: Place): unknown {
  const operations = (value as readonly Value[]).map((item) => operationOf(item as MadeObject))
  let document: unknown
  try {
    document = applyJsonPatch(before, operations)
  } catch (error) {
    const cause = error instanceof StatusError ? error.cause : undefined
    // The patch is not meant for this object.
    if (cause instanceof JsonPatchProblem && cause.isFailedTest) return before
    throw new MutationFailure(`JSON Patch: ${cause instanceof JsonPatchProblem ? cause.message : textOf(error)}`, { cause: error })
  }
  checkPatched(document, at)
  return document
}

/** What a patch makes of the object of a built-in kind has to be such an object. */
function checkPatched(document: unknown, at: Place): void {
  const schema = schemaOf(at)
  let unknownFields: readonly string[]
  try {
    ;({ unknownFields } = at.host.decoder.decode(schema, document))
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    throw internalError(error.message.replace(/^.*? cannot be handled as an? \S+: /, ''), error)
  }
  if (schema.structural === true || unknownFields.length === 0) return
  throw internalError(`strict decoding error: ${unknownFields.map((field) => `unknown field ${goQuote(field)}`).join(', ')}`)
}

function operationOf(operation: MadeObject): JsonObject {
  const { op = '', path = '', from = '' } = Object.fromEntries(operation.values) as Readonly<Record<string, string>>
  const given = operation.values.get('value')
  if (given instanceof MadeObject) checkTypeNames(given)
  try {
    return { op, path, ...(from === '' ? {} : { from }), ...(given === undefined ? {} : { value: jsonOf(given) }) }
  } catch (error) {
    if (!(error instanceof Unconvertible)) throw error
    throw new MutationFailure(`JSONPath valueExpression evaluated to a type that could not marshal to JSON: ${error.message}`, { cause: error })
  }
}

/** Objects that are made are called by their place: nothing else would tell that a part of one was put where it does not belong. */
function checkTypeNames(made: MadeObject): void {
  const problems = typeNameProblems(made, [made.type.name])
  if (problems.length > 0) throw new MutationFailure(`type mismatch: ${problems.join('\n')}`)
}

function typeNameProblems(value: Value, path: readonly string[]): string[] {
  if (Array.isArray(value)) return value.flatMap((item: Value) => typeNameProblems(item, path))
  if (value instanceof CelMap) return [...value.entries()].flatMap(([, item]) => typeNameProblems(item, path))
  if (!(value instanceof MadeObject)) return []
  const expected = path.join('.')
  const { name } = value.type
  const own =
    name === expected ? [] : [`unexpected type name ${goQuote(name)}, expected ${goQuote(expected)}, which matches field name path from root Object type`]
  return [...own, ...[...value.values].flatMap(([field, item]) => typeNameProblems(item, [...path, field]))]
}

class Unconvertible extends Error {}

/** A value as a configuration has it: numbers as they are, times as what no field takes. */
function configurationOf(value: Value): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint) return Number(value.value)
  return converted(value, configurationOf)
}

/** A value as JSON: whole numbers that JSON's readers could not keep apart are text. */
function jsonOf(value: Value): unknown {
  const whole = value instanceof Uint ? value.value : value
  if (typeof whole === 'bigint') return whole > BigInt(Number.MAX_SAFE_INTEGER) || whole < BigInt(Number.MIN_SAFE_INTEGER) ? whole.toString() : Number(whole)
  return converted(value, jsonOf)
}

function converted(value: Value, convert: (value: Value) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item: Value) => convert(item))
  if (value instanceof MadeObject) return Object.fromEntries([...value.values].map(([name, item]) => [name, convert(item)]))
  if (value instanceof ObjectView) return value.json
  if (value instanceof CelMap) {
    return Object.fromEntries(
      [...value.entries()].map(([key, item]) => {
        if (typeof key !== 'string') throw new Unconvertible(`unsupported type conversion from '${typeNameOf(key)}' to string`)
        return [key, convert(item)]
      }),
    )
  }
  if (value instanceof Optional) return value.value === undefined ? null : convert(value.value)
  if (value instanceof Timestamp || value instanceof Duration) return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof TypeValue || (typeof value === 'object' && value !== null))
    throw new Unconvertible(`type conversion not supported for '${typeNameOf(value)}'`)
  return value
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
