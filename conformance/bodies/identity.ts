import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const authentication = '/apis/authentication.k8s.io/v1'

export const identity = conformance('identity', ({ api, claim }) => {
  const whoami = async (headers: Readonly<Record<string, string>>): Promise<Json> => {
    const { code, json, text } = await api.post(`${authentication}/selfsubjectreviews`, {}, { headers })
    assert.equal(code, 201, text)
    return json.status.userInfo
  }

  claim('speaks for users, groups, uids and extras as asked (A14)', async () => {
    assert.deepEqual(await whoami({ 'impersonate-user': 'jane' }), { username: 'jane', groups: ['system:authenticated'] })
    assert.deepEqual(await whoami({ 'impersonate-user': 'jane', 'impersonate-uid': 'u-1', 'impersonate-group': 'dev' }), {
      username: 'jane',
      uid: 'u-1',
      groups: ['dev', 'system:authenticated'],
    })
    assert.deepEqual(await whoami({ 'impersonate-user': 'jane', 'impersonate-extra-acme.com%2fscopes': 'a', 'impersonate-extra-other': 'b' }), {
      username: 'jane',
      groups: ['system:authenticated'],
      extra: { 'acme.com/scopes': ['a'], other: ['b'] },
    })
  })

  claim('adds the groups that come with a kind of user (A14)', async () => {
    const groups = async (user: string, group?: string): Promise<Json> =>
      (await whoami({ 'impersonate-user': user, ...(group !== undefined && { 'impersonate-group': group }) })).groups

    assert.deepEqual(await groups('system:serviceaccount:default:x'), ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'])
    assert.deepEqual(await groups('system:serviceaccount:default:x', 'dev'), ['dev', 'system:authenticated'])
    assert.deepEqual(await groups('system:serviceaccount:no-name'), ['system:authenticated'])
    assert.deepEqual(await groups('jane', 'system:authenticated'), ['system:authenticated'])
    assert.deepEqual(await groups('jane', 'system:masters'), ['system:masters', 'system:authenticated'])
    assert.deepEqual(await groups('jane', 'a,b'), ['a,b', 'system:authenticated'])
  })

  claim('refuses to speak for a group, uid or extra without a user (A14)', async () => {
    const refusal = async (headers: Readonly<Record<string, string>>): Promise<unknown> => {
      const { code, json } = await api.get('/api/v1/pods', { headers })
      return [code, json.reason, json.message]
    }
    const text = (fields: string): string => `requested &user.DefaultInfo{Name:"", ${fields}} without impersonating a user name`

    assert.deepEqual(await refusal({ 'impersonate-group': 'a' }), [400, 'BadRequest', text('UID:"", Groups:[]string{"a"}, Extra:map[string][]string(nil)')])
    assert.deepEqual(await refusal({ 'impersonate-uid': 'u' }), [400, 'BadRequest', text('UID:"u", Groups:[]string(nil), Extra:map[string][]string(nil)')])
    assert.deepEqual(await refusal({ 'impersonate-extra-foo': 'b' }), [
      400,
      'BadRequest',
      text('UID:"", Groups:[]string(nil), Extra:map[string][]string{"foo":[]string{"b"}}'),
    ])
  })

  claim('gives the one spoken for no more than his own rights (A14)', async () => {
    const { code, json } = await api.get('/api/v1/secrets', { headers: { 'impersonate-user': 'jane', 'impersonate-group': 'dev' } })

    assert.deepEqual([code, json.message], [403, 'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" at the cluster scope'])
  })
})
