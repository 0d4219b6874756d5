import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatYaml } from './format-yaml.ts'
import { parseYaml } from './parse-yaml.ts'
import { StatusError } from './status.ts'

function failureOf(text: string): string {
  try {
    parseYaml(text)
  } catch (error) {
    assert.ok(error instanceof StatusError)
    assert.equal(error.reason, 'BadRequest')
    return error.message
  }
  return 'no failure'
}

// Every expectation below was compared with sigs.k8s.io/yaml 1.6.0.
describe('parseYaml', () => {
  it('resolves plain scalars as go-yaml does', () => {
    const scalars: [string, unknown][] = [
      ['yes', true],
      ['n', false],
      ['Off', false],
      ['~', null],
      ['0777', 511],
      ['0o17', 15],
      ['08', 8],
      ['-0x1f', -31],
      ['0b101', 5],
      ['1_000', 1000],
      ['1e3', 1000],
      ['.5', 0.5],
      ['+1', 1],
      ['12:30', '12:30'],
      ['2001-01-01', '2001-01-01'],
      ['2001-01-01T00:00:00Z', '2001-01-01T00:00:00Z'],
      ['1e400', '1e400'],
      ['NaN', 'NaN'],
      ['"yes"', 'yes'],
      ['!!str 5', '5'],
      ['!!int "5"', 5],
      ['!!binary aGVsbG8=', 'hello'],
    ]
    for (const [text, value] of scalars) assert.deepEqual(parseYaml(`k: ${text}`).value, { k: value }, text)
  })

  it('makes text of keys', () => {
    assert.deepEqual(parseYaml('1: a\ntrue: b\n1.5: c\nn: d\n-1e-7: e').value, { '1': 'a', true: 'b', '1.5': 'c', false: 'd', '-1e-07': 'e' })
    assert.equal(failureOf('null: x'), 'yaml: unsupported map key of type: <nil>')
    assert.equal(failureOf('? [a]\n: b'), 'yaml: invalid map key: a map or a list')
  })

  it('reads the first of several documents, and nothing as null', () => {
    assert.deepEqual(parseYaml('a: 1\n---\nb: 2').value, { a: 1 })
    assert.equal(parseYaml('# nothing\n').value, null)
  })

  it('lets the last of two equal keys win and names both by path', () => {
    const { value, duplicates } = parseYaml('data:\n  a: 1\n  a: 2\nlist:\n- x: {z: 1, z: 2}\n')
    assert.deepEqual(value, { data: { a: 2 }, list: [{ x: { z: 2 } }] })
    assert.deepEqual(duplicates, ['line 3: key "a" already set in map', 'line 5: key "z" already set in map'])
  })

  it('copies what an alias stands for', () => {
    const { value } = parseYaml('a: &x {b: [1]}\nc: *x\n')
    const object = value as { a: object; c: object }
    assert.deepEqual(object.c, { b: [1] })
    assert.notEqual(object.c, object.a)
  })

  it('merges as go-yaml v2: what is merged overwrites what stands before it', () => {
    assert.deepEqual(parseYaml('base: &b {x: 1}\nd:\n  x: 3\n  <<: *b\n').value, { base: { x: 1 }, d: { x: 1 } })
    assert.deepEqual(parseYaml('base: &b {x: 1}\nd:\n  <<: *b\n  x: 3\n').value, { base: { x: 1 }, d: { x: 3 } })
    assert.deepEqual(parseYaml('d:\n  <<: [{a: 1}, {a: 2, b: 3}]\n').value, { d: { a: 1, b: 3 } })
  })

  it('refuses alias bombs, self references and deep nesting', () => {
    const bomb = [
      'a0: &a0 [x, x, x, x, x, x, x, x, x, x]',
      ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`),
    ]
    assert.equal(failureOf(bomb.join('\n')), 'yaml: document contains excessive aliasing')
    assert.equal(failureOf('a: &a [*a]'), "yaml: anchor 'a' value contains itself")
    assert.match(failureOf('['.repeat(5000)), /^yaml: /)
  })

  it('names the line of a mistake', () => {
    assert.match(failureOf('a: 1\n a: 2\n'), /^yaml: line 2: /)
    assert.equal(failureOf('a: .nan'), 'yaml: .nan is not a JSON value')
  })

  it('keeps __proto__ away from the prototype', () => {
    const { value } = parseYaml('__proto__: {polluted: true}')
    assert.deepEqual(Object.keys(value as object), ['__proto__'])
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })
})

describe('formatYaml', () => {
  it('writes the form of kubectl', () => {
    const value = {
      kind: 'Pod',
      apiVersion: 'v1',
      spec: { containers: [{ name: 'a', args: ['--x', 'true', '1'], env: [], resources: {} }], tolerations: [['a', 'b'], []] },
      metadata: { labels: { a10: 'x', a9: 'y', B: 'z' }, annotations: { text: 'one\ntwo\n' }, creationTimestamp: null },
    }
    assert.equal(
      formatYaml(value),
      `apiVersion: v1
kind: Pod
metadata:
  annotations:
    text: |
      one
      two
  creationTimestamp: null
  labels:
    B: z
    a9: "y"
    a10: x
spec:
  containers:
  - args:
    - --x
    - "true"
    - "1"
    env: []
    name: a
    resources: {}
  tolerations:
  - - a
    - b
  - []
`,
    )
  })

  it('quotes as go-yaml does', () => {
    const strings: [string, string][] = [
      ['', '""'],
      ['null', '"null"'],
      ['12:30', '"12:30"'],
      ['2001-01-01', '"2001-01-01"'],
      ['a: b', "'a: b'"],
      ['#a', "'#a'"],
      [' a', "' a'"],
      ["it's #", "'it''s #'"],
      ['a\tb', '"a\\tb"'],
      ['😀', '"\\U0001F600"'],
      ['é', 'é'],
      ['a\nb', '|-\n  a\n  b'],
      ['a\n\n', '|+\n  a\n'],
      ['  a\nb', '|2-\n    a\n  b'],
      ['a \nb', '"a \\nb"'],
    ]
    for (const [text, yaml] of strings) assert.equal(formatYaml({ k: text }), `k: ${yaml}\n`, JSON.stringify(text))
  })

  it('writes numbers as Go does', () => {
    assert.equal(formatYaml([1, -0.5, 1234567.5, 1e21, 1e-7, 100_000.5]), '- 1\n- -0.5\n- 1.2345675e+06\n- 1e+21\n- 1e-07\n- 100000.5\n')
  })

  it('folds long text at column 80', () => {
    const text = 'word '.repeat(40).trim()
    const lines = formatYaml({ k: text }).split('\n')
    assert.equal(lines[0], `k: ${'word '.repeat(16).trim()}`)
    assert.deepEqual(parseYaml(lines.join('\n')).value, { k: text })
  })

  it('reads back what it has written', () => {
    const value = { '<<': 'a', 'k\nl': [' ', '\n', '\u2028', "'", '"', 'x\r\ny'], ['long'.repeat(50)]: { deep: [[[{ a: [] }]]] }, n: [1.5e300, -3] }
    assert.deepEqual(parseYaml(formatYaml(value)).value, value)
  })
})
