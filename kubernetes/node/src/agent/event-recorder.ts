import { isReason } from '@gantry/apimachinery'
import { resources } from '@gantry/kube-api'
import type { KubeClient, KubeObject } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'

/** What an event is about. */
export interface EventTarget {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string | undefined
  readonly uid: string
  /** `spec.containers{name}` when it is about one container. */
  readonly fieldPath?: string | undefined
}

export interface EventRecorder {
  normal(target: EventTarget, reason: string, message: string): void
  warning(target: EventTarget, reason: string, message: string): void
  /** Resolves when what was recorded so far has been written or given up. */
  flush(): Promise<void>
}

interface EventObject extends KubeObject {
  count: number
  lastTimestamp: string
}

interface Remembered {
  readonly name: string
  readonly namespace: string
  count: number
}

interface Bucket {
  tokens: number
  filledAtMs: number
}

/** Upstream: client-go tools/record/events_cache.go. */
const rememberedEvents = 4096
const burstPerTarget = 25
const refillEveryMs = 300_000
const maxQueued = 1000
const maxMessageLength = 1024

/**
 * Writes events in the background. The same event again raises the count of the one already written; one object gets at most 25 in a burst and one every 5 minutes after
 * that; what the queue cannot hold is dropped, as is what the API refuses: events are a courtesy.
 */
export function createEventRecorder(
  deps: { readonly client: KubeClient; readonly clock: Clock; readonly ids: Ids; readonly log: Logger },
  options: { readonly component: string; readonly host: string },
): EventRecorder {
  const known = new Map<string, Remembered>()
  const buckets = new Map<string, Bucket>()
  let queued = 0
  let tail: Promise<void> = Promise.resolve()

  function record(type: 'Normal' | 'Warning', target: EventTarget, event: { readonly reason: string; readonly message: string }): void {
    if (queued >= maxQueued || !takeToken(target)) return
    queued++
    const at = deps.clock.now()
    tail = tail
      .then(() => write(type, target, { ...event, at }))
      .catch((error: unknown) => {
        // The namespace of a pod that goes away with it takes no more events.
        if (isReason(error, 'NotFound') || isReason(error, 'Forbidden')) return
        deps.log.warn('an event could not be written', { reason: event.reason, object: target.name, error })
      })
      .finally(() => queued--)
  }

  function takeToken(target: EventTarget): boolean {
    const nowMs = deps.clock.monotonicMs()
    const bucket = buckets.get(target.uid) ?? { tokens: burstPerTarget, filledAtMs: nowMs }
    const gained = Math.floor((nowMs - bucket.filledAtMs) / refillEveryMs)
    bucket.tokens = Math.min(burstPerTarget, bucket.tokens + gained)
    bucket.filledAtMs += gained * refillEveryMs
    remember(buckets, target.uid, bucket)
    if (bucket.tokens === 0) return false
    bucket.tokens--
    return true
  }

  async function write(type: string, target: EventTarget, event: { readonly reason: string; readonly message: string; readonly at: Date }): Promise<void> {
    const message = event.message.slice(0, maxMessageLength)
    const time = `${event.at.toISOString().slice(0, 19)}Z`
    const key = [type, target.uid, target.fieldPath, event.reason, message].join('\n')
    const before = known.get(key)
    if (before !== undefined && (await raiseCount(before, time))) return
    const namespace = target.namespace === undefined || target.namespace === '' ? 'default' : target.namespace
    const name = `${target.name}.${(BigInt(event.at.getTime()) * 1_000_000n + BigInt(Math.floor(deps.ids.random() * 1e6))).toString(16)}`
    const { apiVersion, kind, uid, fieldPath } = target
    const object: KubeObject & Record<string, unknown> = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion,
        kind,
        name: target.name,
        uid,
        ...(target.namespace === undefined ? {} : { namespace: target.namespace }),
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      reason: event.reason,
      message,
      type,
      source: { component: options.component, host: options.host },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      eventTime: null,
      reportingComponent: options.component,
      reportingInstance: options.host,
    }
    await deps.client.create(resources.events, object)
    remember(known, key, { name, namespace, count: 1 })
  }

  async function raiseCount(before: Remembered, time: string): Promise<boolean> {
    const body = { count: before.count + 1, lastTimestamp: time }
    try {
      await deps.client.patch<EventObject>(resources.events, { name: before.name, namespace: before.namespace }, { type: 'merge', body })
      before.count++
      return true
    } catch (error) {
      // Events live for an hour: this one has gone, a new one is written.
      if (isReason(error, 'NotFound')) return false
      throw error
    }
  }

  return {
    normal: (target, reason, message) => record('Normal', target, { reason, message }),
    warning: (target, reason, message) => record('Warning', target, { reason, message }),
    flush: () => tail,
  }
}

/** Keeps the newest entries of a map. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= rememberedEvents) return
  const oldest = map.keys().next().value
  if (oldest !== undefined) map.delete(oldest)
}
