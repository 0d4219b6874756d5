import type { ObjectMeta } from '../generated/types.ts'

/** The newest class that one of the annotations marks as the default; of several made in the same second the first by name. */
export function defaultClass<T extends { readonly metadata: ObjectMeta }>(classes: readonly T[], annotations: readonly string[]): T | undefined {
  let best: T | undefined
  for (const one of classes) {
    if (!annotations.some((annotation) => one.metadata.annotations?.[annotation] === 'true')) continue
    if (best === undefined || createdMs(one) > createdMs(best) || (createdMs(one) === createdMs(best) && nameOf(one) < nameOf(best))) best = one
  }
  return best
}

function createdMs({ metadata }: { readonly metadata: ObjectMeta }): number {
  return Date.parse(metadata.creationTimestamp ?? '')
}

function nameOf({ metadata }: { readonly metadata: ObjectMeta }): string {
  return metadata.name ?? ''
}
