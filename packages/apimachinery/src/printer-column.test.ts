import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ageOf, printerCell } from './printer-column.ts'

const now = new Date('2026-01-01T01:00:00Z')
const object = { spec: { s: 'x', i: 3, f: 2.5, b: true, d: '2026-01-01T00:00:00Z', m: { b: [1, 'y'], a: null }, n: null } }

function cell(type: string, jsonPath: string): unknown {
  return printerCell({ name: 'X', type, jsonPath }, object, now)
}

describe('printerCell', () => {
  it('shows a value of the column type', () => {
    assert.equal(cell('string', '.spec.s'), 'x')
    assert.equal(cell('integer', '.spec.i'), 3)
    assert.equal(cell('integer', '.spec.f'), 2)
    assert.equal(cell('number', '.spec.f'), 2.5)
    assert.equal(cell('boolean', '.spec.b'), true)
    assert.equal(cell('date', '.spec.d'), '60m')
  })

  it('shows anything in a string column: values as Go prints them, maps and lists as JSON', () => {
    assert.equal(cell('string', '.spec.i'), '3')
    assert.equal(cell('string', '.spec.f'), '2.5')
    assert.equal(cell('string', '.spec.b'), 'true')
    assert.equal(cell('string', '.spec.m'), '{"b":[1,"y"],"a":null}')
  })

  it('leaves a cell empty where the value is missing or of another type', () => {
    for (const type of ['string', 'integer', 'number', 'boolean', 'date', 'other']) assert.equal(cell(type, '.spec.missing'), null)
    assert.equal(cell('integer', '.spec.s'), null)
    assert.equal(cell('number', '.spec.s'), null)
    assert.equal(cell('boolean', '.spec.s'), null)
    assert.equal(cell('date', '.spec.i'), null)
    assert.equal(cell('other', '.spec.s'), null)
  })

  it('knows when there is no time', () => {
    assert.equal(ageOf(undefined, now), '<unknown>')
    assert.equal(ageOf('soon', now), '<invalid>')
    assert.equal(cell('date', '.spec.s'), '<invalid>')
  })
})
