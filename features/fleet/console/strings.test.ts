import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { keysOf, usedKeys } from '@gantry/console-kit/model'
import { fleetStrings } from './strings.ts'

const folder = new URL('./', import.meta.url)
const english = new Set(keysOf(fleetStrings.en))

test('says everything in both languages', () => {
  assert.deepEqual(new Set(keysOf(fleetStrings.zh)), english)
})

test('has a text for every key that its sources name', () => {
  const sources = globSync('**/*.{ts,tsx}', { cwd: folder, exclude: ['**/*.test.ts'] })
  assert.equal(sources.length > 3, true)
  const missing = sources.flatMap((file) => usedKeys(readFileSync(new URL(file, folder), 'utf8'), 'fleet')).filter((key) => !english.has(key))
  assert.deepEqual(missing, [])
})
