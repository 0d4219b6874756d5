import assert from 'node:assert/strict'
import { test } from 'node:test'
import { safeReturn } from './safe-return.ts'

const cases: readonly (readonly [string | null, string])[] = [
  ['/pods?cluster=prod', '/pods?cluster=prod'],
  [null, '/'],
  ['', '/'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['https://evil.example', '/'],
  ['javascript:alert(1)', '/'],
  ['/login?next=/login', '/'],
  ['/\t/evil.example', '/'],
  ['/\n//evil.example', '/'],
  [`/${'a'.repeat(2_048)}`, '/'],
]

for (const [next, path] of cases) test(`goes from ${next} to ${path}`, () => assert.equal(safeReturn(next), path))
