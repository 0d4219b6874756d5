import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tearDownVolumes } from '../volumes/pod-volumes.ts'
import { imageGarbageOf } from './image-garbage.ts'
import type { ImageUse } from './image-garbage.ts'
import { defaultLogRotation, rotateLog } from './log-rotation.ts'
import { readPressure } from './machine-info.ts'
import type { NodeContext } from './node-context.ts'
import type { PodManager } from './pod-manager.ts'

const rotateEveryMs = 10_000
const imagesEveryMs = 300_000
const foldersEveryMs = 60_000
/** A pod whose folder stands but which nobody knows yet may be on its way. */
const roundsBeforeRemoval = 2

/** The chores of a node: log rotation, images nobody uses on a disk that fills up, folders of pods that are gone. */
export async function runHousekeeping(context: NodeContext, pods: PodManager, signal: AbortSignal): Promise<void> {
  const uses = new Map<string, ImageUse>()
  const strangers = new Map<string, number>()
  await Promise.all([
    every(context, signal, { ms: rotateEveryMs, what: 'log rotation', work: () => rotateLogs(context) }),
    every(context, signal, { ms: imagesEveryMs, what: 'image clean-up', work: () => collectImages(context, uses) }),
    every(context, signal, { ms: foldersEveryMs, what: 'pod folders', work: () => removeStrangers(context, pods, strangers) }),
  ])
}

async function every(
  context: NodeContext,
  signal: AbortSignal,
  chore: { readonly ms: number; readonly what: string; readonly work: () => Promise<void> },
): Promise<void> {
  while (!signal.aborted) {
    await context.clock.sleep(chore.ms, { signal }).catch(() => {})
    if (signal.aborted) return
    try {
      await chore.work()
    } catch (error) {
      context.log.warn('a chore of the node failed, it is done again later', { chore: chore.what, error })
    }
  }
}

async function rotateLogs(context: NodeContext): Promise<void> {
  const deps = { cri: context.cri, now: () => context.clock.now() }
  for (const uid of context.cache.uids()) {
    for (const container of context.cache.get(uid).containers) {
      if (container.state !== 'running' || container.logPath === '') continue
      await rotateLog(deps, container, defaultLogRotation)
    }
  }
}

async function collectImages(context: NodeContext, uses: Map<string, ImageUse>): Promise<void> {
  const nowMs = context.clock.now().getTime()
  const images = await context.cri.listImages()
  const inUse = new Set([
    context.sandboxImage,
    ...context.cache.uids().flatMap((uid) => context.cache.get(uid).containers.flatMap(({ image, imageRef }) => [image, imageRef])),
  ])
  for (const id of uses.keys()) if (!images.some((image) => image.id === id)) uses.delete(id)
  for (const image of images) {
    const used = [image.id, ...image.repoTags, ...image.repoDigests].some((name) => inUse.has(name))
    const before = uses.get(image.id)
    uses.set(image.id, { image, lastUsedMs: used || before === undefined ? nowMs : before.lastUsedMs })
  }
  const { diskBytes, availableDiskBytes } = await readPressure(context.folders.pods)
  const garbage = imageGarbageOf([...uses.values()], { diskBytes, availableBytes: availableDiskBytes, inUse, nowMs })
  for (const image of garbage) {
    context.log.info('removing an image that nothing uses: the disk is filling up', { image: image.repoTags[0] ?? image.id, bytes: Number(image.size) })
    await context.cri.removeImage(image.id)
  }
}

async function removeStrangers(context: NodeContext, pods: PodManager, strangers: Map<string, number>): Promise<void> {
  if (!pods.synced) return
  const known = new Set([...pods.workers.map(({ uid }) => uid), ...context.cache.uids()])
  const folders = await readdir(context.folders.pods)
  for (const uid of strangers.keys()) if (known.has(uid) || !folders.includes(uid)) strangers.delete(uid)
  for (const uid of folders) {
    if (known.has(uid)) continue
    const rounds = (strangers.get(uid) ?? 0) + 1
    strangers.set(uid, rounds)
    if (rounds < roundsBeforeRemoval) continue
    await tearDownVolumes(context, join(context.folders.pods, uid))
    for (const name of await readdir(context.folders.podLogs)) {
      if (name.endsWith(`_${uid}`)) await rm(join(context.folders.podLogs, name), { recursive: true, force: true })
    }
  }
}
