import type { ApiObject } from '@gantry/apiserver'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { bootstrapObjects, reconciled } from '@gantry/kube-access'
import type { BootstrapKind } from '@gantry/kube-access'
import { resources } from '@gantry/kube-api'

const resourceOf: Readonly<Record<BootstrapKind, ResourceRef>> = {
  ClusterRole: resources.clusterRoles,
  Role: resources.roles,
  ClusterRoleBinding: resources.clusterRoleBindings,
  RoleBinding: resources.roleBindings,
}

/**
 * Brings the roles and bindings that every cluster has up to this release (Z6): the missing ones are made, what the stored ones lack is added. Namespaces have to be there already.
 * Upstream: pkg/registry/rbac/rest/storage_rbac.go.
 */
export async function ensureBootstrapPolicy(
  client: KubeClient,
  stored: (resource: ResourceRef, namespace: string | undefined, name: string) => ApiObject | undefined,
): Promise<void> {
  await Promise.all(
    bootstrapObjects().map(async (wanted) => {
      const resource = resourceOf[wanted.kind]
      const { name, namespace } = wanted.metadata
      const old = stored(resource, namespace, name)
      if (old === undefined) {
        await client.create(resource, wanted as unknown as KubeObject)
        return
      }
      const change = reconciled(old, wanted)
      if (change === undefined) return
      const object = change.object as KubeObject
      if (!change.recreate) {
        await client.update(resource, object)
        return
      }
      await client.delete(resource, { name, ...(namespace === undefined ? {} : { namespace }) })
      const { uid: _uid, resourceVersion: _version, creationTimestamp: _created, managedFields: _fields, ...metadata } = object.metadata
      await client.create(resource, { ...object, metadata })
    }),
  )
}
