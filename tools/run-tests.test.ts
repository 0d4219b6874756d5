import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

const passing = `import test from 'node:test'\ntest('holds', () => {})\n`

async function runTests(t: TestContext, files: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<{ code: number; lines: string[] }> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-run-tests-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run-tests.ts'), '--root', root, '--linger-ms', '300', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const { promise: exited, resolve } = Promise.withResolvers<number | null>()
  child.on('close', resolve)
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code: code ?? -1, lines: `${output}${errors}`.trimEnd().split('\n') }
}

describe('run-tests', { concurrency: 2 }, () => {
  test('counts what passed, failed and was skipped on its last line', async (t) => {
    const other = `import { describe, test } from 'node:test'
      describe('a group', () => {
        test('breaks', () => { throw new Error('for a reason') })
        test('waits', { skip: 'until spring' }, () => {})
      })\n`

    const { code, lines } = await runTests(t, { 'one.test.ts': passing, 'two.test.ts': other })

    assert.equal(lines.at(-1), '1 passed, 1 failed, 1 skipped')
    assert.equal(code, 1)
    assert.ok(lines.some((line) => line.includes('for a reason')))
    assert.ok(lines.some((line) => line.endsWith('waits: until spring')))
  })

  test('succeeds when every test passes', async (t) => {
    const { code, lines } = await runTests(t, { 'one.test.ts': passing })

    assert.deepEqual([code, lines.at(-1)], [0, '1 passed, 0 failed'])
  })

  test('runs only the suite and the paths it was asked for', async (t) => {
    const files = { 'one.test.ts': passing, 'real.kubernetes.ts': passing, 'other.kubernetes.ts': `throw new Error('not asked for')\n` }

    const { code, lines } = await runTests(t, files, ['--suite', 'kubernetes', 'real'])

    assert.deepEqual([code, lines.at(-1)], [0, '1 passed, 0 failed'])
  })

  test('fails when it found no test', async (t) => {
    const { code, lines } = await runTests(t, { 'one.ts': passing })

    assert.deepEqual([code, lines.at(-1)], [1, '0 passed, 1 failed'])
  })

  test('fails when a file cannot be loaded', async (t) => {
    const { code, lines } = await runTests(t, { 'one.test.ts': passing, 'two.test.ts': `import './absent.ts'\n` })

    assert.deepEqual([code, lines.at(-1)], [1, '1 passed, 1 failed'])
  })

  test('fails when the test process dies', async (t) => {
    const { code, lines } = await runTests(t, { 'one.test.ts': `import test from 'node:test'\ntest('leaves', () => process.exit(0))\n` })

    assert.deepEqual([code, lines.at(-1)], [1, '0 passed, 1 failed'])
  })

  test('fails when a test leaves something open', async (t) => {
    const leaving = `import { createServer } from 'node:net'\nimport test from 'node:test'\ntest('leaves', () => void createServer().listen(0, '127.0.0.1'))\n`

    const { code, lines } = await runTests(t, { 'one.test.ts': leaving })

    assert.deepEqual([code, lines.at(-1)], [1, '1 passed, 1 failed'])
    assert.ok(lines.some((line) => line.includes('TCPServerWrap')))
  })

  test('fails when an error is thrown after its test has ended', async (t) => {
    const late = `import test from 'node:test'\ntest('ends', () => void setImmediate(() => { throw new Error('too late') }))\n`

    const { code, lines } = await runTests(t, { 'one.test.ts': late })

    assert.deepEqual([code, lines.at(-1)], [1, '1 passed, 1 failed'], lines.join('\n'))
  })

  test('refuses a suite that does not exist', async (t) => {
    const { code, lines } = await runTests(t, {}, ['--suite', 'nightly'])

    assert.equal(code, 1)
    assert.ok(lines.some((line) => line.includes('there is no suite "nightly"')))
  })
})
