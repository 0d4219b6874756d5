import { createHash } from 'node:crypto'
import { createOpenApiWriter } from '@gantry/apimachinery'
import type { Definitions, OpenApiOptions, OpenApiResource, OpenApiWriter } from '@gantry/apimachinery'
import type { Clock, HttpRequest, HttpResponse } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { groupsOf, subresourcesOf, verbsOf } from './discovery.ts'
import { writesStatus } from './object-writer.ts'
import type { Registry } from './registry.ts'
import type { ResourceDefinition } from './resource.ts'

const yearMs = 365 * 24 * 60 * 60 * 1000

interface Document {
  readonly body: Buffer
  readonly hash: string
}

/** `/openapi/v3`: an index, and one document for each group and version, made when it is first asked for and again when what is served has changed (D7–D9, D11). */
export class OpenApi {
  readonly #registry: Registry
  readonly #definitions: Definitions
  readonly #writer: OpenApiWriter
  readonly #documents = new Map<string, Document>()
  readonly #clock: Clock
  #generation = -1

  constructor(registry: Registry, definitions: Definitions, options: OpenApiOptions & { readonly clock: Clock }) {
    this.#clock = options.clock
    this.#registry = registry
    this.#definitions = definitions
    this.#writer = createOpenApiWriter(definitions, options)
  }

  /** undefined: there is no such document. */
  answer(request: HttpRequest, parts: readonly string[], query: URLSearchParams): HttpResponse | undefined {
    if (parts[0] !== 'v3') return undefined
    if (this.#generation !== this.#registry.generation) {
      this.#documents.clear()
      this.#generation = this.#registry.generation
    }
    if (parts.length === 1) return this.#index(request)
    const document = this.#document(parts.slice(1).join('/'))
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
    if (header(request.headers, 'if-none-match') === headers.etag) return { status: 304, headers }
    return { status: 200, headers, body: document.body }
  }

  #index(request: HttpRequest): HttpResponse {
    const paths = Object.fromEntries(
      groupsOf(this.#registry).flatMap(({ group, versions }) =>
        versions.map(({ version }) => {
          const path = group === '' ? `api/${version}` : `apis/${group}/${version}`
          return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#document(path)?.hash ?? ''}` }]
        }),
      ),
    )
    const body = Buffer.from(JSON.stringify({ paths }))
    const headers = { 'content-type': 'application/json', etag: `"${hashOf(body)}"`, vary: 'Accept', 'cache-control': 'no-cache, private' }
    if (header(request.headers, 'if-none-match') === headers.etag) return { status: 304, headers }
    return { status: 200, headers, body }
  }

  #document(path: string): Document | undefined {
    const kept = this.#documents.get(path)
    if (kept !== undefined) return kept
    const [root, ...rest] = path.split('/')
    const [group, version] = root === 'api' ? ['', rest[0]] : [rest[0], rest[1]]
    const served = groupsOf(this.#registry)
      .find((candidate) => candidate.group === group)
      ?.versions.find((candidate) => candidate.version === version)
    if (served === undefined || group === undefined || version === undefined) return undefined
    const body = Buffer.from(
      this.#writer.document(
        { group, version },
        served.definitions.map((definition) => this.#describe(definition)),
      ),
    )
    const document = { body, hash: hashOf(body) }
    this.#documents.set(path, document)
    return document
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
        const schema = writesStatus(definition, name) ? definition.schema : name === 'scale' ? scale : definition.subresources?.[name]?.schema
        return { name, kind, verbs: definition.subresources?.[name]?.upgrade === undefined ? verbs : ['connect'], ...(schema === undefined ? {} : { schema }) }
      }),
    }
  }
}

function hashOf(body: Buffer): string {
  return createHash('sha512').update(body).digest('hex').toUpperCase()
}
