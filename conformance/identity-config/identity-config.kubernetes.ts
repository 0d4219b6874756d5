import assert from 'node:assert/strict'
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestAuthority } from '@gantry/client/testing'
import { startHttpsServer } from '../src/https-server.ts'
import type { HttpsServer } from '../src/https-server.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import { SecuredCluster } from './secured-cluster.ts'
import { createKey, signToken, TokenIssuer } from './token-issuer.ts'

const patienceMs = 15_000
const groupOfAll = 'system:authenticated'

/** What the two servers must agree on whoever asks: who is who, and who may do what, by configuration files and by credentials at the real front door. */
describe('identity and access by configuration', () => {
  const parts = new AsyncDisposableStack()
  let clusters: readonly SecuredCluster[] = []
  let dir = ''
  let server: HttpsServer
  let plain: TokenIssuer
  let mapped: TokenIssuer
  let later: TokenIssuer
  /** The specs of the reviews that the webhooks were asked, by path. */
  const asked = new Map<string, Json[]>()

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gantry-identity-'))
    parts.defer(() => rm(dir, { recursive: true, force: true }))
    server = parts.use(await startHttpsServer())
    plain = new TokenIssuer(server, '/plain')
    mapped = new TokenIssuer(server, '/mapped', { discovery: '/elsewhere' })
    later = new TokenIssuer(server, '/later')
    serveReview('/authenticate', 'TokenReview', ({ token, audiences }) =>
      token.startsWith('hook-')
        ? { authenticated: true, user: { username: token, uid: 'h-1', groups: ['hooked'], extra: { 'example.org/from': ['hook'] } }, audiences }
        : token === 'told-why'
          ? { authenticated: false, error: 'not on the list' }
          : { authenticated: false },
    )
    serveReview('/authorize/first', 'SubjectAccessReview', ({ resourceAttributes }) =>
      resourceAttributes?.resource === 'secrets'
        ? { allowed: false, denied: true, reason: 'no secrets' }
        : { allowed: resourceAttributes?.verb === 'list', reason: 'first says so' },
    )
    serveReview('/authorize/last', 'SubjectAccessReview', ({ resourceAttributes }) => ({
      allowed: resourceAttributes?.resource === 'configmaps',
      reason: 'last says so',
    }))
    await writeFiles()
    const file = (name: string): string => join(dir, name)
    const args = [
      `--authentication-config=${file('authentication.yaml')}`,
      `--authorization-config=${file('authorization.yaml')}`,
      `--authentication-token-webhook-config-file=${file('authenticate.kubeconfig')}`,
    ]
    const withVersion = [...args, '--authentication-token-webhook-version=v1']
    clusters = await Promise.all([SecuredCluster.start('kubernetes', { dir, args: withVersion }), SecuredCluster.start('gantry', { dir, args })])
    for (const cluster of clusters) parts.use(cluster)
  })
  after(() => parts.disposeAsync())

  function serveReview(path: string, kind: string, review: (spec: Json) => Json): void {
    asked.set(path, [])
    server.on(path, ({ body }) => {
      asked.get(path)?.push(body.spec)
      return { apiVersion: body.apiVersion, kind, status: review(body.spec) }
    })
  }

  async function writeFiles(): Promise<void> {
    const webhookConfig = (path: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'hook', cluster: { server: `https://127.0.0.1:${server.port}${path}`, 'certificate-authority-data': server.caBundle } }],
        users: [{ name: 'us', user: {} }],
        contexts: [{ name: 'hook', context: { cluster: 'hook', user: 'us' } }],
        'current-context': 'hook',
      })
    for (const [name, path] of Object.entries({ authenticate: '/authenticate', first: '/authorize/first', broken: '/none', last: '/authorize/last' }))
      await writeFile(join(dir, `${name}.kubeconfig`), webhookConfig(path))
    const webhook = (name: string, failurePolicy: string, expressions: readonly string[]): object => ({
      type: 'Webhook',
      name,
      webhook: {
        timeout: '3s',
        subjectAccessReviewVersion: 'v1',
        matchConditionSubjectAccessReviewVersion: 'v1',
        failurePolicy,
        connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: join(dir, `${name}.kubeconfig`) },
        matchConditions: expressions.map((expression) => ({ expression })),
      },
    })
    await writeConfiguration('authorization.yaml', 'AuthorizationConfiguration', {
      authorizers: [
        webhook('first', 'NoOpinion', [
          "request.user.startsWith('plain:hooked')",
          "!has(request.resourceAttributes) || request.resourceAttributes.namespace != 'elsewhere'",
        ]),
        webhook('broken', 'Deny', ["request.user == 'plain:broken'", "request.groups.exists(g, g == 'g:broken')"]),
        { type: 'Node', name: 'node' },
        { type: 'RBAC', name: 'rbac' },
        webhook('last', 'NoOpinion', ["has(request.resourceAttributes) && request.resourceAttributes.namespace == 'last'"]),
      ],
    })
    await writeAuthentication([])
  }

  async function writeConfiguration(file: string, kind: string, content: object): Promise<void> {
    await writeFile(join(dir, file), JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind, ...content }))
  }

  function certificateAuthority(): string {
    return Buffer.from(server.caBundle, 'base64').toString()
  }

  async function writeAuthentication(more: readonly object[]): Promise<void> {
    await writeConfiguration('authentication.yaml', 'AuthenticationConfiguration', {
      anonymous: { enabled: true, conditions: [{ path: '/livez' }, { path: '/readyz' }] },
      jwt: [
        {
          issuer: { url: plain.url, audiences: ['gantry'], certificateAuthority: certificateAuthority() },
          claimValidationRules: [{ claim: 'hd', requiredValue: 'example.com' }],
          claimMappings: { username: { claim: 'sub', prefix: 'plain:' }, groups: { claim: 'groups', prefix: 'g:' }, uid: { claim: 'uid' } },
        },
        {
          issuer: {
            url: mapped.url,
            discoveryURL: mapped.discoveryUrl,
            audiences: ['one', 'two'],
            audienceMatchPolicy: 'MatchAny',
            certificateAuthority: certificateAuthority(),
          },
          claimValidationRules: [{ expression: 'claims.exp - claims.nbf <= 86400.0', message: 'lives longer than a day' }],
          claimMappings: {
            username: { expression: 'claims.email_verified ? claims.email : "nobody"' },
            groups: { expression: '(has(claims.roles) ? claims.roles : []) + (has(claims.more__dot__teams) ? claims.more__dot__teams : [])' },
            uid: { expression: 'claims.?id.orValue("none")' },
            extra: [
              { key: 'example.org/dept', valueExpression: 'claims.dept.name' },
              { key: 'example.org/levels', valueExpression: 'claims.?levels.orValue([])' },
            ],
          },
          userValidationRules: [
            { expression: "!user.username.startsWith('system:')", message: 'reserved' },
            { expression: "user.groups.all(g, !g.startsWith('system:'))", message: 'reserved group' },
          ],
        },
        ...more,
      ],
    })
  }

  /** The same claims about both. */
  async function onBoth(act: (cluster: SecuredCluster) => Promise<void>): Promise<void> {
    for (const cluster of clusters) {
      try {
        await act(cluster)
      } catch (error) {
        throw new Error(`${cluster.name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      }
    }
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const start = performance.now(); !(await holds()); await sleep(100)) if (performance.now() - start > patienceMs) assert.fail(what)
  }

  const person = (more: object = {}): object => ({ sub: 'jane', aud: 'gantry', hd: 'example.com', uid: 'u-1', ...more })
  const employee = (more: object = {}): object => ({
    aud: ['two', 'three'],
    email: 'joe@example.com',
    email_verified: true,
    dept: { name: 'dev' },
    ...more,
  })

  test('knows the tokens of an issuer by its claims (A10)', () =>
    onBoth(async (cluster) => {
      assert.deepEqual(await cluster.whoami({ token: plain.token(person({ groups: ['dev', 'ops'], jti: 'j-1' })) }), {
        username: 'plain:jane',
        uid: 'u-1',
        groups: ['g:dev', 'g:ops', groupOfAll],
        extra: { 'authentication.kubernetes.io/credential-id': ['JTI=j-1'] },
      })
      assert.deepEqual((await cluster.whoami({ token: plain.token(person({ groups: 'dev' })) })).groups, ['g:dev', groupOfAll])
      assert.deepEqual((await cluster.whoami({ token: plain.token(person()) })).groups, [groupOfAll])
      const { audiences, authenticated } = await cluster.review(plain.token(person()))
      assert.deepEqual([authenticated, audiences], [true, ['https://kubernetes.default.svc.cluster.local']])
      assert.deepEqual(await cluster.review(plain.token(person()), ['gantry']), { user: {}, error: 'invalid bearer token' })
    }))

  test('says why a token of an issuer is no good (A10)', () =>
    onBoth(async (cluster) => {
      const refusal = async (token: string): Promise<string> => (await cluster.review(token)).error
      const because = (text: string): string => `[invalid bearer token, oidc: ${text}]`
      const stranger = { ...createKey('first') }

      assert.equal(
        await refusal(plain.token(person({ exp: 1 }))),
        because('verify token: oidc: token is expired (Token Expiry: 1970-01-01 00:00:01 +0000 UTC)'),
      )
      assert.equal(await refusal(plain.token(person({ aud: ['x', 'y'] }))), because('verify token: oidc: expected audience "gantry" got ["x" "y"]'))
      assert.equal(
        await refusal(plain.token(person(), { key: stranger })),
        because('verify token: failed to verify signature: failed to verify id token signature'),
      )
      assert.equal(await refusal(plain.token(person({ sub: undefined }))), because('parse username claims "sub": claim not present'))
      assert.equal(
        await refusal(plain.token(person({ sub: 7 }))),
        because('verify token: oidc: failed to unmarshal claims: json: cannot unmarshal number into Go struct field idToken.sub of type string'),
      )
      assert.equal(
        await refusal(plain.token(person({ groups: [1] }))),
        because('parse groups claim "groups": json: cannot unmarshal array into Go value of type string'),
      )
      assert.equal(await refusal(plain.token(person({ uid: undefined }))), because('parse uid claim "uid": claim not present'))
      assert.equal(await refusal(plain.token(person({ hd: undefined }))), because('required claim hd not present in ID token'))
      assert.equal(await refusal(plain.token(person({ hd: 'x' }))), because('required claim hd value does not match. Got = x, want = example.com'))
      assert.equal(
        await refusal(signToken(plain.keys[0] ?? stranger, { iss: plain.url }, 'HS256')),
        because(
          'verify token: oidc: id token signed with unsupported algorithm, expected ["ES256" "ES384" "ES512" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"] got "HS256"',
        ),
      )
      assert.equal(await refusal(plain.token(person({ iss: 'https://nobody.example.com' }))), 'invalid bearer token')
      assert.equal(await cluster.whoami({ token: plain.token(person({ exp: 1 })) }), 401)
    }))

  test('makes users of claims by expressions, and refuses by conditions (A10)', () =>
    onBoth(async (cluster) => {
      const refusal = async (more: object): Promise<string> => (await cluster.review(mapped.token(employee(more)))).error
      const because = (text: string): string => `[invalid bearer token, oidc: ${text}]`

      assert.deepEqual(await cluster.whoami({ token: mapped.token(employee({ roles: ['a', 'b'], 'more.teams': ['c', ''], id: 'x', levels: ['1', '2'] })) }), {
        username: 'joe@example.com',
        uid: 'x',
        groups: ['a', 'b', 'c', groupOfAll],
        extra: { 'example.org/dept': ['dev'], 'example.org/levels': ['1', '2'] },
      })
      assert.deepEqual(await cluster.whoami({ token: mapped.token(employee({ email_verified: false })) }), {
        username: 'nobody',
        uid: 'none',
        groups: [groupOfAll],
        extra: { 'example.org/dept': ['dev'] },
      })
      assert.equal(await refusal({ aud: 'four' }), because('verify token: oidc: expected audience in ["one" "two"] got ["four"]'))
      assert.equal(
        await refusal({ exp: 9_999_999_999 }),
        because("error evaluating claim validation expression: validation expression 'claims.exp - claims.nbf <= 86400.0' failed: lives longer than a day"),
      )
      assert.equal(
        await refusal({ email: 'system:admin' }),
        because("error evaluating user info validation rule: validation expression '!user.username.startsWith('system:')' failed: reserved"),
      )
      assert.equal(
        await refusal({ roles: ['system:masters'] }),
        because("error evaluating user info validation rule: validation expression 'user.groups.all(g, !g.startsWith('system:'))' failed: reserved group"),
      )
      assert.equal(await refusal({ email: 3 }), because('error evaluating username claim expression: username claim expression must return a string'))
      assert.equal(await refusal({ email: '' }), because('empty username via CEL expression is not allowed'))
      assert.equal(await refusal({ dept: undefined }), "[invalid bearer token, expression 'claims.dept.name' resulted in error: no such key: dept]")
      assert.equal(
        await refusal({ levels: [1] }),
        because('error evaluating extra claim expression: claims.?levels.orValue([]): expression must return a string or a list of strings'),
      )
    }))

  test('takes the tokens of a key that an issuer has had for a moment only (A10)', async () => {
    const [old] = plain.keys
    plain.keys = [createKey('second')]
    await onBoth(async (cluster) => {
      assert.equal((await cluster.whoami({ token: plain.token(person({ sub: 'new-key' })) })).username, 'plain:new-key')
      assert.equal(await cluster.whoami({ token: plain.token(person({ sub: 'old-key' }), { key: old }) }), 401)
    })
  })

  test('does not ask an issuer for keys as often as somebody sends tokens that fit none', async () => {
    const gantry = clusters.filter(({ name }) => name === 'gantry')
    const before = mapped.fetches
    for (const cluster of gantry)
      for (let i = 0; i < 30; i++) assert.equal(await cluster.whoami({ token: mapped.token(employee(), { key: createKey(`unknown-${i}`) }) }), 401)
    assert.ok(mapped.fetches - before <= 6, `${mapped.fetches - before} fetches`)
  })

  test('refuses a bad bearer token even where nobody at all is let in, and prefers a certificate (A1, A3)', () =>
    onBoth(async (cluster) => {
      const livez = async (call: object): Promise<number> => (await cluster.call('GET', '/livez', call)).code
      const { code, json } = await cluster.call('GET', '/version')

      assert.deepEqual([code, json.reason, json.message], [401, 'Unauthorized', 'Unauthorized'])
      assert.equal(await livez({}), 200)
      assert.equal(await livez({ token: 'nope' }), 401)
      assert.equal(await livez({ headers: { authorization: 'Basic bm86cGU=' } }), 200)
      assert.equal((await cluster.whoami({ certificate: 'admin', token: 'nope' })).username, 'kubernetes-admin')
      assert.equal(await cluster.whoami({}), 401)
    }))

  test('knows a client certificate, and only one of its authority (A2)', () =>
    onBoth(async (cluster) => {
      const { raw } = new X509Certificate(await readFile(cluster.plane.adminCertFile))
      const fingerprint = createHash('sha256').update(raw).digest('hex')
      const stranger = createTestAuthority('stranger', Date.now()).issue({ commonName: 'kubernetes-admin' })

      assert.deepEqual(await cluster.whoami({ certificate: 'admin' }), {
        username: 'kubernetes-admin',
        groups: ['system:masters', groupOfAll],
        extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] },
      })
      assert.equal(await cluster.whoami({ certificate: stranger }), 401)
      assert.equal((await cluster.call('GET', '/livez', { certificate: stranger })).code, 401)
      assert.equal((await cluster.whoami({ certificate: stranger, token: plain.token(person()) })).username, 'plain:jane')
    }))

  test('believes a front proxy, and nobody else, who is calling (A1)', () =>
    onBoth(async (cluster) => {
      const headers = { 'X-Remote-User': 'jane', 'X-Remote-Group': ['a', 'b'], 'X-Remote-Extra-Example.org%2fx': 'y' }

      assert.deepEqual(await cluster.whoami({ certificate: 'front-proxy-client', headers }), {
        username: 'jane',
        groups: ['a', 'b', groupOfAll],
        extra: { 'example.org/x': ['y'] },
      })
      assert.equal(await cluster.whoami({ certificate: 'front-proxy-client' }), 401)
      assert.equal((await cluster.whoami({ certificate: 'admin', headers })).username, 'kubernetes-admin')
      assert.equal((await cluster.whoami({ token: plain.token(person()), headers })).username, 'plain:jane')
      assert.equal(await cluster.whoami({ headers }), 401)
    }))

  test('asks a webhook who is behind a token that nobody else knows, once for a while (A12)', () =>
    onBoth(async (cluster) => {
      const token = `hook-${cluster.name}`
      const ann = { username: token, uid: 'h-1', groups: ['hooked', groupOfAll], extra: { 'example.org/from': ['hook'] } }

      assert.deepEqual(await cluster.whoami({ token }), ann)
      assert.deepEqual(await cluster.whoami({ token }), ann)
      assert.equal(await cluster.whoami({ token: 'unknown' }), 401)
      const specs = (asked.get('/authenticate') ?? []).filter((spec) => spec.token === token)
      assert.deepEqual(specs, [{ token, audiences: ['https://kubernetes.default.svc.cluster.local'] }])
      assert.deepEqual(await cluster.review('told-why'), { user: {}, error: '[invalid bearer token, not on the list]' })
      assert.deepEqual((await cluster.review(token, ['elsewhere'])).audiences, ['elsewhere'])
    }))

  test('takes bootstrap tokens as their Secrets say (A11)', () =>
    onBoth(async (cluster) => {
      const create = (id: string, more: Json): Promise<Json> =>
        cluster.asAdmin('POST', '/api/v1/namespaces/kube-system/secrets', {
          metadata: { name: `bootstrap-token-${id}` },
          type: 'bootstrap.kubernetes.io/token',
          stringData: { 'token-id': id, 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', ...more },
        })
      await create('aaaaaa', { 'auth-extra-groups': 'system:bootstrappers:x' })
      await create('bbbbbb', { expiration: '2020-01-01T00:00:00Z' })
      await create('cccccc', { 'usage-bootstrap-authentication': 'false' })
      await until('the token is known', async () => (await cluster.whoami({ token: 'aaaaaa.0123456789abcdef' })) !== 401)

      assert.deepEqual(await cluster.whoami({ token: 'aaaaaa.0123456789abcdef' }), {
        username: 'system:bootstrap:aaaaaa',
        groups: ['system:bootstrappers', 'system:bootstrappers:x', groupOfAll],
      })
      for (const wrong of ['aaaaaa.0123456789abcdeg', 'bbbbbb.0123456789abcdef', 'cccccc.0123456789abcdef'])
        assert.equal(await cluster.whoami({ token: wrong }), 401)
    }))

  test('publishes the keys of service account tokens (A7)', () =>
    onBoth(async (cluster) => {
      const publicKey = createPublicKey(await readFile(join(cluster.plane.certsDir, 'sa.key'), 'utf8'))
      const id = createHash('sha256')
        .update(publicKey.export({ type: 'spki', format: 'der' }))
        .digest('base64url')
      const issuer = 'https://kubernetes.default.svc.cluster.local'
      const alg = publicKey.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256'

      assert.deepEqual((await cluster.asAdmin('GET', '/openid/v1/jwks')).keys, [{ use: 'sig', kid: id, alg, ...publicKey.export({ format: 'jwk' }) }])
      const { jwks_uri: keys, ...document } = await cluster.asAdmin('GET', '/.well-known/openid-configuration')
      assert.deepEqual(document, {
        issuer,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [alg],
      })
      assert.match(keys, /^https:\/\/.*\/openid\/v1\/jwks$/)
    }))

  test('takes a legacy token while its Secret holds it, and notes its use (A8)', () =>
    onBoth(async (cluster) => {
      const namespace = uniqueName('legacy')
      const path = `/api/v1/namespaces/${namespace}`
      await cluster.asAdmin('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
      const account = await cluster.asAdmin('POST', `${path}/serviceaccounts`, { metadata: { name: 'a' } })
      const key = { id: '', privateKey: createPrivateKey(await readFile(join(cluster.plane.certsDir, 'sa.key'), 'utf8')) }
      const claim = 'kubernetes.io/serviceaccount'
      const claims = {
        iss: claim.replace('.io', ''),
        sub: `system:serviceaccount:${namespace}:a`,
        [`${claim}/namespace`]: namespace,
        [`${claim}/secret.name`]: 's',
        [`${claim}/service-account.name`]: 'a',
        [`${claim}/service-account.uid`]: account.metadata.uid,
      }
      const token = signToken(key, claims)
      const review = async (of: string): Promise<Json> => (await cluster.review(of)).error
      await cluster.asAdmin('POST', `${path}/secrets`, {
        metadata: { name: 's', annotations: { 'kubernetes.io/service-account.name': 'a' } },
        type: 'kubernetes.io/service-account-token',
        stringData: { token },
      })
      await until('the Secret is known', async () => (await review(token)) === undefined)

      assert.deepEqual(await cluster.whoami({ token }), {
        username: claims.sub,
        uid: account.metadata.uid,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, groupOfAll],
      })
      const warningOf = async (): Promise<unknown> => (await cluster.call('GET', `${path}/pods`, { token })).headers['warning']
      assert.equal(await warningOf(), undefined)
      await cluster.asAdmin('PUT', `${path}/serviceaccounts/a`, { metadata: { name: 'a' }, secrets: [{ name: 's' }] })
      await until('the account is known to name the Secret', async () => (await warningOf()) !== undefined)
      assert.equal(
        await warningOf(),
        '299 - "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens."',
      )
      const today = new Date().toISOString().slice(0, 10)
      await until('the label is written', async () => (await cluster.asAdmin('GET', `${path}/secrets/s`)).metadata.labels !== undefined)
      assert.deepEqual((await cluster.asAdmin('GET', `${path}/secrets/s`)).metadata.labels, { 'kubernetes.io/legacy-token-last-used': today })
      assert.equal(
        await review(signToken(key, { ...claims, [`${claim}/service-account.uid`]: '' })),
        '[invalid bearer token, serviceAccountUID claim is missing]',
      )
      assert.equal(await review(signToken(key, { ...claims, sub: 'system:serviceaccount:kube-system:a' })), '[invalid bearer token, sub claim is invalid]')
      assert.equal(await review(signToken(key, { ...claims, extra: 1 })), "[invalid bearer token, Token does not match server's copy]")
      assert.equal(await review(signToken(key, { ...claims, [`${claim}/secret.name`]: 'other' })), '[invalid bearer token, Token has been invalidated]')
    }))

  test('takes a token no longer once what it is bound to has gone or is another one (A6)', () =>
    onBoth(async (cluster) => {
      const namespace = uniqueName('bound')
      const path = `/api/v1/namespaces/${namespace}`
      await cluster.asAdmin('POST', '/api/v1/namespaces', { metadata: { name: namespace } })
      await cluster.asAdmin('POST', `${path}/serviceaccounts`, { metadata: { name: 'a' } })
      const issue = async (boundObjectRef?: object): Promise<string> =>
        (await cluster.asAdmin('POST', `${path}/serviceaccounts/a/token`, { spec: boundObjectRef === undefined ? {} : { boundObjectRef } })).status.token
      const boundTo = (kind: string, name: string): Promise<string> => issue({ kind, apiVersion: 'v1', name })
      const create = (resource: string, object: Json): Promise<Json> => cluster.asAdmin('POST', `${path}/${resource}`, object)
      const containers = [{ name: 'c', image: 'i' }]
      await create('pods', { metadata: { name: 'p' }, spec: { serviceAccountName: 'a', automountServiceAccountToken: false, containers } })
      const { metadata: replaced } = await create('secrets', { metadata: { name: 'replaced' } })
      await create('secrets', { metadata: { name: 'ending', finalizers: ['example.org/wait'] } })
      const [podToken, replacedToken, endingToken, accountToken] = [
        await boundTo('Pod', 'p'),
        await boundTo('Secret', 'replaced'),
        await boundTo('Secret', 'ending'),
        await issue(),
      ]
      await cluster.asAdmin('DELETE', `${path}/pods/p?gracePeriodSeconds=0`)
      await cluster.asAdmin('DELETE', `${path}/secrets/replaced`)
      const { metadata: replacement } = await create('secrets', { metadata: { name: 'replaced' } })
      await cluster.asAdmin('DELETE', `${path}/secrets/ending`)
      const { metadata: ending } = await cluster.asAdmin('GET', `${path}/secrets/ending`)
      const { metadata: account } = await cluster.asAdmin('GET', `${path}/serviceaccounts/a`)
      // The real one sees its own writes through a watch.
      await sleep(500)

      assert.deepEqual(await cluster.review(podToken), { user: {}, error: '[invalid bearer token, service account token has been invalidated]' })
      assert.deepEqual(await cluster.review(replacedToken), {
        user: {},
        error: `[invalid bearer token, secret UID (${replacement.uid}) does not match service account secret ref claim (${replaced.uid})]`,
      })
      assert.notEqual(ending.deletionTimestamp, undefined)
      assert.equal((await cluster.review(endingToken)).authenticated, true, 'what is ending may clean up for a minute')
      await cluster.asAdmin('DELETE', `${path}/serviceaccounts/a`)
      const { metadata: next } = await create('serviceaccounts', { metadata: { name: 'a' } })
      await sleep(500)
      assert.deepEqual(await cluster.review(accountToken), {
        user: {},
        error: `[invalid bearer token, service account UID (${next.uid}) does not match claim (${account.uid})]`,
      })
      await cluster.asAdmin('PATCH', `${path}/secrets/ending`, { metadata: { finalizers: null } })
    }))

  test('asks authorizers in their order, each for what its conditions take (Z8)', () =>
    onBoth(async (cluster) => {
      const start = { first: asked.get('/authorize/first')?.length, last: asked.get('/authorize/last')?.length }
      const token = plain.token(person({ sub: `hooked-${cluster.name}`, groups: ['q'] }))
      const get = async (path: string, as = token): Promise<unknown> => {
        const { code, json } = await cluster.call('GET', path, { token: as })
        return code === 200 ? 200 : [code, json.message]
      }
      const user = `plain:hooked-${cluster.name}`

      assert.equal(await get('/api/v1/namespaces/default/pods?labelSelector=a%3Db&fieldSelector=spec.nodeName%3Dn'), 200)
      assert.deepEqual(await get('/api/v1/namespaces/default/secrets'), [
        403,
        `secrets is forbidden: User "${user}" cannot list resource "secrets" in API group "" in the namespace "default": no secrets`,
      ])
      assert.deepEqual(await get('/api/v1/namespaces/default/pods/x'), [
        403,
        `pods "x" is forbidden: User "${user}" cannot get resource "pods" in API group "" in the namespace "default": first says so`,
      ])
      assert.deepEqual(await get('/api/v1/namespaces/elsewhere/pods'), [
        403,
        `pods is forbidden: User "${user}" cannot list resource "pods" in API group "" in the namespace "elsewhere"`,
      ])
      assert.equal(await get('/api/v1/namespaces/last/configmaps', plain.token(person())), 200)
      assert.deepEqual(await get('/api/v1/namespaces/last/pods', plain.token(person())), [
        403,
        'pods is forbidden: User "plain:jane" cannot list resource "pods" in API group "" in the namespace "last": last says so',
      ])
      const [first] = asked.get('/authorize/first')?.slice(start.first) ?? []
      assert.deepEqual(first, {
        resourceAttributes: {
          namespace: 'default',
          verb: 'list',
          version: 'v1',
          resource: 'pods',
          labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
          fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n'] }] },
        },
        user,
        groups: ['g:q', groupOfAll],
        uid: 'u-1',
      })
      assert.equal((asked.get('/authorize/first')?.length ?? 0) - (start.first ?? 0), 3)
      assert.equal((asked.get('/authorize/last')?.length ?? 0) - (start.last ?? 0), 2)
    }))

  test('does by the failure policy what a webhook that cannot be asked is for (Z8)', () =>
    onBoth(async (cluster) => {
      const review = async (user: string, groups: readonly string[]): Promise<Json> => {
        const { status } = await cluster.asAdmin('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
          spec: { user, groups, nonResourceAttributes: { path: '/version', verb: 'get' } },
        })
        return [status.allowed, status.denied === true, (status.evaluationError ?? '') !== '']
      }

      assert.deepEqual(await review('plain:broken', [groupOfAll, 'g:broken']), [false, true, true])
      assert.deepEqual(await review('plain:broken', [groupOfAll]), [true, false, false])
    }))

  test('lets a caller speak for others only as far as he may, whatever the headers say (A14)', async () => {
    const refusals: unknown[] = []
    await onBoth(async (cluster) => {
      const name = uniqueName('speaker')
      const caller = plain.token(person({ sub: name }))
      const rbac = '/apis/rbac.authorization.k8s.io/v1'
      await cluster.asAdmin('POST', `${rbac}/clusterroles`, {
        metadata: { name },
        rules: [
          { apiGroups: [''], resources: ['users'], verbs: ['impersonate'], resourceNames: ['jane', 'system:serviceaccount:default:a'] },
          { apiGroups: [''], resources: ['groups'], verbs: ['impersonate'], resourceNames: ['dev'] },
          { apiGroups: ['authentication.k8s.io'], resources: ['userextras/scopes'], verbs: ['impersonate'], resourceNames: ['view'] },
        ],
      })
      await cluster.asAdmin('POST', `${rbac}/clusterrolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: `plain:${name}` }],
      })
      const as = async (headers: Readonly<Record<string, string | readonly string[]>>): Promise<unknown> => {
        const { code, json } = await cluster.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { token: caller, headers, body: {} })
        return code === 201 ? json.status.userInfo : [code, json.message]
      }
      await until('the binding counts', async () => !Array.isArray(await as({ 'Impersonate-User': 'jane' })))
      assert.deepEqual(await as({ 'Impersonate-User': 'jane', 'Impersonate-Group': 'dev', 'Impersonate-Extra-Scopes': 'view' }), {
        username: 'jane',
        groups: ['dev', groupOfAll],
        extra: { scopes: ['view'] },
      })
      const attempts: readonly Readonly<Record<string, string | readonly string[]>>[] = [
        { 'Impersonate-User': 'bob' },
        { 'Impersonate-User': 'jane', 'Impersonate-Group': ['dev', 'system:masters'] },
        { 'Impersonate-User': 'jane', 'Impersonate-Group': 'dev, system:masters' },
        { 'Impersonate-User': 'jane', 'Impersonate-Uid': '1' },
        { 'Impersonate-User': 'jane', 'Impersonate-Extra-Scopes': ['view', 'admin'] },
        { 'Impersonate-User': 'jane', 'Impersonate-Extra-Example.org%2fOther': 'x' },
        { 'Impersonate-User': 'system:serviceaccount:default:a' },
        { 'Impersonate-User': 'system:serviceaccount:default:b', 'Impersonate-Group': 'dev' },
        { 'Impersonate-User': 'system:node:n' },
        { 'Impersonate-Group': 'dev' },
        { 'Impersonate-Uid': '1' },
      ]
      const answers: unknown[] = []
      for (const headers of attempts) answers.push(JSON.parse(JSON.stringify(await as(headers)).replaceAll(name, 'SPEAKER')))
      for (const [index, answer] of answers.entries())
        assert.ok(Array.isArray(answer) && [400, 403].includes(answer[0]), `${JSON.stringify(attempts[index])}: ${JSON.stringify(answer)}`)
      refusals.push(answers)
      // Headers of a front proxy are nobody's without its certificate.
      assert.equal(((await as({ 'X-Remote-User': 'kubernetes-admin', 'X-Remote-Group': 'system:masters' })) as Json).username, `plain:${name}`)
    })
    assert.deepEqual(refusals[1], refusals[0], 'both refuse in the same words')
  })

  test('does not start with files that are wrong, and names every field that is (A10, Z8)', async () => {
    const issuer = { url: 'http://a@issuer.example.com?x#y', discoveryURL: 'https://issuer.example.com', audiences: ['a', 'a'] }
    await writeConfiguration('wrong.yaml', 'AuthenticationConfiguration', {
      anonymous: { enabled: false, conditions: [{ path: '/livez' }] },
      jwt: [
        {
          issuer,
          claimValidationRules: [{ claim: 'a', expression: 'true' }, {}, { expression: 'claims.' }, { expression: '1' }, { claim: 'b', message: 'm' }],
          claimMappings: {
            username: { expression: 'claims.email' },
            groups: { claim: 'groups' },
            uid: { claim: 'a', expression: 'b' },
            extra: [
              { key: 'Foo', valueExpression: '1' },
              { key: 'x.k8s.io/a', valueExpression: '' },
            ],
          },
          userValidationRules: [{ expression: 'user.nothing' }, { expression: '' }],
        },
      ],
    })
    await assertRefused(
      ['--authentication-config'],
      [
        'jwt[0].issuer.url: Invalid value: "http://a@issuer.example.com?x#y": URL scheme must be https',
        'URL must not contain a username or password',
        'URL must not contain a query',
        'URL must not contain a fragment',
        'jwt[0].issuer.audiences[1]: Duplicate value: "a"',
        'jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
        `jwt[0].claimValidationRules[0]: Invalid value: "a": claim and expression can't both be set`,
        'jwt[0].claimValidationRules[1]: Required value: claim or expression is required',
        'jwt[0].claimValidationRules[2].expression: Invalid value: "claims.": compilation failed: ERROR: <input>:1:8: Syntax error',
        'jwt[0].claimValidationRules[3].expression: Invalid value: "1": must evaluate to bool',
        'jwt[0].claimValidationRules[4].message: Invalid value: "m": may not be specified when claim is set',
        'jwt[0].claimMappings.groups.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing',
        `jwt[0].claimMappings.uid: Invalid value: "": claim and expression can't both be set`,
        'jwt[0].claimMappings.extra[0].key: Invalid value: "Foo": must be a domain-prefixed path (such as "acme.io/foo")',
        'jwt[0].claimMappings.extra[0].key: Invalid value: "Foo": must be lowercase',
        'jwt[0].claimMappings.extra[1].key: Invalid value: "x.k8s.io/a": k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use',
        'jwt[0].claimMappings.extra[1].valueExpression: Required value',
        'jwt[0].claimMappings.username.expression: Invalid value: "claims.email": claims.email_verified must be used in',
        'jwt[0].userValidationRules[0].expression: Invalid value: "user.nothing": compilation failed',
        'jwt[0].userValidationRules[1].expression: Required value',
        'anonymous.conditions: Invalid value: [{"Path":"/livez"}]: enabled should be set to true when conditions are defined',
      ],
    )
    const webhook = {
      timeout: '31s',
      subjectAccessReviewVersion: 'v2',
      connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: 'x' },
      matchConditions: [{ expression: 'request.user' }],
    }
    await writeConfiguration('wrong.yaml', 'AuthorizationConfiguration', {
      authorizers: [
        { type: 'Webhook', name: 'A_b', webhook },
        { type: 'RBAC', name: 'rbac' },
        { type: 'RBAC', name: 'again' },
        { type: 'Other', name: 'o' },
        { type: 'Webhook', name: 'w' },
      ],
    })
    await assertRefused(
      ['--authorization-config'],
      [
        'authorizers[0].name: Invalid value: "A_b": authorizer name is invalid: a lowercase RFC 1123 subdomain must consist of',
        'authorizers[0].timeout: Invalid value: "31s": must be > 0s and <= 30s',
        'authorizers[0].subjectAccessReviewVersion: Unsupported value: "v2": supported values: "v1", "v1beta1"',
        'authorizers[0].matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified',
        'authorizers[0].failurePolicy: Required value',
        'authorizers[0].connectionInfo.kubeConfigFile: Invalid value: "x": must be an absolute path',
        'authorizers[0].matchConditions[0].expression: Invalid value: "request.user": must evaluate to bool but got string',
        'authorizers[2].type: Duplicate value: "RBAC"',
        'authorizers[3].type: Unsupported value: "Other"',
        'authorizers[4].webhook: Required value: required when type=Webhook',
      ],
    )
    await writeConfiguration('wrong.yaml', 'AuthenticationConfiguration', { jwt: [{ issuer: { urll: 'x' } }] })
    await assertRefused(['--authentication-config'], ['strict decoding error: unknown field "jwt[0].issuer.urll"'])
  })

  async function assertRefused([flag]: readonly [string], texts: readonly string[]): Promise<void> {
    const check = async (name: SecuredCluster['name']): Promise<void> => {
      await assert.rejects(SecuredCluster.start(name, { dir: join(dir, 'wrong'), args: [`${flag}=${join(dir, 'wrong.yaml')}`] }), /apiserver ended with code/)
      // What is said of a failed start holds the end of this log only; both may quote in it.
      const message = (await readFile(join(dir, 'wrong', name, 'log', 'apiserver.log'), 'utf8')).replaceAll('\\', '')
      assert.deepEqual(
        texts.filter((text) => !message.includes(text)),
        [],
        `${name} said: ${message}`,
      )
    }
    await Promise.all([check('kubernetes'), check('gantry')])
  }

  test('reads the file again when it changes, and keeps the last good one (A10)', async () => {
    const token = later.token({ sub: 'new', aud: 'late' })
    await onBoth(async (cluster) => assert.equal(await cluster.whoami({ token }), 401))
    const issuer = { url: later.url, audiences: ['late'], certificateAuthority: certificateAuthority() }
    await writeAuthentication([{ issuer, claimMappings: { username: { claim: 'sub', prefix: 'late:' } } }])
    await onBoth((cluster) => until('the new issuer counts', async () => (await cluster.whoami({ token })).username === 'late:new'))
    await writeAuthentication([{ issuer, claimMappings: { username: { claim: 'sub', prefix: 'late:', expression: 'claims.sub' } } }])
    await sleep(2_500)
    await onBoth(async (cluster) => {
      assert.equal((await cluster.whoami({ token: later.token({ sub: 'still', aud: 'late' }) })).username, 'late:still')
      assert.equal((await cluster.whoami({ token: plain.token(person()) })).username, 'plain:jane')
    })
  })
})
