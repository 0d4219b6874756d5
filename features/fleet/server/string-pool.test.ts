import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StringPool } from './string-pool.ts'

/** Numbers that look random and are the same in every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test('gives back what was interned, whatever else comes and goes', () => {
  const pool = new StringPool()
  const next = random(7)
  const held: { readonly id: number; readonly text: string }[] = []
  for (let step = 0; step < 60_000; step++) {
    if (held.length > 3_000 && next() < 0.55) {
      const [gone] = held.splice(Math.floor(next() * held.length), 1)
      if (gone !== undefined) pool.release(gone.id)
    } else {
      const text = `${next() < 0.01 ? 'ü'.repeat(40_000) : 'pod-'}${Math.floor(next() * 5_000)}`
      held.push({ id: pool.intern(text), text })
    }
  }
  for (const { id, text } of held) assert.equal(pool.text(id), text)
  assert.equal(pool.size, new Set(held.map(({ text }) => text)).size)

  for (const { id } of held) pool.release(id)
  assert.equal(pool.size, 0)
  assert.ok(pool.bytes < 2 << 20, `${pool.bytes} bytes for nothing`)
})

test('has one id for one text, another version for another text under the same id', () => {
  const pool = new StringPool()
  const first = pool.intern('a')
  assert.equal(pool.intern('a'), first)
  const version = pool.versionOf(first)
  pool.release(first)
  assert.equal(pool.find('a'), first)
  pool.release(first)
  assert.equal(pool.find('a'), undefined)
  assert.equal(pool.intern('b'), first)
  assert.notEqual(pool.versionOf(first), version)
  assert.equal(pool.intern(''), 0)
})

test('orders by bytes', () => {
  const pool = new StringPool()
  const texts = ['b', 'a', 'ab', 'ä', '', 'a-b', 'a.b']
  const ids = texts.map((text) => pool.intern(text))
  assert.deepEqual(
    ids.toSorted((a, b) => pool.compare(a, b)).map((id) => pool.text(id)),
    texts.toSorted((a, b) => Buffer.from(a).compare(Buffer.from(b))),
  )
})
