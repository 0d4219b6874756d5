import { formatGoFloat } from './go-float.ts'
import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldTypeInvalid,
  formatFieldError,
  omittedValue,
} from './field-error.ts'
import type { FieldError } from './field-error.ts'
import { goQuote } from './go-quote.ts'
import { isJsonObject, jsonEqual } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { compilePattern, PatternSyntaxError, PatternTooExpensive } from './linear-pattern.ts'
import { dns1035LabelProblems, pathSegmentProblems } from './name-syntax.ts'
import { validateObjectMeta } from './object-meta.ts'
import type { ObjectSchema } from './schema.ts'
import { hasStringFormat, isKnownStringFormat } from './string-formats.ts'
import type { JsonSchema } from './structural-schema.ts'

/**
 * Checks a custom resource against its schema: values, embedded resources, list types; not its metadata. With `old` unchanged parts are not checked again
 * (ratcheting). Rules in CEL are not evaluated. Upstream: kube-openapi pkg/validation/validate and apiextensions-apiserver pkg/apiserver/{validation,schema}.
 */
export function validateCustomResource(schema: ObjectSchema, object: unknown, old?: unknown): FieldError[] {
  const root: JsonSchema | undefined = schema.validations
  if (root === undefined) return []
  const errors = validateValue(root, object, { path: '', old }).errors
  errors.push(...validateStructure(root, object, ''))
  // Upstream checks CEL rules on the rest only where nothing blocks them, and says so.
  if (errors.some((error) => blocksRules.has(error.type)) && hasRules(root)) {
    const detail = 'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation'
    errors.push(fieldInvalid(noField, null, detail))
  }
  return errors
}

/** Checks one value against one schema, structure included; fields are reported below `path`. */
export function validateSchemaValue(schema: JsonSchema, value: unknown, path: string): FieldError[] {
  const errors = [...validateStructure(schema, value, path)]
  for (const error of validateValue(schema, value, { path: '' }).errors) {
    errors.push({ ...error, field: error.field === noField ? path : `${path}.${error.field}` })
  }
  return errors
}

/** How Go prints a path that is nil. */
const noField = '<nil>'
const blocksRules: ReadonlySet<string> = new Set(['NotSupported', 'Required', 'TooLong', 'TooMany', 'TypeInvalid'])

const rulesKnown = new WeakMap<JsonSchema, boolean>()

function hasRules(schema: JsonSchema): boolean {
  let has = rulesKnown.get(schema)
  if (has === undefined) {
    const children = [
      ...Object.values(schema.properties ?? {}),
      ...(schema.allOf ?? []),
      ...singleSchema(schema.items),
      ...singleSchema(schema.additionalProperties),
    ]
    has = (schema['x-kubernetes-validations']?.length ?? 0) > 0 || children.some(hasRules)
    rulesKnown.set(schema, has)
  }
  return has
}

function singleSchema(schema: JsonSchema | readonly JsonSchema[] | boolean | undefined): JsonSchema[] {
  return typeof schema === 'object' && !Array.isArray(schema) ? [schema as JsonSchema] : []
}

/** A body may hold a hundred thousand wrong items: nobody reads on after this many. */
const maxErrors = 1000

/** `matches` counts what went well: of several alternatives the errors of the nearest one are shown. */
class Result {
  readonly errors: FieldError[] = []
  matches = 0
  #seen: Set<string> | undefined

  add(error: FieldError | undefined): void {
    if (error === undefined || this.errors.length >= maxErrors) return
    // Upstream compares messages without their path; the message of one keyword always carries the path.
    const key = `${error.type} ${formatFieldError(error)}`
    this.#seen ??= new Set()
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.errors.push(error)
  }

  merge(other: Result): void {
    for (const error of other.errors) this.add(error)
    this.matches += other.matches
  }
}

interface Place {
  readonly path: string
  /** The value that was here before, `undefined` where there was none or it cannot be told. */
  readonly old?: unknown
}

function validateValue(schema: JsonSchema, value: unknown, place: Place): Result {
  const result = new Result()
  if (place.old !== undefined && jsonEqual(value, place.old)) return result
  validateType(schema, value, { path: place.path, result })
  if (value === null) {
    validateEnum(schema, value, { path: place.path, result })
    return result
  }
  validateCombinations(schema, value, { place, result })
  result.matches++
  if (typeof value === 'string') {
    validateString(schema, value, { path: place.path, result })
    result.matches += formatOf(schema) === '' ? 1 : 2
  }
  if (typeof value === 'number') {
    validateNumber(schema, value, { path: place.path, result })
    result.matches++
  }
  if (Array.isArray(value)) {
    validateList(schema, value, { place, result })
    result.matches++
  }
  validateEnum(schema, value, { path: place.path, result })
  result.matches++
  if (isJsonObject(value)) {
    validateObject(schema, value, { place, result })
    result.matches++
  }
  result.matches++
  return result
}

interface Target {
  readonly path: string
  readonly result: Result
}

interface Nested {
  readonly place: Place
  readonly result: Result
}

/** The field of an error: upstream's names begin with a dot at the root. */
function fieldAt(path: string): string {
  const field = path.startsWith('.') ? path.slice(1) : path
  return field === '' ? noField : field
}

function invalid(path: string, value: unknown, text: string): FieldError {
  return fieldInvalid(fieldAt(path), value, `${path} in body ${text}`)
}

function wrongType(path: string, type: string, found: string): FieldError {
  return fieldTypeInvalid(fieldAt(path), found, `${path} in body must be of type ${type}: ${goQuote(found)}`)
}

/** Errors that upstream reports without a field. */
function general(text: string): FieldError {
  return fieldInvalid(noField, '', text)
}

function typesOf(schema: JsonSchema): readonly string[] {
  if (schema['x-kubernetes-int-or-string'] === true) return ['integer', 'string']
  return schema.type === undefined || schema.type === '' ? [] : [schema.type]
}

/** The format where it means something for this type. */
function formatOf(schema: JsonSchema): string {
  const { format = '' } = schema
  const types = typesOf(schema)
  const type = types.length === 1 ? types[0] : ''
  if (type === '' || type === 'string') return isKnownStringFormat(format) ? format : ''
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : ''
  return type === 'number' && (format === 'float' || format === 'double') ? format : ''
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function validateType(schema: JsonSchema, value: unknown, { path, result }: Target): void {
  const types = typesOf(schema)
  const format = formatOf(schema)
  if (types.length === 0 && format === '' && value !== null) return
  if (value !== null) result.matches++
  const found = typeOf(value)
  const fits = types.includes(found) || (found === 'integer' && types.includes('number'))
  if (value === null) {
    if (types.length > 0 && schema.nullable !== true) return result.add(wrongType(path, types.join(','), 'null'))
  } else if (typeof value !== 'string' && !Array.isArray(value) && format !== '') {
    const foundFormat = found === 'integer' ? 'int64' : found === 'number' ? 'float64' : ''
    if (!fits && foundFormat !== format) return result.add(wrongType(path, format, foundFormat))
  } else if (format === '' || types.includes('number') || types.includes('integer')) {
    if (!fits) return result.add(wrongType(path, types.join(','), found))
  }
  result.matches++
}

function validateCombinations(schema: JsonSchema, value: unknown, { place, result }: Nested): void {
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) validateAnyOf(schema.anyOf, value, { place, result })
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) validateOneOf(schema.oneOf, value, { place, result })
  if (schema.allOf !== undefined && schema.allOf.length > 0) {
    let valid = 0
    for (const option of schema.allOf) {
      const outcome = validateValue(option, value, place)
      if (outcome.errors.length === 0) valid++
      result.merge(outcome)
    }
    if (valid < schema.allOf.length) {
      result.add(general(`${goQuote(place.path)} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`))
    }
  }
  if (schema.not !== undefined && validateValue(schema.not, value, { path: place.path }).errors.length === 0) {
    result.add(general(`${goQuote(place.path)} must not validate the schema (not)`))
  }
  result.matches++
}

function validateAnyOf(options: readonly JsonSchema[], value: unknown, { place, result }: Nested): void {
  let nearest: Result | undefined
  for (const option of options) {
    const outcome = validateValue(option, value, place)
    if (outcome.errors.length === 0) return result.merge(outcome)
    if (nearest === undefined || outcome.matches > nearest.matches) nearest = outcome
  }
  result.add(general(`${goQuote(place.path)} must validate at least one schema (anyOf)`))
  if (nearest !== undefined) result.merge(nearest)
}

function validateOneOf(options: readonly JsonSchema[], value: unknown, { place, result }: Nested): void {
  let nearest: Result | undefined
  let first: Result | undefined
  let valid = 0
  for (const option of options) {
    const outcome = validateValue(option, value, place)
    if (outcome.errors.length === 0) {
      valid++
      first ??= outcome
    } else if (nearest === undefined || outcome.matches > nearest.matches) {
      nearest = outcome
    }
  }
  if (valid === 1 && first !== undefined) return result.merge(first)
  const count = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`
  result.add(general(`${goQuote(place.path)} must validate one and only one schema (oneOf). ${count}`))
  if (valid === 0 && nearest !== undefined) result.merge(nearest)
}

function validateString(schema: JsonSchema, value: string, { path, result }: Target): void {
  result.add(stringProblem(schema, value, path))
  const format = formatOf(schema)
  if (format !== '' && !hasStringFormat(format, value)) result.add(wrongType(path, format, value))
}

/** The first of length and pattern that is violated. */
function stringProblem(schema: JsonSchema, value: string, path: string): FieldError | undefined {
  const { maxLength, minLength, pattern = '' } = schema
  if (maxLength !== undefined || minLength !== undefined) {
    const length = characterCount(value)
    if (maxLength !== undefined && length > maxLength) return fieldTooLong(fieldAt(path), maxLength)
    if (minLength !== undefined && length < minLength) return invalid(path, value, `should be at least ${minLength} chars long`)
  }
  if (pattern === '') return undefined
  try {
    return compilePattern(pattern).test(value) ? undefined : invalid(path, value, `should match '${pattern}'`)
  } catch (error) {
    if (error instanceof PatternSyntaxError) return invalid(path, value, `should match '${pattern}, but pattern is invalid: ${error.message}'`)
    if (error instanceof PatternTooExpensive)
      return fieldInvalid(fieldAt(path), omittedValue, `${path} in body cannot be matched against '${pattern}': ${error.message}`)
    throw error
  }
}

/** Code points. */
function characterCount(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++, count++) if ((text.codePointAt(i) ?? 0) > 0xffff) i++
  return count
}

function validateNumber(schema: JsonSchema, value: number, { path, result }: Target): void {
  const type = numberTypeOf(schema)
  result.add(rangeProblem('Checked', value, { type, path }))
  const { multipleOf, maximum, minimum } = schema
  const target = { type, path, result }
  if (multipleOf !== undefined) result.add(multipleProblem(limitOf('MultipleOf', multipleOf, { value, target })))
  if (minimum !== undefined) {
    const limit = limitOf('Minimum boundary', minimum, { value, target })
    const isOpen = schema.exclusiveMinimum === true
    if (isOpen ? value <= limit.limit : value < limit.limit) {
      result.add(invalid(path, value, `should be greater than ${isOpen ? '' : 'or equal to '}${limit.text}`))
    }
  }
  if (maximum !== undefined) {
    const limit = limitOf('Maximum boundary', maximum, { value, target })
    const isOpen = schema.exclusiveMaximum === true
    if (isOpen ? value >= limit.limit : value > limit.limit) {
      result.add(invalid(path, value, `should be less than ${isOpen ? '' : 'or equal to '}${limit.text}`))
    }
  }
  result.matches++
}

interface NumberType {
  readonly name: string
  readonly format: string
}

function numberTypeOf(schema: JsonSchema): NumberType {
  const types = typesOf(schema)
  return { name: types.length === 1 ? (types[0] ?? '') : '', format: formatOf(schema) }
}

interface NumberTarget extends Target {
  readonly type: NumberType
}

/** What a number outside of its type gets to hear; upstream gives it no field. */
function rangeProblem(prefix: string, value: number, { type, path }: { readonly type: NumberType; readonly path: string }): FieldError | undefined {
  const { name, format } = type
  const fits =
    name === 'integer'
      ? Number.isInteger(value) && (format !== 'int32' || (value <= 2 ** 31 - 1 && value >= -(2 ** 31)))
      : format !== 'float' || Math.abs(value) <= maxFloat32
  if (fits) return undefined
  return general(`${prefix} value must be of type ${name} ${format === '' ? '(default format)' : `with format ${format}`} in ${path}`)
}

const maxFloat32 = 3.402_823_466_385_288_6e38

interface Limit {
  readonly value: number
  readonly limit: number
  readonly text: string
  readonly isInteger: boolean
  readonly path: string
}

/** A limit as it is compared: to an integer it is an integer itself, unless it does not fit the type. */
function limitOf(prefix: string, limit: number, { value, target }: { readonly value: number; readonly target: NumberTarget }): Limit {
  const problem = rangeProblem(prefix, limit, target)
  target.result.add(problem)
  const isInteger = Number.isInteger(value) && problem === undefined
  const compared = isInteger ? Math.trunc(limit) : limit
  return { value, limit: compared, text: isInteger ? String(compared) : formatGoFloat(compared), isInteger, path: target.path }
}

function multipleProblem({ value, limit: factor, text, isInteger, path }: Limit): FieldError | undefined {
  if (factor <= 0) return fieldInvalid(fieldAt(path), factor, `factor MultipleOf declared for ${path} must be positive: ${text}`)
  const times = factor < 1 ? (1 / factor) * value : value / factor
  const isMultiple = isInteger ? value % factor === 0 : Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times))
  return isMultiple ? undefined : invalid(path, value, `should be a multiple of ${text}`)
}

function validateEnum(schema: JsonSchema, value: unknown, { path, result }: Target): void {
  const { enum: allowed } = schema
  if (allowed === undefined || allowed.length === 0) return
  if (value !== null && allowed.some((candidate) => isEnumMember(candidate, value))) return
  const texts = allowed.map((candidate) => (typeof candidate === 'string' ? candidate : JSON.stringify(candidate)))
  result.add(fieldNotSupported(fieldAt(path), value, texts))
}

/** Upstream converts the value to the member's Go type first: 1.5 passes for the integer 1. */
function isEnumMember(candidate: unknown, value: unknown): boolean {
  if (typeof candidate === 'number' && typeof value === 'number' && Number.isInteger(candidate)) return Math.trunc(value) === candidate
  return jsonEqual(candidate, value)
}

function validateList(schema: JsonSchema, value: readonly unknown[], { place, result }: Nested): void {
  const { path, old } = place
  for (const items of singleSchema(schema.items)) {
    const correlate = correlation(schema, old)
    for (const [i, item] of value.entries()) result.merge(validateValue(items, item, { path: `${path}[${i}]`, old: correlate(item) }))
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    result.add(invalid(path, value.length, `should have at least ${schema.minItems} items`))
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) result.add(fieldTooMany(fieldAt(path), value.length, schema.maxItems))
  if (schema.uniqueItems === true && new Set(value.map(canonicalText)).size < value.length) result.add(invalid(path, '', "shouldn't contain duplicates"))
  result.matches++
}

/** Which old item an item of a list goes with: only lists of type map can tell. */
function correlation(schema: JsonSchema, old: unknown): (item: unknown) => unknown {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (!Array.isArray(old) || schema['x-kubernetes-list-type'] !== 'map' || keys.length === 0) return () => undefined
  const identity = (item: unknown): string => (isJsonObject(item) ? JSON.stringify(keys.map((key) => item[key])) : '')
  const byKey = new Map(old.map((item: unknown) => [identity(item), item]))
  return (item) => byKey.get(identity(item))
}

function validateObject(schema: JsonSchema, value: JsonObject, { place, result }: Nested): void {
  const { path, old } = place
  const count = Object.keys(value).length
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    result.add(invalid(path, count, `should have at least ${schema.minProperties} properties`))
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) result.add(fieldTooMany(fieldAt(path), count, schema.maxProperties))
  const { properties = {}, additionalProperties } = schema
  const before = isJsonObject(old) ? old : {}
  for (const [key, item] of Object.entries(value)) {
    if (Object.hasOwn(properties, key)) continue
    if (additionalProperties === false) result.add(fieldInvalid(fieldAt(path), key, `${path}.${key} in body is a forbidden property`))
    for (const of of singleSchema(additionalProperties)) result.merge(validateValue(of, item, { path: `${path}.${key}`, old: before[key] }))
  }
  for (const [key, of] of Object.entries(properties)) {
    if (Object.hasOwn(value, key)) result.merge(validateValue(of, value[key], { path: path === '' ? key : `${path}.${key}`, old: before[key] }))
  }
  for (const key of schema.required ?? []) if (!Object.hasOwn(value, key)) result.add(fieldRequired(fieldAt(`${path}.${key}`)))
}

/** Embedded resources, and lists that are sets or maps. */
function validateStructure(schema: JsonSchema, value: unknown, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (Array.isArray(value)) {
    errors.push(...validateListType(schema, value, path))
    for (const items of singleSchema(schema.items)) for (const [i, item] of value.entries()) errors.push(...validateStructure(items, item, `${path}[${i}]`))
  } else if (isJsonObject(value)) {
    if (schema['x-kubernetes-embedded-resource'] === true) errors.push(...validateEmbedded(value, path))
    for (const [key, item] of Object.entries(value)) {
      const property = Object.hasOwn(schema.properties ?? {}, key) ? schema.properties?.[key] : undefined
      if (property !== undefined) errors.push(...validateStructure(property, item, path === '' ? key : `${path}.${key}`))
      else for (const of of singleSchema(schema.additionalProperties)) errors.push(...validateStructure(of, item, `${path}[${key}]`))
    }
  }
  return errors
}

function validateEmbedded(resource: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { apiVersion, kind, metadata } = resource
  if (apiVersion === undefined) errors.push(fieldRequired(`${path}.apiVersion`))
  else if (apiVersion === '') errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, 'must not be empty'))
  else if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2) {
    errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  }
  if (kind === undefined) errors.push(fieldRequired(`${path}.kind`))
  else if (kind === '') errors.push(fieldInvalid(`${path}.kind`, kind, 'must not be empty'))
  else if (typeof kind === 'string') {
    const problems = dns1035LabelProblems(kind.toLowerCase())
    if (problems.length > 0) errors.push(fieldInvalid(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${problems.join(',')}`))
  }
  if (isJsonObject(metadata)) {
    const meta = { ...metadata, name: typeof metadata['name'] === 'string' && metadata['name'] !== '' ? metadata['name'] : 'fakename' }
    const namespaced = typeof metadata['namespace'] === 'string' && metadata['namespace'] !== ''
    errors.push(...validateObjectMeta(meta, { namespaced, validateName: pathSegmentProblems, qualifiedFinalizers: false }, `${path}.metadata`))
  }
  return errors
}

function validateListType(schema: JsonSchema, items: readonly unknown[], path: string): FieldError[] {
  switch (schema['x-kubernetes-list-type'] ?? '') {
    case 'set':
      return secondOnes(items).map((i) => fieldDuplicate(`${path}[${i}]`, items[i]))
    case 'map': {
      const stray = items.findIndex((item) => item !== null && !isJsonObject(item))
      if (stray >= 0) return [fieldInvalid(`${path}[${stray}]`, items[stray], 'must be an object for an array of list-type map')]
      const names = schema['x-kubernetes-list-map-keys'] ?? []
      const keys = items.map((item) => keyOf(item, names))
      return secondOnes(keys).map((i) => fieldDuplicate(`${path}[${i}]`, keys[i]))
    }
    default:
      return []
  }
}

function keyOf(item: unknown, names: readonly string[]): JsonObject {
  if (!isJsonObject(item)) return {}
  return Object.fromEntries(names.filter((name) => Object.hasOwn(item, name)).map((name) => [name, item[name]]))
}

/** Where a value appears for the second time. */
function secondOnes(values: readonly unknown[]): number[] {
  const times = new Map<string, number>()
  const found: number[] = []
  for (const [i, value] of values.entries()) {
    const text = canonicalText(value)
    const count = (times.get(text) ?? 0) + 1
    times.set(text, count)
    if (count === 2) found.push(i)
  }
  return found
}

/** Equal values have equal texts. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    isJsonObject(item) ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) : item,
  )
}
