import { openApiSchemaOf, plainDefinitions } from './openapi-schema.ts'
import type { OpenApiNode, OpenApiSchema } from './openapi-schema.ts'
import { toSwaggerPath, toSwaggerSchema } from './openapi-v2.ts'
import type { Definitions, ObjectSchema } from './schema.ts'

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** A served resource, as far as its paths and schemas go. */
export interface OpenApiResource {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly plural: string
  readonly namespaced: boolean
  /** Its `name` is the definition's name. */
  readonly schema: ObjectSchema
  /** get list watch create update patch delete deletecollection. */
  readonly verbs: readonly string[]
  /** JSON and YAML only, no strategic merge. */
  readonly custom?: boolean | undefined
  /** A delete answers with the object. */
  readonly returnsDeletedObject?: boolean | undefined
  readonly subresources?: readonly OpenApiSubresource[] | undefined
}

export interface OpenApiSubresource {
  readonly name: string
  readonly kind: GroupVersionKind
  /** get update patch create. */
  readonly verbs: readonly string[]
  /** Methods of what connects the caller with something else; it has no verbs then. */
  readonly connects?: readonly string[] | undefined
  /** The type whose fields are its query. */
  readonly options?: ObjectSchema | undefined
  /** Absent: text. */
  readonly schema?: ObjectSchema | undefined
}

export interface OpenApiOptions {
  /** Shown as the documents' version, such as `v1.36.3`. */
  readonly kubernetesVersion: string
  /** The kinds of definitions, for `x-kubernetes-group-version-kind`. */
  readonly kinds: readonly {
    readonly group: string
    readonly version: string
    readonly kind: string
    readonly type: string
    readonly listType?: string | undefined
  }[]
}

/** A path that leads to others or says something of the server: what `GET` answers there. */
export interface OpenApiEntry {
  /** With a slash at its end. */
  readonly path: string
  readonly tag: string
  readonly operationId: string
  readonly description: string
  /** Name of the answer's type; absent: a text. */
  readonly type?: string | undefined
  /** Default: the media types of the API's own objects. */
  readonly media?: readonly string[] | undefined
}

/** A path or a definition of an OpenAPI v2 document. */
export interface SwaggerPart {
  readonly section: 'paths' | 'definitions'
  readonly name: string
  readonly node: OpenApiNode
}

export interface OpenApiWriter {
  /** Such as `1.36`. */
  readonly version: string
  /**
   * The OpenAPI v3 document of one group and version as pieces of JSON text: paths of the resources, and all schemas they need. Schemas of built-in types are written
   * once and kept as text. Between two pieces, some of them empty, the caller may let others have their turn: a document costs tens of milliseconds.
   */
  document(groupVersion: { readonly group: string; readonly version: string }, resources: readonly OpenApiResource[]): Generator<string, void>
  /** The OpenAPI v3 document of one path that stands by itself. */
  entry(entry: OpenApiEntry): string
  /**
   * What stands in the one OpenAPI v2 document of all resources and of the entries above them: paths in their order, then definitions in theirs. `undefined` is a chance for
   * others to have their turn.
   */
  swagger(resources: readonly OpenApiResource[], entries: readonly OpenApiEntry[]): Generator<SwaggerPart | undefined, void>
}

export function createOpenApiWriter(definitions: Definitions, options: OpenApiOptions): OpenApiWriter {
  return new DocumentWriter(definitions, options)
}

interface WrittenSchema {
  readonly text: string
  readonly refs: ReadonlySet<string>
}

/** What a document's paths refer to. */
interface Needs {
  /** Definitions of its own resources, with the group and version they are served in. */
  readonly own: Map<string, { readonly schema: ObjectSchema; readonly group: string; readonly version: string }>
  readonly names: Set<string>
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
const patchDefinition = `${meta}Patch`
const deleteOptionsDefinition = `${meta}DeleteOptions`
const statusDefinition = `${meta}Status`
const watchEventDefinition = `${meta}WatchEvent`
/** How clients prove who they are. */
export const bearerToken = { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' }

class DocumentWriter implements OpenApiWriter {
  readonly version: string
  readonly #definitions: Definitions
  readonly #options: OpenApiOptions
  readonly #kinds: ReadonlyMap<string, readonly GroupVersionKind[]>
  readonly #written = new Map<string, WrittenSchema>()

  constructor(definitions: Definitions, options: OpenApiOptions) {
    this.#definitions = definitions
    this.#options = options
    const [, major = '', minor = ''] = /^v?(\d+)\.(\d+)/.exec(options.kubernetesVersion) ?? []
    this.version = `${major}.${minor}`
    const kinds = new Map<string, GroupVersionKind[]>()
    const add = (type: string, { group, version, kind }: GroupVersionKind): void => {
      kinds.set(type, [...(kinds.get(type) ?? []), { group, version, kind }])
    }
    for (const facts of options.kinds) {
      add(facts.type, facts)
      if (facts.listType !== undefined) add(facts.listType, { ...facts, kind: `${facts.kind}List` })
    }
    this.#kinds = kinds
  }

  *document(groupVersion: { readonly group: string; readonly version: string }, resources: readonly OpenApiResource[]): Generator<string, void> {
    const needs: Needs = { own: new Map(), names: new Set() }
    const paths = new Map<string, string>()
    for (const resource of resources) {
      for (const [path, node] of this.#pathsOf(resource, needs)) paths.set(path, JSON.stringify(node))
      yield ''
    }
    if (resources.some(({ custom }) => custom !== true)) {
      const entry = resourcesEntry(groupVersion)
      paths.set(entry.path, JSON.stringify(entryNode(entry, needs)))
    }
    yield* this.#pieces({ paths, needs, groupVersions: [groupVersion] })
  }

  entry(entry: OpenApiEntry): string {
    const needs: Needs = { own: new Map(), names: new Set() }
    const paths = new Map([[entry.path, JSON.stringify(entryNode(entry, needs))]])
    return [...this.#pieces({ paths, needs, groupVersions: [] })].join('')
  }

  *#pieces({
    paths,
    needs,
    groupVersions,
  }: {
    readonly paths: ReadonlyMap<string, string>
    readonly needs: Needs
    readonly groupVersions: readonly { readonly group: string; readonly version: string }[]
  }): Generator<string, void> {
    const head = { openapi: '3.0.0', info: { title: 'Kubernetes', version: this.version } }
    yield `${JSON.stringify(head).slice(0, -1)},"paths":{`
    yield* separated(sortedByKey(paths).map(([path, text]) => `${JSON.stringify(path)}:${text}`))
    yield '},"components":{'
    const schemas = new Map<string, string>()
    const open = [...needs.names]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (schemas.has(name)) continue
      const written = this.#schemaText(name, needs.own.get(name)?.schema)
      const kinds = this.#kindsOf(name, { needs, groupVersions })
      const extension = kinds === undefined ? '' : `,"x-kubernetes-group-version-kind":${JSON.stringify(kinds)}`
      schemas.set(name, `${JSON.stringify(name)}:${written.text.slice(0, -1)}${extension}}`)
      open.push(...written.refs)
      yield ''
    }
    if (schemas.size > 0) {
      yield '"schemas":{'
      yield* separated(sortedByKey(schemas).map(([, text]) => text))
      yield '},'
    }
    yield `"securitySchemes":${JSON.stringify({ BearerToken: bearerToken })}}}`
  }

  *swagger(resources: readonly OpenApiResource[], entries: readonly OpenApiEntry[]): Generator<SwaggerPart | undefined, void> {
    const needs: Needs = { own: new Map(), names: new Set() }
    const paths = new Map<string, OpenApiNode>()
    for (const resource of resources) {
      for (const [path, node] of this.#pathsOf(resource, needs)) paths.set(path, node)
      yield undefined
    }
    const groupVersions = groupVersionsOf(resources)
    const builtin = groupVersionsOf(resources.filter(({ custom }) => custom !== true))
    const groups = new Set(builtin.map(({ group }) => group).filter((group) => group !== ''))
    const above = new Map([...entries, ...[...groups].map(groupEntry), ...builtin.map(resourcesEntry)].map((entry) => [entry.path, entry]))
    for (const [path, entry] of above) paths.set(path, entryNode(entry, needs))
    for (const [name, node] of sortedByKey(paths)) yield { section: 'paths', name, node: toSwaggerPath(node, above.get(name)) }
    const nodes = new Map<string, OpenApiNode>()
    const open = [...needs.names]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (nodes.has(name)) continue
      const { node, refs } = this.#schemaNode(name, needs.own.get(name)?.schema)
      const kinds = this.#kindsOf(name, { needs, groupVersions })
      nodes.set(name, { ...toSwaggerSchema(node), ...(kinds === undefined ? {} : { 'x-kubernetes-group-version-kind': kinds }) })
      open.push(...refs)
      yield undefined
    }
    for (const [name, node] of sortedByKey(nodes)) yield { section: 'definitions', name, node }
  }

  #pathsOf(resource: OpenApiResource, needs: Needs): [string, OpenApiNode][] {
    const { group, version } = resource
    const own = (schema: ObjectSchema): string => {
      const name = schema.name ?? ''
      needs.own.set(name, { schema, group, version })
      return name
    }
    const writer = new PathWriter(resource, {
      need: (schema) => {
        const name = own(schema)
        needs.names.add(name)
        return name
      },
      needNamed: (name) => needs.names.add(name),
      list: this.#listSchemaOf(resource, own),
    })
    return Object.entries(writer.paths())
  }

  /** The definition name of a resource's list; custom resources have theirs made here. */
  #listSchemaOf(resource: OpenApiResource, own: (schema: ObjectSchema) => string): string {
    const type = resource.schema.name ?? ''
    const known = this.#options.kinds.find((facts) => facts.type === type)?.listType
    if (known !== undefined) return known
    return own({
      kind: 'object',
      name: type.replace(/[^.]+$/, resource.listKind),
      description: `${resource.listKind} is a list of ${resource.kind}`,
      fields: [
        { name: 'apiVersion', schema: { kind: 'scalar', scalar: 'string' } },
        { name: 'items', required: true, schema: { kind: 'list', of: { kind: 'ref', ref: type } } },
        { name: 'kind', schema: { kind: 'scalar', scalar: 'string' } },
        { name: 'metadata', schema: { kind: 'ref', ref: `${meta}ListMeta` } },
      ],
    })
  }

  #kindsOf(
    name: string,
    of: { readonly needs: Needs; readonly groupVersions: readonly { readonly group: string; readonly version: string }[] },
  ): readonly GroupVersionKind[] | undefined {
    const kind = name.split('.').at(-1) ?? ''
    if (name === deleteOptionsDefinition || name === watchEventDefinition) {
      // Every group accepts it as its own.
      const all = new Map([{ group: '', version: 'v1' }, ...of.groupVersions].map((place) => [`${place.group}/${place.version}`, place]))
      return [...all.values()].map(({ group, version }) => ({ group, version, kind }))
    }
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const own = of.needs.own.get(name)
    return own === undefined ? undefined : [{ group: own.group, version: own.version, kind }]
  }

  #schemaText(name: string, own: ObjectSchema | undefined): WrittenSchema {
    const kept = this.#written.get(name)
    if (kept !== undefined && (own === undefined || own === this.#definitions.get(name))) return kept
    const { node, refs } = this.#schemaNode(name, own)
    const written = { text: JSON.stringify(node), refs }
    if (own === undefined || own === this.#definitions.get(name)) this.#written.set(name, written)
    return written
  }

  #schemaNode(name: string, own: ObjectSchema | undefined): OpenApiSchema {
    const schema = own ?? this.#definitions.get(name)
    if (schema !== undefined) return openApiSchemaOf(schema)
    // Anything goes where upstream has a type with its own JSON form.
    return { node: plainDefinitions[name] ?? { description: 'Any JSON value.' }, refs: new Set() }
  }
}

function sortedByKey<T>(entries: ReadonlyMap<string, T>): (readonly [string, T])[] {
  return [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function* separated(texts: readonly string[]): Generator<string, void> {
  for (const [at, text] of texts.entries()) yield at === 0 ? text : `,${text}`
}

interface PathDeps {
  /** Says that a schema belongs into the document and gives its name. */
  need(schema: ObjectSchema): string
  needNamed(name: string): void
  /** The definition of the resource's list. */
  readonly list: string
}

/** The paths of one resource. */
class PathWriter {
  readonly #resource: OpenApiResource
  readonly #deps: PathDeps
  readonly #media: readonly string[]

  constructor(resource: OpenApiResource, deps: PathDeps) {
    this.#resource = resource
    this.#deps = deps
    this.#media =
      resource.custom === true ? ['application/json', 'application/yaml'] : ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml']
  }

  paths(): Record<string, OpenApiNode> {
    const { group, version, plural, namespaced, subresources = [] } = this.#resource
    const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`
    const item = `${collection}/{name}`
    const paths: Record<string, OpenApiNode> = {}
    add(paths, collection, { ...this.#collection(), parameters: this.#pathParameters(false) })
    add(paths, item, { ...this.#item(), parameters: this.#pathParameters(true) })
    if (namespaced && this.#has('list')) add(paths, `${root}/${plural}`, { get: this.#list(true), parameters: [...listParameters, pretty].toSorted(byName) })
    if (this.#resource.custom !== true && this.#has('watch')) this.#addWatches(paths, { root, collection, item })
    for (const subresource of subresources) {
      const at = `${item}/${subresource.name}`
      if (subresource.connects === undefined) add(paths, at, { ...this.#subresource(subresource), parameters: this.#subresourceParameters(subresource) })
      else Object.assign(paths, this.#connections(at, subresource, subresource.connects))
    }
    for (const path of Object.keys(paths)) paths[path] = withCommonParameters(paths[path] ?? {})
    return paths
  }

  /** The old paths of watches, which generated clients still call. */
  #addWatches(
    paths: Record<string, OpenApiNode>,
    { root, collection, item }: { readonly root: string; readonly collection: string; readonly item: string },
  ): void {
    const { kind, plural, namespaced } = this.#resource
    const under = (path: string): string => `${root}/watch${path.slice(root.length)}`
    const each = { description: `watch changes to the objects of kind ${kind}: deprecated, list with watch instead`, action: 'watchlist', suffix: 'List' }
    const one = { description: `watch one object of kind ${kind}: deprecated, list with watch and a fieldSelector instead`, action: 'watch' }
    const watched = (facts: Omit<OperationFacts, 'responses'>, parameters: readonly OpenApiNode[]): OpenApiNode => ({
      get: this.#operation('watch', { ...facts, responses: this.#streamed(watchEventDefinition) }),
      parameters: [...listParameters, ...parameters].toSorted(byName),
    })
    paths[under(collection)] = watched(each, this.#pathParameters(false))
    if (this.#has('get')) paths[under(item)] = watched(one, this.#pathParameters(true))
    if (namespaced) paths[under(`${root}/${plural}`)] = watched({ ...each, everywhere: true }, [pretty])
  }

  #has(verb: string): boolean {
    return this.#resource.verbs.includes(verb)
  }

  #pathParameters(withName: boolean): OpenApiNode[] {
    const name = { name: 'name', in: 'path', description: `name of the ${this.#resource.kind}`, required: true, schema: unique('string') }
    return [...(withName ? [name] : []), ...(this.#resource.namespaced ? [namespaceParameter] : []), pretty]
  }

  #collection(): OpenApiNode {
    const operations: OpenApiNode = {}
    if (this.#has('list')) operations['get'] = this.#list(false)
    if (this.#has('create')) {
      const type = this.#deps.need(this.#resource.schema)
      operations['post'] = this.#operation('create', {
        description: `create ${article(this.#resource.kind)}`,
        action: 'post',
        parameters: writeParameters,
        body: this.#body([type]),
        responses: this.#responses(type, ['200', '201', '202']),
      })
    }
    if (this.#has('deletecollection')) {
      this.#deps.needNamed(statusDefinition)
      operations['delete'] = this.#operation('deleteCollection', {
        description: `delete collection of ${this.#resource.kind}`,
        action: 'deletecollection',
        parameters: [...listParameters.filter(({ name }) => name !== 'watch' && name !== 'allowWatchBookmarks'), ...deleteParameters].toSorted(byName),
        body: this.#deleteBody(),
        responses: this.#responses(statusDefinition, ['200']),
      })
    }
    return operations
  }

  #list(everywhere: boolean): OpenApiNode {
    return this.#operation('list', {
      description: `list or watch objects of kind ${this.#resource.kind}`,
      action: 'list',
      everywhere,
      ...(everywhere ? {} : { parameters: listParameters }),
      responses: this.#streamed(this.#deps.list),
    })
  }

  /** What is answered at once or as a stream. */
  #streamed(type: string): OpenApiNode {
    this.#deps.needNamed(type)
    const content = this.#media.flatMap((media) => (media === 'application/yaml' ? [media] : [media, `${media};stream=watch`]))
    return { '200': { description: 'OK', content: contentOf(content, type) }, ...unauthorized }
  }

  #item(): OpenApiNode {
    const { kind } = this.#resource
    const operations: OpenApiNode = {}
    const type = this.#deps.need(this.#resource.schema)
    if (this.#has('get')) {
      operations['get'] = this.#operation('read', { description: `read the specified ${kind}`, action: 'get', responses: this.#responses(type, ['200']) })
    }
    Object.assign(operations, this.#writes(type, { verbs: this.#resource.verbs, suffix: '' }))
    if (this.#has('delete')) {
      const answer = this.#resource.returnsDeletedObject === true ? type : statusDefinition
      this.#deps.needNamed(answer)
      operations['delete'] = this.#operation('delete', {
        description: `delete ${article(kind)}`,
        action: 'delete',
        parameters: deleteParameters,
        body: this.#deleteBody(),
        responses: this.#responses(answer, ['200', '202']),
      })
    }
    return operations
  }

  /** PUT and PATCH; kubectl looks in PATCH for what the server can do. */
  #writes(
    type: string,
    { verbs, suffix, kind }: { readonly verbs: readonly string[]; readonly suffix: string; readonly kind?: GroupVersionKind },
  ): OpenApiNode {
    const operations: OpenApiNode = {}
    const what = `${suffix === '' ? '' : `${suffix.toLowerCase()} of `}the specified ${this.#resource.kind}`
    if (verbs.includes('update')) {
      operations['put'] = this.#operation('replace', {
        description: `replace ${what}`,
        action: 'put',
        suffix,
        kind,
        parameters: writeParameters,
        body: this.#body([type]),
        responses: this.#responses(type, ['200', '201']),
      })
    }
    if (verbs.includes('patch')) {
      this.#deps.needNamed(patchDefinition)
      const media = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json']
      if (this.#resource.custom !== true) media.push('application/strategic-merge-patch+json')
      operations['patch'] = this.#operation('patch', {
        description: `partially update ${what}`,
        action: 'patch',
        suffix,
        kind,
        parameters: [...writeParameters, forceParameter],
        body: { content: contentOf(media, patchDefinition), required: true },
        responses: this.#responses(type, this.#resource.custom === true ? ['200'] : ['200', '201']),
      })
    }
    return operations
  }

  #subresource({ name, kind, verbs, schema }: OpenApiSubresource): OpenApiNode {
    const suffix = name.charAt(0).toUpperCase() + name.slice(1)
    const type = schema === undefined ? undefined : this.#deps.need(schema)
    const what = `${name} of the specified ${this.#resource.kind}`
    const operations: OpenApiNode = {}
    if (verbs.includes('get')) {
      const responses = type === undefined ? textOf([...this.#media, 'text/plain']) : this.#responses(type, ['200'])
      operations['get'] = this.#operation('read', { description: `read ${what}`, action: 'get', suffix, kind, responses })
    }
    if (verbs.includes('create') && type !== undefined) {
      operations['post'] = this.#operation('create', {
        description: `create ${what}`,
        action: 'post',
        suffix,
        kind,
        parameters: writeParameters,
        body: this.#body([type]),
        responses: this.#responses(type, ['200', '201', '202']),
      })
    }
    return { ...operations, ...(type === undefined ? {} : this.#writes(type, { verbs, suffix, kind })) }
  }

  #subresourceParameters({ options }: OpenApiSubresource): OpenApiNode[] {
    return [...this.#pathParameters(true), ...(options === undefined ? [] : optionParameters(options))].toSorted(byName)
  }

  /** What connects: the same with every method, and again with the rest of a path where it goes on behind it. */
  #connections(at: string, { name, kind, options }: OpenApiSubresource, connects: readonly string[]): Record<string, OpenApiNode> {
    const own = options === undefined ? [] : optionParameters(options)
    const item = [{ name: 'name', in: 'path', description: `name of the ${kind.kind}`, required: true, schema: unique('string') }]
    const parameters = [...item, ...(this.#resource.namespaced ? [namespaceParameter] : []), ...own]
    const paths = { [at]: { ...this.#connect(connects, { name, kind, suffix: capitalized(name) }), parameters: parameters.toSorted(byName) } }
    if (own.every((one) => one['name'] !== 'path')) return paths
    const rest = { name: 'path', in: 'path', description: 'path to the resource', required: true, schema: unique('string') }
    return {
      ...paths,
      [`${at}/{path}`]: {
        ...this.#connect(connects, { name, kind, suffix: `${capitalized(name)}WithPath` }),
        parameters: [rest, ...parameters].toSorted(byName),
      },
    }
  }

  #connect(methods: readonly string[], of: { readonly name: string; readonly kind: GroupVersionKind; readonly suffix: string }): OpenApiNode {
    return Object.fromEntries(
      methods.map((method) => [
        method.toLowerCase(),
        this.#operation(`connect${capitalized(method.toLowerCase())}`, {
          description: `connect ${method} requests to ${of.name} of ${this.#resource.kind}`,
          action: 'connect',
          suffix: of.suffix,
          kind: of.kind,
          responses: textOf(['*/*']),
        }),
      ]),
    )
  }

  #operation(verb: string, operation: OperationFacts): OpenApiNode {
    const { group, version, kind } = this.#resource
    const gvk = operation.kind ?? { group, version, kind }
    return {
      tags: [`${camelGroup(group)}_${version}`],
      description: operation.description,
      operationId: this.#operationId(verb, operation),
      ...(operation.parameters === undefined ? {} : { parameters: operation.parameters }),
      ...(operation.body === undefined ? {} : { requestBody: operation.body }),
      responses: operation.responses,
      'x-kubernetes-action': operation.action,
      'x-kubernetes-group-version-kind': { group: gvk.group, version: gvk.version, kind: gvk.kind },
    }
  }

  /** `readCoreV1NamespacedPodStatus`, `listAppsV1DeploymentForAllNamespaces`. */
  #operationId(verb: string, { suffix = '', everywhere = false }: OperationFacts): string {
    const { group, version, kind, namespaced } = this.#resource
    const place = capitalized(camelGroup(group)) + capitalized(version)
    const [, word, part] = /^(delete|connect)(Collection|Get|Post|Put|Patch|Delete|Options|Head)$/.exec(verb) ?? ['', verb, '']
    return `${word}${place}${part}${namespaced && !everywhere ? 'Namespaced' : ''}${kind}${suffix}${everywhere ? 'ForAllNamespaces' : ''}`
  }

  #body([type]: readonly [string]): OpenApiNode {
    return { content: contentOf(this.#resource.custom === true ? this.#media : ['*/*'], type), required: true }
  }

  #deleteBody(): OpenApiNode {
    this.#deps.needNamed(deleteOptionsDefinition)
    return { content: contentOf(this.#resource.custom === true ? this.#media : ['*/*'], deleteOptionsDefinition) }
  }

  #responses(type: string, codes: readonly string[]): OpenApiNode {
    const content = contentOf(this.#media, type)
    return { ...Object.fromEntries(codes.map((code) => [code, { description: statusTexts[code], content }])), ...unauthorized }
  }
}

interface OperationFacts {
  readonly description: string
  readonly action: string
  readonly suffix?: string | undefined
  readonly everywhere?: boolean | undefined
  readonly kind?: GroupVersionKind | undefined
  readonly parameters?: readonly OpenApiNode[] | undefined
  readonly body?: OpenApiNode | undefined
  readonly responses: OpenApiNode
}

const ownMedia = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/yaml']

function resourcesEntry({ group, version }: { readonly group: string; readonly version: string }): OpenApiEntry {
  const name = camelGroup(group)
  return {
    path: group === '' ? `/api/${version}/` : `/apis/${group}/${version}/`,
    tag: `${name}_${version}`,
    operationId: `get${capitalized(name)}${capitalized(version)}APIResources`,
    description: 'get available resources',
    type: `${meta}APIResourceList`,
  }
}

/** `/apis/<group>/`. */
export function groupEntry(group: string): OpenApiEntry {
  const name = camelGroup(group)
  return {
    path: `/apis/${group}/`,
    tag: name,
    operationId: `get${capitalized(name)}APIGroup`,
    description: 'get information of a group',
    type: `${meta}APIGroup`,
  }
}

function entryNode({ tag, operationId, description, type, media = ownMedia }: OpenApiEntry, needs: Needs): OpenApiNode {
  if (type !== undefined) needs.names.add(type)
  const content = type === undefined ? Object.fromEntries(media.map((one) => [one, { schema: { type: 'string' } }])) : contentOf(media, type)
  return { get: { tags: [tag], description, operationId, responses: { '200': { description: statusTexts['200'], content }, ...unauthorized } } }
}

function groupVersionsOf(resources: readonly OpenApiResource[]): { readonly group: string; readonly version: string }[] {
  return [...new Map(resources.map(({ group, version }) => [`${group}/${version}`, { group, version }])).values()]
}

function textOf(media: readonly string[]): OpenApiNode {
  return { '200': { description: 'OK', content: Object.fromEntries(media.map((one) => [one, { schema: { type: 'string' } }])) }, ...unauthorized }
}

/** The fields of a type that can stand in a query. */
function optionParameters({ fields }: ObjectSchema): OpenApiNode[] {
  return fields.flatMap(({ name, schema }) => {
    const value = schema.kind === 'list' ? schema.of : schema
    const type = value.kind === 'scalar' ? queryTypes[value.scalar] : undefined
    if (type === undefined || name === 'kind' || name === 'apiVersion') return []
    return [query(name, type, schema.description ?? `${capitalized(name)} of the request.`)]
  })
}

const queryTypes: Readonly<Record<string, string>> = { string: 'string', bool: 'boolean', int32: 'integer', int64: 'integer' }

/** What every operation of a path takes stands with the path. */
function withCommonParameters(path: OpenApiNode): OpenApiNode {
  const { parameters = [], ...operations } = path as { readonly parameters?: readonly OpenApiNode[] } & Record<string, OpenApiNode>
  const all = Object.values(operations).map((operation) => (operation['parameters'] ?? []) as readonly OpenApiNode[])
  const common = (all[0] ?? []).filter((one) => all.every((list) => list.includes(one)))
  if (common.length === 0) return path
  const rest = Object.entries(operations).map(([method, { parameters: own = [], ...operation }]) => {
    const left = (own as readonly OpenApiNode[]).filter((one) => !common.includes(one))
    return [method, left.length === 0 ? operation : { ...operation, parameters: left }] as const
  })
  return { ...Object.fromEntries(rest), parameters: [...common, ...parameters].toSorted(byName) }
}

const statusTexts: Readonly<Record<string, string>> = { '200': 'OK', '201': 'Created', '202': 'Accepted' }
const unauthorized = { '401': { description: 'Unauthorized' } }

/** A path may belong to several resources: bindings and pods/binding share none, but the parts of one resource do. */
function add(paths: Record<string, OpenApiNode>, path: string, node: OpenApiNode): void {
  if (Object.keys(node).some((key) => key !== 'parameters')) paths[path] = { ...paths[path], ...node }
}

function contentOf(media: readonly string[], type: string): OpenApiNode {
  return Object.fromEntries(media.map((name) => [name, { schema: { $ref: `#/components/schemas/${type}` } }]))
}

function article(kind: string): string {
  return /^[AEIOU]/.test(kind) ? `an ${kind}` : `a ${kind}`
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** `rbac.authorization.k8s.io` is `rbacAuthorization`, the core group `core`. */
function camelGroup(group: string): string {
  if (group === '') return 'core'
  const [first = '', ...rest] = group.replace(/\.k8s\.io$/, '').split('.')
  return first + rest.map(capitalized).join('')
}

function byName(a: OpenApiNode, b: OpenApiNode): number {
  return String(a['name']) < String(b['name']) ? -1 : 1
}

function unique(type: string): OpenApiNode {
  return { type, uniqueItems: true }
}

function query(name: string, type: string, description: string): OpenApiNode {
  return { name, in: 'query', description, schema: unique(type) }
}

const pretty = query('pretty', 'string', "If 'true', the answer is indented.")
const namespaceParameter: OpenApiNode = {
  name: 'namespace',
  in: 'path',
  description: 'object name and auth scope, such as for teams and projects',
  required: true,
  schema: unique('string'),
}
const dryRun = query('dryRun', 'string', 'All: the request passes every stage and nothing is stored.')

const writeParameters: readonly OpenApiNode[] = [
  dryRun,
  query('fieldManager', 'string', 'Name of the actor that makes the change: at most 128 printable characters. Required for apply.'),
  query(
    'fieldValidation',
    'string',
    'What becomes of unknown and duplicate fields: Ignore drops them, Warn (the default) drops them and warns, Strict refuses the request.',
  ),
]
const forceParameter = query('force', 'boolean', 'Apply only: take over fields that other managers own.')

const deleteParameters: readonly OpenApiNode[] = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'Seconds before the object is removed; zero removes it at once. Default: that of the object.'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean', 'Deletes an object that cannot be read any more, without its finalizers.'),
  query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
]

const listParameters: readonly OpenApiNode[] = [
  query('allowWatchBookmarks', 'boolean', 'Asks for BOOKMARK events in a watch.'),
  query('continue', 'string', 'The continue token of the page before.'),
  query('fieldSelector', 'string', 'Restricts the objects by their fields. Default: everything.'),
  query('labelSelector', 'string', 'Restricts the objects by their labels. Default: everything.'),
  query('limit', 'integer', 'The largest number of objects in one answer; the answer carries a continue token when there are more.'),
  query('resourceVersion', 'string', 'The version of the data that the answer is made from, or that a watch starts after.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is applied to a list: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'A watch starts with the present objects.'),
  query('shardSelector', 'string', 'Restricts the objects to ranges of the hash of a field.'),
  query('timeoutSeconds', 'integer', 'How long a list or a watch may take.'),
  query('watch', 'boolean', 'Answers with a stream of changes instead of a list.'),
]
