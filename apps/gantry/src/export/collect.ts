import { StatusError } from '@gantry/apimachinery'
import { apiVersionOf, discoverResources, listPages } from '@gantry/client'
import type { DiscoveredResource, KubeClient, KubeObject } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { leftOutResources, rankOf, reasonToLeaveOut, toManifest } from './manifest.ts'
import type { Manifest } from './manifest.ts'

export interface Selection {
  /** Only what is in these; undefined: everything but the namespaces that Kubernetes and Gantry keep for themselves. */
  readonly namespaces: readonly string[] | undefined
  readonly secrets: boolean
}

export interface Exported extends Manifest {
  readonly resource: DiscoveredResource
}

export interface Collection {
  /** In the order in which they can be applied. */
  readonly objects: readonly Exported[]
  /** How many were left out, by reason. */
  readonly leftOut: ReadonlyMap<string, number>
}

const pageSize = 500
const systemNamespaces = new Set(['kube-system', 'kube-public', 'kube-node-lease', platformNamespace])
// Gantry's own kinds describe this platform, not a cluster.
const platformGroup = /(?:^|\.)gantry\.dev$/

/** Reads what somebody has put into a cluster. Throws StatusErrors; a list that cannot be read ends it, half an export is none. */
export async function collect(client: KubeClient, selection: Selection, options: { readonly signal: AbortSignal }): Promise<Collection> {
  const { resources, stale } = await discoverResources(client, options)
  if (stale.length > 0)
    throw new StatusError('ServiceUnavailable', `the cluster cannot tell what is in ${stale.join(', ')} just now: mend or remove that API, or try again`)
  const leftOut = new Map<string, number>()
  const objects: Exported[] = []
  for (const resource of resources) {
    if (!resource.preferred || !['list', 'create', 'patch'].every((verb) => resource.verbs.includes(verb))) continue
    if (leftOutResources.has(nameOf(resource)) || platformGroup.test(resource.group)) continue
    for await (const { items } of listPages<KubeObject>(client, resource, { limit: pageSize, signal: options.signal }))
      for (const item of items) {
        const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...item }
        const reason = outside(resource, object, selection) ?? reasonToLeaveOut(object)
        if (reason === undefined) objects.push({ ...toManifest(object), resource })
        else leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1)
      }
  }
  return { objects: objects.toSorted(inOrder), leftOut }
}

export function nameOf({ resource, group }: DiscoveredResource): string {
  return group === '' ? resource : `${resource}.${group}`
}

function outside(resource: DiscoveredResource, { metadata }: KubeObject, { namespaces, secrets }: Selection): string | undefined {
  const namespace = resource.namespaced ? metadata.namespace : resource.kind === 'Namespace' ? metadata.name : undefined
  if (namespaces !== undefined) {
    if (namespace === undefined || !namespaces.includes(namespace)) return 'not selected'
  } else if (namespace !== undefined && systemNamespaces.has(namespace)) return 'in a namespace of the system'
  if (resource.kind === 'CustomResourceDefinition' && platformGroup.test(metadata.name ?? '')) return 'part of Gantry'
  if (resource.group === 'rbac.authorization.k8s.io' && metadata.name?.startsWith('gantry:') === true) return 'part of Gantry'
  if (resource.kind === 'Secret' && resource.group === '' && !secrets) return 'secrets (ask for them with --secrets)'
  return undefined
}

function inOrder(a: Exported, b: Exported): number {
  return (
    rankOf(a.resource.kind) - rankOf(b.resource.kind) ||
    compare(nameOf(a.resource), nameOf(b.resource)) ||
    compare(a.object.metadata.namespace ?? '', b.object.metadata.namespace ?? '') ||
    compare(a.object.metadata.name ?? '', b.object.metadata.name ?? '')
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
