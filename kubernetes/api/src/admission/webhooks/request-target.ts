import { isJsonObject } from '@gantry/apimachinery'
import type { Definitions, ObjectSchema } from '@gantry/apimachinery'
import { apiVersion, collectionPrefix, toServed, toStored } from '@gantry/apiserver'
import type { AdmissionHost, AdmissionRequest, ApiObject, ResourceDefinition } from '@gantry/apiserver'

export interface GroupVersionResource {
  readonly group: string
  readonly version: string
  readonly resource: string
}

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** A request as rules see it, in one of the versions in which its resource is served. */
export interface RequestTarget {
  readonly resource: GroupVersionResource
  readonly kind: GroupVersionKind
  readonly definition: ResourceDefinition
}

/** The request in the version in which it came. */
export function targetOf(request: AdmissionRequest): RequestTarget {
  return targetIn(request, request.served ?? request.definition)
}

/** The same objects in the other groups and versions that serve them: a webhook that asked for one of these hears of this one too (matchPolicy Equivalent). */
export function equivalentTargets(request: AdmissionRequest, host: AdmissionHost): RequestTarget[] {
  const own = request.served ?? request.definition
  const prefix = collectionPrefix(own)
  const found: RequestTarget[] = []
  for (const definition of host.registry.all()) {
    if (definition !== own && collectionPrefix(definition) === prefix && definition.create === undefined) found.push(targetIn(request, definition))
  }
  return found
}

function targetIn(request: AdmissionRequest, definition: ResourceDefinition): RequestTarget {
  const { group, version, kind, plural } = definition
  const shown = request.body ?? request.shape
  return { resource: { group, version, resource: plural }, kind: shown?.kind ?? { group, version, kind }, definition }
}

/** The request's namespace in the eyes of rules: an object of kind Namespace is in itself. */
export function namespaceOf(request: AdmissionRequest): string {
  if (!isNamespace(request)) return request.namespace ?? ''
  return request.name === '' ? ((request.object ?? request.oldObject)?.metadata.name ?? '') : request.name
}

export function isNamespace({ definition, subresource }: AdmissionRequest): boolean {
  return definition.group === '' && definition.plural === 'namespaces' && subresource === ''
}

/** The name in the eyes of webhooks and policies: validators see one that was generated. */
export function nameOf(request: AdmissionRequest): string {
  return request.name === '' && request.operation === 'CREATE' ? (request.object?.metadata.name ?? '') : request.name
}

/** An object of the request as it is served in this version, without what the server has not filled in yet. Shares parts with the object it is made from. */
export function shownIn(request: AdmissionRequest, target: RequestTarget, object: ApiObject | undefined): ApiObject | undefined {
  if (object === undefined) return undefined
  const { definition } = target
  const typed: ApiObject = request.body
    ? object
    : request.shape
      ? request.shape.read(definition.storedAs === undefined ? object : toServed(definition, object))
      : definition.storedAs === undefined
        ? { ...object, kind: definition.kind, apiVersion: apiVersion(definition) }
        : toServed(definition, object)
  const { uid, creationTimestamp, ...metadata } = (typed.metadata ?? {}) as ApiObject['metadata']
  return {
    ...typed,
    kind: target.kind.kind,
    apiVersion: apiVersion(target.kind),
    metadata: {
      ...metadata,
      ...((uid ?? '') === '' ? {} : { uid }),
      ...((creationTimestamp ?? null) === null ? {} : { creationTimestamp }),
    } as ApiObject['metadata'],
  }
}

/** Takes what a mutator made of the object that `shownIn` gave it into the request's own object. */
export function takeOver(request: AdmissionRequest, target: RequestTarget, input: { readonly changed: unknown; readonly host: AdmissionHost }): void {
  const { object } = request
  if (object === undefined) return
  const { definition } = target
  const schema = request.body?.schema ?? request.shape?.schema ?? definition.schema
  const decoded = decode(input.host, schema, input.changed)
  if (request.shape !== undefined) return request.shape.write(object, decoded)
  if (request.body === undefined) definition.applyDefaults?.(decoded)
  const stored = request.body === undefined ? toStored(definition, decoded) : decoded
  const { uid, creationTimestamp } = object.metadata
  for (const field of Object.keys(object)) delete object[field]
  Object.assign(object, stored)
  object.metadata = { ...stored.metadata, uid: stored.metadata.uid ?? uid, creationTimestamp: stored.metadata.creationTimestamp ?? creationTimestamp }
}

function decode(host: { readonly decoder: AdmissionHost['decoder']; readonly definitions: Definitions }, schema: ObjectSchema, value: unknown): ApiObject {
  const object = host.decoder.decode(schema, isJsonObject(value) ? value : {}).object as ApiObject
  object.metadata ??= { name: '', uid: '', creationTimestamp: null }
  return object
}
