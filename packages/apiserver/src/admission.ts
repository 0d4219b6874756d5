import type { ApiObject, ResourceDefinition, WriteContext } from './resource.ts'

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  readonly definition: ResourceDefinition
  readonly subresource: string
  readonly namespace: string | undefined
  /** Empty for a create whose name is going to be generated: that happens after mutating admission. */
  readonly name: string
  /** Mutating plug-ins may change it. Absent for deletes. */
  readonly object: ApiObject | undefined
  readonly oldObject: ApiObject | undefined
  readonly context: WriteContext
}

/** A step between decoding and storing. Throws a StatusError (usually Forbidden) to refuse. Mutators run first, in order, then validators. */
export interface AdmissionPlugin {
  readonly name: string
  mutate?(request: AdmissionRequest): void | Promise<void>
  validate?(request: AdmissionRequest): void | Promise<void>
}
