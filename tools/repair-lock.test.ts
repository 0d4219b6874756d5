import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addPlatformPackages, syncWorkspaces } from './repair-lock.js'
import type { LockedPackages } from './repair-lock.js'

test('adds optional platform packages that npm left out, and no other', () => {
  const packages: LockedPackages = {
    'node_modules/tool': {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { 'tool-linux-x64': '1.0.0', 'tool-win32-arm64': '1.0.0', 'tool-linux-arm64-musl': '1.0.0' },
    },
    'node_modules/tool-linux-x64': { version: '1.0.0' },
  }

  assert.deepEqual(addPlatformPackages(packages), ['tool-win32-arm64', 'tool-linux-arm64-musl'])
  assert.deepEqual(packages['node_modules/tool-win32-arm64'], { version: '1.0.0', optional: true, dev: true, os: ['win32'], cpu: ['arm64'] })
  assert.deepEqual(packages['node_modules/tool-linux-arm64-musl']?.libc, ['musl'])
  assert.deepEqual(addPlatformPackages(packages), [])
})

test('takes over what workspaces declare of each other', () => {
  const packages: LockedPackages = { '': {}, 'node_modules/@gantry/low': {}, 'packages/low': {}, 'packages/high': { dependencies: {} } }
  const manifests: LockedPackages = { 'packages/low': {}, 'packages/high': { dependencies: { '@gantry/low': '0.1.0' } } }

  assert.deepEqual(
    syncWorkspaces(packages, (folder) => manifests[folder] ?? {}),
    ['packages/high dependencies'],
  )
  assert.deepEqual(packages['packages/high'], { dependencies: { '@gantry/low': '0.1.0' } })
})

test('refuses a package that has to be installed', () => {
  assert.throws(() => syncWorkspaces({ 'packages/low': {} }, () => ({ dependencies: { ws: '8.23.0' } })), /packages\/low\/package.json asks for ws/)
})
