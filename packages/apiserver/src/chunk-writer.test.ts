import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TurnBudget } from '@gantry/runtime'
import type { ByteSink } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { ChunkWriter, chunkBytes } from './chunk-writer.ts'

function lendingSink(): { readonly sink: ByteSink; readonly lent: { readonly bytes: Uint8Array; readonly giveBack: () => void }[] } {
  const lent: { readonly bytes: Uint8Array; readonly giveBack: () => void }[] = []
  const sink: ByteSink = {
    write: () => assert.fail('bytes are lent'),
    lend(bytes) {
      const { promise, resolve } = Promise.withResolvers<void>()
      lent.push({ bytes, giveBack: resolve })
      return promise
    },
    drained: () => Promise.resolve(),
    bufferedBytes: 0,
    signal: new AbortController().signal,
  }
  return { sink, lent }
}

const turns = new TurnBudget({ clock: new FakeClock() })
const chunkOf = (letter: string): Uint8Array[] => [Buffer.alloc(chunkBytes / 2, letter), Buffer.alloc(chunkBytes / 2, letter)]

test('a lent buffer is filled again only after it was given back, and a slow reader holds the writer', async () => {
  const { sink, lent } = lendingSink()
  const writer = new ChunkWriter(sink, turns)
  for (const letter of 'abcd') await writer.write(chunkOf(letter))
  const fifth = writer.write(chunkOf('e'))
  assert.deepEqual(
    lent.map(({ bytes }) => Buffer.from(bytes).toString('latin1', 0, 1)),
    ['a', 'b', 'c', 'd'],
  )

  lent[0]!.giveBack()
  await fifth
  assert.equal(lent[4]!.bytes.buffer, lent[0]!.bytes.buffer)
  assert.ok(lent.slice(1).every(({ bytes }, at) => bytes.every((byte) => byte === 'bcde'.charCodeAt(at))))
  for (const { giveBack } of lent) giveBack()
  await writer[Symbol.asyncDispose]()
})

test('parts beyond a buffer, and sinks whose readers keep what they get, have bytes of their own', async () => {
  const { sink } = lendingSink()
  const kept: Uint8Array[] = []
  const keeping: ByteSink = { ...sink, write: (bytes) => kept.push(bytes as Uint8Array) > 0 }
  await new ChunkWriter(keeping, turns).write([Buffer.alloc(3 * chunkBytes, 'x')])
  const readers = new ChunkWriter({ ...keeping, lend: undefined }, turns)
  await readers.write(chunkOf('a'))
  await readers.write(chunkOf('b'))

  assert.equal(kept[0]!.length, 3 * chunkBytes)
  assert.deepEqual(
    kept.slice(1).map((bytes) => bytes[0]),
    ['a'.charCodeAt(0), 'b'.charCodeAt(0)],
  )
})
