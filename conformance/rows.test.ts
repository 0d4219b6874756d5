import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commands } from './kubectl/commands.ts'
import { rowOfCommand, rowsOf } from './rows.ts'

test('a claim names rows of the specification', () => {
  assert.deepEqual(rowsOf('does something (that matters) (P1, 7.3)'), ['P1', '7.3'])
  assert.deepEqual(rowsOf('fills it in (15 zero values)'), ['15 zero values'])
  assert.throws(() => rowsOf('does something'), /names no row/)
  assert.throws(() => rowsOf('does something (W99)'), /does not have: W99/)
})

test('every command of the kubectl story stands in a row', () => {
  for (const { line } of commands) assert.doesNotThrow(() => rowOfCommand(line))
  assert.throws(() => rowOfCommand('dance'), /stands in no row/)
})
