import type { Decoder, Definitions, ObjectSchema } from '@gantry/apimachinery'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { Registry } from './registry.ts'
import type { ApiObject, ResourceDefinition, WriteContext } from './resource.ts'

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  /** The rules of the write: `object` and `oldObject` have its shape, unless the request is for a body. */
  readonly definition: ResourceDefinition
  /** The definition under whose address the caller knows the object. Absent: `definition`. */
  readonly served?: ResourceDefinition | undefined
  readonly subresource: string
  readonly namespace: string | undefined
  /** Empty for a create whose name is going to be generated (that happens after mutating admission), and for the deletion of a collection. */
  readonly name: string
  /** Mutating plug-ins may change it. Absent for deletes. */
  readonly object: ApiObject | undefined
  readonly oldObject: ApiObject | undefined
  /** How the request shows the object, where that is not how it is stored: a Scale. */
  readonly shape?: AdmittedShape | undefined
  /** The object is the body of a subresource (a Binding, an Eviction, the options of an exec), of this kind: nothing of what `definition` says holds for it. */
  readonly body?: AdmittedBody | undefined
  /** CreateOptions, UpdateOptions or DeleteOptions as JSON, with kind and apiVersion. Absent: the request has none (CONNECT). */
  readonly options?: (() => Readonly<Record<string, unknown>>) | undefined
  readonly context: WriteContext
  /** The write follows from a request that has been admitted (a binding changes its pod): nobody outside this server is asked again. */
  readonly consequence?: boolean | undefined
  /** Absent: mutators are asked once. */
  readonly reinvocation?: Reinvocation | undefined
}

export interface AdmittedBody {
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly schema: ObjectSchema | undefined
}

export interface AdmittedShape extends AdmittedBody {
  read(object: ApiObject): ApiObject
  /** Takes over into the object what was changed in the shape. */
  write(object: ApiObject, shown: ApiObject): void
}

/** Mutators run a second time when one of them asks for it: what came after it may be of interest to it. Upstream: apiserver pkg/admission/plugin/webhook reinvocation. */
export interface Reinvocation {
  round: 0 | 1
  wanted: boolean
}

/** What of the server a plug-in may need: what is served, and how it is read. */
export interface AdmissionHost {
  readonly registry: Registry
  readonly definitions: Definitions
  readonly decoder: Decoder
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

/** A step between decoding and storing. Throws a StatusError (usually Forbidden) to refuse. Mutators run first, in order, then validators. */
export interface AdmissionPlugin {
  readonly name: string
  /** Asked about bodies of subresources too. */
  readonly bodies?: boolean
  mutate?(request: AdmissionRequest, host: AdmissionHost): void | Promise<void>
  validate?(request: AdmissionRequest, host: AdmissionHost): void | Promise<void>
}

type Admitting = AdmissionHost & { readonly admission: readonly AdmissionPlugin[] }

export async function mutate(server: Admitting, request: AdmissionRequest): Promise<void> {
  await mutateOnce(server, request)
  if (request.reinvocation?.wanted !== true) return
  request.reinvocation.round = 1
  await mutateOnce(server, request)
}

async function mutateOnce(server: Admitting, request: AdmissionRequest): Promise<void> {
  for (const plugin of server.admission) {
    if (request.body !== undefined && plugin.bodies !== true) continue
    // Most have nothing to wait for: a turn of the queue for each of them is more than all of them do.
    const pending = plugin.mutate?.(request, server)
    if (pending !== undefined) await pending
  }
}

export async function validate(server: Admitting, request: AdmissionRequest): Promise<void> {
  for (const plugin of server.admission) {
    if (request.body !== undefined && plugin.bodies !== true) continue
    const pending = plugin.validate?.(request, server)
    if (pending !== undefined) await pending
  }
}
