import { allClusters } from './fleet-api.ts'
import type { ResourceType } from './kube-object.ts'

/** Where an API lives on this origin: '' is the hub, `/clusters/<name>` a cluster through the gateway, `/fleet` all of them at once. */
export function apiBase(cluster: string | undefined): string {
  if (cluster === allClusters) return '/fleet'
  return cluster === undefined ? '' : `/clusters/${encodeURIComponent(cluster)}`
}

export function resourcePath(type: Pick<ResourceType, 'group' | 'version' | 'plural'>, key: ObjectPath = {}): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const parts = [root]
  if (key.namespace !== undefined && key.namespace !== '') parts.push('namespaces', encodeURIComponent(key.namespace))
  parts.push(type.plural)
  if (key.name !== undefined) parts.push(encodeURIComponent(key.name))
  if (key.subresource !== undefined) parts.push(key.subresource)
  return parts.join('/')
}

export interface ObjectPath {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly subresource?: string | undefined
}

/** A query string with its `?`, or '' when nothing is set. Undefined and empty values are left out. */
export function queryString(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== '') query.set(name, String(value))
  }
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}
