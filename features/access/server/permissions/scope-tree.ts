/** A tenant, or a project at any depth: what a Membership holds in. It goes by the namespace of the hub that is its own. */
export interface Scope {
  /** For people: `tenant acme`, `project acme/shop`. */
  readonly label: string
  /** The namespace of the scope it stands in; undefined: of a tenant. */
  readonly parent: string | undefined
  /** The object of the hub that it is. */
  readonly object: ScopeObject
  /** Memberships in it and below give nothing. */
  readonly suspended: boolean
}

export interface ScopeObject {
  readonly group: string
  readonly resource: string
  /** Undefined: at the cluster scope. */
  readonly namespace: string | undefined
  readonly name: string
}

interface Entry {
  scope: Scope | undefined
  /** Namespaces of it and of what is below, by cluster. */
  readonly counts: Map<string, number>
  readonly children: Set<string>
  /** Namespaces of its own alone. */
  own: number
  version: number
}

// A project stands in the namespace of another one, which stands in another: the hub has no longer paths, this is for what is not yet known whole.
const maxDepth = 32

/**
 * Tenants, projects and the namespaces of clusters that are certainly theirs. A change touches what it stands in and nothing else: with 10,000 projects it costs as much as
 * with ten. The parts may come in any order; a scope counts from when everything above it is known.
 */
export class ScopeTree {
  readonly #entries = new Map<string, Entry>()
  /** Owners by namespace and cluster. */
  readonly #places = new Map<string, Map<string, string>>()
  readonly #objects = new Map<string, string>()
  readonly #kinds = new Map<string, number>()

  setScope(namespace: string, scope: Scope | undefined): void {
    const entry = this.#entry(namespace)
    const before = entry.scope
    if (before !== undefined) {
      this.#objects.delete(objectKey(before.object))
      countIn(this.#kinds, kindKey(before.object), -1)
      this.#countAbove(namespace, entry.counts, -1)
      if (before.parent !== undefined) {
        this.#entries.get(before.parent)?.children.delete(namespace)
        this.#tidy(before.parent)
      }
    }
    entry.scope = scope
    entry.version++
    if (scope !== undefined) {
      this.#objects.set(objectKey(scope.object), namespace)
      countIn(this.#kinds, kindKey(scope.object), 1)
      if (scope.parent !== undefined) this.#entry(scope.parent).children.add(namespace)
      this.#countAbove(namespace, entry.counts, 1)
    }
    this.#tidy(namespace)
  }

  /** `owner` is the namespace of the scope that certainly owns a namespace of a cluster; undefined: none. */
  setPlace(cluster: string, namespace: string, owner: string | undefined): void {
    let there = this.#places.get(namespace)
    const before = there?.get(cluster)
    if (before === owner) return
    if (before !== undefined) this.#count(before, cluster, -1)
    if (owner === undefined) {
      there?.delete(cluster)
      if (there?.size === 0) this.#places.delete(namespace)
      return
    }
    if (there === undefined) this.#places.set(namespace, (there = new Map()))
    there.set(cluster, owner)
    this.#count(owner, cluster, 1)
  }

  get(namespace: string): Scope | undefined {
    return this.#entries.get(namespace)?.scope
  }

  /** For people; of one that is not known its namespace. */
  labelOf(namespace: string): string {
    return this.get(namespace)?.label ?? `namespace ${namespace}`
  }

  /** A scope and all that it stands in, itself first; empty when not all of it is known, or its tenant is suspended. */
  chainOf(namespace: string): readonly string[] {
    const chain: string[] = []
    for (let at: string | undefined = namespace; at !== undefined;) {
      const scope = this.get(at)
      if (scope === undefined || scope.suspended || chain.length === maxDepth) return []
      chain.push(at)
      at = scope.parent
    }
    return chain
  }

  isActive(namespace: string): boolean {
    return this.chainOf(namespace).length > 0
  }

  /** Whether one scope is another, or below it, and both count. */
  isWithin(namespace: string, scope: string): boolean {
    return this.chainOf(namespace).includes(scope)
  }

  /** Who owns a namespace of a cluster; of every cluster when it is `*`. */
  *ownersOf(cluster: string, namespace: string): Generator<string> {
    const there = this.#places.get(namespace)
    if (there === undefined) return
    if (cluster === '*') yield* there.values()
    else {
      const owner = there.get(cluster)
      if (owner !== undefined) yield owner
    }
  }

  /** Namespaces of clusters that are its own or below it, by cluster and name. Looks at every namespace there is: not for each request. */
  placesOf(scope: string): readonly { readonly cluster: string; readonly namespace: string }[] {
    const places = []
    for (const [namespace, owners] of this.#places) for (const [cluster, owner] of owners) if (this.isWithin(owner, scope)) places.push({ cluster, namespace })
    return places.toSorted((a, b) => a.cluster.localeCompare(b.cluster) || a.namespace.localeCompare(b.namespace))
  }

  /** Whether it, or something below it, has a namespace in a cluster; in any cluster when it is `*`. */
  reaches(scope: string, cluster: string): boolean {
    const counts = this.#entries.get(scope)?.counts
    return counts !== undefined && (cluster === '*' ? counts.size > 0 : counts.has(cluster))
  }

  clustersOf(scope: string): Iterable<string> {
    return this.#entries.get(scope)?.counts.keys() ?? []
  }

  /** The scope that an object of the hub is. */
  scopeOfObject(object: ScopeObject): string | undefined {
    return this.#objects.get(objectKey(object))
  }

  /** Whether scopes are objects of this kind. */
  isScopeKind(group: string, resource: string): boolean {
    return this.#kinds.has(`${group}/${resource}`)
  }

  /** Changes with what a scope reaches. */
  versionOf(scope: string): number {
    return this.#entries.get(scope)?.version ?? 0
  }

  #entry(namespace: string): Entry {
    let entry = this.#entries.get(namespace)
    if (entry === undefined) this.#entries.set(namespace, (entry = { scope: undefined, counts: new Map(), children: new Set(), own: 0, version: 0 }))
    return entry
  }

  #count(owner: string, cluster: string, by: number): void {
    const entry = this.#entry(owner)
    const one = new Map([[cluster, 1]])
    add(entry, one, by)
    entry.own += by
    this.#countAbove(owner, one, by)
    this.#tidy(owner)
  }

  #countAbove(namespace: string, counts: ReadonlyMap<string, number>, by: number): void {
    let at = this.get(namespace)?.parent
    for (let depth = 0; at !== undefined && depth < maxDepth; depth++) {
      const entry: Entry = this.#entry(at)
      add(entry, counts, by)
      at = entry.scope?.parent
    }
  }

  #tidy(namespace: string): void {
    const entry = this.#entries.get(namespace)
    if (entry !== undefined && entry.scope === undefined && entry.children.size === 0 && entry.own === 0) this.#entries.delete(namespace)
  }
}

function add(entry: Entry, counts: ReadonlyMap<string, number>, by: number): void {
  entry.version++
  for (const [cluster, count] of counts) countIn(entry.counts, cluster, count * by)
}

function countIn(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}

function kindKey({ group, resource }: ScopeObject): string {
  return `${group}/${resource}`
}

function objectKey({ group, resource, namespace = '', name }: ScopeObject): string {
  return `${group}/${resource}/${namespace}/${name}`
}
