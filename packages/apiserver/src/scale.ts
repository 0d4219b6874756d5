import { parentManagedFields, scaleApiVersion, scaleManagedFields, StatusError } from '@gantry/apimachinery'
import type { ReplicasPaths } from '@gantry/apimachinery'
import { apiVersion } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition, ScaleMapping } from './resource.ts'
import { namedType } from './server-context.ts'
import type { ServerContext } from './server-context.ts'
import { toServed, toStored } from './view.ts'

export const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' }

/** Stands for replicas that are not there, while somebody may be about to set them: upstream's smallest int32. */
const noReplicas = -(2 ** 31)

/** The objects of one resource as autoscaling/v1 Scale (S2), which is read, patched and applied like any kind. */
export interface ScaleView {
  readonly definition: ResourceDefinition
  /** What of a stored object its Scale shows. Throws InternalError when a custom resource has no replicas to show. */
  show(parent: ApiObject): ApiObject
  /** The Scale that a write changes, with the entries of managedFields that own the replicas. */
  toView(parent: ApiObject): ApiObject
  /** The stored object with what a written Scale asks for. */
  fromView(parent: ApiObject, scale: ApiObject): ApiObject
  /** Takes over the replicas alone, into the object itself. */
  setReplicas(parent: ApiObject, scale: ApiObject): void
}

export function scaleViewOf(server: ServerContext, definition: ResourceDefinition, mapping: ScaleMapping): ScaleView {
  const schema = namedType(server, 'io.k8s.api.autoscaling.v1.Scale')
  const decoded = (scale: ApiObject): ApiObject => server.decoder.decode(schema, scale).object as ApiObject
  const paths = replicasPathsOf(server, definition)
  return {
    definition: { ...scaleKind, listKind: 'ScaleList', plural: definition.plural, singular: 'scale', namespaced: definition.namespaced, schema, columns: [] },
    show: (parent) => decoded(toScale(mapping, toServed(definition, parent))),
    toView(parent) {
      const served = toServed(definition, parent)
      const replicas = numberAt(served, mapping.specReplicas)
      const scale = toScale(mapping, replicas === undefined && mapping.custom !== undefined ? withReplicas(mapping, served, noReplicas) : served)
      const managedFields = scaleManagedFields(served.metadata.managedFields, paths)
      return decoded(managedFields.length === 0 ? scale : { ...scale, metadata: { ...scale.metadata, managedFields } })
    },
    fromView(parent, scale) {
      const served = toServed(definition, parent)
      const next = withReplicas(mapping, served, replicasOf(mapping, served, scale))
      const { metadata } = next
      metadata.managedFields = parentManagedFields(served.metadata.managedFields, scale.metadata.managedFields, {
        apiVersion: apiVersion(definition),
        path: mapping.specReplicas,
        paths,
      })
      const { resourceVersion, uid } = scale.metadata
      if (resourceVersion === undefined) delete metadata.resourceVersion
      else metadata.resourceVersion = resourceVersion
      if (uid !== '') metadata.uid = uid
      return toStored(definition, next)
    },
    setReplicas: (parent, scale) => replaceReplicas(mapping, parent, replicasOf(mapping, parent, scale)),
  }
}

/** Where each version of a resource has its replicas. Built-in kinds have them at one place, in versions that are long gone too. */
function replicasPathsOf(server: ServerContext, { group, plural, custom, scale }: ResourceDefinition): ReplicasPaths {
  return (text) => {
    const slash = text.indexOf('/')
    const [ofGroup, version] = slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)]
    if (ofGroup !== group) return undefined
    if (custom !== true) return scale?.specReplicas
    const other = server.registry.find(group, version, plural)
    return other === undefined ? undefined : (other.scale?.specReplicas ?? null)
  }
}

/** spec.replicas is left out when it is 0, as upstream's struct does. */
function toScale(mapping: ScaleMapping, parent: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = parent.metadata
  const replicas = numberAt(parent, mapping.specReplicas)
  if (mapping.custom !== undefined && replicas === undefined) {
    const message = `the spec replicas field ${JSON.stringify(pathText(mapping))} does not exist`
    throw new StatusError('InternalError', `Internal error occurred: ${message}`, { details: { causes: [{ message }] } })
  }
  const selector = mapping.selector(parent)
  return {
    kind: scaleKind.kind,
    apiVersion: scaleApiVersion,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      creationTimestamp,
    },
    spec: (replicas ?? 0) === 0 ? {} : { replicas },
    status: { replicas: numberAt(parent, mapping.statusReplicas) ?? 0, ...(selector === '' ? {} : { selector }) },
  }
}

function replicasOf(mapping: ScaleMapping, parent: ApiObject, scale: ApiObject): number {
  const replicas = (scale['spec'] as { replicas?: number } | undefined)?.replicas ?? 0
  if (mapping.custom !== undefined && replicas === noReplicas) {
    throw new StatusError('BadRequest', `the spec replicas field ${JSON.stringify(pathText(mapping))} cannot be empty`)
  }
  if (replicas < 0) throw negative(mapping, parent, replicas)
  return replicas
}

function withReplicas(mapping: ScaleMapping, parent: ApiObject, replicas: number): ApiObject {
  const next = structuredClone(parent)
  replaceReplicas(mapping, next, replicas)
  return next
}

function replaceReplicas(mapping: ScaleMapping, object: ApiObject, replicas: number): void {
  let at: Record<string, unknown> = object
  for (const part of mapping.specReplicas.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>
  const last = mapping.specReplicas.at(-1)
  if (last !== undefined) at[last] = replicas
}

function negative(mapping: ScaleMapping, parent: ApiObject, replicas: number): StatusError {
  const { name } = parent.metadata
  const { group, kind } = mapping.custom ?? scaleKind
  const field = mapping.custom === undefined ? 'spec.replicas' : pathText(mapping)
  const message = `Invalid value: ${replicas}: ${mapping.custom === undefined ? 'must be greater than or equal to 0' : 'should be a non-negative integer'}`
  return new StatusError('Invalid', `${kind}.${group} ${JSON.stringify(name)} is invalid: ${field}: ${message}`, {
    details: { name, group, kind, causes: [{ reason: 'FieldValueInvalid', message, field }] },
  })
}

function pathText({ specReplicas }: ScaleMapping): string {
  return `.${specReplicas.join('.')}`
}

function numberAt(object: ApiObject, path: readonly string[]): number | undefined {
  let value: unknown = object
  for (const part of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined
  return typeof value === 'number' ? value : undefined
}
