import { fieldForbidden, fieldInternal, fieldInvalid } from '@gantry/apimachinery'
import type { Pause } from '@gantry/runtime'
import type { FieldError, JsonSchema } from '@gantry/apimachinery'
import { typeOfSchema } from '@gantry/cel'
import type { Type } from '@gantry/cel'
import { compileRule, maxCardinality } from './compiled-rule.ts'
import type { CompiledRule } from './compiled-rule.ts'
import { followFieldPath, isEmbedded, itemsOf, rulesOf, valuesOf } from './rule-schema.ts'
import type { ValidationRule } from './rule-schema.ts'

/** What one rule may cost at most, times the number of values that it is evaluated for. */
const ruleCostLimit = 10_000_000
/** What all rules of a schema may cost together. */
const schemaCostLimit = 100_000_000
const mostExpensiveShown = 4

export interface RuleProblemOptions {
  /** The schema has not changed: what it costs has been accepted before. */
  readonly isUnchanged: boolean
  /** Asked before each rule: compiling one takes up to a millisecond. */
  readonly pause?: Pause | undefined
}

/**
 * What is wrong with the rules of a structural schema: compilation, types, costs, what they refer to. To be called where nothing else is wrong with the schema.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation.
 */
export async function ruleProblems(schema: JsonSchema, path: string, options: RuleProblemOptions): Promise<FieldError[]> {
  const checker = new RuleChecker(options)
  await checker.visit(schema, { path, type: once(() => typeOfSchema(schema, true)), cardinality: 1, uncorrelatable: undefined })
  return [...checker.errors, ...checker.totalProblems(path)]
}

/** Whether the `fieldPath` of every rule leads somewhere. */
export function ruleFieldPathProblems(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [i, { fieldPath = '' }] of rulesOf(schema).entries()) {
    if (fieldPath !== '' && typeof followFieldPath(fieldPath, schema) === 'string') {
      errors.push(fieldInvalid(`${path}.x-kubernetes-validations[${i}].fieldPath`, fieldPath, 'must be a valid path'))
    }
  }
  for (const [child, childPath] of childrenOf(schema, path)) errors.push(...ruleFieldPathProblems(child, childPath))
  return errors
}

function* childrenOf(schema: JsonSchema, path: string): Generator<readonly [JsonSchema, string]> {
  const values = valuesOf(schema)
  if (values !== undefined) yield [values, `${path}.additionalProperties`]
  for (const [name, property] of Object.entries(schema.properties ?? {})) yield [property, `${path}.properties[${name}]`]
  const items = itemsOf(schema)
  if (items !== undefined) yield [items, `${path}.items`]
}

interface Place {
  readonly path: string
  /** Undefined: rules cannot see what is here. Worked out where a rule asks: most schemas have few, and a type is as large as all that is below. */
  readonly type: () => Type | undefined
  /** How often this value can occur in an object; undefined: as often as a request has room for. */
  readonly cardinality: number | undefined
  /** The list around this that old and new items cannot be told apart in. */
  readonly uncorrelatable: string | undefined
}

class RuleChecker {
  readonly errors: FieldError[] = []
  readonly #options: RuleProblemOptions
  readonly #expensive: { readonly path: string; readonly cost: number }[] = []
  #total = 0

  constructor(options: RuleProblemOptions) {
    this.#options = options
  }

  async visit(schema: JsonSchema, place: Place): Promise<void> {
    const { path, cardinality } = place
    const values = valuesOf(schema)
    if (values !== undefined) {
      const ofMap = (): Type | undefined => {
        const type = place.type()
        return type?.kind === 'map' ? type.of : undefined
      }
      await this.visit(values, { ...place, path: `${path}.additionalProperties`, type: ofMap, cardinality: times(cardinality, schema.maxProperties) })
    }
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      await this.visit(property, { ...place, path: `${path}.properties[${name}]`, type: once(() => typeOfSchema(property, isEmbedded(property))) })
    }
    const items = itemsOf(schema)
    if (items !== undefined) {
      const uncorrelatable = place.uncorrelatable ?? (schema['x-kubernetes-list-type'] === 'map' ? undefined : path)
      await this.visit(items, {
        path: `${path}.items`,
        type: () => {
          const type = place.type()
          return type?.kind === 'list' ? type.of : undefined
        },
        cardinality: times(cardinality, schema.maxItems),
        uncorrelatable,
      })
    }
    for (const [i, rule] of rulesOf(schema).entries()) {
      const at = `${path}.x-kubernetes-validations`
      await this.#options.pause?.()
      const type = place.type()
      if (type === undefined) {
        this.errors.push(fieldInternal(at, 'internal error: failed to retrieve type information for x-kubernetes-validations'))
        break
      }
      this.#check(compileRule(rule, schema, type), `${at}[${i}]`, { ...place, type })
    }
  }

  #check(compiled: CompiledRule, at: string, place: Omit<Place, 'type'> & { readonly type: Type }): void {
    const { rule } = compiled
    const cost = compiled.program?.estimate().max ?? 0
    this.#observe({ path: `${at}.rule`, cost: cost * (place.cardinality ?? maxCardinality(place.type)), name: 'estimated rule cost' })
    if (compiled.error !== undefined) this.errors.push(fieldInvalid(`${at}.rule`, shown(rule), compiled.error))
    if (compiled.messageError !== undefined) this.errors.push(fieldInvalid(`${at}.messageExpression`, shown(rule), compiled.messageError))
    else if (compiled.message !== undefined) {
      this.#observe({ path: `${at}.messageExpression`, cost: compiled.message.estimate().max, name: 'estimated messageExpression cost' })
    }
    if (compiled.usesOldSelf) {
      if (place.uncorrelatable !== undefined) {
        this.errors.push(
          fieldInvalid(`${at}.rule`, rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`),
        )
      }
    } else if (rule.optionalOldSelf !== undefined) {
      this.errors.push(fieldInvalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'))
    }
  }

  #observe({ path, cost, name }: { readonly path: string; readonly cost: number; readonly name: string }): void {
    if (cost > ruleCostLimit && !this.#options.isUnchanged) this.errors.push(fieldForbidden(path, exceeds(name, cost, ruleCostLimit)))
    this.#total += cost
    if (cost >= schemaCostLimit / 100) this.#expensive.push({ path, cost })
  }

  totalProblems(path: string): FieldError[] {
    if (this.#total <= schemaCostLimit) return []
    const most = this.#expensive.toSorted((a, b) => b.cost - a.cost).slice(0, mostExpensiveShown)
    return [
      ...most.map((rule) => fieldForbidden(rule.path, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema')),
      fieldForbidden(path, exceeds('x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema', this.#total, schemaCostLimit)),
    ]
  }
}

function once<T>(work: () => T): () => T {
  let done: { readonly value: T } | undefined
  return () => (done ??= { value: work() }).value
}

function times(cardinality: number | undefined, max: number | undefined): number | undefined {
  return cardinality === undefined || max === undefined ? undefined : cardinality * max
}

function exceeds(name: string, cost: number, limit: number): string {
  const factor = cost / limit
  const text = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`
  return `${name} exceeds budget by factor of ${text} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`
}

/** A rule as upstream's errors show it: its internal type. */
function shown(rule: ValidationRule): unknown {
  return {
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  }
}
