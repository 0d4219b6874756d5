import type { ObjectRef } from '../api/kube-client.ts'
import type { ResourceType } from '../api/kube-object.ts'

/** Stands for the core group, and for "no namespace", where a path needs a segment. */
const nothing = '-'

export const objectRoute = '/object/:cluster/:group/:version/:plural/:namespace/:name'
export const listRoute = '/resources/:group/:version/:plural'

export function listHref(type: Pick<ResourceType, 'group' | 'version' | 'plural'>): string {
  return `/resources/${segment(type.group)}/${type.version}/${type.plural}`
}

export function objectHref(ref: ObjectAddress, tab?: string): string {
  const path = ['', 'object', ref.cluster ?? '', segment(ref.type.group), ref.type.version, ref.type.plural, segment(ref.namespace ?? ''), ref.name]
  return path.map(encodeURIComponent).join('/') + (tab === undefined ? '' : `?tab=${tab}`)
}

export type ObjectAddress = Omit<ObjectRef, 'type'> & { readonly type: Pick<ResourceType, 'group' | 'version' | 'plural'> }

export function listTarget(params: {
  readonly group: string
  readonly version: string
  readonly plural: string
}): Pick<ResourceType, 'group' | 'version' | 'plural'> {
  return { group: unsegment(params.group), version: params.version, plural: params.plural }
}

/** The address in an object's route. The kind is not in the path: discovery or the object itself knows it. */
export function objectTarget(params: Readonly<Record<'cluster' | 'group' | 'version' | 'plural' | 'namespace' | 'name', string>>): ObjectRef {
  const namespace = unsegment(params.namespace)
  return {
    cluster: params.cluster,
    type: { group: unsegment(params.group), version: params.version, plural: params.plural, kind: '', namespaced: namespace !== '' },
    ...(namespace === '' ? {} : { namespace }),
    name: params.name,
  }
}

function segment(value: string): string {
  return value === '' ? nothing : value
}

function unsegment(value: string): string {
  return value === nothing ? '' : value
}
