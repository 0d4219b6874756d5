import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startingAfter } from './service.ts'
import type { Service } from './service.ts'

describe('a service that starts after something', () => {
  test('is waited for by nobody, and begins when that has come', async () => {
    const { events, service } = recorded()
    const ready = Promise.withResolvers<void>()
    const running = await startingAfter(ready.promise, service).start({ signal: new AbortController().signal })
    assert.deepEqual(events, [])

    ready.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    await running[Symbol.asyncDispose]()
    await running.done

    assert.deepEqual(events, ['started', 'stopped'])
  })

  test('never begins when it is stopped before', async () => {
    const { events, service } = recorded()
    const running = await startingAfter(new Promise(() => {}), service).start({ signal: new AbortController().signal })

    await running[Symbol.asyncDispose]()
    await running.done

    assert.deepEqual(events, [])
  })

  test('ends with the error that it cannot start with', async () => {
    const cannot: Service = { name: 'broken', start: () => Promise.reject(new Error('no such socket')) }
    const running = await startingAfter(Promise.resolve(), cannot).start({ signal: new AbortController().signal })

    await assert.rejects(running.done, /no such socket/)
    await running[Symbol.asyncDispose]()
  })
})

function recorded(): { readonly events: string[]; readonly service: Service } {
  const events: string[] = []
  return {
    events,
    service: {
      name: 'recorded',
      start: () => {
        events.push('started')
        const stopped = Promise.withResolvers<void>()
        return Promise.resolve({
          done: stopped.promise,
          [Symbol.asyncDispose]: () => {
            events.push('stopped')
            stopped.resolve()
            return Promise.resolve()
          },
        })
      },
    },
  }
}
