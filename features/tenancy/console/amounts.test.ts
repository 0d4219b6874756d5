import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { amountOf, evenShares, freeOf, linesOfQuota, problemsOfLines, quotaOfLines } from './amounts.ts'

describe('an even share', () => {
  test('is what a person would write', () => {
    assert.deepEqual(evenShares({ cpu: '8', memory: '16Gi', 'requests.storage': '1Ti' }, 2), { cpu: '4', memory: '8Gi', 'requests.storage': '512Gi' })
    assert.deepEqual(evenShares({ cpu: '1', memory: '1Gi' }, 3), { cpu: '333m', memory: '341Mi' })
    assert.deepEqual(evenShares({ memory: '10G', cpu: '500m' }, 2), { memory: '5G', cpu: '250m' })
  })

  test('never adds up to more than there is, and gives things out whole', () => {
    for (const among of [1, 2, 3, 7, 16]) {
      const shares = evenShares({ cpu: '10', memory: '7Gi', pods: '10', 'requests.nvidia.com/gpu': '3', 'count/deployments.apps': '5' }, among)
      for (const [resource, whole] of Object.entries({ cpu: 10, memory: 7 * 2 ** 30, pods: 10, 'requests.nvidia.com/gpu': 3, 'count/deployments.apps': 5 })) {
        const share = amountOf(shares[resource])
        assert.ok(share !== undefined && Number(`${share.unscaled}e${share.exponent}`) * among <= whole, `${resource} among ${among}: ${shares[resource]}`)
      }
      for (const counted of ['pods', 'requests.nvidia.com/gpu', 'count/deployments.apps']) assert.match(shares[counted] ?? '', /^\d+$/)
    }
  })

  test('of what is no amount is that text, for its field to complain about', () => {
    assert.deepEqual(evenShares({ cpu: 'much', pods: 'many' }, 2), { cpu: 'much', pods: 'many' })
  })
})

test('a quota is read and written line by line, and stays what it was', () => {
  const quota = { total: { cpu: '8', memory: '16Gi' }, clusters: [{ cluster: 'prod', hard: { cpu: '4' } }], namespaces: 3 }
  assert.deepEqual(quotaOfLines(linesOfQuota(quota), 3), quota)
  assert.equal(quotaOfLines([{ cluster: '', resource: '', amount: '' }], undefined), undefined)
  assert.deepEqual(quotaOfLines([], 0), { namespaces: 0 })
})

test('lines say what is wrong with them', () => {
  const line = (resource: string, amount: string, cluster = '') => ({ cluster, resource, amount })
  const problems = problemsOfLines([
    line('cpu', '4'),
    line('requests.cpu', '5'),
    line('requests.cpu', '5', 'prod'),
    line('memory', '8 gigs'),
    line('gpu of mine', '1'),
    line('pods', '-1'),
    line('pods', ''),
    line('', ''),
  ])
  assert.deepEqual(Object.fromEntries(problems), { 1: 'twice', 3: 'amount', 4: 'resource', 5: 'amount', 6: 'twice' })
})

test('what is free is never less than nothing', () => {
  assert.deepEqual([freeOf('8', '3500m'), freeOf('8', '9'), freeOf('16Gi', undefined)], ['4500m', '0', '16Gi'])
})
