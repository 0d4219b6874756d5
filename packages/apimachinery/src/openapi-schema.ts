import type { Field, ListSchema, ObjectSchema, RefSchema, Scalar, Schema } from './schema.ts'
import { objectMetaDefinition } from './structural-schema.ts'
import type { JsonSchema } from './structural-schema.ts'

/** A JSON object of the document. */
export type OpenApiNode = Record<string, unknown>

export interface OpenApiSchema {
  readonly node: OpenApiNode
  /** Names of the definitions it refers to. */
  readonly refs: ReadonlySet<string>
}

const refPrefix = '#/components/schemas/'

/** Properties that are texts; one that is always there has a default. */
function text(names: readonly string[], always: boolean): Record<string, OpenApiNode> {
  return Object.fromEntries(names.map((name) => [name, always ? { type: 'string', default: '' } : { type: 'string' }]))
}

/** Definitions that are no structs of the type table. */
export const plainDefinitions: Readonly<Record<string, OpenApiNode>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': { description: 'A time in RFC 3339, in whole seconds.', type: 'string', format: 'date-time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { description: 'A time in RFC 3339, in microseconds.', type: 'string', format: 'date-time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.Duration': { description: 'A duration as Go writes it, such as 1h30m.', type: 'string' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { description: 'A set of fields: each key is f:<name>, k:<keys>, v:<value> or i:<index>.', type: 'object' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': { description: 'The body of a patch, in the form its content type says.', type: 'object' },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': {
    description: 'A fixed-point number with an optional suffix, such as 500m or 1Gi.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': {
    description: 'An integer or a text.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  'io.k8s.apimachinery.pkg.version.Info': {
    description: 'Which release the server is, and how it was built.',
    type: 'object',
    required: ['major', 'minor', 'gitVersion', 'gitCommit', 'gitTreeState', 'buildDate', 'goVersion', 'compiler', 'platform'],
    properties: {
      ...text(['buildDate', 'compiler'], true),
      ...text(['emulationMajor', 'emulationMinor'], false),
      ...text(['gitCommit', 'gitTreeState', 'gitVersion', 'goVersion', 'major'], true),
      ...text(['minCompatibilityMajor', 'minCompatibilityMinor'], false),
      ...text(['minor', 'platform'], true),
    },
  },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { description: 'An object of any kind.', type: 'object' },
}

const scalarRefs: Partial<Record<Scalar, string>> = {
  time: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
  microTime: 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime',
  duration: 'io.k8s.apimachinery.pkg.apis.meta.v1.Duration',
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
}

const scalarTypes: Partial<Record<Scalar, OpenApiNode>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  number: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
}

/** What Go's zero value of a list or map element is: upstream names it as the element's default. */
const elementDefaults: Partial<Record<Scalar, unknown>> = { string: '', bool: false, int32: 0, int64: 0, number: 0 }

/** An object schema as OpenAPI v3 has it, as upstream publishes it. A custom resource's schema is published as its definition has it. */
export function openApiSchemaOf(schema: ObjectSchema): OpenApiSchema {
  const refs = new Set<string>()
  const writer = new SchemaWriter(refs, schema.name ?? '')
  const node = schema.structural === true ? writer.structural(schema) : writer.object(schema)
  return { node, refs }
}

class SchemaWriter {
  readonly #refs: Set<string>
  readonly #owner: string

  constructor(refs: Set<string>, owner: string) {
    this.#refs = refs
    this.#owner = owner
  }

  object(schema: ObjectSchema): OpenApiNode {
    const fields = schema.fields.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const required = schema.fields.filter((field) => field.required === true).map((field) => field.name)
    return {
      ...described(schema),
      type: 'object',
      ...(required.length === 0 ? {} : { required }),
      ...(fields.length === 0 ? {} : { properties: Object.fromEntries(fields.map((field) => [field.name, this.#field(field)])) }),
      ...extension('x-kubernetes-map-type', schema.mapType),
      ...extension('x-kubernetes-unions', schema.unions),
    }
  }

  #field(field: Field): OpenApiNode {
    const { schema } = field
    const common = { ...described(schema), ...(schema.default === undefined ? {} : { default: schema.default }) }
    return { ...common, ...this.#type(schema, true), ...extensionsOf(schema) }
  }

  /** Upstream writes a bare reference only where nothing else is said about the value. */
  #ref(name: string, wrapped: boolean): OpenApiNode {
    this.#refs.add(name)
    const ref = { $ref: refPrefix + name }
    return wrapped ? { allOf: [ref] } : ref
  }

  #type(schema: Schema, wrapped: boolean): OpenApiNode {
    switch (schema.kind) {
      case 'scalar': {
        const ref = scalarRefs[schema.scalar]
        if (ref !== undefined) return this.#ref(ref, wrapped)
        return { ...scalarTypes[schema.scalar], ...(schema.enum === undefined ? {} : { enum: schema.enum }) }
      }
      case 'ref':
        return this.#ref(schema.ref, wrapped)
      case 'list':
        return { type: 'array', items: this.#element(schema.of) }
      case 'map':
        return { type: 'object', additionalProperties: this.#element(schema.of) }
      case 'object':
        return this.object(schema)
      case 'any':
        return this.#any(schema.any, wrapped)
    }
  }

  #element(schema: Schema): OpenApiNode {
    if (schema.kind === 'ref') return { default: {}, ...this.#ref(schema.ref, true) }
    const zero = schema.kind === 'scalar' ? elementDefaults[schema.scalar] : undefined
    return { ...(zero === undefined ? {} : { default: zero }), ...this.#type(schema, false) }
  }

  #any(any: string, wrapped: boolean): OpenApiNode {
    if (any === 'rawExtension') return this.#ref('io.k8s.apimachinery.pkg.runtime.RawExtension', wrapped)
    if (any === 'fieldsV1') return this.#ref('io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1', wrapped)
    const neighbor = any === 'json' ? 'JSON' : any.startsWith('jsonSchemaPropsOr') ? any.replace('jsonSchemaProps', 'JSONSchemaProps') : undefined
    // These types live beside the struct that uses them, and allow anything.
    return neighbor === undefined || this.#owner === '' ? { type: 'object' } : this.#ref(this.#owner.replace(/[^.]+$/, neighbor), wrapped)
  }

  structural(schema: ObjectSchema): OpenApiNode {
    const raw: JsonSchema = schema.validations ?? {}
    const meta = Object.fromEntries(schema.fields.filter((field) => isTypeOrMeta(field.name)).map((field) => [field.name, this.#field(field)]))
    const { type: _type, ...node } = this.#structuralNode(raw)
    const properties = { ...(node['properties'] as OpenApiNode | undefined), ...meta }
    return { ...described(schema), type: 'object', ...node, properties: sortedByKey(properties) }
  }

  /** JSONSchemaProps is OpenAPI but for two extensions, which are spelled out for clients that do not know them. */
  #structuralNode(raw: JsonSchema): OpenApiNode {
    const node: OpenApiNode = { ...raw }
    const { properties, items, additionalProperties } = raw
    if (properties !== undefined) {
      node['properties'] = sortedByKey(Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, this.#structuralNode(child)])))
    }
    if (isSchema(items)) node['items'] = this.#structuralNode(items)
    if (isSchema(additionalProperties)) node['additionalProperties'] = this.#structuralNode(additionalProperties)
    if (raw['x-kubernetes-int-or-string'] === true && raw.anyOf === undefined && raw.allOf === undefined) {
      delete node['type']
      node['anyOf'] = [{ type: 'integer' }, { type: 'string' }]
    }
    if (raw['x-kubernetes-embedded-resource'] === true) {
      const embedded = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: this.#ref(objectMetaDefinition, true) }
      node['properties'] = sortedByKey({ ...(node['properties'] as OpenApiNode | undefined), ...embedded })
    }
    return node
  }
}

function isSchema(value: JsonSchema | readonly JsonSchema[] | boolean | undefined): value is JsonSchema {
  return typeof value === 'object' && !Array.isArray(value)
}

function isTypeOrMeta(name: string): boolean {
  return name === 'apiVersion' || name === 'kind' || name === 'metadata'
}

function sortedByKey(object: OpenApiNode): OpenApiNode {
  return Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function described(schema: Schema): OpenApiNode {
  return schema.description === undefined ? {} : { description: schema.description }
}

function extension(name: string, value: unknown): OpenApiNode {
  return value === undefined ? {} : { [name]: value }
}

function extensionsOf(schema: Schema): OpenApiNode {
  switch (schema.kind) {
    case 'list':
      return listExtensions(schema)
    case 'map':
      return extension('x-kubernetes-map-type', schema.mapType)
    case 'ref':
      return refExtensions(schema)
    case 'scalar':
    case 'object':
    case 'any':
      return {}
  }
}

function listExtensions(schema: ListSchema): OpenApiNode {
  return {
    ...extension('x-kubernetes-list-map-keys', schema.listMapKeys),
    ...extension('x-kubernetes-list-type', schema.listType),
    ...extension('x-kubernetes-patch-merge-key', schema.patchMergeKey),
    ...extension('x-kubernetes-patch-strategy', schema.patchStrategy),
  }
}

function refExtensions(schema: RefSchema): OpenApiNode {
  return { ...extension('x-kubernetes-map-type', schema.mapType), ...extension('x-kubernetes-patch-strategy', schema.patchStrategy) }
}
