import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { KubeClient, KubeObject, WatchEvent } from '@gantry/client'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { ObjectMirror } from './object-mirror.ts'

const resource = { group: 'test', version: 'v1', resource: 'things', kind: 'Thing', namespaced: false }
const thing = (name: string, resourceVersion: number, uid = name): KubeObject => ({ metadata: { name, uid, resourceVersion: String(resourceVersion) } })

/** A server whose lists and watches the test writes by hand. */
function fakeServer() {
  const lists: (() => KubeObject[])[] = []
  const watches: { from: string | undefined; push(event: WatchEvent<KubeObject>): void; end(error?: Error): void }[] = []
  let listed = 0
  const client = {
    list: () => {
      listed++
      const items = (lists.shift() ?? (() => []))()
      return Promise.resolve({ apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '10' }, items })
    },
    async *watch(_resource: unknown, options: { resourceVersion?: string; signal?: AbortSignal }) {
      const queue: (WatchEvent<KubeObject> | { error: Error | undefined })[] = []
      let wake = (): void => {}
      const add = (item: (typeof queue)[number]): void => {
        queue.push(item)
        wake()
      }
      watches.push({ from: options.resourceVersion, push: add, end: (error) => add({ error }) })
      options.signal?.addEventListener('abort', () => add({ error: options.signal?.reason as Error }))
      for (;;) {
        const item = queue.shift()
        if (item === undefined) await new Promise<void>((resolve) => (wake = resolve))
        else if (!('error' in item)) yield item
        else if (item.error === undefined) return
        else throw item.error
      }
    },
  } as unknown as KubeClient
  return { client, lists, watches, listed: () => listed }
}

async function start(server: ReturnType<typeof fakeServer>) {
  const clock = new FakeClock()
  const mirror = new ObjectMirror<KubeObject>({ client: server.client, clock, ids: createFakeIds(), log: silentLogger }, { resource })
  const changes: string[] = []
  mirror.onChange(({ name, before, after }) => changes.push(`${before === undefined ? '+' : after === undefined ? '-' : '~'}${name}`))
  const running = await mirror.start({ signal: new AbortController().signal })
  await settle()
  return { clock, mirror, changes, running }
}

test('a mirror shows what the list and the watch say', async () => {
  const server = fakeServer()
  server.lists.push(() => [thing('a', 1), thing('b', 2)])
  const { mirror, changes, running } = await start(server)
  server.watches[0]?.push({ type: 'MODIFIED', object: thing('a', 11) })
  server.watches[0]?.push({ type: 'DELETED', object: thing('b', 12) })
  server.watches[0]?.push({ type: 'ADDED', object: thing('c', 13) })
  await settle()
  await running[Symbol.asyncDispose]()

  assert.deepEqual(changes, ['+a', '+b', '~a', '-b', '+c'])
  assert.deepEqual(
    [...mirror.values()].map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`),
    ['a@11', 'c@13'],
  )
})

test('a mirror goes on where a watch ended, and lists again when its place is lost', async () => {
  const server = fakeServer()
  server.lists.push(
    () => [thing('a', 1), thing('b', 2)],
    () => [thing('b', 30), thing('d', 31)],
  )
  const { changes, running } = await start(server)
  server.watches[0]?.push({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } })
  server.watches[0]?.end()
  await settle()
  const resumedFrom = server.watches[1]?.from
  server.watches[1]?.end(new StatusError('Expired', 'too old'))
  await settle()
  await running[Symbol.asyncDispose]()

  assert.equal(resumedFrom, '20')
  assert.equal(server.listed(), 2)
  assert.deepEqual(changes, ['+a', '+b', '~b', '+d', '-a'])
})

test('a mirror keeps what it knows while the server is away, and asks ever less often', async () => {
  const server = fakeServer()
  server.lists.push(() => [thing('a', 1)])
  const { mirror, clock, running } = await start(server)
  const away = (): never => {
    throw new StatusError('ServiceUnavailable', 'away')
  }
  for (let i = 0; i < 100; i++) server.lists.push(away)
  server.watches[0]?.end(new StatusError('ServiceUnavailable', 'away'))
  await clock.advance(5 * 60_000)
  const asked = server.listed()
  await running[Symbol.asyncDispose]()

  assert.ok(mirror.get('a') !== undefined)
  assert.ok(asked > 5 && asked < 25, `${asked} lists in five minutes`)
})

test('a mirror believes its own writes and is not set back by events that are older', async () => {
  const server = fakeServer()
  server.lists.push(() => [thing('a', 1)])
  const { mirror, changes, running } = await start(server)
  mirror.accept(thing('a', 15))
  server.watches[0]?.push({ type: 'MODIFIED', object: thing('a', 9) })
  mirror.forget('a')
  server.watches[0]?.push({ type: 'MODIFIED', object: thing('a', 16) })
  server.watches[0]?.push({ type: 'ADDED', object: thing('a', 17, 'another uid') })
  await settle()
  await running[Symbol.asyncDispose]()

  assert.deepEqual(changes, ['+a', '~a', '-a', '+a'])
  assert.equal(mirror.get('a')?.metadata.uid, 'another uid')
})
