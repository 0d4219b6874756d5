import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, formatFieldError, isJsonObject, jsonEqual, omittedValue } from '@gantry/apimachinery'
import type { FieldError, JsonSchema } from '@gantry/apimachinery'
import { fromJson, Optional, perCallLimit, typeOfSchema } from '@gantry/cel'
import type { Program, Type, Value } from '@gantry/cel'
import { compileRule } from './compiled-rule.ts'
import type { CompiledRule } from './compiled-rule.ts'
import { isEmbedded, itemsOf, rulesOf, valuesOf } from './rule-schema.ts'
import type { ValidationRule } from './rule-schema.ts'

/** What the rules of one object may cost together. */
const objectBudget = 10_000_000
const maxMessageBytes = 5 * 1024

/** How Go prints a path that is nil. */
const noField = '<nil>'

export interface RuleResult {
  readonly errors: readonly FieldError[]
  /** Violations of what has not changed since before: they are only warned about. */
  readonly warnings: readonly string[]
}

/**
 * Evaluates the rules of a custom resource's schema; undefined when there are none. Expressions are compiled when they are first needed. Upstream:
 * apiextensions-apiserver pkg/apiserver/schema/cel/validation.go.
 */
export function ruleValidatorOf(schema: JsonSchema): RuleValidator | undefined {
  return hasRules(schema) ? new RuleValidator(schema) : undefined
}

function hasRules(schema: JsonSchema): boolean {
  return (
    rulesOf(schema).length > 0 ||
    [...Object.values(schema.properties ?? {}), ...(schema.allOf ?? []), ...defined(itemsOf(schema)), ...defined(valuesOf(schema))].some(hasRules)
  )
}

function defined<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value]
}

export class RuleValidator {
  readonly #schema: JsonSchema
  #root: Node | undefined

  constructor(schema: JsonSchema) {
    this.#schema = schema
  }

  /** `old`: the object before an update. */
  validate(object: unknown, old: unknown): RuleResult {
    this.#root ??= nodeOf(this.#schema, this.#schema, typeOfSchema(this.#schema, true))
    if (this.#root === undefined) return { errors: [], warnings: [] }
    const run = new Run()
    run.visit(this.#root, { path: '', value: object, old, match: old === undefined ? undefined : new Match(object, old), nearest: undefined })
    return run
  }
}

/** A schema node with rules in it or below it. */
interface Node {
  readonly rules: readonly CompiledRule[]
  readonly schema: JsonSchema
  readonly type: Type
  readonly items: Node | undefined
  readonly values: Node | undefined
  readonly properties: ReadonlyMap<string, Node>
  readonly allOf: readonly Node[]
}

/** `rules` is the schema whose rules count, within allOf another than that of the structure. */
function nodeOf(rules: JsonSchema, schema: JsonSchema, type: Type | undefined): Node | undefined {
  if (type === undefined || !hasRules(rules)) return undefined
  const [ruleItems, items] = [itemsOf(rules), itemsOf(schema)]
  const [ruleValues, values] = [valuesOf(rules), valuesOf(schema)]
  const properties = new Map<string, Node>()
  for (const [name, ruleProperty] of Object.entries(rules.properties ?? {})) {
    const property = schema.properties?.[name]
    const node = property === undefined ? undefined : nodeOf(ruleProperty, property, typeOfSchema(property, isEmbedded(property)))
    if (node !== undefined) properties.set(name, node)
  }
  return {
    rules: rulesOf(rules).map((rule) => compileRule(rule, schema, type)),
    schema,
    type,
    items: ruleItems === undefined || items === undefined ? undefined : nodeOf(ruleItems, items, type.kind === 'list' ? type.of : undefined),
    values: ruleValues === undefined || values === undefined ? undefined : nodeOf(ruleValues, values, type.kind === 'map' ? type.of : undefined),
    properties,
    allOf: (rules.allOf ?? []).flatMap((option) => defined(nodeOf(option, schema, type))),
  }
}

/** A value and what it was before. */
class Match {
  readonly #value: unknown
  readonly #old: unknown
  #isEqual: boolean | undefined

  constructor(value: unknown, old: unknown) {
    this.#value = value
    this.#old = old
  }

  get isEqual(): boolean {
    this.#isEqual ??= jsonEqual(this.#value, this.#old)
    return this.#isEqual
  }
}

interface Place {
  readonly path: string
  readonly value: unknown
  /** What transition rules see; undefined: nothing to compare with. */
  readonly old: unknown
  readonly match: Match | undefined
  /** The nearest place around that could be told from before. */
  readonly nearest: Match | undefined
}

/** The budget is used up: nothing more is evaluated. */
class Exhausted extends Error {}

class Run implements RuleResult {
  readonly errors: FieldError[] = []
  readonly warnings: string[] = []
  #budget = objectBudget

  visit(root: Node, place: Place): void {
    try {
      this.#visit(root, place)
    } catch (error) {
      if (!(error instanceof Exhausted)) throw error
    }
  }

  #visit(node: Node, place: Place): void {
    if (place.value === null || place.value === undefined) return
    if (node.rules.length > 0) this.#evaluate(node, place)
    for (const option of node.allOf) this.#visit(option, { ...place, match: undefined })
    if (Array.isArray(place.value)) this.#visitItems(node, place, place.value)
    else if (isJsonObject(place.value)) this.#visitFields(node, place, place.value)
  }

  #visitItems(node: Node, place: Place, list: readonly unknown[]): void {
    if (node.items === undefined) return
    const before = oldItems(node.schema, place.old)
    for (const [i, value] of list.entries()) {
      const old = before(value)
      this.#visit(node.items, { path: `${place.path}[${i}]`, value, old, ...this.#step(place, value, old) })
    }
  }

  #visitFields(node: Node, place: Place, object: Readonly<Record<string, unknown>>): void {
    const before = isJsonObject(place.old) ? place.old : {}
    for (const [key, value] of Object.entries(object)) {
      const old = Object.hasOwn(before, key) ? before[key] : undefined
      const property = node.properties.get(key)
      const within = this.#step(place, value, old)
      if (node.values !== undefined) this.#visit(node.values, { path: `${place.path}[${key}]`, value, old, ...within })
      else if (property !== undefined) this.#visit(property, { path: place.path === '' ? key : `${place.path}.${key}`, value, old, ...within })
    }
  }

  #step(place: Place, value: unknown, old: unknown): Pick<Place, 'match' | 'nearest'> {
    if (place.match === undefined) return { match: undefined, nearest: place.nearest }
    return { match: old === undefined ? undefined : new Match(value, old), nearest: place.match }
  }

  #evaluate(node: Node, place: Place): void {
    const field = place.path === '' ? noField : place.path
    const type = node.schema.type ?? ''
    const self = fromJson(place.value, node.type)
    const hasOld = place.old !== undefined && place.old !== null
    const oldSelf = hasOld && node.rules.some((rule) => rule.usesOldSelf) ? fromJson(place.old, node.type) : undefined
    for (const compiled of node.rules) {
      const { rule, program } = compiled
      if (compiled.error !== undefined) {
        this.errors.push(fieldInvalid(field, type, `rule compile error: ${compiled.error}`))
        continue
      }
      if (program === undefined) continue
      if (compiled.usesOldSelf && !hasOld && rule.optionalOldSelf !== true) continue
      const old: Value | undefined = rule.optionalOldSelf === true ? (oldSelf === undefined ? Optional.none : new Optional(oldSelf)) : oldSelf
      const variables = { self, ...(old === undefined ? {} : { oldSelf: old }) }
      const evaluation = this.#run(program, variables)
      const exhausted = evaluation.cost > this.#budget
      if (exhausted)
        return this.#stop(fieldInvalid(field, type, 'validation failed due to running out of cost budget, no further validation rules will be run'))
      this.#budget -= evaluation.cost
      if (evaluation.error !== undefined) {
        if (evaluation.exceeded) {
          return this.#stop(
            fieldInvalid(
              field,
              type,
              `'${evaluation.error}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`,
            ),
          )
        }
        const text = evaluation.error.startsWith('no such overload')
          ? `'${evaluation.error}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`
          : `${evaluation.error} evaluating rule: ${ruleText(rule)}`
        this.errors.push(fieldInvalid(field, type, text))
        continue
      }
      if (evaluation.value === true) continue
      this.#violated(compiled, { place, node, variables: { self, ...(oldSelf === undefined ? {} : { oldSelf }) } })
    }
  }

  #run(program: Program, variables: Readonly<Record<string, unknown>>): ReturnType<Program['evaluate']> {
    return program.evaluate(variables, { budget: perCallLimit })
  }

  #stop(error: FieldError): never {
    this.errors.push(error)
    throw new Exhausted()
  }

  #violated(
    compiled: CompiledRule,
    { place, node, variables }: { readonly place: Place; readonly node: Node; readonly variables: Readonly<Record<string, unknown>> },
  ): void {
    const { rule } = compiled
    const field = [place.path, compiled.fieldPath].filter((part) => part !== '').join('.') || noField
    const type = node.schema.type ?? ''
    const isUnchanged = !compiled.usesOldSelf && (place.match ?? place.nearest)?.isEqual === true
    const report = (error: FieldError): void => {
      if (isUnchanged) this.warnings.push(formatFieldError(error))
      else this.errors.push(error)
    }
    let detail = rule.message === undefined || rule.message === '' ? `failed rule: ${rule.rule.trim()}` : rule.message.trim()
    if (compiled.message !== undefined) {
      const { messageExpression = '' } = rule
      const evaluation = this.#run(compiled.message, variables)
      const fatal =
        evaluation.cost > this.#budget
          ? 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run'
          : evaluation.exceeded
            ? `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(messageExpression)}`
            : undefined
      if (fatal !== undefined) {
        report(fieldInvalid(field, type, fatal))
        throw new Exhausted()
      }
      this.#budget -= evaluation.cost
      detail = usableMessage(evaluation.value) ?? detail
    }
    const value = type === 'object' || type === 'array' ? omittedValue : place.value
    report(errorOf(rule, field, { value, detail }))
  }
}

/** A message that an expression has made, unless it is empty, has line breaks or is too long. */
function usableMessage(value: Value | undefined): string | undefined {
  const text = typeof value === 'string' ? value.trim() : ''
  return text === '' || text.includes('\n') || Buffer.byteLength(text) > maxMessageBytes ? undefined : text
}

function ruleText(rule: ValidationRule): string {
  return (rule.message === undefined || rule.message === '' ? rule.rule : rule.message).trim()
}

function errorOf(rule: ValidationRule, field: string, { value, detail }: { readonly value: unknown; readonly detail: string }): FieldError {
  if (rule.reason === 'FieldValueForbidden') return fieldForbidden(field, detail)
  if (rule.reason === 'FieldValueRequired') return fieldRequired(field, detail)
  return rule.reason === 'FieldValueDuplicate' ? fieldDuplicate(field, value) : fieldInvalid(field, value, detail)
}

/** The item before the update that an item goes with: only lists of type map can tell. */
function oldItems(schema: JsonSchema, old: unknown): (item: unknown) => unknown {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (!Array.isArray(old) || schema['x-kubernetes-list-type'] !== 'map' || keys.length === 0) return () => undefined
  const identity = (item: unknown): string => (isJsonObject(item) ? JSON.stringify(keys.map((key) => item[key] ?? null)) : '')
  const known = new Map<string, unknown>(old.map((item: unknown) => [identity(item), item]))
  return (item) => known.get(identity(item))
}
