import { isReason } from '@gantry/apimachinery'
import { controllerOf, controllerReference } from '@gantry/controller'
import type { LabelSelector } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'

export interface ClaimDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>
}

export interface ClaimOptions<T extends KubeObject> {
  readonly owner: KubeObject
  readonly ownerResource: ResourceRef
  readonly selector: LabelSelector
  readonly resource: ResourceRef
  /** Objects the owner controls, and orphans of its namespace. */
  readonly candidates: readonly T[]
  readonly signal: AbortSignal
}

/** Index of objects by controller uid; those without one stand under `orphansOf(namespace)`. */
export function ownershipIndex(object: KubeObject): readonly string[] {
  return [controllerOf(object)?.uid ?? orphansOf(object.metadata.namespace)]
}
export const ownership = 'ownership'

export function orphansOf(namespace: string | undefined): string {
  return `orphans/${namespace ?? ''}`
}

/**
 * The candidates that are the owner's: those it controls and still selects, and the orphans it selects, which it adopts. What it controls and no longer selects is released.
 * Upstream: controller_ref_manager.go.
 */
export async function claim<T extends KubeObject>(deps: ClaimDeps, options: ClaimOptions<T>): Promise<T[]> {
  const { owner, selector } = options
  const claimed: T[] = []
  let mayAdopt: Promise<boolean> | undefined
  for (const object of options.candidates) {
    const controller = controllerOf(object)
    const selected = selector.matches(object.metadata.labels)
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue
      if (selected) claimed.push(object)
      else if (owner.metadata.deletionTimestamp === undefined) await release(deps, options, object)
      continue
    }
    if (!selected || owner.metadata.deletionTimestamp !== undefined || object.metadata.deletionTimestamp !== undefined) continue
    // Asked of the server, not of the cache: an owner that was just deleted must not gather children.
    mayAdopt ??= isAlive(deps, options)
    if (!(await mayAdopt)) continue
    const adopted = await adopt(deps, options, object)
    if (adopted !== undefined) claimed.push(adopted)
  }
  return claimed
}

async function isAlive<T extends KubeObject>(deps: ClaimDeps, { owner, ownerResource, signal }: ClaimOptions<T>): Promise<boolean> {
  try {
    const { name = '', namespace, uid } = owner.metadata
    const fresh = await deps.client.get(ownerResource, { namespace, name }, { signal })
    return fresh.metadata.uid === uid && fresh.metadata.deletionTimestamp === undefined
  } catch (error) {
    if (isReason(error, 'NotFound')) return false
    throw error
  }
}

function adopt<T extends KubeObject>(deps: ClaimDeps, options: ClaimOptions<T>, object: T): Promise<T | undefined> {
  return writeReferences(deps, options, {
    object,
    references: [...(object.metadata.ownerReferences ?? []), controllerReference(options.owner, options.ownerResource)],
  })
}

function release<T extends KubeObject>(deps: ClaimDeps, options: ClaimOptions<T>, object: T): Promise<T | undefined> {
  return writeReferences(deps, options, {
    object,
    references: (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== options.owner.metadata.uid),
  })
}

async function writeReferences<T extends KubeObject>(
  deps: ClaimDeps,
  options: ClaimOptions<T>,
  write: { readonly object: T; readonly references: NonNullable<KubeObject['metadata']['ownerReferences']> },
): Promise<T | undefined> {
  const { uid, resourceVersion, namespace, name = '' } = write.object.metadata
  try {
    return await deps.client.patch<T>(
      options.resource,
      { namespace, name },
      { type: 'merge', body: { metadata: { uid, resourceVersion, ownerReferences: write.references } }, signal: options.signal },
    )
  } catch (error) {
    // Gone, or another object of that name by now: nothing to own.
    if (isReason(error, 'NotFound') || isReason(error, 'Invalid')) return undefined
    throw error
  }
}
