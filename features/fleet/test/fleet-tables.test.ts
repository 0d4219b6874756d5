import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSimulatedMember } from './simulated-member.ts'
import { startTestFleet } from './test-fleet.ts'

test('shows the pods of all clusters in one table with the cluster first', async () => {
  const east = createSimulatedMember({ name: 'east' })
  const west = createSimulatedMember({ name: 'west' })
  east.put({ name: 'web-0' })
  west.put({ name: 'web-0', phase: 'Pending' })
  await using fleet = startTestFleet([west, east])

  const { rows, value, answer } = await fleet.table('/fleet/api/v1/pods?limit=500')

  assert.deepEqual(
    value.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Cluster', 'Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node'],
  )
  assert.deepEqual(
    rows.map((cells) => cells.slice(0, 4)),
    [
      ['east', 'web-0', '1/1', 'Running'],
      ['west', 'web-0', '0/1', 'Pending'],
    ],
  )
  assert.deepEqual(
    value.rows.map((row: any) => [row.object.metadata.name, row.object.metadata.labels['fleet.gantry.dev/cluster']]),
    [
      ['east:web-0', 'east'],
      ['west:web-0', 'west'],
    ],
  )
  assert.equal(answer.freshness, 'live=2')
  assert.deepEqual(answer.warnings, [])
})
