import type { Cluster } from '@gantry/clusters/api'
import type { Change } from '@gantry/controller'
import { projectKind, tenantKind, tenantNamespace, type Membership, type Project, type ProjectNamespace, type Tenant } from '../api/index.ts'
import { isMoving, ownNamespaceOf, type TenancyObjects } from './tenancy-objects.ts'

/** Where the permissions hear of tenants and projects; undefined takes one back. */
export interface ScopeSink {
  setScope(
    namespace: string,
    scope:
      | {
          readonly label: string
          readonly parent: string | undefined
          readonly object: { readonly group: string; readonly resource: string; readonly namespace: string | undefined; readonly name: string }
          readonly suspended: boolean
        }
      | undefined,
  ): void
  setPlace(cluster: string, namespace: string, owner: string | undefined): void
  setMembership(key: { readonly namespace: string; readonly name: string }, membership: Membership['spec'] | undefined): void
}

/** Every Cluster as last seen, and a call for every change. */
export interface Clusters {
  get(name: string): Cluster | undefined
  values(): Iterable<Cluster>
  onChange(listener: (change: { readonly name: string; readonly before: Cluster | undefined; readonly after: Cluster | undefined }) => void): () => void
}

export interface ScopeFeedDeps {
  readonly objects: TenancyObjects
  readonly clusters: Clusters
  readonly sink: ScopeSink
}

/**
 * Tells the permissions what is certain: a tenant or project from when its namespace of the hub is its own, a namespace of a cluster from when that bears the mark of the
 * ProjectNamespace, in the very Cluster in which it was seen. What is only asked for gives nobody anything. Returns a function that ends it.
 */
export function feedScopes({ objects, clusters, sink }: ScopeFeedDeps): () => void {
  function onTenant({ object, type }: Change<Tenant>): void {
    const { name = '' } = object.metadata
    const namespace = tenantNamespace(name)
    if (type === 'deleted' || object.status?.namespace !== namespace) return sink.setScope(namespace, undefined)
    const { group, plural: resource } = tenantKind
    sink.setScope(namespace, {
      label: `tenant ${name}`,
      parent: undefined,
      object: { group, resource, namespace: undefined, name },
      suspended: object.spec.suspended === true,
    })
  }

  function onProject({ object }: Change<Project>): void {
    const own = ownNamespaceOf(object)
    if (own === undefined) return
    // Of two projects of one name the one that has the namespace counts, whichever of them has changed.
    const owner = objects.projectOf(own.namespace)
    if (owner === undefined || ownNamespaceOf(owner)?.namespace !== own.namespace) return sink.setScope(own.namespace, undefined)
    const { name = '', namespace: parent = '' } = owner.metadata
    const { group, plural: resource } = projectKind
    sink.setScope(own.namespace, { label: `project ${own.tenant}/${name}`, parent, object: { group, resource, namespace: parent, name }, suspended: false })
  }

  function onPlace({ spec: { cluster, namespace } }: ProjectNamespace): void {
    const uid = clusters.get(cluster)?.metadata.uid
    const [owner] = objects
      .claimsOn(cluster, namespace)
      .filter(({ status }) => uid !== undefined && status?.clusterUID === uid)
      // One that is moving away keeps it until the other one has it.
      .toSorted((a, b) => Number(isMoving(a)) - Number(isMoving(b)) || ageOf(a).localeCompare(ageOf(b)))
    sink.setPlace(cluster, namespace, owner?.metadata.namespace)
  }

  const ends = [
    objects.tenants.onChange(onTenant),
    objects.projects.onChange(onProject),
    objects.namespaces.onChange(({ object }) => onPlace(object)),
    objects.memberships.onChange(({ object, type }) => {
      const { namespace = '', name = '' } = object.metadata
      sink.setMembership({ namespace, name }, type === 'deleted' ? undefined : object.spec)
    }),
    clusters.onChange(({ name, before, after }) => {
      if (before?.metadata.uid !== after?.metadata.uid) for (const one of objects.namespacesOn(name)) onPlace(one)
    }),
  ]
  return () => {
    for (const end of ends) end()
  }
}

function ageOf({ metadata }: ProjectNamespace): string {
  return `${metadata.creationTimestamp ?? ''}/${metadata.uid ?? ''}`
}
