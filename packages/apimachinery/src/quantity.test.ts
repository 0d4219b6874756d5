import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantityToMilli,
  quantityToNumber,
  quantityToUnits,
  subtractQuantities,
} from './quantity.ts'

const canonical: readonly (readonly [given: string, kept: string])[] = [
  ['0', '0'],
  ['000', '0'],
  ['0Ki', '0'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['0.5', '500m'],
  ['.5', '500m'],
  ['1.5', '1500m'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['1000Ki', '1000Ki'],
  ['100Mi', '100Mi'],
  ['0.5Ki', '512'],
  ['1e3', '1e3'],
  ['1000e0', '1e3'],
  ['12E6', '12E6'],
  ['1E', '1E'],
  ['1000000', '1M'],
  ['123456', '123456'],
  ['0.1n', '1n'],
  ['0.0000000001', '1n'],
  ['-1500m', '-1500m'],
  ['+5', '+5'],
  ['100000000Ei', '9223372036854775807'],
  ['1000E', '1000E'],
  [' 2Gi ', '2Gi'],
]

for (const [given, kept] of canonical) {
  test(`writes ${JSON.stringify(given)} as ${kept}`, () => {
    assert.equal(canonicalQuantity(given), kept)
  })
}

for (const text of ['', 'a', '1Zi', '1.2.3', '1 Gi', '1_000', '1mm1x']) {
  test(`refuses ${JSON.stringify(text)} with upstream's text`, () => {
    assert.throws(() => parseQuantity(text), {
      reason: 'BadRequest',
      message: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    })
  })
}

test('refuses an unknown suffix and an exponent that would cost gigabytes', () => {
  for (const text of ['1mm', '1eE3', '1+5', '1e999999999']) {
    assert.throws(() => parseQuantity(text), { message: "unable to parse quantity's suffix" })
  }
})

test('compares across notations exactly', () => {
  assert.equal(compareQuantities(parseQuantity('1Gi'), parseQuantity('1024Mi')), 0)
  assert.equal(compareQuantities(parseQuantity('1G'), parseQuantity('1Gi')), -1)
  assert.equal(compareQuantities(parseQuantity('0.1'), parseQuantity('99m')), 1)
})

test('adds and subtracts in the notation of the first operand', () => {
  assert.equal(formatQuantity(addQuantities(parseQuantity('1Gi'), parseQuantity('512Mi'))), '1536Mi')
  assert.equal(formatQuantity(addQuantities(parseQuantity('0'), parseQuantity('1Ki'))), '1Ki')
  assert.equal(formatQuantity(subtractQuantities(parseQuantity('1'), parseQuantity('250m'))), '750m')
  assert.equal(formatQuantity(subtractQuantities(parseQuantity('1'), parseQuantity('1'))), '0')
})

test('rounds away from zero when it gives numbers', () => {
  assert.equal(quantityToMilli(parseQuantity('1500u')), 2)
  assert.equal(quantityToMilli(parseQuantity('2')), 2000)
  assert.equal(quantityToUnits(parseQuantity('1001m')), 2)
  assert.equal(quantityToUnits(parseQuantity('-1001m')), -2)
  assert.equal(quantityToNumber(parseQuantity('1500m')), 1.5)
})
