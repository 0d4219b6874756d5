import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compile, dynType, intType, listType, mapType, objectType, stringType } from './index.ts'

const self = objectType('self', { i: intType, s: stringType, l: listType(intType), m: mapType(stringType, intType), d: dynType })
const value = { i: 3, s: 'abc', l: [1, 2, 3], m: { a: 1 }, d: [1, 'x', { y: null }] }

const tokens =
  'self . i s l m d x ( ) [ ] { } , : ? ! - + * / % < > == != && || in 1 0 2.5 "a" b"c" null true all exists map filter size has matches startsWith split sum optional.of orValue duration quantity'.split(
    ' ',
  )

test('reads, checks, reckons and evaluates anything without throwing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...tokens) }, { weight: 1, arbitrary: fc.string({ maxLength: 3 }) }), { maxLength: 25 }),
      (parts) => {
        const compiled = compile(parts.join(' '), { variables: { self, x: intType } })
        if (compiled.program === undefined) return assert.notEqual(compiled.error, '')
        const { min, max } = compiled.program.estimate()
        const { cost, exceeded } = compiled.program.evaluate({ self: value, x: 1 }, { budget: 100_000 })
        assert.ok(min <= max)
        assert.ok(exceeded || cost <= 100_000)
      },
    ),
    { numRuns: 1000 },
  )
})

/** Expressions of int that are well formed: what they cost lies within the estimate. */
const numeric: fc.Memo<string> = fc.memo((depth) =>
  depth <= 1
    ? fc.constantFrom('self.i', '1', 'x', 'self.l[0]', 'size(self.s)')
    : fc.oneof(
        fc.tuple(numeric(depth - 1), fc.constantFrom('+', '-', '*'), numeric(depth - 1)).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
        fc.tuple(numeric(depth - 1), numeric(depth - 1), numeric(depth - 1)).map(([a, b, c]) => `(${a} < ${b} ? ${c} : ${a})`),
        numeric(depth - 1).map((a) => `self.l.map(v, v + ${a}).sum()`),
        numeric(depth - 1).map((a) => `self.l.filter(v, v > ${a}).size()`),
      ),
)

test('costs no more than was estimated', () => {
  const bounded = objectType('self', { i: intType, s: { kind: 'string', maxElements: 12 }, l: listType(intType, { maxElements: 3 }) })
  fc.assert(
    fc.property(numeric(4), (expression) => {
      const { program } = compile(expression, { variables: { self: bounded, x: intType } })
      assert.ok(program !== undefined)
      const { cost } = program.evaluate({ self: value, x: 2 }, { budget: 10_000_000 })
      assert.ok(cost <= program.estimate().max, `${expression} cost ${cost}, at most ${program.estimate().max}`)
    }),
    { numRuns: 200 },
  )
})
