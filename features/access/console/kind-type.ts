import { localClusterName } from '@gantry/clusters/api'
import { objectHref, typeOf, type ObjectRef, type ResourceQuery, type ResourceType } from '@gantry/console-kit'

type PlatformKind = Parameters<typeof typeOf>[0]

/** All objects of a kind on the hub. */
export function hubQuery(kind: PlatformKind): ResourceQuery & { readonly type: ResourceType } {
  return { cluster: undefined, type: typeOf(kind) }
}

/** Where new objects of a kind go. */
export function hubTarget(kind: PlatformKind, namespace?: string): Omit<ObjectRef, 'name'> {
  return { cluster: localClusterName, type: typeOf(kind), ...(namespace === undefined || namespace === '' ? {} : { namespace }) }
}

/** An object of the hub, as the pages of objects address it. */
export function hubRef(kind: PlatformKind, name: string, namespace?: string): ObjectRef {
  return { ...hubTarget(kind, namespace), name }
}

export function hubHref(kind: PlatformKind, name: string, namespace?: string): string {
  return objectHref(hubRef(kind, name, namespace))
}
