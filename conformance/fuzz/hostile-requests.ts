import { createProtobufCodec } from '@gantry/apimachinery'
import type { BuiltinTypes, ObjectSchema, Schema } from '@gantry/apimachinery'
import fc from 'fast-check'

export interface FuzzRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
}

/** A served resource, from discovery. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly subresources: readonly string[]
}

const namespace = 'fuzz'
/** So few that requests meet each other's objects. */
const names = ['a', 'b', 'c', 'default', 'kube-system']

const oddStrings = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\uffff',
  '..',
  '../..',
  '%2e%2e',
  '/',
  'a/b/c',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '-1',
  '1e999',
  'NaN',
  '9'.repeat(40),
  '1Ki',
  '100m',
  '0x10',
  'true',
  'null',
  '{}',
  '[',
  '*',
  '(a+)+$',
  'a'.repeat(300),
  'ü'.repeat(100),
  '2026-11-21T00:00:00Z',
  '10.43.0.10',
  '::1',
  '10.0.0.0/8',
  'kubernetes.io/a',
  'a=b,c!=d',
  'spec.nodeName=x',
  '$(X)',
  '{{.}}',
]
const oddNumbers = [0, -0, 1, -1, 80, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 53, 1e21, -1e-7, 0.5]

const word = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'app', 'nginx', 'Always', 'TCP', 'RollingUpdate', 'ClusterIP', 'http', 'v1') },
  { weight: 3, arbitrary: fc.constantFrom(...oddStrings) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
)
const key = fc.oneof({ weight: 5, arbitrary: fc.constantFrom('app', 'a/b', 'a.b/c') }, { weight: 1, arbitrary: word })
const number = fc.oneof(fc.constantFrom(...oddNumbers), fc.integer({ min: -10, max: 70_000 }))
const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: word },
  { weight: 3, arbitrary: number },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(null, true, false, {}, [], [null], [[]], [{}], { a: null }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
)

/** Values after a schema, wrong ones among them. `depth` bounds schemas that refer to themselves. */
function valueOf(types: BuiltinTypes, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const wrong = { weight: 1, arbitrary: anyValue }
  const right = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ weight: 15, arbitrary }, wrong)
  switch (schema.kind) {
    case 'scalar':
      return right(scalarOf(schema))
    case 'any':
      return anyValue
    case 'map':
      return right(fc.dictionary(key, valueOf(types, schema.of, depth - 1), { maxKeys: 3, noNullPrototype: true }))
    case 'list':
      return right(fc.array(valueOf(types, schema.of, depth - 1), { maxLength: 3 }))
    case 'ref': {
      const target = types.definitions.get(schema.ref)
      return target === undefined || depth <= 0 ? anyValue : valueOf(types, target, depth)
    }
    case 'object':
      return depth <= 0 ? fc.constant({}) : right(objectOf(types, schema, depth))
  }
}

function scalarOf(schema: Schema & { readonly kind: 'scalar' }): fc.Arbitrary<unknown> {
  switch (schema.scalar) {
    case 'bool':
      return fc.boolean()
    case 'int32':
    case 'int64':
    case 'number':
      return number
    case 'quantity':
      return fc.constantFrom('1', '100m', '1Gi', '0.5', '1e3', '-1', '1.5Ki', '9'.repeat(30))
    case 'time':
    case 'microTime':
      return fc.constantFrom('2026-11-21T10:00:00Z', '2026-11-21T10:00:00.000001Z', '0001-01-01T00:00:00Z', '2026-13-01T00:00:00Z')
    case 'bytes':
      return fc.constantFrom('YQ==', 'YWJj', '!', 'YQ')
    case 'intOrString':
      return fc.oneof(number, fc.constantFrom('25%', '-5%', 'http', ''))
    case 'string':
    case 'duration':
      return schema.enum === undefined ? word : fc.oneof(fc.constantFrom(...schema.enum), word)
  }
}

function objectOf(types: BuiltinTypes, schema: ObjectSchema, depth: number): fc.Arbitrary<Record<string, unknown>> {
  // Made when it is first drawn: all types at once are tens of thousands of generators.
  const fields = schema.fields.map((field) => ({
    field,
    value: lazily(() => valueOf(types, field.schema, depth - 1)),
  }))
  const some = fc.subarray(fields, { maxLength: Math.min(6, fields.length) })
  const required = fields.filter(({ field }) => field.required === true)
  return some.chain((chosen) => {
    const all = new Set([...required, ...chosen])
    return fc.record(Object.fromEntries([...all].map(({ field, value }) => [field.name, value])))
  }) as fc.Arbitrary<Record<string, unknown>>
}

function lazily<T>(make: () => fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.constant(undefined).chain(make)
}

function bodyFor(types: BuiltinTypes, resource: Resource): fc.Arbitrary<Record<string, unknown>> {
  const schema = types.schemaOf(resource.group, resource.version, resource.kind)
  const content = schema === undefined ? fc.dictionary(word, anyValue, { maxKeys: 4, noNullPrototype: true }) : lazily(() => objectOf(types, schema, 7))
  return fc.tuple(content, fc.constantFrom(...names), fc.integer({ min: 0, max: 9 })).map(([object, name, dice]) => {
    const metadata = typeof object['metadata'] === 'object' && object['metadata'] !== null && !Array.isArray(object['metadata']) ? object['metadata'] : {}
    // Mostly a body that gets past the first checks, so that the deeper ones are reached.
    if (dice === 0) return object
    return {
      ...object,
      apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
      kind: resource.kind,
      metadata: dice < 4 ? { ...metadata, name } : { name },
    }
  })
}

const jsonPatch = fc.array(
  fc.record(
    {
      op: fc.oneof(fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), word),
      path: fc.oneof(
        fc.constantFrom(
          '',
          '/',
          '/metadata',
          '/metadata/labels/a',
          '/spec/containers/-',
          '/data/a~1b',
          '/__proto__/polluted',
          '/constructor/prototype/polluted',
        ),
        word,
      ),
      from: fc.constantFrom('', '/metadata', '/spec', '/data'),
      value: anyValue,
    },
    { requiredKeys: ['op', 'path'] },
  ),
  { maxLength: 5 },
)

/** JSON text that JSON.stringify never makes. */
const oddText = fc.oneof(
  fc.integer({ min: 1, max: 200_000 }).map((depth) => '['.repeat(depth)),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `{"metadata":{"name":"a"},"data":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`),
  fc.integer({ min: 1, max: 20_000 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
  fc.integer({ min: 1, max: 5_000 }).map((count) => `{${Array.from({ length: count }, () => '"a":1').join(',')}}`),
  fc.constantFrom(
    '{"__proto__":{"polluted":1}}',
    '{"metadata":{"name":"a","labels":{"__proto__":"x"}}}',
    '\ufeff{}',
    '{"a":1}{"b":2}',
    '{"a":1e400}',
    '"\\ud800"',
    '',
    'null',
  ),
)
const oddYaml = fc.oneof(
  // References that multiply, and nesting.
  fc.constant(
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.replaceAll(/./g, (c) => `${c}: &${c} [${Array.from({ length: 9 }, () => `*${String.fromCodePoint(c.codePointAt(0)! - 1)}`).join(',')}]\n`)}`,
  ),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => `a: ${'['.repeat(depth)}${']'.repeat(depth)}`),
  fc.integer({ min: 1, max: 1_000 }).map((depth) => Array.from({ length: depth }, (_, at) => `${' '.repeat(at)}a:`).join('\n')),
  fc.constantFrom('&a [*a]', '!!js/function "x"', '? [a]\n: b', 'a: !!binary "="', '<<: *x', '%YAML 9.9\n---\na', '- - - -', 'a: |\n b\n\tc', '--- a\n--- b'),
  word,
)

const queryPair = fc.tuple(
  fc.oneof(
    fc.constantFrom(
      'labelSelector',
      'fieldSelector',
      'limit',
      'continue',
      'resourceVersion',
      'resourceVersionMatch',
      'timeoutSeconds',
      'sendInitialEvents',
      'allowWatchBookmarks',
      'dryRun',
      'fieldManager',
      'fieldValidation',
      'force',
      'gracePeriodSeconds',
      'propagationPolicy',
      'pretty',
      'includeObject',
      'orphanDependents',
    ),
    word,
  ),
  fc.oneof(
    fc.constantFrom(
      'true',
      'All',
      'Strict',
      'Exact',
      'NotOlderThan',
      '0',
      '1',
      '-5',
      'a in (b,c),!d',
      'a notin (',
      'metadata.name=a,status.phase!=x',
      'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0',
    ),
    word,
    fc.integer({ min: 1, max: 3_000 }).map((length) => Array.from({ length }, () => 'a=b').join(',')),
  ),
)
const query = fc
  .array(queryPair, { maxLength: 3 })
  .map((pairs) => pairs.map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`).join('&'))

const acceptHeaders = fc.constantFrom(
  undefined,
  '*/*',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1beta1;g=meta.k8s.io,*/*',
  'application/json;as=Table;v=v9;g=x, text/html',
  `${'a/b,'.repeat(2_000)}*/*`,
  ';;;===,,,',
  'application/apidiscovery.k8s.io',
)
const otherHeaders = fc.dictionary(
  fc.constantFrom(
    'impersonate-user',
    'impersonate-group',
    'impersonate-uid',
    'impersonate-extra-a%2fb',
    'if-none-match',
    'accept-encoding',
    'audit-id',
    'user-agent',
    'x-remote-user',
  ),
  word.map((text) => text.replaceAll(/[^\u0020-\u007e]/g, '')),
  { maxKeys: 2, noNullPrototype: true },
)

const bytesOf = (text: string): Uint8Array => Buffer.from(text)

/** Requests to a server with these resources: from nearly right to nonsense. */
export function hostileRequests(types: BuiltinTypes, resources: readonly Resource[]): fc.Arbitrary<FuzzRequest> {
  const codec = createProtobufCodec(types.definitions)
  const resource = fc.constantFrom(...resources)
  const collectionOf = ({ group, version, plural, namespaced }: Resource): string =>
    `${group === '' ? '/api' : `/apis/${group}`}/${version}${namespaced ? `/namespaces/${namespace}` : ''}/${plural}`
  const objectPath = fc
    .tuple(
      resource,
      fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: word.map((name) => encodeURIComponent(name.toWellFormed())) }),
      fc.nat(),
    )
    .map(([of, name, dice]) => {
      const subresource = of.subresources.length > 0 && dice % 4 === 0 ? `/${of.subresources[dice % of.subresources.length]}` : ''
      return { of, path: `${collectionOf(of)}/${name}${subresource}` }
    })
  const headers = fc
    .tuple(acceptHeaders, fc.oneof({ weight: 8, arbitrary: fc.constant<Record<string, string>>({}) }, { weight: 1, arbitrary: otherHeaders }))
    .map(([accept, more]) => (accept === undefined ? more : { ...more, accept }))

  /** A body in a random encoding, sometimes damaged. */
  const encoded = (of: Resource, text: fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<{ type: string; body: Uint8Array }> =>
    fc.tuple(text, fc.nat(19), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), oddText, oddYaml).map(([object, dice, damage, odd, yaml]) => {
      if (dice === 0) return { type: 'application/json', body: bytesOf(odd) }
      if (dice === 1) return { type: 'application/yaml', body: bytesOf(yaml) }
      if (dice < 5) return { type: 'application/yaml', body: bytesOf(JSON.stringify(object)) }
      if (dice < 10) {
        const schema = types.schemaOf(of.group, of.version, of.kind)
        const body = schema === undefined ? Buffer.from('k8s\0') : envelopeOf(codec, of, { schema, object })
        for (const [at, value] of damage) if (body.length > 0) body[at % body.length] = value
        return { type: 'application/vnd.kubernetes.protobuf', body }
      }
      return { type: 'application/json', body: bytesOf(JSON.stringify(object)) }
    })

  const writes = resource.chain((of) =>
    fc
      .tuple(encoded(of, bodyFor(types, of)), headers, query, fc.constantFrom(...names), fc.constantFrom('POST', 'POST', 'PUT'))
      .map(([content, more, search, name, method]) => ({
        method,
        path: method === 'POST' ? collectionOf(of) : `${collectionOf(of)}/${name}`,
        query: search,
        headers: { ...more, 'content-type': content.type },
        body: content.body,
      })),
  )
  const patches = fc
    .tuple(
      objectPath.chain(({ of, path }) =>
        fc.tuple(
          fc.constant(path),
          fc.oneof(
            fc.tuple(fc.constant('application/json-patch+json'), jsonPatch),
            fc.tuple(
              fc.constantFrom('application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml'),
              bodyFor(types, of),
            ),
            fc.tuple(
              fc.constantFrom('application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml', 'text/plain'),
              anyValue,
            ),
          ),
        ),
      ),
      headers,
      query,
      fc.option(oddText, { freq: 8 }),
    )
    .map(([[path, [type, patch]], more, search, odd]) => ({
      method: 'PATCH',
      path,
      query: type.includes('apply') && !search.includes('fieldManager') ? `fieldManager=fuzz&force=true${search === '' ? '' : `&${search}`}` : search,
      headers: { ...more, 'content-type': type },
      body: bytesOf(odd ?? JSON.stringify(patch)),
    }))
  const reads = fc
    .tuple(objectPath, fc.boolean(), query, headers)
    .map(([{ of, path }, whole, search, more]) => ({ method: 'GET', path: whole ? collectionOf(of) : path, query: search, headers: more }))
  const watches = fc
    .tuple(resource, query, headers)
    .map(([of, search, more]) => ({ method: 'GET', path: collectionOf(of), query: `watch=true&timeoutSeconds=1&${search}`, headers: more }))
  const deletions = fc.tuple(objectPath, query, fc.option(anyValue), fc.boolean()).map(([{ of, path }, search, options, collection]) => ({
    method: 'DELETE',
    path: collection && of.namespaced ? collectionOf(of) : path,
    query: search,
    headers: { 'content-type': 'application/json' },
    body: options === null ? undefined : bytesOf(JSON.stringify(options)),
  }))
  const nonsense = fc
    .tuple(fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE'), fc.array(word, { maxLength: 7 }), query, headers)
    .map(([method, parts, search, more]) => ({
      method,
      path: `/${['api', 'apis', 'openapi', 'healthz', 'version', ''][parts.length % 6]}/${parts.map((part) => encodeURIComponent(part.toWellFormed())).join('/')}`,
      query: search,
      headers: more,
    }))
  return fc.oneof(
    { weight: 6, arbitrary: writes },
    { weight: 4, arbitrary: patches },
    { weight: 2, arbitrary: reads },
    { weight: 1, arbitrary: watches },
    { weight: 1, arbitrary: deletions },
    { weight: 1, arbitrary: nonsense },
  )
}

/** Of an object with wrong types in it only what can be said in protobuf is there; of none, garbage. */
function envelopeOf(codec: ReturnType<typeof createProtobufCodec>, of: Resource, content: { readonly schema: ObjectSchema; readonly object: unknown }): Buffer {
  const apiVersion = of.group === '' ? of.version : `${of.group}/${of.version}`
  try {
    return Buffer.from(codec.encodeEnvelope(apiVersion, of.kind, codec.encode(content.schema, content.object as never)))
  } catch {
    return Buffer.from(codec.encodeEnvelope(apiVersion, of.kind, Buffer.from(JSON.stringify(content.object))))
  }
}
