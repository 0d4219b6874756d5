import type { ApiObject } from '@gantry/apiserver'
import { event as coreEvent } from '../core/event.ts'
import type { Event, EventsEvent } from '../generated/types.ts'
import { as, viewOf } from '../kind.ts'
import { validateEvent, validateEventUpdate, validateNewEvent } from './event-validation.ts'

/** A field that is not there is no field that is undefined: whoever looks at the fields of an apply would find one. */
function withoutAbsent(object: object): ApiObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as ApiObject
}

/** events.k8s.io/v1: the newer names of what is stored as core/v1 (E1). What is written through it has to be an event of the new kind (E4). */
export const event = viewOf({
  kind: coreEvent,
  group: 'events.k8s.io',
  version: 'v1',
  type: 'io.k8s.api.events.v1.Event',
  groupPriority: 17750,
  fieldLabels: {
    reason: 'reason',
    'regarding.kind': 'involvedObject.kind',
    'regarding.namespace': 'involvedObject.namespace',
    'regarding.name': 'involvedObject.name',
    'regarding.uid': 'involvedObject.uid',
    'regarding.apiVersion': 'involvedObject.apiVersion',
    'regarding.resourceVersion': 'involvedObject.resourceVersion',
    'regarding.fieldPath': 'involvedObject.fieldPath',
    reportingController: 'reportingComponent',
    type: 'type',
  },
  fromStored(object) {
    const stored = as<Event>(object)
    const served: EventsEvent = {
      metadata: stored.metadata,
      eventTime: (stored.eventTime ?? null) as EventsEvent['eventTime'],
      series: stored.series as EventsEvent['series'],
      reportingController: stored.reportingComponent === '' ? undefined : stored.reportingComponent,
      reportingInstance: stored.reportingInstance === '' ? undefined : stored.reportingInstance,
      action: stored.action,
      reason: stored.reason,
      regarding: stored.involvedObject,
      related: stored.related,
      note: stored.message,
      type: stored.type,
      deprecatedSource: stored.source,
      deprecatedFirstTimestamp: stored.firstTimestamp,
      deprecatedLastTimestamp: stored.lastTimestamp,
      deprecatedCount: stored.count,
    }
    return withoutAbsent(served)
  },
  toStored(object) {
    const served = as<EventsEvent>(object)
    const stored: Event = {
      metadata: served.metadata,
      involvedObject: served.regarding ?? {},
      reason: served.reason,
      message: served.note,
      source: served.deprecatedSource ?? {},
      firstTimestamp: served.deprecatedFirstTimestamp ?? null,
      lastTimestamp: served.deprecatedLastTimestamp ?? null,
      count: served.deprecatedCount,
      type: served.type,
      eventTime: served.eventTime,
      series: served.series,
      action: served.action,
      related: served.related,
      reportingComponent: served.reportingController ?? '',
      reportingInstance: served.reportingInstance ?? '',
    }
    return withoutAbsent(stored)
  },
  rules: {
    validate: (object, old) => (old === undefined ? validateNewEvent(as<Event>(object)) : validateEvent(as<Event>(object), 'reportingController')),
    validateUpdate: (object, old) => validateEventUpdate(as<Event>(object), as<Event>(old)),
  },
})
