import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatYaml } from './format-yaml.ts'
import { compilePattern } from './linear-pattern.ts'
import { parseJson } from './parse-json.ts'
import { parseYaml } from './parse-yaml.ts'

const key = fc.string({ maxLength: 8, unit: 'grapheme' })
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
    fc.string({ maxLength: 100, unit: 'grapheme' }),
    fc.constantFrom('yes', '0777', '1e3', '12:30', 'a: b', '- x', '#', 'line\nbreak\n', ' lead', 'trail ', '2001-01-01', '<<'),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(key, tie('json'), { maxKeys: 4 }),
  ),
}))

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

test('reads every YAML text it writes as the value it wrote', () => {
  fc.assert(
    fc.property(json, (value) => {
      assert.deepEqual(parseYaml(formatYaml(plain(value))).value, plain(value))
    }),
    { numRuns: 300 },
  )
})

test('finds no duplicates in what JSON.stringify writes, and the value it wrote', () => {
  fc.assert(
    fc.property(json, fc.integer({ min: 0, max: 4 }), (value, indent) => {
      const parsed = parseJson(Buffer.from(JSON.stringify(value, null, indent)), { duplicates: true })
      assert.deepEqual(parsed, { value: plain(value), duplicates: [] })
    }),
    { numRuns: 300 },
  )
})

const pattern = fc.stringMatching(/^(\(?[ab]\)?[*+?]?|\[ab\]\{0,2\}|a\|b|\.){1,6}$/).filter((source) => {
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
})

test('matches as the engine of JavaScript does where both understand a pattern', () => {
  fc.assert(
    fc.property(pattern, fc.stringMatching(/^[abc]{0,8}$/), (source, text) => {
      assert.equal(compilePattern(source).test(text), new RegExp(source, 'u').test(text))
    }),
    { numRuns: 300 },
  )
})
