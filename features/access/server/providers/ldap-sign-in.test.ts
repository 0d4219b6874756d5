import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstName, isBelow, memberFilter } from './ldap-sign-in.ts'

for (const [dn, name] of [
  ['CN=Admins,OU=Groups,DC=example', 'Admins'],
  ['cn=ops\\, night,dc=test', 'ops, night'],
  ['cn=ops\\2C night,dc=test', 'ops, night'],
  ['CN=\\E5\\BC\\A0\\E4\\B8\\89,DC=x', '张三'],
  ['cn=a+uid=b,dc=x', 'a'],
  ['no name', undefined],
] as const)
  test(`reads ${name} from ${dn}`, () => assert.equal(firstName(dn), name))

test('asks Active Directory for groups of groups by its matching rule', async () => {
  const filter = await memberFilter('member', 'CN=Ann (x),DC=test', true)
  assert.equal(filter.toString(), '(member:1.2.840.113556.1.4.1941:=CN=Ann \\28x\\29,DC=test)')
})

test('counts groups below the base, and none that is called alike elsewhere', () => {
  const base = 'OU=Groups, DC=example'
  assert.equal(isBelow('CN=Admins,ou=groups,dc=example', base), true)
  assert.equal(isBelow('CN=Admins,OU=a,OU=Groups,DC=example', base), true)
  assert.equal(isBelow('CN=Admins,OU=Own,DC=example', base), false)
  assert.equal(isBelow('CN=Admins,OU=NotGroups,DC=example', base), false)
  assert.equal(isBelow('CN=Admins\\,OU=Groups,DC=example', base), false)
  assert.equal(isBelow('CN=Admins\\\\,OU=Groups,DC=example', base), true)
})
