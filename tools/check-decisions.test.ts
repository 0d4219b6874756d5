import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { checkDecisions } from './check-decisions.ts'

function check(t: TestContext, pages: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-decisions-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, content] of Object.entries(pages)) writeFileSync(join(folder, name), content)
  return checkDecisions(folder)
}

test('accepts decisions numbered without a gap', (t) => {
  assert.deepEqual(check(t, { '0001-layers.md': '# 0001 Layers\n', '0002-node-24.md': '# 0002 Node 24\n' }), [])
})

test('names a gap, a number given twice, a wrong name and a wrong title', (t) => {
  const pages = { '0001-a.md': '# 0001 A\n', '0001-b.md': '# 0001 B\n', '0004-c.md': '# 4 C\n', 'Notes.md': '' }

  const findings = check(t, pages)

  assert.deepEqual(
    findings.map((finding) => finding.split(':')[0]),
    ['0001-b.md', '0004-c.md', '0004-c.md', 'Notes.md'],
  )
})

test('fails when there is no decision at all', (t) => {
  assert.equal(check(t, {}).length, 1)
})
