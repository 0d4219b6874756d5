import { isReason } from '@gantry/apimachinery'
import { collectionPrefix } from '@gantry/apiserver'
import type { KubeClient } from '@gantry/client'
import { resources } from '@gantry/kube-api'
import { repeating, type Clock, type Logger, type Service } from '@gantry/runtime'
import type { Entry, Store } from '@gantry/storage'

/** How long an Event stays after it was written last (C21); upstream's --event-ttl. */
const lifetimeMs = 3_600_000
const sweepEveryMs = 60_000
/** Deletions that share a trip to the disk. */
const deletionsAtOnce = 20
const prefix = collectionPrefix({ group: '', plural: 'events' })

/**
 * Deletes Events an hour after they were written last. Which ones is known without reading them: revisions only rise, so whatever has not been written since the revision of an hour
 * ago is that old. That revision is not known across a start: what is there then gets another hour.
 */
export function createEventExpiry({
  store,
  client,
  clock,
  log,
}: {
  readonly store: Store
  readonly client: KubeClient
  readonly clock: Clock
  readonly log: Logger
}): Service {
  /** The revision at each sweep of the last hour, oldest first. */
  const marks: { readonly atMs: number; readonly revision: number }[] = []

  /** The revision of an hour ago, when that is known. */
  function oldestRevision(): number | undefined {
    const nowMs = clock.monotonicMs()
    marks.push({ atMs: nowMs, revision: store.revision })
    let found: number | undefined
    while (marks[0] !== undefined && nowMs - marks[0].atMs >= lifetimeMs) found = marks.shift()?.revision
    return found
  }

  async function remove({ key, revision }: Entry, signal: AbortSignal): Promise<void> {
    const [namespace = '', name = ''] = key.slice(prefix.length).split('/')
    try {
      await client.delete(resources.events, { namespace, name }, { preconditions: { resourceVersion: String(revision) }, signal })
    } catch (error) {
      // Gone, or it has happened again meanwhile.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }

  async function sweep(signal: AbortSignal): Promise<void> {
    const revision = oldestRevision()
    if (revision === undefined) return
    const old = store.list({ prefix }).entries.filter((entry) => entry.revision <= revision)
    for (let from = 0; from < old.length && !signal.aborted; from += deletionsAtOnce) {
      // oxlint-disable-next-line no-await-in-loop -- what is done at once is bounded
      await Promise.all(old.slice(from, from + deletionsAtOnce).map((entry) => remove(entry, signal)))
    }
  }

  const sweeper = repeating(
    { clock },
    { name: 'event-expiry', everyMs: sweepEveryMs, work: sweep, failed: (error) => log.warn('events could not be deleted in their time', { error }) },
  )
  return {
    name: sweeper.name,
    start(options) {
      marks.push({ atMs: clock.monotonicMs(), revision: store.revision })
      return sweeper.start(options)
    },
  }
}
