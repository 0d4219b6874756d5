import { isJsonObject } from '@gantry/apimachinery'
import type { Json } from '../src/json.ts'
import type { FieldSchema, FieldSchemas } from './field-schemas.ts'
import type { Random } from './random.ts'

export type FieldPath = readonly (string | number)[]

/** One field of an object made into something else, or taken away (`value` is undefined). */
export interface Mutation {
  readonly path: FieldPath
  readonly value: Json
  /** What sort of value this is. */
  readonly sort: string
}

/** A place of an object, there or not. */
interface Site {
  readonly path: FieldPath
  readonly schema: FieldSchema
  readonly present: boolean
  readonly value: Json
}

/** Below this a value made up for a field that is absent stays empty. */
const madeUpDepth = 4

const texts = [
  '',
  ' ',
  'a',
  'b',
  'A',
  'a.b',
  'a/b',
  'a/b/c',
  '-a',
  'a-',
  'a_b',
  'a b',
  '.',
  '..',
  '../a',
  'a/../b',
  '/',
  '/abs',
  '/abs/../x',
  'é',
  '*',
  'a:b',
  'a=b',
  '%41',
  '$(A)',
  'a\nb',
  'example.com',
  'example.com/x',
  'Example.com/X',
  '*.example.com',
  'kubernetes.io/x',
  'requests.cpu',
  'default',
  'None',
  'true',
  '0',
  '1',
  '-1',
  '01',
  '1.5',
  '80',
  '65536',
  '1e3',
  '100m',
  '1Gi',
  '-1Gi',
  '0.5m',
  '1.0001m',
  '12345678901234567890',
  '10%',
  '101%',
  '-5%',
  '192.0.2.1',
  '192.0.2.01',
  '127.0.0.1',
  '0.0.0.0',
  '169.254.1.1',
  '224.0.0.1',
  '::1',
  'fe80::1',
  '2001:db8::1',
  '2001:DB8::1',
  '::ffff:192.0.2.1',
  '192.0.2.0/24',
  '192.0.2.5/24',
  '2001:db8::/64',
  '192.0.2.0/33',
  '2001-02-03T00:00:00Z',
  '2001-02-03T01:00:00+01:00',
  '2001-02-03T00:00:00.123456Z',
  '2001-02-03',
  'https://example.com/x',
  'http://example.com',
  'https://u@example.com/?q#f',
  'object.a',
  '1 +',
  'true && false',
  '.spec.a',
  '0-2,4',
  '2-1',
  '*/5 * * * *',
  '@daily',
  'TZ=UTC 0 0 * * *',
  'UTC',
  'Local',
  'Mars/Base',
  'x'.repeat(15),
  'x'.repeat(16),
  'x'.repeat(63),
  'x'.repeat(64),
  'x'.repeat(253),
  'x'.repeat(254),
  `${'x'.repeat(63)}.${'x'.repeat(63)}`,
  `${'x'.repeat(316)}/a`,
  'é'.repeat(130),
  'x'.repeat(1100),
  '123',
  'SIGTERM',
  'In',
  'Exists',
  'TCP',
  'tcp',
  'http',
  'Always',
]
const numbers = [
  0, -1, 1, 2, 3, 10, 29, 30, 100, 101, 255, 256, 511, 512, 1000, 3600, 30000, 32767, 32768, 65535, 65536, 100_000, 2_147_483_647, 2_147_483_648,
  -2_147_483_648, 4_294_967_296, 1.5, 1e3, 1e12,
]
const wrong = ['text', '', 7, 1.5, -1, true, false, null, [], {}, [1], ['a'], [null], { a: 1 }, { a: { b: 'c' } }]
const keys = [
  '',
  'a',
  'A',
  'a/b',
  'a/b/c',
  '-a',
  'a b',
  '..',
  '.',
  'example.com/x',
  'Example.com/x',
  'kubernetes.io/x',
  'cpu',
  'memory',
  'storage',
  'pods',
  'requests.cpu',
  'requests.example.com/x',
  'limits.memory',
  'count/pods',
  'hugepages-2Mi',
  'x'.repeat(64),
  'x'.repeat(254),
  `${'x'.repeat(254)}/a`,
]

/** Makes mutations of objects of one kind. */
export class Mutations {
  readonly #schemas: FieldSchemas
  readonly #schema: FieldSchema

  constructor(schemas: FieldSchemas, schema: FieldSchema) {
    this.#schemas = schemas
    this.#schema = schema
  }

  /** One mutation somewhere below `under` (such as `['status']`). */
  pick(object: Json, random: Random, under: FieldPath = []): Mutation {
    const sites = this.#sites(object, under)
    const site = random.pick(
      random.chance(0.7)
        ? someOr(
            sites.filter(({ present }) => present),
            sites,
          )
        : sites,
    )
    return { path: site.path, ...this.#change(site, random) }
  }

  #sites(object: Json, under: FieldPath): Site[] {
    const sites: Site[] = []
    const visit = (value: Json, of: FieldSchema, path: FieldPath): void => {
      const schema = this.#schemas.resolve(of)
      const isAbove = path.length < under.length
      if (path.length > 0 && !isAbove) sites.push({ path, schema, present: value !== undefined, value })
      // What others own of an object is one value.
      if (path[1] === 'managedFields' || value === undefined) return
      if (Array.isArray(value)) {
        if (schema.items !== undefined) for (const [at, item] of value.entries()) visit(item, schema.items, [...path, at])
        return
      }
      if (!isJsonObject(value)) return
      if (schema.properties !== undefined) {
        for (const [name, property] of Object.entries(schema.properties)) {
          const isApart = name === 'apiVersion' || name === 'kind' || (name === 'status' && under[0] !== 'status')
          if (path.length === 0 && (isApart || (under.length > 0 && name !== under[0]))) continue
          visit(value[name], property, [...path, name])
        }
        return
      }
      if (schema.additionalProperties !== undefined) for (const [key, item] of Object.entries(value)) visit(item, schema.additionalProperties, [...path, key])
    }
    visit(object, this.#schema, [])
    return sites
  }

  #change(site: Site, random: Random): { readonly value: Json; readonly sort: string } {
    if (site.present && random.chance(0.12)) return { value: undefined, sort: 'dropped' }
    if (random.chance(0.04)) return { value: null, sort: 'null' }
    if (random.chance(0.05)) return { value: random.pick(wrong), sort: 'wrong type' }
    return { value: this.#other(site.schema, site.value, random), sort: site.present ? 'changed' : 'added' }
  }

  #other(schema: FieldSchema, value: Json, random: Random): Json {
    if (Array.isArray(value)) return this.#otherList(schema, value, random)
    if (isJsonObject(value)) {
      const roll = random.next()
      if (roll < 0.15) return {}
      if (roll < 0.25) return { ...value, unknown: 'x' }
      if (schema.additionalProperties !== undefined) return { ...value, [random.pick(keys)]: this.#madeUp(schema.additionalProperties, random, 0) }
      return this.#madeUp(schema, random, 0)
    }
    return this.#madeUp(schema, random, 0)
  }

  #otherList(schema: FieldSchema, value: readonly Json[], random: Random): Json {
    const item = (): Json => this.#madeUp(schema.items ?? {}, random, 1)
    const first = value[0]
    switch (Math.floor(random.next() * 8)) {
      case 0:
        return []
      case 1:
        return value.length === 0 ? [item()] : [...value, first]
      case 2:
        return [...value].reverse()
      case 3:
        return value.slice(1)
      case 4:
        return [...value, null]
      case 5: {
        const many = random.pick([5, 9, 11, 17, 33, 65, 101])
        return Array.from({ length: many }, (_item, at) =>
          isJsonObject(first) && typeof first['name'] === 'string' ? { ...first, name: `${first['name']}-${at}` } : first === undefined ? item() : first,
        )
      }
      default:
        return [...value, item()]
    }
  }

  /** A value that is of the schema's type, often a poor one. */
  #madeUp(of: FieldSchema, random: Random, depth: number): Json {
    const schema = this.#schemas.resolve(of)
    if (schema.enum !== undefined && random.chance(0.7)) return random.pick(schema.enum)
    if (schema.format === 'int-or-string' || (schema.oneOf !== undefined && schema.type === undefined))
      return random.pick<Json>([...numbers, '1', '50%', '100%', '150%', '-1%', 'http', '1.5%', '', '8080', '100m', '1Gi'])
    switch (schema.type) {
      case undefined:
        return random.pick(wrong)
      case 'string':
        if (schema.format === 'date-time')
          return random.pick([
            '2001-02-03T00:00:00Z',
            '2030-01-01T00:00:00Z',
            '2001-02-03T00:00:00.123456Z',
            '2001-02-03',
            '',
            'now',
            '2001-02-03T00:00:00+02:00',
          ])
        if (schema.format === 'byte') return random.pick(['', 'YQ==', 'YQ', '!', 'dmFsdWU=', 'LS0tLS1CRUdJTg=='])
        return random.pick(texts)
      case 'integer':
      case 'number':
        return random.pick(numbers)
      case 'boolean':
        return random.chance(0.5)
      case 'array':
        if (depth >= madeUpDepth || random.chance(0.1)) return []
        return Array.from({ length: random.pick([1, 1, 1, 2]) }, () => this.#madeUp(schema.items ?? {}, random, depth + 1))
      case 'object': {
        if (schema.properties === undefined) {
          if (schema.additionalProperties === undefined) return random.pick([{}, { a: 1 }, { a: { b: [null, 'c'] } }])
          return { [random.pick(keys)]: this.#madeUp(schema.additionalProperties, random, depth + 1) }
        }
        const made: Record<string, Json> = {}
        const share = random.pick([0, 0.2, 0.5])
        for (const [name, property] of Object.entries(schema.properties)) {
          if (depth >= madeUpDepth && !schema.required?.includes(name)) continue
          if (random.chance(schema.required?.includes(name) === true ? 0.95 : share)) made[name] = this.#madeUp(property, random, depth + 1)
        }
        return made
      }
      default:
        return random.pick(wrong)
    }
  }
}

function someOr<T>(some: readonly T[], otherwise: readonly T[]): readonly T[] {
  return some.length > 0 ? some : otherwise
}

/** A copy of the object with the mutation in it. Where its place is not there, the object as it is. */
export function mutate(object: Json, { path, value }: Pick<Mutation, 'path' | 'value'>): Json {
  const copy = structuredClone(object)
  let parent = copy
  for (const step of path.slice(0, -1)) {
    parent = parent?.[step]
    if (parent === null || typeof parent !== 'object') return copy
  }
  const last = path.at(-1)
  if (last === undefined || parent === undefined) return copy
  if (value !== undefined) parent[last] = value
  else if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return copy
}

/** `spec.containers[0].name`, with keys that are no identifiers in brackets. */
export function formatPath(path: FieldPath): string {
  return path.map((step, at) => (typeof step === 'number' ? `[${step}]` : /^\w+$/.test(step) ? `${at === 0 ? '' : '.'}${step}` : `[${step}]`)).join('')
}
