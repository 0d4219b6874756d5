import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { KubeClient } from '@gantry/client'
import { systemIds } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { BrowserSeal, type BrowserSealDeps } from './browser-seal.ts'

/** A hub that has the key already. */
function depsWith(key = randomBytes(32)): BrowserSealDeps & { readonly clock: FakeClock } {
  const hub = { get: () => Promise.resolve({ data: { key: key.toString('base64') } }) } as unknown as KubeClient
  return { hub, clock: new FakeClock(), ids: systemIds }
}

test('what one gateway has sealed opens at another, until its time is over', async () => {
  const deps = depsWith()
  const text = await new BrowserSeal<{ who: string }>(deps, 'ticket').seal({ who: 'ann' }, 300)
  const other = new BrowserSeal<{ who: string }>(deps, 'ticket')

  assert.equal((await other.open(text))?.who, 'ann')
  await deps.clock.advance(299_999)
  assert.equal((await other.open(text))?.who, 'ann')
  await deps.clock.advance(1)
  assert.equal(await other.open(text), undefined)
})

test('what is sealed opens for no other purpose, with no other key, and not when any of it is changed', async () => {
  const deps = depsWith()
  const seal = new BrowserSeal<{ who: string }>(deps, 'ticket')
  const text = await seal.seal({ who: 'ann' }, 300)
  const bytes = Buffer.from(text, 'base64url')

  assert.equal(await new BrowserSeal(deps, 'attempt').open(text), undefined)
  assert.equal(await new BrowserSeal({ ...depsWith(), clock: deps.clock }, 'ticket').open(text), undefined)
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.equal(await seal.open(changed.toString('base64url')), undefined, `byte ${at}`)
  }
  for (const other of ['', 'AA', text.slice(0, 40), 'not a ticket']) assert.equal(await seal.open(other), undefined)
})
