import type { OpenApiNode } from './openapi-schema.ts'

const oldRefPrefix = '#/components/schemas/'
const refPrefix = '#/definitions/'
const methods = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch'])
const anyMedia = ['*/*']

/** A path of an OpenAPI v3 document as v2 (Swagger 2.0) has it. `entry`: the path stands above the resources, and is said to take what it answers with; those that answer with text take nothing. */
export function toSwaggerPath(path: OpenApiNode, entry?: { readonly type?: string | undefined }): OpenApiNode {
  return Object.fromEntries(
    Object.entries(path).map(([key, value]) => {
      if (key === 'parameters') return [key, (value as readonly OpenApiNode[]).map(toParameter)]
      if (!methods.has(key)) return [key, value]
      const { consumes, ...operation } = toOperation(value as OpenApiNode)
      const taken = entry === undefined ? consumes : entry.type === undefined ? undefined : operation['produces']
      return [key, taken === undefined ? operation : { ...operation, consumes: taken }]
    }),
  )
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: OpenApiNode }>>
}

function toOperation(operation: OpenApiNode): OpenApiNode {
  const { requestBody, responses, parameters, ...rest } = operation as OpenApiNode & {
    readonly requestBody?: Content & { readonly required?: boolean }
    readonly responses: Readonly<Record<string, Content & { readonly description: string }>>
    readonly parameters?: readonly OpenApiNode[]
  }
  const success = Object.values(responses).find(({ content }) => content !== undefined)?.content ?? {}
  const body =
    requestBody === undefined ? [] : [{ name: 'body', in: 'body', ...(requestBody.required === true ? { required: true } : {}), ...schemaOf(requestBody) }]
  return {
    ...rest,
    consumes: requestBody === undefined ? anyMedia : inOrder(Object.keys(requestBody.content ?? {})),
    produces: Object.keys(success).length === 0 ? anyMedia : inOrder(Object.keys(success)),
    schemes: ['https'],
    ...(body.length + (parameters ?? []).length > 0 && { parameters: [...body, ...(parameters ?? []).map(toParameter)] }),
    responses: Object.fromEntries(Object.entries(responses).map(([code, response]) => [code, { description: response.description, ...schemaOf(response) }])),
  }
}

const mediaOrder = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json;stream=watch',
  'application/vnd.kubernetes.protobuf;stream=watch',
]

/** Version 2 names media types as the server prefers them, version 3 by their letters. */
function inOrder(media: readonly string[]): string[] {
  return media.toSorted((one, other) => mediaOrder.indexOf(one) - mediaOrder.indexOf(other))
}

function schemaOf({ content }: Content): OpenApiNode {
  const schema = Object.values(content ?? {})[0]?.schema
  return schema === undefined ? {} : { schema: toSwaggerSchema(schema) }
}

function toParameter({ schema, ...rest }: OpenApiNode): OpenApiNode {
  return { ...(schema as OpenApiNode | undefined), ...rest }
}

// What v2 has no word for. Defaults are left out as upstream does: clients of v2 never saw them.
const unknown = new Set(['allOf', 'anyOf', 'oneOf', 'not', 'nullable', 'default', 'x-kubernetes-validations'])

/** A schema of an OpenAPI v3 document as v2 has it. */
export function toSwaggerSchema(schema: OpenApiNode): OpenApiNode {
  const node: OpenApiNode = {}
  for (const key in schema) {
    const value = schema[key]
    if (key === '$ref') node['$ref'] = toRef(value)
    else if (key === 'properties') node['properties'] = mapSchemas(value as Record<string, OpenApiNode>)
    else if (key === 'items' || key === 'additionalProperties') node[key] = isNode(value) ? toSwaggerSchema(value) : value
    else if (!unknown.has(key)) node[key] = value
  }
  const [only, ...others] = (schema['allOf'] as readonly OpenApiNode[] | undefined) ?? []
  // A reference with words beside it: v3 wraps it.
  if (only?.['$ref'] !== undefined && others.length === 0) node['$ref'] = toRef(only['$ref'])
  // Numbers and texts at once are texts to readers of v2.
  if (schema['oneOf'] !== undefined && schema['type'] === undefined) node['type'] = 'string'
  // kubectl of old refuses fields that it does not find beside others, so where more may come it is told of none.
  if (schema['nullable'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true) {
    for (const key of ['properties', 'items', 'additionalProperties', 'required']) delete node[key]
    if (schema['nullable'] === true) delete node['type']
  }
  return node
}

function mapSchemas(schemas: Readonly<Record<string, OpenApiNode>>): Record<string, OpenApiNode> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toSwaggerSchema(schema)]))
}

function toRef(ref: unknown): string {
  return String(ref).replace(oldRefPrefix, refPrefix)
}

function isNode(value: unknown): value is OpenApiNode {
  return typeof value === 'object' && value !== null
}
