import type { JsonSchema } from '@gantry/apimachinery'

/** One entry of `x-kubernetes-validations`. */
export interface ValidationRule {
  readonly rule: string
  readonly message?: string
  readonly messageExpression?: string
  readonly reason?: string
  readonly fieldPath?: string
  readonly optionalOldSelf?: boolean
}

/** The rules of a schema node; what is not a rule has been refused before. */
export function rulesOf(schema: JsonSchema): readonly ValidationRule[] {
  return (schema['x-kubernetes-validations'] ?? []) as readonly ValidationRule[]
}

/** The schema of a list's items, where there is one for all. */
export function itemsOf(schema: JsonSchema): JsonSchema | undefined {
  const { items } = schema
  return items === undefined || Array.isArray(items) ? undefined : (items as JsonSchema)
}

/** The schema of a map's values. */
export function valuesOf(schema: JsonSchema): JsonSchema | undefined {
  const { additionalProperties } = schema
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

export function isEmbedded(schema: JsonSchema): boolean {
  return schema['x-kubernetes-embedded-resource'] === true
}

/** A path of fields and map keys, such as `.spec['a.b']`. */
export interface FieldPath {
  /** As error fields spell it: `spec.labels[a]`. */
  readonly text: string
  readonly root: string
  readonly schema: JsonSchema
}

/** Follows a path through a schema; a text says what is wrong with it. Upstream: ValidFieldPath in pkg/apiserver/schema/cel/validation.go. */
export function followFieldPath(path: string, start: JsonSchema, { brackets = true }: { readonly brackets?: boolean } = {}): FieldPath | string {
  const tokens = path.match(/'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]]+/g) ?? []
  let schema = start
  let text = ''
  let root = ''
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]
    let name: string | undefined
    if (token === '[') {
      if (!brackets) return 'array notation is not allowed'
      const quoted = tokens[++i]
      if (quoted === undefined) return 'unexpected end of JSON path'
      if (quoted.length < 2 || !quoted.startsWith("'") || !quoted.endsWith("'")) return `expected single quoted string but got ${quoted}`
      name = unescapeQuoted(quoted.slice(1, -1))
      if (name === undefined) return `invalid string literal: invalid escape char ${/\\[^abfnrtv'\\]/.exec(quoted)?.[0] ?? ''}`
      const close = tokens[++i]
      if (close === undefined) return 'unexpected end of JSON path'
      if (close !== ']') return `expected ] but got ${close}`
    } else if (token === '.') {
      name = tokens[++i]
      if (name === undefined) return 'unexpected end of JSON path'
    } else return `expected [ or . but got: ${token ?? ''}`
    const property = schema.properties?.[name]
    const values = valuesOf(schema)
    if (schema.properties !== undefined) {
      if (property === undefined) return 'does not refer to a valid field'
      text = text === '' ? name : `${text}.${name}`
      schema = property
    } else if (values !== undefined) {
      text = `${text}[${name}]`
      schema = values
    } else return 'does not refer to a valid field'
    if (root === '') root = name
  }
  return { text, root, schema }
}

const quotedEscapes: Readonly<Record<string, string>> = { a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', "'": "'", '\\': '\\' }

function unescapeQuoted(text: string): string | undefined {
  let isValid = true
  const result = text.replaceAll(/\\(.)/gu, (_, char: string) => {
    const unescaped = quotedEscapes[char]
    if (unescaped === undefined) isValid = false
    return unescaped ?? ''
  })
  return isValid ? result : undefined
}
