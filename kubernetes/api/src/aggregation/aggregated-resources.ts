import { isJsonObject } from '@gantry/apimachinery'
import type { JsonObject } from '@gantry/apimachinery'

/** An APIResourceList as aggregated discovery lists the same: subresources stand below their resource. */
export function aggregatedResources(list: unknown, served: { readonly group: string; readonly version: string }): unknown[] {
  const resources = isJsonObject(list) && Array.isArray(list['resources']) ? list['resources'].filter(isJsonObject) : []
  const found = new Map<string, { readonly described: Record<string, unknown>; readonly subresources: unknown[] }>()
  for (const resource of resources) {
    const name = textOf(resource['name'])
    const slash = name.indexOf('/')
    const kind = { group: textOf(resource['group']) || served.group, version: textOf(resource['version']) || served.version, kind: textOf(resource['kind']) }
    if (slash >= 0) {
      found.get(name.slice(0, slash))?.subresources.push({ subresource: name.slice(slash + 1), responseKind: kind, verbs: verbsOf(resource) })
      continue
    }
    found.set(name, {
      described: {
        resource: name,
        responseKind: kind,
        scope: resource['namespaced'] === true ? 'Namespaced' : 'Cluster',
        singularResource: textOf(resource['singularName']),
        verbs: verbsOf(resource),
        ...(Array.isArray(resource['shortNames']) ? { shortNames: resource['shortNames'] } : {}),
        ...(Array.isArray(resource['categories']) ? { categories: resource['categories'] } : {}),
      },
      subresources: [],
    })
  }
  return [...found.values()].map(({ described, subresources }) => (subresources.length === 0 ? described : { ...described, subresources }))
}

function verbsOf(resource: JsonObject): unknown[] {
  return Array.isArray(resource['verbs']) ? resource['verbs'] : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
