import type { JsonSchema } from '@gantry/apimachinery'

// Formats that values are held against. Upstream: apiextensions-apiserver pkg/apiserver/validation/formats.go.
const ofText: ReadonlySet<string> = new Set(
  (
    'bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor byte password date duration datetime ' +
    'k8sshortname k8slongname'
  ).split(' '),
)
const ofNumbers: Readonly<Record<string, readonly string[]>> = { integer: ['int32', 'int64'], number: ['float', 'double'] }

function isKnown(format: string, type: string): boolean {
  if (type === '' || type === 'string') return ofText.has(format.replaceAll('-', ''))
  return ofNumbers[type]?.includes(format) === true
}

// Where a schema has others in it: one or a list of them, or by name.
const schemas: ReadonlySet<string> = new Set(['items', 'additionalItems', 'additionalProperties', 'not', 'allOf', 'anyOf', 'oneOf'])
const maps: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'definitions', 'dependencies'])

/** Formats anywhere in a schema that nothing is held against. */
export function unknownFormats(schema: JsonSchema): string[] {
  const found: string[] = []
  const visit = (at: JsonSchema): void => {
    if (at.format !== undefined && at.format !== '' && !isKnown(at.format, at.type ?? '')) found.push(at.format)
    for (const [key, value] of Object.entries(at)) {
      if (maps.has(key)) for (const inner of Object.values(value as object)) visitAny(inner)
      else if (schemas.has(key)) visitAny(value)
    }
  }
  const visitAny = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visitAny)
    else if (typeof value === 'object' && value !== null) visit(value)
  }
  visit(schema)
  return found
}
