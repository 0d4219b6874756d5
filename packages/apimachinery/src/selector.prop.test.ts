import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseFieldSelector } from './field-selector.ts'
import { labelSelectorOf, parseLabelSelector } from './label-selector.ts'
import type { LabelRequirement } from './label-selector.ts'
import { canonicalQuantity, compareQuantities, parseQuantity } from './quantity.ts'
import { StatusError } from './status.ts'

const key = fc.constantFrom('a', 'b', 'app.io/c', 'constructor', 'in')
const value = fc.constantFrom('', 'x', 'y', '1', '10', 'notin')
const labels = fc.dictionary(key, value, { maxKeys: 4 })
const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('in', 'notin'), values: fc.uniqueArray(value, { minLength: 1, maxLength: 3 }) }),
  fc.record({ key, operator: fc.constantFrom('=', '==', '!='), values: value.map((only) => [only]) }),
  fc.record({ key, operator: fc.constantFrom('gt', 'lt'), values: fc.nat({ max: 20 }).map((bound) => [String(bound)]) }),
  fc.record({ key, operator: fc.constantFrom('exists', '!'), values: fc.constant([]) }),
)

/** What each operator means, in the plainest words. */
function holds({ key: name, operator, values }: LabelRequirement, given: Readonly<Record<string, string>>): boolean {
  const present = Object.hasOwn(given, name)
  const text = given[name] ?? ''
  switch (operator) {
    case 'in':
    case '=':
    case '==':
      return present && values.includes(text)
    case 'notin':
    case '!=':
      return !present || !values.includes(text)
    case 'exists':
      return present
    case '!':
      return !present
    case 'gt':
    case 'lt': {
      if (!present || !/^\d+$/.test(text)) return false
      return operator === 'gt' ? Number(text) > Number(values[0]) : Number(text) < Number(values[0])
    }
  }
}

describe('label selectors', () => {
  it('match what their requirements say, before and after being written as text', () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 4 }), labels, (requirements, given) => {
        const selector = labelSelectorOf(requirements)
        const expected = requirements.every((each) => holds(each, given))
        assert.equal(selector.matches(given), expected)
        assert.equal(parseLabelSelector(selector.toString()).matches(given), expected)
        assert.equal(parseLabelSelector(selector.toString()).toString(), selector.toString())
      }),
    )
  })

  it('any text is a selector or a BadRequest', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '=', '==', '!', ',', ' in ', ' notin ', '(', ')', '>', '1', ' ', 'é'), { maxLength: 12 }), (pieces) => {
        try {
          parseLabelSelector(pieces.join('')).matches({ a: '1' })
        } catch (error) {
          if (!(error instanceof StatusError)) throw error
        }
      }),
    )
  })
})

describe('field selectors', () => {
  it('are the same after being written as text', () => {
    const term = fc.tuple(fc.constantFrom('a', 'b.c'), fc.constantFrom('=', '!='), fc.string({ unit: fc.constantFrom('x', ',', '=', '\\', '!') }))
    fc.assert(
      fc.property(fc.array(term, { maxLength: 3 }), (terms) => {
        const text = terms.map(([field, operator, given]) => `${field}${operator}${given.replace(/[\\,=]/g, '\\$&')}`).join(',')
        const selector = parseFieldSelector(text)
        assert.deepEqual(
          new Set(selector.requirements.map((each) => `${each.field} ${each.operator} ${each.value}`)),
          new Set(terms.map((each) => each.join(' '))),
        )
        assert.equal(parseFieldSelector(selector.toString()).toString(), parseFieldSelector(text).toString())
      }),
    )
  })
})

describe('quantities', () => {
  it('keep their value, and their text once it is canonical', () => {
    const number = fc.tuple(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: 999 })).map(([whole, fraction]) => `${whole}.${fraction}`)
    const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'E-2')
    fc.assert(
      fc.property(number, suffix, (digits, unit) => {
        const given = parseQuantity(`${digits}${unit}`)
        const canonical = canonicalQuantity(`${digits}${unit}`)
        assert.equal(compareQuantities(parseQuantity(canonical), given), 0)
        assert.equal(canonicalQuantity(canonical), canonical)
      }),
    )
  })
})
