import { validateEvent } from '../events/event-validation.ts'
import type { Event } from '../generated/types.ts'
import { ageOf, as, column } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

export const event: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  namespaced: true,
  type: 'io.k8s.api.core.v1.Event',
  groupPriority: 18000,
  allowUnconditionalUpdate: true,
  allowCreateOnUpdate: true,
  ignoresPropagationPolicy: true,
  selectableFields: {
    'involvedObject.kind': (object) => as<Event>(object).involvedObject.kind ?? '',
    'involvedObject.namespace': (object) => as<Event>(object).involvedObject.namespace ?? '',
    'involvedObject.name': (object) => as<Event>(object).involvedObject.name ?? '',
    'involvedObject.uid': (object) => as<Event>(object).involvedObject.uid ?? '',
    'involvedObject.apiVersion': (object) => as<Event>(object).involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': (object) => as<Event>(object).involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': (object) => as<Event>(object).involvedObject.fieldPath ?? '',
    reason: (object) => as<Event>(object).reason ?? '',
    reportingComponent: (object) => as<Event>(object).reportingComponent ?? '',
    source: (object) => as<Event>(object).source?.component || as<Event>(object).reportingComponent || '',
    type: (object) => as<Event>(object).type ?? '',
  },
  columns: [
    column<Event>('Last Seen', lastSeen),
    column<Event>('Type', (object) => object.type ?? ''),
    column<Event>('Reason', (object) => object.reason ?? ''),
    column<Event>('Object', ({ involvedObject }) =>
      (involvedObject.name ?? '') === '' ? `${involvedObject.kind?.toLowerCase() ?? ''}` : `${involvedObject.kind?.toLowerCase() ?? ''}/${involvedObject.name}`,
    ),
    column<Event>('Subobject', (object) => object.involvedObject.fieldPath ?? '', { wide: true }),
    column<Event>('Source', formatSource, { wide: true }),
    column<Event>('Message', (object) => (object.message ?? '').trim()),
    column<Event>('First Seen', (object, now) => ageOf(object.firstTimestamp ?? object.eventTime, now), { wide: true }),
    column<Event>('Count', (object) => object.series?.count ?? object.count ?? 1, { wide: true }),
    column<Event>('Name', (object) => object.metadata.name ?? '', { wide: true }),
  ],
  validate: (object) => validateEvent(as<Event>(object), 'reportingComponent'),
}

function lastSeen(object: Event, now: Date): string {
  return ageOf(object.series?.lastObservedTime ?? object.lastTimestamp ?? object.eventTime ?? object.firstTimestamp, now)
}

function formatSource({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || ''
  const instance = source?.host || reportingInstance || ''
  return instance === '' ? component : `${component}, ${instance}`
}
