import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock } from '@gantry/runtime/testing'
import { OutputFilter } from '../cli/output-filter.ts'
import { replay } from '../cli/replay.ts'
import { never } from './scratch.ts'

const lines = (...values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('')
const header = { version: 2, width: 80, height: 24 }

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array, void> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve()
    yield bytes.subarray(at, at + size)
  }
}

describe('a replay', () => {
  test('prints in time, as fast as asked, and waits no longer than the limit', async () => {
    const clock = new FakeClock()
    const printed: [number, string][] = []
    const cast = lines(header, [1, 'o', 'a'], [2, 'r', '90x30'], [3, 'o', 'b'], [100, 'o', 'c'], [100.5, 'm', 'exit code 3'])
    const playing = replay({ clock, print: (text) => Promise.resolve(void printed.push([clock.monotonicMs(), text])) }, inPieces(cast, 7), {
      speed: 2,
      idleLimitMs: 5_000,
      signal: never,
    })
    for (let step = 0; step < 100; step++) await clock.advance(250)
    await playing

    assert.deepEqual(printed.slice(0, 3), [
      [500, 'a'],
      [1_500, 'b'],
      [6_500, 'c'],
    ])
    assert.deepEqual(printed[3]?.[0], 6_750)
    assert.match(printed[3]?.[1] ?? '', /\[exit code 3\]/)
  })

  test('plays a recording whose last line is half written, and refuses what is none', async () => {
    const clock = new FakeClock()
    let printed = ''
    const print = (text: string): Promise<void> => Promise.resolve(void (printed += text))
    await replay({ clock, print }, inPieces(`${lines(header, [0, 'o', 'a'])}[1,"o","b`, 5), { speed: 1, idleLimitMs: 1, signal: never })

    assert.ok(printed.startsWith('a'))
    await assert.rejects(replay({ clock, print }, inPieces('<html>', 3), { speed: 1, idleLimitMs: 1, signal: never }), /no asciicast v2/)
  })
})

describe('what a recording may do to the terminal that replays it', () => {
  for (const [name, text, expected] of [
    [
      'colours, moves and the cursor shape pass',
      '\u001b[1;31mred\u001b[0m\u001b[2J\u001b[5;10H\u001b[4 q',
      '\u001b[1;31mred\u001b[0m\u001b[2J\u001b[5;10H\u001b[4 q',
    ],
    ['titles are taken out', 'a\u001b]0;title\u0007b', 'ab'],
    ['the clipboard is not written', 'a\u001b]52;c;ZXZpbA==\u001b\\b', 'ab'],
    ['the terminal is not made to answer', 'a\u001b[6n\u001b[c\u001b[>c\u001b[21t\u001bZb', 'ab'],
    ['device strings are taken out', 'a\u001bP$q"p\u001b\\\u001b_x\u001b\\\u001b^y\u001b\\b', 'ab'],
    ['and so are they in eight bits', 'a\u009d52;c;x\u009cb\u0090q\u009cc\u009b6nd', 'abcd'],
  ] as const) {
    test(`${name}, wherever it is cut`, () => {
      for (let size = 1; size <= text.length; size++) {
        const filter = new OutputFilter()
        let shown = ''
        for (let at = 0; at < text.length; at += size) shown += filter.pass(text.slice(at, at + size))
        assert.equal(shown, expected)
      }
    })
  }
})
