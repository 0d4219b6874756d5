import assert from 'node:assert/strict'
import { Duplex, PassThrough } from 'node:stream'
import { test } from 'node:test'
import { settle } from '@gantry/runtime/testing'
import { join } from './join.ts'

/** A side whose writes are taken one at a time, when the test says so. */
function slowSide(): { readonly side: Duplex; readonly taken: Buffer[]; takeOne(): boolean } {
  const taken: Buffer[] = []
  let pending: { readonly chunk: Buffer; readonly done: () => void } | undefined
  const side = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      pending = { chunk, done }
    },
  })
  return {
    side,
    taken,
    takeOne() {
      const next = pending
      pending = undefined
      if (next === undefined) return false
      taken.push(next.chunk)
      next.done()
      return true
    },
  }
}

test('what a side said before it closed in order still goes out on the other', async () => {
  const said = new PassThrough()
  const slow = slowSide()
  const joined = join(Duplex.from({ readable: said, writable: new PassThrough().resume() }), slow.side)
  slow.side.push(null) // half-closed: the first side closes as soon as it has said all

  said.write('first ')
  said.write('second ')
  said.end('last')
  await settle()
  assert.equal(slow.side.destroyed, false)
  while (slow.takeOne()) await settle()
  const failure = await joined

  assert.equal(Buffer.concat(slow.taken).toString(), 'first second last')
  assert.equal(failure, undefined)
})

test('a side that breaks takes the other down at once', async () => {
  const a = new PassThrough()
  const slow = slowSide()
  const joined = join(a, slow.side)
  a.write('half a')
  await settle()

  a.destroy(new Error('reset by peer'))
  const failure = await joined

  assert.equal(failure?.message, 'reset by peer')
  assert.equal(slow.side.destroyed, true)
})
