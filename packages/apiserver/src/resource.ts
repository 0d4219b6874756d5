import type { FieldError, FieldSet, ObjectSchema } from '@gantry/apimachinery'
import type { HttpRequest, HttpResponse, Pause, UserInfo } from '@gantry/runtime'
import type { Duplex } from 'node:stream'

/** An object as the server handles it: decoded against its schema, canonical field order, metadata always present. */
export interface ApiObject {
  apiVersion: string
  kind: string
  metadata: ServerMeta
  [field: string]: unknown
}

export interface ServerMeta {
  name: string
  generateName?: string
  namespace?: string
  uid: string
  resourceVersion?: string
  generation?: number
  creationTimestamp: string | null
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean; blockOwnerDeletion?: boolean }[]
  finalizers?: string[]
  managedFields?: unknown[]
  [field: string]: unknown
}

/** Who writes, and how: handed to the hooks of a definition. */
export interface WriteContext {
  readonly user: UserInfo
  readonly dryRun: boolean
  /** As authorization knows the request. */
  readonly verb?: string | undefined
  readonly now: Date
  /** Adds a `Warning` header to the answer. */
  warn(text: string): void
  /** Adds an annotation to the request's audit event; absent where nobody keeps them. */
  readonly annotate?: ((key: string, value: string) => void) | undefined
  readonly pause?: Pause | undefined
}

/**
 * One served resource: everything that is particular about a kind stands in its definition, and the server iterates over definitions. Hooks mutate the decoded
 * object they are given; all are optional. Upstream's counterpart is a `rest.Storage` with its strategy.
 */
export interface ResourceDefinition {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly namespaced: boolean
  readonly schema: ObjectSchema
  /** Custom resources differ on the wire: alphabetical keys, items carry kind and apiVersion, no protobuf, no strategic merge, kind required. */
  readonly custom?: boolean
  /** Custom resources: the version whose schema the stored bytes have. Absent: this one. */
  readonly storageVersion?: string
  /** What discovery hashes as the stored version, where upstream stores another one than it serves. Clients compare hashes only. */
  readonly hashedVersion?: string
  /** A view: the objects are another definition's, shown in this group and version. Absent: they are stored as they are served. */
  readonly storedAs?: StoredAs
  /** Custom resources whose versions are converted by others: who owns which field is compared in the version that it was written in (P9). */
  readonly hasConversions?: boolean
  /** The order of the group and of the version inside discovery: higher first. */
  readonly groupPriority?: number
  readonly versionPriority?: number

  /** A second address of the same objects is refused (create-only reviews have no storage at all). */
  readonly create?: VirtualCreate
  /** Nothing is stored: the objects are worked out whenever they are read (`verbs` are get and list). */
  readonly compute?: ComputedObjects
  /** Nothing is stored: a create is one of that subresource of the object that the body names (`verbs` is create). */
  readonly createsThrough?: { readonly plural: string; readonly subresource: string }
  /** Absent: all of get list watch create update patch delete deletecollection. */
  readonly verbs?: readonly string[]

  readonly hasStatus?: boolean
  /** By subresource ('' is the object itself) the fields that a write there does not change and so does not own. Absent: the status, and all but the status. */
  readonly resetFields?: Readonly<Record<string, FieldSet>>
  /** What of the metadata a write of the status leaves as it is. Absent: nothing; custom resources: everything. */
  readonly statusKeeps?: 'metadata' | readonly ('labels' | 'ownerReferences')[]
  /** Further endpoints that write the status and nothing else, beside `status` itself (`approval`). */
  readonly statusSubresources?: readonly string[]
  /** Endpoints that show the whole object and write some other part of it than the status (`pods/resize`). */
  readonly partSubresources?: Readonly<Record<string, PartSubresource>>
  readonly scale?: ScaleMapping
  readonly subresources?: Readonly<Record<string, Subresource>>

  /** The rows of a table come by this rank, lowest first, and then by name. Absent: by name alone. */
  readonly tableOrder?: (object: ApiObject) => number
  /** What the rules of the kind look at again in the metadata of an update, beside the server. Absent: what changes. */
  readonly metaChecksOnUpdate?: 'whole' | 'both' | 'none'
  /** Finalizers need not be qualified. */
  readonly takesAnyFinalizer?: boolean
  /** `metadata.generation` counts changes outside metadata and status. */
  readonly tracksGeneration?: boolean
  /** The status that comes with a create is taken (nodes register themselves so). */
  readonly keepsStatusOnCreate?: boolean
  readonly allowUnconditionalUpdate?: boolean
  readonly allowCreateOnUpdate?: boolean
  readonly returnsDeletedObject?: boolean
  /** Seconds between the request to delete and the removal; absent or undefined: at once. */
  gracePeriodSeconds?(object: ApiObject, requested: number | undefined): number | undefined
  /** Finalizers of `spec.finalizers` style: the object stays, terminating, until this is true. */
  isFinalized?(object: ApiObject): boolean
  /** Finalizers that every deletion adds: somebody has to clean up first. */
  readonly finalizersOnDelete?: readonly string[]
  /** What becomes of dependents when a deletion does not say; absent: the garbage collector removes them. */
  readonly defaultPropagationPolicy?: 'Orphan'
  /** Deletions never wait for the garbage collector, whatever they ask for. */
  readonly ignoresPropagationPolicy?: boolean
  /** Said to whoever deletes without a propagation policy. */
  readonly unsaidPolicyWarning?: string
  /** Called on the object that starts to terminate. */
  prepareForDelete?(object: ApiObject, context: WriteContext): void
  /** Throws when the object must never be deleted. */
  checkDelete?(object: ApiObject): void

  /** Fills absent fields, after every decode. */
  applyDefaults?(object: ApiObject): void
  prepareForCreate?(object: ApiObject, context: WriteContext): void
  /** Not called for subresources: these change what they are for. */
  prepareForUpdate?(object: ApiObject, old: ApiObject, context: WriteContext): void
  /** Called for what writes the status: `subresource` is `status` or one of `statusSubresources`. */
  prepareForStatusUpdate?(object: ApiObject, old: ApiObject, context: WriteContext & { readonly subresource: string }): void
  /** What the writer of an object should know that has been found valid; `old` is there on updates. */
  warnings?(object: ApiObject, old: ApiObject | undefined): readonly string[]
  /** The same for who writes its status. */
  statusWarnings?(object: ApiObject): readonly string[]
  /** `old` is there on updates: what was wrong before and has not changed may stay (ratcheting). */
  validate?(object: ApiObject, old?: ApiObject, context?: WriteContext): FieldError[] | Promise<FieldError[]>
  validateUpdate?(object: ApiObject, old: ApiObject): FieldError[]
  validateStatusUpdate?(object: ApiObject, old: ApiObject, subresource: string, context?: WriteContext): FieldError[]
  readonly validateName?: (name: string, isPrefix?: boolean) => string[]
  /**
   * Assigns and reserves what must be unique in the cluster (addresses, ports), before the object is validated; may throw a StatusError. `release` gives it back when
   * nothing is written (and may be called twice), `commit` is called once the write is on the disk: what the former state had and the new one has not is free then.
   */
  reserve?(object: ApiObject, old: ApiObject | undefined, context: WriteContext): { release(): void; commit(): void } | undefined
  /** Called once a created object is on the disk, before its creator hears of it. It must not throw: the object is there. */
  afterCreate?(object: ApiObject): Promise<void>
  /** Called when the object has been removed. */
  released?(object: ApiObject): void

  readonly columns?: readonly TableColumn[]
  /** Conditions of a table row, as pods have (`Completed`). */
  rowConditions?(object: ApiObject): readonly unknown[] | undefined
  /** Field selectors beyond metadata.name and metadata.namespace. */
  readonly selectableFields?: Readonly<Record<string, (object: ApiObject) => string>>
  /** The refusal of another field, where a kind has words of its own. */
  readonly unselectableField?: (field: string) => string
  /** Kinds with a list of their own say `field label not supported`; the others name the two that every kind has. */
  readonly deprecationWarning?: string
}

/**
 * How a view relates to what is stored. Hooks of the stored definition do all the work of a write; of the view's own, only `applyDefaults` counts.
 * Columns read the stored object.
 * Conversions return a new object and leave the given one alone; they may share parts with it.
 */
export interface StoredAs {
  readonly definition: ResourceDefinition
  fromStored(object: ApiObject): ApiObject
  toStored(object: ApiObject): ApiObject
  /**
   * Conversions that others make: has them at hand before the two above are asked, which otherwise throw a `ConversionPending`. Absent: they can always answer. Rejects with
   * a StatusError.
   */
  readonly prepare?: (stored: readonly ApiObject[]) => Promise<void>
  /** This version's names of the stored definition's selectable fields: all that can be selected by here. */
  readonly fieldLabels?: Readonly<Record<string, string>>
  /** Validation of what is written through this view, in its stored shape; absent: the stored definition's. */
  readonly rules?: Pick<ResourceDefinition, 'validate' | 'validateUpdate'>
}

/** One column of a kind's Table. Cells are strings, integers or booleans, as upstream prints them. */
export interface TableColumn {
  readonly name: string
  readonly type?: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  readonly description?: string
  /** 0: always shown; 1: only with `-o wide`. */
  readonly priority?: number
  cell(object: ApiObject, now: Date): string | number | boolean | null
  /** Of a column that shows nothing but an age: when that begins, in milliseconds of the epoch; undefined when there is no time to show. */
  since?(object: ApiObject): number | undefined
}

export interface ScaleMapping {
  /** Of a custom resource, which answers for its paths itself. */
  readonly custom?: { readonly group: string; readonly kind: string }
  readonly specReplicas: readonly string[]
  readonly statusReplicas: readonly string[]
  selector(object: ApiObject): string
}

/** GET, PUT and PATCH of the object, for one part of it. */
export interface PartSubresource {
  /** Brings back everything that this endpoint does not write; `object` has been decoded. */
  keepOthers(object: ApiObject, old: ApiObject): void
  /** In place of the definition's rules for updates. */
  validateUpdate(object: ApiObject, old: ApiObject): FieldError[]
}

/** Objects that only exist while they are read; both answer at once. */
export interface ComputedObjects {
  list(): readonly ApiObject[]
  /** Throws NotFound. */
  get(name: string): ApiObject
}

/** A create-only resource that answers instead of storing (reviews). */
export type VirtualCreate = (object: ApiObject, context: WriteContext & { readonly namespace: string | undefined }) => Promise<Record<string, unknown>>

/** A subresource with its own behaviour: log, exec, binding, token … */
export interface Subresource {
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly verbs: readonly string[]
  /** The methods it takes, where these are more than those of its verbs (`proxy`). */
  readonly methods?: readonly string[]
  /** What every caller has to be allowed as well, whatever the method says he does: a GET that opens a WebSocket to a container is no reading. */
  readonly alsoNeeds?: 'create'
  /** Name of the type that its query is read as, where that is not the one of `kind` (`log`). */
  readonly options?: string
  /** The body's schema, for POST/PUT bodies in any media type. */
  readonly schema?: ObjectSchema
  handle?(call: SubresourceCall): Promise<HttpResponse>
  /** Takes the socket over. Resolves with the code of its answer where that is no 101: the request was no upgrade that it knows. */
  upgrade?(call: SubresourceCall, socket: Duplex, head: Buffer): Promise<number | undefined>
}

export interface SubresourceCall {
  readonly request: HttpRequest
  readonly query: URLSearchParams
  readonly namespace: string | undefined
  readonly name: string
  readonly method: string
  /** The rest of the path after the subresource (`proxy/…`). */
  readonly subpath: string
  readonly context: WriteContext
  /** The parent object; throws NotFound. */
  parent(): ApiObject
  /** The decoded body; throws BadRequest. */
  body(): Promise<ApiObject>
  /**
   * Applies a change to the parent object under optimistic concurrency, in the name of this subresource: what a definition keeps from ordinary updates is in reach.
   */
  change(mutate: (parent: ApiObject) => void): Promise<ApiObject>
  /** Deletes the parent object by its rules (grace, finalizers). */
  remove(options: {
    readonly gracePeriodSeconds?: number | undefined
    readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  }): Promise<void>
}
