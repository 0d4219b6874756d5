import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLabelSelectorObject, labelSelectorFromObject, labelSelectorFromSet, parseLabelSelector } from './label-selector.ts'

const matching: readonly (readonly [selector: string, labels: Record<string, string>, matches: boolean])[] = [
  ['', {}, true],
  ['a=b', { a: 'b' }, true],
  ['a==b', { a: 'c' }, false],
  ['a=', { a: '' }, true],
  ['a=', {}, false],
  ['a!=b', {}, true],
  ['a!=b', { a: 'b' }, false],
  ['a in (b, c)', { a: 'c' }, true],
  ['a in (b,,c)', { a: '' }, true],
  ['a in ()', { a: '' }, true],
  ['a notin (b)', {}, true],
  ['a notin (b,c)', { a: 'c' }, false],
  ['a', { a: 'x' }, true],
  ['!a', { a: 'x' }, false],
  ['! a , b', { b: '' }, true],
  ['a>1', { a: '2' }, true],
  ['a<1', { a: '1' }, false],
  ['a>1', { a: 'x' }, false],
  ['constructor', {}, false],
  ['!toString', {}, true],
  ['in in (in)', { in: 'in' }, true],
  ['example.com/a=b', { 'example.com/a': 'b' }, true],
]

for (const [selector, labels, matches] of matching) {
  test(`${JSON.stringify(selector)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(labels)}`, () => {
    assert.equal(parseLabelSelector(selector).matches(labels), matches)
  })
}

const keyMessage =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

const refused: readonly (readonly [selector: string, message: string])[] = [
  ['a=b c', "found 'c', expected: ',' or 'end of string'"],
  ['a,,b', "found ',', expected: identifier after ','"],
  ['=b', "found '=', expected: !, identifier, or 'end of string'"],
  ['a in b', "unable to parse requirement: found 'b' expected: '('"],
  ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
  ['a(', "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt"],
  ['-a=b', `unable to parse requirement: <nil>: Invalid value: "-a": ${keyMessage}`],
  ['a>x', `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`],
  [
    'a=-b',
    `unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  ],
]

for (const [selector, message] of refused) {
  test(`refuses ${JSON.stringify(selector)} with upstream's text`, () => {
    assert.throws(() => parseLabelSelector(selector), { reason: 'BadRequest', message })
  })
}

test('sorts requirements and values when it is written', () => {
  assert.equal(parseLabelSelector('z, b in (y,x),a!=1,!c').toString(), 'a!=1,b in (x,y),!c,z')
})

test('knows the single value it asks for', () => {
  assert.equal(parseLabelSelector('a=b,c').requiresExactMatch('a'), 'b')
  assert.equal(parseLabelSelector('a in (b)').requiresExactMatch('a'), 'b')
  assert.equal(parseLabelSelector('a in (b,c)').requiresExactMatch('a'), undefined)
})

test('an absent object selects nothing, an empty one everything', () => {
  assert.equal(labelSelectorFromObject(undefined).matches({}), false)
  assert.equal(labelSelectorFromObject({}).matches({}), true)
})

test('a selector object joins labels and expressions', () => {
  const selector = labelSelectorFromObject({
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  })

  assert.equal(selector.matches({ app: 'web', tier: 'b' }), true)
  assert.equal(selector.matches({ app: 'web', tier: 'b', old: '' }), false)
  assert.equal(formatLabelSelectorObject({ matchLabels: { app: 'web' } }), 'app=web')
})

test('a selector object may say null where it says nothing', () => {
  const selector = labelSelectorFromObject({ matchLabels: null, matchExpressions: [{ key: 'a', operator: 'Exists', values: null }] })

  assert.equal(selector.toString(), 'a')
  assert.equal(selector.matchesEverything, false)
  assert.equal(selector.matchesNothing, false)
  assert.equal(labelSelectorFromObject(null).matchesNothing, true)
  assert.equal(formatLabelSelectorObject({}), '<none>')
})

test('selects by a set of labels', () => {
  assert.equal(labelSelectorFromSet({ b: '2', a: '1' }).toString(), 'a=1,b=2')
  assert.equal(labelSelectorFromSet(undefined).matchesEverything, true)
})

test('names everything that is wrong with an expression', () => {
  assert.throws(() => labelSelectorFromObject({ matchExpressions: [{ key: 'a', operator: 'In', values: [] }] }), {
    message: "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty",
  })
  assert.throws(() => labelSelectorFromObject({ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['x'] }] }), {
    message: 'values: Invalid value: ["x"]: values set must be empty for exists and does not exist',
  })
})

test('refuses an unknown operator of a selector object', () => {
  assert.throws(() => labelSelectorFromObject({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), {
    message: '"Near" is not a valid label selector operator',
  })
})
