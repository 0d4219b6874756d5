import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldUnchanged, lineDiff, type DiffLine } from './line-diff.ts'

const short = (lines: readonly DiffLine[]): string => lines.map((line) => `${{ same: ' ', added: '+', removed: '-' }[line.kind]}${line.text}`).join('\n')

test('shows a changed line as removed and added', () => {
  assert.equal(short(lineDiff('a\nb\nc', 'a\nx\nc')), ' a\n-b\n+x\n c')
})

test('numbers the lines of either side', () => {
  const [, removed, added] = lineDiff('a\nb', 'a\nc')
  assert.equal(removed?.oldLine, 2)
  assert.equal(added?.newLine, 2)
})

test('finds an insertion in the middle without touching its neighbours', () => {
  assert.equal(short(lineDiff('a\nb\nc\nd', 'a\nb\nnew\nc\nd')), ' a\n b\n+new\n c\n d')
})

test('rebuilds both texts from the script, whatever the texts', () => {
  let seed = 7
  const next = (limit: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % limit
  for (let round = 0; round < 200; round++) {
    const text = (): string => Array.from({ length: next(12) }, () => 'abcd'[next(4)]).join('\n')
    const [before, after] = [text(), text()]
    const lines = lineDiff(before, after)
    const side = (kind: DiffLine['kind']): string =>
      lines
        .filter((line) => line.kind !== kind)
        .map((line) => line.text)
        .join('\n')
    assert.equal(side('added'), before)
    assert.equal(side('removed'), after)
  }
})

test('folds long unchanged stretches and keeps the context', () => {
  const before = Array.from({ length: 40 }, (_, index) => `line ${index}`)
  const after = before.with(20, 'changed')
  const folded = foldUnchanged(lineDiff(before.join('\n'), after.join('\n')))
  assert.equal(folded[0], undefined)
  assert.equal(folded.at(-1), undefined)
  assert.equal(folded.filter((line) => line !== undefined).length, 8)
})
