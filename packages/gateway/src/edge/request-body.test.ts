import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { BodyTooLarge } from '@gantry/runtime'
import { bodyOfSocket } from './request-body.ts'

describe('bodyOfSocket', () => {
  it('gives the bytes of a body that comes in pieces', async () => {
    const socket = new PassThrough()
    const bytes = bodyOfSocket(socket, undefined).bytes(10)
    socket.write('ab')
    socket.end('cd')
    assert.equal((await bytes).toString(), 'abcd')
  })

  it('refuses a body over the limit, told or counted', async () => {
    await assert.rejects(bodyOfSocket(new PassThrough(), '4').bytes(3), BodyTooLarge)
    const socket = new PassThrough()
    socket.end('abcd')
    await assert.rejects(bodyOfSocket(socket, undefined).bytes(3), BodyTooLarge)
  })

  it('says that the client closed the connection in the middle of a body', async () => {
    const socket = new PassThrough()
    const bytes = bodyOfSocket(socket, '4').bytes(10)
    socket.write('ab')
    socket.destroy()
    await assert.rejects(bytes, /closed the connection before its request was complete/)
  })

  it('says so too when the client had closed it before the body was asked for', async () => {
    const socket = new PassThrough()
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    socket.once('close', resolve)
    socket.destroy()
    await closed
    await assert.rejects(bodyOfSocket(socket, '4').bytes(10), /closed the connection before its request was complete/)
  })
})
