import assert from 'node:assert/strict'
import { duplexPair } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { pipeUpgrade } from './pipe-upgrade.ts'

describe('pipeUpgrade', () => {
  test('carries bytes both ways and passes each end on by itself', async () => {
    const [client, near] = duplexPair()
    const [far, upstream] = duplexPair()
    const piped = pipeUpgrade(near, far)

    client.end('request')
    const request = await text(upstream)
    upstream.end('answer after the half-close')

    assert.equal(request, 'request')
    assert.equal(await text(client), 'answer after the half-close')
    await piped
  })

  test('stops reading what the other side cannot take', async () => {
    const [client, near] = duplexPair()
    const [far, upstream] = duplexPair()
    const piped = pipeUpgrade(near, far)
    const chunk = Buffer.alloc(64 << 10)
    let taken = 0
    for (let i = 0; i < 200; i++) client.write(chunk, () => taken++)
    client.end()

    await settle()
    const before = taken
    const received = await buffer(upstream)
    upstream.end()
    client.resume()
    await piped

    assert.ok(before < 20, `${before} chunks were taken`)
    assert.equal(received.length, 200 * chunk.length)
  })

  test('destroys one side when the other breaks, and tells why', async () => {
    const [, near] = duplexPair()
    const [far, upstream] = duplexPair()
    const piped = assert.rejects(pipeUpgrade(near, far), /cable pulled/)

    far.destroy(new Error('cable pulled'))

    await piped
    assert.equal(near.destroyed, true)
    await settle()
    assert.equal(upstream.readableEnded || upstream.destroyed || upstream.readableFlowing === null, true)
  })

  test('ends an idle conversation, and not one that speaks in one direction only', async () => {
    const clock = new FakeClock()
    const [client, near] = duplexPair()
    const [far, upstream] = duplexPair()
    upstream.resume()
    client.resume()
    const piped = assert.rejects(pipeUpgrade(near, far, { clock, idleTimeoutMs: 60_000 }), /nothing was sent in either direction for 60 s/)

    for (let i = 0; i < 5; i++) {
      await clock.advance(50_000)
      client.write('x')
      await settle()
    }
    assert.equal(near.destroyed, false)
    await clock.advance(60_000)

    await piped
    assert.equal(clock.pending, 0)
  })

  test('ends when it is called off, also before it began', async () => {
    const calledOff = new AbortController()
    const [, near] = duplexPair()
    const [far] = duplexPair()
    const piped = assert.rejects(pipeUpgrade(near, far, { signal: calledOff.signal }), /enough/)

    calledOff.abort(new Error('enough'))

    await piped
    const [, late] = duplexPair()
    const [later] = duplexPair()
    await assert.rejects(pipeUpgrade(late, later, { signal: calledOff.signal }), /enough/)
  })
})
