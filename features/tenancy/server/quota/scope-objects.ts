import { StatusError, unlessGone } from '@gantry/apimachinery'
import { listPages, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import {
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  scopeOf,
  tenantKind,
  tenantNamespace,
  type Project,
  type ProjectNamespace,
  type Tenant,
} from '../../api/index.ts'
import { vectorOfQuota } from './amounts.ts'
import { root, type NamespaceKey, type ScopeRecord } from './quota-book.ts'

type Options = { readonly signal: AbortSignal }

const pageSize = 200

/** To which tenant, and which project in it, an object of the hub belongs. Throws Invalid for one that stands elsewhere. */
export function placeOfObject({ kind, metadata }: KubeObject): { readonly tenant: string; readonly inside: string } {
  const { namespace = '', name = '' } = metadata
  const scope = scopeOf(namespace)
  if (scope === undefined)
    throw new StatusError(
      'Invalid',
      `${kind ?? 'the object'} ${namespace}/${name} stands in no tenant: make it in the namespace tenant-<tenant> or project-<tenant>--<project>`,
    )
  return { tenant: scope.tenant, inside: scope.project ?? root }
}

/** Where a namespace stands in its tenant's book. Throws Invalid for one that is in no project. */
export function keyOfNamespace(object: ProjectNamespace): { readonly tenant: string; readonly key: NamespaceKey } {
  const { tenant, inside } = placeOfObject(object)
  const { cluster, namespace } = object.spec
  if (inside === root)
    throw new StatusError(
      'Invalid',
      `ProjectNamespace ${object.metadata.namespace}/${object.metadata.name} stands in a tenant: make it in the namespace of a project`,
    )
  return { tenant, key: { project: inside, cluster, namespace } }
}

export const isTenant = (object: Tenant | Project): object is Tenant => object.metadata.namespace === undefined

/** What the ledger has to say about a tenant or project. Throws Invalid for a quota that cannot be read. */
export function scopeRecordOf(object: Tenant | Project, sinceMs: number): { readonly tenant: string; readonly record: ScopeRecord } {
  const { name = '', uid = '' } = object.metadata
  const common = { kind: 'scope', uid, hold: '', sinceMs, mode: object.spec.mode, limits: vectorOfQuota(object.spec.quota) } as const
  if (isTenant(object))
    return {
      tenant: name,
      record: { ...common, project: root, parent: root, closed: object.spec.suspended === true ? 'suspended' : undefined, clusters: undefined },
    }
  const { tenant, inside } = placeOfObject(object)
  const { locked, clusters } = object.spec
  return { tenant, record: { ...common, project: name, parent: inside, closed: locked === true ? 'locked' : undefined, clusters } }
}

/** Undefined when there is none. */
export function findTenant(hub: KubeClient, name: string, { signal }: Options): Promise<Tenant | undefined> {
  return unlessGone(hub.get<Tenant>(tenantKind.ref, { name }, { signal }))
}

/** The project of this name in a tenant, wherever in it it stands; undefined when there is none. */
export async function findProject(
  hub: KubeClient,
  { tenant, project }: { readonly tenant: string; readonly project: string },
  options: Options,
): Promise<Project | undefined> {
  const direct = await unlessGone(hub.get<Project>(projectKind.ref, { namespace: tenantNamespace(tenant), name: project }, options))
  if (direct !== undefined) return direct
  for await (const found of all<Project>(hub, projectKind.ref, { fieldSelector: `metadata.name=${project}`, ...options }))
    if (scopeOf(found.metadata.namespace ?? '')?.tenant === tenant) return found
  return undefined
}

/** All projects of a tenant, each after the one it stands in, and after each its namespaces. */
export async function* everythingOf(
  hub: KubeClient,
  tenant: string,
  options: Options,
): AsyncGenerator<{ readonly project: Project; readonly namespaces: readonly ProjectNamespace[] }> {
  const inside = [tenantNamespace(tenant)]
  const seen = new Set(inside)
  for (const namespace of inside)
    for await (const project of all<Project>(hub, projectKind.ref, { namespace, ...options })) {
      const own = projectNamespace(tenant, project.metadata.name ?? '')
      // A name that is there twice has one namespace: the first holds it.
      if (seen.has(own)) continue
      seen.add(own)
      inside.push(own)
      const namespaces: ProjectNamespace[] = []
      for await (const one of all<ProjectNamespace>(hub, projectNamespaceKind.ref, { namespace: own, ...options })) namespaces.push(one)
      yield { project, namespaces }
    }
}

async function* all<T extends KubeObject>(
  hub: KubeClient,
  ref: ResourceRef,
  options: Options & { readonly namespace?: string; readonly fieldSelector?: string },
): AsyncGenerator<T> {
  for await (const { items } of listPages<T>(hub, ref, { ...options, limit: pageSize })) yield* items
}
