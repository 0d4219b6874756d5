import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loggedErrors } from './logged-errors.ts'

const line = (file: string, text: string): string => `E1121 18:12:17.553239   29914 ${file}:276] ${text}`

test('counts errors without what varies', () => {
  const log = [1, 2].map((round) => line('quota.go', `"Sync failed" err="pods \\"web-5d4f8c7b9-x2x4z\\" is odd" key="round-${round}/all"`)).join('\n')

  assert.deepEqual(
    [...loggedErrors(`${log}\nI1121 18:12:17.553239   29914 quota.go:1] fine`)],
    [['quota.go: "Sync failed" err="pods \\"web-HASH-SUFFIX\\" is odd" key="NAMESPACE/all"', 2]],
  )
})

test('leaves out that the very object has gone that is synced, and nothing that looks like it', () => {
  const gone = [
    line(
      'resource_quota_controller.go',
      '"Error processing resource quota work item" err="resourcequotas \\"all\\" not found" logger="UnhandledError" queueKey="round-1/all"',
    ),
    line('stateful_set.go', '"Error syncing StatefulSet, requeuing" err="statefulsets.apps \\"store\\" not found" logger="UnhandledError" key="round-1/store"'),
    line('replica_set.go', '"Unhandled Error" err="sync \\"round-1/old\\" failed with replicationcontrollers \\"old\\" not found" logger="UnhandledError"'),
  ]
  const other = line(
    'stateful_set.go',
    '"Error syncing StatefulSet, requeuing" err="persistentvolumeclaims \\"data\\" not found" logger="UnhandledError" key="round-1/store"',
  )

  assert.deepEqual([...loggedErrors(gone.join('\n')).keys()], [])
  assert.equal(loggedErrors(other).size, 1)
})
