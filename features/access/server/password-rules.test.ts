import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newPasswordProblem } from './password-rules.ts'

const refused: readonly (readonly [string, RegExp])[] = [
  ['short', /shorter than 10/],
  ['x'.repeat(257), /longer than 256/],
  ['qwertyuiop', /tried first/],
  ['Password123', /tried first/],
  ['1q2w3e4r5t6y', /tried first/],
  ['strawberry', /tried first/],
  ['1111111111', /tried first|different characters/],
  ['abababababab', /different characters/],
  ['walter1234567', /the user name/],
  ['WalterWalterWalter', /the user name/],
]

for (const [password, problem] of refused)
  test(`refuses ${password.slice(0, 20)}`, () => assert.match(newPasswordProblem(password, { user: 'walter', shortest: 10 }) ?? '', problem))

test('takes what is none of these, also with the name in it', () => {
  for (const password of ['correct horse battery', 'Kq7-vv.21xP', 'walter likes long walks', '一二三四五六七八九十'])
    assert.equal(newPasswordProblem(password, { user: 'walter', shortest: 10 }), undefined, password)
})

test('asks for as many characters as the policy says', () => {
  assert.match(newPasswordProblem('Kq7-vv.21xP', { user: 'walter', shortest: 16 }) ?? '', /shorter than 16/)
})
