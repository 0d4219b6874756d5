import fc from 'fast-check'
import type { Definitions, Scalar, Schema } from '../src/schema.ts'

const short = fc.constantFrom('a', 'b', 'web', 'x-1', '', '80', 'ü')

const scalars: Readonly<Record<Scalar, fc.Arbitrary<unknown>>> = {
  string: short,
  bool: fc.boolean(),
  int32: fc.constantFrom(0, 1, 80, -5, 2_147_483_647, -2_147_483_648),
  int64: fc.constantFrom(0, 1, -7, 4_294_967_296, 9_007_199_254_740_991),
  number: fc.constantFrom(0.5, 1, -3.25),
  bytes: fc.constantFrom('', 'YQ==', 'aGVsbG8='),
  time: fc.constantFrom('2026-01-02T03:04:05Z', '1999-12-31T23:59:59Z'),
  microTime: fc.constantFrom('2026-01-02T03:04:05.000006Z', '1999-12-31T23:59:59.123456Z'),
  duration: fc.constantFrom('1h0m0s', '1.5s'),
  quantity: fc.constantFrom('1', '100m', '1536Mi'),
  intOrString: fc.constantFrom<unknown>(80, 'http', '50%', 0),
}

/** Objects of a schema, at most `depth` levels deep; each field is there one time in three. */
export function arbitraryOf(schema: Schema, definitions: Definitions, depth: number): fc.Arbitrary<unknown> {
  switch (schema.kind) {
    case 'scalar':
      return scalars[schema.scalar]
    case 'list':
      return fc.array(arbitraryOf(schema.of, definitions, depth - 1), { maxLength: 2 })
    case 'map':
      return fc.dictionary(fc.constantFrom('k1', 'app', 'a.b/c'), arbitraryOf(schema.of, definitions, depth - 1), { maxKeys: 2 })
    case 'ref': {
      const target = definitions.get(schema.ref)
      return target === undefined ? fc.constant({}) : arbitraryOf(target, definitions, depth)
    }
    case 'object': {
      if (depth <= 0) return fc.constant({})
      const fields: Record<string, fc.Arbitrary<unknown>> = {}
      for (const field of schema.fields) {
        if (field.name === 'apiVersion' || field.name === 'kind' || field.name === 'managedFields') continue
        const value = fc.constant(undefined).chain(() => arbitraryOf(field.schema, definitions, depth - 1))
        fields[field.name] = fc.oneof({ arbitrary: fc.constant(undefined), weight: 2 }, { arbitrary: value, weight: 1 })
      }
      return fc.record(fields).map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)))
    }
    case 'any':
      return anyValue(schema.any)
  }
}

function anyValue(any: string): fc.Arbitrary<unknown> {
  switch (any) {
    case 'rawExtension':
    case 'object':
      return fc.constant({ apiVersion: 'v1', kind: 'Foo', x: [1, 'a'] })
    case 'fieldsV1':
      return fc.constant({ 'f:a': {} })
    case 'jsonSchemaPropsOrBool':
      return fc.constantFrom<unknown>(true, false, { type: 'string' })
    case 'jsonSchemaPropsOrArray':
      return fc.constantFrom<unknown>({ type: 'string' }, [{ type: 'string' }])
    case 'jsonSchemaPropsOrStringArray':
      return fc.constantFrom<unknown>(['a', 'b'], { type: 'string' })
    default:
      return fc.constantFrom<unknown>(1, 'a', { b: [true] }, ['x'])
  }
}
