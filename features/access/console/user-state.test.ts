import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { User } from '../api/index.ts'
import { userState } from './user-state.ts'

const user = (spec: User['spec'], status: NonNullable<User['status']> = {}): User => ({
  apiVersion: 'v',
  kind: 'User',
  metadata: { name: 'ann' },
  spec,
  status,
})
const nowMs = Date.parse('2026-01-01T00:00:00Z')

const cases: readonly (readonly [string, User, string])[] = [
  ['a user as such', user({}), 'active'],
  ['one with a password of somebody else', user({}, { mustChangePassword: true }), 'mustChange'],
  ['one whose account is locked', user({}, { mustChangePassword: true, lockedUntilTime: '2026-01-01T00:00:01Z' }), 'locked'],
  ['one whose lock is over', user({}, { lockedUntilTime: '2026-01-01T00:00:00Z' }), 'active'],
  ['one whose account elsewhere is gone', user({}, { accountGone: 'no such entry' }), 'gone'],
  ['one who is disabled, whatever else', user({ disabled: true }, { lockedUntilTime: '2026-01-02T00:00:00Z' }), 'disabled'],
]

for (const [who, object, word] of cases) test(`calls ${who} ${word}`, () => assert.equal(userState(object, nowMs).word, word))
