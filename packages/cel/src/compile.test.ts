import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorizerType, authorizerValue, compile, dynType, intType, listType, objectType, stringType, toJson } from './index.ts'
import type { AuthorizerAttributes, Program, Type } from './index.ts'

function program(expression: string, variables: Readonly<Record<string, Type>> = {}): Program {
  const compiled = compile(expression, { variables })
  assert.equal(compiled.error, undefined)
  assert.ok(compiled.program !== undefined)
  return compiled.program
}

const numbers = Array.from({ length: 2000 }, (_, i) => i)

test('stops an evaluation at its budget, whatever it does', () => {
  const texts = numbers.map((i) => `name-${i}`)
  const variables = { l: listType(intType), s: listType(stringType) }
  for (const expression of [
    'l.all(x, l.all(y, x + y >= 0))',
    'l.map(x, l.map(y, x)).size() > 0',
    's.all(x, s.all(y, x.matches("^(name-)+$") || true))',
    'l.all(x, l.all(y, 1 / 0 == 1 || true))',
    'sets.contains(l, l) && sets.contains(l, l)',
    'l.distinct().size() == 1',
    'lists.range(100000000).size() == 1',
    '["a"].map(x, x.replace("", s.join("")).replace("", s.join("")).replace("", s.join(""))).size() == 1',
  ]) {
    const { exceeded, error } = program(expression, variables).evaluate({ l: numbers, s: texts }, { budget: 100_000 })

    assert.deepEqual([expression, exceeded, error], [expression, true, 'operation cancelled: actual cost limit exceeded'])
  }
})

test('matches patterns in linear time', () => {
  const { value } = program('s.matches("^(a+)+$")', { s: stringType }).evaluate({ s: `${'a'.repeat(5000)}!` })

  assert.equal(value, false)
})

test('refuses what is nested too deeply or too long to read', () => {
  assert.match(compile(`${'('.repeat(5000)}1${')'.repeat(5000)}`, { variables: {} }).error ?? '', /expression recursion limit exceeded: 250/)
  assert.match(compile(`${'1 + '.repeat(5000)}1`, { variables: {} }).error ?? '', /expression recursion limit exceeded: 250/)
  assert.match(compile(' '.repeat(100_001), { variables: {} }).error ?? '', /expression code point size exceeds limit: size: 100001, limit 100000/)
  assert.equal(compile(`true${' || true'.repeat(5000)}`, { variables: {} }).error, undefined)
})

test('points at every problem, below the line that it is in', () => {
  assert.equal(
    compile("foo &&\n\t'ö' == bar", { variables: {} }).error,
    [
      "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')",
      ' | foo &&',
      ' | ^',
      "ERROR: <input>:2:9: undeclared reference to 'bar' (in container '')",
      " |  'ö' == bar",
      ' | ..．.....^',
    ].join('\n'),
  )
})

test('uses only the variables that it names, and says so of one that is missing', () => {
  const both = program('a > 1 || b > 1', { a: intType, b: intType, c: intType })

  assert.deepEqual([...both.uses].sort(), ['a', 'b'])
  assert.equal(both.evaluate({ a: 2 }).value, true)
  assert.equal(both.evaluate({ a: 1 }).error, 'no such attribute(s): b')
})

test('looks past an error that another operand decides', () => {
  const either = program('a / 0 == 1 || a == 1', { a: intType })

  assert.equal(either.evaluate({ a: 1 }).value, true)
  assert.equal(either.evaluate({ a: 2 }).error, 'division by zero')
})

test('keeps whole numbers exact and apart from fractions', () => {
  const type = objectType('numbers', { i: intType, d: { kind: 'double' }, any: dynType })

  assert.equal(program('self.i + 1', { self: type }).evaluate({ self: { i: 9_007_199_254_740_993n } }).value, 9_007_199_254_740_994n)
  assert.equal(program('self.d', { self: type }).evaluate({ self: { d: 2 } }).value, 2)
  assert.equal(program('type(self.any) == int', { self: type }).evaluate({ self: { any: 2 } }).value, true)
})

test('asks the authorizer that it is given', () => {
  const asked: AuthorizerAttributes[] = []
  const authorizer = authorizerValue((attributes) => {
    asked.push(attributes)
    return { allowed: attributes.verb === 'get', reason: 'because' }
  })
  const check = program(
    "authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('x').check('get').allowed() && !authorizer.serviceAccount('n', 's').path('/healthz').check('put').allowed()",
    { authorizer: authorizerType },
  )

  assert.equal(check.evaluate({ authorizer }, { budget: 1_000_000 }).value, true)
  assert.deepEqual(asked, [
    { group: 'apps', resource: 'deployments', subresource: 'scale', namespace: 'n', name: 'x', verb: 'get' },
    { serviceAccount: { namespace: 'n', name: 's' }, path: '/healthz', verb: 'put' },
  ])
  assert.equal(check.evaluate({ authorizer }, { budget: 400_000 }).exceeded, true)
})

test('makes objects where they are made to change others', () => {
  assert.match(compile('Object{}', { variables: {} }).error ?? '', /undeclared reference to 'Object'/)
  const { program: made } = compile('Object{spec: Object.spec{replicas: 3}}', { variables: {}, patches: true })

  assert.deepEqual(toJson(made?.evaluate({}).value ?? null), { spec: { replicas: 3n } })
})

test('has what JSON patches need only where they are made', () => {
  assert.match(compile("jsonpatch.escapeKey('a/b~')", { variables: {} }).error ?? '', /undeclared reference to 'jsonpatch'/)
  assert.equal(compile("jsonpatch.escapeKey('a/b~')", { variables: {}, patches: true }).program?.evaluate({}).value, 'a~1b~0')
})
