import type { HttpResponse, RequestBody } from '@gantry/runtime'

/** What a client needs to know of a resource to address it. */
export interface ResourceRef {
  readonly group: string
  readonly version: string
  /** Plural, as in URLs. */
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
}

export interface ObjectKey {
  readonly namespace?: string | undefined
  readonly name: string
}

/** Any Kubernetes object. Kinds narrow it with their own interface. */
export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata: ObjectMeta
}

export interface ObjectMeta {
  name?: string
  generateName?: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string | null
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: unknown[]
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface KubeList<T> {
  apiVersion: string
  kind: string
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number }
  items: T[]
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly object: { readonly metadata: { readonly resourceVersion: string; readonly annotations?: Record<string, string> } } }

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly limit?: number | undefined
  readonly continue?: string | undefined
  readonly resourceVersion?: string | undefined
  /** Asks for PartialObjectMetadata: only apiVersion, kind and metadata of each object. */
  readonly metadataOnly?: boolean | undefined
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string | undefined
  readonly dryRun?: boolean | undefined
  readonly subresource?: string | undefined
  /** Asks for the answer as PartialObjectMetadata: only apiVersion, kind and metadata of what has been written. */
  readonly metadataOnly?: boolean | undefined
}

export interface DeleteCallOptions extends CallOptions {
  readonly gracePeriodSeconds?: number | undefined
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply'

/**
 * A typed view over one Kubernetes API, whoever serves it: it needs nothing but a Handler. Failures are `StatusError`s with the server's reason; a failed transport is
 * a StatusError with reason `ServiceUnavailable` (or `Timeout`) and the cause attached. Unknown fields are kept.
 */
export interface KubeClient {
  get<T extends KubeObject>(
    resource: ResourceRef,
    key: ObjectKey,
    options?: CallOptions & { readonly subresource?: string | undefined; readonly metadataOnly?: boolean | undefined },
  ): Promise<T>
  list<T extends KubeObject>(resource: ResourceRef, options?: ListOptions): Promise<KubeList<T>>
  create<T extends KubeObject>(resource: ResourceRef, object: T, options?: WriteOptions): Promise<T>
  /** PUT; `options.subresource: 'status'` writes the status. */
  update<T extends KubeObject>(resource: ResourceRef, object: T, options?: WriteOptions): Promise<T>
  patch<T extends KubeObject>(
    resource: ResourceRef,
    key: ObjectKey,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean | undefined } & WriteOptions,
  ): Promise<T>
  delete(resource: ResourceRef, key: ObjectKey, options?: DeleteCallOptions): Promise<void>
  /** Ends cleanly when the server ends the watch; throws a StatusError on an ERROR event (reason `Expired`: list again). */
  watch<T extends KubeObject>(
    resource: ResourceRef,
    options: ListOptions & { readonly allowBookmarks?: boolean | undefined; readonly timeoutSeconds?: number | undefined },
  ): AsyncIterable<WatchEvent<T>>
  /** Any request: discovery, subresources with bodies of their own, `/version`. Does not throw on error statuses. */
  request(request: {
    readonly method: string
    readonly path: string
    readonly query?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: RequestBody
    readonly signal?: AbortSignal | undefined
  }): Promise<HttpResponse>
}
