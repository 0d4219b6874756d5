import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { clusterLabel, clustersAnnotation } from '../api/index.ts'

test('the console kit, which knows no feature, uses the words of the fleet', async () => {
  const kit = await readFile(new URL('../../../packages/console-kit/src/api/fleet-api.ts', import.meta.url), 'utf8')
  for (const word of [clusterLabel, clustersAnnotation]) assert.ok(kit.includes(`'${word}'`), word)
})
