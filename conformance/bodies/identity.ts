import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

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

  const tokenOf = async (namespace: string, account: string, spec: Json = {}): Promise<Json> => {
    const { code, json, text } = await api.post(`${namespace}/serviceaccounts/${account}/token`, { spec })
    assert.equal(code, 201, text)
    return json
  }
  const review = async (token: string, audiences?: readonly string[]): Promise<Json> => {
    const { code, json, text } = await api.post(`${authentication}/tokenreviews`, { spec: { token, ...(audiences !== undefined && { audiences }) } })
    assert.equal(code, 201, text)
    return json.status
  }
  const claimsOf = (token: string): Json => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const nameOf = (namespace: string): string => namespace.split('/').at(-1) ?? ''

  claim('issues tokens for the API that say whose they are (A4, A5)', async (t) => {
    const namespace = await api.namespace(t)
    const account = await api.create(`${namespace}/serviceaccounts`, { metadata: { name: 'a' } })
    const { kind, metadata, spec, status } = await tokenOf(namespace, 'a')
    const claims = claimsOf(status.token)

    assert.deepEqual([kind, metadata.name, metadata.namespace, metadata.uid], ['TokenRequest', 'a', nameOf(namespace), account.metadata.uid])
    assert.deepEqual([spec.audiences, spec.expirationSeconds, spec.boundObjectRef], [claims.aud, 3600, null])
    assert.deepEqual([claims.exp - claims.iat, claims.nbf, claims.sub], [3600, claims.iat, `system:serviceaccount:${nameOf(namespace)}:a`])
    assert.equal(Date.parse(status.expirationTimestamp) / 1000, claims.exp)
    assert.deepEqual(claims['kubernetes.io'], { namespace: nameOf(namespace), serviceaccount: { name: 'a', uid: account.metadata.uid } })
    assert.deepEqual(await review(status.token), {
      authenticated: true,
      user: {
        username: claims.sub,
        uid: account.metadata.uid,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${nameOf(namespace)}`, 'system:authenticated'],
        extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] },
      },
      audiences: claims.aud,
    })
  })

  claim('takes a token only for its audiences (A6)', async (t) => {
    const namespace = await api.namespace(t)
    const own = await tokenOf(namespace, 'default')
    const other = await tokenOf(namespace, 'default', { audiences: ['vault', 'x'] })
    const { aud } = claimsOf(own.status.token)

    assert.deepEqual(
      (await review(own.status.token, ['vault'])).error,
      `[invalid bearer token, token audiences ["${aud[0]}"] is invalid for the target audiences ["vault"]]`,
    )
    assert.deepEqual((await review(own.status.token, ['vault', ...aud])).audiences, aud)
    assert.equal(
      (await review(other.status.token)).error,
      `[invalid bearer token, token audiences ["vault" "x"] is invalid for the target audiences ["${aud[0]}"]]`,
    )
    assert.deepEqual((await review(other.status.token, ['x'])).audiences, ['x'])
  })

  claim('refuses tokens that nobody issued, and no token at all (A9)', async () => {
    assert.deepEqual(await review('nope'), { user: {}, error: 'invalid bearer token' })
    assert.deepEqual(await review('a.b.c'), { user: {}, error: 'invalid bearer token' })
    const { code, json } = await api.post(`${authentication}/tokenreviews`, { spec: {} })
    assert.deepEqual([code, json.message], [400, 'token is required for TokenReview in authentication'])
  })

  claim('refuses to issue what makes no sense (A5)', async (t) => {
    const namespace = await api.namespace(t)
    const refusal = async (body: Json): Promise<unknown> => {
      const { code, json } = await api.post(`${namespace}/serviceaccounts/default/token`, body)
      return [code, json.message]
    }
    const seconds = 'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value:'
    const bound = (kind: string): Json => ({ spec: { boundObjectRef: { kind, apiVersion: 'v1', name: 'nope' } } })

    assert.deepEqual(await refusal({ spec: { expirationSeconds: 5 } }), [422, `${seconds} 5: may not specify a duration less than 10 minutes`])
    assert.deepEqual(await refusal({ spec: { expirationSeconds: 4294967297 } }), [
      422,
      `${seconds} 4294967297: may not specify a duration larger than 2^32 seconds`,
    ])
    assert.deepEqual(await refusal(bound('Pod')), [404, 'pods "nope" not found'])
    assert.deepEqual(await refusal(bound('Node')), [404, 'nodes "nope" not found'])
    assert.deepEqual(await refusal(bound('ConfigMap')), [400, 'cannot bind token to object of type /v1, Kind=ConfigMap'])
    assert.deepEqual(await refusal({ metadata: { name: 'b' } }), [
      422,
      'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "b": must match the service account name if specified',
    ])
    assert.deepEqual(await refusal({ metadata: { namespace: 'b' } }), [
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ])
  })

  claim('binds a token to a pod and its node, for a year with a warning after the hour (A4, A5)', async (t) => {
    const namespace = await api.namespace(t)
    const node = uniqueName('node')
    const { metadata: nodeMeta } = await api.createForTest(t, '/api/v1/nodes', { metadata: { name: node } })
    const pod = (name: string, serviceAccountName: string): Json => ({
      metadata: { name },
      spec: { nodeName: node, serviceAccountName, automountServiceAccountToken: false, containers: [{ name: 'c', image: 'i' }] },
    })
    await api.create(`${namespace}/serviceaccounts`, { metadata: { name: 'other' } })
    const { metadata } = await api.create(`${namespace}/pods`, pod('p', 'default'))
    await api.create(`${namespace}/pods`, pod('q', 'other'))
    const boundTo = (name: string, uid?: string): Json => ({
      expirationSeconds: 3607,
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, ...(uid !== undefined && { uid }) },
    })

    const { status } = await tokenOf(namespace, 'default', boundTo('p'))
    const claims = claimsOf(status.token)
    const { pod: podClaim, node: nodeClaim, warnafter } = claims['kubernetes.io']
    const { extra } = (await review(status.token)).user
    const wrongAccount = await api.post(`${namespace}/serviceaccounts/default/token`, { spec: boundTo('q') })
    const wrongUid = await api.post(`${namespace}/serviceaccounts/default/token`, { spec: boundTo('p', 'zz') })

    assert.deepEqual(
      [podClaim, nodeClaim],
      [
        { name: 'p', uid: metadata.uid },
        { name: node, uid: nodeMeta.uid },
      ],
    )
    assert.deepEqual([claims.exp - claims.iat, warnafter - claims.iat], [365 * 24 * 3600, 3607])
    assert.equal(Date.parse(status.expirationTimestamp) / 1000 - claims.iat, 3607)
    assert.deepEqual(extra, {
      'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
      'authentication.kubernetes.io/node-name': [node],
      'authentication.kubernetes.io/node-uid': [nodeMeta.uid],
      'authentication.kubernetes.io/pod-name': ['p'],
      'authentication.kubernetes.io/pod-uid': [metadata.uid],
    })
    assert.deepEqual(
      [wrongAccount.code, wrongAccount.json.message],
      [400, 'cannot bind token for serviceaccount "default" to pod running with different serviceaccount name.'],
    )
    assert.deepEqual([wrongUid.code, wrongUid.json.details], [409, { name: 'p', kind: 'Pod' }])
  })

  claim('takes no token of what has gone (A6)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/serviceaccounts`, { metadata: { name: 'a' } })
    await api.create(`${namespace}/secrets`, { metadata: { name: 's' } })
    const bound = await tokenOf(namespace, 'a', { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 's' } })
    const plain = await tokenOf(namespace, 'a')

    // The real one reads both from caches, and remembers for ten seconds what it found.
    await api.delete(`${namespace}/secrets/s`)
    await api.pass(500)
    assert.deepEqual(await review(bound.status.token), { user: {}, error: '[invalid bearer token, service account token has been invalidated]' })
    await api.delete(`${namespace}/serviceaccounts/a`)
    await api.pass(500)
    assert.deepEqual(await review(plain.status.token), { user: {}, error: '[invalid bearer token, serviceaccounts "a" not found]' })
  })
})
