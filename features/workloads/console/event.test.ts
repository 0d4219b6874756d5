import assert from 'node:assert/strict'
import { test } from 'node:test'
import { baseRow } from '@gantry/console-kit/model'
import { eventRow } from './event.ts'

const read = (event: object) => {
  const object = { metadata: { name: 'e', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }, ...event }
  return eventRow(object, baseRow('prod', object))
}

test('reads an event of the old kind', () => {
  const row = read({
    type: 'Warning',
    count: 7,
    lastTimestamp: '2026-01-01T00:05:00Z',
    source: { component: 'kubelet', host: 'n1' },
    involvedObject: { uid: 'p' },
  })
  assert.deepEqual([row.type, row.count, row.lastSeenMs, row.source, row.involved.uid], ['Warning', 7, Date.parse('2026-01-01T00:05:00Z'), 'kubelet, n1', 'p'])
})

test('reads an event of the new kind', () => {
  const row = read({
    eventTime: '2026-01-01T00:01:00.000000Z',
    lastTimestamp: null,
    reportingComponent: 'scheduler',
    series: { count: 3, lastObservedTime: '2026-01-01T00:09:00Z' },
  })
  assert.deepEqual([row.count, row.lastSeenMs, row.source], [3, Date.parse('2026-01-01T00:09:00Z'), 'scheduler'])
})

test('falls back to when it was made', () => assert.equal(read({}).lastSeenMs, Date.parse('2026-01-01T00:00:00Z')))
