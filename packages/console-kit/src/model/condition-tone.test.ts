import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionTone } from './condition-tone.ts'

const tones: readonly (readonly [string, string, string])[] = [
  ['Ready', 'True', 'ok'],
  ['Ready', 'False', 'error'],
  ['Ready', 'Unknown', 'warn'],
  ['MemoryPressure', 'False', 'ok'],
  ['DiskPressure', 'True', 'error'],
  ['NetworkUnavailable', 'False', 'ok'],
  ['ReplicaFailure', 'True', 'error'],
  ['Established', 'True', 'ok'],
]

for (const [type, status, tone] of tones) test(`finds ${type}=${status} ${tone}`, () => assert.equal(conditionTone({ type, status }), tone))
