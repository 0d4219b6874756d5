import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SearchAnswer } from '../api/index.ts'
import { liveSearch } from './live-search.ts'

const answerAt = (sequence: number): SearchAnswer => ({ items: [], sequence, clusters: [] })

test('asks at once, then waits for changes after what it has, and begins anew after a failure', async () => {
  const asked: string[] = []
  const slept: number[] = []
  const stop = new AbortController()
  const answers = [answerAt(5), answerAt(7), new Error('away'), new Error('away'), answerAt(9)]
  const deps = {
    ask: (path: string) => {
      asked.push(path.replace('/platform/v1/fleet/search?', ''))
      const next = answers.shift()
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next ?? answerAt(10))
    },
    sleep: (ms: number) => Promise.resolve(void slept.push(ms)),
    seen: () => Promise.resolve(),
  }
  const told: string[] = []
  for await (const outcome of liveSearch(deps, { text: 'kind:pod web', limit: 200 }, stop.signal)) {
    told.push('answer' in outcome ? String(outcome.answer.sequence) : 'error')
    if (told.length === 5) stop.abort(new Error('enough'))
  }

  assert.deepEqual(told, ['5', '7', 'error', 'error', '9'])
  assert.deepEqual(asked, [
    'q=kind%3Apod+web&limit=200',
    'q=kind%3Apod+web&limit=200&since=5&wait=25',
    'q=kind%3Apod+web&limit=200&since=7&wait=25',
    'q=kind%3Apod+web&limit=200',
    'q=kind%3Apod+web&limit=200',
  ])
  assert.deepEqual(slept.slice(0, 4), [500, 500, 1_000, 2_000])
})
