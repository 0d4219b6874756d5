import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StoreOptions } from '../mvcc-store.ts'
import { Compacted, FutureRevision, RevisionConflict, StoreUnavailable } from '../store.ts'
import type { Store, StoreEvent } from '../store.ts'

/** What every store does, whatever makes it durable. `open` gives a new, empty store. */
export function describeStore(name: string, open: (options?: StoreOptions) => Promise<Store>): void {
  describe(name, () => {
    test('starts empty at revision 1', async () => {
      await using store = await open()

      assert.equal(store.revision, 1)
      assert.equal(store.compactedRevision, 1)
      assert.deepEqual(store.list({ prefix: '' }), { entries: [], revision: 1, remaining: 0 })
    })

    test('gives every write the next revision and hands it to encode', async () => {
      await using store = await open()

      const first = await store.put('/a', 0, (revision) => Buffer.from(`at ${revision}`))
      const second = await store.put('/b', 0, (revision) => Buffer.from(`at ${revision}`))

      assert.deepEqual([first.revision, first.value.toString()], [2, 'at 2'])
      assert.deepEqual([second.revision, second.value.toString()], [3, 'at 3'])
      assert.equal(store.revision, 3)
      assert.equal(store.get('/b'), second)
    })

    test('shows a write to readers only once it is durable, to writers at once', async () => {
      await using store = await open()

      const writing = store.put('/a', 0, bytes('new'))

      assert.equal(store.get('/a'), undefined)
      assert.equal(store.count(''), 0)
      assert.equal(store.latest('/a')?.value.toString(), 'new')
      await writing
      assert.equal(store.get('/a')?.value.toString(), 'new')
    })

    test('lets a write build on one that is still on its way', async () => {
      await using store = await open()

      const first = store.put('/a', 0, bytes('1'))
      const second = store.put('/a', store.latest('/a')!.revision, bytes('2'))
      const gone = store.delete('/a', store.latest('/a')!.revision, bytes('3'))
      const again = store.put('/a', 0, bytes('4'))
      await Promise.all([first, second, gone, again])

      assert.equal(store.get('/a')?.value.toString(), '4')
      assert.equal(store.revision, 5)
    })

    test('throws at once when the newest state is not the expected one', async () => {
      await using store = await open()
      const entry = await store.put('/a', 0, bytes('1'))
      const encode = () => assert.fail('must not be called')

      for (const attempt of [
        () => store.put('/a', 0, encode),
        () => store.put('/a', entry.revision + 1, encode),
        () => store.put('/b', 7, encode),
        () => store.delete('/a', 0, encode),
        () => store.delete('/b', 0, encode),
      ]) {
        assert.throws(attempt, RevisionConflict)
      }
      assert.equal(store.revision, entry.revision)
    })

    test('leaves the key alone when encode throws', async () => {
      await using store = await open()

      assert.throws(
        () =>
          store.put('/a', 0, () => {
            throw new Error('no such thing')
          }),
        /no such thing/,
      )

      assert.equal(store.latest('/a'), undefined)
      await store.put('/a', 0, bytes('1'))
    })

    test('deletes with a last state that watchers get', async () => {
      await using store = await open()
      const events = collect(store, '/')
      await store.put('/a', 0, bytes('alive'))

      const deleted = await store.delete('/a', store.latest('/a')!.revision, (revision) => Buffer.from(`gone at ${revision}`))

      assert.equal(store.get('/a'), undefined)
      assert.equal(store.count('/'), 0)
      assert.equal(deleted.value.toString(), 'gone at 3')
      assert.deepEqual(events.map(summary), ['put 2 /a alive <- none', 'delete 3 /a gone at 3 <- alive'])
    })

    test('lists a prefix in order of the keys, in pages', async () => {
      await using store = await open()
      for (const key of ['/p/c', '/p/a', '/q/a', '/p/b', '/p', '/p0']) await store.put(key, 0, bytes(key))

      const whole = store.list({ prefix: '/p/' })
      const first = store.list({ prefix: '/p/', limit: 2 })
      const second = store.list({ prefix: '/p/', limit: 2, after: '/p/b' })
      const afterMissing = store.list({ prefix: '/p/', after: '/p/aa' })

      assert.deepEqual(keys(whole), ['/p/a', '/p/b', '/p/c'])
      assert.deepEqual([keys(first), first.remaining], [['/p/a', '/p/b'], 1])
      assert.deepEqual([keys(second), second.remaining], [['/p/c'], 0])
      assert.deepEqual(keys(afterMissing), ['/p/b', '/p/c'])
      assert.equal(store.count('/p/'), 3)
      assert.equal(store.count('/p'), 5)
      assert.equal(store.count('/x'), 0)
    })

    test('lists exactly as of an older revision', async () => {
      await using store = await open()
      await store.put('/a', 0, bytes('a1')) // 2
      await store.put('/b', 0, bytes('b1')) // 3
      await store.put('/a', 2, bytes('a2')) // 4
      await store.delete('/b', 3, bytes('b2')) // 5
      await store.put('/c', 0, bytes('c1')) // 6

      assert.deepEqual(values(store.list({ prefix: '/', revision: 1 })), [])
      assert.deepEqual(values(store.list({ prefix: '/', revision: 3 })), ['a1', 'b1'])
      assert.deepEqual(values(store.list({ prefix: '/', revision: 4 })), ['a2', 'b1'])
      assert.deepEqual(values(store.list({ prefix: '/', revision: 5 })), ['a2'])
      assert.deepEqual(values(store.list({ prefix: '/', revision: 6 })), ['a2', 'c1'])
      const page = store.list({ prefix: '/', revision: 4, limit: 1 })
      assert.deepEqual([values(page), page.remaining, page.revision], [['a2'], 1, 4])
      assert.deepEqual(values(store.list({ prefix: '/', revision: 4, limit: 1, after: '/a' })), ['b1'])
    })

    test('refuses to list the future and what it has compacted', async () => {
      await using store = await open({ historyLimitEvents: 2 })
      for (const key of ['/a', '/b', '/c']) await store.put(key, 0, bytes(key))

      assert.equal(store.compactedRevision, 2)
      assert.deepEqual(values(store.list({ prefix: '/', revision: 2 })), ['/a'])
      assert.throws(() => store.list({ prefix: '/', revision: 1 }), Compacted)
      assert.throws(() => store.list({ prefix: '/', revision: 5 }), FutureRevision)
      assert.throws(() => store.watch({ prefix: '/', after: 1 }, () => {}), Compacted)
    })

    test('bounds its history by bytes', async () => {
      await using store = await open({ historyLimitBytes: 10_000 })
      await store.put('/a', 0, () => Buffer.alloc(4_000))
      for (let i = 0; i < 10; i++) await store.put('/a', store.latest('/a')!.revision, () => Buffer.alloc(4_000))

      assert.equal(store.compactedRevision, store.revision - 2)
    })

    test('replays the history to a watch before it returns, then goes on without gaps or repeats', async () => {
      await using store = await open()
      await store.put('/a', 0, bytes('1'))
      await store.put('/b', 0, bytes('2'))
      const writing = store.put('/c', 0, bytes('3'))

      const events = collect(store, '/', 2)

      assert.deepEqual(events.map(summary), ['put 3 /b 2 <- none'])
      await writing
      await store.put('/d', 0, bytes('4'))
      assert.deepEqual(
        events.map((event) => event.revision),
        [3, 4, 5],
      )
    })

    test('tells a watch that asked for the future only what comes after it', async () => {
      await using store = await open()
      const events = collect(store, '/', 3)

      await Promise.all(['/a', '/b', '/c', '/d'].map((key) => store.put(key, 0, bytes(key))))

      assert.deepEqual(
        events.map((event) => event.revision),
        [4, 5],
      )
    })

    test('tells each watch about its own prefix', async () => {
      await using store = await open()
      const seen = ['', '/', '/pods/', '/pods/web/', '/pods/web/a', '/pods/we', '/secrets/', '/pods/web/a/longer'].map((prefix) => ({
        prefix,
        events: collect(store, prefix),
      }))

      await store.put('/pods/web/a', 0, bytes('1'))
      await store.put('/pods/web/ab', 0, bytes('2'))
      await store.put('/pods/db/a', 0, bytes('3'))
      await store.put('/secrets/web/a', 0, bytes('4'))
      await store.put('plain', 0, bytes('5'))

      assert.deepEqual(Object.fromEntries(seen.map(({ prefix, events }) => [prefix, events.map((event) => event.entry.value.toString()).join('')])), {
        '': '12345',
        '/': '1234',
        '/pods/': '123',
        '/pods/web/': '12',
        '/pods/web/a': '12',
        '/pods/we': '12',
        '/secrets/': '4',
        '/pods/web/a/longer': '',
      })
    })

    test('ends a watch when its function is called, also by another watcher', async () => {
      await using store = await open()
      const events: StoreEvent[] = []
      const stops: (() => void)[] = []
      stops.push(store.watch({ prefix: '/', after: 1 }, () => stops[1]!()))
      stops.push(store.watch({ prefix: '/', after: 1 }, (news) => events.push(...news)))

      await store.put('/a', 0, bytes('1'))

      assert.deepEqual(events, [])
      for (const stop of stops) stop()
    })

    test('lets a watcher open another watch without repeats', async () => {
      await using store = await open()
      const inner: StoreEvent[] = []
      let isOpen = false
      store.watch({ prefix: '/', after: 1 }, () => {
        if (!isOpen) store.watch({ prefix: '/', after: 1 }, (news) => inner.push(...news))
        isOpen = true
      })

      await store.put('/a', 0, bytes('1'))
      await store.put('/b', 0, bytes('2'))

      assert.deepEqual(inner.map(summary), ['put 2 /a 1 <- none', 'put 3 /b 2 <- none'])
    })

    test('shows a watcher the state of its events, before the writer is answered', async () => {
      await using store = await open()
      const order: string[] = []
      store.watch({ prefix: '/', after: 1 }, (events) => {
        for (const event of events) order.push(`event ${event.revision}, store at ${store.revision}, key ${store.get(event.entry.key)?.revision}`)
      })

      await Promise.all(['/a', '/b'].map((key) => store.put(key, 0, bytes(key)).then((entry) => order.push(`answer ${entry.revision}`))))

      assert.deepEqual(order, ['event 2, store at 3, key 2', 'event 3, store at 3, key 3', 'answer 2', 'answer 3'])
    })

    test('keeps a failing watcher from the others and from the writer', async () => {
      await using store = await open()
      store.watch({ prefix: '/', after: 1 }, () => {
        throw new Error('a bug of the watcher')
      })
      const events = collect(store, '/')

      await store.put('/a', 0, bytes('1'))

      assert.equal(events.length, 1)
    })

    test('keeps what the layer above derived with the entry', async () => {
      await using store = await open()
      const entry = await store.put('/a', 0, bytes('1'))

      entry.derived = { parsed: true }

      assert.deepEqual(store.get('/a')?.derived, { parsed: true })
      assert.deepEqual(store.list({ prefix: '/' }).entries[0]?.derived, { parsed: true })
    })

    test('resolves reached once the revision is there, rejects when called off', async () => {
      await using store = await open()
      const calledOff = new AbortController()
      const reached = store.reached(3, new AbortController().signal)
      const never = store.reached(99, calledOff.signal)

      await Promise.all(['/a', '/b', '/c'].map((key) => store.put(key, 0, bytes(key))))
      await reached
      await store.reached(4, calledOff.signal)
      calledOff.abort(new Error('enough'))

      await assert.rejects(never, /enough/)
      await assert.rejects(store.reached(99, calledOff.signal), /enough/)
    })

    test('rejects further writes when too many are waiting', async () => {
      await using store = await open({ queueLimitWrites: 2 })
      const accepted = [store.put('/a', 0, bytes('1')), store.put('/b', 0, bytes('2'))]

      await assert.rejects(store.put('/c', 0, bytes('3')), StoreUnavailable)

      assert.equal(store.latest('/c'), undefined)
      await Promise.all(accepted)
      await store.put('/c', 0, bytes('3'))
    })

    test('splits many writes into batches that keep their order', async () => {
      await using store = await open({ batchLimitWrites: 3, batchLimitBytes: 20 })
      const events = collect(store, '/')

      await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(`/k${i}`, 0, () => Buffer.alloc(i))))

      assert.deepEqual(
        events.map((event) => event.revision),
        Array.from({ length: 20 }, (_, i) => i + 2),
      )
      assert.deepEqual(
        store.list({ prefix: '/' }).entries.map((entry) => `/k${entry.value.length}`),
        keys(store.list({ prefix: '/' })),
      )
    })

    test('keeps empty values, large values and keys of any alphabet', async () => {
      await using store = await open()
      const large = Buffer.alloc(3 << 20, 'x')

      await store.put('/empty', 0, () => Buffer.alloc(0))
      await store.put('/large', 0, () => large)
      await store.put('/ключ/名', 0, bytes('v'))

      assert.equal(store.get('/empty')?.value.length, 0)
      assert.ok(store.get('/large')?.value.equals(large))
      assert.equal(store.count('/ключ/'), 1)
      assert.throws(() => store.put('/\u{1f600}', 0, bytes('v')), TypeError)
    })

    test('finishes accepted writes when it is closed and refuses later ones', async () => {
      const store = await open()
      const accepted = store.put('/a', 0, bytes('1'))
      const waiting = store.reached(99, new AbortController().signal)
      const refused = assert.rejects(waiting, StoreUnavailable)

      await store[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()

      assert.equal((await accepted).revision, 2)
      await refused
      await assert.rejects(store.put('/b', 0, bytes('2')), StoreUnavailable)
      assert.throws(() => store.watch({ prefix: '/', after: 2 }, () => {}), StoreUnavailable)
    })
  })
}

function bytes(text: string): () => Buffer {
  return () => Buffer.from(text)
}

function keys(listing: ReturnType<Store['list']>): string[] {
  return listing.entries.map((entry) => entry.key)
}

function values(listing: ReturnType<Store['list']>): string[] {
  return listing.entries.map((entry) => entry.value.toString())
}

function collect(store: Store, prefix: string, after = store.revision): StoreEvent[] {
  const events: StoreEvent[] = []
  store.watch({ prefix, after }, (news) => events.push(...news))
  return events
}

function summary({ type, revision, entry, previous }: StoreEvent): string {
  return `${type} ${revision} ${entry.key} ${entry.value.toString()} <- ${previous?.value.toString() ?? 'none'}`
}
