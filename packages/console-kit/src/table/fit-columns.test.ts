import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Column } from '../definitions.ts'
import { fitColumns } from './fit-columns.ts'

const column = (id: string, width: number, priority: number): Column<unknown> => ({ id, title: id, value: () => undefined, width, priority })
const columns = [column('name', 200, 1), column('status', 100, 1), column('node', 100, 7), column('age', 50, 2)]
const fitting = (px: number): readonly string[] => fitColumns(columns, px).map((each) => each.id)

test('shows every column that there is room for, in order', () => assert.deepEqual(fitting(450), ['name', 'status', 'node', 'age']))
test('lets the least important column go first', () => assert.deepEqual(fitting(449), ['name', 'status', 'age']))
test('keeps the name to the last', () => assert.deepEqual(fitting(10), ['name']))
