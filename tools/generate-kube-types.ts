/**
 * Writes the TypeScript interfaces of the built-in kinds from the fact table: `node tools/generate-kube-types.ts`. With `--check` it writes nothing and exits 1
 * when the file on disk is another one.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { FieldFacts, TypeFacts, TypeShape, TypeTable } from '@gantry/apimachinery'

const tableFile = new URL('../kubernetes/api/generated/types.json', import.meta.url)
const outputFile = new URL('../kubernetes/api/src/generated/types.ts', import.meta.url)

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
// These two are the client's own, so that every kind is a KubeObject.
const fromClient: Readonly<Record<string, string>> = {
  [objectMeta]: 'ObjectMeta',
  'io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference': 'OwnerReference',
}

const plainTypes: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'number',
  int64: 'number',
  float64: 'number',
  bytes: 'Base64',
  Time: 'Time',
  MicroTime: 'Time',
  Duration: 'string',
  Quantity: 'Quantity',
  IntOrString: 'IntOrString',
  RawExtension: 'unknown',
  FieldsV1: 'Record<string, unknown>',
  JSON: 'unknown',
  any: 'unknown',
  JSONSchemaPropsOrBool: 'JSONSchemaProps | boolean',
  JSONSchemaPropsOrArray: 'JSONSchemaProps | JSONSchemaProps[]',
  JSONSchemaPropsOrStringArray: 'JSONSchemaProps | string[]',
}

/** `io.k8s.api.events.v1.Event` in parts. */
function partsOf(definition: string): { readonly group: string; readonly version: string; readonly name: string } {
  const [group = '', version = '', name = ''] = definition.split('.').slice(-3)
  return { group, version, name }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

// Whose types keep their short name when another group has one of that name too.
const nameOwners = ['core', 'meta', 'rbac']

/**
 * The short name where one type alone has it, or the type of a name owner has. Otherwise the group stands before it (`EventsEvent`), and the version as well for all but the
 * newest version of a group (`AutoscalingV1HorizontalPodAutoscaler`; the newest keeps the short name when no other group wants it).
 */
function nameTypes(definitions: readonly string[]): ReadonlyMap<string, string> {
  const byName = Map.groupBy(definitions, (definition) => partsOf(definition).name)
  const names = new Map<string, string>()
  for (const [name, sharing] of byName) {
    const groups = new Set(sharing.map((definition) => partsOf(definition).group))
    const owner = groups.size === 1 ? [...groups][0] : nameOwners.find((group) => groups.has(group))
    for (const group of groups) {
      const versions = sharing.filter((definition) => partsOf(definition).group === group).toSorted((a, b) => (a < b ? 1 : -1))
      for (const [age, definition] of versions.entries()) {
        const version = age === 0 ? '' : capitalized(partsOf(definition).version)
        names.set(definition, group === owner && age === 0 ? name : capitalized(group) + version + name)
      }
    }
  }
  return names
}

function generate(table: TypeTable): string {
  const definitions = Object.keys(table.types)
  const names = nameTypes(definitions)
  if (new Set(names.values()).size !== definitions.length) throw new Error('two types got one name')

  function typeOf(shape: TypeShape): string {
    if (shape.enum !== undefined) return `${shape.enum.map((value) => `'${String(value)}'`).join(' | ')} | (string & {})`
    if (shape.k === 'list' && shape.of !== undefined) {
      const of = typeOf(shape.of)
      return /[ |]/.test(of) ? `(${of})[]` : `${of}[]`
    }
    if (shape.k === 'map' && shape.of !== undefined) return `Record<string, ${typeOf(shape.of)}>`
    const type = shape.ref === undefined ? plainTypes[shape.k] : (fromClient[shape.ref] ?? names.get(shape.ref))
    if (type === undefined) throw new Error(`the table has the unknown type ${JSON.stringify(shape)}`)
    return type
  }

  /** Go says omitempty of a `spec` that cannot be empty: a Pod without containers does not exist. */
  function isWholeSpec(field: FieldFacts): boolean {
    const fields = field.type.ref === undefined ? [] : (table.types[field.type.ref]?.fields ?? [])
    return field.name === 'spec' && field.pointer !== true && fields.some((inner) => inner.required === true)
  }

  /** What Go writes as null where nothing was given: pointers, lists, maps and bytes without omitempty, and times, whose omitempty means nothing. */
  function isNullable(field: FieldFacts): boolean {
    if (field.omitZero === true) return false
    if (field.type.k === 'Time') return field.pointer !== true || field.omitEmpty !== true
    return field.omitEmpty !== true && (field.pointer === true || ['list', 'map', 'bytes'].includes(field.type.k))
  }

  function propertyOf(field: FieldFacts, isKind: boolean): string {
    const name = /^[\w$]+$/.test(field.name) ? field.name : `'${field.name}'`
    if (isKind && (field.name === 'kind' || field.name === 'apiVersion')) return `  ${name}?: string`
    if (isKind && field.name === 'metadata') return `  ${name}: ObjectMeta`
    const type = typeOf(field.enum === undefined ? field.type : { ...field.type, enum: field.enum })
    const nullable = isNullable(field) ? `${type} | null` : type
    return field.required === true || isWholeSpec(field) ? `  ${name}: ${nullable}` : `  ${name}?: ${nullable} | undefined`
  }

  function interfaceOf(definition: string, facts: TypeFacts): string {
    const isKind =
      facts.fields.some((field) => field.name === 'metadata' && field.type.ref === objectMeta) && facts.fields.some((field) => field.name === 'kind')
    const properties = facts.fields.map((field) => propertyOf(field, isKind))
    const head = `/** ${definition} */\nexport interface ${names.get(definition) ?? ''} {`
    return properties.length === 0 ? `${head}}` : `${head}\n${properties.join('\n')}\n}`
  }

  const interfaces = Object.entries(table.types)
    .filter(([definition]) => fromClient[definition] === undefined)
    .map(([definition, facts]) => interfaceOf(definition, facts))
  return `// Generated by tools/generate-kube-types.ts from the types of Kubernetes ${table.kubernetesVersion}. Do not edit.
import type { ObjectMeta, OwnerReference } from '@gantry/client'

export type { ObjectMeta, OwnerReference }

/** RFC 3339. */
export type Time = string
/** Base64 text. */
export type Base64 = string
/** \`500m\`, \`1Gi\`. */
export type Quantity = string
export type IntOrString = number | string

${interfaces.join('\n\n')}
`
}

const text = generate(JSON.parse(readFileSync(tableFile, 'utf8')) as TypeTable)
if (process.argv.includes('--check')) {
  if (readFileSync(outputFile, 'utf8') !== text) {
    console.error('kubernetes/api/src/generated/types.ts is not what the type table gives: run node tools/generate-kube-types.ts')
    process.exitCode = 1
  }
} else {
  writeFileSync(outputFile, text)
}
