import { validateSchemaValue } from './custom-resource-validation.ts'
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, formatFieldError } from './field-error.ts'
import type { FieldError } from './field-error.ts'
import { isJsonObject, jsonEqual } from './json-value.ts'
import { compilePattern, PatternSyntaxError } from './linear-pattern.ts'
import { pruneStructural } from './structural-decode.ts'
import { structuralNodeOf, typeAndMeta } from './structural-schema.ts'
import type { JsonSchema } from './structural-schema.ts'

/**
 * What is wrong with the `openAPIV3Schema` of a CustomResourceDefinition: whether it is structural, whether its keywords go together, whether its defaults are
 * valid. Rules in CEL are not compiled. Asks `pause` between its looks at the whole schema, which may be large.
 * Upstream: apiextensions-apiserver pkg/apiserver/schema/validation.go and pkg/apis/apiextensions/validation/validation.go.
 */
export async function structuralSchemaProblems(schema: JsonSchema, path: string, pause?: () => Promise<void> | undefined): Promise<FieldError[]> {
  const errors: FieldError[] = []
  if (schema.nullable === true) errors.push(fieldForbidden(`${path}.nullable`, 'nullable cannot be true at the root'))
  const unsupported = unsupportedKeyword(schema)
  if (unsupported === undefined) {
    await pause?.()
    const structure = checkStructure(schema, 'root', path)
    await pause?.()
    structure.push(...checkCompleteness(schema, schema, { schemaPath: path, valuePath: path }))
    structure.sort((a, b) => (formatFieldError(a) < formatFieldError(b) ? -1 : 1))
    await pause?.()
    errors.push(...(structure.length > 0 ? structure : checkDefaults(schema, path, false)))
  }
  await pause?.()
  errors.push(...checkKeywords(schema, path, { isRoot: true, insideMeta: false, noDefaults: undefined }))
  if (errors.length === 0 && unsupported !== undefined) errors.push(fieldInvalid(path, '', unsupported))
  return errors
}

type Level = 'root' | 'item' | 'field'

const unsupportedKeywords = ['id', '$schema', '$ref', 'patternProperties', 'dependencies', 'additionalItems', 'definitions'] as const

function unsupportedKeyword(schema: JsonSchema): string | undefined {
  for (const keyword of unsupportedKeywords) {
    const value: unknown = Reflect.get(schema, keyword)
    if (value !== undefined && value !== '') return `OpenAPIV3Schema '${keyword === '$schema' ? 'schema' : keyword}' is not supported`
  }
  if (Array.isArray(schema.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array"
  for (const child of childrenOf(schema)) {
    const found = unsupportedKeyword(child)
    if (found !== undefined) return found
  }
  return undefined
}

function childrenOf(schema: JsonSchema): JsonSchema[] {
  return [
    ...Object.values(schema.properties ?? {}),
    ...one(schema.items),
    ...one(schema.additionalProperties),
    ...(schema.allOf ?? []),
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
    ...one(schema.not),
  ]
}

/** A single schema as a list; nothing for booleans and lists. */
function one(schema: JsonSchema | readonly JsonSchema[] | boolean | undefined): JsonSchema[] {
  return typeof schema === 'object' && !Array.isArray(schema) ? [schema as JsonSchema] : []
}

/** `s.properties[a]`. */
function property(path: string, name: string): string {
  return `${path}.properties[${name}]`
}

function checkStructure(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (schema.type === 'array' && one(schema.items).length === 0) errors.push(fieldRequired(`${path}.items`, 'must be specified'))
  for (const items of one(schema.items)) errors.push(...checkStructure(items, 'item', `${path}.items`))
  for (const [name, child] of Object.entries(schema.properties ?? {})) errors.push(...checkStructure(child, 'field', property(path, name)))
  if (schema.additionalProperties !== undefined && level === 'root') {
    errors.push(fieldForbidden(`${path}.additionalProperties`, 'must not be used at the root'))
  }
  for (const additional of one(schema.additionalProperties)) errors.push(...checkStructure(additional, 'field', `${path}.additionalProperties`))
  errors.push(...checkExtensions(schema, path))
  const skips = { anyOf: isIntOrString(schema.anyOf), firstAllOf: isIntOrString(schema.allOf?.[0]?.anyOf) }
  errors.push(...checkValueValidation(schema, path, skips))
  errors.push(...checkType(schema, level, path))
  errors.push(...checkMeta(schema, level, path))
  return errors
}

function isIntOrString(options: readonly JsonSchema[] | undefined): boolean {
  return jsonEqual(options, [{ type: 'integer' }, { type: 'string' }])
}

function checkExtensions(schema: JsonSchema, path: string): FieldError[] {
  if (schema['x-kubernetes-int-or-string'] !== true) return []
  return (['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const)
    .filter((keyword) => schema[keyword] === true)
    .map((keyword) => fieldInvalid(`${path}.${keyword}`, true, 'must be false if x-kubernetes-int-or-string is true'))
}

const emptyType: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
}

function checkType(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { type = '' } = schema
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  const keepsUnknown = schema['x-kubernetes-preserve-unknown-fields'] === true
  if (isEmbedded && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true'
    errors.push(type === '' ? fieldRequired(`${path}.type`, detail) : fieldInvalid(`${path}.type`, type, detail))
  } else if (type === '' && schema['x-kubernetes-int-or-string'] !== true && !keepsUnknown) {
    errors.push(fieldRequired(`${path}.type`, emptyType[level]))
  }
  if (isEmbedded && schema.additionalProperties !== undefined) {
    errors.push(fieldForbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'))
  }
  if (level === 'root' && type !== '' && type !== 'object') errors.push(fieldInvalid(`${path}.type`, type, 'must be object at the root'))
  if (isEmbedded && !keepsUnknown && Object.keys(schema.properties ?? {}).length === 0) {
    const detail = 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'
    errors.push(fieldRequired(`${path}.properties`, detail))
  }
  return errors
}

function checkMeta(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = []
  const isResource = level === 'root' || schema['x-kubernetes-embedded-resource'] === true
  const { kind, apiVersion, metadata } = schema.properties ?? {}
  if (isResource) {
    for (const [name, child] of Object.entries({ kind, apiVersion })) {
      if (child !== undefined && child.type !== 'string') errors.push(fieldInvalid(`${property(path, name)}.type`, child.type ?? '', 'must be string'))
    }
  }
  if (metadata === undefined) return errors
  const at = property(path, 'metadata')
  if (isResource && metadata.type !== 'object') errors.push(fieldInvalid(`${at}.type`, metadata.type ?? '', 'must be object'))
  if (level !== 'root') return errors
  const { type: _type, default: _default, properties = {}, ...rest } = metadata
  const onlyNames = Object.keys(properties).every((name) => name === 'name' || name === 'generateName')
  if (!onlyNames || Object.keys(rest).length > 0) {
    errors.push(fieldForbidden(at, 'must not specify anything other than name and generateName, but metadata is implicitly specified'))
  }
  return errors
}

interface Skips {
  readonly anyOf: boolean
  readonly firstAllOf: boolean
}

function checkValueValidation(schema: JsonSchema, path: string, skips: Skips): FieldError[] {
  const errors: FieldError[] = []
  if (!skips.anyOf) for (const [i, option] of (schema.anyOf ?? []).entries()) errors.push(...checkNested(option, `${path}.anyOf[${i}]`, false))
  for (const [i, option] of (schema.allOf ?? []).entries()) errors.push(...checkNested(option, `${path}.allOf[${i}]`, skips.firstAllOf && i === 0))
  for (const [i, option] of (schema.oneOf ?? []).entries()) errors.push(...checkNested(option, `${path}.oneOf[${i}]`, false))
  for (const option of one(schema.not)) errors.push(...checkNested(option, `${path}.not`, false))
  const { pattern = '' } = schema
  if (pattern === '') return errors
  try {
    compilePattern(pattern)
  } catch (error) {
    if (!(error instanceof PatternSyntaxError)) throw error
    errors.push(fieldInvalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${error.message}`))
  }
  return errors
}

const forbiddenNested = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
] as const

/** A schema within allOf, anyOf, oneOf, not: it may only speak of values. */
function checkNested(schema: JsonSchema, path: string, skipAnyOf: boolean): FieldError[] {
  const errors = checkValueValidation(schema, path, { anyOf: skipAnyOf, firstAllOf: false })
  for (const items of one(schema.items)) errors.push(...checkNested(items, `${path}.items`, false))
  for (const [name, child] of Object.entries(schema.properties ?? {})) errors.push(...checkNested(child, property(path, name), false))
  for (const [keyword, detail] of forbiddenNested) {
    const value = schema[keyword]
    if (value === undefined || value === '' || value === false || (Array.isArray(value) && value.length === 0)) continue
    errors.push(fieldForbidden(`${path}.${keyword}`, detail))
  }
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) {
    errors.push(fieldForbidden(`${path}.additionalProperties`, 'must be undefined to be structural'))
  }
  if (schema.properties?.['metadata'] !== undefined) errors.push(fieldForbidden(property(path, 'metadata'), 'must not be specified in a nested context'))
  return errors
}

interface Paths {
  readonly schemaPath: string
  readonly valuePath: string
}

/** Whatever is said about a value within allOf and the like must have its place in the structure too. */
function checkCompleteness(values: JsonSchema, schema: JsonSchema | undefined, { schemaPath, valuePath }: Paths): FieldError[] {
  const nested: [JsonSchema, string][] = [
    ...one(values.not).map((option): [JsonSchema, string] => [option, `${valuePath}.not`]),
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap((keyword) =>
      (values[keyword] ?? []).map((option, i): [JsonSchema, string] => [option, `${valuePath}.${keyword}[${i}]`]),
    ),
  ]
  return nested.flatMap(([option, path]) => checkNestedCompleteness(option, schema, { schemaPath, valuePath: path }))
}

function checkNestedCompleteness(values: JsonSchema, schema: JsonSchema | undefined, { schemaPath, valuePath }: Paths): FieldError[] {
  if (schema === undefined) return [fieldRequired(schemaPath, `because it is defined in ${valuePath}`)]
  const errors = checkCompleteness(values, schema, { schemaPath, valuePath })
  for (const items of one(values.items)) {
    errors.push(...checkNestedCompleteness(items, one(schema.items)[0], { schemaPath: `${schemaPath}.items`, valuePath: `${valuePath}.items` }))
  }
  for (const [name, child] of Object.entries(values.properties ?? {})) {
    errors.push(...checkNestedCompleteness(child, schema.properties?.[name], { schemaPath: property(schemaPath, name), valuePath: property(valuePath, name) }))
  }
  return errors
}

/** Defaults must be what the server would keep, and valid. */
function checkDefaults(schema: JsonSchema, path: string, insideMeta: boolean): FieldError[] {
  const errors: FieldError[] = []
  const { default: value } = schema
  if (value !== undefined && value !== null && !insideMeta) {
    if (!jsonEqual(pruneStructural(structuralNodeOf(schema), value), value)) errors.push(fieldInvalid(`${path}.default`, value, 'must not have unknown fields'))
    errors.push(...validateSchemaValue(schema, value, `${path}.default`))
  }
  for (const items of one(schema.items)) errors.push(...checkDefaults(items, `${path}.items`, insideMeta))
  const isResource = schema['x-kubernetes-embedded-resource'] === true
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    errors.push(...checkDefaults(child, property(path, name), insideMeta || (isResource && typeAndMeta.has(name))))
  }
  return errors
}

interface Place {
  readonly isRoot: boolean
  readonly insideMeta: boolean
  /** Why no default may be set here. */
  readonly noDefaults: string | undefined
}

const knownTypes = ['array', 'boolean', 'integer', 'number', 'object', 'string']

function checkKeywords(schema: JsonSchema, path: string, place: Place): FieldError[] {
  const errors = checkAllowedKeywords(schema, path, place)
  if (schema.uniqueItems === true) {
    errors.push(fieldForbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
  }
  const inner = { ...place, isRoot: false }
  const { additionalProperties, properties = {} } = schema
  if (additionalProperties !== undefined) {
    if (Object.keys(properties).length > 0 && additionalProperties !== true) {
      errors.push(fieldForbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
    }
    const noDefaults = place.insideMeta ? 'inside additionalProperties applying to object metadata' : place.noDefaults
    for (const of of one(additionalProperties)) errors.push(...checkKeywords(of, `${path}.additionalProperties`, { ...inner, noDefaults }))
  }
  const isResource = place.isRoot || schema['x-kubernetes-embedded-resource'] === true
  for (const [name, child] of Object.entries(properties)) {
    const isMeta = isResource && typeAndMeta.has(name)
    const noDefaults = isMeta && place.isRoot ? `in top-level ${name}` : place.noDefaults
    errors.push(...checkKeywords(child, property(path, name), { isRoot: false, insideMeta: place.insideMeta || isMeta, noDefaults }))
  }
  for (const not of one(schema.not)) errors.push(...checkKeywords(not, `${path}.not`, inner))
  for (const keyword of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [i, option] of (schema[keyword] ?? []).entries()) errors.push(...checkKeywords(option, `${path}.${keyword}[${i}]`, inner))
  }
  for (const items of one(schema.items)) errors.push(...checkKeywords(items, `${path}.items`, inner))
  if (schema['x-kubernetes-preserve-unknown-fields'] === false) {
    errors.push(fieldInvalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'))
  }
  return [...errors, ...checkMapType(schema, path), ...checkListType(schema, path), ...checkRules(schema, path)]
}

function checkAllowedKeywords(schema: JsonSchema, path: string, { insideMeta, noDefaults }: Place): FieldError[] {
  const errors: FieldError[] = []
  const { type = '' } = schema
  if (type !== '' && !knownTypes.includes(type)) errors.push(fieldNotSupported(`${path}.type`, type, knownTypes))
  if (schema.default !== undefined && schema.default !== null && noDefaults !== undefined) {
    errors.push(fieldForbidden(`${path}.default`, `must not be set ${noDefaults}`))
  }
  for (const keyword of ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'] as const) {
    if (schema[keyword] !== undefined && schema[keyword] !== '') errors.push(fieldForbidden(`${path}.${keyword}`, `${keyword} is not supported`))
  }
  if (type === 'null') errors.push(fieldForbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'))
  if (Array.isArray(schema.items)) errors.push(fieldForbidden(`${path}.items`, 'items must be a schema object and not an array'))
  if (insideMeta && schema['x-kubernetes-embedded-resource'] === true) {
    errors.push(fieldForbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'))
  }
  return errors
}

function checkMapType(schema: JsonSchema, path: string): FieldError[] {
  const mapType = schema['x-kubernetes-map-type']
  if (mapType === undefined) return []
  const errors: FieldError[] = []
  const { type = '' } = schema
  if (type !== 'object') {
    const detail = 'must be object if x-kubernetes-map-type is specified'
    errors.push(type === '' ? fieldRequired(`${path}.type`, detail) : fieldInvalid(`${path}.type`, type, detail))
  }
  if (mapType !== 'atomic' && mapType !== 'granular') errors.push(fieldNotSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']))
  return errors
}

function checkListType(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { type = '' } = schema
  const listType = schema['x-kubernetes-list-type']
  const listTypePath = `${path}.x-kubernetes-list-type`
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const items = one(schema.items)[0]
  if (listType !== undefined) {
    if (type !== 'array') {
      const detail = 'must be array if x-kubernetes-list-type is specified'
      errors.push(type === '' ? fieldRequired(`${path}.type`, detail) : fieldInvalid(`${path}.type`, type, detail))
    } else if (listType === 'set' && items !== undefined) {
      errors.push(...checkSetItems(items, `${path}.items`))
    }
    if (!['atomic', 'set', 'map'].includes(listType)) errors.push(fieldNotSupported(listTypePath, listType, ['atomic', 'set', 'map']))
  }
  if (keys.length > 0 && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty'
    errors.push(listType === undefined ? fieldRequired(listTypePath, detail) : fieldInvalid(listTypePath, listType, detail))
  }
  if (listType === 'map') errors.push(...checkListMap({ schema, items, keys }, path))
  if ((listType === 'map' || listType === 'set') && items?.nullable === true) {
    errors.push(fieldForbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`))
  }
  return errors
}

function checkSetItems(items: JsonSchema, path: string): FieldError[] {
  const detail = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = items['x-kubernetes-list-type']
  if (items.type === 'array' && listType !== undefined && listType !== 'atomic') return [fieldInvalid(`${path}.x-kubernetes-list-type`, listType, detail)]
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic') return [fieldInvalid(`${path}.x-kubernetes-map-type`, null, detail)]
  return []
}

interface ListMap {
  readonly schema: JsonSchema
  readonly items: JsonSchema | undefined
  readonly keys: readonly string[]
}

function checkListMap({ schema, items, keys }: ListMap, path: string): FieldError[] {
  const errors: FieldError[] = []
  const keysPath = `${path}.x-kubernetes-list-map-keys`
  if (keys.length === 0) errors.push(fieldRequired(keysPath, 'must not be empty if x-kubernetes-list-type is map'))
  if (schema.items === undefined) errors.push(fieldRequired(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'))
  if (items === undefined) return errors
  if (items.type !== 'object') {
    errors.push(fieldInvalid(`${path}.items.type`, items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map"))
    return errors
  }
  for (const [i, key] of keys.entries()) {
    const child = items.properties?.[key]
    const at = property(`${path}.items`, key)
    if (child === undefined) errors.push(fieldInvalid(keysPath, keys, 'entries must all be names of item properties'))
    else if (child.type === 'array' || child.type === 'object') {
      errors.push(fieldInvalid(`${at}.type`, items.type, "must be a scalar type if parent array's x-kubernetes-list-type is map"))
    }
    if (keys.indexOf(key) < i) errors.push(fieldInvalid(keysPath, keys, 'must not contain duplicate entries'))
    if (child === undefined) continue
    if (items.required?.includes(key) !== true && (child.default === undefined || child.default === null)) {
      const detail = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
      errors.push(fieldRequired(`${at}.default`, detail))
    }
    if (child.nullable === true) errors.push(fieldForbidden(`${at}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'))
  }
  return errors
}

const ruleReasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

function checkRules(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [i, value] of (schema['x-kubernetes-validations'] ?? []).entries()) {
    const rule: Readonly<Record<string, unknown>> = isJsonObject(value) ? value : {}
    const at = `${path}.x-kubernetes-validations[${i}]`
    const text = (key: string): string => (typeof rule[key] === 'string' ? rule[key] : '')
    const [expression, message, messageExpression, fieldPath] = [text('rule'), text('message'), text('messageExpression'), text('fieldPath')]
    if (expression.trim() === '') errors.push(fieldRequired(`${at}.rule`, 'rule is not specified'))
    else if (message !== '' && message.trim() === '') errors.push(fieldInvalid(`${at}.message`, message, 'must be non-empty if specified'))
    else if (hasLineBreak(message.trim())) errors.push(fieldInvalid(`${at}.message`, message, 'must not contain line breaks'))
    else if (hasLineBreak(expression.trim()) && message.trim() === '') {
      errors.push(fieldRequired(`${at}.message`, 'message must be specified if rule contains line breaks'))
    }
    if (messageExpression !== '' && messageExpression.trim() === '') {
      errors.push(fieldRequired(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'))
    }
    if (rule['reason'] !== undefined && !ruleReasons.includes(text('reason'))) errors.push(fieldNotSupported(`${at}.reason`, rule['reason'], ruleReasons))
    if (fieldPath !== '' && fieldPath.trim() === '') errors.push(fieldInvalid(`${at}.fieldPath`, fieldPath, 'must be non-empty if specified'))
    if (hasLineBreak(fieldPath)) errors.push(fieldInvalid(`${at}.fieldPath`, fieldPath, 'must not contain line breaks'))
  }
  return errors
}

function hasLineBreak(text: string): boolean {
  return /[\r\n]/.test(text)
}
