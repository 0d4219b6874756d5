import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countUntil, parseCast, sizeOf } from './cast.ts'

const text = '{"version":2,"width":100,"height":30}\n[1,"o","a"]\n[61,"o","b"]\n[61.5,"r","90x20"]\n[62,"o","'

test('a recording is read up to its torn end, with pauses cut short', () => {
  assert.deepEqual(parseCast(text), {
    width: 100,
    height: 30,
    events: [
      [1, 'o', 'a'],
      [3, 'o', 'b'],
      [3.5, 'r', '90x20'],
    ],
    seconds: 3.5,
  })
  assert.equal(parseCast('<html>'), undefined)
})

test('knows what has happened at a time', () => {
  const cast = parseCast(text)
  assert.ok(cast !== undefined)

  assert.deepEqual(
    [0, 1, 2.9, 3, 99].map((seconds) => countUntil(cast, seconds)),
    [0, 1, 1, 2, 3],
  )
})

test('reads sizes, and only those', () => {
  assert.deepEqual(sizeOf('90x20'), { columns: 90, rows: 20 })
  for (const wrong of ['', '0x1', '99999x1', 'x', '1x2x3']) assert.equal(sizeOf(wrong), undefined)
})
