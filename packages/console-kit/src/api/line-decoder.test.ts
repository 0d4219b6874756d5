import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeLineBatches, decodeLines } from './line-decoder.ts'

function streamOf(...chunks: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
      controller.close()
    },
  })
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

test('joins lines that are cut anywhere, letters included', async () => {
  const bytes = new TextEncoder().encode('{"名":1}\n')
  assert.deepEqual(await all(decodeLines(streamOf(bytes.slice(0, 3), bytes.slice(3), 'b\r\nlast'))), ['{"名":1}', 'b', 'last'])
})

test('hands over the lines of one packet together', async () => {
  assert.deepEqual(await all(decodeLineBatches(streamOf('a\nb\nc', 'd\n'))), [['a', 'b'], ['cd']])
})

test('cancels the stream when the reader stops early', async () => {
  let isCancelled = false
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('a\n')),
    cancel: () => {
      isCancelled = true
    },
  })
  for await (const line of decodeLines(stream)) {
    assert.equal(line, 'a')
    break
  }
  assert.equal(isCancelled, true)
})
