import assert from 'node:assert/strict'
import { test } from 'node:test'
import { probeAnswer } from './health.ts'

const checks = [
  { name: 'ping', check: () => {} },
  {
    name: 'etcd',
    check: () => {
      throw new Error('the disk is full')
    },
  },
]
const ask = (path: string, query = '') => probeAnswer(path, new URLSearchParams(query), checks)

test('a check that fails fails the probe, which names it and keeps the reason', () => {
  const { status, body } = ask('/readyz') ?? {}

  assert.deepEqual([status, body], [500, '[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n'])
})

test('who asks for a check by itself hears what is wrong with it', () => {
  assert.deepEqual([ask('/readyz/etcd')?.status, ask('/readyz/etcd')?.body], [500, 'internal server error: the disk is full\n'])
  assert.deepEqual([ask('/readyz/ping')?.status, ask('/readyz/none')], [200, undefined])
})

test('a check that is left out fails nothing', () => {
  assert.deepEqual([ask('/livez', 'exclude=etcd')?.status, ask('/livez', 'exclude=etcd')?.body], [200, 'ok'])
  assert.equal(ask('/livez', 'exclude=etcd&verbose')?.body, '[+]ping ok\n[+]etcd excluded: ok\nlivez check passed\n')
})
