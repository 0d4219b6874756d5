import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFieldSelector, restrictFieldSelector } from './field-selector.ts'

function getter(fields: Readonly<Record<string, string>>): (field: string) => string {
  return (field) => fields[field] ?? ''
}

test('all terms must hold, an absent field is empty', () => {
  const selector = parseFieldSelector('status.phase!=Failed,status.phase!=Succeeded,spec.nodeName==')

  assert.equal(selector.matches(getter({ 'status.phase': 'Running' })), true)
  assert.equal(selector.matches(getter({ 'status.phase': 'Failed' })), false)
  assert.equal(selector.matches(getter({ 'spec.nodeName': 'n' })), false)
})

test('escaped commas and equal signs belong to the value', () => {
  const selector = parseFieldSelector(String.raw`a=x\,y\=z\\`)

  assert.equal(selector.matches(getter({ a: 'x,y=z\\' })), true)
  assert.equal(selector.toString(), String.raw`a=x\,y\=z\\`)
})

test('knows the name it asks for', () => {
  assert.equal(parseFieldSelector('metadata.namespace=b,metadata.name=a').requiresExactMatch('metadata.name'), 'a')
  assert.equal(parseFieldSelector('metadata.name!=a').requiresExactMatch('metadata.name'), undefined)
})

const refused: readonly (readonly [selector: string, message: string])[] = [
  ['x', "invalid selector: 'x'; can't understand 'x'"],
  ['a=b,y', "invalid selector: 'a=b,y'; can't understand 'y'"],
  [String.raw`a=\b`, String.raw`invalid field selector: invalid escape sequence: \b`],
  ['a=b=c', 'invalid field selector: unescaped character in value: 61'],
]

for (const [selector, message] of refused) {
  test(`refuses ${JSON.stringify(selector)} with upstream's text`, () => {
    assert.throws(() => parseFieldSelector(selector), { reason: 'BadRequest', message })
  })
}

test('resolves old names and names what a kind cannot be selected by', () => {
  const fields = new Set(['metadata.name', 'spec.nodeName'])
  const aliases = new Map([['spec.host', 'spec.nodeName']])

  assert.equal(restrictFieldSelector(parseFieldSelector('spec.host=a'), { fields, aliases, ownList: true }).toString(), 'spec.nodeName=a')
  assert.throws(() => restrictFieldSelector(parseFieldSelector('spec.foo=a'), { fields, ownList: true }), { message: 'field label not supported: spec.foo' })
  assert.throws(() => restrictFieldSelector(parseFieldSelector('data.k=a'), { fields, ownList: false }), {
    message: '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"',
  })
})
