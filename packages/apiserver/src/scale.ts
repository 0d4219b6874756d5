import { StatusError } from '@gantry/apimachinery'
import type { ApiObject, ScaleMapping } from './resource.ts'

/** An object as autoscaling/v1 Scale (S2): spec.replicas is left out when it is 0, as upstream's struct does. */
export function toScale(mapping: ScaleMapping, parent: ApiObject): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = parent.metadata
  const replicas = numberAt(parent, mapping.specReplicas)
  if (mapping.custom !== undefined && replicas === undefined) {
    const message = `the spec replicas field ${JSON.stringify(`.${mapping.specReplicas.join('.')}`)} does not exist`
    throw new StatusError('InternalError', `Internal error occurred: ${message}`, { details: { causes: [{ message }] } })
  }
  const selector = mapping.selector(parent)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
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

/** The parent with the replicas that a Scale asks for. */
export function fromScale(mapping: ScaleMapping, parent: ApiObject, scale: ApiObject): ApiObject {
  const replicas = (scale['spec'] as { replicas?: unknown } | undefined)?.replicas ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) throw new StatusError('BadRequest', 'spec.replicas of a Scale must be an integer')
  if (replicas < 0) throw negative(mapping, parent, replicas)
  let at: Record<string, unknown> = parent
  for (const part of mapping.specReplicas.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>
  const last = mapping.specReplicas.at(-1)
  if (last !== undefined) at[last] = replicas
  const revision = scale.metadata?.resourceVersion
  if (revision === undefined) delete parent.metadata.resourceVersion
  else parent.metadata.resourceVersion = revision
  return parent
}

function negative({ custom, specReplicas }: ScaleMapping, parent: ApiObject, replicas: number): StatusError {
  const { name } = parent.metadata
  const { group, kind } = custom ?? { group: 'autoscaling', kind: 'Scale' }
  const field = custom === undefined ? 'spec.replicas' : `.${specReplicas.join('.')}`
  const message = `Invalid value: ${replicas}: ${custom === undefined ? 'must be greater than or equal to 0' : 'should be a non-negative integer'}`
  return new StatusError('Invalid', `${kind}.${group} ${JSON.stringify(name)} is invalid: ${field}: ${message}`, {
    details: { name, group, kind, causes: [{ reason: 'FieldValueInvalid', message, field }] },
  })
}

function numberAt(object: ApiObject, path: readonly string[]): number | undefined {
  let value: unknown = object
  for (const part of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined
  return typeof value === 'number' ? value : undefined
}
