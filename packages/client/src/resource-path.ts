import type { ResourceRef } from './client.ts'

/** URL path of a collection (no `name`), an object or a subresource. Segments are percent-encoded. */
export function resourcePath(
  resource: ResourceRef,
  where: { readonly namespace?: string | undefined; readonly name?: string | undefined; readonly subresource?: string | undefined },
): string {
  let path = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  if (resource.namespaced && where.namespace !== undefined) path += `/namespaces/${encodeURIComponent(where.namespace)}`
  path += `/${resource.resource}`
  if (where.name !== undefined) path += `/${encodeURIComponent(where.name)}`
  if (where.subresource !== undefined) path += `/${where.subresource}`
  return path
}

/** `apiVersion` of a resource's objects. */
export function apiVersionOf(resource: ResourceRef): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** A query string without `?`; absent values and empty text are left out. */
export function queryOf(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  let text = ''
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === '') continue
    text += `${text === '' ? '' : '&'}${name}=${encodeURIComponent(String(value))}`
  }
  return text
}
