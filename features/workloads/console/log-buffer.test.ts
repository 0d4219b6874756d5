import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogBuffer, maxLogChars, maxLogLines, splitTimestamp, withoutAnsi } from './log-buffer.ts'
import { matchingLines, splitMatches } from './log-search.ts'

test('keeps the newest lines, counts the ones it dropped and never renumbers', () => {
  const buffer = new LogBuffer()
  const total = maxLogLines * 2 + 17
  for (let from = 0; from < total; from += 1_000) buffer.append(Array.from({ length: Math.min(1_000, total - from) }, (_, index) => `line ${from + index + 1}`))
  const lines = buffer.lines()
  assert.equal(lines.length, maxLogLines)
  assert.equal(buffer.dropped, total - maxLogLines)
  assert.deepEqual([lines.at(-1)?.number, lines.at(-1)?.text], [total, `line ${total}`])
  assert.equal(lines[0]?.number, total - maxLogLines + 1)
})

test('is bounded in characters too', () => {
  const buffer = new LogBuffer()
  const long = 'x'.repeat(1024 * 1024)
  for (let index = 0; index < 20; index++) buffer.append([long])
  assert.equal(buffer.lines().reduce((sum, line) => sum + line.text.length, 0) <= maxLogChars, true)
})

test('takes the time off a line and remembers the newest', () => {
  assert.deepEqual(splitTimestamp('2026-01-02T03:04:05.678901234Z hello  world'), { time: '2026-01-02T03:04:05.678901234Z', text: 'hello  world' })
  assert.deepEqual(splitTimestamp('no time here'), { time: undefined, text: 'no time here' })
  const buffer = new LogBuffer()
  buffer.append(['2026-01-02T03:04:05Z a', '2026-01-02T03:04:06Z b'])
  assert.equal(buffer.lastTime, '2026-01-02T03:04:06Z')
})

test('strips terminal colors', () => assert.equal(withoutAnsi('\u001b[33mWARN\u001b[0m slow'), 'WARN slow'))

test('finds and marks every match whatever its case', () => {
  const lines = ['GET /a', 'post /b', 'get /c'].map((text, index) => ({ number: index + 1, text, time: undefined }))
  assert.deepEqual(matchingLines(lines, 'get'), [0, 2])
  assert.deepEqual(splitMatches('Get get', 'GET'), ['', 'Get', ' ', 'get', ''])
  assert.deepEqual(splitMatches('abc', ''), ['abc'])
})
