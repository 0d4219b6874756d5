import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ElevationRequest } from '../../api/index.ts'
import { askedElevation, choicesFor, durationText, phaseAt, scopeOfElevation, sortElevations } from './elevation.ts'

const nowMs = Date.parse('2026-03-01T10:00:00Z')

function request(name: string, status: ElevationRequest['status'], { user = 'vic', created = '2026-03-01T09:00:00Z' } = {}): ElevationRequest {
  return {
    apiVersion: 'access.gantry.dev/v1alpha1',
    kind: 'ElevationRequest',
    metadata: { name, creationTimestamp: created },
    spec: { user, userUID: 'u', role: 'cluster-admin', durationSeconds: 3_600, reason: 'incident 42' },
    ...(status === undefined ? {} : { status }),
  }
}

test('puts what has waited longest and what ends first on top', () => {
  const sorted = sortElevations(
    [
      request('new', undefined, { created: '2026-03-01T09:59:00Z' }),
      request('old', { phase: 'Pending' }, { created: '2026-03-01T09:00:00Z' }),
      request('long', { phase: 'Approved', until: '2026-03-01T12:00:00Z' }),
      request('short', { phase: 'Approved', until: '2026-03-01T10:30:00Z' }),
      request('denied', { phase: 'Denied', decidedTime: '2026-03-01T08:00:00Z' }),
      request('ended', { phase: 'Ended', until: '2026-03-01T09:30:00Z', decidedTime: '2026-03-01T07:00:00Z' }),
    ],
    nowMs,
  )
  const names = (list: readonly ElevationRequest[]): readonly unknown[] => list.map(({ metadata }) => metadata.name)
  assert.deepEqual(names(sorted.waiting), ['old', 'new'])
  assert.deepEqual(names(sorted.running), ['short', 'long'])
  assert.deepEqual(names(sorted.over), ['ended', 'denied'])
})

test('is over when its time is, whatever has been written down', () => {
  const approved = request('a', { phase: 'Approved', until: '2026-03-01T10:00:00Z' })
  assert.equal(phaseAt(approved, nowMs - 1), 'Approved')
  assert.equal(phaseAt(approved, nowMs), 'Ended')
  assert.deepEqual(choicesFor(approved, 'vic', nowMs), [])
})

test('offers nobody to decide about their own request', () => {
  const waiting = request('a', { phase: 'Pending' })
  assert.deepEqual(choicesFor(waiting, 'vic', nowMs), ['withdraw'])
  assert.deepEqual(choicesFor(waiting, 'ann', nowMs), ['approve', 'deny'])
  const running = request('a', { phase: 'Approved', until: '2026-03-01T12:00:00Z' })
  assert.deepEqual(choicesFor(running, 'vic', nowMs), ['end'])
  assert.deepEqual(choicesFor(request('a', { phase: 'Denied' }), 'ann', nowMs), [])
})

test('asks for the place that was chosen and no wider one', () => {
  const asked = { role: ' cluster-admin ', durationSeconds: 900, reason: ' incident ' }
  assert.deepEqual(askedElevation({ ...asked, scope: { kind: 'namespaces', cluster: 'prod', namespaces: ['shop'] } }), {
    role: 'cluster-admin',
    cluster: 'prod',
    namespaces: ['shop'],
    durationSeconds: 900,
    reason: 'incident',
  })
  assert.deepEqual(scopeOfElevation(askedElevation({ ...asked, scope: { kind: 'cluster', cluster: 'prod' } })), { kind: 'cluster', cluster: 'prod' })
  for (const scope of [{ kind: 'platform' }, { kind: 'tenant', tenant: 'acme' }, { kind: 'project', tenant: 'acme', project: 'shop' }] as const)
    assert.deepEqual(scopeOfElevation(askedElevation({ ...asked, scope })), scope)
})

test('says whole hours as hours and the rest in minutes', () => {
  assert.deepEqual(durationText(7_200), ['elevations.hours', { count: 2 }])
  assert.deepEqual(durationText(5_400), ['elevations.minutes', { count: 90 }])
})
