import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTable, middle, ratio } from './figures.ts'

test('takes the sample in the middle, of two the worse', () => {
  const samples = [{ value: 3 }, { value: 1 }, { value: 2 }]

  assert.equal(middle(samples, 'more').value, 2)
  assert.equal(middle(samples.slice(0, 2), 'more').value, 1)
  assert.equal(middle(samples.slice(0, 2), 'less').value, 3)
})

test('counts a ratio in favor of whatever is better', () => {
  assert.equal(ratio({ name: 'rate', unit: '/s', better: 'more', kubernetes: [{ value: 100 }], gantry: [{ value: 250 }] }), 2.5)
  assert.equal(ratio({ name: 'time', unit: 's', better: 'less', kubernetes: [{ value: 3 }], gantry: [{ value: 0.5 }] }), 6)
})

test('shows whether a target is met', () => {
  const figure = { name: 'get', unit: '/s', better: 'more', target: 2, kubernetes: [{ value: 1_000, p50Ms: 1, p99Ms: 20.04, cpuPerThousand: 0.5 }] } as const

  const [, , met] = formatTable([{ ...figure, gantry: [{ value: 3_210, p50Ms: 0.25, p99Ms: 2 }] }]).split('\n')
  const [, , missed] = formatTable([{ ...figure, gantry: [{ value: 1_500 }] }]).split('\n')

  assert.equal(met?.replaceAll(/ +/g, ' '), '| get | 1,000 /s | 3,210 /s | 3.21× | ≥ 2× ✔ | 1.00 / 20.0 ms | 0.25 / 2.00 ms | 0.50 | |')
  assert.match(missed ?? '', /1\.50× +\| ≥ 2× ✖/)
})
