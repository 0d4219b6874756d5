import type { KubeObject } from '@gantry/client'

/** A finalizer that keeps an object of its kind while somebody uses it. */
export interface Protection {
  /** On its way out, and this holds it. */
  readonly holds: (object: KubeObject) => boolean
  /** Alive without protection: made before the admission step that gives it. */
  readonly isMissing: (object: KubeObject) => boolean
  readonly added: <T extends KubeObject>(object: T) => T
  readonly removed: <T extends KubeObject>(object: T) => T
}

/** Upstream: pkg/controller/volume/protectionutil. */
export function protectionBy(finalizer: string): Protection {
  const has = ({ metadata }: KubeObject): boolean => metadata.finalizers?.includes(finalizer) === true
  const withFinalizers = <T extends KubeObject>(object: T, finalizers: string[]): T => ({ ...object, metadata: { ...object.metadata, finalizers } })
  return {
    holds: (object) => object.metadata.deletionTimestamp !== undefined && has(object),
    isMissing: (object) => object.metadata.deletionTimestamp === undefined && !has(object),
    added: (object) => (has(object) ? object : withFinalizers(object, [...(object.metadata.finalizers ?? []), finalizer])),
    removed: (object) =>
      has(object)
        ? withFinalizers(
            object,
            (object.metadata.finalizers ?? []).filter((one) => one !== finalizer),
          )
        : object,
  }
}
