import { fieldInvalid, fieldIsImmutable, fieldRequired, isNameValid, labelKeyProblems, validateObjectMeta } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Event, EventSource, ObjectReference } from '../generated/types.ts'

// Upstream: pkg/apis/core/validation/events.go; kube-api-spec E4.

const maxNameBytes = 128
const maxNoteBytes = 1024

/**
 * What every event has to keep, in the stored shape. An event with an eventTime is one of the new kind and says who reports what; `reporterField` is what the
 * version of the request calls the reporting controller.
 */
export function validateEvent(event: Event, reporterField: 'reportingComponent' | 'reportingController'): FieldError[] {
  const { metadata, involvedObject } = event
  const of = involvedObject?.namespace ?? ''
  const mismatch = fieldInvalid('involvedObject.namespace', of, 'does not match event.namespace')
  if (!isSet(event.eventTime)) {
    // Events of cluster-scoped objects live in `default`.
    return metadata.namespace === (of === '' ? 'default' : of) ? [] : [mismatch]
  }
  const errors: FieldError[] = []
  if (of === '' && metadata.namespace !== 'default' && metadata.namespace !== 'kube-system') errors.push(mismatch)
  const reporter = event.reportingComponent ?? ''
  if (reporter === '') errors.push(fieldRequired(reporterField, ''))
  for (const problem of labelKeyProblems(reporter)) errors.push(fieldInvalid(reporterField, reporter, problem))
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    const value = event[field] ?? ''
    if (value === '') errors.push(fieldRequired(field, ''))
    else if (Buffer.byteLength(value) > maxNameBytes) errors.push(fieldInvalid(field, '', `can have at most ${maxNameBytes} characters`))
  }
  if (Buffer.byteLength(event.message ?? '') > maxNoteBytes) errors.push(fieldInvalid('message', '', `can have at most ${maxNoteBytes} characters`))
  return errors
}

/** What is created as events.k8s.io/v1 must be an event of the new kind. */
export function validateNewEvent(event: Event): FieldError[] {
  const errors = [
    ...validateEvent(event, 'reportingController'),
    ...validateObjectMeta(event.metadata, { namespaced: true, validateName: isNameValid, qualifiedFinalizers: true }),
    ...validateSeries(event),
  ]
  if (!isSet(event.eventTime)) errors.push(fieldRequired('eventTime', ''))
  if (event.type !== 'Normal' && event.type !== 'Warning') errors.push(fieldInvalid('type', '', `has invalid value: ${event.type ?? ''}`))
  const legacy = {
    firstTimestamp: isSet(event.firstTimestamp),
    lastTimestamp: isSet(event.lastTimestamp),
    count: (event.count ?? 0) !== 0,
    source: hasSource(event),
  }
  for (const [field, isGiven] of Object.entries(legacy)) if (isGiven) errors.push(fieldInvalid(field, '', 'needs to be unset'))
  return errors
}

/** An event of the new kind changes nothing but its series. */
export function validateEventUpdate(next: Event, old: Event): FieldError[] {
  const errors: FieldError[] = []
  if (JSON.stringify(next.series) !== JSON.stringify(old.series)) errors.push(...validateSeries(next))
  const fixed = [
    ['involvedObject', referenceText(next.involvedObject), referenceText(old.involvedObject)],
    ['reason', next.reason ?? '', old.reason ?? ''],
    ['message', next.message ?? '', old.message ?? ''],
    ['source', sourceText(next.source), sourceText(old.source)],
    ['firstTimestamp', next.firstTimestamp ?? null, old.firstTimestamp ?? null],
    ['lastTimestamp', next.lastTimestamp ?? null, old.lastTimestamp ?? null],
    ['count', next.count ?? 0, old.count ?? 0],
    ['reason', next.reason ?? '', old.reason ?? ''],
    ['type', next.type ?? '', old.type ?? ''],
    ['eventTime', next.eventTime ?? null, old.eventTime ?? null],
    ['action', next.action ?? '', old.action ?? ''],
    ['related', next.related && referenceText(next.related), old.related && referenceText(old.related)],
    ['reportingController', next.reportingComponent ?? '', old.reportingComponent ?? ''],
    ['reportingInstance', next.reportingInstance ?? '', old.reportingInstance ?? ''],
  ] as const
  for (const [field, value, before] of fixed) {
    if (JSON.stringify(value) !== JSON.stringify(before)) errors.push(fieldInvalid(field, value, fieldIsImmutable))
  }
  return errors
}

// Immutable structs are shown as Go writes one without JSON names.
function referenceText(reference: ObjectReference | undefined): object {
  const { kind = '', namespace = '', name = '', uid = '', apiVersion = '', resourceVersion = '', fieldPath = '' } = reference ?? {}
  return { Kind: kind, Namespace: namespace, Name: name, UID: uid, APIVersion: apiVersion, ResourceVersion: resourceVersion, FieldPath: fieldPath }
}

function sourceText(source: EventSource | undefined): object {
  return { Component: source?.component ?? '', Host: source?.host ?? '' }
}

function validateSeries({ series }: Event): FieldError[] {
  if (series === undefined) return []
  const errors: FieldError[] = []
  if ((series.count ?? 0) < 2) errors.push(fieldInvalid('series.count', '', 'should be at least 2'))
  if (!isSet(series.lastObservedTime)) errors.push(fieldRequired('series.lastObservedTime', ''))
  return errors
}

function isSet(time: string | null | undefined): boolean {
  return time !== undefined && time !== null && time !== ''
}

function hasSource({ source }: Event): boolean {
  return (source?.component ?? '') !== '' || (source?.host ?? '') !== ''
}
