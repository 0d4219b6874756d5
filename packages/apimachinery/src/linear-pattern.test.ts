import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compilePattern, PatternSyntaxError } from './linear-pattern.ts'

// Compared with Go's package regexp.
describe('compilePattern', () => {
  it('matches as RE2 does', () => {
    const cases: [string, string, boolean][] = [
      ['a|b', 'xbx', true],
      ['^(a|b)*c$', 'ababc', true],
      ['x{2,4}y', 'xy', false],
      ['x{2,4}y', 'xxxy', true],
      ['^$', '', true],
      ['(?i)hello', 'HELLO', true],
      ['(?i:h)ello', 'HELLO', false],
      ['\\bfoo\\b', 'a foo b', true],
      ['\\bfoo\\b', 'xfoo', false],
      ['[[:alpha:]]+[^[:digit:]]$', 'ab1', false],
      ['^\\p{L}+$', 'éÄж', true],
      ['^\\pN$', 'x', false],
      ['[^\\x00-\\x7F]', 'abc', false],
      ['\\Qa.b\\E', 'axb', false],
      ['a.c', 'a\nc', false],
      ['(?s)a.c', 'a\nc', true],
      ['^b$', 'a\nb', false],
      ['(?m)^b$', 'a\nb', true],
      ['^.$', '😀', true],
      ['[]a]', ']', true],
      ['(?P<n>a)(?:b)', 'ab', true],
      ['{', '{', true],
      ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', 'my-name.example.com', true],
    ]
    for (const [pattern, text, expected] of cases) assert.equal(compilePattern(pattern).test(text), expected, `${pattern} on ${text}`)
  })

  it('refuses in the words of Go', () => {
    const wrong: [string, string][] = [
      ['(a', 'missing closing ): `(a`'],
      ['a)', 'unexpected ): `a)`'],
      ['[a', 'missing closing ]: `[a`'],
      ['*a', 'missing argument to repetition operator: `*`'],
      ['a**', 'invalid nested repetition operator: `**`'],
      ['a{1001}', 'invalid repeat count: `{1001}`'],
      ['[z-a]', 'invalid character class range: `z-a`'],
      ['\\y', 'invalid escape sequence: `\\y`'],
      ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
      ['\\p{Foo}', 'invalid character class range: `\\p{Foo}`'],
    ]
    for (const [pattern, message] of wrong) {
      assert.throws(() => compilePattern(pattern), new PatternSyntaxError(message), pattern)
    }
  })

  it('takes linear time where a backtracking engine would not end', () => {
    assert.equal(compilePattern('^(a+)+$').test(`${'a'.repeat(100_000)}!`), false)
    assert.equal(compilePattern('(x+x+)+y').test('x'.repeat(100_000)), false)
  })

  it('refuses patterns that need too large an automaton', () => {
    assert.throws(() => compilePattern('((a{1,100}){1,100}){1,100}'), PatternSyntaxError)
    assert.throws(() => compilePattern('('.repeat(5000)), PatternSyntaxError)
  })
})
