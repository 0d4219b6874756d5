import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufWriter } from './protobuf-writer.ts'

// What is written when the buffer has to grow must land in the new buffer: every kind of value is tried at every fill level around a doubling.
test('a writer grows under every kind of value', () => {
  for (let filled = 1000; filled < 1040; filled++) {
    for (const write of [
      (writer: ProtobufWriter) => writer.bytes(1, Buffer.alloc(100, 7)),
      (writer: ProtobufWriter) => writer.string(1, 'x'.repeat(100)),
      (writer: ProtobufWriter) => writer.double(1, 1.5),
      (writer: ProtobufWriter) => writer.bool(1, true),
      (writer: ProtobufWriter) => writer.int(1, 300),
      (writer: ProtobufWriter) => writer.int(1, -1),
    ]) {
      const alone = new ProtobufWriter()
      write(alone)
      const writer = new ProtobufWriter()
      writer.bytes(2, Buffer.alloc(filled - 4, 1))
      const before = writer.finish()

      write(writer)

      assert.ok(writer.finish().equals(Buffer.concat([alone.finish(), before])))
    }
  }
})
