import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalOutput } from './normal-output.ts'

test('takes out what differs from run to run', () => {
  const output =
    'web-7c9d8f6b5d-x2x4z   0/1   Pending   0   2m13s\nuid: 1b4e28ba-2fa1-41d2-883f-0016d3cca427\nresourceVersion: "123"\ncreated 2026-01-02T03:04:05Z in ns-1\n'

  assert.equal(
    normalOutput(output, { 'ns-1': 'NAMESPACE' }),
    'web-HASH-SUFFIX  0/1  Pending  0  AGE\nuid: UID\nresourceVersion: REVISION\ncreated TIME in NAMESPACE\n',
  )
})

test('keeps words and the depth of YAML', () => {
  const output = 'spec:\n  replicas: 3\n  strategy:   RollingUpdate\n'

  assert.equal(normalOutput(output, {}), 'spec:\n  replicas: 3\n  strategy:  RollingUpdate\n')
})
