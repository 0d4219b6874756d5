import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { missingFrom, pinnedNode } from './installation.js'

interface Package {
  readonly version: string
  readonly optional?: boolean
  readonly dev?: boolean
}
type Packages = Readonly<Record<string, Package>>

function checkout(t: TestContext, locked: Packages, installed: Packages | undefined): string {
  const root = mkdtempSync(join(tmpdir(), 'gantry-installation-'))
  t.after(() => rmSync(root, { recursive: true }))
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...locked } }))
  if (installed === undefined) return root
  const node = pinnedNode(root)
  mkdirSync(dirname(node), { recursive: true })
  writeFileSync(node, '')
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }))
  return root
}

describe('what is missing from an installation', () => {
  const ws = { version: '8.23.0' }

  test('is nothing when every locked package is there', (t) => {
    const locked = { 'node_modules/ws': ws, 'packages/runtime': { version: '0.1.0' } }

    assert.equal(missingFrom(checkout(t, locked, { 'node_modules/ws': ws })), undefined)
  })

  test('is everything before the first install', (t) => {
    assert.equal(missingFrom(checkout(t, { 'node_modules/ws': ws }, undefined)), 'nothing is installed yet')
  })

  test('is a package that the lock has gained', (t) => {
    assert.equal(missingFrom(checkout(t, { 'node_modules/@a/b': ws, 'node_modules/ws': ws }, { 'node_modules/ws': ws })), '@a/b is not installed')
  })

  test('is a package at another version', (t) => {
    const root = checkout(t, { 'node_modules/ws': ws }, { 'node_modules/ws': { version: '8.0.0' } })

    assert.equal(missingFrom(root), 'node_modules/ws is at 8.0.0, package-lock.json asks for 8.23.0')
  })

  test('is no package of another platform', (t) => {
    const locked = { 'node_modules/ws': ws, 'node_modules/other-platform': { version: '1.0.0', optional: true } }

    assert.equal(missingFrom(checkout(t, locked, { 'node_modules/ws': ws })), undefined)
  })

  test('is no development package where only production counts', (t) => {
    const root = checkout(t, { 'node_modules/ws': ws, 'node_modules/oxlint': { version: '1.0.0', dev: true } }, { 'node_modules/ws': ws })

    assert.equal(missingFrom(root, { production: true }), undefined)
    assert.equal(missingFrom(root), 'oxlint is not installed')
  })

  test('is the pinned Node when optional packages were left out', (t) => {
    const root = checkout(t, { 'node_modules/ws': ws }, { 'node_modules/ws': ws })
    rmSync(pinnedNode(root))

    assert.equal(missingFrom(root), 'the pinned Node is not installed')
  })
})

test('names the supported machines on an unsupported one', () => {
  assert.throws(() => pinnedNode('/repo', { platform: 'darwin', arch: 'arm64' }), /linux x64 and linux arm64; this is darwin arm64/)
})
