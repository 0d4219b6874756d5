import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { readWholeBody } from '@gantry/runtime'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import { compressed } from './respond.ts'

const request: HttpRequest = {
  method: 'GET',
  path: '/',
  query: '',
  headers: { 'accept-encoding': 'gzip' },
  signal: new AbortController().signal,
}
const streaming = (contentType: string): HttpResponse => ({
  status: 200,
  headers: { 'content-type': contentType },
  body: async (sink) => void sink.write(Buffer.from('line\n')),
})

describe('compression of answers', () => {
  test('compresses a list that streams', async () => {
    const answer = await compressed(request, streaming('application/json'))

    assert.equal(answer.headers['content-encoding'], 'gzip')
    assert.equal(gunzipSync(await readWholeBody(answer)).toString(), 'line\n')
  })

  test('passes a log on as it is written', async () => {
    const answer = await compressed(request, streaming('text/plain'))

    assert.equal(answer.headers['content-encoding'], undefined)
    assert.equal((await readWholeBody(answer)).toString(), 'line\n')
  })
})
