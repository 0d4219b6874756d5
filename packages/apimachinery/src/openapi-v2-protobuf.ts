import type { OpenApiNode } from './openapi-schema.ts'

// The protobuf form of OpenAPI v2: field numbers of gnostic's openapi.v2 messages, which clients of `…proto-openapi.spec.v2.v1.0+protobuf` read.

type Fields = Readonly<Record<string, readonly [field: number, encode: (value: unknown) => Buffer[]]>>

const wireVarint = 0
const wireFixed64 = 1
const wireBytes = 2

/** The beginning and the end of a document; paths and definitions stand between, each made by its own function. */
export function swaggerHead(version: string): Buffer {
  return Buffer.concat([...delimited(1, Buffer.from('2.0')), ...delimited(2, messageOf(infoFields, 0, { title: 'Kubernetes', version }))])
}

export function swaggerPaths(paths: readonly Buffer[]): Buffer {
  return Buffer.concat(delimited(8, Buffer.concat(paths)))
}

export function swaggerPath(name: string, node: OpenApiNode): Buffer {
  return Buffer.concat(delimited(2, named(name, messageOf(pathFields, 10, node))))
}

export function swaggerDefinitions(definitions: readonly Buffer[]): Buffer {
  return Buffer.concat(delimited(9, Buffer.concat(definitions)))
}

export function swaggerDefinition(name: string, node: OpenApiNode): Buffer {
  return Buffer.concat(delimited(1, named(name, schemaMessage(node))))
}

export function swaggerSecurity(scheme: string, definition: OpenApiNode): Buffer {
  const requirement = Buffer.concat(delimited(1, named(scheme, Buffer.alloc(0))))
  const apiKey = Buffer.concat(delimited(2, messageOf(apiKeyFields, 5, definition)))
  return Buffer.concat([...delimited(12, requirement), ...delimited(13, Buffer.concat(delimited(1, named(scheme, apiKey))))])
}

const infoFields: Fields = { title: text(1), version: text(2) }
const apiKeyFields: Fields = { type: text(1), name: text(2), in: text(3), description: text(4) }

const schemaFields: Fields = {
  $ref: text(1),
  format: text(2),
  title: text(3),
  description: text(4),
  multipleOf: double(6),
  maximum: double(7),
  exclusiveMaximum: flag(8),
  minimum: double(9),
  exclusiveMinimum: flag(10),
  maxLength: whole(11),
  minLength: whole(12),
  pattern: text(13),
  maxItems: whole(14),
  minItems: whole(15),
  uniqueItems: flag(16),
  maxProperties: whole(17),
  minProperties: whole(18),
  required: texts(19),
  enum: [20, (values) => (values as readonly unknown[]).flatMap((value) => delimited(20, anyMessage(value)))],
  additionalProperties: [
    21,
    (value) => delimited(21, typeof value === 'boolean' ? Buffer.concat(varintField(2, value ? 1 : 0)) : Buffer.concat(delimited(1, schemaMessage(value)))),
  ],
  type: [22, (value) => delimited(22, Buffer.concat(delimited(1, Buffer.from(String(value)))))],
  items: [23, (value) => delimited(23, Buffer.concat(delimited(1, schemaMessage(value))))],
  properties: [
    25,
    (value) =>
      delimited(
        25,
        Buffer.concat(Object.entries(value as Record<string, unknown>).flatMap(([name, schema]) => delimited(1, named(name, schemaMessage(schema))))),
      ),
  ],
  example: [30, (value) => delimited(30, anyMessage(value))],
}

const operationFields: Fields = {
  tags: texts(1),
  description: text(3),
  operationId: text(5),
  produces: texts(6),
  consumes: texts(7),
  parameters: parameters(8),
  responses: [
    9,
    (value) =>
      delimited(
        9,
        Buffer.concat(
          Object.entries(value as Record<string, unknown>).flatMap(([code, response]) =>
            delimited(1, named(code, Buffer.concat(delimited(1, messageOf(responseFields, 5, response))))),
          ),
        ),
      ),
  ],
  schemes: texts(10),
}
const operation = (field: number): Fields[string] => [field, (value) => delimited(field, messageOf(operationFields, 13, value))]
const pathFields: Fields = {
  get: operation(2),
  put: operation(3),
  post: operation(4),
  delete: operation(5),
  options: operation(6),
  head: operation(7),
  patch: operation(8),
  parameters: parameters(9),
}
const responseFields: Fields = { description: text(1), schema: [2, (value) => delimited(2, Buffer.concat(delimited(1, schemaMessage(value))))] }
const bodyFields: Fields = {
  description: text(1),
  name: text(2),
  in: text(3),
  required: flag(4),
  schema: [5, (value) => delimited(5, schemaMessage(value))],
}
const pathParameterFields: Fields = { required: flag(1), in: text(2), description: text(3), name: text(4), type: text(5), uniqueItems: flag(19) }
const queryParameterFields: Fields = { required: flag(1), in: text(2), description: text(3), name: text(4), type: text(6), uniqueItems: flag(20) }

/** Parameter is one of BodyParameter and NonBodyParameter, and that one of four by its place. */
function parameters(field: number): Fields[string] {
  return [field, (values) => (values as readonly OpenApiNode[]).flatMap((value) => delimited(field, Buffer.concat(delimited(1, parameterMessage(value)))))]
}

function parameterMessage(value: OpenApiNode): Buffer {
  if (value['in'] === 'body') return Buffer.concat(delimited(1, messageOf(bodyFields, 6, value)))
  const [place, message] = value['in'] === 'path' ? [4, messageOf(pathParameterFields, 22, value)] : [3, messageOf(queryParameterFields, 23, value)]
  return Buffer.concat(delimited(2, Buffer.concat(delimited(place, message))))
}

function schemaMessage(node: unknown): Buffer {
  return messageOf(schemaFields, 31, node)
}

/** Fields in the order of their numbers; `x-` fields as extensions. */
function messageOf(fields: Fields, extensionField: number, value: unknown): Buffer {
  const node = value as OpenApiNode
  const parts: [number, Buffer[]][] = []
  for (const key in node) {
    const content = node[key]
    if (content === undefined) continue
    const known = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (known !== undefined) parts.push([known[0], known[1](content)])
    else if (key.startsWith('x-')) parts.push([extensionField, delimited(extensionField, named(key, anyMessage(content)))])
  }
  return Buffer.concat(parts.toSorted(([a], [b]) => a - b).flatMap(([, buffers]) => buffers))
}

function named(name: string, value: Buffer): Buffer {
  return Buffer.concat([...delimited(1, Buffer.from(name)), ...delimited(2, value)])
}

/** gnostic's Any carries YAML, which JSON is. */
function anyMessage(value: unknown): Buffer {
  return Buffer.concat(delimited(2, Buffer.from(`${JSON.stringify(value)}\n`)))
}

function text(field: number): Fields[string] {
  return [field, (value) => delimited(field, Buffer.from(String(value)))]
}

function texts(field: number): Fields[string] {
  return [field, (values) => (values as readonly unknown[]).flatMap((value) => delimited(field, Buffer.from(String(value))))]
}

function flag(field: number): Fields[string] {
  return [field, (value) => (value === true ? varintField(field, 1) : [])]
}

function whole(field: number): Fields[string] {
  return [field, (value) => varintField(field, Number(value))]
}

function double(field: number): Fields[string] {
  return [
    field,
    (value) => {
      const bytes = Buffer.allocUnsafe(8)
      bytes.writeDoubleLE(Number(value))
      return [varint((field << 3) | wireFixed64), bytes]
    },
  ]
}

function varintField(field: number, value: number): Buffer[] {
  return [varint((field << 3) | wireVarint), varint(value)]
}

function delimited(field: number, content: Buffer): Buffer[] {
  return [varint((field << 3) | wireBytes), varint(content.length), content]
}

/** Whole numbers from zero on. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}
