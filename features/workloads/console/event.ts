import type { KubeObject } from '@gantry/console-kit'
import { timestampMs, type ResourceRow } from '@gantry/console-kit/model'

interface EventObject extends KubeObject {
  readonly type?: string
  readonly reason?: string
  readonly message?: string
  readonly count?: number
  readonly firstTimestamp?: string | null
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
  readonly reportingComponent?: string
  readonly source?: { readonly component?: string; readonly host?: string }
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string }
  readonly involvedObject?: InvolvedObject
}

interface InvolvedObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
}

/** What an event says. */
export interface EventFacts {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly source: string
  readonly count: number
  readonly lastSeenMs: number | undefined
  readonly involved: InvolvedObject
}

export interface EventRow extends ResourceRow, EventFacts {}

/** An event of either API generation: series and eventTime of the new one, count and lastTimestamp of the old one. */
export function eventRow(object: KubeObject, base: ResourceRow): EventRow {
  const event = object as EventObject
  const component = event.reportingComponent === undefined || event.reportingComponent === '' ? (event.source?.component ?? '') : event.reportingComponent
  return {
    ...base,
    type: event.type ?? 'Normal',
    reason: event.reason ?? '',
    message: event.message ?? '',
    source: event.source?.host === undefined || event.source.host === '' ? component : `${component}, ${event.source.host}`,
    count: event.series?.count ?? event.count ?? 1,
    lastSeenMs:
      timestampMs(event.series?.lastObservedTime) ??
      timestampMs(event.lastTimestamp) ??
      timestampMs(event.eventTime) ??
      timestampMs(event.firstTimestamp) ??
      timestampMs(event.metadata.creationTimestamp),
    involved: event.involvedObject ?? {},
  }
}
