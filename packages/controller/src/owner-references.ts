import type { KubeObject, OwnerReference, ResourceRef } from '@gantry/client'
import { apiVersionOf } from '@gantry/client'

/** The reference that makes `owner` the managing controller of a dependent. Upstream: metav1.NewControllerRef. */
export function controllerReference(owner: KubeObject, resource: ResourceRef): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true)
}

export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  const controller = controllerOf(object)
  return controller !== undefined && controller.uid === owner.metadata.uid
}

/** Index function: the uid of the managing controller, so that an owner finds its dependents. */
export function controllerUidIndex(object: KubeObject): readonly string[] {
  const controller = controllerOf(object)
  return controller === undefined ? [] : [controller.uid]
}
