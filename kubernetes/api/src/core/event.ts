import { pathSegmentProblems } from '@gantry/apimachinery'
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
  takesAnyFinalizer: true,
  // Whoever writes one names it after its time; nothing else is asked of the name.
  validateName: pathSegmentProblems,
  metaChecksOnUpdate: 'none',
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
    column<Event>('Last Seen', lastSeen, { description: 'Time since it happened last.' }),
    column<Event>('Type', (object) => object.type ?? '', { description: 'Normal or Warning.' }),
    column<Event>('Reason', (object) => object.reason ?? '', { description: 'Why it happened, in a word.' }),
    column<Event>('Object', objectText, { description: 'What it happened to.' }),
    column<Event>('Subobject', (object) => object.involvedObject.fieldPath ?? '', { wide: true, description: 'The part that it happened to.' }),
    column<Event>('Source', formatSource, { wide: true, description: 'Who reported it.' }),
    column<Event>('Message', (object) => (object.message ?? '').trim(), { description: 'What happened.' }),
    column<Event>('First Seen', (object, now) => ageOf(object.firstTimestamp ?? object.eventTime, now), {
      wide: true,
      description: 'Time since it happened first.',
    }),
    column<Event>('Count', (object) => object.series?.count ?? object.count ?? 1, { wide: true, description: 'How often it happened.' }),
    column<Event>('Name', (object) => object.metadata.name ?? '', { wide: true, description: 'Name of the event, unique within its namespace.' }),
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

function objectText({ involvedObject: { kind, name = '' } }: Event): string {
  const text = kind?.toLowerCase() ?? ''
  return name === '' ? text : `${text}/${name}`
}
