import { createHash } from 'node:crypto'
import {
  bearerToken,
  createOpenApiWriter,
  groupEntry,
  swaggerDefinition,
  swaggerDefinitions,
  swaggerHead,
  swaggerPath,
  swaggerPaths,
  swaggerSecurity,
} from '@gantry/apimachinery'
import type { Definitions, JsonObject, OpenApiEntry, OpenApiOptions, OpenApiResource, OpenApiWriter, SwaggerPart } from '@gantry/apimachinery'
import type { Clock, HttpRequest, HttpResponse } from '@gantry/runtime'
import { header, turnBudgetOn } from '@gantry/runtime'
import { groupsOf, subresourcesOf, verbsOf } from './discovery.ts'
import type { GroupDescription } from './discovery.ts'
import { writesStatus } from './object-writer.ts'
import type { Delegate } from './delegate.ts'
import { SwaggerMerger } from './foreign-swagger.ts'
import type { Swagger } from './foreign-swagger.ts'
import type { Registry } from './registry.ts'
import type { ResourceDefinition } from './resource.ts'

const yearMs = 365 * 24 * 60 * 60 * 1000

interface Document {
  readonly body: Buffer
  readonly hash: string
  readonly made: Date
}

/** A document and what it was made of: while these are the same objects it holds. */
interface Kept {
  readonly sources: readonly unknown[]
  readonly document: Promise<Document>
}

const swaggerMedia = ['application/json', 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'] as const
type SwaggerMedia = (typeof swaggerMedia)[number]

/**
 * `/openapi/v3`: an index, and one document for each group and version; `/openapi/v2`: one document for all (D7–D11). Each is made when it is first asked for and again when
 * what it describes has changed.
 */
export class OpenApi {
  readonly #registry: Registry
  readonly #definitions: Definitions
  readonly #writer: OpenApiWriter
  readonly #documents = new Map<string, Kept>()
  readonly #swagger = new Map<SwaggerMedia, Kept>()
  readonly #clock: Clock
  readonly #entries: ReadonlyMap<string, OpenApiEntry>
  readonly #delegate: Delegate | undefined

  constructor(
    registry: Registry,
    definitions: Definitions,
    options: OpenApiOptions & {
      readonly clock: Clock
      readonly delegate?: Delegate | undefined
      readonly entries?: ReadonlyMap<string, OpenApiEntry> | undefined
    },
  ) {
    this.#entries = new Map([...serverEntries, ...(options.entries ?? [])])
    this.#delegate = options.delegate
    this.#clock = options.clock
    this.#registry = registry
    this.#definitions = definitions
    this.#writer = createOpenApiWriter(definitions, options)
  }

  /** undefined: there is no such document. */
  async answer(request: HttpRequest, parts: readonly string[], query: URLSearchParams): Promise<HttpResponse | undefined> {
    if (request.path.endsWith('/')) return undefined
    if (parts[0] === 'v2' && parts.length === 1) return this.#v2(request)
    if (parts[0] !== 'v3') return undefined
    if (parts.length === 1) return this.#index(request)
    const document = await this.#document(parts.slice(1).join('/'))
    if (document === undefined) return undefined
    const asked = query.get('hash')
    const url = `/openapi/v3/${parts.slice(1).join('/')}?hash=${document.hash}`
    if (asked !== null && asked !== document.hash) return { status: 301, headers: { location: url, 'cache-control': 'no-cache, private' } }
    const headers = {
      'content-type': 'application/json',
      etag: `"${document.hash}"`,
      vary: 'Accept',
      ...(asked === null
        ? { 'cache-control': 'no-cache, private' }
        : { 'cache-control': 'public, immutable', expires: new Date(this.#clock.now().getTime() + yearMs).toUTCString() }),
    }
    return conditional(request, headers, document.body)
  }

  async #v2(request: HttpRequest): Promise<HttpResponse> {
    const vary = 'Accept-Encoding, Accept'
    const media = acceptedSwagger(header(request.headers, 'accept') ?? '*/*')
    if (media === undefined) return { status: 406, headers: { vary, 'cache-control': 'no-cache, private' }, body: '' }
    const definitions = groupsOf(this.#registry).flatMap(({ versions }) => versions.flatMap((version) => version.definitions))
    const foreign = (this.#delegate?.groupVersions() ?? []).flatMap(({ swagger }) => swagger ?? [])
    const { body, hash, made } = await kept(this.#swagger, { key: media, sources: [...definitions, ...foreign] }, () =>
      this.#makeSwagger({ definitions, foreign }, media),
    )
    const headers = { 'content-type': media, etag: `"${hash}"`, 'last-modified': made.toUTCString(), vary, 'cache-control': 'no-cache, private' }
    return conditional(request, headers, body)
  }

  async #index(request: HttpRequest): Promise<HttpResponse> {
    const paths: Record<string, { readonly serverRelativeURL: string }> = {}
    const groups = groupsOf(this.#registry)
    const names = [
      ...this.#entries.keys(),
      ...groups.filter(isBuiltin).map(({ group }) => `apis/${group}`),
      ...groups.flatMap(({ group, versions }) => versions.map(({ version }) => (group === '' ? `api/${version}` : `apis/${group}/${version}`))),
    ]
    for (const path of names.sort((a, b) => (a < b ? -1 : 1))) {
      const document = await this.#document(path)
      if (document !== undefined) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${document.hash}` }
    }
    for (const { openApi } of this.#delegate?.groupVersions() ?? []) {
      for (const [path, serverRelativeURL] of Object.entries(openApi)) paths[path] ??= { serverRelativeURL }
    }
    const body = Buffer.from(JSON.stringify({ paths }))
    return conditional(request, { 'content-type': 'application/json', etag: `"${hashOf(body)}"`, vary: 'Accept', 'cache-control': 'no-cache, private' }, body)
  }

  async #document(path: string): Promise<Document | undefined> {
    const entry = this.#entry(path)
    if (entry !== undefined) {
      return kept(this.#documents, { key: path, sources: [] }, () => Promise.resolve(this.#finished(Buffer.from(this.#writer.entry(entry)))))
    }
    const [root, ...rest] = path.split('/')
    const [group, version] = root === 'api' ? ['', rest[0]] : [rest[0], rest[1]]
    const definitions = groupsOf(this.#registry)
      .find((candidate) => candidate.group === group)
      ?.versions.find((candidate) => candidate.version === version)?.definitions
    if (definitions === undefined || group === undefined || version === undefined) {
      this.#documents.delete(path)
      return undefined
    }
    return kept(this.#documents, { key: path, sources: definitions }, async () => {
      const pieces: string[] = []
      const resources = definitions.map((definition) => this.#describe(definition))
      for await (const piece of inSlices(this.#clock, this.#writer.document({ group, version }, resources))) pieces.push(piece)
      return this.#finished(Buffer.from(pieces.join('')))
    })
  }

  /** What stands above groups and versions. */
  #entry(path: string): OpenApiEntry | undefined {
    const [root, group, ...more] = path.split('/')
    if (root !== 'apis' || group === undefined || more.length > 0) return this.#entries.get(path)
    const served = groupsOf(this.#registry).find((candidate) => candidate.group === group)
    return served !== undefined && isBuiltin(served) ? groupEntry(group) : undefined
  }

  async #makeSwagger(
    of: { readonly definitions: readonly ResourceDefinition[]; readonly foreign: readonly Swagger[] },
    media: SwaggerMedia,
  ): Promise<Document> {
    const resources = of.definitions.map((definition) => this.#describe(definition))
    const parts: Record<SwaggerPart['section'], Buffer[]> = { paths: [], definitions: [] }
    const json = media === 'application/json'
    for await (const part of inSlices(this.#clock, withForeign(this.#writer.swagger(resources, [...this.#entries.values()]), of.foreign))) {
      if (part === undefined) continue
      const { section, name, node } = part
      if (json) parts[section].push(Buffer.from(`${parts[section].length === 0 ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(node)}`))
      else parts[section].push(section === 'paths' ? swaggerPath(name, node) : swaggerDefinition(name, node))
    }
    const { version } = this.#writer
    if (!json) {
      return this.#finished(
        Buffer.concat([swaggerHead(version), swaggerPaths(parts.paths), swaggerDefinitions(parts.definitions), swaggerSecurity('BearerToken', bearerToken)]),
      )
    }
    const tail = JSON.stringify({ securityDefinitions: { BearerToken: bearerToken }, security: [{ BearerToken: [] }] }).slice(1)
    return this.#finished(
      Buffer.concat([
        Buffer.from(`{"swagger":"2.0","info":${JSON.stringify({ title: 'Kubernetes', version })},"paths":{`),
        ...parts.paths,
        Buffer.from('},"definitions":{'),
        ...parts.definitions,
        Buffer.from(`},${tail}`),
      ]),
    )
  }

  #finished(body: Buffer): Document {
    return { body, hash: hashOf(body), made: this.#clock.now() }
  }

  #describe(definition: ResourceDefinition): OpenApiResource {
    const scale = this.#definitions.get('io.k8s.api.autoscaling.v1.Scale')
    return {
      group: definition.group,
      version: definition.version,
      kind: definition.kind,
      listKind: definition.listKind,
      plural: definition.plural,
      namespaced: definition.namespaced,
      schema: definition.schema,
      custom: definition.custom === true,
      returnsDeletedObject: definition.returnsDeletedObject === true,
      verbs: verbsOf(definition),
      subresources: subresourcesOf(definition).map(({ name, kind, verbs }) => {
        const schema =
          writesStatus(definition, name) || definition.partSubresources?.[name] !== undefined
            ? definition.schema
            : name === 'scale'
              ? scale
              : definition.subresources?.[name]?.schema
        const own = definition.subresources?.[name]
        const connects = own?.upgrade === undefined ? undefined : (own.methods ?? ['GET', 'POST'])
        const options = this.#definitions.get(own?.options ?? `io.k8s.api.core.${kind.version}.${kind.kind}`)
        return {
          name,
          kind,
          verbs: connects === undefined ? verbs : [],
          connects,
          ...((connects !== undefined || own?.options !== undefined) && { options }),
          ...(schema === undefined ? {} : { schema }),
        }
      }),
    }
  }
}

/** Our own parts and those of others. Types that both have come last: they may get more kinds. */
function* withForeign(own: Iterable<SwaggerPart | undefined>, foreign: readonly Swagger[]): Generator<SwaggerPart | undefined, void> {
  if (foreign.length === 0) return yield* own
  const names = { paths: new Set<string>(), definitions: new Set<string>() }
  const shared = new Map<string, JsonObject>()
  const wanted = new Set(foreign.flatMap(({ definitions }) => Object.keys(definitions)))
  for (const part of own) {
    if (part !== undefined) names[part.section].add(part.name)
    if (part?.section === 'definitions' && wanted.has(part.name)) shared.set(part.name, part.node)
    else yield part
  }
  const merger = new SwaggerMerger({ ...names, shared })
  for (const swagger of foreign) {
    merger.add(swagger)
    yield undefined
  }
  for (const [name, node] of merger.paths) yield { section: 'paths', name, node }
  for (const [name, node] of merger.definitions) yield { section: 'definitions', name, node }
}

const available = { description: 'get available API versions' } as const
const metaTypes = 'io.k8s.apimachinery.pkg.apis.meta.v1.'

const serverEntries: ReadonlyMap<string, OpenApiEntry> = new Map([
  ['api', { ...available, path: '/api/', tag: 'core', operationId: 'getCoreAPIVersions', type: `${metaTypes}APIVersions` }],
  ['apis', { ...available, path: '/apis/', tag: 'apis', operationId: 'getAPIVersions', type: `${metaTypes}APIGroupList` }],
  [
    'version',
    {
      path: '/version/',
      tag: 'version',
      operationId: 'getCodeVersion',
      description: 'get the version information for this server',
      type: 'io.k8s.apimachinery.pkg.version.Info',
      media: ['application/json'],
    },
  ],
])

/** Groups of custom resources have documents for their versions only. */
function isBuiltin({ group, versions }: GroupDescription): boolean {
  return group !== '' && versions.some(({ definitions }) => definitions.some(({ custom }) => custom !== true))
}

/** The document under a key while it was made of these very objects; otherwise a new one. Callers at the same time wait for the same one. */
function kept<Key>(
  documents: Map<Key, Kept>,
  of: { readonly key: Key; readonly sources: readonly unknown[] },
  make: () => Promise<Document>,
): Promise<Document> {
  const known = documents.get(of.key)
  if (known !== undefined && known.sources.length === of.sources.length && known.sources.every((one, at) => one === of.sources[at])) return known.document
  const document = make()
  const made: Kept = { sources: of.sources, document }
  documents.set(of.key, made)
  document.catch(() => {
    if (documents.get(of.key) === made) documents.delete(of.key)
  })
  return document
}

/** The pieces, between which others have their turn. */
async function* inSlices<T>(clock: Clock, pieces: Iterable<T>): AsyncGenerator<T, void> {
  const turns = turnBudgetOn(clock)
  for (const piece of pieces) {
    yield piece
    const turn = turns.pause()
    if (turn !== undefined) await turn
  }
}

/** The first form of OpenAPI v2 that a client takes; it may write the `.` of upstream's media type as `@`. */
function acceptedSwagger(accept: string): SwaggerMedia | undefined {
  for (const clause of accept.split(',')) {
    const media = clause.split(';', 1)[0]?.trim().replace('spec.v2@v1.0', 'spec.v2.v1.0') ?? ''
    if (media === '*/*' || media === 'application/*' || media === '') return 'application/json'
    const found = swaggerMedia.find((candidate) => candidate === media)
    if (found !== undefined) return found
  }
  return undefined
}

function conditional(request: HttpRequest, headers: Readonly<Record<string, string>>, body: Buffer): HttpResponse {
  return header(request.headers, 'if-none-match') === headers['etag'] ? { status: 304, headers } : { status: 200, headers, body }
}

function hashOf(body: Buffer): string {
  return createHash('sha512').update(body).digest('hex').toUpperCase()
}
