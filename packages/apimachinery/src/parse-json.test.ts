import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { maxJsonDepth, parseJson } from './parse-json.ts'
import { StatusError } from './status.ts'

function messageOf(text: string): string {
  try {
    parseJson(Buffer.from(text))
  } catch (error) {
    assert.ok(error instanceof StatusError)
    assert.equal(error.reason, 'BadRequest')
    return error.message
  }
  return 'no error'
}

describe('parseJson', () => {
  it('gives the value, the last of two equal keys', () => {
    assert.deepEqual(parseJson(Buffer.from('{"a":1,"b":[true,null,"x"],"a":2}')).value, { a: 2, b: [true, null, 'x'] })
  })

  it('names duplicate keys by their path, each once', () => {
    const text = '{"data":{"a":1,"a":2,"a":3},"spec":{"containers":[{"name":"x"},{"name":"y","name":"z"}]},"data":{}}'
    assert.deepEqual(parseJson(Buffer.from(text), { duplicates: true }).duplicates, ['data.a', 'spec.containers[1].name', 'data'])
  })

  it('finds duplicates behind escapes and colons in strings', () => {
    const text = '{"a:\\"b\\\\":"c:d","a":{"x\\u0079":1,"xy":2}}'
    assert.deepEqual(parseJson(Buffer.from(text), { duplicates: true }).duplicates, ['a.xy'])
  })

  it('reports no duplicates where there are none or nobody asked', () => {
    assert.deepEqual(parseJson(Buffer.from('{"a":{"b":[{"c":1},{"c":1}]},"c":":"}'), { duplicates: true }).duplicates, [])
    assert.deepEqual(parseJson(Buffer.from('{"a":1,"a":2}')).duplicates, [])
  })

  it('says what is wrong in the words of Go', () => {
    const messages: Record<string, string> = {
      '': 'unexpected end of JSON input',
      '{"a":}': "invalid character '}' looking for beginning of value",
      '{"a" 1}': "invalid character '1' after object key",
      '{"a":1 "b"}': `invalid character '"' after object key:value pair`,
      '[1 2]': "invalid character '2' after array element",
      '{a:1}': "invalid character 'a' looking for beginning of object key string",
      '{"a":tru}': "invalid character '}' in literal true (expecting 'e')",
      '1.x': "invalid character 'x' after decimal point in numeric literal",
      '-x': "invalid character 'x' in numeric literal",
      '1e': 'unexpected end of JSON input',
      '01': "invalid character '1' after top-level value",
      '"a\n"': "invalid character '\\n' in string literal",
      '"\\x"': "invalid character 'x' in string escape code",
      '"\\u00g0"': "invalid character 'g' in \\u hexadecimal character escape",
      "'a'": "invalid character '\\'' looking for beginning of value",
    }
    for (const [text, message] of Object.entries(messages)) assert.equal(messageOf(text), message, text)
  })

  it('refuses deep nesting before anything recurses', () => {
    assert.equal(messageOf('['.repeat(maxJsonDepth + 1)), 'exceeded max depth')
    assert.equal(messageOf(`${'{"a":'.repeat(maxJsonDepth + 1)}1${'}'.repeat(maxJsonDepth + 1)}`), 'exceeded max depth')
    assert.equal(messageOf(`${'['.repeat(maxJsonDepth)}${']'.repeat(maxJsonDepth)}`), 'no error')
  })
})
