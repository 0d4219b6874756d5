/** The shapes every Kubernetes object, list, table and watch event shares, as they are on the wire. */
export interface ObjectMeta {
  readonly name?: string
  readonly generateName?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string | null
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerReference[]
  readonly finalizers?: readonly string[]
}

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
}

export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: ObjectMeta
}

/** An object whose fields beyond metadata are looked at by name. */
export interface AnyObject extends KubeObject {
  readonly spec?: unknown
  readonly status?: { readonly conditions?: readonly Condition[] } & Readonly<Record<string, unknown>>
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface ListMeta {
  readonly resourceVersion?: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

export interface KubeList<T> {
  readonly apiVersion?: string
  /** The items' kind with `List` behind it. */
  readonly kind?: string
  readonly metadata: ListMeta
  readonly items: readonly T[] | null
}

export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  /** 0 is always shown, anything else only in a wide view. */
  readonly priority?: number
}

export interface TableRow {
  readonly cells: readonly unknown[]
  readonly object: KubeObject
}

export interface KubeTable {
  readonly metadata: ListMeta
  readonly columnDefinitions: readonly TableColumn[] | null
  readonly rows: readonly TableRow[] | null
}

export interface StatusCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

export interface Status {
  readonly kind: 'Status'
  readonly message?: string
  readonly reason?: string
  readonly code?: number
  readonly details?: { readonly causes?: readonly StatusCause[]; readonly retryAfterSeconds?: number }
}

/** A resource as URLs and discovery name it. */
export interface ResourceType {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
}

/** How the console names a kind of the platform. */
export function typeOf(kind: Omit<ResourceType, 'namespaced'> & { readonly namespaced?: boolean | undefined }): ResourceType {
  const { group, version, plural, namespaced = false } = kind
  return { group, version, plural, kind: kind.kind, namespaced }
}

export function groupVersion(type: Pick<ResourceType, 'group' | 'version'>): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`
}

/** `apps/v1` → group and version; `v1` → the core group. */
export function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? { group: '', version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}
