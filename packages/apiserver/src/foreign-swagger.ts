import { isDeepStrictEqual } from 'node:util'
import { isJsonObject } from '@gantry/apimachinery'
import type { JsonObject } from '@gantry/apimachinery'

/** Paths and definitions of an OpenAPI v2 document. */
export interface Swagger {
  readonly paths: Readonly<Record<string, JsonObject>>
  readonly definitions: Readonly<Record<string, JsonObject>>
}

const reference = '#/definitions/'
const kindsKey = 'x-kubernetes-group-version-kind'

/** What of another server's document stands below a path: with the definitions that it needs. Upstream: kube-openapi pkg/aggregator FilterSpecByPaths. */
export function swaggerBelow(document: unknown, prefix: string): Swagger | undefined {
  if (!isJsonObject(document) || !isJsonObject(document['paths'])) return undefined
  const all = objectsOf(document['definitions'])
  const usedBefore = usedDefinitions(Object.values(document['paths']), all)
  const paths = Object.fromEntries(Object.entries(objectsOf(document['paths'])).filter(([path]) => path.startsWith(prefix)))
  const used = usedDefinitions(Object.values(paths), all)
  // What no path ever needed is not for this filter to take away.
  return { paths, definitions: Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name) || !usedBefore.has(name))) }
}

/** Gathers the documents of several servers in one; the first to describe a path or a type keeps its name. Upstream: kube-openapi pkg/aggregator mergeSpecs. */
export class SwaggerMerger {
  readonly #ownPaths: ReadonlySet<string>
  readonly #ownDefinitions: ReadonlySet<string>
  readonly paths = new Map<string, JsonObject>()
  /** Those of others, and our own of names that others use too. */
  readonly definitions: Map<string, JsonObject>

  /** `shared`: our own definitions of the names that others use too. */
  constructor(own: { readonly paths: ReadonlySet<string>; readonly definitions: ReadonlySet<string>; readonly shared: ReadonlyMap<string, JsonObject> }) {
    this.#ownPaths = own.paths
    this.#ownDefinitions = own.definitions
    this.definitions = new Map(own.shared)
  }

  add(source: Swagger): void {
    const paths = Object.entries(source.paths).filter(([path]) => !this.#ownPaths.has(path) && !this.paths.has(path))
    if (paths.length === 0) return
    const renames = this.#renames(source)
    for (const [name, node] of Object.entries(source.definitions)) {
      const as = renames.get(name) ?? name
      const there = this.definitions.get(as)
      this.definitions.set(as, there === undefined ? renamed(node, renames) : withKindsOf(there, node))
    }
    for (const [path, node] of paths) this.paths.set(path, renamed(node, renames))
  }

  /** New names for types that are others here. */
  #renames(source: Swagger): ReadonlyMap<string, string> {
    const renames = new Map<string, string>()
    for (const [name, node] of Object.entries(source.definitions)) {
      const isFree = (candidate: string): boolean => !this.definitions.has(candidate) && !this.#ownDefinitions.has(candidate)
      let as = name
      for (let count = 2; !isFree(as) && !isSameType(this.definitions.get(as), node); count++) as = `${name}_v${count}`
      if (as !== name) renames.set(name, as)
    }
    return renames
  }
}

/** Texts do not make another type: ours are fewer than those of servers that are built from Kubernetes' types. */
function isSameType(one: JsonObject | undefined, other: JsonObject): boolean {
  if (one === undefined) return false
  const { [kindsKey]: _one, ...rest } = one
  const { [kindsKey]: _other, ...otherRest } = other
  return isDeepStrictEqual(withoutTexts(rest), withoutTexts(otherRest))
}

function withoutTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTexts)
  if (!isJsonObject(value)) return value
  // A property may be named so too: then it stands for a schema.
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, one]) => one !== undefined && !(key === 'description' && typeof one === 'string'))
      .map(([key, one]) => [key, withoutTexts(one)]),
  )
}

/** A type that several servers have stands for the kinds of all of them. */
function withKindsOf(there: JsonObject, other: JsonObject): JsonObject {
  const [own, more] = [kindsOf(there), kindsOf(other)]
  const known = new Set(own.map(kindName))
  const added = more.filter((kind) => !known.has(kindName(kind)))
  if (added.length === 0) return there
  const all = own.length === 0 ? added : [...own, ...added].sort((a, b) => (kindName(a) < kindName(b) ? -1 : 1))
  return { ...there, [kindsKey]: all }
}

function kindsOf(node: JsonObject): readonly JsonObject[] {
  const kinds = node[kindsKey]
  return Array.isArray(kinds) ? kinds.filter(isJsonObject) : []
}

function kindName({ group, version, kind }: JsonObject): string {
  return `${String(group)}/${String(version)}.${String(kind)}`
}

/** The definitions that nodes refer to, and those that these refer to. */
function usedDefinitions(nodes: readonly unknown[], definitions: Readonly<Record<string, JsonObject>>): ReadonlySet<string> {
  const used = new Set<string>()
  const pending: unknown[] = [...nodes]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (Array.isArray(node)) pending.push(...node)
    if (!isJsonObject(node)) continue
    const { $ref: target } = node
    if (typeof target === 'string' && target.startsWith(reference) && !used.has(target.slice(reference.length))) {
      used.add(target.slice(reference.length))
      const definition = definitions[target.slice(reference.length)]
      if (definition !== undefined) pending.push(definition)
    }
    for (const value of Object.values(node)) if (typeof value === 'object' && value !== null) pending.push(value)
  }
  return used
}

function renamed(node: JsonObject, renames: ReadonlyMap<string, string>): JsonObject {
  if (renames.size === 0) return node
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((item) => visit(item))
    return isJsonObject(value) ? visitObject(value) : value
  }
  const visitObject = (object: JsonObject): JsonObject => {
    const copy: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(object)) {
      const as = key === '$ref' && typeof value === 'string' ? renames.get(value.slice(reference.length)) : undefined
      copy[key] = as === undefined ? visit(value) : `${reference}${as}`
    }
    return copy
  }
  return visitObject(node)
}

function objectsOf(value: unknown): Record<string, JsonObject> {
  return isJsonObject(value) ? Object.fromEntries(Object.entries(value).flatMap(([name, one]) => (isJsonObject(one) ? [[name, one] as const] : []))) : {}
}
