import { fieldSetHas, fieldSetOfPaths, isEmptyFieldSet, subtractFieldSet } from './field-set.ts'
import { decodeManagedFields, encodeManagers, identityOf } from './managed-fields.ts'
import type { FieldManager, ManagedFieldsEntry } from './managed-fields.ts'
import { fieldElement } from './path-element.ts'
import type { PathElement } from './path-element.ts'

// Who owns the replicas, seen through a Scale. Upstream: apimachinery pkg/util/managedfields/scalehandler.go.

/** The path of the replicas in a version of the scaled kind; `null` where that version has no scale, `undefined` for a version that is not known. */
export type ReplicasPaths = (apiVersion: string) => readonly string[] | null | undefined

export const scaleApiVersion = 'autoscaling/v1'
const replicasInScale = elementsOf(['spec', 'replicas'])

/** `metadata.managedFields` of the Scale of an object that has the entries `parent`. */
export function scaleManagedFields(parent: unknown, paths: ReplicasPaths): ManagedFieldsEntry[] {
  const managers = decodeManagedFields(parent, 'trusted').filter((manager) => ownsReplicas(manager, paths))
  return encodeManagers(managers.map((manager) => ({ ...manager, apiVersion: scaleApiVersion, set: fieldSetOfPaths([replicasInScale]) })))
}

/**
 * The entries of an object after a write through its Scale, which left the entries `scale` there. A manager that has come through the Scale has no time, and what another one
 * had of the replicas is gone: upstream keeps the two apart by the version that they wrote in.
 */
export function parentManagedFields(
  parent: unknown,
  scale: unknown,
  target: { readonly apiVersion: string; readonly path: readonly string[]; readonly paths: ReplicasPaths },
): ManagedFieldsEntry[] {
  const before = decodeManagedFields(parent, 'trusted')
  const times = new Map(before.map((manager) => [identityOf(manager), manager.time]))
  const ofScale = new Map(decodeManagedFields(scale, 'trusted').map((manager) => [identityOf(manager), manager]))
  const kept: FieldManager[] = []
  for (const manager of before) {
    const path = target.paths(manager.apiVersion)
    if (path === undefined) continue
    if (!ownsReplicas(manager, target.paths) || ofScale.delete(identityOf(manager))) kept.push(manager)
    else {
      const set = subtractFieldSet(manager.set, fieldSetOfPaths([elementsOf(path ?? [])]))
      if (!isEmptyFieldSet(set)) kept.push({ ...manager, set })
    }
  }
  const replicas = fieldSetOfPaths([elementsOf(target.path)])
  for (const [identity, manager] of ofScale) {
    if (!fieldSetHas(manager.set, replicasInScale)) continue
    kept.push({ ...manager, apiVersion: target.apiVersion, set: replicas, time: times.get(identity) })
  }
  return encodeManagers(kept)
}

function ownsReplicas(manager: FieldManager, paths: ReplicasPaths): boolean {
  const path = paths(manager.apiVersion)
  return path !== undefined && path !== null && fieldSetHas(manager.set, elementsOf(path))
}

function elementsOf(path: readonly string[]): PathElement[] {
  return path.map(fieldElement)
}
