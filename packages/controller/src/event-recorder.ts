import { isReason } from '@gantry/apimachinery'
import { timestamp } from './conditions.ts'
import { runInBackground } from './informer.ts'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Clock, Ids, Logger, Service } from '@gantry/runtime'

/** What an event is about. */
export interface EventSubject {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string | undefined
  readonly name: string
  readonly uid: string
  readonly resourceVersion?: string | undefined
  /** Part of the object, as in `spec.containers{web}`. */
  readonly fieldPath?: string | undefined
}

export interface EventContent {
  readonly type: 'Normal' | 'Warning'
  /** Why, in one CamelCase word. */
  readonly reason: string
  readonly message: string
}

/** Tells users what happened to their objects. Recording never waits and never fails: events are a courtesy, and under pressure they are dropped. */
export interface EventRecorder extends Service {
  record(subject: EventSubject, content: EventContent): void
  /** Resolves when everything recorded so far has been sent or given up. */
  flush(): Promise<void>
}

export interface EventRecorderOptions {
  /** Names the source, as in `deployment-controller`. */
  readonly component: string
  /** Node or process, when that matters to the reader. */
  readonly host?: string | undefined
}

export interface EventRecorderDeps {
  readonly client: Pick<KubeClient, 'create' | 'patch'>
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

const events: ResourceRef = { group: '', version: 'v1', resource: 'events', kind: 'Event', namespaced: true }
const maxQueued = 1000
const maxRemembered = 4096
// Upstream's spam filter: 25 events about one object at once, then one every 5 minutes. client-go tools/record/events_cache.go.
const burst = 25
const refillMs = 300_000
const sendTimeoutMs = 10_000
const longestMessage = 1024

interface CoreEvent extends KubeObject {
  involvedObject: EventSubject
  reason: string
  message: string
  type: string
  count: number
  firstTimestamp: string
  lastTimestamp: string
  source: { component: string; host?: string }
  reportingComponent: string
  reportingInstance: string
}

/** The subject of an event about an object. Lists carry no kind, so the resource says it. */
export function subjectOf(object: KubeObject, resource: ResourceRef): EventSubject {
  const { name = '', namespace, uid = '', resourceVersion } = object.metadata
  return {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    uid,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  }
}

/** Records core/v1 Events: the first of its kind is created, its repetitions raise its count. */
export function createEventRecorder(deps: EventRecorderDeps, options: EventRecorderOptions): EventRecorder {
  const log = deps.log.with({ recorder: options.component })
  const queue: { readonly subject: EventSubject; readonly content: EventContent; readonly at: Date }[] = []
  const sent = new Map<string, CoreEvent>()
  const budgets = new Map<string, { tokens: number; atMs: number }>()
  let dropped = 0
  let serial = Math.floor(deps.ids.random() * 1_000_000)
  let sending: Promise<void> | undefined
  let stopping: AbortSignal | undefined

  function allowed(subject: EventSubject): boolean {
    const key = `${subject.kind}/${subject.namespace ?? ''}/${subject.name}/${subject.uid}`
    const nowMs = deps.clock.monotonicMs()
    const budget = budgets.get(key) ?? { tokens: burst, atMs: nowMs }
    budget.tokens = Math.min(burst, budget.tokens + (nowMs - budget.atMs) / refillMs)
    budget.atMs = nowMs
    remember(budgets, key, budget)
    if (budget.tokens < 1) return false
    budget.tokens--
    return true
  }

  async function send(one: (typeof queue)[number], signal: AbortSignal): Promise<void> {
    const { subject, content } = one
    const namespace = subject.namespace ?? 'default'
    const key = JSON.stringify([subject.kind, namespace, subject.name, subject.uid, subject.fieldPath, content.type, content.reason, content.message])
    const at = timestamp(one.at)
    const known = sent.get(key)
    if (known !== undefined) {
      try {
        const again = await deps.client.patch<CoreEvent>(
          events,
          { namespace, name: known.metadata.name ?? '' },
          { type: 'strategic', body: { count: known.count + 1, lastTimestamp: at }, signal },
        )
        remember(sent, key, again)
        return
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error // expired an hour after its last write: it is news again
      }
    }
    const event: CoreEvent = {
      apiVersion: 'v1',
      kind: 'Event',
      // As upstream's: the time in nanoseconds, in hex. Below a millisecond it is a serial number, so that one recorder never repeats a name.
      metadata: {
        name: `${subject.name}.${(BigInt(one.at.getTime()) * 1_000_000n + BigInt(serial++ % 1_000_000)).toString(16)}`,
        namespace,
      },
      involvedObject: subject,
      reason: content.reason,
      message: content.message.length > longestMessage ? `${content.message.slice(0, longestMessage - 1)}…` : content.message,
      type: content.type,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component: options.component, ...(options.host === undefined ? {} : { host: options.host }) },
      reportingComponent: options.component,
      reportingInstance: options.host ?? '',
    }
    remember(sent, key, await deps.client.create(events, event, { signal }))
  }

  async function drain(): Promise<void> {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      if (stopping?.aborted) return
      const abort = new AbortController()
      const cancel = deps.clock.schedule(() => abort.abort(new Error(`sending an event took longer than ${sendTimeoutMs} ms`)), sendTimeoutMs)
      try {
        await send(one, stopping === undefined ? abort.signal : AbortSignal.any([abort.signal, stopping]))
      } catch (error) {
        if (stopping?.aborted) return
        // A namespace that goes away refuses news about its objects; anything else is worth a look.
        const expected = isReason(error, 'Forbidden') || isReason(error, 'NotFound')
        log[expected ? 'debug' : 'warn']('an event could not be recorded', { reason: one.content.reason, object: one.subject.name, error })
      } finally {
        cancel()
      }
    }
  }

  function kick(): void {
    sending ??= drain().finally(() => {
      sending = undefined
      if (queue.length > 0 && stopping?.aborted !== true) kick()
    })
  }

  return {
    name: `events of ${options.component}`,
    record(subject, content) {
      if (stopping?.aborted || !allowed(subject)) return
      if (queue.length >= maxQueued) {
        dropped++
        if (dropped % 100 === 1) log.warn('events are recorded faster than they can be sent, some are dropped', { dropped })
        return
      }
      queue.push({ subject, content, at: deps.clock.now() })
      kick()
    },
    async flush() {
      while (sending !== undefined) await sending
    },
    start({ signal }) {
      return Promise.resolve(
        runInBackground(async (stop) => {
          stopping = stop
          const stopped = Promise.withResolvers<void>()
          stop.addEventListener('abort', () => stopped.resolve(), { once: true })
          if (!stop.aborted) await stopped.promise
          queue.length = 0
          await sending
        }, signal),
      )
    },
  }
}

/** Keeps the newest entries only. */
function remember<V>(cache: Map<string, V>, key: string, value: V): void {
  cache.delete(key)
  cache.set(key, value)
  if (cache.size <= maxRemembered) return
  for (const oldest of cache.keys()) {
    cache.delete(oldest)
    return
  }
}
