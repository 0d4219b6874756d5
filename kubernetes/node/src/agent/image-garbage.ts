import type { Image } from '../cri/messages.ts'

export interface ImageUse {
  readonly image: Image
  /** Milliseconds since the epoch; when it was first seen, for an image that was never in use. */
  readonly lastUsedMs: number
}

export interface ImageGarbageOptions {
  readonly diskBytes: number
  readonly availableBytes: number
  /** Ids or references that containers use, and the sandbox image. */
  readonly inUse: ReadonlySet<string>
  readonly nowMs: number
}

/** Upstream: imageGCHighThresholdPercent, imageGCLowThresholdPercent, imageMinimumGCAge. */
const highFraction = 0.85
const lowFraction = 0.8
const minAgeMs = 120_000

/** The images to remove, longest unused first, when the disk is fuller than it should be. */
export function imageGarbageOf(images: readonly ImageUse[], options: ImageGarbageOptions): readonly Image[] {
  const used = options.diskBytes - options.availableBytes
  if (used < options.diskBytes * highFraction) return []
  let toFree = used - options.diskBytes * lowFraction
  const removable = images
    .filter(({ image, lastUsedMs }) => !image.pinned && options.nowMs - lastUsedMs >= minAgeMs)
    .filter(({ image }) => ![image.id, ...image.repoTags, ...image.repoDigests].some((name) => options.inUse.has(name)))
    .sort((a, b) => a.lastUsedMs - b.lastUsedMs)
  const removed: Image[] = []
  for (const { image } of removable) {
    if (toFree <= 0) break
    removed.push(image)
    toFree -= Number(image.size)
  }
  return removed
}
