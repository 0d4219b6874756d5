import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { keysOf, usedKeys } from '@gantry/console-kit/model'
import { tenancyStrings } from './strings.ts'

const folder = new URL('./', import.meta.url)
const english = new Set(keysOf(tenancyStrings.en))

test('says everything in both languages', () => {
  assert.deepEqual(new Set(keysOf(tenancyStrings.zh)), english)
})

test('has a text for every key that its sources name', () => {
  const sources = globSync('**/*.{ts,tsx}', { cwd: folder, exclude: ['**/*.test.ts'] })
  assert.equal(sources.length > 6, true)
  const missing = sources.flatMap((file) => usedKeys(readFileSync(new URL(file, folder), 'utf8'), 'tenancy')).filter((key) => !english.has(key))
  assert.deepEqual(missing, [])
})
