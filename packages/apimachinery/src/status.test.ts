import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError, unlessGone, unlessThere } from './status.ts'

const failed = (reason: 'NotFound' | 'AlreadyExists' | 'Forbidden'): Promise<never> => Promise.reject(new StatusError(reason, 'why'))

test('unlessGone gives what is there, undefined for NotFound, and throws the rest', async () => {
  assert.equal(await unlessGone(Promise.resolve('it')), 'it')
  assert.equal(await unlessGone(failed('NotFound')), undefined)
  await assert.rejects(unlessGone(failed('AlreadyExists')), { reason: 'AlreadyExists' })
  await assert.rejects(unlessGone(Promise.reject(new Error('NotFound'))), { message: 'NotFound' })
})

test('unlessThere gives what was made, undefined for AlreadyExists, and throws the rest', async () => {
  assert.equal(await unlessThere(Promise.resolve('it')), 'it')
  assert.equal(await unlessThere(failed('AlreadyExists')), undefined)
  await assert.rejects(unlessThere(failed('NotFound')), { reason: 'NotFound' })
  await assert.rejects(unlessThere(failed('Forbidden')), { reason: 'Forbidden' })
})
