import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { checkArchitecture } from './check-architecture.ts'
import type { Architecture } from './check-architecture.ts'

const rules: Architecture = {
  directions: [
    { from: 'packages/low', to: [], types: ['packages/shapes'], because: 'it stands below' },
    { from: 'packages/*', to: ['packages/low'], because: 'machinery first' },
  ],
  testDirections: [{ from: 'packages/*', to: ['packages/*'], because: 'tests join machinery' }],
  browserParts: ['packages/page'],
  kindNames: {
    in: ['packages/*'],
    because: 'take it as data',
    names: ['Pod'],
    exceptions: [{ file: 'packages/low/excused.ts', names: ['Pod'], because: 'a test' }],
  },
  fewestFiles: 1,
}

const dependOnLow = { dependencies: { '@gantry/low': '0.1.0' } }
const manifests: Readonly<Record<string, unknown>> = {
  'package.json': { workspaces: ['packages/*'] },
  'packages/low/package.json': { name: '@gantry/low', exports: { '.': './index.ts', './testing': './testing/index.ts' } },
  'packages/high/package.json': { name: '@gantry/high', exports: { '.': './index.ts' }, ...dependOnLow },
  'packages/shapes/package.json': { name: '@gantry/shapes', exports: { '.': './index.ts' } },
  'packages/page/package.json': { name: '@gantry/page', ...dependOnLow },
  'packages/stranger/package.json': { name: '@gantry/stranger' },
}

function check(t: TestContext, files: Readonly<Record<string, string>>, changed: Partial<Architecture> = {}): string[] {
  const root = mkdtempSync(join(tmpdir(), 'gantry-architecture-'))
  t.after(() => rmSync(root, { recursive: true }))
  const all = { ...Object.fromEntries(Object.entries(manifests).map(([file, content]) => [file, JSON.stringify(content)])), ...files }
  for (const [file, content] of Object.entries(all)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), content)
  }
  return checkArchitecture(root, { ...rules, ...changed })
}

describe('the architecture check', () => {
  test('finds nothing in a tree that keeps the rules', (t) => {
    assert.deepEqual(
      check(t, { 'packages/high/index.ts': `import { a } from '@gantry/low'\nimport './own.ts'\nimport ws from 'ws'\nexport const b = a\n` }),
      [],
    )
  })

  test('refuses an import against a direction and prints the reason', (t) => {
    const [finding, ...more] = check(t, { 'packages/low/index.ts': `\nexport { b } from '@gantry/high'\n` })

    assert.deepEqual(more, [])
    assert.equal(finding, 'packages/low/index.ts:2  imports packages/high: it stands below. packages/low may import nothing of ours')
  })

  test('sees import(), import types and exports as well', (t) => {
    const text = `await import('@gantry/high')\nexport type A = import('@gantry/high').A\nexport * from '@gantry/high'\n`

    assert.equal(check(t, { 'packages/low/index.ts': text }).length, 3)
  })

  test('lets types through where only types are allowed', (t) => {
    const manifest = JSON.stringify({ name: '@gantry/low', dependencies: { '@gantry/shapes': '0.1.0' } })
    const importing = (what: string): Record<string, string> => ({
      'packages/low/package.json': manifest,
      'packages/low/index.ts': `${what} from '@gantry/shapes'\n`,
    })

    assert.deepEqual(check(t, importing('import type { A }')), [])
    assert.equal(check(t, importing('import { a }')).length, 1)
  })

  test('refuses a workspace that the package does not declare', (t) => {
    assert.deepEqual(check(t, { 'packages/stranger/index.ts': `import '@gantry/low'\n` }), [
      'packages/stranger/index.ts:1  imports @gantry/low, which packages/stranger/package.json does not declare',
    ])
  })

  test('refuses a path that a package does not export', (t) => {
    assert.deepEqual(check(t, { 'packages/high/index.ts': `import '@gantry/low/secret.ts'\n` }), [
      'packages/high/index.ts:1  imports @gantry/low/secret.ts: @gantry/low exports . ./testing',
    ])
  })

  test('refuses a relative import that leaves its package', (t) => {
    assert.deepEqual(check(t, { 'packages/high/index.ts': `import '../low/index.ts'\n` }), [
      'packages/high/index.ts:1  imports ../low/index.ts, which leaves its package: import @gantry/low by its name',
    ])
  })

  test('keeps test doubles out of production code and lets tests have them', (t) => {
    const text = `import '@gantry/low/testing'\n`

    assert.deepEqual(check(t, { 'packages/high/index.test.ts': text }), [])
    assert.deepEqual(check(t, { 'packages/high/index.ts': text }), [
      'packages/high/index.ts:1  imports @gantry/low/testing: what stands under testing is for tests',
    ])
  })

  test('keeps modules of Node out of what a browser loads', (t) => {
    assert.equal(check(t, { 'packages/page/page.ts': `import { join } from 'node:path'\n` }).length, 1)
  })

  test('finds cycles, also through types', (t) => {
    const files = { 'packages/low/a.ts': `import type { B } from './b.ts'\n`, 'packages/low/b.ts': `import { a } from './a.ts'\n` }

    assert.deepEqual(check(t, files), ['packages/low/a.ts:1  is in an import cycle: packages/low/a.ts -> packages/low/b.ts -> packages/low/a.ts'])
  })

  test('refuses the name of a kind in machinery, and not in its tests', (t) => {
    const text = `export const kind = 'Pod'\nexport const other = \`Pod\`\nexport const fine = 'Podium'\n`

    assert.deepEqual(check(t, { 'packages/low/index.ts': text, 'packages/low/index.test.ts': text, 'packages/low/excused.ts': text }), [
      'packages/low/index.ts:1  names the kind Pod: take it as data',
      'packages/low/index.ts:2  names the kind Pod: take it as data',
    ])
  })

  test('names a part for which there is no line', (t) => {
    assert.deepEqual(check(t, { 'packages/high/index.ts': `import '@gantry/low'\n` }, { directions: [] }), [
      'packages/high/index.ts:1  is in packages/high, for which architecture.ts has no line',
    ])
  })

  test('fails when it has read too few files', (t) => {
    assert.deepEqual(check(t, {}, { fewestFiles: 3 }), ['read 0 files and expected at least 3: the check is looking in the wrong place'])
  })
})
